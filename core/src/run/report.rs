//! What is said of a run: how each step stands, what it took, and what of it no model had to read.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Serialize;

use super::step::{Ended, StepState};
use super::{Happened, Run};
use crate::Timestamp;

/// Bytes of text that make a token, roughly, with the tokenizers of today. An estimate, and said as one.
const TOKEN_BYTES: usize = 4;

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `running`, `done`, `failed`, `cancelled` or `timed_out`.
    pub status: &'static str,
    /// Its steps, in the order of its plan.
    pub steps: Vec<StepReport>,
    /// What it took.
    pub timing: Timing,
    /// What of its results stays in the hub.
    pub kept_out: KeptOut,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// Its id.
    pub id: String,
    /// `waiting`, `running`, `done`, `failed`, `unknown` (it failed, and nobody knows what it has done) or `skipped`.
    pub status: &'static str,
    /// How many calls were made of it.
    #[serde(skip_serializing_if = "is_one")]
    pub calls: usize,
    /// How many of its elements have failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed: usize,
    /// From its first call to the end of its last one, in milliseconds.
    pub ms: u64,
    /// Bytes of its results.
    pub bytes: usize,
    /// Why it failed or was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What a run took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// From its beginning to its end.
    pub wall_ms: u64,
    /// What its calls would have taken one after the other.
    pub calls_ms: u64,
}

/// What of its results a run has not given to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeptOut {
    /// Bytes.
    pub bytes: usize,
    /// What that is in tokens: a quarter of the bytes.
    pub tokens_estimated: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Run {
    /// Says how the run stands. `given` is how many bytes of results its caller gets.
    pub fn report(&self, now: Timestamp, given: usize) -> Report {
        let steps = self.plan.steps.iter().zip(&self.steps);
        let spent = self.steps.iter().map(|state| state.spent).fold(Duration::ZERO, Duration::saturating_add);
        let bytes = self.bytes().saturating_sub(given);
        Report {
            status: self.status().name(),
            steps: steps.map(|(step, state)| state.report(&step.id, now)).collect(),
            timing: Timing {
                wall_ms: millis(self.ended.unwrap_or(now).since(self.began)),
                calls_ms: millis(spent),
            },
            kept_out: KeptOut { bytes, tokens_estimated: bytes / TOKEN_BYTES },
        }
    }

    /// When it has ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended
    }

    /// How many steps have ended, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        (self.steps.len().saturating_sub(self.left), self.steps.len())
    }
}

impl StepState {
    fn report(&self, id: &str, now: Timestamp) -> StepReport {
        let unknown = matches!(self.failure, Some((_, Happened::Unknown)));
        let failed = || if unknown { "unknown" } else { "failed" };
        let words = || self.failure.as_ref().map(|(words, _)| words.clone());
        let (status, why) = match &self.ended {
            None if self.calls > 0 => ("running", words()),
            None => ("waiting", None),
            Some(Ended::Done) => ("done", words().or_else(|| self.loss())),
            Some(Ended::Failed | Ended::FailedButGoesOn) => (failed(), words()),
            Some(Ended::Skipped(why) | Ended::SkippedWithRest(why)) => ("skipped", Some(why.clone())),
        };
        let until = |last| if self.in_flight > 0 { now } else { last };
        StepReport {
            id: id.to_owned(),
            status,
            calls: self.calls,
            failed: self.failed,
            ms: self.span.map_or(0, |(first, last)| millis(until(last).since(first))),
            bytes: self.bytes,
            why,
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
