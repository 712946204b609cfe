//! Subscriptions to resources: many clients, one subscription at the server, made again when the server is.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::granting::Grant;
use super::locate::{Located, locate, locate_resource};
use super::updated::Hearing;
use super::wait::Patience;
use super::{Cx, Shard};
use crate::mcp::{Method, Route};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, write};
use crate::snapshot::Entry;
use crate::upstream::{Caller, Purpose, Request, Seat, Subscribes, Upstream};
use crate::{Exceeded, ExchangeId, Limit, LinkId, Rejection, SessionId};

/// Who wants to hear of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subscriber {
    /// A stream of the 2026 era.
    Listener(ExchangeId),
    /// A session of the 2025 eras.
    Session(SessionId),
}

/// Who wants to hear of what, by the server and its own name for the resource; with the name that the client uses.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    table: BTreeMap<(Seat, String), BTreeMap<Subscriber, String>>,
    /// Sessions whose subscriptions are others than they were when this was last looked at.
    pub(super) changed: BTreeSet<SessionId>,
}

impl Subscriptions {
    /// Whether this is the first subscription to the resource.
    pub(super) fn add(&mut self, seat: &Seat, uri: &str, who: Subscriber, known_as: &str) -> bool {
        self.note(who);
        let subscribers = self.table.entry((seat.clone(), uri.to_owned())).or_default();
        let first = subscribers.is_empty();
        subscribers.insert(who, known_as.to_owned());
        first
    }

    /// Whether the server holds a subscription to the resource.
    fn is_held(&self, seat: &Seat, uri: &str) -> bool {
        self.table.contains_key(&(seat.clone(), uri.to_owned()))
    }

    /// Whether this was the last subscription to the resource.
    pub(super) fn remove(&mut self, seat: &Seat, uri: &str, who: Subscriber) -> bool {
        self.note(who);
        let key = (seat.clone(), uri.to_owned());
        let Some(subscribers) = self.table.get_mut(&key) else { return false };
        let last = subscribers.remove(&who).is_some() && subscribers.is_empty();
        if last {
            self.table.remove(&key);
        }
        last
    }

    /// A server does not tell of a resource, and no stream waits for that any more. Sessions have its yes to requests of their own.
    pub(super) fn drop_streams(&mut self, seat: &Seat, uri: &str) {
        let key = (seat.clone(), uri.to_owned());
        let Some(subscribers) = self.table.get_mut(&key) else { return };
        subscribers.retain(|who, _| matches!(who, Subscriber::Session(_)));
        if subscribers.is_empty() {
            self.table.remove(&key);
        }
    }

    fn note(&mut self, who: Subscriber) {
        if let Subscriber::Session(session) = who {
            self.changed.insert(session);
        }
    }

    fn of(&self, who: Subscriber) -> Vec<(Seat, String)> {
        let theirs = self.table.iter().filter(|(_, subscribers)| subscribers.contains_key(&who));
        theirs.map(|(key, _)| key.clone()).collect()
    }

    /// What somebody has subscribed to: where, and by the server's name and their own.
    pub(super) fn names_of(&self, who: Subscriber) -> impl Iterator<Item = (Seat, String, String)> {
        self.table.iter().filter_map(move |((seat, uri), names)| {
            Some((seat.clone(), uri.clone(), names.get(&who)?.clone()))
        })
    }

    /// What somebody has subscribed to under a name: at one process, or at several, one after the other.
    fn named(&self, who: Subscriber, known_as: &str) -> Vec<(Seat, String)> {
        let is_it =
            |names: &BTreeMap<Subscriber, String>| names.get(&who).is_some_and(|name| name == known_as);
        self.table.iter().filter(|(_, names)| is_it(names)).map(|(key, _)| key.clone()).collect()
    }

    /// What is subscribed to at a server, by its own names.
    pub(super) fn at(&self, seat: &Seat) -> Vec<String> {
        self.table.keys().filter(|(at, _)| at == seat).map(|(_, uri)| uri.clone()).collect()
    }

    /// What some of the subscribers have at a server, by its own names.
    pub(super) fn held_by(&self, seat: &Seat, which: impl Fn(Subscriber) -> bool) -> Vec<String> {
        let held = self.table.iter().filter(|((at, _), who)| at == seat && who.keys().any(|who| which(*who)));
        held.map(|((_, uri), _)| uri.clone()).collect()
    }

    /// Who has subscribed to this very resource, under the name that each uses.
    pub(super) fn to(&self, seat: &Seat, uri: &str) -> Vec<(Subscriber, String)> {
        let subscribers = self.table.get(&(seat.clone(), uri.to_owned())).into_iter().flatten();
        subscribers.map(|(who, known_as)| (*who, known_as.clone())).collect()
    }

