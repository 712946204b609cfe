//! Deadlines: one sweep for sessions, the nearest one of every server and every waiting request.

use alloc::vec::Vec;
use core::time::Duration;

use super::cancel::cancellation;
use super::places::no_place;
use super::refusal::unanswered;
use super::streams::Departure;
use super::{Cx, Effect, Exchange, Shard};
use crate::upstream::{Owner, Purpose, Seat, State, Upstream};
use crate::{CallId, Deadline, ExchangeId, LinkId, ServerId, SessionId, Timestamp, UpstreamFault};

/// Idle sessions are looked for this often; one may live this much longer than its time.
pub(super) const SWEEP: Duration = Duration::from_secs(30);

impl Shard {
    pub(super) fn next_deadline(&self) -> Option<Deadline> {
        let upstreams = self.upstreams.deadline();
        let retired = self.retired.iter().filter(|(_, (upstream, _))| !is_closing(&upstream.process.state));
        let drained = retired
            .map(|(_, (upstream, until))| upstream.calls.deadline().map_or(*until, |at| at.min(*until)));
        let waiters =
            self.waiters.iter().map(|waiter| waiter.until).filter(|at| *at != Timestamp::NEVER).min();
        let may_rest =
            |upstream: &Upstream| upstream.owner != Owner::Project || upstream.process.link().is_some();
        let kept = self.runs.are_kept() || self.unsettled.is_refused();
        let used = kept || self.sessions.len() > 0 || self.upstreams.values().any(may_rest);
        let sweep = used.then_some(self.next_sweep);
        [
            (upstreams, "a server or a call"),
            (drained.min(), "a retired server"),
            (waiters, "a waiting request"),
            (self.parked_deadline(), "a parked call"),
            (self.granting_deadline(), "a stream that opens"),
            (self.goals.deadline(), "a plan that is being made"),
            (self.consult_deadline(), "what a run has asked"),
            (self.runs.deadline(), "a run"),
            (self.watchers.deadline(), "those who watch runs"),
            (self.runs.are_behind().then_some(Timestamp(0)), "what runs have left for their next turn"),
            (sweep, "idle sessions and servers"),
        ]
        .into_iter()
        .filter_map(|(at, reason)| at.map(|at| Deadline { at, reason }))
        .min()
    }

    pub(super) fn on_timer(&mut self, cx: &mut Cx<'_>) {
        if self.next_sweep <= cx.now {
            self.next_sweep = cx.now.after(SWEEP);
            self.streams.expire(cx.now, cx.snapshot.limits());
            self.keyed.expire(cx.now, cx.snapshot.limits());
            for session in self.sessions.idle(cx.now, cx.limits()) {
                self.drop_session(cx, session);
            }
            self.end_idle(cx);
            self.begun.expire(cx.now);
            self.forget_runs(cx);
            self.store_refused(cx);
        }
        self.wake_runs(cx);
        self.expire_goals(cx);
        self.show_gathered(cx);
        self.open_ungranted(cx);
        self.show_asked(cx);
        self.drop_parked(cx, None);
        let links: Vec<(Seat, Option<LinkId>)> =
            self.upstreams.values().map(|upstream| (upstream.seat(), upstream.process.link())).collect();
        for (seat, link) in links {
            self.check_server(cx, &seat, link);
        }
        let retired: Vec<LinkId> = self.retired.keys().copied().collect();
        for link in retired {
            self.expire_calls(cx, link);
            self.end_if_drained(cx, link);
        }
        self.retry_waiters(cx);
    }

    fn check_server(&mut self, cx: &mut Cx<'_>, seat: &Seat, link: Option<LinkId>) {
        let server = seat.server;
        let waits = self.upstreams.get(seat).is_some_and(|upstream| upstream.unheard);
        let unheard = waits && self.is_watched(seat);
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        upstream.unheard = unheard;
        match upstream.process.state {
            State::Opening { deadline, .. } | State::Handshaking { deadline, .. } if deadline <= cx.now => {
                if let Some(link) = link {
                    let failure = unanswered(cx, server, upstream.process.state);
                    self.break_link(cx, link, &failure);
                }
                return;
            }
            State::BackingOff { .. } if unheard || !upstream.calls.is_empty() => {
                upstream.process.want(cx.now);
            }
            State::Crashed { .. } if unheard || seat.owner == Owner::Project => {
                upstream.process.want(cx.now);
            }
            State::BackingOff { .. }
            | State::Closing { .. }
            | State::Crashed { .. }
            | State::Handshaking { .. }
            | State::Idle
            | State::Opening { .. }
            | State::Queued
            | State::Running { .. }
            | State::Stopped => {}
        }
        self.end_probe(cx, seat);
        self.check_lists(cx, seat);
        self.reopen_news(cx, seat);
        match link {
            Some(link) => {
                self.hurry_lists(cx, seat, link);
                self.expire_calls(cx, link);
            }
            None => self.expire_unsent(cx, seat),
        }
    }

