//! Notifications that mean nothing to the hub, on their way between a client and the one server that it speaks to.

use alloc::vec::Vec;
use bytes::Bytes;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::handshake::stateless_caller;
use super::legacy::caller;
use super::news::subscription;
use super::planning::NOWHERE;
use super::session::Session;
use super::updated::untagged;
use super::{Cx, Effect, Posted, Shard, Subscriber};
use crate::mcp::{Method, Revision, Row};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, Message, write};
use crate::upstream::{Caller, Owner, Seat, Upstream, pass};
use crate::{CallId, ExchangeId, LinkId, ServerId, SessionId};

impl Shard {
    /// That the roots of a session have changed concerns the processes that serve it or its key alone, and that of all while nobody
    /// else uses it. What else nobody here knows goes where a call of this session to its one server would go.
    pub(super) fn pass_on(
        &mut self,
        cx: &mut Cx<'_>,
        session: SessionId,
        row: Option<&'static Row>,
        notice: &Envelope,
    ) {
        let Message::Notification { method } = notice.message() else { return };
        let Some(session) = self.sessions.get(session) else { return };
        if row.is_some_and(|row| row.method == Method::RootsChanged) {
            return self.pass_on_roots(cx, session.id, notice);
        }
        let revision = session.revision.unwrap_or(Revision::ASSUMED);
        let caller = caller(notice, (NOWHERE, false), session, "", revision);
        self.pass_on_as(cx, &caller, method, notice);
    }

    fn pass_on_roots(&mut self, cx: &mut Cx<'_>, session: SessionId, notice: &Envelope) {
        let Some(whose) = self.sessions.get(session) else { return };
        let concerned = self.upstreams.values().filter(|upstream| match upstream.owner {
            // The stateless era has no roots that change.
            _ if upstream.revision.is_modern() => false,
            Owner::Project => self.is_alone(upstream, whose),
            Owner::Key(..) | Owner::Session(_) => self.served(upstream).any(|served| served.id == whose.id),
        });
        for seat in concerned.map(Upstream::seat).collect::<Vec<_>>() {
            let Some(upstream) = self.upstreams.get_mut(&seat) else { continue };
            upstream.roots_of = Some(session);
            tell(cx, upstream, Method::RootsChanged.name(), notice);
        }
    }

    /// A notification of a client of the stateless era, which no revision has.
    pub(super) fn pass_on_stateless(&self, cx: &mut Cx<'_>, posted: &Posted) {
        let Message::Notification { method } = posted.body.message() else { return };
        if !Row::is_known(method) {
            let caller = stateless_caller(posted, &posted.admission, "", None);
            self.pass_on_as(cx, &caller, method, &posted.body);
        }
    }

    /// Passes it on to the process of the one server of an endpoint that a call of this client would go to, if that runs.
    fn pass_on_as(&self, cx: &mut Cx<'_>, caller: &Caller, method: &str, notice: &Envelope) {
        let Target::Server(name) = &caller.target else { return };
        let Some(entry) = cx.snapshot.named(name).filter(|entry| entry.config.is_some()) else { return };
        let seat = Seat { server: entry.id, owner: self.owner(cx, entry, caller) };
        if let Some(upstream) = self.upstreams.get(&seat) {
            tell(cx, upstream, method, notice);
        }
    }

    fn is_alone(&self, upstream: &Upstream, session: &Session) -> bool {
        self.only_served(upstream).is_some_and(|only| only.id == session.id)
    }

    /// A session is asked to visit an address: when that is done, it is the one to hear of it.
    pub(super) fn note_visit(&mut self, cx: &Cx<'_>, link: LinkId, session: SessionId, question: &Envelope) {
        let server = self.upstream_at(link).map(|upstream| upstream.id);
        let Some(visit) = server.and_then(|server| visit(server, question)) else { return };
        let Some(session) = self.sessions.get_mut(session) else { return };
        session.visits.push_back(visit);
        if session.visits.len() > cx.limits().session_questions {
            session.visits.pop_front();
        }
    }

