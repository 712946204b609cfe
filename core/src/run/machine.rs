//! One run: which of its calls may start, and what follows from how they end.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::prepare::Unprepared;
use super::step::{Element, Ended, Missing, StepState, width};
use super::{Answer, Event, Failure, Happened, Marks, Start, Status, Unit};
use crate::plan::{Bound, Plan};
use crate::rpc::JsonLimits;
use crate::{Limit, Limits, Timestamp};

/// A run. It has ended when [`Run::status`] is not [`Status::Running`]; until then [`Run::next`] and [`Run::deadline`] say
/// what it waits for.
#[derive(Debug)]
pub struct Run {
    pub(super) plan: Arc<Plan>,
    pub(super) steps: Vec<StepState>,
    pub(super) json: JsonLimits,
    /// The steps that wait for each.
    pub(super) dependents: Vec<Vec<usize>>,
    /// Steps that wait for nothing any more.
    pub(super) to_begin: VecDeque<usize>,
    /// Steps of which something may start.
    pub(super) ready: VecDeque<usize>,
    /// When calls are tried again or given up.
    pub(super) timers: BTreeSet<(Timestamp, Unit)>,
    /// Why nothing new starts.
    pub(super) stopped: Option<Status>,
    pub(super) in_flight: usize,
    /// Steps that have not ended.
    pub(super) left: usize,
    /// Calls that it makes, as far as that is known.
    pub(super) calls: usize,
    pub(super) bytes: usize,
    pub(super) until: Timestamp,
    pub(super) began: Timestamp,
    pub(super) ended: Option<Timestamp>,
    /// How long it had ended before it was begun once more.
    pub(super) rested: Duration,
    pub(super) most_calls: usize,
    pub(super) bounds: Bounds,
    /// Bytes that steps hold beside their results.
    pub(super) held: usize,
    /// Bytes that were read and written for values since it was last told or asked something.
    pub(super) worked: usize,
    /// What has become of calls and steps since it was asked last.
    pub(super) marks: Marks,
    /// Calls under way that have reached no server yet, while an event is handled.
    pub(super) unsent: Vec<Unit>,
    /// What it may keep beside what it keeps.
    pub(super) room: Room,
    /// Bytes of the words of failures that it keeps beyond that.
    pub(super) words_beyond: usize,
}

/// What a run may keep more than it keeps, for the sake of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Bytes.
    pub left: usize,
    /// The bound from which that comes.
    pub bound: Bound,
}

impl Room {
    /// There are no others.
    const ENDLESS: Self =
        Self { left: usize::MAX, bound: Bound { limit: Limit::ProjectRunBytes, most: usize::MAX } };
}

/// What its values may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The arguments of a call, and what a condition puts together.
    pub arguments: Bound,
    /// The array of a `for_each`, and the output that a plan says.
    pub values: Bound,
    /// What is read for any of them.
    pub reads: Bound,
    /// What is kept.
    pub kept: Bound,
    /// What is kept beyond that of the words of failures.
    pub words: Bound,
    /// What is read and written in one go.
    pub turn: usize,
}

impl Bounds {
    fn of(limits: &Limits) -> Self {
        let bound = |limit, most| Bound { limit, most };
        Self {
            arguments: bound(Limit::BodyBytes, limits.body_bytes),
            values: bound(Limit::MessageBytes, limits.message_bytes),
            reads: bound(Limit::StepReadBytes, limits.step_read_bytes),
            kept: bound(Limit::RunBytes, limits.run_bytes),
            words: bound(Limit::RunWordsBytes, limits.run_words_bytes),
            turn: limits.run_turn_bytes,
        }
    }
}

impl Run {
    /// A run of a plan that begins now.
    pub fn new(plan: Arc<Plan>, now: Timestamp, limits: &Limits) -> Self {
        let mut run = Self::blank(plan, now, limits);
        run.begin_all(now);
        run
    }