    /// Who hears of a change. A change can be of a part of what was subscribed to (2025-11-25, resources).
    pub(super) fn hearing(&self, seat: &Seat, changed: &str) -> Vec<Hearing> {
        let is_part = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?', '#']);
        let concerns =
            |uri: &str| changed.strip_prefix(uri).is_some_and(|rest| uri.ends_with('/') || is_part(rest));
        let places = self.table.iter().filter(|((at, uri), _)| at == seat && concerns(uri));
        places
            .flat_map(|((_, uri), subscribers)| {
                // A name that is the server's own, wrapped, stays so for the part.
                let part = changed.strip_prefix(uri.as_str()).unwrap_or_default();
                let hearing = move |who: &Subscriber, known_as: &String| {
                    let changed = [known_as, part].concat();
                    Hearing { who: *who, changed, subscribed: known_as.clone() }
                };
                subscribers.iter().map(move |(who, known_as)| hearing(who, known_as))
            })
            .collect()
    }
}

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
            if patience == Patience::Waits && self.is_missing(cx, &caller.target) {
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
        if subscribes && let Some(exceeded) = self.exceeds(cx, who, uri.len().saturating_add(known_as.len()))
        {
            return self.fail(cx, &caller, &exceeded.into());
        }
        let modern = self.speaks(&entry).is_modern();
        if subscribes && modern {
            return self.subscribe_to_news(cx, caller, &entry, Subscribes { uri, known_as });
        }
        let owner = self.owner(cx, &entry, &caller);
        let seat = match self.seat(cx, &entry, owner) {
            Ok(seat) => seat,
            Err(fault) => return self.fail(cx, &caller, &fault),
        };
        let tell = if !subscribes {
            self.unsubscribe(cx, &seat, &uri, (who, &known_as))
        } else if self.subscriptions.is_held(&seat, &uri) && self.tells_of(&seat, &uri) == Some(true) {
            self.subscriptions.add(&seat, &uri, who, &known_as)
        } else {
            true
        };
        if tell && modern {
            self.want_news(cx, &seat);
        }
        if !tell || modern {
            return self.respond(cx, &caller, b"{}");
        }
        let mut raw = Vec::new();
        write::string(&mut raw, &uri);
        let edits = Vec::from([(Field::Uri, Cow::Owned(raw))]);
        let subscribes = subscribes.then(|| Box::new(Subscribes { uri, known_as }));
        let request = Request { subscribes, ..Request::new(method.name().into(), body, edits) };
        self.forward(cx, caller, &entry, request);
    }

    /// Which bound somebody exceeds with one subscription more, of so many bytes.
    fn exceeds(&self, cx: &Cx<'_>, who: Subscriber, more: usize) -> Option<Exceeded> {
        let (limits, hint) = (cx.limits(), "unsubscribe from what is not needed any more");
        let sizes = self
            .subscriptions
            .names_of(who)
            .map(|(_, uri, known_as)| uri.len().saturating_add(known_as.len()));
        let (count, bytes) = sizes.fold((0_usize, more), |(count, bytes), size| {
            (count.saturating_add(1), bytes.saturating_add(size))
        });
        let exceeded = |limit, value: usize| Some(Exceeded { limit, value: value as u64, hint });
        if count >= limits.subscriptions {
            exceeded(Limit::Subscriptions, limits.subscriptions)
        } else if bytes > limits.session_bytes {
            exceeded(Limit::SessionBytes, limits.session_bytes)
        } else {
            None
        }
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
        let tells = |shard: &Self| {
            shard.subscriptions.is_held(seat, uri) || shard.followed(seat).iter().any(|own| own == uri)
        };
        let told = tells(self);
        for (at, own) in self.subscriptions.named(who, known_as) {
            if self.subscriptions.remove(&at, &own, who) && at != *seat {
                self.tell_server(cx, &at, Method::ResourcesUnsubscribe, &own);
            }
        }
        if let Subscriber::Session(session) = who
            && let Some(session) = self.sessions.get_mut(session)
        {
            session.unsaid.resources.remove(known_as);
        }
        told && !tells(self)
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

    /// A server has said yes to a subscription, or no.
    pub(super) fn on_subscribed(
        &mut self,
        link: LinkId,
        caller: &Caller,
        subscribes: Option<Box<Subscribes>>,
        response: &Envelope,
    ) {
        let Some(it) = subscribes.filter(|_| response.has(Field::Result)) else { return };
        let session = caller.session.filter(|session| self.sessions.get(*session).is_some());
        let seat = self.upstream_at(link).map(Upstream::seat);
        if let (Some(session), Some(seat)) = (session, seat) {
            self.subscriptions.add(&seat, &it.uri, Subscriber::Session(session), &it.known_as);
        }
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
        let mut left = cx.limits().session_bytes;
        for known_as in uris.iter().take(cx.limits().subscriptions) {
            let Some(rest) = left.checked_sub(known_as.len()) else { break };
            left = rest;
            let Some((entry, uri)) = self.place_of(cx, &caller.target, known_as) else { continue };
            let seat = Seat::shared(entry.id);
            let who = Subscriber::Listener(caller.exchange);
            if self.subscriptions.add(&seat, &uri, who, known_as) {
                self.tell_server(cx, &seat, Method::ResourcesSubscribe, &uri);
            }
            self.want_heard(cx, &seat);
            if let Some(key) = &caller.key {
                self.lead(cx, entry.id, key, &uri);
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
        for (seat, uri) in self.subscriptions.of(who) {
            if self.subscriptions.remove(&seat, &uri, who) {
                self.tell_server(cx, &seat, Method::ResourcesUnsubscribe, &uri);
            }
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

    /// A server that does not run is told when it starts.
    pub(super) fn tell_server(&mut self, cx: &mut Cx<'_>, seat: &Seat, method: Method, uri: &str) {
        let link = self.upstreams.get(seat).and_then(|upstream| upstream.process.ready_link());
        let Some(link) = link else { return };
        if let Some(upstream) = self.upstream_of(link).filter(|upstream| upstream.revision.is_modern()) {
            // With all that changes at the same time.
            upstream.news.open = false;
            self.stale_news.insert(link);
            return;
        }
        let mut params = Vec::from(b"{\"uri\":");
        write::string(&mut params, uri);
        params.push(b'}');
        let subscribes = method == Method::ResourcesSubscribe;
        let purpose = if subscribes { Purpose::Subscribe(uri.into()) } else { Purpose::Housekeeping };
        self.send_internal(cx, link, purpose, method.name(), Some(&params));
    }
}
