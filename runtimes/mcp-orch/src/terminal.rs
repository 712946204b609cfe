//! What people read: results on standard output, everything else on standard error.

use std::io::{Error, ErrorKind, Write};
use std::sync::OnceLock;

/// The first error of standard output.
static UNWRITTEN: OnceLock<Error> = OnceLock::new();

/// A line of the result.
pub(crate) fn line(text: &str) {
    is_read(text);
}

/// The same. Whether somebody still reads.
pub(crate) fn is_read(text: &str) -> bool {
    let written = writeln!(std::io::stdout(), "{text}");
    written.map_err(|error| UNWRITTEN.set(error)).is_ok()
}

/// Why a part of the result could not be written. A reader that has gone (`| head`) is no error.
pub(crate) fn unwritten() -> Option<&'static Error> {
    UNWRITTEN.get().filter(|error| error.kind() != ErrorKind::BrokenPipe)
}

/// How many rows and columns the terminal of standard error has; as many as the first ones had where it does not say.
pub(crate) fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let size = size.map(|size| (size.ws_row.into(), size.ws_col.into()));
    size.filter(|(rows, columns)| *rows > 0 && *columns > 0).unwrap_or((24, 80))
}

/// Words of somebody else on one line, in which nothing is left that a terminal would act on.
pub(crate) fn harmless(text: &str) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if acts(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// A line for people, beside the result.
pub(crate) fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// A line that says what went wrong.
pub(crate) fn error(text: &str) {
    note(text);
}

/// Rows in columns, each as wide as its widest cell.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|n| width(n).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end());
    }
}

/// The day of a time in milliseconds since 1970, as 2026-11-21 (civil calendar from days, H. Hinnant).
pub(crate) fn date(at: u64) -> String {
    let days = i64::try_from(at / 86_400_000).unwrap_or(0) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time in milliseconds since 1970, as 2026-11-21 14:03:59 UTC.
pub(crate) fn moment(at: u64) -> String {
    let seconds = at / 1_000 % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{} {hours:02}:{minutes:02}:{:02} UTC", date(at), seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_does_nothing_to_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2J\nb\tGrüße \u{202e}c"), "a\\u{1b}[2J\\nb\\tGrüße \\u{202e}c");
    }

    #[test]
    fn times_are_shown_as_days_and_moments() {
        assert_eq!(moment(1_795_219_200_000 + 50_639_000), "2026-11-21 14:03:59 UTC");
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_795_219_200_000), "2026-11-21");
    }
}
