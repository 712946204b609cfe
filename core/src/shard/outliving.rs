//! Runs outlive the hub: what has become of them goes to the store at the end of each input, and another life of the hub goes
//! on from there.
//!
//! A call that may not be made twice waits until the store has it that it begins.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{borrow::ToOwned, format};

use super::planning::NOWHERE;
use super::running::Running;
use super::settled::OfRuns;
use super::wait::Patience;
use super::{Cx, Shard, Token};
use crate::mcp::{Abilities, Extensions, Revision};
use crate::plan::Plan;
use crate::ports::gateway::Target;
use crate::ports::store::{Change, Expect};
use crate::record::{self, Outcome, Record, RecordId};
use crate::rpc::Envelope;
use crate::run::{Answer, Array, Became, Event, Failure, Happened, Life, Mark, Marks, Run, Unit};
use crate::upstream::Caller;
use crate::{Fault, KeyId, Limits, ProjectId, RunId};

/// What the store has of a run.
#[derive(Debug)]
pub(super) struct Stored {
    /// The plan, as it was written.
    pub plan: Box<str>,
    /// The key under which its request is known when it comes again.
    pub idempotency: Option<Box<str>>,
    life: Option<Life>,
    /// Its calls, and the bytes that are stored of the result of each.
    calls: BTreeMap<Unit, usize>,
    /// Its steps that have ended.
    steps: BTreeSet<usize>,
    /// All of those bytes.
    bytes: usize,
}

/// A call that is made as soon as the store has it that it begins.
#[derive(Debug)]
pub(super) struct Intent {
    pub run: RunId,
    pub unit: Unit,
    body: Envelope,
}

/// What an earlier life of the hub has left of runs.
#[derive(Debug, Default)]
pub(super) struct LeftRuns {
    pub runs: Vec<record::Run>,
    /// Their calls, and the array of whose elements each is one.
    pub calls: Vec<(record::RunCall, Option<Array>)>,
    pub steps: Vec<record::RunStep>,
}

/// Runs on their way into the store, and out of it.
#[derive(Debug, Default)]
pub(super) struct Outliving {
    /// What an earlier life of the hub has left, and what the store has of it.
    left: Vec<(record::Run, Stored, Marks)>,
    /// What is to be removed.
    removed: Vec<RecordId>,
    /// Calls that wait for a place in the store, and those whose place is on its way there.
    said: Vec<Intent>,
    held: BTreeMap<Token, Vec<Intent>>,
}

impl Stored {
    /// Nothing, yet.
    pub(super) fn new(plan: &[u8], idempotency: Option<Box<str>>) -> Self {
        let plan = core::str::from_utf8(plan).unwrap_or_default().into();
        Self { plan, idempotency, life: None, calls: BTreeMap::new(), steps: BTreeSet::new(), bytes: 0 }
    }

    /// Whether the store was told when the run began and ended.
    pub(super) fn is_told_of(&self, life: &Life) -> bool {
        self.life.as_ref() == Some(life)
    }

    /// Nobody knows what the store has of when it began and ended.
    pub(super) fn distrust(&mut self) {
        self.life = None;
    }

