//! A run in another life: what is known of its calls and steps is put in its place, and it goes on from there.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::step::{Element, Ended, Fetch, width};
use super::{Answer, Became, End, Event, Failure, Happened, Life, Mark, Marks, Run, Status, Unit};
use crate::plan::{OnError, Plan};
use crate::{Limits, Timestamp};

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

impl Run {
    /// A run that goes on in another life of the hub. How steps have ended stays, and what has become of calls; what nobody knows of
    /// a call that was begun and may not be made twice is its failure; all else begins.
    pub fn restore(plan: Arc<Plan>, life: Life, marks: Marks, now: Timestamp, limits: &Limits) -> Self {
        let life = life.seen_at(now, plan.deadline);
        let rested = rested(life, &marks.calls, plan.deadline);
        let mut run = Self::blank(plan, life.began, limits);
        (run.until, run.rested, run.stopped) = (life.until, rested, life.stopped);
        run.recall(marks);
        if life.ended.is_some() && run.steps.iter().any(|state| state.ended.is_none()) {
            // Releases that did not say how steps have ended have left it.
            run.stopped.get_or_insert(Status::Done);
        }
        if life.ended.is_none() && run.stopped.is_none() {
            run.fetch();
        }
        run.line_up();
        if run.left == 0 {
            run.ended = Some(now);
        }
        let begun: Vec<Unit> = run.running().collect();
        run.note_doubtful();
        for unit in begun {
            let words = "the hub ended before it was answered; the outcome is unknown".into();
            run.handle(now, Event::StepFailed(unit, Failure { words, happened: Happened::Unknown }));
        }
        if let Some(status) = run.stopped {
            run.stop(now, status);
        }
        run.begin_all(now);
        run.ended = run.ended.map(|now| life.ended.unwrap_or(now));
        run
    }

    /// Puts in its place what is known.
    fn recall(&mut self, marks: Marks) {
        for End { step, elements, array, ended } in marks.ends {
            let Some(state) = self.steps.get_mut(step) else { continue };
            state.elements.resize_with(elements, Element::default);
            (state.array, state.ended, state.begun) = (array, Some(ended), elements > 0);
        }
        let mut calls = marks.calls;
        calls.sort_by_key(|mark| (mark.at, mark.unit));
        for mark in calls {
            self.recall_call(mark);
        }
        for state in &mut self.steps {
            let elements = state.elements.len();
            (state.left, self.in_flight) =
                (state.unsettled(), self.in_flight.saturating_add(state.in_flight));
            if state.ended.is_none() {
                // What it is done for is asked for only if there is something left to do.
                let is_over = |it: &Element| !matches!(it, Element::Waiting);
                state.begun = elements > 0 && (state.halted || state.elements.iter().all(is_over));
            } else if !state.begun {
                continue;
            }
            self.calls = self.calls.saturating_add(elements);
        }
    }

    fn recall_call(&mut self, Mark { unit, array, tries, since, at, became }: Mark) {
        let (Some(plan), Some(state)) = (self.plan.steps.get(unit.step), self.steps.get_mut(unit.step))
        else {
            return;
        };
        let ahead = usize::from(array.is_none() && plan.for_each.is_some() && state.ended.is_none());
        // Releases that did not say how many elements there are have left it: there may be one more.
        let elements = unit.element.saturating_add(1).saturating_add(ahead);
        let elements = array.map_or(elements, |array| array.elements.max(elements));
        if state.elements.len() < elements {
            state.elements.resize_with(elements, Element::default);
        }
        state.array = state.array.or(array);
        if became == Became::Undone || (became == Became::Lost && plan.repeatable && state.ended.is_none()) {
            return;
        }
        if tries > 0 {
            state.calls = state.calls.saturating_add(tries as usize);
            let (first, last) = state.span.unwrap_or((since, at));
            state.span = Some((first.min(since), last.max(at)));
            state.spent = state.spent.saturating_add(at.since(since));
        }
        let element = match became {
            Became::Answered(result) => Element::Answered(Answer::read(result)),
            Became::Begun => {
                state.in_flight = state.in_flight.saturating_add(1);
                Element::Running { tries, since }
            }
            Became::Cut(result, happened) => Element::Failed(Answer::recall_cut(result), happened),
            Became::Failed(result, happened) => Element::Failed(Answer::read(result), happened),
            Became::Lost => Element::Lost,
            Became::LeftOut | Became::Undone => Element::Skipped,
        };
        if let Element::Failed(..) = element {
            state.failed = state.failed.saturating_add(1);
            state.halted = plan.on_error != OnError::Continue;
        }
        let kept = element.answer().map_or(0, Answer::bytes);
        state.set(unit.element, element);
        self.keep(unit, kept);
    }

