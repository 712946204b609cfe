//! How steps begin: anew, or with what an earlier life has made of them.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::step::{Element, Ended, Missing, StepState, width};
use super::{Array, Became, Failure, Happened, Mark, Run, Unit};
use crate::Timestamp;
use crate::plan::Step;

/// Why nothing more is done for an array.
pub(super) const CHANGED: &str = "for_each goes over an array that has changed since calls were made for it: what was done for it stays, and no more is done";

/// Why a step is not begun.
enum Unbegun {
    /// There is nothing to do.
    Ended(Ended),
    /// It cannot be done.
    Failed(String),
}

impl Run {
    /// Begins the steps that wait for nothing any more, as far as that is a turn's work. One that comes to nothing at once may
    /// free others.
    pub(super) fn begin_all(&mut self, now: Timestamp) {
        while self.worked < self.bounds.turn || self.stopped.is_some() {
            let Some(step) = self.to_begin.pop_front() else { return };
            self.begin(now, step);
        }
    }

    fn begin(&mut self, now: Timestamp, index: usize) {
        let plan = Arc::clone(&self.plan);
        let (Some(step), Some(state)) = (plan.steps.get(index), self.steps.get(index)) else { return };
        let is_known = !state.elements.is_empty();
        let begun = if is_known { self.go_on(now, index, step) } else { self.begin_anew(index, step) };
        match begun {
            Ok(()) => {
                self.end_if_over(now, index);
                self.requeue(index);
            }
            Err(Unbegun::Ended(ended)) => self.end_step(now, index, ended),
            Err(Unbegun::Failed(words)) if is_known => self.fail_rest(now, index, &words),
            Err(Unbegun::Failed(words)) => self.fail_step(now, index, &words),
        }
    }

    /// Begins a step of which nothing is known.
    fn begin_anew(&mut self, index: usize, step: &Step) -> Result<(), Unbegun> {
        if let Some(status) = self.stopped {
            return Err(Unbegun::Ended(Ended::Stopped(status)));
        }
        let failed = |before: &&usize| {
            let ended = self.steps.get(**before).and_then(|state| state.ended.as_ref());
            matches!(ended, Some(Ended::Failed | Ended::SkippedWithRest(_)))
        };
        if let Some(before) = step.needs.iter().find(failed).and_then(|before| self.plan.steps.get(*before)) {
            let words = format!("step {} has not succeeded", before.id);
            return Err(Unbegun::Ended(Ended::SkippedWithRest(words)));
        }
        let (items, array) = self.items(index, step).map_err(|missing| match missing {
            Missing::Skipped(_) => Unbegun::Ended(Ended::Skipped(missing.words())),
            Missing::Lost(_) | Missing::Nothing(_) | Missing::TooMuch(_) => Unbegun::Failed(missing.words()),
        })?;
        self.lay_out(index, items, array)
    }

    /// Goes on with a step that has begun in an earlier life, whatever has become of what it waits for. Its marks are of an array as it
    /// was; of another one nobody can tell which of its elements they are. What is not done yet, and may be done twice, is done anew for that.
    fn go_on(&mut self, now: Timestamp, index: usize, step: &Step) -> Result<(), Unbegun> {
        let Some(state) = self.steps.get_mut(index) else { return Ok(()) };
        if state.begun || self.stopped.is_some() {
            state.begun = true;
            return Ok(());
        }
        let (known, is_fetched) = (state.array, state.fetch.is_some());
        let items = self.items(index, step).map_err(|missing| Unbegun::Failed(missing.words()));
        let (items, array) = items?;
        if known.is_some() && array != known {
            if !step.repeatable || is_fetched {
                return Err(Unbegun::Failed(CHANGED.into()));
            }
            self.undo(now, index);
        }
        self.lay_out(index, items, array)
    }

    /// What a step is done for is known.
    fn lay_out(&mut self, index: usize, items: Vec<Bytes>, array: Option<Array>) -> Result<(), Unbegun> {
        let Some(state) = self.steps.get_mut(index) else { return Ok(()) };
        let (before, elements) = (state.elements.len(), array.map_or(1, |array| array.elements));
        self.calls = self.calls.saturating_add(elements).saturating_sub(before);
        (state.items, state.array, state.begun) = (items, array, true);
        state.elements.resize_with(elements, Element::default);
        state.left = state.unsettled();
        if state.doubtful > 0 && before == 0 {
            state.doubtful = self.plan.steps.get(index).map_or(1, width).min(elements);
        }
        if elements == 0 { Err(Unbegun::Ended(Ended::Done)) } else { Ok(()) }
    }

    /// What was made of a step does not count any more.
    fn undo(&mut self, now: Timestamp, step: usize) {
        let Some(state) = self.steps.get_mut(step) else { return };
        let array = state.array;
        for (element, it) in state.elements.iter_mut().enumerate() {
            // Also of what only the store knows: that it was lost.
            *it = Element::Waiting;
            let unit = Unit { step, element };
            let undone = Mark { unit, array, tries: 0, since: now, at: now, became: Became::Undone };
            self.marks.calls.push(undone);
        }
        self.bytes = self.bytes.saturating_sub(core::mem::take(&mut state.bytes));
        (state.failed, state.halted) = (0, false);
    }

    /// What a step was done for is not there any more: what was done of it stays, and the rest fails.
    fn fail_rest(&mut self, now: Timestamp, step: usize, words: &str) {
        if let Some(state) = self.steps.get_mut(step) {
            state.begun = true;
        }
        let waiting = |it: &Element| matches!(it, Element::Waiting);
        while let Some(state) = self.steps.get(step).filter(|state| state.ended.is_none())
            && let Some(element) = state.elements.iter().position(waiting)
        {
            let failure = Failure { words: words.into(), happened: Happened::Nothing };
            self.give_up(now, Unit { step, element }, &failure, None);
        }
    }
}

impl StepState {
    /// Elements that have not ended.
    pub(super) fn unsettled(&self) -> usize {
        let is_open = |it: &&Element| {
            matches!(it, Element::Pausing { .. } | Element::Running { .. } | Element::Waiting)
        };
        self.elements.iter().filter(is_open).count()
    }
}
