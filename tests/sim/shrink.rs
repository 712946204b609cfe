//! Makes a failure small: drops steps for as long as what is left breaks the same rule.

use crate::run::{Case, Failure, number, one};

/// How many steps all tries may take together: a few seconds, where `ORCH_SIM_WORK` says nothing else.
const WORK: u64 = 4_000_000;

/// The steps of a failed case that are needed, and how they fail.
pub fn shrink(case: &Case, failure: &Failure) -> (Case, Failure) {
    let (mut work, mut last) = (0, failure.clone());
    let most = number("ORCH_SIM_WORK").unwrap_or(WORK);
    let mut fails = |case: &Case| {
        work += case.steps.len() as u64 + 500;
        let failed = if work < most { one(case).err() } else { None };
        let same = failed.filter(|other| other.place == failure.place);
        let is_same = same.is_some();
        last = same.unwrap_or_else(|| last.clone());
        is_same
    };
    let mut best = case.clone();
    // What comes after the failure is not needed, unless it showed only in the end.
    let made = usize::try_from(failure.made).unwrap_or(usize::MAX).min(best.steps.len());
    best.steps.truncate(made);
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < best.steps.len() {
            let mut without = best.clone();
            without.steps.drain(at..(at + size).min(best.steps.len()));
            if fails(&without) {
                best = without;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    (best, last)
}
