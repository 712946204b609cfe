//! `docs/performance.md`: what a run has found, and under which conditions, between two marks of the file.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::load::Shape;
use crate::single::Figure;
use crate::table::Row;

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// What is written of one case of one target.
pub(crate) struct Line<'a> {
    pub(crate) case: &'a str,
    pub(crate) shape: &'a Shape,
    pub(crate) target: &'a str,
    pub(crate) row: &'a Row,
    /// The floor, of the same case in the same run.
    pub(crate) floor: Option<&'a Row>,
}

/// Replaces what is between the marks.
pub(crate) fn write(
    file: &Path,
    rounds: usize,
    lines: &[Line<'_>],
    figures: &[Figure],
) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(told)?;
    let (before, rest) = text.split_once(BEGIN).ok_or_else(|| format!("{}: no {BEGIN}", file.display()))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("{}: no {END}", file.display()))?;
    let found = format!("{}\n{}\n{}", conditions(rounds), loads(lines), singles(figures));
    std::fs::write(file, format!("{before}{BEGIN}\n{found}{END}{after}")).map_err(told)
}

fn conditions(rounds: usize) -> String {
    // Not those that this process has left for itself.
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    format!(
        "On {}, {cores} cores ({}, Linux {}), load average {load} at the end; medians of {rounds} rounds.\n",
        date(days),
        std::env::consts::ARCH,
        kernel.trim(),
    )
}

/// A day since 1970, in the civil calendar (H. Hinnant, `chrono`-compatible low-level date algorithms).
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{:02}", day - (153 * shifted + 2) / 5 + 1)
}

fn loads(lines: &[Line<'_>]) -> String {
    let mut out = String::from(
        "| case | load | target | calls/s | p50 µs | p99 µs | CPU µs a call | of the floor's: calls/s, p50, p99, CPU | RSS MiB |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |\n",
    );
    for Line { case, shape, target, row, floor } in lines {
        let era = format!("{:?}", shape.era).to_lowercase();
        let bytes = match (shape.text_bytes, shape.pad_bytes) {
            (text, 0) => format!("{text} B"),
            (text, pad) => format!("{text} B, {} KiB back", pad / 1024),
        };
        let ratios = floor.map_or_else(String::new, |floor| {
            let ratio = |figure: fn(&Row) -> f64| {
                format!("{:.2}", figure(row) / figure(floor).max(f64::MIN_POSITIVE))
            };
            [ratio(|it| it.per_second), ratio(|it| it.p50_us), ratio(|it| it.p99_us), ratio(|it| it.cpu_us)]
                .join(", ")
        });
        // Writing to a string does not fail.
        let _written = writeln!(
            out,
            "| {case} | {era}, {} x {}, {bytes} | {target} | {:.0} | {:.0} | {:.0} | {:.1} | {ratios} | {:.1} |",
            shape.sessions, shape.in_flight, row.per_second, row.p50_us, row.p99_us, row.cpu_us, row.rss_mib
        );
    }
    out
}

fn singles(figures: &[Figure]) -> String {
    let mut out = String::from("| of the hub alone | found | wanted |\n| --- | ---: | ---: |\n");
    for Figure { what, found, bar } in figures {
        let _written = writeln!(out, "| {what} | {found} | {bar} |");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        assert_eq!([0, 11_016, 20_778].map(date), ["1970-01-01", "2000-02-29", "2026-11-21"]);
    }

    #[test]
    fn what_is_between_the_marks_is_replaced_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("a\n{BEGIN}\nold\n{END}\nb\n")).unwrap();
        write(file.path(), 1, &[], &[Figure { what: "it".into(), found: "7".into(), bar: "8" }]).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(
            text.starts_with(&format!("a\n{BEGIN}\nOn ")) && text.ends_with(&format!("{END}\nb\n")),
            "{text}"
        );
        assert!(text.contains("| it | 7 | 8 |") && !text.contains("old"), "{text}");
    }
}
