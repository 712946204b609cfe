//! Subscriptions to resources: many clients, one subscription at the server.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::granting::Grant;
use super::locate::{Located, locate, locate_resource};
use super::subscriptions::cost;
use super::wait::Patience;
use super::{Cx, Shard, Subscriber};
use crate::mcp::{Method, Route};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, write};
use crate::snapshot::Entry;
use crate::upstream::{Caller, Request, Seat, Subscribes};
use crate::{Exceeded, KeyId, Limit, Rejection};

impl Shard {
    /// `resources/subscribe` and `resources/unsubscribe`: the server hears of the first and of the last.
    pub(super) fn subscribe(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        body: Envelope,
        method: Method,
        patience: Patience,
    ) {
        let Some((entry, uri)) = self.resource_of(cx, &caller, &body, method) else {
            if patience == Patience::Waits && self.is_missing(cx, &caller, &body) {
                return self.wait(cx, caller, body);
            }
            let uri = body.text(Field::Uri).unwrap_or_default().into_owned();
            let revision = caller.revision;
            return self.fail(cx, &caller, &Rejection::UnknownResource { uri, revision }.into());
        };
        if entry.offer.as_ref().is_some_and(|offer| !offer.capabilities.subscribe) {
            let fault = Rejection::UnknownMethod(method.name().to_owned()).into();
            return self.fail(cx, &caller, &fault);
        }
        let Some(session) = caller.session else { return };
        let known_as = body.text(Field::Uri).unwrap_or_default().into_owned();
        let (uri, who) = (uri.unwrap_or_else(|| known_as.clone()), Subscriber::Session(session));
        let subscribes = method == Method::ResourcesSubscribe;
        if subscribes && let Some(exceeded) = self.exceeds(cx, who, (&uri, &known_as)) {
            return self.fail(cx, &caller, &exceeded.into());
        }
        let wish = Subscribes { ends: !subscribes, uri, known_as };
        if subscribes && self.speaks(&entry).is_modern() {
            return self.subscribe_to_news(cx, caller, &entry, wish);
        }
        let owner = self.owner(cx, &entry, &caller);
        match self.seat(cx, &entry, owner) {
            Ok(seat) => self.subscribe_at(cx, (caller, body, method), (&entry, &seat), wish),
            Err(fault) => self.fail(cx, &caller, &fault),
        }
    }

    /// The server is told what it does not know yet, when it is done with what it was told before.
    fn subscribe_at(
        &mut self,
        cx: &mut Cx<'_>,
        (caller, body, method): (Caller, Envelope, Method),
        (entry, seat): (&Arc<Entry>, &Seat),
        wish: Subscribes,
    ) {
        let Some(who) = caller.session.map(Subscriber::Session) else { return };
        let Subscribes { uri, known_as, ends } = &wish;
        if self.is_telling(seat, uri) {
            return self.wait_for_turn(cx, caller, body, (seat.clone(), wish.uri));
        }
        let tell = if *ends {
            self.unsubscribe(cx, seat, uri, (who, known_as))
        } else if self.subscriptions.is_held(seat, uri) && self.tells_of(seat, uri) == Some(true) {
            self.subscriptions.add(seat, uri, who, known_as)
        } else {
            true
        };
        let modern = self.speaks(entry).is_modern();
        if tell && modern {
            self.want_news(cx, seat);
        }
        if !tell || modern {
            return self.respond(cx, &caller, b"{}");
        }
        let mut raw = Vec::new();
        write::string(&mut raw, uri);
        let edits = Vec::from([(Field::Uri, Cow::Owned(raw))]);
        let request = Request::new(method.name().into(), body, edits);
        self.forward(cx, caller, entry, Request { subscribes: Some(Box::new(wish)), ..request });
    }

    /// Which bound somebody exceeds with this subscription: by the server's name, and by theirs.
    pub(super) fn exceeds(&self, cx: &Cx<'_>, who: Subscriber, names: (&str, &str)) -> Option<Exceeded> {
        let (limits, hint) = (cx.limits(), "unsubscribe from what is not needed any more");
        let size = |(uri, known_as): (&str, &str)| uri.len().saturating_add(known_as.len());
        let held = self.subscriptions.names_of(who).map(|(_, uri, known_as)| (uri, known_as));
        let others = held.filter(|held| *held != names);
        let (count, bytes) = others.fold((0_usize, size(names)), |(count, bytes), held| {
            (count.saturating_add(1), bytes.saturating_add(size(held)))
        });
        let exceeded = |limit, value: usize| Some(Exceeded { limit, value: value as u64, hint });
        if count >= limits.subscriptions {
            exceeded(Limit::Subscriptions, limits.subscriptions)
        } else if bytes > limits.session_bytes {
            exceeded(Limit::SessionBytes, limits.session_bytes)
        } else if self.room(cx, who, self.key_of_subscriber(who)) < cost(names.0, names.1) {
            exceeded(Limit::SubscriptionBytes, limits.subscription_bytes)
        } else {
            None
        }
    }

