//! What all calls of a run came to.

use std::time::Duration;

use super::call::Verdict;

/// So many complaints are kept: the first say enough.
const COMPLAINTS: usize = 5;

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// All answers that were right, counted or not.
    pub(crate) right: u64,
    pub(crate) wrong: u64,
    pub(crate) missing: u64,
    pub(crate) complaints: Vec<String>,
    /// Of the calls that were counted.
    times_us: Vec<u32>,
}

impl Tally {
    pub(crate) fn judged(&mut self, verdict: Verdict) {
        let complaint = match verdict {
            Verdict::Right => {
                self.right += 1;
                return;
            }
            Verdict::Wrong(why) => {
                self.wrong += 1;
                format!("wrong: {why}")
            }
            Verdict::Missing(why) => {
                self.missing += 1;
                format!("missing: {why}")
            }
        };
        if self.complaints.len() < COMPLAINTS {
            self.complaints.push(complaint);
        }
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.times_us.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    /// Every call was answered, and with its own answer.
    pub(crate) fn is_clean(&self) -> bool {
        self.right > 0 && self.wrong == 0 && self.missing == 0
    }

    /// How many calls were counted.
    pub(crate) fn counted(&self) -> usize {
        self.times_us.len()
    }

    /// The time, in microseconds, within which so many of a thousand calls were answered.
    pub(crate) fn permille_us(&self, permille: usize) -> u32 {
        let mut times = self.times_us.clone();
        let rank = times.len().saturating_sub(1) * permille / 1000;
        if times.is_empty() { 0 } else { *times.select_nth_unstable(rank).1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_all_counted_calls() {
        let mut tally = Tally::default();
        assert_eq!(tally.permille_us(500), 0);
        (1..=101).rev().for_each(|us| tally.took(Duration::from_micros(us)));
        assert_eq!((tally.permille_us(0), tally.permille_us(500), tally.permille_us(990)), (1, 51, 100));
    }

    #[test]
    fn a_run_without_an_answer_is_not_clean() {
        let mut tally = Tally::default();
        assert!(!tally.is_clean());
        tally.judged(Verdict::Right);
        assert!(tally.is_clean());
        tally.judged(Verdict::Missing("x".into()));
        assert!(!tally.is_clean());
    }
}
