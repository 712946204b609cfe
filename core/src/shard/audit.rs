//! Whether a shard's counters and tables agree with each other: what a simulation asks after every step.

use alloc::collections::BTreeMap;

use super::{Exchange, Shard};
use crate::upstream::{Caller, Upstream};
use crate::{Bug, CallId, LinkId, ServerId, SessionId};

/// How much a shard holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Requests that go on while their clients are away.
    pub away: usize,
    /// Exchanges that are connected and not answered, streams among them.
    pub exchanges: usize,
    /// Goals that are being planned.
    pub goals: usize,
    /// Clients' calls that are not answered, those of runs not counted.
    pub in_flight: usize,
    /// Bytes that are kept for clients that come back.
    pub kept_bytes: usize,
    /// Links, from their opening to their end.
    pub links: usize,
    /// Open streams of the 2026 era.
    pub listeners: usize,
    /// Runs that clients wait for.
    pub runs: usize,
    /// Runs that have not ended.
    pub open_runs: usize,
    /// Sessions.
    pub sessions: usize,
    /// Servers on their way to running.
    pub starting: usize,
    /// Calls of runs, on their way or waiting for servers to be seen.
    pub steps: usize,
    /// Exchanges whose answers wait for the store.
    pub storing: usize,
    /// Requests that wait for servers to be seen.
    pub waiting: usize,
}

impl Shard {
    /// Counts what there is.
    pub fn gauges(&self) -> Gauges {
        let away = self.streams.away().count();
        let intents = self.outliving.intents().count();
        let waiting_steps = self.waiters.iter().filter(|waiter| waiter.caller.step.is_some()).count();
        Gauges {
            away,
            goals: self.goals.callers().count(),
            exchanges: self.exchanges.len().saturating_sub(away),
            in_flight: self.in_flight.saturating_sub(self.step_calls.len()),
            kept_bytes: self.streams.bytes(),
            links: self.links.len(),
            listeners: self.listeners.len(),
            open_runs: self.runs.open(),
            runs: self.run_callers().count(),
            sessions: self.sessions.len(),
            starting: self.upstreams.values().filter(|upstream| upstream.process.is_starting()).count(),
            steps: self.step_calls.len().saturating_add(waiting_steps).saturating_add(intents),
            storing: [self.unstored.len(), self.deletions.len(), self.wishes.held.values().flatten().count()]
                .into_iter()
                .sum(),
            waiting: self.waiters.len().saturating_sub(waiting_steps),
        }
    }

    /// Checks the shard's own invariants. Takes time in proportion to everything that is open.
    pub fn audit(&self) -> Result<(), Bug> {
        let mut per_session: BTreeMap<SessionId, usize> = BTreeMap::new();
        let (mut calls, mut ends) = (0_usize, 0_usize);
        for (server, id, caller) in self.client_calls() {
            calls = calls.saturating_add(1);
            if let Some(session) = caller.session {
                let count = per_session.entry(session).or_default();
                *count = count.saturating_add(1);
            }
            if caller.ends {
                ends = ends.saturating_add(1);
                let known = self.exchanges.get(&caller.exchange) == Some(&Exchange::Call(server, id));
                hold(known, "a call's exchange does not lead to it")?;
            }
        }
        let asked_for = |call: CallId| self.client_calls().any(|(_, id, _)| id == call);
        hold(
            self.asked.values().all(|asked| asked.call.is_none_or(asked_for)),
            "a question outlives its call",
        )?;
        hold(self.in_flight == calls, "in_flight is not the number of calls")?;
        for session in self.sessions.iter() {
            let calls = per_session.get(&session.id).copied().unwrap_or_default();
            hold(session.in_flight == calls, "a session's in_flight is not the number of its calls")?;
            let led = |stream| self.exchanges.get(stream) == Some(&Exchange::Stream(session.id));
            hold(session.streams.iter().all(led), "a session's stream does not lead to it")?;
            let away = |stream| self.streams.has(stream) && !self.exchanges.contains_key(&stream);
            hold(session.away.iter().copied().all(away), "a session waits for a stream that is not away")?;
        }
        for (exchange, batch) in &self.batches {
            let is_on = |caller: &Caller| caller.exchange == *exchange && caller.step.is_none();
            let calls = self.client_calls().filter(|(.., caller)| is_on(caller));
            let waiters = self.waiters.iter().filter(|waiter| is_on(&waiter.caller));
            let goals = self.goals.callers().map(|(_, caller)| caller);
            let runs = self.run_callers().chain(goals).filter(|caller| is_on(caller));
            let held = self.wishes.held.values().flatten();
            let held = held.filter(|promise| !promise.ends && promise.exchange == *exchange);
            let open =
                [calls.count(), waiters.count(), runs.count(), held.count()].into_iter().sum::<usize>();
            hold(batch.open == open, "a batch waits for what nobody works on")?;
        }
        hold(self.streams.is_sound(), "the table of streams disagrees with itself")?;
        hold(self.begun.is_sound(), "the bytes of tasks are not those of the tasks")?;
        hold(self.subscriptions.is_sound(), "the table of subscriptions disagrees with itself")?;
        hold(self.shown.is_sound(), "the table of shown URIs disagrees with itself")?;
        let open = |address| self.exchanges.contains_key(&address);
        hold(self.streams.away().all(open), "a stream outlives its call")?;
        self.audit_exchanges(ends)?;
        self.audit_goals()?;
        self.audit_runs()?;
        self.audit_links()
    }

