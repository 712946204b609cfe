//! How long to wait before trying again.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use orch_core::Limits;

/// The longest pause that a server can ask for.
const ASKED: Duration = Duration::from_mins(1);

/// A stream that was open so long has worked, also when nothing was said on it.
const WELL: Duration = Duration::from_secs(3);

/// Pauses that grow with each failure, and are spread, so that not all come back at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    first: Duration,
    last: Duration,
    failures: u32,
}

impl Pause {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { first: limits.remote_retry_first, last: limits.remote_retry_last, failures: 0 }
    }

    /// It worked.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// A stream was open so long, and has ended.
    pub(crate) fn on_held(&mut self, span: Duration) {
        if span >= WELL {
            self.reset();
        }
    }

    pub(crate) fn failures(self) -> u32 {
        self.failures
    }

    /// The pause after one more failure: never shorter than the server `asked` for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let grown = self.first.saturating_mul(1 << self.failures.min(10)).min(self.last);
        let base = asked.map_or(grown, |asked| if self.failures > 0 { asked.max(grown) } else { asked });
        self.failures += 1;
        spread(base.min(ASKED))
    }
}

/// Up to a tenth more.
fn spread(base: Duration) -> Duration {
    let chance = u32::try_from(RandomState::new().hash_one(()) % 1000).unwrap_or(0);
    base + base / 10 * chance / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn about(pause: Duration, base_ms: u64) {
        let base = Duration::from_millis(base_ms);
        assert!(pause >= base && pause <= base + base / 10, "{pause:?} for {base:?}");
    }

    #[test]
    fn pauses_double_to_a_bound_and_begin_again() {
        let mut pause = Pause::new(&Limits::default());
        for base in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            about(pause.next(None), base);
        }
        pause.reset();
        about(pause.next(None), 500);
    }

    #[test]
    fn a_server_is_given_the_time_that_it_asks_for_within_reason() {
        let mut pause = Pause::new(&Limits::default());
        about(pause.next(Some(Duration::from_millis(10))), 10);
        about(pause.next(Some(Duration::from_millis(10))), 1000);
        about(pause.next(Some(Duration::from_secs(5))), 5000);
        about(pause.next(Some(Duration::from_mins(15))), 60_000);
    }

    #[test]
    fn a_stream_that_was_open_for_long_is_no_failure_also_when_nothing_was_said_on_it() {
        let mut pause = Pause::new(&Limits::default());
        for (held_s, base) in [(0, 500), (2, 1000), (0, 2000), (3, 500), (1, 1000), (60, 500)] {
            pause.on_held(Duration::from_secs(held_s));
            about(pause.next(None), base);
        }
    }

    #[test]
    fn pauses_differ() {
        let pauses: Vec<_> = (0..20).map(|_| Pause::new(&Limits::default()).next(None)).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
