//! A run in another life: what is known of its calls is put in its place, and it goes on from there.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::ending::Unbegun;
use super::step::{Element, Ended, StepState};
use super::{Answer, Array, Became, Event, Failure, Happened, Life, Mark, Run, Status, Unit};
use crate::plan::{OnError, Plan, Step};
use crate::{Limits, Timestamp};

/// Why nothing more is done for an array.
pub(super) const CHANGED: &str = "for_each goes over an array that has changed since calls were made for it: what was done for it stays, and no more is done";

impl Life {
    /// The same where the clock was set back meanwhile: nothing has happened later than now, and nobody waits longer than for a
    /// run that begins now.
    fn seen_at(self, now: Timestamp, deadline: Duration) -> Self {
        Self {
            began: self.began.min(now),
            until: self.until.min(now.after(deadline)),
            ended: self.ended.map(|at| at.min(now)),
            ..self
        }
    }
}

/// How long a run had ended before it was begun once more, as far as its calls tell: its time is counted from then on.
fn rested(life: Life, marks: &[Mark], deadline: Duration) -> Duration {
    let allowed = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    let again = Timestamp(life.until.0.saturating_sub(allowed));
    let before = marks.iter().filter(|mark| mark.since < again && mark.at <= again).map(|mark| mark.at);
    again.since(before.max().unwrap_or(life.began))
}

impl Mark {
    /// Whether it is of something that failed before any call was made of it.
    fn is_of_no_call(&self) -> bool {
        self.tries == 0 && matches!(self.became, Became::Failed(..))
    }

    /// Whether its step had elements: it was not one that failed before they were known, and it is no place for one.
    fn is_of_an_element(&self) -> bool {
        self.became != Became::Undone && !self.is_of_no_call()
    }
}

impl Run {
    /// A run that goes on in another life of the hub. Calls without a mark begin; what nobody knows of a call that was begun and
    /// may not be made twice is its failure.
    pub fn restore(
        plan: Arc<Plan>,
        life: Life,
        mut marks: Vec<Mark>,
        now: Timestamp,
        limits: &Limits,
    ) -> Self {
        let life = life.seen_at(now, plan.deadline);
        let rested = rested(life, &marks, plan.deadline);
        let mut run = Self::blank(plan, life.began, limits);
        (run.until, run.rested, run.stopped) = (life.until, rested, life.stopped);
        marks.sort_by_key(|mark| (mark.at, mark.unit));
        for mark in marks {
            run.known.entry(mark.unit.step).or_default().push(mark);
        }
        while let Some(step) = run.to_begin.pop_front() {
            run.begin_known(now, step, life.ended.is_some());
            if life.ended.is_some() && life.stopped.is_none() {
                run.skip_unmarked(now, step);
            }
        }
        let begun: Vec<Unit> = run.running().collect();
        run.give_up_unanswered(now, begun);
        if life.ended.is_some() && run.ended.is_none() {
            // It was ended by rules that are others today.
            run.stop_all(now, life.stopped.unwrap_or(Status::Cancelled));
        }
        run.begin_all(now);
        run.ended = run.ended.map(|now| life.ended.unwrap_or(now));
        run
    }

    /// The same run, once more: what was done stays, and all else begins anew. `None` while it goes on.
    pub fn again(&self, now: Timestamp, limits: &Limits) -> Option<Self> {
        self.ended?;
        let mut marks = Vec::new();
        for (step, (plan, state)) in self.plan.steps.iter().zip(&self.steps).enumerate() {
            let is_done = |it: &Element| matches!(it, Element::Answered(_) | Element::Lost);
            if !state.elements.iter().any(is_done) {
                continue;
            }
            for (element, it) in state.elements.iter().enumerate() {
                let became = match it {
                    Element::Answered(answer) => Became::Answered(answer.result().clone()),
                    Element::Lost if !plan.repeatable => Became::Lost,
                    Element::Skipped => Became::LeftOut,
                    Element::Failed(..)
                    | Element::Lost
                    | Element::Pausing { .. }
                    | Element::Running { .. }
                    | Element::Waiting => Became::Undone,
                };
                let (unit, array) = (Unit { step, element }, state.array);
                marks.push(Mark { unit, array, tries: 1, since: now, at: now, became });
            }
        }
        let until = now.after(self.plan.deadline);
        let life = Life { began: self.began, until, stopped: None, ended: None };
        let mut run = Self::restore(Arc::clone(&self.plan), life, marks, now, limits);
        run.rested = self.rested.saturating_add(now.since(self.ended?));
        for (new, old) in run.steps.iter_mut().zip(&self.steps) {
            if new.ended.is_some() {
                (new.calls, new.spent, new.span) = (old.calls, old.spent, old.span);
            }
        }
        Some(run)
    }

