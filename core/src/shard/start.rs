//! Starting and ending servers: in their turn, when their configuration changes, and when the hub stops.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::session::{Session, Transport};
use super::{Cx, Effect, Shard, grace};
use crate::record::{LogCategory, LogLevel};
use crate::snapshot::{Changes, Entry};
use crate::upstream::{Call, Failure, Owner, Seat, State, Upstream};
use crate::{CallId, LinkId, ServerId, UpstreamFault};

impl Shard {
    /// Starts servers that are wanted, only so many at the same time.
    pub(super) fn start_queued(&mut self, cx: &mut Cx<'_>) {
        self.upstreams.note();
        let mut starting = self.upstreams.starting();
        let queued: Vec<Seat> = self.upstreams.queued().cloned().collect();
        for seat in queued {
            if starting >= cx.limits().starting {
                return;
            }
            if self.start(cx, &seat) {
                starting = starting.saturating_add(1);
            }
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>, seat: &Seat) -> bool {
        let config = cx
            .snapshot
            .entry(seat.server)
            .filter(|entry| entry.enabled())
            .and_then(|entry| entry.config.clone());
        let link = self.mint_link();
        let Some(upstream) = self.upstreams.get_mut(seat) else { return false };
        let Some(server) = config.filter(|_| !self.stopping) else {
            upstream.process.stop();
            self.refuse_unsent(cx, seat);
            return false;
        };
        let deadline = cx.now.after(Duration::from_secs(u64::from(server.spec.timeout_s)));
        upstream.process.state = State::Opening { link, deadline };
        self.links.insert(link, seat.clone());
        cx.effect(Effect::OpenLink { link, server: Box::new(server) });
        true
    }

    /// The project is another one: servers that are gone or changed end, sessions of gone servers end, and
    /// everybody is told.
    pub(super) fn on_snapshot_replaced(&mut self, cx: &mut Cx<'_>, changes: &Changes) {
        for id in &changes.ended {
            self.retire(cx, *id);
        }
        let snapshot = cx.snapshot;
        self.publications.retain(|server, publication| publication.may_come(snapshot, *server));
        self.renew_offers(cx);
        self.tell_changes(cx, changes, &Owner::Project);
        self.retry_waiters(cx);
        self.drop_homeless(cx);
        self.end_listeners(cx, |listener| !snapshot.has(&listener.target));
    }

    /// Ends the sessions of endpoints that are gone. One that waits for answers ends when it has them.
    pub(super) fn drop_homeless(&mut self, cx: &mut Cx<'_>) {
        let homeless = |session: &&Session| session.in_flight == 0 && !cx.snapshot.has(&session.target);
        let homeless: Vec<_> = self.sessions.iter().filter(homeless).map(|session| session.id).collect();
        for session in homeless {
            self.drop_session(cx, session);
        }
    }

    /// Takes all processes of a server out of use. Where it goes on as another one, so do the calls that it was not sent.
    fn retire(&mut self, cx: &mut Cx<'_>, id: ServerId) {
        let goes_on = cx.snapshot.entry(id).filter(|entry| entry.enabled()).cloned();
        let seats: Vec<Seat> = self.upstreams.of(id).map(Upstream::seat).collect();
        let (mut moved, mut watched) = (Vec::new(), Vec::new());
        for seat in seats {
            watched.extend(Some(seat.clone()).filter(|seat| !self.subscriptions.at(seat).is_empty()));
            if let Some(upstream) = self.upstreams.get_mut(&seat).filter(|_| goes_on.is_some()) {
                moved.extend(upstream.calls.take_movable());
            }
            self.vacate(cx, &seat, "it was removed or changed");
        }
        if let Some(entry) = goes_on {
            for (id, call) in moved {
                self.seat_again(cx, &entry, id, call);
            }
            for seat in watched {
                self.hear_again(cx, &entry, seat);
            }
        }
    }

    /// Who has subscribed at a server that is another one now does not know what has changed with that.
    fn hear_again(&mut self, cx: &mut Cx<'_>, entry: &Entry, seat: Seat) {
        let seat = self.seat(cx, entry, seat.owner).ok();
        if let Some(upstream) = seat.and_then(|seat| self.upstreams.get_mut(&seat)) {
            upstream.unheard = true;
            upstream.process.want(cx.now);
        }
    }

    /// A call waits for the server as it is now.
    fn seat_again(&mut self, cx: &mut Cx<'_>, entry: &Entry, id: CallId, mut call: Call) {
        let Some(caller) = call.purpose.client().cloned() else { return };
        let owner = self.owner(cx, entry, &caller);
        match self.seat(cx, entry, owner) {
            Ok(seat) => {
                if let Some(upstream) = self.upstreams.get_mut(&seat) {
                    upstream.process.want(cx.now);
                    upstream.calls.insert(id, call);
                }
            }
            Err(fault) => {
                self.record_fault(cx, (entry.id, &entry.name), &mut call, &fault);
                self.answer_fault(cx, call, &fault);
            }
        }
    }

    /// Takes a process out of use. Calls that it has may end; calls that it has not get an answer now.
    pub(super) fn vacate(&mut self, cx: &mut Cx<'_>, seat: &Seat, why: &str) {
        self.refuse_unsent(cx, seat);
        let until = cx.now.after(cx.limits().drain);
        // What is left of sessions before has no more time than the last.
        for (_, drained) in self.retired.values_mut().filter(|(left, _)| left.seat() == *seat) {
            *drained = until.min(*drained);
        }
        let Some(mut upstream) = self.upstreams.remove(seat) else { return };
        self.subscriptions.turns_over = true;
        self.drop_offer(cx, seat);
        if let Some(link) = upstream.process.link() {
            cx.report(&upstream.name, LogLevel::Info, LogCategory::Connection, format!("ends: {why}"));
            upstream.relearn_at = None;
            let told: Vec<_> = upstream.calls.task_streams().map(|(_, exchange)| exchange).collect();
            self.retired.insert(link, (upstream, until));
            for exchange in told {
                self.end_listener(cx, exchange);
            }
            self.end_if_drained(cx, link);
        }
    }

    /// Answers the calls that a server was not sent and will not be.
    fn refuse_unsent(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        let (id, server, unsent) = (upstream.id, upstream.name.clone(), upstream.calls.take_unsent_calls());
        for mut call in unsent {
            if call.purpose.client().is_none() {
                continue;
            }
            let name = server.clone();
            let fault = if call.is_begun() {
                let cause = "it was removed or changed".into();
                UpstreamFault::OutcomeUnknown { server: name, cause }.into()
            } else {
                UpstreamFault::Removed { server: name }.into()
            };
            self.record_fault(cx, (id, &server), &mut call, &fault);
            self.answer_fault(cx, call, &fault);
        }
    }

    /// Closes the link of a retired server when no client wants an answer of it any more; where only its session is another,
    /// when it works on nothing.
    pub(super) fn end_if_drained(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some((upstream, until)) = self.retired.get_mut(&link) else { return };
        let free = if upstream.expired { upstream.calls.is_free() } else { !upstream.calls.are_wanted() };
        let done = free || *until <= cx.now;
        if done && !matches!(upstream.process.state, State::Closing { .. }) {
            upstream.process.state = State::Closing { link };
            cx.effect(Effect::CloseLink { link, grace: grace(cx.snapshot.limits()) });
        }
    }

    /// Goes on with what an earlier life has left, and sees every server once that was never seen.
    pub(super) fn on_survey_asked(&mut self, cx: &mut Cx<'_>) {
        self.resume_runs(cx, |_| true);
        self.see(cx, &crate::ports::gateway::Target::Unified, None);
    }

    /// Ends what would never end by itself, while the hub drains or is handed over. A stream of the oldest transport carries answers: it
    /// ends when there are none to come.
    pub(super) fn end_endless(&mut self, cx: &mut Cx<'_>) {
        self.opening.clear();
        self.end_listeners(cx, |_| true);
        let waits = |session: &Session| {
            let mut waiters = self.waiters.iter();
            session.in_flight > 0 || waiters.any(|waiter| waiter.caller.session == Some(session.id))
        };
        let oldest = |session: &&Session| session.transport != Transport::Http && !waits(session);
        let oldest: Vec<_> = self.sessions.iter().filter(oldest).map(|session| session.id).collect();
        for session in oldest {
            self.drop_session(cx, session);
        }
        let newer = self.sessions.iter_mut().filter(|session| session.transport == Transport::Http);
        let streams: Vec<_> = newer.flat_map(|session| session.streams.drain(..)).collect();
        for stream in streams {
            self.exchanges.remove(&stream);
            self.finish(cx, stream);
        }
    }

    /// The hub stops: what waits is answered, links close, and streams end.
    pub(super) fn on_stopping(&mut self, cx: &mut Cx<'_>) {
        (self.draining, self.leaving, self.stopping) = (true, true, true);
        self.put_runs_aside(cx);
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.give_up(cx, link);
        }
        let idle = self.upstreams.values_mut().filter(|upstream| upstream.process.link().is_none());
        let idle: Vec<Seat> = idle.map(|upstream| upstream.seat()).collect();
        for seat in idle {
            if let Some(upstream) = self.upstreams.get_mut(&seat) {
                upstream.process.stop();
            }
            self.refuse_unsent(cx, &seat);
        }
        self.give_up_goals(cx);
        self.retry_waiters(cx);
    }

    /// Closes a link and answers its calls: a server may take longer to end than a client is still connected.
    fn give_up(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        self.forget_questions(cx, link);
        if let Some(upstream) = self.upstream_of(link) {
            upstream.process.state = State::Closing { link };
            let (id, server, calls) = (upstream.id, upstream.name.clone(), upstream.calls.drain());
            self.answer_lost(cx, (id, &server), &Failure::passing("the hub stops"), calls);
        }
        cx.effect(Effect::CloseLink { link, grace: grace(cx.limits()) });
    }
}