    /// A server's notification goes to whom the task concerns that it names, to the call on whose stream it came, or, where calls
    /// have no streams of their own, to the only one that the server works on; while it works on several, nobody can say which. With
    /// none, or where it is said to whoever listens, it goes to the sessions and streams that speak to this server alone. That an
    /// elicitation is complete concerns whom it was asked of; where nobody knows, whoever may know its id.
    pub(super) fn on_unknown_news(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        method: &str,
        frame: &Envelope,
    ) {
        let completes = method == "notifications/elicitation/complete";
        let tag = subscription(frame);
        let edits = &mut tag.map(|_| untagged(frame)).into_iter().collect::<Vec<_>>();
        let params = frame.has(Field::Params).then(|| frame.spliced(Field::Params, edits));
        let message: Bytes = write::request(None, method, params.as_deref()).into();
        if let Some(places) = self.places_by_task(cx, link, within, frame) {
            if let Some((_, exchange)) = places.first() {
                self.emit(cx, *exchange, message);
            }
            return;
        }
        let Some(upstream) = self.upstream_at(link) else { return };
        let is_news = upstream.news.call.is_some() && within.or(tag) == upstream.news.call;
        let within = within.filter(|_| !is_news);
        let has_streams = is_news || cx.snapshot.entry(upstream.id).is_some_and(|entry| entry.has_streams());
        let spoken_of = within.is_some() || !(completes || has_streams);
        if let Some((_, caller)) = spoken_of.then(|| upstream.calls.spoken_of(within)).flatten() {
            if !completes || caller.revision == Revision::V2025_11_25 {
                self.emit(cx, caller.exchange, message);
            }
            return;
        }
        let is_of_call = within.is_some() || !has_streams;
        if !completes && is_of_call && upstream.is_unsure(within, cx.now) {
            return;
        }
        let visit = visit(upstream.id, frame).filter(|_| completes);
        let visits = |session: &Session| visit.as_ref().is_some_and(|visit| session.visits.contains(visit));
        let is_known = self.served(upstream).any(visits);
        let knows = |session: &Session| {
            session.revision >= Some(Revision::V2025_11_25) && (!is_known || visits(session))
        };
        let hears = |session: &&Session| {
            if completes { knows(session) } else { matches!(session.target, Target::Server(_)) }
        };
        let streams: Vec<ExchangeId> =
            self.served(upstream).filter(hears).filter_map(Session::stream).collect();
        let tagged: Vec<_> = if completes { Vec::new() } else { self.tagged_news(upstream, method, frame) };
        for stream in streams {
            self.emit(cx, stream, message.clone());
        }
        for (stream, message) in tagged {
            self.tell_listener(cx, stream, message);
        }
    }

    /// The same for the streams of the stateless era that listen to this server alone, each with its tag.
    fn tagged_news(&self, upstream: &Upstream, method: &str, frame: &Envelope) -> Vec<(ExchangeId, Bytes)> {
        let is_served = |stream: ExchangeId| {
            upstream.owner == Owner::Project
                || self.serves_alone(&upstream.owner, Subscriber::Listener(stream))
        };
        let listeners = self.listeners.iter().filter(|(stream, listener)| {
            matches!(&listener.target, Target::Server(name) if **name == *upstream.name)
                && is_served(**stream)
        });
        let tagged = listeners.map(|(stream, listener)| {
            let params = listener.tagged(frame, Vec::new());
            (*stream, write::request(None, method, Some(&params)).into())
        });
        tagged.collect()
    }
}

/// Passes a notification on to a process, if it runs.
fn tell(cx: &mut Cx<'_>, upstream: &Upstream, method: &str, notice: &Envelope) {
    if let Some(link) = upstream.process.ready_link() {
        let frame = pass(upstream.revision, method, notice);
        cx.effect(Effect::SendFrame { link, frame });
    }
}

/// An address to visit, by the server that asks for it and the digest of its id there: whoever remembers one does not keep what a server
/// makes as long as it likes.
pub(super) type Visit = (ServerId, [u8; 32]);

fn visit(server: ServerId, frame: &Envelope) -> Option<Visit> {
    Some((server, Sha256::digest(elicitation_id(frame)?.get().as_bytes()).into()))
}

/// Raw JSON of the id of an elicitation.
pub(super) fn elicitation_id(frame: &Envelope) -> Option<&RawValue> {
    let members = Members::read(frame.raw(Field::Params)?)?.0;
    members.into_iter().find(|(name, _)| name == "elicitationId").map(|(_, id)| id)
}
