//! Counts of the calls of one server since the hub has started.

use orch_core::record::{CallOutcome, CallRecord};
use serde::{Deserialize, Serialize};

/// The upper ends of the spans that calls are sorted into, in milliseconds; the last span has none.
pub const BOUNDS: [u32; 11] = [1, 5, 10, 25, 50, 100, 250, 1_000, 5_000, 30_000, 120_000];

/// Counts of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// With a result.
    pub done: u64,
    /// With a result that is an error.
    pub failed: u64,
    /// With an error.
    pub errors: u64,
    /// Given up by their clients.
    pub cancelled: u64,
    /// How many took no longer than each of [`BOUNDS`] and longer than the one before; the rest is at the end.
    pub spans: [u64; BOUNDS.len() + 1],
    /// What all took together, in milliseconds.
    pub ms: u64,
    /// Bytes of the clients' messages.
    pub asked: u64,
    /// Bytes of the servers' answers.
    pub answered: u64,
}

impl Meter {
    pub(super) fn count(&mut self, call: &CallRecord) {
        let outcome = match call.outcome {
            CallOutcome::Done => &mut self.done,
            CallOutcome::Failed => &mut self.failed,
            CallOutcome::Error(_) => &mut self.errors,
            CallOutcome::Cancelled => &mut self.cancelled,
        };
        *outcome += 1;
        let span = BOUNDS.iter().position(|bound| call.ms <= *bound).unwrap_or(BOUNDS.len());
        if let Some(span) = self.spans.get_mut(span) {
            *span += 1;
        }
        self.ms += u64::from(call.ms);
        self.asked += u64::from(call.asked);
        self.answered += u64::from(call.answered);
    }
}
