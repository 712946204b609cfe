//! How steps end, and a run with them.

use alloc::format;
use alloc::vec::Vec;

use super::answer::in_short;
use super::prepare::Led;
use super::step::{Element, Ended, Fetch, StepState};
use super::{Answer, Failure, Happened, Run, Status, Unit};
use crate::Timestamp;
use crate::plan::OnError;

impl Run {
    /// A step fails before any call is made of it.
    pub(super) fn fail_step(&mut self, now: Timestamp, step: usize, words: &str) {
        let on_error = self.on_error(step);
        let (unit, answer) = (Unit { step, element: 0 }, self.kept_failure(words, None));
        self.keep(unit, answer.bytes());
        if let Some(state) = self.steps.get_mut(step) {
            state.elements = Vec::from([Element::Failed(answer, Happened::Nothing)]);
            state.failed = 1;
        }
        self.mark(now, unit);
        let ended = if on_error == OnError::Continue { Ended::FailedButGoesOn } else { Ended::Failed };
        self.end_step(now, step, ended);
        if on_error == OnError::Fail {
            self.stop(now, Status::Failed);
        }
    }

    pub(super) fn on_error(&self, step: usize) -> OnError {
        self.plan.steps.get(step).map_or(OnError::Fail, |step| step.on_error)
    }

    /// An element has ended.
    pub(super) fn settle(&mut self, now: Timestamp, unit: Unit, element: Element) {
        let Some(state) = self.steps.get_mut(unit.step) else { return };
        let tried = state.tried(unit.element);
        state.set(unit.element, element);
        state.left = state.left.saturating_sub(1);
        self.mark_as_tried(now, unit, tried);
        self.end_if_over(now, unit.step);
    }

    /// Ends a step of which nothing is under way and nothing will be.
    pub(super) fn end_if_over(&mut self, now: Timestamp, step: usize) {
        let (stopped, on_error) = (self.stopped, self.on_error(step));
        let is_many = self.plan.steps.get(step).is_some_and(|step| step.for_each.is_some());
        let Some(state) = self.steps.get(step).filter(|state| state.ended.is_none() && state.begun) else {
            return;
        };
        // What waits for another try ends first.
        let waits = || state.elements.iter().any(|it| matches!(it, Element::Pausing { after: Some(_), .. }));
        let stops = state.in_flight == 0 && (state.halted || stopped.is_some());
        let over = state.left == 0 || (stops && !waits());
        if !over {
            return;
        }
        let left_out = || state.elements.iter().all(|element| matches!(element, Element::Skipped));
        let ended = match (&state.fetch, state.failed > 0, stopped.filter(|_| state.left > 0)) {
            (Some(Fetch::Vain(words)), ..) => Ended::Unfetched(words.clone()),
            (None, true, None) if on_error == OnError::Continue && is_many => Ended::Done,
            (None, true, _) if on_error == OnError::Continue => Ended::FailedButGoesOn,
            (None, true, _) => Ended::Failed,
            (None, false, Some(status)) => Ended::Stopped(status),
            (None, false, None) if !is_many && left_out() => {
                Ended::Skipped("its condition does not hold".into())
            }
            (Some(Fetch::Open), ..) | (None, false, None) => Ended::Done,
        };
        self.end_step(now, step, ended);
    }

    /// A step has ended: what has waited for it may begin.
    pub(super) fn end_step(&mut self, now: Timestamp, step: usize, ended: Ended) {
        let Some(state) = self.steps.get_mut(step).filter(|state| state.ended.is_none()) else { return };
        state.ended = Some(ended);
        (state.items, state.led) = (Vec::new(), Led::default());
        if state.fetch.take().is_some() {
            let waiting = state.elements.iter_mut().filter(|it| matches!(it, Element::Waiting));
            waiting.for_each(|it| *it = Element::Lost);
        }
        self.marks.ends.extend(state.end(step));
        self.held = self.held.saturating_sub(core::mem::take(&mut state.held));
        self.left = self.left.saturating_sub(1);
        for dependent in self.dependents.get(step).cloned().unwrap_or_default() {
            let Some(state) = self.steps.get_mut(dependent) else { continue };
            state.open = state.open.saturating_sub(1);
            if state.open == 0 && state.ended.is_none() {
                self.to_begin.push_back(dependent);
            }
        }
        if self.left == 0 {
            self.ended = Some(now);
            self.timers.clear();
        }
    }