    /// A run of a plan of which nothing has begun.
    pub(super) fn blank(plan: Arc<Plan>, now: Timestamp, limits: &Limits) -> Self {
        let mut dependents: Vec<Vec<usize>> = plan.steps.iter().map(|_| Vec::new()).collect();
        for (index, step) in plan.steps.iter().enumerate() {
            for before in &step.after {
                dependents.get_mut(*before).into_iter().for_each(|those| those.push(index));
            }
        }
        let mut run = Self {
            steps: plan.steps.iter().map(|_| StepState::default()).collect(),
            json: JsonLimits::of_upstreams(limits),
            dependents,
            to_begin: VecDeque::new(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            stopped: None,
            in_flight: 0,
            left: 0,
            calls: 0,
            bytes: 0,
            until: now.after(plan.deadline),
            began: now,
            ended: None,
            rested: Duration::ZERO,
            most_calls: limits.run_calls,
            bounds: Bounds::of(limits),
            held: 0,
            worked: 0,
            marks: Marks::default(),
            unsent: Vec::new(),
            room: Room::ENDLESS,
            words_beyond: 0,
            plan,
        };
        run.line_up();
        run
    }

    /// Lets each step that has not ended wait for those before it that have not, or for its turn to begin.
    pub(super) fn line_up(&mut self) {
        let open: Vec<bool> = self.steps.iter().map(|state| state.ended.is_none()).collect();
        let is_open = |step: &&usize| open.get(**step).copied().unwrap_or_default();
        for (step, state) in self.plan.steps.iter().zip(&mut self.steps) {
            state.open = step.after.iter().filter(is_open).count();
        }
        let free = self.steps.iter().enumerate();
        let free = free.filter(|(_, state)| state.ended.is_none() && state.open == 0);
        self.to_begin = free.map(|(step, _)| step).collect();
        self.left = open.into_iter().filter(|open| *open).count();
    }

    /// How it stands.
    pub fn status(&self) -> Status {
        match (self.ended, self.stopped) {
            (None, _) => Status::Running,
            (Some(_), stopped) => stopped.unwrap_or(Status::Done),
        }
    }

    /// The plan that it carries out.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Calls that are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Bytes that it keeps: of its plan, of results, and of what its steps are done for.
    pub fn bytes(&self) -> usize {
        self.kept().saturating_add(self.plan.bytes)
    }

    /// The same without its plan.
    pub(super) fn kept(&self) -> usize {
        self.bytes.saturating_add(self.held)
    }

    /// When it wants [`Event::TimerFired`] next.
    pub fn deadline(&self) -> Option<Timestamp> {
        let first = self.timers.first().map(|(at, _)| *at);
        first.into_iter().chain([self.until]).min().filter(|_| self.ended.is_none())
    }

    /// Whether [`Run::next`] may have something to start. It may have to be asked again: it does not work for long at a time.
    pub fn can_start(&self) -> bool {
        self.has_ready() || (self.stopped.is_none() && !self.to_begin.is_empty())
    }

    fn has_ready(&self) -> bool {
        self.stopped.is_none() && self.in_flight < self.plan.max_parallel && !self.ready.is_empty()
    }

    /// Bytes that were read and written for values when it was last told or asked something.
    pub fn worked(&self) -> usize {
        self.worked
    }

    /// Takes an event. Returns the calls that are to be given up: their servers are told, and nothing that is heard of
    /// them counts any more.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Vec<Unit> {
        let mut given_up = Vec::new();
        self.worked = 0;
        match event {
            Event::Cancelled => given_up = self.stop_all(now, Status::Cancelled),
            Event::StepAnswered(unit, result) => self.on_answered(now, unit, result),
            Event::StepFailed(unit, failure) => {
                if let Some(tries) = self.take_running(now, unit) {
                    self.fail_or_retry(now, (unit, tries), &failure, None);
                }
            }
            Event::TimerFired => given_up = self.on_timer(now),
        }
        self.begin_all(now);
        self.unsent = Vec::new();
        given_up
    }

    /// Says which calls under way have reached no server yet: should one of them be given up with the next event, nothing has
    /// happened.
    pub fn note_unsent(&mut self, unsent: Vec<Unit>) {
        self.unsent = unsent;
    }

    /// The next call that may start now. It counts as under way from then on.
    pub fn next(&mut self, now: Timestamp) -> Option<Start> {
        self.worked = 0;
        self.begin_all(now);
        while self.has_ready() && self.worked < self.bounds.turn {
            let step = self.ready.pop_front()?;
            let width = self.plan.steps.get(step).map_or(1, width);
            let Some(state) = self.steps.get_mut(step) else { continue };
            state.queued = false;
            // It may have ended while it waited for its turn.
            let Some((element, tries)) = state.can_start(width).then(|| state.take()).flatten() else {
                continue;
            };
            let unit = Unit { step, element };
            match self.prepare(unit) {
                Ok(arguments) => {
                    self.on_started(now, unit, tries);
                    self.requeue(step);
                    let plan = self.plan.steps.get(step)?;
                    let (tool, repeatable) = (plan.tool.clone(), plan.repeatable);
                    return Some(Start { unit, tool, arguments, repeatable });
                }
                Err(Unprepared::LeftOut) => self.settle(now, unit, Element::Skipped),
                Err(Unprepared::Missing(missing @ Missing::Skipped(_))) if !self.was_called(step) => {
                    self.end_step(now, step, Ended::Skipped(missing.words()));
                }
                Err(Unprepared::Missing(missing)) => self.mislead(now, unit, missing.words()),
            }
            self.requeue(step);
            self.begin_all(now);
        }
        None
    }

