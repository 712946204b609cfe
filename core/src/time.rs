//! Time as a value: core never asks for it, it is told.

use alloc::format;
use alloc::string::String;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, as the driver's clock counts them.
///
/// The driver reads the wall clock once at start and adds monotonic time to it, so a `Timestamp` never goes
/// backwards while a process lives, and clock steps move no timeout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The end of all time.
    pub const NEVER: Self = Self(u64::MAX);

    /// The instant `span` later, saturating.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// How long ago `earlier` was; zero when it is not in the past.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Timestamp {
    /// The instant in the words of RFC 3339, in UTC: `2026-07-28T10:30:00.000Z`.
    pub fn rfc3339(self) -> String {
        let (seconds, ms) = (self.0 / 1000, self.0 % 1000);
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        // Years begin in March here, so that the leap day is the last of its year; 0000-03-01 is day 0.
        let day = days.saturating_add(719_468);
        let (cycle, day) = (day / 146_097, day % 146_097);
        let year =
            day.saturating_add(day / 36_524).saturating_sub(day / 1_460).saturating_sub(day / 146_096) / 365;
        let whole = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
        let day = day.saturating_sub(whole);
        let month = day.saturating_mul(5).saturating_add(2) / 153;
        let day = day.saturating_sub(month.saturating_mul(153).saturating_add(2) / 5).saturating_add(1);
        let (month, next) =
            if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
        let year = cycle.saturating_mul(400).saturating_add(year).saturating_add(next);
        let (hours, minutes, seconds) = (hours % 24, minutes % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}Z")
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// An instant at which a machine wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// What for, for traces.
    pub reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_said_as_people_say_it() {
        for (ms, said) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_785_234_600_001, "2026-07-28T10:30:00.001Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Timestamp(ms).rfc3339(), said);
        }
    }
}