    pub(super) fn client_calls(&self) -> impl Iterator<Item = (ServerId, CallId, &Caller)> {
        let retired = self.retired.values().map(|(upstream, _)| upstream);
        let all = self.upstreams.values().chain(retired);
        all.flat_map(|upstream| upstream.calls.clients().map(|(id, caller)| (upstream.id, id, caller)))
    }

    fn audit_exchanges(&self, calls: usize) -> Result<(), Bug> {
        let waiters = self.waiters.iter().filter(|waiter| waiter.caller.ends);
        let waits = |exchange| self.exchanges.get(exchange) == Some(&Exchange::Waiter);
        hold(waiters.clone().all(|waiter| waits(&waiter.caller.exchange)), "a waiter's exchange is not one")?;
        let mut turns = self.waiters.iter().filter_map(|waiter| waiter.turn.as_ref());
        hold(turns.all(|(seat, uri)| self.is_telling(seat, uri)), "a turn that nobody has is waited for")?;
        let listens = |exchange| self.exchanges.get(exchange) == Some(&Exchange::Listener);
        hold(self.listeners.keys().all(listens), "a listener's exchange is not one")?;
        let opens = |stream| self.listeners.contains_key(stream);
        hold(self.granting.keys().all(opens), "what is about to open is not there")?;
        let streams: usize = self.sessions.iter().map(|session| session.streams.len()).sum();
        let held = self.wishes.held.values().flatten().filter(|promise| promise.ends);
        let held = held.map(|promise| &promise.exchange);
        let stores = self.unstored.values().map(|(caller, _)| &caller.exchange);
        let stores = stores.chain(self.deletions.values()).chain(held);
        let stores = stores.filter(|exchange| self.exchanges.get(*exchange) == Some(&Exchange::Store));
        let gathers = |exchange| self.exchanges.get(exchange) == Some(&Exchange::Batch);
        hold(self.batches.keys().all(gathers), "a batch's exchange is not one")?;
        let runs = self.run_callers().filter(|caller| caller.ends);
        let runs_on =
            |caller: &Caller| matches!(self.exchanges.get(&caller.exchange), Some(Exchange::Run(_)));
        hold(runs.clone().all(runs_on), "a run's exchange does not lead to it")?;
        let goals = self.goals.callers().filter(|(_, caller)| caller.ends);
        let all = [
            goals.count(),
            runs.count(),
            calls,
            waiters.count(),
            self.listeners.len(),
            streams,
            stores.count(),
            self.batches.len(),
        ];
        hold(self.exchanges.len() == all.into_iter().sum::<usize>(), "an exchange is of nothing that is open")
    }

    fn audit_links(&self) -> Result<(), Bug> {
        let current = self.upstreams.values().filter_map(|up| Some((up.process.link()?, up)));
        let retired = self.retired.iter().map(|(link, (upstream, _))| (*link, upstream));
        for (link, upstream) in current.chain(retired) {
            hold(self.links.get(&link) == Some(&upstream.seat()), "a link does not lead to its server")?;
        }
        let retired = self.retired.values().map(|(upstream, _)| upstream);
        let crowded = |link: LinkId| self.crowded.contains(&link);
        let waits = |upstream: &Upstream| {
            !upstream.calls.await_places() || upstream.process.ready_link().is_none_or(crowded)
        };
        hold(self.upstreams.values().all(waits), "a call waits for a place that nobody looks for")?;
        hold(self.upstreams.is_sound(), "what was noted of a server is not so")?;
        let sound = |upstream: &Upstream| upstream.calls.is_sound();
        hold(self.upstreams.values().chain(retired).all(sound), "a table of calls disagrees with itself")
    }
}

pub(super) fn hold(it: bool, otherwise: &'static str) -> Result<(), Bug> {
    if it { Ok(()) } else { Err(Bug::Invariant(otherwise)) }
}