    /// Whether all of it is done, so that to begin it once more would change nothing.
    pub fn is_done_whole(&self) -> bool {
        let is_whole = |(plan, state): (&Step, &StepState)| {
            let fetched = |it: &Element| plan.repeatable && matches!(it, Element::Lost);
            let ended = matches!(state.ended, Some(Ended::Done | Ended::Skipped(_)));
            ended && state.failure.is_none() && !state.elements.iter().any(fetched)
        };
        self.status() == Status::Done && self.plan.steps.iter().zip(&self.steps).all(is_whole)
    }

    /// The calls that are not to be made once more: they were answered, or left out beside such.
    pub fn done(&self) -> impl Iterator<Item = Unit> {
        let done = self.steps.iter().enumerate().flat_map(|(step, state)| {
            let done = |it: &Element| matches!(it, Element::Answered(_) | Element::Lost | Element::Skipped);
            let done = state.elements.iter().enumerate().filter(move |(_, it)| done(it));
            done.map(move |(element, _)| Unit { step, element })
        });
        let known = self.known.values().flatten();
        let known = known.filter(|mark| mark.became != Became::Undone);
        done.chain(known.map(|mark| mark.unit))
    }

    /// What was begun and has no answer will have none.
    pub(super) fn give_up_unanswered(&mut self, now: Timestamp, begun: Vec<Unit>) {
        for unit in begun {
            let words = "the hub ended before it was answered; the outcome is unknown".into();
            self.handle(now, Event::StepFailed(unit, Failure { words, happened: Happened::Unknown }));
        }
    }

    /// Begins a step, with what an earlier life has known of it, in a run that had ended or had not.
    pub(super) fn begin_known(&mut self, now: Timestamp, step: usize, had_ended: bool) {
        let mut marks = self.known.remove(&step).unwrap_or_default();
        match self.begin(now, step, &mut marks) {
            Ok(()) => {
                self.put(step, marks, had_ended);
                self.end_if_over(now, step);
                self.requeue(step);
            }
            Err(Unbegun::Ended(ended)) => self.end_step(now, step, ended),
            Err(Unbegun::Failed(words)) if marks.iter().any(Mark::is_of_an_element) => {
                self.recall_without_items(now, step, marks, &words);
            }
            Err(Unbegun::Failed(words)) => self.fail_step(now, step, words),
        }
    }

    /// Marks are of an array as it was; of another one nobody can tell which of its elements they are. What is not done for all of
    /// the first one, and may be done twice, is done anew for the other.
    pub(super) fn compare(
        &mut self,
        step: &Step,
        array: Option<Array>,
        marks: &mut Vec<Mark>,
    ) -> Result<(), Unbegun> {
        let Some(known) = marks.iter().find_map(|mark| mark.array) else { return Ok(()) };
        if array == Some(known) {
            return Ok(());
        }
        let is_there = |mark: &&Mark| mark.is_of_an_element() && mark.became != Became::Lost;
        if !step.repeatable || marks.iter().filter(is_there).count() == known.elements {
            return Err(Unbegun::Failed(CHANGED.into()));
        }
        self.marks.extend(marks.drain(..).map(|mark| Mark { became: Became::Undone, ..mark }));
        Ok(())
    }

