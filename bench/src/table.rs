//! The table: a row for each case, as it ends.

use crate::load::{Outcome, Plan};

pub(crate) fn head() {
    println!(
        "{:<5} {:<10} {:>11} {:>13} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>7} {:>7} {:>6}",
        "case",
        "era",
        "sessions",
        "bytes",
        "calls/s",
        "p50 us",
        "p99 us",
        "CPU us",
        "RSS MiB",
        "peak",
        "load %",
        "missing",
        "wrong"
    );
}

pub(crate) fn row(name: &str, plan: &Plan, outcome: &Outcome) {
    let Outcome { tally, measured, load_percent, cpu, usage } = outcome;
    let calls = tally.counted().max(1);
    let per_second = calls as u128 * 1_000_000 / measured.as_micros().max(1);
    let mib = |kib: u64| format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024);
    println!(
        "{:<5} {:<10} {:>11} {:>13} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>7} {:>7} {:>6}",
        name,
        format!("{:?}", plan.era).to_lowercase(),
        format!("{} x {}", plan.sessions, plan.in_flight),
        format!("{}/{}", plan.text_bytes, plan.text_bytes + plan.pad_bytes),
        per_second,
        tally.permille_us(500),
        tally.permille_us(990),
        cpu.as_micros() / calls as u128,
        mib(usage.rss_kib),
        mib(usage.peak_kib),
        load_percent,
        tally.missing,
        tally.wrong,
    );
    for complaint in &tally.complaints {
        println!("      {complaint}");
    }
}
