//! The one place that asks for the time.

use std::time::{Duration, Instant, SystemTime};

use orch_core::Timestamp;

/// Wall time at the start, and monotonic time since: it never goes backwards, and clock steps move no timeout.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started_at: Duration,
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the place that all others take the time from")]
    pub fn start() -> Self {
        let started_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started_at, start: Instant::now() }
    }

    /// When it was started, for timers.
    pub(crate) fn instant(&self) -> Instant {
        self.start
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let since = self.start.elapsed();
        Timestamp(u64::try_from(self.started_at.saturating_add(since).as_millis()).unwrap_or(u64::MAX))
    }
}
