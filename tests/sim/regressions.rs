//! Cases that have failed once, and are played for ever.

use std::io::Write as _;

use crate::run::{Case, spans};

const FILE: &str = "regressions.txt";
const CASES: &str = include_str!("regressions.txt");

/// Every case of the list.
pub fn all() -> Vec<Case> {
    let lines = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (seed, steps) = line.split_once(' ').expect("a seed and its steps");
            Case { seed: seed.parse().expect("a number"), steps: spans(steps) }
        })
        .collect()
}

/// Writes a case to the list. Where the sources cannot be written to, what is printed has to do.
pub fn add(case: &Case) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(path) {
        drop(writeln!(file, "{} {}", case.seed, case.kept()));
    }
}