    /// The store has a call, with so much of its result.
    fn note(&mut self, unit: Unit, bytes: usize) {
        self.calls.insert(unit, bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// It has something else of a call, or nothing. Returns whether it had anything.
    fn forget(&mut self, unit: Unit) -> bool {
        let before = self.calls.remove(&unit);
        self.bytes = self.bytes.saturating_sub(before.unwrap_or_default());
        before.is_some()
    }

    /// What is stored of a result, while there is room.
    fn take(&self, result: &[u8], limits: &Limits) -> Option<String> {
        let bytes = self.bytes.saturating_add(result.len());
        let text = core::str::from_utf8(result).ok().filter(|_| bytes <= limits.run_stored_bytes)?;
        Some(text.to_owned())
    }

    fn outcome(&self, became: Became, limits: &Limits) -> Option<Outcome> {
        Some(match became {
            Became::Answered(result) => {
                self.take(&result, limits).map_or(Outcome::Overlong, Outcome::Answered)
            }
            Became::Begun => Outcome::Begun,
            Became::Cut(result, happened) => Outcome::Cut(text(&result), happened),
            Became::Failed(result, happened) => match self.take(&result, limits) {
                Some(stored) => Outcome::Failed(stored, happened),
                None => Outcome::Cut(text(Answer::cut(&Answer::read(result).words()).result()), happened),
            },
            Became::LeftOut => Outcome::LeftOut,
            Became::Lost => Outcome::Overlong,
            Became::Undone => return None,
        })
    }
}

fn text(result: &[u8]) -> String {
    core::str::from_utf8(result).unwrap_or_default().to_owned()
}

impl Outliving {
    /// Takes what an earlier life of the hub has left. Calls and steps of runs that are gone go, too.
    pub(super) fn restore(&mut self, LeftRuns { runs, calls, steps }: LeftRuns) {
        let left = runs.into_iter().map(|run| {
            let idempotency = run.idempotency.as_deref().map(Into::into);
            let stored = Stored { life: Some(run.life), ..Stored::new(run.plan.as_bytes(), idempotency) };
            (run.id, (run, stored, Marks::default()))
        });
        let mut left: BTreeMap<RunId, _> = left.collect();
        for (call, array) in calls {
            let Some((_, stored, marks)) = left.get_mut(&call.run) else {
                self.removed.push(RecordId::RunCall(call.project, call.run, call.unit));
                continue;
            };
            stored.note(call.unit, call.outcome.bytes());
            marks.calls.push(mark(call, array));
        }
        for step in steps {
            let Some((_, stored, marks)) = left.get_mut(&step.run) else {
                self.removed.push(RecordId::RunStep(step.project, step.run, step.end.step));
                continue;
            };
            stored.steps.insert(step.end.step);
            marks.ends.push(step.end);
        }
        self.left = left.into_values().collect();
    }

    /// Calls that are not made yet.
    pub(super) fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.said.iter().chain(self.held.values().flatten())
    }

    /// A call is not to be made any more.
    pub(super) fn drop_intent(&mut self, run: RunId, unit: Unit) {
        let other = |intent: &Intent| (intent.run, intent.unit) != (run, unit);
        self.said.retain(other);
        self.held.values_mut().for_each(|held| held.retain(other));
    }

    /// The store is to forget these.
    pub(super) fn remove(&mut self, records: Vec<RecordId>) {
        self.removed.extend(records);
    }

    /// A run is gone, and the store is to forget it.
    pub(super) fn forget(&mut self, project: ProjectId, id: RunId, stored: &Stored) {
        self.removed.push(RecordId::Run(project, id));
        self.removed.extend(stored.calls.keys().map(|unit| RecordId::RunCall(project, id, *unit)));
        self.removed.extend(stored.steps.iter().map(|step| RecordId::RunStep(project, id, *step)));
    }

    /// A run is begun once more: the store forgets what is not kept of it.
    pub(super) fn forget_undone(
        &mut self,
        project: ProjectId,
        (id, run): (RunId, &Run),
        stored: &mut Stored,
    ) {
        let undone = stored.calls.extract_if(.., |unit, _| !run.keeps(*unit));
        self.removed.extend(undone.map(|(unit, _)| RecordId::RunCall(project, id, unit)));
        let undone = stored.steps.extract_if(.., |step| !run.keeps_end(*step));
        self.removed.extend(undone.map(|step| RecordId::RunStep(project, id, step)));
        stored.bytes = stored.calls.values().sum();
    }

    /// Calls are about to be made that wait for the changes of this input.
    pub(super) fn hold(&mut self, token: Token) {
        let said = core::mem::take(&mut self.said);
        self.held.insert(token, said);
    }

    pub(super) fn is_holding(&self) -> bool {
        !self.said.is_empty()
    }

    pub(super) fn intend(&mut self, run: RunId, unit: Unit, body: Envelope) {
        self.said.push(Intent { run, unit, body });
    }
}

impl Shard {
    /// Takes up the runs that keys had in an earlier life of the hub.
    pub(super) fn resume_runs(&mut self, cx: &mut Cx<'_>, of: impl Fn(&KeyId) -> bool) {
        // What was admitted once goes on, also where plans may not be as long or as deep any more.
        let limits = Limits {
            plan_bytes: usize::MAX,
            plan_steps: usize::MAX,
            json_depth: usize::MAX,
            json_members: usize::MAX,
            json_nodes: usize::MAX,
            number_digits: usize::MAX,
            ..cx.limits().clone()
        };
        let left: Vec<_> = self.outliving.left.extract_if(.., |(run, ..)| of(&run.key)).collect();
        for (run, stored, marks) in left {
            let Some(plan) = Plan::recall(&run.plan, &run.repeatable, &limits) else {
                // It is none.
                self.outliving.forget(run.project, run.id, &stored);
                continue;
            };
            let machine = Run::restore(Arc::new(plan), run.life, marks, cx.now, cx.limits());
            self.runs.insert(run.id, run.key.clone(), machine);
            self.running.insert(run.id, Running::of_nobody(run.key, stored));
        }
    }

