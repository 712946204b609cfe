//! Runs within a project: each step is a call like any other, whose answer goes to its run instead of a client.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde_json::value::RawValue;

use super::cancel::{EndsWait, cancellation};
use super::consult::Consulting;
use super::outliving::{Stored, nobody};
use super::planning::NOWHERE;
use super::{Cx, Exchange, Shard, audit};
use crate::hub::{self, Kept, Told};
use crate::mcp::{Abilities, Method};
use crate::planner::Name;
use crate::rpc::{Envelope, Field, Sender, write};
use crate::run::{Event, Extracts, Failure, Gap, Happened, Start, Status, Unit};
use crate::upstream::{Caller, Purpose};
use crate::{Bug, CallId, ExchangeId, KeyId, RunId, SessionId, UpstreamFault};

/// Whose a run is.
#[derive(Debug)]
pub(super) struct Running {
    /// Who waits for its end; nobody when it runs in the background, or its client has gone.
    pub caller: Option<Caller>,
    /// In whose name its steps are called.
    pub template: Caller,
    /// The key that has begun it, and may ask for it.
    pub key: KeyId,
    /// The ended steps that its caller was told of, by their places.
    pub said: BTreeSet<usize>,
    /// What the store has of it.
    pub stored: Stored,
    /// How it asks its caller, where that is of the stateless era.
    pub consulting: Option<Consulting>,
    /// Under which name its plan is kept, if it was made of a goal.
    pub goal: Option<Name>,
}

/// How many of the steps that have ended at once are named.
const NAMED: usize = 20;

/// How much of a long output its caller sees.
const PREVIEW_BYTES: usize = 1024;

impl Running {
    /// A run of a key that nobody waits for.
    pub(super) fn of_nobody(key: KeyId, stored: Stored) -> Self {
        let template = nobody(key.clone());
        Self { caller: None, template, key, said: BTreeSet::new(), stored, consulting: None, goal: None }
    }
}

