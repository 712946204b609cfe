//! The 2025 eras on a client's side: sessions, their streams, and the messages in them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::cancel::EndsWait;
use super::session::{Session, Transport, bare_notification};
use super::updated::updated;
use super::wait::Patience;
use super::{Cx, Effect, Exchange, Opened, Posted, Shard};
use crate::mcp::{Method, Revision, Row};
use crate::ports::gateway::{Admission, Event, Verb};
use crate::ports::store::Change;
use crate::record::RecordId;
use crate::rpc::{Envelope, Field, Message};
use crate::upstream::Caller;
use crate::{Exceeded, ExchangeId, Fault, KeyId, Limit, Rejection, SessionId, UpstreamFault};

impl Shard {
    /// A message of a client. The era is chosen by the message, not by the endpoint (2026-07-28, versioning).
    pub(super) fn on_posted(&mut self, cx: &mut Cx<'_>, posted: Posted) {
        let (exchange, id) = (posted.exchange, raw_id(&posted));
        let done = match posted.head.verb {
            Verb::Post if claims_modern(&posted) => self.on_modern(cx, posted),
            Verb::Post | Verb::PostMessage => self.on_legacy(cx, posted),
            Verb::Delete | Verb::Listen | Verb::OpenSse => Err(Rejection::VerbNotAllowed.into()),
        };
        if let Err(fault) = done {
            let body = fault.frame(id.as_deref());
            cx.answer(exchange, fault.wire().status, Some(body));
        }
    }

    fn on_legacy(&mut self, cx: &mut Cx<'_>, posted: Posted) -> Result<(), Fault> {
        let begins = matches!(posted.body.message(), Message::Request { method: "initialize", .. });
        if begins && posted.head.verb == Verb::Post && posted.head.session.is_none() {
            return self.on_initialize(cx, posted);
        }
        let (now, most) = (cx.now, cx.limits().session_in_flight);
        let verb = posted.head.verb;
        let id = posted.head.session.as_deref().ok_or_else(|| required(verb))?;
        let session = self.sessions.of(id, &posted.admission, verb).ok_or_else(|| not_found(verb))?;
        check_version(posted.head.headers.version.as_deref(), session.revision)?;
        session.last_active = now;
        if begins {
            return self.on_initialize(cx, posted);
        }
        // A ping is allowed at any time (2025-11-25, lifecycle).
        let ping = matches!(posted.body.message(), Message::Request { method: "ping", .. });
        let revision = session.revision.or_else(|| ping.then_some(Revision::ASSUMED));
        let revision = revision.ok_or(Rejection::OutOfOrder("send initialize first"))?;
        let caller = match posted.body.message() {
            Message::Request { id, .. } if session.in_flight < most => {
                let on = match session.transport {
                    Transport::Http => (posted.exchange, true),
                    Transport::Sse(stream) => (stream, false),
                };
                let idempotency = posted.head.headers.idempotency_key.as_deref().map(Into::into);
                Caller { idempotency, ..caller(&posted.body, on, session, id, revision) }
            }
            Message::Request { .. } => {
                let hint = "wait for answers before sending more";
                return Err(Exceeded { limit: Limit::SessionInFlight, value: most as u64, hint }.into());
            }
            Message::Notification { method } => {
                let session = session.id;
                self.on_notification(cx, session, Row::find(method, revision), &posted.body);
                cx.answer(posted.exchange, 202, None);
                return Ok(());
            }
            Message::Response { .. } => {
                let session = session.id;
                cx.answer(posted.exchange, 202, None);
                self.on_client_answer(cx, session, &posted.body);
                return Ok(());
            }
        };
        if !caller.ends {
            cx.answer(posted.exchange, 202, None);
        }
        if self.draining && !ping {
            self.fail(cx, &caller, &stopping());
            return Ok(());
        }
        self.dispatch(cx, caller, posted.body, Patience::Waits);
        Ok(())
    }

    pub(super) fn on_notification(
        &mut self,
        cx: &mut Cx<'_>,
        session: SessionId,
        row: Option<&'static Row>,
        body: &Envelope,
    ) {
        match row.map(|row| row.method) {
            Some(Method::Cancelled) => self.cancel(cx, session, body),
            Some(Method::Initialized) => {}
            Some(Method::Progress) => self.on_client_progress(cx, session, body),
            // The hub has nothing to do with it, but servers may.
            Some(_) | None => self.pass_on(cx, session, row, body),
        }
    }