    fn key_of_subscriber(&self, who: Subscriber) -> Option<&KeyId> {
        match who {
            Subscriber::Listener(stream) => self.listeners.get(&stream).map(|listener| &listener.key),
            Subscriber::Session(session) => self.sessions.get(session).map(|session| &session.key),
        }
    }

    /// How many bytes more of subscriptions somebody of this key may take: what the key has then is not more than what is left for
    /// others.
    fn room(&self, cx: &Cx<'_>, who: Subscriber, key: Option<&KeyId>) -> usize {
        let (limits, all) = (cx.limits(), self.subscriptions.bytes());
        let left = limits.subscription_bytes.saturating_sub(all);
        let room = |own: usize| left.saturating_sub(own) / 2;
        // Where there is plenty, nobody has to be counted.
        if room(all) >= limits.session_bytes.saturating_mul(2) {
            return room(all);
        }
        room(self.subscriptions.bytes_of(|it| it == who || self.key_of_subscriber(it) == key))
    }

    /// Ends what somebody has subscribed to under a name, wherever they did. Returns whether the process of this seat is still to be
    /// told; the others are.
    fn unsubscribe(
        &mut self,
        cx: &mut Cx<'_>,
        seat: &Seat,
        uri: &str,
        (who, known_as): (Subscriber, &str),
    ) -> bool {
        let told = self.is_wanted(seat, uri);
        for place in self.subscriptions.named(who, known_as) {
            let (at, own) = &place;
            if self.subscriptions.remove_name(&place, who, known_as) && at != seat {
                self.tell_server(cx, at, Method::ResourcesUnsubscribe, own);
            }
        }
        if let Subscriber::Session(session) = who
            && let Some(session) = self.sessions.get_mut(session)
        {
            session.unsaid.resources.remove(known_as);
        }
        told && !self.is_wanted(seat, uri)
    }

    /// The resource that a request is about. Who unsubscribes means what was subscribed to, wherever its name would lead
    /// now.
    fn resource_of(
        &mut self,
        cx: &Cx<'_>,
        caller: &Caller,
        body: &Envelope,
        method: Method,
    ) -> Option<Located> {
        let ends = caller.session.filter(|_| method == Method::ResourcesUnsubscribe);
        let held = ends.and_then(|session| {
            let name = body.text(Field::Uri)?;
            self.subscriptions.named(Subscriber::Session(session), &name).pop()
        });
        if let Some((seat, uri)) = held
            && let Some(entry) = cx.snapshot.entry(seat.server)
        {
            return Some((Arc::clone(entry), Some(uri)));
        }
        locate(cx.snapshot, &mut self.shown, &caller.target, Route::ByUri, body)
    }

    /// Subscribes a stream of the 2026 era to resources. Returns those that can be heard of, and of which of them a server has
    /// still to say whether it tells.
    pub(super) fn subscribe_listener(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        uris: &[String],
    ) -> (Vec<String>, Vec<Grant>) {
        let (mut heard, mut asked) = (Vec::new(), Vec::new());
        let who = Subscriber::Listener(caller.exchange);
        let mut room = self.room(cx, who, caller.key.as_ref());
        let mut left = cx.limits().session_bytes;
        for known_as in uris.iter().take(cx.limits().subscriptions) {
            let Some(rest) = left.checked_sub(known_as.len()) else { break };
            left = rest;
            let Some((entry, uri)) = self.place_of(cx, &caller.target, known_as) else { continue };
            let Some(rest) = room.checked_sub(cost(&uri, known_as)) else { break };
            room = rest;
            let seat = Seat::shared(entry.id);
            if self.subscriptions.add(&seat, &uri, who, known_as) {
                self.tell_server(cx, &seat, Method::ResourcesSubscribe, &uri);
            }
            self.want_heard(cx, &seat);
            if let Some(key) = &caller.key {
                self.lead(cx, entry.id, key, &uri, Method::ResourcesSubscribe);
            }
            match self.tells_of(&seat, &uri) {
                Some(true) => {}
                Some(false) => {
                    self.subscriptions.remove(&seat, &uri, who);
                    continue;
                }
                None => asked.push(Grant { seat, uri, known_as: known_as.clone() }),
            }
            heard.push(known_as.clone());
        }
        (heard, asked)
    }

    /// The server of a resource that can be subscribed to, and the server's own name for it.
    fn place_of(&mut self, cx: &Cx<'_>, target: &Target, uri: &str) -> Option<(Arc<Entry>, String)> {
        let (entry, own) = locate_resource(cx.snapshot, &mut self.shown, target, uri)?;
        let able = entry.offer.as_ref().is_some_and(|offer| offer.capabilities.subscribe);
        able.then(|| (entry, own.unwrap_or_else(|| uri.to_owned())))
    }

    /// A subscriber is gone: servers stop to tell what nobody hears.
    pub(super) fn drop_subscriber(&mut self, cx: &mut Cx<'_>, who: Subscriber) {
        self.subscriptions.forget_left(|_, it| it == who);
        for (seat, uri) in self.subscriptions.of(who) {
            if self.subscriptions.remove(&seat, &uri, who) {
                self.tell_server(cx, &seat, Method::ResourcesUnsubscribe, &uri);
            }
        }
    }
}
