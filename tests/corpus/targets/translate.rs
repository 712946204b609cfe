//! The translator between the eras: what it says is JSON; all members that are not the hub's own are there as they
//! were, byte for byte and in their order; and what goes over to the other era and back is what it was.
//!
//! An input is a message, read once as a client's request and once as a server's answer.
//!
//! White space between tokens may become another.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use orch_core::mcp::{Lifetime, Revision, complete, is_envelope_key, plain};
use orch_core::rpc::{Envelope, Field, Members, Message, Sender, write};
use orch_core::{CallId, Limits, translate};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

const LEGACY: Revision = Revision::LAST_WITH_HANDSHAKE;
const MODERN: Revision = Revision::V2026_07_28;

/// The id under which requests are sent, and so the token of their progress.
const CALL: CallId = CallId(4_711);

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What 2026-07-28 says in every result.
const OF_RESULTS: [&str; 3] = ["resultType", "ttlMs", "cacheScope"];

pub fn check(input: &[u8]) {
    let limits = Limits::default();
    let read = |sender| Envelope::parse(Bytes::copy_from_slice(input), sender, &limits);
    if let Ok(request) = read(Sender::Client) {
        goes_to_servers(&request, &limits);
    }
    if let Ok(answer) = read(Sender::Upstream) {
        comes_to_clients(&answer, &limits);
        asks_clients(&answer, &limits);
    }
}

fn goes_to_servers(request: &Envelope, limits: &Limits) {
    let Message::Request { method, .. } = request.message() else { return };
    for from in [LEGACY, MODERN] {
        for to in [LEGACY, MODERN] {
            let said = said(CALL, request, from, to, limits);
            assert_eq!(said.message(), Message::Request { id: "4711", method });
            if !from.is_modern() && !to.is_modern() && request.has(Field::MetaVersion) {
                // A session's request with the envelope of the other era: it ends at the hub all the same.
                continue;
            }
            keeps_params(request, &said, from.min(to));
            let token = request.has(Field::MetaProgressToken).then_some("4711");
            assert_eq!(said.raw_str(Field::MetaProgressToken), token, "the token is the hub's");
            if from != to {
                assert_eq!(said.has(Field::MetaVersion), to.is_modern() && has_members(request));
                let back = self::said(CALL, &said, to, from, limits);
                keeps_params(request, &back, LEGACY);
            }
        }
    }
    if let Some(params) = request.raw(Field::Params) {
        let own = translate::params(MODERN, Some(params)).unwrap_or_default();
        // The hub's own params have no `_meta`, and nobody else's are said in this way.
        assert!(request.has(Field::Meta) || keeps(members(params), members(&own), |name| name == "_meta"));
    }
}

/// Whether `params` can be given more members.
fn has_members(request: &Envelope) -> bool {
    request.raw(Field::Meta).is_none_or(|meta| meta.starts_with(b"{")) || request.has(Field::Params)
}

/// A request as it is said to a server, read again.
fn said(id: CallId, request: &Envelope, from: Revision, to: Revision, limits: &Limits) -> Envelope {
    let frame = translate::request(id, request, from, to).expect("it is a request");
    assert!(!frame.contains(&b'\n') && !frame.contains(&b'\r'), "a message is one line");
    assert!(is_json(&frame), "{}", String::from_utf8_lossy(&frame));
    // What the hub adds is within no client's bounds.
    let more = Limits {
        json_members: limits.json_members + 8,
        json_nodes: limits.json_nodes + 64,
        ..limits.clone()
    };
    Envelope::parse(frame, Sender::Client, &more).expect("what is said can be read")
}

/// The params are those of the client, but for the members of `_meta` that are the hub's own. `over` is the oldest era
/// that they went through.
fn keeps_params(request: &Envelope, said: &Envelope, over: Revision) {
    let of = |message: &Envelope| message.raw(Field::Params).unwrap_or(b"{}").to_vec();
    let (before, after) = (of(request), of(said));
    // What is brought to the next try of a call is of two that have such a thing.
    let brought = |name: &str| matches!(name, "inputResponses" | "requestState");
    let own = |name: &str| name == "_meta" || (brought(name) && !over.is_modern());
    assert!(keeps(members(&before), members(&after), own), "{}", show(&before, &after));
    let meta = |message: &Envelope| message.raw(Field::Meta).unwrap_or(b"{}").to_vec();
    let (before, after) = (meta(request), meta(said));
    let own = |name: &str| is_envelope_key(name) || name == "progressToken";
    assert!(keeps(members(&before), members(&after), own), "{}", show(&before, &after));
}