    /// GET: a stream for what no request asked for, or a session of the oldest transport.
    pub(super) fn on_stream_opened(&mut self, cx: &mut Cx<'_>, opened: &Opened) {
        if opened.head.verb == Verb::OpenSse {
            return self.open_sse(cx, opened);
        }
        let Some(id) = opened.head.session.as_deref() else {
            return refuse(cx, opened.exchange, Rejection::VerbNotAllowed);
        };
        let Some(session) = self.sessions.of(id, &opened.admission, opened.head.verb) else {
            return refuse(cx, opened.exchange, Rejection::SessionNotFound);
        };
        if session.revision.is_none() {
            return refuse(cx, opened.exchange, Rejection::OutOfOrder("send initialize first"));
        }
        session.last_active = cx.now;
        let session = session.id;
        let cursor = opened.head.headers.last_event_id.as_deref().filter(|cursor| !cursor.is_empty());
        match cursor.map(|cursor| self.resume_stream(cx, opened, session, cursor)) {
            Some(Err(fault)) => refuse(cx, opened.exchange, fault),
            Some(Ok(true)) => {}
            Some(Ok(false)) | None => self.open_listening(cx, opened.exchange, session),
        }
    }

    /// A client that listens anew gives up what it has not come back for, and is told what is still worth telling.
    fn open_listening(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let (unsaid, restored) = (core::mem::take(&mut session.unsaid), session.restored);
        for stream in core::mem::take(&mut session.away) {
            self.streams.end(stream, cx.now);
        }
        self.exchanges.insert(exchange, Exchange::Stream(id));
        self.listen_on(cx, id, exchange);
        self.open_stream(cx, exchange);
        if restored {
            return self.catch_up(cx, id);
        }
        for method in unsaid.lists {
            self.emit(cx, exchange, bare_notification(method));
        }
        for name in unsaid.resources {
            self.emit(cx, exchange, updated(&name));
        }
    }

    fn open_sse(&mut self, cx: &mut Cx<'_>, opened: &Opened) {
        let id = SessionId::mint(cx.entropy);
        self.open_session(cx, id, &opened.admission, Transport::Sse(opened.exchange));
        self.exchanges.insert(opened.exchange, Exchange::Stream(id));
        let path = format!("{}?sessionId={id}", opened.head.messages_path);
        cx.effect(Effect::Emit { exchange: opened.exchange, event: Event::Endpoint(path) });
    }

    /// DELETE: the answer waits until the session is gone from the store too.
    pub(super) fn on_session_deleted(&mut self, cx: &mut Cx<'_>, opened: &Opened) {
        // Without a session there is nothing to end, as there is nothing to listen to (2026-07-28, Streamable HTTP).
        let Some(id) = opened.head.session.as_deref() else {
            return refuse(cx, opened.exchange, Rejection::VerbNotAllowed);
        };
        let Some(session) =
            self.sessions.of(id, &opened.admission, opened.head.verb).map(|session| session.id)
        else {
            return refuse(cx, opened.exchange, Rejection::SessionNotFound);
        };
        self.end_session(cx, session, Self::dismiss);
        let token = self.mint_token();
        self.exchanges.insert(opened.exchange, Exchange::Store);
        self.deletions.insert(token, opened.exchange);
        let changes = Vec::from([removal(cx, session)]);
        cx.effect(Effect::Persist { token: Some(token), changes });
    }

    /// A session that nobody asked to end: idle too long, its key revoked, its stream gone, or in the way.
    pub(super) fn drop_session(&mut self, cx: &mut Cx<'_>, session: SessionId) {
        self.drop_session_and(cx, session, Self::dismiss);
    }

    fn drop_session_and(&mut self, cx: &mut Cx<'_>, session: SessionId, end: EndsWait) {
        let stored = self.sessions.get(session).is_some_and(|it| it.transport == Transport::Http);
        self.end_session(cx, session, end);
        if stored {
            let changes = Vec::from([removal(cx, session)]);
            cx.effect(Effect::Persist { token: None, changes });
        }
    }

    fn end_session(&mut self, cx: &mut Cx<'_>, id: SessionId, end: EndsWait) {
        let Some(session) = self.sessions.remove(id) else { return };
        for stream in session.streams {
            if self.exchanges.remove(&stream).is_some() {
                self.finish(cx, stream);
            }
        }
        self.drop_subscriber(cx, super::Subscriber::Session(id));
        self.refuse_questions(cx, id);
        self.cancel_all(cx, id, end);
        self.vacate_session(cx, id);
        self.streams.forget(id);
        self.wishes.changed.insert(id);
    }

    /// A session begins. What it keeps of its endpoint and key it shares with all others: blocks of its own, between the
    /// buffers of connections, would keep the pages of those.
    pub(super) fn open_session(
        &mut self,
        cx: &mut Cx<'_>,
        id: SessionId,
        admission: &Admission,
        transport: Transport,
    ) {
        self.make_room(cx);
        let target = cx.snapshot.endpoint(&admission.target);
        self.sessions.insert(Session { target, ..Session::new(id, admission, transport, cx.now) });
    }