impl Shard {
    /// Somebody waits for the end of a run that begins: its calls are made in that name, and what servers ask for them comes
    /// to whoever waits.
    pub(super) fn give_run_to(&mut self, id: RunId, caller: &Caller, body: &Envelope) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.template = Caller {
            exchange: caller.exchange,
            session: caller.session,
            log_level: caller.log_level,
            abilities: caller.abilities,
            extensions: caller.extensions.clone(),
            key: caller.session.is_none().then(|| running.key.clone()),
            ..nobody(running.key.clone())
        };
        running.consulting = Consulting::of(caller, body);
        running.caller = Some(caller.clone());
        if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Run(id));
        }
    }

    /// Starts what may start, and answers those whose runs have ended.
    pub(super) fn carry_out_runs(&mut self, cx: &mut Cx<'_>) {
        self.runs.begin_turn();
        loop {
            while let Some((id, start)) = self.next_step(cx) {
                self.start_step(cx, id, &start);
            }
            let ended = self.runs.take_ended();
            for id in &ended {
                self.on_run_ended(cx, *id);
            }
            // Whoever waits for them is told before they make room for others.
            self.tell_watchers(cx);
            self.forget_runs(cx);
            if ended.is_empty() {
                return;
            }
        }
    }

    /// The next call that may start. Before the hub ends, a run that nobody waits for begins no more: its next life does.
    fn next_step(&mut self, cx: &Cx<'_>) -> Option<(RunId, Start)> {
        let (leaving, running, watchers) = (self.leaving, &self.running, &self.watchers);
        let is_waited_for = |id: RunId| {
            let owned = running.get(&id).is_some_and(|running| running.caller.is_some());
            owned || watchers.watch(id)
        };
        self.runs.next(cx.now, cx.limits(), |id| !leaving || is_waited_for(id))
    }

    fn start_step(&mut self, cx: &mut Cx<'_>, id: RunId, start: &Start) {
        let mut params = Vec::from(b"{\"name\":");
        write::string(&mut params, &start.tool);
        params.extend_from_slice(b",\"arguments\":");
        params.extend_from_slice(&start.arguments);
        // A server that reports progress has as much time as one that a client calls by itself.
        params.extend_from_slice(b",\"_meta\":{\"progressToken\":0}}");
        let text = write::request(Some(0), Method::ToolsCall.name(), Some(&params));
        match Envelope::parse(text.into(), Sender::Client, cx.limits()) {
            Ok(body) if start.repeatable => self.make_call(cx, id, start.unit, body),
            Ok(body) => self.outliving.intend(id, start.unit, body),
            Err(fault) => {
                let failure = Failure { words: format!("{fault}"), happened: Happened::Nothing };
                self.tell_run(cx, id, Event::StepFailed(start.unit, failure));
            }
        }
    }

    /// Whether the plan of a run says how often a call is tried: its tries are then all that are made.
    pub(super) fn has_own_retry(&self, id: RunId, unit: Unit) -> bool {
        let step = self.runs.get(id).and_then(|run| run.plan().steps.get(unit.step));
        step.is_some_and(|step| step.retry.is_own)
    }

    /// The answer to a call of a run has come, whatever it is.
    pub(super) fn on_step_answered(&mut self, cx: &mut Cx<'_>, id: RunId, unit: Unit, answer: Vec<u8>) {
        self.step_calls.remove(&(id, unit));
        let event = match Envelope::parse(answer.into(), Sender::Upstream, cx.limits()) {
            Ok(answer) => match answer.raw(Field::Result) {
                Some(result) => Event::StepAnswered(unit, answer.bytes().slice_ref(result)),
                None => {
                    let words = answer.text(Field::ErrorMessage).map_or_else(String::new, Into::into);
                    let happened = UpstreamFault::happened(&answer);
                    Event::StepFailed(unit, Failure { words, happened })
                }
            },
            Err(fault) => {
                Event::StepFailed(unit, Failure { words: format!("{fault}"), happened: Happened::Unknown })
            }
        };
        self.tell_run(cx, id, event);
    }

    pub(super) fn tell_run(&mut self, cx: &mut Cx<'_>, id: RunId, event: Event) {
        if matches!(event, Event::Cancelled | Event::TimerFired) {
            let unsent = self.unsent_of(id);
            self.runs.note_unsent(id, unsent);
        }
        for unit in self.runs.handle(id, cx.now, cx.limits(), event) {
            let why = |call| cancellation(call, "the run has given it up");
            match self.step_calls.remove(&(id, unit)) {
                Some((server, call)) => drop(self.abandon(cx, server, call, why)),
                None => {
                    self.waiters.retain(|waiter| waiter.caller.step != Some((id, unit)));
                    self.outliving.drop_intent(id, unit);
                }
            }
        }
        self.tell_progress(cx, id);
    }

    /// Something has happened with a run. If steps have ended with that, its caller hears so, if it wants to.
    fn tell_progress(&mut self, cx: &mut Cx<'_>, id: RunId) {
        let (Some(run), Some(running)) = (self.runs.get(id), self.running.get_mut(&id)) else { return };
        let Some(caller) = &running.caller else { return };
        let Some(token) = &caller.progress else { return };
        let (ended, all) = run.progress();
        let new: Vec<usize> =
            (0..all).filter(|step| run.has_ended(*step) && running.said.insert(*step)).collect();
        if new.is_empty() {
            return;
        }
        let more = new.len().saturating_sub(NAMED);
        let mut words: Vec<String> =
            new.into_iter().take(NAMED).filter_map(|step| run.end_of(step)).collect();
        words.extend((more > 0).then(|| format!("and {more} more")));
        // Names of steps need no escapes.
        let words = format!(",\"message\":\"{}\"", words.join(", "));
        let params = format!("{{\"progressToken\":{token},\"progress\":{ended},\"total\":{all}{words}}}");
        let caller = caller.clone();
        let news = write::request(None, Method::Progress.name(), Some(params.as_bytes()));
        self.emit_of(cx, id, &caller, news.into());
    }

    /// Ends a run. Its caller, if there is one, is answered.
    pub(super) fn stop_run(&mut self, cx: &mut Cx<'_>, id: RunId) {
        self.tell_run(cx, id, Event::Cancelled);
    }

    /// Ends runs whose callers are to wait no more; `end` is what becomes of them.
    pub(super) fn cancel_runs(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Caller) -> bool, end: EndsWait) {
        self.drop_watchers(cx, &which, end);
        let meant = |running: &Running| running.caller.as_ref().is_some_and(&which);
        let ids: Vec<RunId> = self.running.iter().filter(|(_, it)| meant(it)).map(|(id, _)| *id).collect();
        for id in ids {
            let caller = self.running.get_mut(&id).and_then(|running| running.caller.take());
            self.stop_run(cx, id);
            if let Some(caller) = caller {
                end(self, cx, &caller);
            }
        }
    }

    /// Ends the runs that a key has begun.
    pub(super) fn cancel_runs_of(&mut self, cx: &mut Cx<'_>, key: &KeyId) {
        let own = self.running.iter().filter(|(_, running)| running.key == *key);
        for id in own.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.stop_run(cx, id);
        }
    }

    /// Who waits for a run has gone: in the stateless era that cancels it, unless others have asked for the same; before it goes on.
    pub(super) fn on_run_caller_gone(&mut self, cx: &mut Cx<'_>, id: RunId) {
        let Some(running) = self.running.get_mut(&id) else { return };
        let alone = !self.watchers.watch(id);
        if running.caller.take().is_some_and(|caller| alone && caller.revision.is_modern()) {
            self.stop_run(cx, id);
        } else {
            self.detach(cx, id);
        }
    }

    /// Nobody reads any more what is said on an exchange.
    pub(super) fn detach_runs(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        self.watchers.take_where(|caller| caller.exchange == exchange);
        let on = |running: &Running| running.caller.as_ref().is_some_and(|it| it.exchange == exchange);
        let ids: Vec<RunId> = self.running.iter().filter(|(_, it)| on(it)).map(|(id, _)| *id).collect();
        for id in ids {
            self.detach(cx, id);
        }
    }

    /// A run goes on by itself, and its calls have nobody who could be asked or told anything.
    pub(super) fn detach(&mut self, cx: &mut Cx<'_>, id: RunId) {
        let Some(running) = self.running.get_mut(&id) else { return };
        (running.caller, running.consulting) = (None, None);
        running.template.key = Some(running.key.clone());
        for call in self.change_steps(id, alone) {
            self.leave_questions(cx, call);
        }
    }

    /// Changes in whose name the calls of a run are made: those to come, and those under way, which it returns.
    pub(super) fn change_steps(
        &mut self,
        id: RunId,
        change: fn(&mut Caller) -> Option<SessionId>,
    ) -> Vec<CallId> {
        self.running.get_mut(&id).map(|running| change(&mut running.template));
        let calls: Vec<_> = self.step_calls.range(of_run(id)).map(|(_, call)| *call).collect();
        for (server, call) in &calls {
            let held = self.holder(*server, *call).and_then(|upstream| upstream.calls.get_mut(*call));
            let session = held.and_then(|call| match &mut call.purpose {
                Purpose::Client(caller, _) => change(caller),
                Purpose::Forgotten(_)
                | Purpose::Handshake
                | Purpose::Housekeeping
                | Purpose::Learn(_)
                | Purpose::Listen
                | Purpose::Parked
                | Purpose::Probe
                | Purpose::Subscribe(_)
                | Purpose::Tasks(_)
                | Purpose::Unsubscribe(_) => None,
            });
            if let Some(session) = session.and_then(|session| self.sessions.get_mut(session)) {
                session.in_flight = session.in_flight.saturating_sub(1);
            }
        }
        for waiter in &mut self.waiters {
            if waiter.caller.step.is_some_and(|(run, _)| run == id) {
                change(&mut waiter.caller);
            }
        }
        calls.into_iter().map(|(_, call)| call).collect()
    }

    /// Tells runs whose time has come.
    pub(super) fn wake_runs(&mut self, cx: &mut Cx<'_>) {
        while let Some(id) = self.runs.due(cx.now) {
            self.tell_run(cx, id, Event::TimerFired);
        }
    }

    /// Forgets what is kept no longer.
    pub(super) fn forget_runs(&mut self, cx: &Cx<'_>) {
        for id in self.runs.expire(cx.now, cx.limits()) {
            self.unsettled.forget(id);
            if let Some(running) = self.running.remove(&id) {
                self.outliving.forget(cx.snapshot.project.id, id, &running.stored);
            }
        }
    }

    fn on_run_ended(&mut self, cx: &mut Cx<'_>, id: RunId) {
        let Some(running) = self.running.get_mut(&id) else { return };
        running.consulting = None;
        let is_bad = self.runs.get(id).is_some_and(crate::run::Run::was_planned_badly);
        // One that has ended otherwise may be begun once more.
        if let Some(goal) = running.goal.take_if(|_| is_bad) {
            self.goals.forget(&goal);
        }
        if let Some(caller) = running.caller.take() {
            self.tell_how(cx, &caller, id);
        }
    }

    /// The result that says how a run stands.
    pub(super) fn told(&self, cx: &Cx<'_>, id: RunId) -> Vec<u8> {
        self.told_of(cx, id, false)
    }

    /// The same; to whoever looks after a run, with how its results begin, and how long they can be read.
    pub(super) fn told_of(&self, cx: &Cx<'_>, id: RunId, looks_after: bool) -> Vec<u8> {
        let Some(run) = self.runs.get(id) else {
            return hub::cannot(hub::Cannot::Unknown, "the run is gone");
        };
        let limits = cx.limits();
        let goes_on = run.status() == Status::Running;
        let output = if goes_on { Ok(<(Bytes, Vec<Gap>)>::default()) } else { run.output_and_gaps() };
        let output_missing = output.as_ref().err().map(|bound| {
            format!("{bound} by the output: ask for less, or read the results of steps with read_result")
        });
        let (output, missing) = output.unwrap_or_default();
        let kept_for = run.kept_for(cx.now, limits.run_kept).map(|left| left.as_secs());
        let whole = !output.is_empty() && output.len() <= limits.run_output_bytes;
        let kept = (output.len() > limits.run_output_bytes).then(|| {
            let beginning = Extracts::of_range(&output, 0, PREVIEW_BYTES);
            Kept {
                bytes: beginning.total,
                preview: beginning.parts.into_iter().map(|part| part.text).collect(),
                read_with: hub::PlanTool::Read.name(),
                expires_in_s: kept_for.unwrap_or_default(),
            }
        });
        let given = kept.as_ref().map_or(output.len(), |kept| kept.preview.len());
        let raw = core::str::from_utf8(&output).ok().filter(|_| whole);
        let mut report = run.report(cx.now, given);
        if looks_after {
            run.add_previews(&mut report);
        }
        let told = Told {
            run: format!("{id}"),
            output: raw.and_then(|raw| serde_json::from_str::<&RawValue>(raw).ok()),
            output_kept: kept,
            output_missing,
            missing,
            report,
            expires_in_s: kept_for.filter(|_| looks_after),
        };
        hub::run_told(&told, run.status())
    }

    /// Those who wait for runs.
    pub(super) fn run_callers(&self) -> impl Iterator<Item = &Caller> + Clone {
        let owners = self.running.values().filter_map(|running| running.caller.as_ref());
        owners.chain(self.watchers.callers())
    }

    /// Who waits for a run on an exchange.
    pub(super) fn run_caller(&self, id: RunId, exchange: ExchangeId) -> Option<&Caller> {
        let owner = self.running.get(&id)?.caller.as_ref().filter(|caller| caller.exchange == exchange);
        owner.or_else(|| self.watchers.on(id, exchange))
    }

    /// Whether each call of a run is known to both, and each run has an owner.
    pub(super) fn audit_runs(&self) -> Result<(), Bug> {
        let waiting = self.waiters.iter().filter(|waiter| waiter.caller.step.is_some()).count();
        let under_way: usize =
            [self.step_calls.len(), waiting, self.outliving.intents().count()].into_iter().sum();
        audit::hold(self.runs.usage().in_flight == under_way, "a run waits for what nobody works on")?;
        let mut steps = 0_usize;
        for (server, call, caller) in self.client_calls() {
            let Some(step) = caller.step else { continue };
            steps = steps.saturating_add(1);
            audit::hold(self.step_calls.get(&step) == Some(&(server, call)), "a step is of no run")?;
        }
        audit::hold(steps == self.step_calls.len(), "a step is no call")?;
        audit::hold(self.running.keys().all(|id| self.runs.get(*id).is_some()), "a run of nobody")
    }
}

/// The calls of a run, in a table by run and unit.
fn of_run(id: RunId) -> core::ops::RangeInclusive<(RunId, Unit)> {
    let unit = |at| Unit { step: at, element: at };
    (id, unit(0))..=(id, unit(usize::MAX))
}

/// Takes from a caller whatever leads to a client. Returns the session that it was in.
fn alone(caller: &mut Caller) -> Option<SessionId> {
    caller.exchange = NOWHERE;
    (caller.abilities, caller.log_level) = (Abilities::default(), None);
    caller.session.take()
}
