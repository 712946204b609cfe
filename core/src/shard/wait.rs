//! Requests that wait for servers that were never seen, or for lists that are just being told: they are asked again when that is
//! done, or when their patience ends, and then get what there is. What is to be said of a subscription waits for its turn.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Cx, Exchange, Shard};
use crate::mcp::{ListKind, Method, Route, Row};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Message};
use crate::upstream::{Call, Caller, Purpose, Seat, Upstream};
use crate::{Denied, Exceeded, ExchangeId, Fault, KeyId, Limit, Rejection, Timestamp, UpstreamFault};

/// Whether a request may wait, or takes what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Ended,
    Waits,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub caller: Caller,
    pub body: Envelope,
    pub until: Timestamp,
    /// The resource of a process of whose subscription it waits to say something.
    pub turn: Option<(Seat, String)>,
}

impl Waiter {
    /// One server is waited for as long as it may take to start; of several, the rest is not kept waiting.
    pub(super) fn new(cx: &Cx<'_>, caller: Caller, body: Envelope) -> Self {
        // Who asks what a server is takes another way when it is not said soon.
        let discovers =
            matches!(body.message(), Message::Request { method, .. } if method == Method::Discover.name());
        let patience = match &caller.target {
            Target::Server(_) if discovers => cx.limits().discover_wait,
            Target::Server(name) => {
                let config = cx.snapshot.named(name).and_then(|entry| entry.config.as_ref());
                Duration::from_secs(config.map_or(30, |server| u64::from(server.spec.timeout_s)))
                    .saturating_mul(2)
            }
            Target::Unified => cx.limits().discover_wait,
        };
        Self { until: cx.now.after(patience), caller, body, turn: None }
    }
}

impl Shard {
    /// Whether what a request needs to be known of the servers behind its endpoint was never told, and may still be; asks for it.
    pub(super) fn is_missing(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) -> bool {
        let need = Need::of(caller, body);
        self.see(cx, &caller.target, need.list);
        if need.list.is_some() {
            self.look_again(cx, &caller.target);
        }
        self.waits_for(cx, &caller.target, need)
    }

    /// Wants the servers behind an endpoint that were never seen, or owe a list.
    pub(super) fn see(&mut self, cx: &mut Cx<'_>, target: &Target, list: Option<ListKind>) {
        let owing: Vec<_> = cx.snapshot.behind(target).filter(|entry| entry.owes(list)).cloned().collect();
        for entry in owing {
            self.shared(cx, &entry).process.want(cx.now);
        }
    }

    /// The servers behind the endpoint that are about to tell what is needed of them.
    pub(super) fn being_seen(
        &self,
        cx: &Cx<'_>,
        target: &Target,
        need: Need,
    ) -> impl Iterator<Item = &Upstream> {
        let wanted =
            cx.snapshot.behind(target).filter(move |entry| need.newest || entry.is_unseen(need.list));
        wanted.filter_map(|entry| self.upstreams.shared(entry.id)).filter(|upstream| self.learns(upstream))
    }

    /// Whether one of them is worth waiting for. Of several servers, one that has failed before, or takes its time,
    /// keeps nobody waiting.
    fn waits_for(&self, cx: &Cx<'_>, target: &Target, need: Need) -> bool {
        let patience = cx.limits().discover_wait;
        !self.stopping
            && self.being_seen(cx, target, need).any(|upstream| {
                let asked_at = upstream.process.wanted_at.max(upstream.listed_at);
                let fails = upstream.process.failure.is_some() || upstream.listless > 0;
                *target != Target::Unified || (!fails && cx.now.since(asked_at) < patience)
            })
    }

    /// Why an endpoint has nothing to say.
    pub(super) fn why_missing(&self, cx: &Cx<'_>, target: &Target) -> Fault {
        let Target::Server(name) = target else {
            return Rejection::NoSuchEndpoint.into();
        };
        let Some(entry) = cx.snapshot.named(name) else {
            return UpstreamFault::Removed { server: (**name).into() }.into();
        };
        let upstream = self.upstreams.shared(entry.id);
        upstream.map_or_else(
            || UpstreamFault::Removed { server: (**name).into() }.into(),
            |upstream| upstream.unavailable().into(),
        )
    }

    /// Lets a request wait.
    pub(super) fn wait(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope) {
        let waiter = Waiter::new(cx, caller, body);
        self.keep_waiter(cx, waiter);
    }

    pub(super) fn keep_waiter(&mut self, cx: &mut Cx<'_>, waiter: Waiter) {
        if let Err(exceeded) = self.admit_waiter(cx, &waiter) {
            self.forget_unopened(&waiter.caller);
            return self.fail(cx, &waiter.caller, &exceeded.into());
        }
        if waiter.caller.ends {
            self.exchanges.insert(waiter.caller.exchange, Exchange::Waiter);
        }
        self.waiters.push(waiter);
    }

