//! What follows from calls that fail: another try in a while, or the failure of their step.

use alloc::string::String;
use core::time::Duration;

use super::answer::in_short;
use super::{Answer, Failure, Happened, Run, Status, Unit};
use crate::Timestamp;
use crate::plan::OnError;

impl Run {
    /// A call cannot be made of what is there.
    pub(super) fn mislead(&mut self, now: Timestamp, unit: Unit, words: String) {
        if let Some(state) = self.steps.get_mut(unit.step) {
            state.misled = state.misled.saturating_add(1);
        }
        self.give_up(now, unit, &Failure { words, happened: Happened::Nothing }, None);
    }

    /// Tries a call again if its plan wants that, and if doing it twice does no harm.
    pub(super) fn fail_or_retry(
        &mut self,
        now: Timestamp,
        (unit, tries): (Unit, u32),
        failure: &Failure,
        answer: Option<Answer>,
    ) {
        let Some(step) = self.plan.steps.get(unit.step) else { return };
        let harmless = step.repeatable || failure.happened == Happened::Nothing;
        let goes_on = self.stopped.is_none() && self.steps.get(unit.step).is_some_and(|state| !state.halted);
        if goes_on && harmless && tries < step.retry.attempts {
            let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
            let pause: Duration = step.retry.backoff.saturating_mul(doubled);
            self.timers.insert((now.after(pause), unit));
            self.pause(unit, failure);
            self.mark_once(now, unit);
            return self.requeue(unit.step);
        }
        self.give_up(now, unit, failure, answer);
    }

    /// A call has failed, and is made again in a while. Why is held so long, as far as there is room.
    fn pause(&mut self, unit: Unit, failure: &Failure) {
        let words = in_short(&failure.words);
        let words = if self.hold(unit.step, words.len()).is_ok() { words } else { String::new() };
        if let Some(state) = self.steps.get_mut(unit.step) {
            state.pause(unit.element, Failure { words, happened: failure.happened });
        }
    }

    /// Why a call was to be made again.
    pub(super) fn end_pause(&mut self, unit: Unit) -> Option<Failure> {
        let state = self.steps.get_mut(unit.step)?;
        let failure = state.end_pause(unit.element)?;
        let bytes = failure.words.len();
        state.held = state.held.saturating_sub(bytes);
        self.held = self.held.saturating_sub(bytes);
        Some(failure)
    }

    /// A call has failed for good.
    pub(super) fn give_up(&mut self, now: Timestamp, unit: Unit, failure: &Failure, answer: Option<Answer>) {
        let was_done = self.is_fetched(unit.step);
        self.settle_failed(now, unit, failure, answer);
        if !was_done && self.on_error(unit.step) == OnError::Fail {
            self.stop(now, Status::Failed);
        }
        self.requeue(unit.step);
    }
}
