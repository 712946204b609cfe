//! What is to be remembered of a run, in the order in which it happens.
//!
//! A call that ends leaves a mark, and so does a step. A call whose tool may not be called twice leaves one before it is made,
//! too: whoever makes it waits until that mark is durable, so that what has no mark was never made.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::step::{Element, Ended, Fetch, StepState};
use super::{Array, Happened, Life, Run, Unit};
use crate::Timestamp;

/// What is to be remembered of a run's calls and steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// What has become of calls.
    pub calls: Vec<Mark>,
    /// How steps have ended.
    pub ends: Vec<End>,
}

/// How a step has ended: what another life need not find out again. It is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The step, by its place in the plan.
    pub step: usize,
    /// How many elements it had; none if it ended before they were known.
    pub elements: usize,
    /// The array that it was done for.
    pub array: Option<Array>,
    /// How.
    pub ended: Ended,
}

/// What has become of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which.
    pub unit: Unit,
    /// The array of which it is an element.
    pub array: Option<Array>,
    /// How often it was tried.
    pub tries: u32,
    /// When its last try began.
    pub since: Timestamp,
    /// When that ended.
    pub at: Timestamp,
    /// What.
    pub became: Became,
}

/// What a call has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// It was answered with this result.
    Answered(Bytes),
    /// It is about to be made, and may be made only once.
    Begun,
    /// It came to nothing; this stands for its result.
    Failed(Bytes, Happened),
    /// It is not to be made.
    LeftOut,
    /// It was answered, and the result is not there any more.
    Lost,
    /// It was not made after all, and is going to be.
    Undone,
    /// It came to nothing; this is kept of what stands for its result.
    Cut(Bytes, Happened),
}

impl Run {
    /// What has become of its calls and steps since this was asked last.
    pub fn take_marks(&mut self) -> Marks {
        core::mem::take(&mut self.marks)
    }

    /// Whether something has become of them since then.
    pub fn has_marks(&self) -> bool {
        !self.marks.calls.is_empty() || !self.marks.ends.is_empty()
    }

    /// When it began and ended.
    pub fn life(&self) -> Life {
        Life { began: self.began, until: self.until, stopped: self.stopped, ended: self.ended }
    }

    /// Marks a call that may not be made twice: it begins, or it has not begun after all.
    pub(super) fn mark_once(&mut self, now: Timestamp, unit: Unit) {
        if !self.plan.steps.get(unit.step).is_some_and(|step| step.repeatable) {
            self.mark(now, unit);
        }
    }

    /// Marks all that has become of calls and steps once more. How often calls were tried is not known any more.
    pub(super) fn mark_all(&mut self, now: Timestamp) {
        let mut units = Vec::new();
        for (step, state) in self.steps.iter().enumerate() {
            self.marks.ends.extend(state.end(step));
            units.extend((0..state.elements.len()).map(|element| Unit { step, element }));
        }
        for unit in units {
            match self.steps.get(unit.step).and_then(|state| state.elements.get(unit.element)) {
                Some(Element::Answered(_) | Element::Failed(..)) => {
                    self.mark_as_tried(now, unit, Some((1, now)));
                }
                Some(Element::Lost | Element::Skipped) => self.mark(now, unit),
                Some(Element::Running { .. }) => self.mark_once(now, unit),
                Some(Element::Pausing { .. } | Element::Waiting) | None => {}
            }
        }
    }

    pub(super) fn mark(&mut self, now: Timestamp, unit: Unit) {
        let tried = self.steps.get(unit.step).and_then(|state| state.tried(unit.element));
        self.mark_as_tried(now, unit, tried);
    }

    /// Marks what has become of a call, with what was known of its tries.
    pub(super) fn mark_as_tried(&mut self, now: Timestamp, unit: Unit, before: Option<(u32, Timestamp)>) {
        let Some(state) = self.steps.get(unit.step) else { return };
        let became = match state.elements.get(unit.element) {
            Some(Element::Answered(answer)) => Became::Answered(answer.result().clone()),
            Some(Element::Failed(answer, happened)) if answer.is_cut() => {
                Became::Cut(answer.result().clone(), *happened)
            }
            Some(Element::Failed(answer, happened)) => Became::Failed(answer.result().clone(), *happened),
            Some(Element::Lost) => Became::Lost,
            Some(Element::Pausing { .. } | Element::Waiting) => Became::Undone,
            Some(Element::Running { .. }) => Became::Begun,
            Some(Element::Skipped) | None => Became::LeftOut,
        };
        let (tries, since) = before.unwrap_or((0, now));
        self.marks.calls.push(Mark { unit, array: state.array, tries, since, at: now, became });
    }
}

impl StepState {
    /// How it has ended, for another life.
    pub(super) fn end(&self, step: usize) -> Option<End> {
        let elements = if self.begun { self.elements.len() } else { 0 };
        let ended = self.ended.clone()?;
        Some(End { step, elements, array: self.array, ended })
    }

    /// How often an element was tried, and since when the last time.
    pub(super) fn tried(&self, element: usize) -> Option<(u32, Timestamp)> {
        match self.elements.get(element)? {
            Element::Pausing { tries, since, .. } | Element::Running { tries, since } => {
                Some((*tries, *since))
            }
            Element::Answered(_)
            | Element::Failed(..)
            | Element::Lost
            | Element::Skipped
            | Element::Waiting => None,
        }
    }

    /// Says so if a result is not there any more.
    pub(super) fn loss(&self) -> Option<String> {
        const LOST: &str = "was not stored (limit run_stored_bytes), and the hub was started again";
        let is_lost = self.elements.iter().any(|element| matches!(element, Element::Lost));
        (is_lost || self.fetch.is_some()).then(|| match (&self.ended, &self.fetch) {
            (Some(Ended::Unfetched(why)), _) | (_, Some(Fetch::Vain(why))) => {
                format!("{LOST}; it was asked for once more in vain: {why}")
            }
            (_, Some(Fetch::Open)) => format!("{LOST}; it is asked for once more"),
            (_, None) => LOST.into(),
        })
    }
}
