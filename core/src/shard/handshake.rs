//! `initialize` and `server/discover`: what an endpoint says of itself.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

use super::legacy::{refuse, removal, stopping};
use super::lists::aside;
use super::session::Transport;
use super::wait::{Need, Patience};
use super::{Cx, Effect, Exchange, Posted, Shard, Token};
use crate::hub;
use crate::mcp::{Abilities, Extensions, Revision};
use crate::ports::gateway::{Admission, Target};
use crate::ports::store::{Change, Expect};
use crate::record::{self, Aside, HANDSHAKE, Record};
use crate::rpc::{Envelope, Field, Message, decode_string, write};
use crate::snapshot::Snapshot;
use crate::upstream::Caller;
use crate::{Exceeded, Fault, Limit, Limits, Rejection, SessionId, Unstored};

impl Shard {
    /// Opens a session, or gives the session of an HTTP+SSE stream its handshake.
    pub(super) fn on_initialize(&mut self, cx: &mut Cx<'_>, posted: Posted) -> Result<(), Fault> {
        if self.draining {
            return Err(stopping());
        }
        let Message::Request { id, .. } = posted.body.message() else {
            return Err(Rejection::NotRpc("initialize is a request").into());
        };
        let proposed = posted.body.text(Field::ProtocolVersion);
        let proposed =
            proposed.ok_or_else(|| Rejection::InvalidParams("protocolVersion is required".into()))?;
        let revision = Revision::agree(&proposed);
        let open = posted.head.session.as_deref();
        let open = open.and_then(|id| self.sessions.of(id, &posted.admission, posted.head.verb));
        let (exchange, ends, session) =
            match open.map(|session| (session.transport, session.revision, session.id)) {
                None => (posted.exchange, true, SessionId::mint(cx.entropy)),
                Some((Transport::Sse(stream), None, session)) => (stream, false, session),
                Some(_) => return Err(Rejection::OutOfOrder("this session is initialized already").into()),
            };
        let kept =
            [Field::Capabilities, Field::ClientInfo].map(|it| posted.body.raw(it).map_or(0, <[u8]>::len));
        let value = cx.limits().client_bytes;
        if kept.iter().sum::<usize>() > value {
            let hint = "leave out of capabilities and clientInfo what no server needs to know";
            return Err(Exceeded { limit: Limit::ClientBytes, value: value as u64, hint }.into());
        }
        let caller = Caller {
            exchange,
            ends,
            id: id.into(),
            revision,
            session: Some(session),
            target: posted.admission.target.clone(),
            progress: None,
            log_level: None,
            abilities: Abilities::default(),
            extensions: Extensions::default(),
            key: None,
            idempotency: None,
            step: None,
            task: false,
        };
        if ends {
            self.open_session(cx, session, &posted.admission, Transport::Http);
        } else {
            cx.answer(posted.exchange, 202, None);
        }
        self.initialize(cx, caller, posted.body, Patience::Waits);
        Ok(())
    }

    /// Answers `initialize` as soon as the endpoint knows what it is.
    pub(super) fn initialize(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope, patience: Patience) {
        if patience == Patience::Waits && self.is_missing(cx, &caller, &body) {
            return self.wait(cx, caller, body);
        }
        let (Some(id), Some(face)) = (caller.session, self.face(cx, &caller)) else {
            let fault = self.why_missing(cx, &caller.target);
            if let Some(session) = caller.session.filter(|_| caller.ends) {
                self.sessions.remove(session);
            }
            return self.fail(cx, &caller, &fault);
        };
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.revision = Some(caller.revision);
        let capabilities = body.raw_str(Field::Capabilities).unwrap_or("{}");
        session.abilities = Abilities::parse(capabilities);
        session.extensions = Extensions::parse(capabilities);
        if !caller.ends {
            return self.respond(cx, &caller, &face.handshake(caller.revision));
        }
        let record = Record::Session(record::Session {
            id,
            project: cx.snapshot.project.id,
            target: session.target.clone(),
            key: session.key.clone(),
            revision: caller.revision.to_string(),
            client_info: body.raw_str(Field::ClientInfo).unwrap_or("{}").to_owned(),
            capabilities: capabilities.to_owned(),
            created_at: cx.now,
        });
        let token = self.mint_token();
        self.exchanges.insert(caller.exchange, Exchange::Store);
        self.unstored.insert(token, (caller, id));
        let changes = Vec::from([Change::Put(record, Expect::Anything)]);
        cx.effect(Effect::Persist { token: Some(token), changes });
    }

