//! The table: a row for each case and target.
#![expect(clippy::cast_precision_loss, reason = "figures that are shown with three digits")]

use crate::load::{Outcome, Shape};

/// The medians of some rounds, and all that went wrong in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cpu_us: f64,
    pub(crate) rss_mib: f64,
    pub(crate) peak_mib: f64,
    load_percent: f64,
    missing: u64,
    wrong: u64,
    complaints: Vec<String>,
}

impl Row {
    pub(crate) fn of(outcomes: &[Outcome]) -> Self {
        let median = |figure: &dyn Fn(&Outcome) -> f64| median(outcomes.iter().map(figure).collect());
        let calls = |outcome: &Outcome| outcome.tally.counted().max(1) as f64;
        Self {
            per_second: median(&|it| it.tally.counted() as f64 / it.measured.as_secs_f64().max(1e-9)),
            p50_us: median(&|it| f64::from(it.tally.permille_us(500))),
            p99_us: median(&|it| f64::from(it.tally.permille_us(990))),
            cpu_us: median(&|it| it.cpu.as_secs_f64() * 1e6 / calls(it)),
            rss_mib: median(&|it| it.usage.rss_kib as f64 / 1024.0),
            peak_mib: median(&|it| it.usage.peak_kib as f64 / 1024.0),
            load_percent: median(&|it| it.load_percent as f64),
            missing: outcomes.iter().map(|it| it.tally.missing).sum(),
            wrong: outcomes.iter().map(|it| it.tally.wrong).sum(),
            complaints: outcomes.iter().flat_map(|it| it.tally.complaints.clone()).take(5).collect(),
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.per_second > 0.0 && self.wrong == 0 && self.missing == 0
    }
}

/// The middle one; of an even number the lower of the two.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

pub(crate) fn head() {
    println!(
        "{:<5} {:<10} {:>9} {:<12} {:>9} {:>6} {:>8} {:>6} {:>8} {:>6} {:>8} {:>6} {:>7} {:>8} {:>7} {:>8} {:>6}",
        "case",
        "era",
        "sessions",
        "target",
        "calls/s",
        "ratio",
        "p50 us",
        "ratio",
        "p99 us",
        "ratio",
        "CPU us",
        "ratio",
        "RSS MiB",
        "peak MiB",
        "load %",
        "missing",
        "wrong"
    );
}

/// Prints a row; ratios are to the floor of the same case.
pub(crate) fn row((case, shape): (&str, &Shape), target: &str, row: &Row, floor: Option<&Row>) {
    let ratio = |figure: fn(&Row) -> f64| {
        let of_floor = floor.map(figure).filter(|of_floor| *of_floor > 0.0);
        of_floor.map_or_else(|| "-".to_owned(), |of_floor| format!("{:.2}", figure(row) / of_floor))
    };
    println!(
        "{:<5} {:<10} {:>9} {:<12} {:>9.0} {:>6} {:>8.0} {:>6} {:>8.0} {:>6} {:>8.1} {:>6} {:>7.1} {:>8.1} {:>7.0} {:>8} {:>6}",
        case,
        format!("{:?}", shape.era).to_lowercase(),
        format!("{} x {}", shape.sessions, shape.in_flight),
        target,
        row.per_second,
        ratio(|row| row.per_second),
        row.p50_us,
        ratio(|row| row.p50_us),
        row.p99_us,
        ratio(|row| row.p99_us),
        row.cpu_us,
        ratio(|row| row.cpu_us),
        row.rss_mib,
        row.peak_mib,
        row.load_percent,
        row.missing,
        row.wrong,
    );
    for complaint in &row.complaints {
        println!("      {complaint}");
    }
}