    /// Whether a step was done, and what it said is asked for once more.
    pub(super) fn is_fetched(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|state| state.fetch.is_some())
    }

    fn was_called(&self, step: usize) -> bool {
        self.steps.get(step).is_some_and(|state| state.calls > 0)
    }

    fn on_started(&mut self, now: Timestamp, unit: Unit, tries: u32) {
        let timeout = self.plan.steps.get(unit.step).and_then(|step| step.timeout);
        self.end_pause(unit);
        let Some(state) = self.steps.get_mut(unit.step) else { return };
        state.set(unit.element, Element::Running { tries: tries.saturating_add(1), since: now });
        state.in_flight = state.in_flight.saturating_add(1);
        state.calls = state.calls.saturating_add(1);
        state.span.get_or_insert((now, now));
        self.in_flight = self.in_flight.saturating_add(1);
        self.timers.extend(timeout.map(|timeout| (now.after(timeout), unit)));
        self.mark_once(now, unit);
    }

    /// A step of which something may start waits for its turn among the others.
    pub(super) fn requeue(&mut self, step: usize) {
        let Some(width) = self.plan.steps.get(step).map(width) else { return };
        let Some(state) = self.steps.get_mut(step) else { return };
        if !state.queued && state.can_start(width) {
            state.queued = true;
            self.ready.push_back(step);
        }
    }

    fn on_answered(&mut self, now: Timestamp, unit: Unit, result: Bytes) {
        let Some(tries) = self.take_running(now, unit) else { return };
        let answer = Answer::read(result);
        if !answer.is_error()
            && let Err(bound) = self.has_room(answer.result().len())
        {
            let words = format!("it was made, but its result is not kept: {bound}");
            let repeatable = self.plan.steps.get(unit.step).is_some_and(|step| step.repeatable);
            // One that is done, and must not be done again as if it were not.
            let happened = if repeatable { Happened::Failed } else { Happened::Unknown };
            return self.give_up(now, unit, &Failure { words, happened }, None);
        }
        if answer.is_error() {
            let failure = Failure { words: answer.words(), happened: Happened::Failed };
            return self.fail_or_retry(now, (unit, tries), &failure, Some(answer));
        }
        self.keep(unit, answer.result().len());
        self.settle(now, unit, Element::Answered(answer));
        self.requeue(unit.step);
    }

    /// Whether it may keep so many bytes more. The error is the bound that is in the way.
    pub(super) fn has_room(&self, bytes: usize) -> Result<(), Bound> {
        self.bounds.kept.admits(self.kept().saturating_add(bytes))?;
        if bytes > self.room.left { Err(self.room.bound) } else { Ok(()) }
    }

    pub(super) fn keep(&mut self, unit: Unit, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.room.left = self.room.left.saturating_sub(bytes);
        if let Some(state) = self.steps.get_mut(unit.step) {
            state.bytes = state.bytes.saturating_add(bytes);
        }
    }

    /// A call is not under way any more. Returns which try it was; `None` if it was not under way.
    pub(super) fn take_running(&mut self, now: Timestamp, unit: Unit) -> Option<u32> {
        let state = self.steps.get_mut(unit.step)?;
        let Some(Element::Running { tries, since }) = state.elements.get(unit.element) else { return None };
        let (tries, since) = (*tries, *since);
        state.set(unit.element, Element::Pausing { tries, since, after: None });
        state.in_flight = state.in_flight.saturating_sub(1);
        state.spent = state.spent.saturating_add(now.since(since));
        state.span = state.span.map(|(first, _)| (first, now));
        self.in_flight = self.in_flight.saturating_sub(1);
        let timeout = self.plan.steps.get(unit.step).and_then(|step| step.timeout);
        if let Some(timeout) = timeout {
            self.timers.remove(&(since.after(timeout), unit));
        }
        Some(tries)
    }
}