    /// A step of a run that was done, which has not ended with all that is known of it, was skipped: that leaves no mark.
    fn skip_unmarked(&mut self, now: Timestamp, step: usize) {
        if self.steps.get(step).is_none_or(|state| state.ended.is_some() || state.in_flight > 0) {
            return;
        }
        let was_skipped = |before: &&usize| {
            let ended = self.steps.get(**before).and_then(|state| state.ended.as_ref());
            matches!(ended, Some(Ended::Skipped(_)))
        };
        let plan = self.plan.steps.get(step);
        let before = plan.and_then(|plan| plan.needs.iter().find(was_skipped));
        if let Some(before) = before.and_then(|before| self.plan.steps.get(*before)) {
            let why = format!("step {} was skipped", before.id);
            self.end_step(now, step, Ended::Skipped(why));
        }
    }

    /// What a step was done for is not there any more: what was done of it stays, and what is missing fails.
    fn recall_without_items(&mut self, now: Timestamp, step: usize, marks: Vec<Mark>, words: &str) {
        let array = marks.iter().find_map(|mark| mark.array);
        // Marks that do not say how many elements there were are of an earlier release: one more stands for those that have none.
        let last = marks.iter().map(|mark| mark.unit.element).max().unwrap_or_default();
        let elements = array.map_or_else(|| last.saturating_add(2), |array| array.elements);
        let Some(state) = self.steps.get_mut(step) else { return };
        state.elements.resize_with(elements, Element::default);
        (state.left, state.begun, state.array) = (elements, true, array);
        self.calls = self.calls.saturating_add(elements);
        self.put(step, marks, true);
        let waiting = |it: &Element| matches!(it, Element::Waiting);
        while let Some(state) = self.steps.get(step).filter(|state| state.ended.is_none())
            && let Some(element) = state.elements.iter().position(waiting)
        {
            let failure = Failure { words: words.into(), happened: Happened::Nothing };
            self.give_up(now, Unit { step, element }, failure, None);
        }
        self.end_if_over(now, step);
    }

    /// Puts what is known of a step's elements in its place.
    fn put(&mut self, step: usize, marks: Vec<Mark>, had_ended: bool) {
        let Some(plan) = self.plan.steps.get(step) else { return };
        let (repeatable, timeout, on_error) = (plan.repeatable, plan.timeout, plan.on_error);
        for Mark { unit, tries, since, at, became, array: _ } in marks {
            let Some(state) = self.steps.get_mut(step).filter(|it| unit.element < it.elements.len()) else {
                continue;
            };
            if became == Became::Undone || (became == Became::Lost && repeatable && !had_ended) {
                continue;
            }
            if tries > 0 {
                state.calls = state.calls.saturating_add(tries as usize);
                let (first, last) = state.span.unwrap_or((since, at));
                state.span = Some((first.min(since), last.max(at)));
                state.spent = state.spent.saturating_add(at.since(since));
            }
            let mut kept = 0;
            let element = match became {
                Became::Answered(result) => {
                    kept = result.len();
                    Element::Answered(Answer::read(result))
                }
                Became::Begun => {
                    state.in_flight = state.in_flight.saturating_add(1);
                    self.in_flight = self.in_flight.saturating_add(1);
                    self.timers.extend(timeout.map(|timeout| (since.after(timeout), unit)));
                    state.set(unit.element, Element::Running { tries, since });
                    continue;
                }
                Became::Failed(result, happened) => {
                    kept = result.len();
                    let answer = Answer::read(result);
                    state.failure.get_or_insert_with(|| (answer.words(), happened));
                    state.failed = state.failed.saturating_add(1);
                    state.halted = on_error != OnError::Continue;
                    Element::Failed(answer, happened)
                }
                Became::Lost => Element::Lost,
                Became::LeftOut | Became::Undone => Element::Skipped,
            };
            state.set(unit.element, element);
            state.left = state.left.saturating_sub(1);
            self.keep(unit, kept);
        }
    }
}