    /// Ends the quietest session when there are too many.
    fn make_room(&mut self, cx: &mut Cx<'_>) {
        if self.sessions.len() >= cx.limits().project_sessions
            && let Some(quietest) = self.sessions.quietest()
        {
            self.drop_session(cx, quietest);
        }
    }

    pub(super) fn on_key_revoked(&mut self, cx: &mut Cx<'_>, key: &KeyId) {
        // What an earlier life has left of it ends here.
        self.resume_runs(cx, |own| own == key);
        self.begun.forget_key(key);
        let sessions: Vec<SessionId> =
            self.sessions.iter().filter(|session| session.key == *key).map(|session| session.id).collect();
        self.refuse_waiters(cx, key);
        for session in sessions {
            self.drop_session_and(cx, session, Self::refuse);
        }
        self.opening.retain(|_, opening| opening.key != *key);
        self.end_listeners(cx, |listener| listener.key == *key);
        self.cancel_runs_of(cx, key);
        self.refuse_goals_of(cx, key);
        self.vacate_key(cx, key);
    }
}

/// Why a message without a session is refused.
fn required(verb: Verb) -> Rejection {
    match verb {
        Verb::Post => Rejection::SessionRequired,
        Verb::PostMessage => Rejection::StreamRequired,
        Verb::Delete | Verb::Listen | Verb::OpenSse => Rejection::VerbNotAllowed,
    }
}

/// Why a message for a session that is not there is refused.
pub(super) fn not_found(verb: Verb) -> Rejection {
    match verb {
        Verb::PostMessage => Rejection::StreamNotFound,
        Verb::Delete | Verb::Listen | Verb::OpenSse | Verb::Post => Rejection::SessionNotFound,
    }
}

/// What is asked of a hub that is about to stop, and was not begun.
pub(super) fn stopping() -> Fault {
    UpstreamFault::Unavailable {
        server: "hub".to_owned(),
        cause: "it stops; try again in a moment".to_owned(),
    }
    .into()
}

pub(super) fn removal(cx: &Cx<'_>, session: SessionId) -> Change {
    Change::Remove(RecordId::Session(cx.snapshot.project.id, session))
}

pub(super) fn refuse(cx: &mut Cx<'_>, exchange: ExchangeId, fault: impl Into<Fault>) {
    let fault = fault.into();
    cx.answer(exchange, fault.wire().status, Some(fault.frame(None)));
}

fn raw_id(posted: &Posted) -> Option<alloc::string::String> {
    match posted.body.message() {
        Message::Request { id, .. } => Some(id.into()),
        Message::Notification { .. } | Message::Response { .. } => None,
    }
}

/// Whether a message speaks of itself as one of the stateless era.
fn claims_modern(posted: &Posted) -> bool {
    if posted.body.has(Field::MetaVersion) {
        return true;
    }
    // Without it a newer version in the header alone is a claim as well, unless what else is said is of the eras before.
    let greets = matches!(posted.body.message(), Message::Request { method: "initialize", .. });
    let newer = |version: &str| version > Revision::LAST_WITH_HANDSHAKE.date() && version.starts_with("20");
    let older = greets || posted.head.session.is_some();
    !older && posted.head.headers.version.as_deref().is_some_and(newer)
}

/// The version header of a session's request: absent (Gemini CLI), or a revision that has sessions.
pub(super) fn check_version(header: Option<&str>, agreed: Option<Revision>) -> Result<(), Rejection> {
    match header {
        Some(text) if Revision::parse(text).is_none_or(Revision::is_modern) => {
            let agreed = agreed.map_or("none yet", Revision::date);
            Err(Rejection::BadVersionHeader { sent: text.into(), agreed })
        }
        Some(_) | None => Ok(()),
    }
}

/// Who asks within a session, and where the answer goes: the exchange, and whether the answer ends it.
pub(super) fn caller(
    body: &Envelope,
    (exchange, ends): (ExchangeId, bool),
    session: &Session,
    id: &str,
    revision: Revision,
) -> Caller {
    Caller {
        exchange,
        ends,
        id: id.into(),
        revision,
        session: Some(session.id),
        target: session.target.clone(),
        progress: body.given_str(Field::MetaProgressToken).map(Into::into),
        log_level: session.level,
        abilities: session.abilities,
        extensions: session.extensions.clone(),
        key: None,
        idempotency: None,
        step: None,
        task: false,
    }
}
