//! What is said of a run: how each step stands, what it took, and what of it no model had to read.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Serialize;

use super::answer::in_short;
use super::ending::why_not_begun;
use super::step::{Element, Ended, StepState};
use super::{Happened, Run, Status};
use crate::Timestamp;
use crate::plan::Root;

/// Bytes of text that make a token, roughly, with the tokenizers of today. An estimate, and said as one.
const TOKEN_BYTES: usize = 4;
/// How much of a step's value a preview shows.
const PREVIEW_CHARS: usize = 80;

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
    /// How its value begins (of a step with `for_each` that of the first element that has one), as JSON; see [`Run::add_previews`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// What a run took, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// From its beginning to its end, without the time between an end and when it was begun once more.
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
        let bytes = self.bytes.saturating_sub(given);
        Report {
            status: self.status().name(),
            steps: steps.map(|(step, state)| state.report(&step.id, now)).collect(),
            timing: Timing {
                wall_ms: millis(self.ended.unwrap_or(now).since(self.began).saturating_sub(self.rested)),
                calls_ms: millis(spent),
            },
            kept_out: KeptOut { bytes, tokens_estimated: bytes / TOKEN_BYTES },
        }
    }

    /// Adds to each step of a report how its result begins.
    pub fn add_previews(&self, report: &mut Report) {
        for (step, state) in report.steps.iter_mut().zip(&self.steps) {
            step.preview = state.preview();
        }
    }

    /// How a step has ended, in words, once it has.
    pub fn end_of(&self, step: usize) -> Option<String> {
        let (plan, state) = (self.plan.steps.get(step)?, self.steps.get(step)?);
        state.ended.as_ref()?;
        Some(format!("{}: {}", plan.id, state.report(&plan.id, self.began).status))
    }

    /// How long its results can still be read, where they are kept so long from its end on.
    pub fn kept_for(&self, now: Timestamp, kept: Duration) -> Option<Duration> {
        Some(kept.saturating_sub(now.since(self.ended?)))
    }

    /// When it has ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended
    }

    /// Whether a step has ended.
    pub fn has_ended(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|state| state.ended.is_some() || state.fetch.is_some())
    }

    /// How many steps have ended, and how many there are.
    pub fn progress(&self) -> (usize, usize) {
        let ended = (0..self.steps.len()).filter(|step| self.has_ended(*step));
        (ended.count(), self.steps.len())
    }
}

impl StepState {
    fn report(&self, id: &str, now: Timestamp) -> StepReport {
        let unknown = self.failures().find(|(_, happened)| *happened == Happened::Unknown);
        let (done, failed) = if unknown.is_some() { ("unknown", "unknown") } else { ("done", "failed") };
        let failure = unknown.or_else(|| self.failure()).map(|(answer, _)| in_short(&answer.words()));
        let lost = || self.loss().map(|loss| format!("it was done, but its result {loss}"));
        let (status, why) = match &self.ended {
            None if self.fetch.is_some() => (done, failure.or_else(lost)),
            None if self.calls > 0 => ("running", failure),
            None => ("waiting", None),
            Some(Ended::Done | Ended::Unfetched(_)) => (done, failure.or_else(lost)),
            Some(Ended::Failed | Ended::FailedButGoesOn) => (failed, failure),
            Some(Ended::Skipped(why) | Ended::SkippedWithRest(why)) => ("skipped", Some(why.clone())),
            Some(Ended::Stopped(status)) => ("skipped", Some(self.why_stopped(*status))),
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
            preview: None,
        }
    }

    /// Why nothing of it, or no more of it, was done.
    fn why_stopped(&self, status: Status) -> String {
        let (why, done, all) = (why_not_begun(status), self.done(), self.elements.len());
        if done == 0 { why.into() } else { format!("{why} when {done} of its {all} elements were done") }
    }

    /// How the values of its elements begin.
    fn preview(&self) -> Option<String> {
        let mut values =
            self.elements.iter().filter_map(Element::answer).map(|answer| answer.at(Root::Value));
        let first = core::str::from_utf8(values.next()?).ok()?;
        let mut preview: String = first.chars().take(PREVIEW_CHARS).collect();
        if preview.len() < first.len() || values.next().is_some() {
            preview.push('\u{2026}');
        }
        Some(preview)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