    /// What waits is bounded like what is on its way, and nobody has more of it than is left for others.
    fn admit_waiter(&self, cx: &Cx<'_>, new: &Waiter) -> Result<(), Exceeded> {
        let (bytes, key) = (new.body.bytes().len(), self.key_of(&new.caller));
        let (most, most_bytes) = (cx.limits().project_in_flight, cx.limits().link_in_flight_bytes);
        let waiting: usize = self.waiters.iter().map(|waiter| waiter.body.bytes().len()).sum();
        let hint = "servers start, or are slow to answer; try again in a moment";
        let in_session =
            |it: &&Waiter| it.caller.session.is_some() && it.caller.session == new.caller.session;
        let a_session = cx.limits().session_in_flight;
        if self.waiters.iter().filter(in_session).count() >= a_session {
            return Err(Exceeded { limit: Limit::SessionInFlight, value: a_session as u64, hint });
        }
        let own = self.waiters.iter().filter(|it| self.key_of(&it.caller) == key).count();
        if own >= most.saturating_sub(self.waiters.len()) {
            return Err(Exceeded { limit: Limit::ProjectInFlight, value: most as u64, hint });
        }
        if waiting.saturating_add(bytes) > most_bytes {
            return Err(Exceeded { limit: Limit::LinkInFlightBytes, value: most_bytes as u64, hint });
        }
        Ok(())
    }

    /// A session whose `initialize` comes to nothing is not opened.
    fn forget_unopened(&mut self, caller: &Caller) {
        if let Some(session) = caller.session.filter(|_| caller.ends)
            && self.sessions.get(session).is_some_and(|session| session.revision.is_none())
        {
            self.sessions.remove(session);
        }
    }

    /// Requests whose answers nobody wants any more.
    pub(super) fn drop_waiters(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Waiter) -> bool) {
        let waiters = core::mem::take(&mut self.waiters);
        let (gone, kept): (Vec<Waiter>, Vec<Waiter>) = waiters.into_iter().partition(which);
        self.waiters = kept;
        for Waiter { caller, .. } in gone {
            if !caller.ends {
                self.count_down(cx, caller.exchange);
            } else if self.exchanges.remove(&caller.exchange).is_some() {
                self.finish(cx, caller.exchange);
            }
        }
    }

    /// A key was revoked: what waits with it is not begun any more.
    pub(super) fn refuse_waiters(&mut self, cx: &mut Cx<'_>, key: &KeyId) {
        let waiters = core::mem::take(&mut self.waiters);
        let with_key = |waiter: &Waiter| self.key_of(&waiter.caller) == Some(key);
        let (refused, kept): (Vec<Waiter>, Vec<Waiter>) = waiters.into_iter().partition(with_key);
        self.waiters = kept;
        for waiter in refused {
            self.fail(cx, &waiter.caller, &Denied::Unauthenticated.into());
        }
        // Also what a server that has been given another link still works on, and may refuse there.
        let retired = self.retired.values_mut().map(|(upstream, _)| upstream);
        let all = self.upstreams.values_mut().chain(retired);
        let unsent: Vec<Call> = all.flat_map(|upstream| upstream.calls.take_unsent_of(key)).collect();
        for call in unsent {
            if let Purpose::Client(caller, _) = call.purpose {
                self.settle(caller.session);
                self.fail(cx, &caller, &Denied::Unauthenticated.into());
            }
        }
        self.subscriptions.turns_over = true;
    }

    /// The client of a request that waits has gone. A session that it was about to open is not opened.
    pub(super) fn on_waiter_gone(&mut self, cx: &Cx<'_>, exchange: ExchangeId) {
        let waiters: Vec<Waiter> =
            self.waiters.extract_if(.., |waiter| waiter.caller.exchange == exchange).collect();
        for waiter in waiters {
            self.forget_unopened(&waiter.caller);
            self.leave_turn(cx, &waiter);
        }
    }

    /// Asks again what can be answered now.
    pub(super) fn retry_waiters(&mut self, cx: &mut Cx<'_>) {
        let waiters = core::mem::take(&mut self.waiters);
        for waiter in waiters {
            let waits = match &waiter.turn {
                Some((seat, uri)) => self.is_telling(seat, uri),
                None => {
                    let need = Need::of(&waiter.caller, &waiter.body);
                    waiter.until > cx.now && self.waits_for(cx, &waiter.caller.target, need)
                }
            };
            if waits {
                self.waiters.push(waiter);
            } else {
                if waiter.caller.ends {
                    self.exchanges.remove(&waiter.caller.exchange);
                }
                self.dispatch(cx, waiter.caller, waiter.body, Patience::Ended);
            }
        }
    }
}

/// What has to be known of servers for a request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    /// The list that has to have been told.
    pub list: Option<ListKind>,
    /// It names something that nobody has told: a list that is being told anew may have it.
    newest: bool,
}

impl Need {
    pub(super) fn of(caller: &Caller, body: &Envelope) -> Self {
        let Message::Request { method, .. } = body.message() else { return Self::default() };
        let Some(row) = Row::find(method, caller.revision) else { return Self::default() };
        let list = match (row.route, row.method) {
            (Route::List(kind), _) => Some(kind),
            (Route::ByTool, _) => Some(ListKind::Tools),
            (Route::ByPrompt, _) => Some(ListKind::Prompts),
            (Route::ByReference, _) if body.has(Field::RefName) => Some(ListKind::Prompts),
            (Route::ByReference, _) => Some(ListKind::Templates),
            (Route::ByUri, _)
            | (_, Method::Listen | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe) => {
                Some(ListKind::Resources)
            }
            (Route::Own, _) => None,
        };
        Self { list, newest: list.is_some() && !matches!(row.route, Route::List(_)) }
    }
}