    /// Gives up calls whose time is over: the server is told, the client gets an answer.
    fn expire_calls(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        while let Some(id) = self.upstream_of(link).and_then(|upstream| upstream.calls.expired(cx.now)) {
            if self.expire_subscription(cx, link, id) {
                continue;
            }
            let Some(upstream) = self.upstream_of(link) else { return };
            let Some(mut call) = upstream.calls.remove(id) else { return };
            let (server, own) = (upstream.name.clone(), upstream.id);
            let waited = upstream.process.ready_link().is_some();
            let unsent = if waited { no_place(cx) } else { upstream.unavailable().into() };
            upstream.give_up(&call, cx.now);
            let strays = upstream.strays;
            // Nothing of a handshake is cancelled (2025-11-25, cancellation).
            if call.is_under_way() && !matches!(call.purpose, Purpose::Handshake | Purpose::Probe) {
                cx.effect(Effect::SendFrame { link, frame: cancellation(id, "timed out") });
            }
            self.subscriptions.turns_over |= call.subscription().is_some();
            let within = cx.now.since(call.since);
            match call.purpose {
                Purpose::Client(..) => {
                    self.end_questions(cx, id);
                    let (name, sent) = (server.clone(), call.is_begun());
                    let timed_out = UpstreamFault::TimedOut { server, within, strays };
                    let fault = if sent { timed_out.into() } else { unsent };
                    self.record_fault(cx, (own, &name), &mut call, &fault);
                    self.answer_fault(cx, call, &fault);
                }
                Purpose::Learn(kind) => self.on_page(cx, link, kind, None),
                Purpose::Listen => self.on_news_ended(cx, link, id, None),
                Purpose::Tasks(exchange) => self.end_listener(cx, exchange),
                Purpose::Forgotten(_)
                | Purpose::Handshake
                | Purpose::Housekeeping
                | Purpose::Parked
                | Purpose::Probe => {}
                // It may have been done.
                Purpose::Subscribe(uri) => self.on_heeded(cx, link, &uri, Some(true)),
                Purpose::Unsubscribe(uri) => self.on_heeded(cx, link, &uri, None),
            }
        }
    }

    fn expire_unsent(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        loop {
            let Some(upstream) = self.upstreams.get_mut(seat) else { return };
            let Some(id) = upstream.calls.expired(cx.now) else { return };
            let (own, name, unsent) = (upstream.id, upstream.name.clone(), upstream.unavailable());
            let strays = upstream.strays;
            let Some(mut call) = upstream.calls.remove(id) else { continue };
            self.subscriptions.turns_over |= call.subscription().is_some();
            let (server, within) = (name.clone(), cx.now.since(call.since));
            let fault =
                if call.is_begun() { UpstreamFault::TimedOut { server, within, strays } } else { unsent }
                    .into();
            if call.purpose.client().is_some() {
                self.record_fault(cx, (own, &name), &mut call, &fault);
            }
            self.answer_fault(cx, call, &fault);
        }
    }

    /// A client has gone. In the stateless era that cancels its request (2026-07-28, Streamable HTTP); in the
    /// eras before it does not, and it may come back for a stream. A session of the oldest transport ends with its own.
    pub(super) fn on_exchange_closed(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        match self.streams.leave(exchange) {
            Departure::Absent(address, kind) => return self.on_reader_gone(cx, address, kind),
            Departure::Superseded => return,
            Departure::Gone => {}
        }
        match self.exchanges.remove(&exchange) {
            Some(Exchange::Batch) => self.on_batch_gone(cx, exchange),
            Some(Exchange::Call(server, call)) => {
                self.opening.remove(&exchange);
                self.on_caller_gone(cx, server, call);
            }
            Some(Exchange::Listener) => {
                self.drop_listener(cx, exchange);
            }
            Some(Exchange::Goal(token)) => self.leave_goal(cx, token),
            Some(Exchange::Run(run)) if self.watchers.leave(run, exchange) => {}
            Some(Exchange::Run(run)) => self.on_run_caller_gone(cx, run),
            Some(Exchange::Stream(session)) => self.on_stream_gone(cx, session, exchange),
            Some(Exchange::Waiter) => self.on_waiter_gone(cx, exchange),
            Some(Exchange::Store) | None => {}
        }
    }

    pub(super) fn on_caller_gone(&mut self, cx: &mut Cx<'_>, server: ServerId, call: CallId) {
        let Some(upstream) = self.holder(server, call) else { return };
        let Some(caller) = upstream.calls.caller(call) else { return };
        let session = caller.session;
        if caller.revision.is_modern() {
            self.abandon(cx, server, call, |call| cancellation(call, "the client has gone"));
        } else {
            upstream.calls.forget(call);
            self.settle(session);
            self.end_questions(cx, call);
        }
    }

    fn on_stream_gone(&mut self, cx: &mut Cx<'_>, session: SessionId, exchange: ExchangeId) {
        let Some(it) = self.sessions.get_mut(session) else { return };
        it.streams.retain(|stream| *stream != exchange);
        it.last_active = cx.now;
        if it.transport == super::session::Transport::Sse(exchange) {
            self.drop_session(cx, session);
        }
    }
}

fn is_closing(state: &State) -> bool {
    matches!(state, State::Closing { .. })
}