    /// Nothing new begins. What is under way may end.
    pub(super) fn stop(&mut self, now: Timestamp, status: Status) {
        self.stopped.get_or_insert(status);
        self.ready.clear();
        self.end_pauses(now);
        for step in 0..self.steps.len() {
            self.doubt(now, step, why_not_begun(status));
            self.end_if_over(now, step);
        }
    }

    /// Calls that are not made once more, and which an earlier life of the hub may have made, have come to nobody knows what.
    fn doubt(&mut self, now: Timestamp, step: usize, why: &str) {
        let Some(state) = self.steps.get_mut(step) else { return };
        let doubtful = core::mem::take(&mut state.doubtful);
        if doubtful > 0 && state.ended.is_none() && state.elements.is_empty() {
            (state.elements, state.left, state.begun) = (Vec::from([Element::Waiting]), 1, true);
            self.calls = self.calls.saturating_add(1);
        }
        for element in 0..doubtful {
            let state = self.steps.get(step).filter(|state| state.ended.is_none());
            if let Some(Element::Waiting) = state.and_then(|state| state.elements.get(element)) {
                let failure = Failure { words: format!("{why}; {DOUBTFUL}"), happened: Happened::Unknown };
                self.settle_failed(now, Unit { step, element }, &failure, None);
            }
        }
    }

    /// Nothing new begins, and what is under way is given up.
    pub(super) fn stop_all(&mut self, now: Timestamp, status: Status) -> Vec<Unit> {
        if self.ended.is_some() {
            return Vec::new();
        }
        self.stopped.get_or_insert(status);
        self.end_pauses(now);
        let running: Vec<Unit> = self.running().collect();
        let why = why_not_begun(status);
        for unit in &running {
            self.take_running(now, *unit);
            let failure = self.given_up(*unit, why);
            self.settle_failed(now, *unit, &failure, None);
        }
        self.stop(now, status);
        running
    }

    /// What is known of a call that is given up.
    fn given_up(&self, unit: Unit, why: &str) -> Failure {
        let is_doubtful = self.steps.get(unit.step).is_some_and(|state| unit.element < state.doubtful);
        let (rest, happened) = match (self.unsent.contains(&unit), is_doubtful) {
            (true, false) => ("it had not reached its server", Happened::Nothing),
            (true, true) => (DOUBTFUL, Happened::Unknown),
            (false, _) => ("the outcome is unknown", Happened::Unknown),
        };
        Failure { words: format!("{why}; {rest}"), happened }
    }

    /// What was to be tried again has failed as it did the last time.
    fn end_pauses(&mut self, now: Timestamp) {
        for step in 0..self.steps.len() {
            self.end_pauses_of(now, step);
        }
    }

    fn end_pauses_of(&mut self, now: Timestamp, step: usize) {
        let elements = self.steps.get(step).map_or(0, |state| state.elements.len());
        for element in 0..elements {
            let unit = Unit { step, element };
            let Some(failure) = self.end_pause(unit) else { continue };
            let answer = failure.words.is_empty().then(Answer::unkept);
            self.settle_failed(now, unit, &failure, answer);
        }
    }

