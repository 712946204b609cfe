//! Calls that carry an idempotency key: what was answered under it is answered again, instead of a second execution.
//!
//! A key is of whoever shows it, and stands for one request. While that is under way, the same request waits for it; when
//! it was answered by its server, the answer is kept for a while. What came to nothing, or to nobody knows what, is not
//! kept: whoever asks again under the same key wants it done. Nothing of this outlives the hub.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::misshapen::misshapen;
use super::state::difference;
use super::{Cx, Shard};
use crate::mcp::{Lifetime, Method, Revision};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, decode_string};
use crate::snapshot::Entry;
use crate::upstream::{Caller, Request};
use crate::{CallId, Exceeded, Fault, KeyId, Limit, Limits, Rejection, ServerId, Timestamp, UpstreamFault};

/// Whose key it is, and the key.
pub(super) type Name = (KeyId, Box<str>);

/// The calls of a project that carry a key.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    table: BTreeMap<Name, Kept>,
    /// Those that are under way. A call has this id at its server.
    running: BTreeMap<CallId, (ServerId, Name)>,
    /// Those that were answered, the first first.
    answered: VecDeque<(Timestamp, Name)>,
    /// Of requests and answers that are kept.
    bytes: usize,
    /// Whether a call has ended since it was last looked at which are under way.
    pub stale: bool,
}

/// What is known under a key.
#[derive(Debug)]
struct Kept {
    request: Envelope,
    target: Target,
    /// What its server said, and which that was; `None` while the call is under way.
    answer: Option<(ServerId, Envelope)>,
}

impl Kept {
    fn bytes(&self) -> usize {
        let answer = self.answer.as_ref().map_or(0, |(_, answer)| answer.bytes().len());
        self.request.bytes().len().saturating_add(answer)
    }
}

/// What becomes of a request.
pub(super) enum Known {
    /// It is made. Under the key, if it carries one.
    New(Option<Name>),
    /// It was, and this is the answer.
    Answered(ServerId, Box<Envelope>),
    /// It is under way.
    Running,
}

impl Keyed {
    /// Whether a call under a key is under way.
    pub(super) fn is_used(&self) -> bool {
        !self.running.is_empty()
    }

    /// A call is about to be made under a key.
    pub(super) fn begin(&mut self, name: Name, request: Envelope, target: Target, call: (ServerId, CallId)) {
        self.running.insert(call.1, (call.0, name.clone()));
        self.table.insert(name, Kept { request, target, answer: None });
    }

    /// A call is made again under another id.
    pub(super) fn moved(&mut self, old: CallId, new: CallId) {
        if let Some(it) = self.running.remove(&old) {
            self.running.insert(new, it);
        }
    }

    /// A call was answered by its server, or by its link in the server's place. The answer is kept, if it is one and there
    /// is room.
    pub(super) fn answer(&mut self, call: CallId, response: &Envelope, now: Timestamp, limits: &Limits) {
        // Most projects never see a key.
        if self.running.is_empty() {
            return;
        }
        let Some((server, name)) = self.running.remove(&call) else { return };
        let asks = response.text(Field::ResultType).as_deref() == Some("input_required");
        let Some(kept) = self.table.get_mut(&name) else { return };
        kept.answer = Some((server, response.clone()));
        let bytes = kept.bytes();
        if asks || UpstreamFault::is_answer_of_hub(response) || bytes > limits.kept_answer_bytes {
            self.table.remove(&name);
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.answered.push_back((now, name));
        while self.answered.len() > limits.kept_answers || self.bytes > limits.kept_answer_bytes {
            self.drop_first();
        }
    }

    /// Drops answers that are too old.
    pub(super) fn expire(&mut self, now: Timestamp, limits: &Limits) {
        while self.answered.front().is_some_and(|(at, _)| now.since(*at) >= limits.kept_answer_age) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((_, name)) = self.answered.pop_front() else { return };
        if let Some(kept) = self.table.remove(&name) {
            self.bytes = self.bytes.saturating_sub(kept.bytes());
        }
    }
}

impl Shard {
    /// What is known of a request under its key.
    pub(super) fn known(&mut self, cx: &Cx<'_>, caller: &Caller, request: &Request) -> Result<Known, Fault> {
        let carries = caller.idempotency.is_some() || request.body.has(Field::MetaIdempotencyKey);
        if !carries || request.method != Method::ToolsCall.name() {
            return Ok(Known::New(None));
        }
        let key = key_of(caller, &request.body, cx.limits())?;
        let session =
            || caller.session.and_then(|id| self.sessions.get(id)).map(|session| session.key.clone());
        let Some(principal) = caller.key.clone().or_else(session) else { return Ok(Known::New(None)) };
        self.keyed.expire(cx.now, cx.limits());
        self.drop_ended_keys();
        let name = (principal, key);
        let Some(kept) = self.keyed.table.get(&name) else { return Ok(Known::New(Some(name))) };
        if kept.target != caller.target {
            return Err(Rejection::OtherUnderKey("the endpoint".to_owned()).into());
        }
        if let Some(differs) = difference(&kept.request, &request.body) {
            return Err(Rejection::OtherUnderKey(differs).into());
        }
        Ok(match &kept.answer {
            Some((server, answer)) => Known::Answered(*server, Box::new(answer.clone())),
            None => Known::Running,
        })
    }