fn comes_to_clients(answer: &Envelope, limits: &Limits) {
    let Message::Response { id, ok: true } = answer.message() else { return };
    let before = answer.raw(Field::Result).unwrap_or_default();
    for lifetime in [Lifetime::Unsaid, Lifetime::Private(Duration::from_secs(1))] {
        let after = complete(answer, lifetime, "{\"name\":\"s\"}");
        let there = |name: &str| members(before).is_none_or(|all| all.0.iter().any(|(its, _)| its == name));
        let own = |name: &str| name == "_meta" || OF_RESULTS.contains(&name) && !there(name);
        assert!(keeps(members(before), members(&after), own), "{}", show(before, &after));
        let frame = write::result(id, &after);
        assert!(is_json(&frame), "{}", String::from_utf8_lossy(&frame));
        let Ok(over) = Envelope::parse(frame.into(), Sender::Upstream, limits) else { continue };
        keeps_meta(answer, &over);
        if !before.starts_with(b"{") {
            continue;
        }
        assert!(over.has(Field::ResultType) && over.has(Field::TtlMs) >= (lifetime != Lifetime::Unsaid));
        let back = plain(&over).into_owned();
        let own = |name: &str| name == "_meta" || OF_RESULTS.contains(&name);
        assert!(keeps(members(before), members(&back), own), "{}", show(before, &back));
        let frame = write::result(id, &back);
        let back = Envelope::parse(frame.into(), Sender::Upstream, limits).expect("what was read before");
        assert!(!back.has(Field::ResultType) || members(before).is_none());
        keeps_meta(answer, &back);
    }
    // A server of 2026-07-28 may leave any of them out, and has structured content of any kind.
    let own = |name: &str| OF_RESULTS.contains(&name) || matches!(name, "content" | "structuredContent");
    let bare = plain(answer);
    assert!(keeps(members(before), members(&bare), own), "{}", show(before, &bare));
}

fn keeps_meta(before: &Envelope, after: &Envelope) {
    let meta = |message: &Envelope| message.raw(Field::Meta).unwrap_or(b"{}").to_vec();
    let said = before.has(Field::MetaServerInfo);
    let own = |name: &str| !said && name == SERVER_INFO;
    let (before, after) = (meta(before), meta(after));
    assert!(keeps(members(&before), members(&after), own), "{}", show(&before, &after));
}

/// Questions are requests with the method and the params that they came with.
fn asks_clients(answer: &Envelope, limits: &Limits) {
    let Some(questions) = translate::questions(answer, limits) else { return };
    let asked = answer.raw(Field::InputRequests).and_then(members);
    let asked = asked.map(|asked| asked.0).unwrap_or_default();
    assert_eq!(questions.len(), asked.len());
    for ((name, question), (its, raw)) in questions.iter().zip(asked) {
        assert_eq!(*name, its);
        assert!(is_json(question.bytes()));
        let own = |name: &str| matches!(name, "jsonrpc" | "id");
        let (before, after) = (members(raw.get().as_bytes()), members(question.bytes()));
        let (Some(before), Some(after)) = (before, after) else { continue };
        for (name, value) in after.0.iter().filter(|(name, _)| !own(name)) {
            let same = before.0.iter().any(|(its, raw)| its == name && raw.get() == value.get());
            assert!(same, "{name} is nobody's");
        }
    }
}

/// Whether two objects have the same members in the same order, but for those that are the hub's `own`. What is no
/// object has no members.
fn keeps(before: Option<Members<'_>>, after: Option<Members<'_>>, own: impl Fn(&str) -> bool) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    let theirs = |members: Members<'_>| -> Vec<(String, Vec<u8>)> {
        let kept = members.0.into_iter().filter(|(name, _)| !own(name));
        kept.map(|(name, value): (Cow<'_, str>, &RawValue)| {
            (name.into_owned(), write::one_line(value.get().as_bytes().to_vec()))
        })
        .collect()
    };
    theirs(before) == theirs(after)
}

fn members(object: &[u8]) -> Option<Members<'_>> {
    Members::read(object)
}

fn show(before: &[u8], after: &[u8]) -> String {
    format!("{} is {}", String::from_utf8_lossy(before), String::from_utf8_lossy(after))
}

fn is_json(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}
