//! What a server says that nobody has asked for, against what it may: it is not dropped, but read no faster than that, so a
//! server that floods is held up by its own output, and nobody else by it.

use core::time::Duration;

use crate::Timestamp;

/// What is no message counts as so many bytes: reading it costs, and telling of it more.
pub(crate) const UNREADABLE: usize = 256;

/// What one server has said unasked, less what it was allowed meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Unasked {
    /// Thousandths of a byte, for a rate in bytes a second and a clock in milliseconds.
    debt: u64,
    at: Timestamp,
    /// Whether it is over its rate.
    over: bool,
}

/// A server is over its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flood {
    /// How long it is not to be read.
    pub rest: Duration,
    /// Whether it was within its rate before.
    pub begins: bool,
}

impl Unasked {
    /// It has said so many bytes. A second's worth may come at once.
    pub(crate) fn spend(&mut self, bytes: usize, now: Timestamp, rate: usize) -> Option<Flood> {
        let rate = u64::try_from(rate).unwrap_or(u64::MAX).max(1);
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = self.debt.saturating_sub(passed.saturating_mul(rate));
        (self.debt, self.at) = (left.saturating_add(bytes.saturating_mul(1_000)), now);
        let over = self.debt.saturating_sub(rate.saturating_mul(1_000));
        let begins = over > 0 && !self.over;
        self.over = over > 0;
        self.over.then(|| Flood { rest: Duration::from_millis(over.div_ceil(rate)), begins })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_comes_at_once_and_the_rest_at_the_rate() {
        let (mut unasked, mut said) = (Unasked::default(), 0_u64);
        let mut now = Timestamp(50_000);
        let start = now;
        while now.since(start) < Duration::from_secs(10) {
            said += 700;
            if let Some(flood) = unasked.spend(700, now, 1_000) {
                assert_eq!(flood.begins, said == 1_400, "it begins once");
                now = now.after(flood.rest);
            }
        }
        assert!((10_000..=12_400).contains(&said), "{said}");
    }

    #[test]
    fn whoever_keeps_to_the_rate_is_never_held_up() {
        let mut unasked = Unasked::default();
        for second in 1..100_u64 {
            for _ in 0..10 {
                assert_eq!(unasked.spend(100, Timestamp(second * 1_000), 1_000), None);
            }
        }
        assert!(unasked.spend(1_001, Timestamp(100_000), 1_000).is_some_and(|flood| flood.begins));
    }
}