    /// Lets go of those who wait for the answer to a call that has ended.
    pub(super) fn release_keyed(&mut self, cx: &mut Cx<'_>) {
        if core::mem::take(&mut self.keyed.stale) {
            self.drop_ended_keys();
            self.retry_waiters(cx);
        }
    }

    /// Forgets keys whose calls have ended without an answer of their server.
    fn drop_ended_keys(&mut self) {
        let running: Vec<(CallId, ServerId)> =
            self.keyed.running.iter().map(|(call, (server, _))| (*call, *server)).collect();
        for (call, server) in running {
            if self.holder(server, call).is_none()
                && let Some((_, name)) = self.keyed.running.remove(&call)
            {
                self.keyed.table.remove(&name);
            }
        }
    }

    /// Answers with what was answered before.
    pub(super) fn answer_again(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        server: ServerId,
        response: &Envelope,
    ) {
        let speaks =
            cx.snapshot.entry(server).map_or(Revision::LAST_WITH_HANDSHAKE, |entry| self.speaks(entry));
        if let Some(cause) = misshapen(response, speaks, caller.revision, cx.limits()) {
            let server = cx.snapshot.entry(server).map(|entry| entry.name.clone()).unwrap_or_default();
            return self.fail(cx, caller, &UpstreamFault::Unreadable { server, cause }.into());
        }
        self.relay_from(cx, caller, (server, speaks, Lifetime::Unsaid), response);
    }
}

/// The key of a request: `_meta["mcp-orch/idempotency-key"]`, or the header `Idempotency-Key`, whose value may stand in
/// quotes.
pub(super) fn key_of(caller: &Caller, body: &Envelope, limits: &Limits) -> Result<Box<str>, Fault> {
    let invalid = |words: &str| Fault::from(Rejection::InvalidParams(words.to_owned()));
    let header = caller.idempotency.as_deref();
    let header = header.map(|it| it.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(it));
    let own = match body.raw(Field::MetaIdempotencyKey) {
        Some(raw) => Some(decode_string(raw).ok_or_else(|| invalid("an idempotency key is a string"))?),
        None => None,
    };
    let key = match (header, own.as_deref()) {
        (Some(header), Some(own)) if header != own => {
            return Err(invalid("the header Idempotency-Key and mcp-orch/idempotency-key of _meta differ"));
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => "",
    };
    if key.is_empty() {
        return Err(invalid("an idempotency key is not empty"));
    }
    let most = limits.idempotency_key_bytes;
    if key.len() > most {
        let hint = "take a shorter idempotency key, such as a UUID";
        return Err(Exceeded { limit: Limit::IdempotencyKeyBytes, value: most as u64, hint }.into());
    }
    Ok(String::from(key).into_boxed_str())
}

/// How often a call may be sent again to a new process of its server, when nobody knows what became of it: as often as
/// `call_repeats` says if its tool declares that this changes nothing, or its client has given it a key; else never.
pub(super) fn repeats(limits: &Limits, entry: &Entry, tool: Option<&str>, keyed: bool) -> u32 {
    let idempotent = || entry.offer.as_ref().zip(tool).is_some_and(|(offer, tool)| offer.is_idempotent(tool));
    if tool.is_some() && (keyed || idempotent()) { limits.call_repeats } else { 0 }
}