    /// A change is durable, or it is not: the answer that waited for it.
    pub(super) fn on_stored(&mut self, cx: &mut Cx<'_>, token: Token, outcome: Result<(), Fault>) {
        if let Some(exchange) = self.deletions.remove(&token)
            && self.exchanges.remove(&exchange).is_some()
        {
            match &outcome {
                Ok(()) => cx.answer(exchange, 204, None),
                Err(fault) => refuse(cx, exchange, fault.clone()),
            }
        }
        self.release_news(cx, token, outcome.is_ok());
        self.release_held(cx, token);
        self.release_intents(cx, token, &outcome);
        let Some((caller, session)) = self.unstored.remove(&token) else { return };
        let waits = self.exchanges.remove(&caller.exchange).is_some();
        match self.face(cx, &caller) {
            Some(face) if outcome.is_ok() && waits && self.sessions.get(session).is_some() => {
                let body = write::result(&caller.id, &face.handshake(caller.revision));
                cx.effect(Effect::Answer {
                    exchange: caller.exchange,
                    status: 200,
                    session: Some(session),
                    body: Some(Bytes::from(body)),
                });
            }
            Some(_) | None => {
                // Nobody knows of this session; the store must not either.
                self.sessions.remove(session);
                if outcome.is_ok() {
                    let changes = Vec::from([removal(cx, session)]);
                    cx.effect(Effect::Persist { token: None, changes });
                }
                if waits {
                    // Stored, and ended meanwhile: it had to make room, its key was revoked, or its server removed. A
                    // client that greets has no session that could not be found.
                    let fault = outcome.err().unwrap_or_else(|| Unstored::Failed.into());
                    let body = fault.frame(Some(&caller.id));
                    cx.answer(caller.exchange, fault.wire().status, Some(body));
                }
            }
        }
    }

    /// Answers `server/discover`.
    pub(super) fn discover(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope, patience: Patience) {
        if patience == Patience::Waits && self.is_missing(cx, &caller, &body) {
            return self.wait(cx, caller, body);
        }
        match self.face(cx, &caller) {
            Some(face) => {
                let result = face.discovery(cx.limits().list_ttl.as_millis());
                self.respond(cx, &caller, &result);
            }
            None => {
                let fault = self.why_missing(cx, &caller.target);
                self.fail(cx, &caller, &fault);
            }
        }
    }

    /// What an endpoint says of itself; `None` while the one server behind it was never seen.
    fn face<'a>(&self, cx: &Cx<'a>, caller: &Caller) -> Option<Face<'a>> {
        let unseen = self.being_seen(cx, &caller.target, Need::default()).next().is_some();
        Face::of(cx.snapshot, cx.limits(), caller, unseen)
    }
}

/// What an endpoint says of itself.
struct Face<'a> {
    /// Raw JSON.
    capabilities: String,
    server_info: &'a str,
    /// Raw JSON.
    instructions: Option<Cow<'a, str>>,
    aside: Option<&'a Aside>,
}

impl<'a> Face<'a> {
    fn of(snapshot: &'a Snapshot, limits: &Limits, caller: &Caller, unseen: bool) -> Option<Self> {
        let aside = aside(snapshot, &caller.target, HANDSHAKE);
        match &caller.target {
            Target::Server(name) => {
                let offer = snapshot.named(name)?.offer.as_ref()?;
                let known = offer.definitions();
                Some(Self {
                    capabilities: offer.face(caller.revision),
                    server_info: &known.server_info,
                    instructions: known.instructions.as_deref().map(Cow::Borrowed),
                    aside,
                })
            }
            Target::Unified => Some(Self {
                capabilities: snapshot.unified.face(unseen, caller.revision),
                server_info: hub::SERVER_INFO,
                instructions: Some(Cow::Owned(unified_instructions(snapshot, limits))),
                aside,
            }),
        }
    }

