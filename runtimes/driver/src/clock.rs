//! The one place that asks for the time.

use std::time::{Duration, Instant, SystemTime};

use orch_core::Timestamp;

/// Wall time at the start, and monotonic time since: it never goes backwards, and clock steps move no timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started_at: Duration,
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the place that all others take the time from")]
    pub(crate) fn start() -> Self {
        let started_at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { started_at, start: Instant::now() }
    }

    /// When it was started, for timers.
    pub(crate) fn instant(&self) -> Instant {
        self.start
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since = self.start.elapsed();
        Timestamp(u64::try_from(self.started_at.saturating_add(since).as_millis()).unwrap_or(u64::MAX))
    }
}