    /// What has changed of runs, for the store, and of which.
    pub(super) fn run_changes(&mut self, cx: &Cx<'_>) -> (Vec<Change>, OfRuns) {
        let project = cx.snapshot.project.id;
        let removed = core::mem::take(&mut self.outliving.removed);
        let mut changes: Vec<Change> = removed.iter().cloned().map(Change::Remove).collect();
        let mut of_runs = OfRuns::new();
        for (run, record) in removed.into_iter().filter_map(|record| Some((record.run()?, record))) {
            of_runs.entry(run).or_default().push(record);
        }
        for (id, marks) in self.runs.take_changed() {
            let (Some(run), Some(running)) = (self.runs.get(id), self.running.get_mut(&id)) else { continue };
            let stored = &mut running.stored;
            let (life, before) = (run.life(), changes.len());
            if stored.life.replace(life) != Some(life) {
                let record = record::Run {
                    id,
                    project,
                    key: running.key.clone(),
                    idempotency: stored.idempotency.as_deref().map(ToOwned::to_owned),
                    plan: stored.plan.to_string(),
                    repeatable: run.plan().steps.iter().map(|step| step.repeatable).collect(),
                    life,
                };
                changes.push(Change::Put(Record::Run(record), Expect::Anything));
            }
            for end in marks.ends {
                stored.steps.insert(end.step);
                let step = record::RunStep { run: id, project, end };
                changes.push(Change::Put(Record::RunStep(step), Expect::Anything));
            }
            for Mark { unit, array, tries, since, at, became } in marks.calls {
                let was_stored = stored.forget(unit);
                match stored.outcome(became, cx.limits()) {
                    Some(outcome) => {
                        stored.note(unit, outcome.bytes());
                        let call = record::RunCall { run: id, project, unit, tries, since, at, outcome };
                        let record = match array {
                            Some(array) => Record::RunElement(call, array),
                            None => Record::RunCall(call),
                        };
                        changes.push(Change::Put(record, Expect::Anything));
                    }
                    None if was_stored => {
                        let call = RecordId::RunCall(project, id, unit);
                        of_runs.entry(id).or_default().push(call.clone());
                        changes.push(Change::Remove(call));
                    }
                    None => {}
                }
            }
            if changes.len() > before {
                of_runs.entry(id).or_default();
            }
        }
        (changes, of_runs)
    }

    /// The store has it that calls begin, so they do; or it has not, and they do not.
    pub(super) fn release_intents(&mut self, cx: &mut Cx<'_>, token: Token, outcome: &Result<(), Fault>) {
        for Intent { run, unit, body } in self.outliving.held.remove(&token).into_iter().flatten() {
            match outcome {
                Ok(()) => self.make_call(cx, run, unit, body),
                Err(fault) => {
                    let words = format!("that it begins could not be stored: {fault}");
                    let failure = Failure { words, happened: Happened::Nothing };
                    self.tell_run(cx, run, Event::StepFailed(unit, failure));
                }
            }
        }
    }

    /// Calls of a run that wait for their servers, or for the store.
    pub(super) fn unsent_of(&mut self, id: RunId) -> Vec<Unit> {
        let running: Vec<Unit> = self.runs.get(id).into_iter().flat_map(Run::running).collect();
        let is_unsent = |unit: &Unit| {
            let Some((server, call)) = self.step_calls.get(&(id, *unit)).copied() else { return true };
            let upstream = self.holder(server, call);
            upstream.and_then(|it| it.calls.get_mut(call)).is_some_and(|call| !call.is_begun())
        };
        running.into_iter().filter(is_unsent).collect()
    }

    pub(super) fn make_call(&mut self, cx: &mut Cx<'_>, run: RunId, unit: Unit, body: Envelope) {
        let Some(running) = self.running.get(&run) else { return };
        let caller = Caller { step: Some((run, unit)), ..running.template.clone() };
        self.dispatch(cx, caller, body, Patience::Waits);
    }

    /// The hub ends: runs are put aside for its next life. Those who wait for them are told how far they are.
    pub(super) fn put_runs_aside(&mut self, cx: &mut Cx<'_>) {
        for id in self.running.keys().copied().collect::<Vec<_>>() {
            let caller = self.running.get_mut(&id).and_then(|running| running.caller.take());
            if let Some(caller) = caller {
                self.tell_how(cx, &caller, id);
            }
        }
        self.tell_watchers(cx);
        self.running.clear();
        self.step_calls.clear();
        self.waiters.retain(|waiter| waiter.caller.step.is_none());
        (self.runs, self.outliving) = Default::default();
    }
}

/// In whose name a run calls tools that nobody waits for.
pub(super) fn nobody(key: KeyId) -> Caller {
    Caller {
        exchange: NOWHERE,
        ends: false,
        id: "\"step\"".into(),
        revision: Revision::LAST_WITH_HANDSHAKE,
        session: None,
        target: Target::Unified,
        progress: None,
        log_level: None,
        abilities: Abilities::default(),
        extensions: Extensions::default(),
        key: Some(key),
        // A key is of the whole.
        idempotency: None,
        step: None,
        task: false,
    }
}

fn mark(call: record::RunCall, array: Option<Array>) -> Mark {
    let became = match call.outcome {
        Outcome::Answered(result) => Became::Answered(result.into()),
        Outcome::Begun => Became::Begun,
        Outcome::Cut(result, happened) => Became::Cut(result.into(), happened),
        Outcome::Failed(result, happened) => Became::Failed(result.into(), happened),
        Outcome::LeftOut => Became::LeftOut,
        Outcome::Overlong => Became::Lost,
    };
    Mark { unit: call.unit, array, tries: call.tries, since: call.since, at: call.at, became }
}
