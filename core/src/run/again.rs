//! A run that has ended, begun once more: what was done stays, and all else begins anew.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use super::step::{Element, Ended, StepState};
use super::{Became, Life, Mark, Marks, Run, Status, Unit};
use crate::{Limits, Timestamp};

impl Run {
    /// The same run, once more. `None` while it goes on.
    pub fn again(&self, now: Timestamp, limits: &Limits) -> Option<Self> {
        let ended = self.ended?;
        let (anew, mut marks) = (self.anew(), Marks::default());
        for (step, state) in self.steps.iter().enumerate() {
            let stays = !anew.contains(&step);
            marks.ends.extend(state.end(step).filter(|_| stays));
            if !stays && !state.was_answered() {
                continue;
            }
            for (element, it) in state.elements.iter().enumerate() {
                let became = match it {
                    Element::Answered(answer) => Became::Answered(answer.result().clone()),
                    Element::Lost => Became::Lost,
                    Element::Skipped => Became::LeftOut,
                    Element::Failed(..)
                    | Element::Pausing { .. }
                    | Element::Running { .. }
                    | Element::Waiting => Became::Undone,
                };
                let (unit, array) = (Unit { step, element }, state.array);
                marks.calls.push(Mark { unit, array, tries: 1, since: now, at: now, became });
            }
        }
        let until = now.after(self.plan.deadline);
        let life = Life { began: self.began, until, stopped: None, ended: None };
        let mut run = Self::restore(Arc::clone(&self.plan), life, marks, now, limits);
        run.rested = self.rested.saturating_add(now.since(ended));
        for (step, (new, old)) in run.steps.iter_mut().zip(&self.steps).enumerate() {
            if !anew.contains(&step) {
                (new.calls, new.spent, new.span) = (old.calls, old.spent, old.span);
            }
        }
        Some(run)
    }

    /// Whether all of it is done, so that to begin it once more would change nothing.
    pub fn is_done_whole(&self) -> bool {
        self.status() == Status::Done && self.anew().is_empty() && self.to_fetch().is_empty()
    }

    /// Whether what has become of a call is kept when it is begun once more.
    pub fn keeps(&self, unit: Unit) -> bool {
        let Some(state) = self.steps.get(unit.step) else { return false };
        let element = state.elements.get(unit.element);
        let is_done = matches!(element, Some(Element::Answered(_) | Element::Lost | Element::Skipped));
        is_done || state.fetch.is_some()
    }

    /// The same of how a step has ended.
    pub fn keeps_end(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|state| state.ended.is_some() || state.fetch.is_some())
    }

    /// The steps that begin anew, or go on: they are not done, or they were left out, and something that they wait for begins anew.
    fn anew(&self) -> BTreeSet<usize> {
        let undone = self.steps.iter().enumerate().filter(|(_, state)| !state.is_as_planned());
        let mut anew: BTreeSet<usize> = undone.map(|(step, _)| step).collect();
        let follows = |step: &usize, anew: &BTreeSet<usize>| {
            let was_answered = self.steps.get(*step).is_some_and(StepState::was_answered);
            let after = self.plan.steps.get(*step).map(|step| &step.after);
            !was_answered && after.is_some_and(|after| !after.is_disjoint(anew))
        };
        let steps = 0..self.steps.len();
        while let Some(step) = steps.clone().find(|step| !anew.contains(step) && follows(step, &anew)) {
            anew.insert(step);
        }
        anew
    }
}

impl StepState {
    fn is_as_planned(&self) -> bool {
        matches!(self.ended, Some(Ended::Done | Ended::Skipped(_) | Ended::Unfetched(_))) && self.failed == 0
    }

    /// Whether any of its calls was answered.
    fn was_answered(&self) -> bool {
        self.elements.iter().any(|it| matches!(it, Element::Answered(_) | Element::Lost))
    }
}
