//! What servers of the eras with sessions are told of subscriptions: about one resource one thing at a time.
//!
//! Two requests that are under way to a remote server may be taken in another order, and whoever ends a subscription before its
//! server has said yes means that one. So what follows waits for the answer to what went before.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::wait::Waiter;
use super::{Cx, Shard, Subscriber};
use crate::mcp::Method;
use crate::rpc::{Envelope, Field, write};
use crate::upstream::{Call, Caller, Purpose, Seat, Subscribes, Upstream};
use crate::{LinkId, Timestamp};

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
        let seat = self.upstream_at(link).map(Upstream::seat);
        if let (Some(session), Some(seat)) = (session, seat)
            && says_yes
            && !it.ends
        {
            self.subscriptions.add(&seat, &it.uri, Subscriber::Session(session), &it.known_as);
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

    /// A subscription is given up before its server has answered: it may have made it.
    pub(super) fn undo_subscription(&mut self, cx: &mut Cx<'_>, link: Option<LinkId>, call: &Call) {
        let Some((uri, begins)) = call.subscription() else { return };
        self.subscriptions.turns_over = true;
        let Some(seat) = link.and_then(|link| self.links.get(&link)).cloned() else { return };
        if begins && call.sent && !self.is_wanted(&seat, uri) {
            self.tell_server(cx, &seat, Method::ResourcesUnsubscribe, uri);
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