    fn handshake(&self, revision: Revision) -> Vec<u8> {
        let mut out = format!(
            "{{\"protocolVersion\":\"{revision}\",\"capabilities\":{},\"serverInfo\":{}",
            self.capabilities, self.server_info
        );
        if let Some(meta) = self.meta() {
            out.extend([",\"_meta\":{", meta, "}"]);
        }
        self.finish(&mut out);
        out.into_bytes()
    }

    /// What its server says in `_meta`, without the braces around it.
    fn meta(&self) -> Option<&'a str> {
        self.aside.map(|aside| aside.meta.as_str()).filter(|meta| !meta.is_empty())
    }

    fn discovery(&self, ttl_ms: u128) -> Vec<u8> {
        let mut out = format!(
            "{{\"resultType\":\"complete\",\"supportedVersions\":[\"{}\"],\"capabilities\":{},\"ttlMs\":{ttl_ms},\
             \"cacheScope\":\"private\",\"_meta\":{{\"io.modelcontextprotocol/serverInfo\":{}",
            Revision::V2026_07_28,
            self.capabilities,
            self.server_info
        );
        if let Some(meta) = self.meta() {
            out.extend([",", meta]);
        }
        out.push('}');
        self.finish(&mut out);
        out.into_bytes()
    }

    fn finish(&self, out: &mut String) {
        if let Some(instructions) = &self.instructions {
            out.push_str(",\"instructions\":");
            out.push_str(instructions);
        }
        let members = self.aside.map(|aside| aside.members.as_str()).filter(|members| !members.is_empty());
        if let Some(members) = members {
            out.extend([",", members]);
        }
        out.push('}');
    }
}

/// For the model: what stands behind the endpoint, how names are made, and what the servers say themselves, as far as there is room.
fn unified_instructions(snapshot: &Snapshot, limits: &Limits) -> String {
    let names: Vec<&str> = snapshot.behind(&Target::Unified).map(|entry| entry.name.as_str()).collect();
    let mut text = format!(
        "Several MCP servers behind one endpoint: {}. Tools and prompts are named server{}name.",
        names.join(", "),
        snapshot.project.separator
    );
    let (mut room, mut left_out) = (limits.instructions_bytes, Vec::new());
    for entry in snapshot.behind(&Target::Unified).filter(|entry| entry.config.is_some()) {
        let said = entry.offer.as_ref().and_then(|offer| offer.definitions().instructions.as_deref());
        let Some(said) = said.and_then(|raw| decode_string(raw.as_bytes())) else { continue };
        match room.checked_sub(said.len()) {
            Some(rest) => {
                room = rest;
                text.extend(["\n\n## ", &entry.name, "\n\n", said.trim()]);
            }
            None => left_out.push(entry.name.as_str()),
        }
    }
    if !left_out.is_empty() {
        text.extend([
            "\n\nLeft out are the instructions of ",
            &left_out.join(", "),
            " (limit instructions_bytes).",
        ]);
    }
    let mut out = Vec::new();
    write::string(&mut out, &text);
    String::from_utf8(out).unwrap_or_default()
}

/// Who asked, where a session is not yet there to say so.
pub(super) fn stateless_caller(
    posted: &Posted,
    admission: &Admission,
    id: &str,
    log_level: Option<crate::upstream::Level>,
) -> Caller {
    Caller {
        exchange: posted.exchange,
        ends: true,
        id: id.into(),
        revision: Revision::V2026_07_28,
        session: None,
        target: admission.target.clone(),
        progress: posted.body.given_str(Field::MetaProgressToken).map(Into::into),
        log_level,
        abilities: posted
            .body
            .raw_str(Field::MetaCapabilities)
            .map_or_else(Abilities::default, Abilities::parse),
        extensions: Extensions::default(),
        key: Some(admission.key.clone()),
        idempotency: posted.head.headers.idempotency_key.as_deref().map(Into::into),
        step: None,
        task: false,
    }
}