    /// Notes which calls an earlier life may have had under way of which nothing is stored: those whose turn it was.
    fn note_doubtful(&mut self) {
        for (step, state) in self.plan.steps.iter().zip(&mut self.steps) {
            let may_be = step.repeatable && state.open == 0 && state.ended.is_none() && state.fetch.is_none();
            if may_be {
                let waiting = state.elements.iter().enumerate();
                let waiting = waiting.filter(|(_, it)| matches!(it, Element::Waiting)).take(width(step));
                // Of one that is not laid out yet it is the first, and more as soon as it is known how many there are.
                state.doubtful = waiting.last().map_or(1, |(element, _)| element.saturating_add(1));
            }
        }
    }

    /// Asks once more for what was said and lost.
    fn fetch(&mut self) {
        for step in self.to_fetch() {
            let Some(state) = self.steps.get_mut(step) else { continue };
            for element in &mut state.elements {
                if matches!(element, Element::Lost) {
                    *element = Element::Waiting;
                }
            }
            (state.ended, state.begun, state.fetch) = (None, false, Some(Fetch::Open));
            state.left = state.unsettled();
        }
    }

    /// The steps whose results were lost and are to be asked for once more: something that is still to be done, or the output, is
    /// made of them, and all that they are made of is there or can be asked for, too.
    pub(super) fn to_fetch(&self) -> BTreeSet<usize> {
        let is_lost = |it: &Element| matches!(it, Element::Lost);
        let lost = self.steps.iter().enumerate().filter(|(_, state)| state.elements.iter().any(is_lost));
        let lost: BTreeSet<usize> = lost.map(|(step, _)| step).collect();
        let may_be_called = |step: usize| {
            let is_done = self
                .steps
                .get(step)
                .is_some_and(|state| matches!(state.ended, Some(Ended::Done | Ended::Unfetched(_))));
            is_done && self.plan.steps.get(step).is_some_and(|step| step.repeatable)
        };
        let mut open: BTreeSet<usize> = lost.iter().copied().filter(|step| may_be_called(*step)).collect();
        // It is to be the same call: nothing that it is made of begins anew.
        let is_there = |source: &usize| self.steps.get(*source).is_some_and(|state| state.ended.is_some());
        let is_open = |step: usize, open: &BTreeSet<usize>| {
            let mut sources = self.plan.sources_of_call(step).into_iter();
            sources.all(|source| open.contains(&source) || (is_there(&source) && !lost.contains(&source)))
        };
        while let Some(step) = open.iter().copied().find(|step| !is_open(*step, &open)) {
            open.remove(&step);
        }
        let pending = self.steps.iter().enumerate().filter(|(_, it)| it.ended.is_none() && !it.begun);
        let mut wanted: Vec<usize> = pending.flat_map(|(step, _)| self.plan.sources(step)).collect();
        wanted.extend(self.plan.shown());
        let mut fetched = BTreeSet::new();
        while let Some(step) = wanted.pop() {
            if open.contains(&step) && fetched.insert(step) {
                wanted.extend(self.plan.sources_of_call(step));
            }
        }
        fetched
    }
}

/// How long a run had ended before it was begun once more, as far as its calls tell: its time is counted from then on.
fn rested(life: Life, marks: &[Mark], deadline: Duration) -> Duration {
    let allowed = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    let again = Timestamp(life.until.0.saturating_sub(allowed));
    let before = marks.iter().filter(|mark| mark.since < again && mark.at <= again).map(|mark| mark.at);
    again.since(before.max().unwrap_or(life.began))
}
