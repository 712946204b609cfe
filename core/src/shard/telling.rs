//! What servers of the eras with sessions are told of subscriptions: about one resource one thing at a time.
//!
//! Two requests that are under way to a remote server may be taken in another order, and whoever ends a subscription before its
//! server has said yes means that one. So what follows waits for the answer to what went before.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::wait::Waiter;
use super::{Cx, Shard, Subscriber};
use crate::mcp::Method;
use crate::rpc::{Envelope, Field, Message, write};
use crate::upstream::{Caller, Purpose, Seat, Subscribes};
use crate::{CallId, Fault, LinkId, Timestamp, UpstreamFault};

impl Shard {
    /// Whether a server is being told something of this resource, and has not answered.
    pub(super) fn is_telling(&self, seat: &Seat, uri: &str) -> bool {
        self.upstreams.get(seat).is_some_and(|upstream| upstream.calls.are_about(uri))
    }

    /// Whether anybody wants to hear from a process of this resource.
    pub(super) fn is_wanted(&self, seat: &Seat, uri: &str) -> bool {
        self.subscriptions.is_held(seat, uri) || self.followed(seat).iter().any(|own| own == uri)
    }

    /// Lets a request wait until the server has answered what it was told of the resource before. That has an end of its own.
    pub(super) fn wait_for_turn(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        body: Envelope,
        turn: (Seat, String),
    ) {
        let waiter = Waiter { caller, body, until: Timestamp::NEVER, turn: Some(turn) };
        self.keep_waiter(cx, waiter);
    }

    /// Whether it may be the turn of somebody who waits.
    pub(super) fn has_turns(&self) -> bool {
        self.subscriptions.turns_over && self.waiters.iter().any(|waiter| waiter.turn.is_some())
    }

    /// Goes on with those whose turn it is.
    pub(super) fn pass_turns(&mut self, cx: &mut Cx<'_>) {
        while self.has_turns() {
            self.subscriptions.turns_over = false;
            self.retry_waiters(cx);
        }
        self.subscriptions.turns_over = false;
    }