    /// A call has failed for good: that is kept, as far as there is room, and its step knows of it. What was done before stays so.
    pub(super) fn settle_failed(
        &mut self,
        now: Timestamp,
        unit: Unit,
        failure: &Failure,
        answer: Option<Answer>,
    ) {
        let goes_on = self.on_error(unit.step) == OnError::Continue;
        let Some(state) = self.steps.get_mut(unit.step) else { return };
        if state.fetch.is_some() {
            state.fetch = Some(Fetch::Vain(in_short(&failure.words)));
            return self.settle(now, unit, Element::Lost);
        }
        state.failed = state.failed.saturating_add(1);
        let halts = !goes_on && !core::mem::replace(&mut state.halted, true);
        let answer = self.kept_failure(&failure.words, answer);
        self.keep(unit, answer.bytes());
        self.settle(now, unit, Element::Failed(answer, failure.happened));
        if halts {
            self.end_pauses_of(now, unit.step);
        }
    }

    /// What is kept of a failure: all that was said, or its beginning, or nothing, as there is room. A little of it has room at any
    /// time.
    fn kept_failure(&mut self, words: &str, answer: Option<Answer>) -> Answer {
        let whole = answer.unwrap_or_else(|| Answer::of_failure(words));
        if self.has_room(whole.bytes()).is_ok() {
            return whole;
        }
        let cut = Some(Answer::cut(words)).filter(|cut| cut.bytes() < whole.bytes()).unwrap_or(whole);
        let beyond = self.words_beyond.saturating_add(cut.bytes());
        if self.has_room(cut.bytes()).is_ok() {
            cut
        } else if self.bounds.words.admits(beyond).is_ok() {
            self.words_beyond = beyond;
            cut
        } else {
            Answer::unkept()
        }
    }

    /// Whether it has failed for what its plan says: a server has refused a call, or a reference led nowhere. That a server
    /// was away is not the plan's fault.
    pub fn was_planned_badly(&self) -> bool {
        let is_bad = |(step, state): (usize, &StepState)| {
            let bad = match state.failure() {
                Some((_, Happened::Failed)) => true,
                Some((_, Happened::Nothing)) => state.calls == 0 || state.misled > 0,
                Some((_, Happened::Unknown)) | None => false,
            };
            bad && self.on_error(step) == OnError::Fail
        };
        self.status() == Status::Failed && self.steps.iter().enumerate().any(is_bad)
    }

    /// The calls that are under way.
    pub fn running(&self) -> impl Iterator<Item = Unit> {
        self.steps.iter().enumerate().flat_map(|(step, state)| {
            let running =
                state.elements.iter().enumerate().filter(|(_, it)| matches!(it, Element::Running { .. }));
            running.map(move |(element, _)| Unit { step, element })
        })
    }

    pub(super) fn on_timer(&mut self, now: Timestamp) -> Vec<Unit> {
        let mut given_up = Vec::new();
        while let Some((_, unit)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            let element = self.steps.get(unit.step).and_then(|state| state.elements.get(unit.element));
            match element {
                Some(Element::Running { .. }) => {
                    given_up.push(unit);
                    let Some(tries) = self.take_running(now, unit) else { continue };
                    let failure = self.given_up(unit, "it did not answer within its timeout_ms");
                    self.fail_or_retry(now, (unit, tries), &failure, None);
                }
                Some(Element::Pausing { .. }) => {
                    if let Some(state) = self.steps.get_mut(unit.step) {
                        state.again.push_back(unit.element);
                    }
                    if self.stopped.is_none() {
                        self.requeue(unit.step);
                    }
                }
                Some(
                    Element::Answered(_)
                    | Element::Failed(..)
                    | Element::Lost
                    | Element::Skipped
                    | Element::Waiting,
                )
                | None => {}
            }
        }
        if self.until <= now {
            given_up.extend(self.stop_all(now, Status::TimedOut));
        }
        given_up
    }
}

/// What is known of a call that another life may have made.
const DOUBTFUL: &str = "it may have been under way when the hub ended before; the outcome is unknown";

/// Why a step is not begun.
pub(super) fn why_not_begun(status: Status) -> &'static str {
    match status {
        Status::Cancelled => "the run was cancelled",
        Status::Failed => "another step has failed",
        Status::TimedOut => "the time of the run was over",
        Status::Done | Status::Running => "the run has ended",
    }
}