    /// A client's request about a subscription was answered. Its client may have gone: that ends no request of these eras.
    pub(super) fn on_subscribed(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        caller: &Caller,
        subscribes: Option<Box<Subscribes>>,
        response: &Envelope,
    ) {
        let Some(it) = subscribes else { return };
        let says_yes = response.has(Field::Result);
        let session = caller.session.filter(|session| self.sessions.get(*session).is_some());
        match self.links.get(&link).cloned().filter(|_| !it.ends) {
            Some(seat) if says_yes => {
                if let Some(who) = session.map(Subscriber::Session) {
                    self.subscriptions.add(&seat, &it.uri, who, &it.known_as);
                }
            }
            Some(seat) => {
                // What more it has said is for the one that it was asked for.
                let raw = |field, other| response.raw_str(field).unwrap_or(other);
                let (code, message) = (raw(Field::Code, "-32603"), raw(Field::ErrorMessage, r#""refused""#));
                let refusal = format!(r#"{{"code":{code},"message":{message}}}"#);
                for Waiter { caller, .. } in self.take_turns(&seat, Some(&it.uri)) {
                    let answer = write::raw_error(&caller.id, refusal.as_bytes());
                    self.deliver(cx, &caller, 200, answer);
                }
            }
            None => {}
        }
        self.on_heeded(cx, link, &it.uri, (!it.ends).then_some(says_yes));
    }

    /// A server was told of a resource that somebody wants to hear of it, and says whether it tells; or that nobody does.
    /// Others may want something else meanwhile.
    pub(super) fn on_heeded(&mut self, cx: &mut Cx<'_>, link: LinkId, uri: &str, tells: Option<bool>) {
        self.subscriptions.turns_over = true;
        let Some(seat) = self.links.get(&link).cloned() else { return };
        if self.retired.contains_key(&link) {
            // What was subscribed to in a session that has another in its place is subscribed to in that as well.
            return self.subscribe_in_next(cx, link);
        }
        self.subscriptions.take_up(&seat, uri);
        match (tells, self.is_wanted(&seat, uri)) {
            (Some(true), false) => self.tell_server(cx, &seat, Method::ResourcesUnsubscribe, uri),
            (None, true) => self.tell_server(cx, &seat, Method::ResourcesSubscribe, uri),
            (Some(false), _) => self.subscriptions.drop_streams(&seat, uri),
            (Some(true), true) | (None, false) => {}
        }
        if let Some(tells) = tells {
            self.on_granted(cx, link, |it| (*it == *uri).then_some(tells));
        }
    }

    /// The time of a client for what it wanted said of a subscription is over: it is told so, and so is whoever waits to ask the same.
    /// Returns whether it is such a call; its server may still answer.
    pub(super) fn expire_subscription(&mut self, cx: &mut Cx<'_>, link: LinkId, id: CallId) -> bool {
        let until = cx.now.after(cx.limits().call);
        let Some(upstream) = self.upstream_of(link) else { return false };
        let Some(call) = upstream.calls.get_mut(id) else { return false };
        let (since, turn) = (call.since, call.subscription().map(|(uri, _)| uri.to_owned()));
        let Some(caller) = upstream.calls.part(id, until) else { return false };
        let (server, strays, seat) = (upstream.name.clone(), upstream.strays, upstream.seat());
        let within = cx.now.since(since);
        let fault = UpstreamFault::TimedOut { server, within, strays }.into();
        self.end_questions(cx, id);
        self.settle(caller.session);
        self.fail(cx, &caller, &fault);
        self.fail_turns(cx, &seat, turn.as_deref(), &fault);
        true
    }

    /// Those who wait to ask what somebody else was refused, of one resource or of all, are told the same.
    pub(super) fn fail_turns(&mut self, cx: &mut Cx<'_>, seat: &Seat, uri: Option<&str>, fault: &Fault) {
        if uri.is_none() {
            self.subscriptions.forget_left(|at, _| at == seat);
        }
        for waiter in self.take_turns(seat, uri) {
            self.fail(cx, &waiter.caller, fault);
        }
    }

    /// Takes those who wait to subscribe.
    fn take_turns(&mut self, seat: &Seat, uri: Option<&str>) -> Vec<Waiter> {
        let meant = |waiter: &mut Waiter| {
            let turn =
                waiter.turn.as_ref().filter(|(at, own)| at == seat && uri.is_none_or(|uri| uri == own));
            turn.is_some() && subscribes(&waiter.body)
        };
        let taken: Vec<Waiter> = self.waiters.extract_if(.., meant).collect();
        for waiter in taken.iter().filter(|waiter| waiter.caller.ends) {
            self.exchanges.remove(&waiter.caller.exchange);
        }
        taken
    }

    /// Who has gone while it waited for its turn wants what it wanted: in these eras that ends no request.
    pub(super) fn leave_turn(&mut self, cx: &Cx<'_>, waiter: &Waiter) {
        let (Some((seat, uri)), Some(session)) = (&waiter.turn, waiter.caller.session) else { return };
        let (who, known_as) =
            (Subscriber::Session(session), waiter.body.text(Field::Uri).unwrap_or_default());
        let subscribes = subscribes(&waiter.body);
        if !subscribes || self.exceeds(cx, who, (uri, &known_as)).is_none() {
            self.subscriptions.leave((seat.clone(), uri.clone()), who, &known_as, subscribes);
        }
    }

    /// A server has started: what its clients have subscribed to, it does not know.
    pub(super) fn restore_subscriptions(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(seat) = self.upstream_of(link).map(|upstream| upstream.seat()) else { return };
        if self.upstream_of(link).is_some_and(|upstream| upstream.revision.is_modern()) {
            return self.open_news(cx, link);
        }
        for uri in self.subscriptions.at(&seat) {
            self.tell_server(cx, &seat, Method::ResourcesSubscribe, &uri);
        }
        self.follow(cx, link);
        // They were meant for a server of the stateless era, which this one was.
        self.answer_subscribers(cx, link, None);
    }

    /// What was subscribed to in a session that has another in its place is subscribed to in that as well.
    fn subscribe_in_next(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let expired = self.retired.get(&link).is_some_and(|(left, _)| left.expired);
        let seat = self.links.get(&link).filter(|_| expired);
        let next = seat.and_then(|seat| self.upstreams.get(seat)?.process.ready_link());
        if let Some(next) = next {
            self.restore_subscriptions(cx, next);
        }
    }

    /// Tells a server of a resource that somebody wants to hear of it, or that nobody does. One that does not run is told when
    /// it starts, and one that is being told something of it when it has answered.
    pub(super) fn tell_server(&mut self, cx: &mut Cx<'_>, seat: &Seat, method: Method, uri: &str) {
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        let Some(link) = upstream.process.ready_link() else { return };
        if upstream.revision.is_modern() {
            // With all that changes at the same time.
            upstream.news.open = false;
            self.stale_news.insert(link);
            return;
        }
        if upstream.calls.are_about(uri) {
            return;
        }
        let mut params = Vec::from(b"{\"uri\":");
        write::string(&mut params, uri);
        params.push(b'}');
        let subscribes = method == Method::ResourcesSubscribe;
        let purpose = if subscribes { Purpose::Subscribe } else { Purpose::Unsubscribe };
        self.send_internal(cx, link, purpose(uri.into()), method.name(), Some(&params));
    }
}

fn subscribes(body: &Envelope) -> bool {
    matches!(body.message(), Message::Request { method, .. } if method == Method::ResourcesSubscribe.name())
}
