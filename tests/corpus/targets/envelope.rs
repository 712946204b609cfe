//! The envelope: what it accepts is JSON to `serde_json` too, with the same members in the same places; ids keep their
//! spelling; splicing changes what it is told to and nothing else; bounds hold.
//!
//! An input is a message, read once as a client's and once as a server's, and once as a body, which may be a batch.
//!
//! Known differences: the hub also refuses equal keys in one object, and whatever is beyond its bounds. `serde_json`
//! also refuses lone surrogates, but only where it decodes a text: values are compared undecoded, and an object with
//! such a key is not compared.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::rpc::{
    Body, Envelope, Field, Members, Message, Sender, Unread, answered_id, asked_id, replied_id, write,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// The members of an object by their decoded names.
type Object<'a> = BTreeMap<Name<'a>, &'a RawValue>;

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

const BODIES: [(Field, &str); 3] =
    [(Field::Params, "params"), (Field::Result, "result"), (Field::Error, "error")];

/// Members of a body that are replaced on the way, and others that are only read.
const OF_BODY: [(Field, &str); 10] = [
    (Field::Name, "name"),
    (Field::Uri, "uri"),
    (Field::Cursor, "cursor"),
    (Field::Arguments, "arguments"),
    (Field::Meta, "_meta"),
    (Field::Ref, "ref"),
    (Field::ProgressToken, "progressToken"),
    (Field::Code, "code"),
    (Field::Tools, "tools"),
    (Field::NextCursor, "nextCursor"),
];

pub fn check(input: &[u8]) {
    let limits = Limits::default();
    for sender in [Sender::Client, Sender::Upstream] {
        match Envelope::parse(Bytes::copy_from_slice(input), sender, &limits) {
            Ok(envelope) => accepted(&envelope, &limits),
            Err(fault) => {
                for id in [None, asked_id(input), replied_id(input), answered_id(input, input)] {
                    assert!(is_json(&fault.frame(id)), "{fault} is not written as JSON, with the id {id:?}");
                }
            }
        }
    }
    if let Ok(Body::Batch(members)) = Body::parse(Bytes::copy_from_slice(input), &limits) {
        splits(input, &members, &limits);
    }
}

/// A batch is the elements that another reader finds, each read as if it had come alone.
fn splits(input: &[u8], members: &[Result<Envelope, Unread>], limits: &Limits) {
    assert!(members.len() <= limits.batch_members);
    assert!(is_json(input) && depth(input) <= limits.json_depth);
    let theirs: Vec<&RawValue> = serde_json::from_slice(input).expect("it is an array");
    assert_eq!(members.len(), theirs.len());
    for (member, element) in members.iter().zip(theirs) {
        let alone = Bytes::copy_from_slice(element.get().as_bytes());
        match (member, Envelope::parse(alone.clone(), Sender::Client, limits)) {
            (Ok(member), Ok(_)) => {
                assert_eq!(*member.bytes(), alone);
                accepted(member, limits);
            }
            (Err(unread), Err(fault)) => {
                assert_eq!(*unread, Unread::of(&alone, fault));
            }
            (member, alone) => panic!("{member:?} in a batch is {alone:?} by itself"),
        }
    }
}

fn accepted(envelope: &Envelope, limits: &Limits) {
    let text = envelope.bytes();
    assert!(is_json(text), "serde_json refuses it");
    assert!(depth(text) <= limits.json_depth, "deeper than the bound");
    agrees_with_serde_json(envelope);
    keeps_its_id(envelope);
    has_no_other_id(envelope);
    for (whole, _) in BODIES {
        splices(envelope, whole);
        rebuilds_from_its_members(envelope.raw(whole).unwrap_or_default());
    }
}

/// What is taken for the id without reading the message is its id, however little of the message is there.
fn has_no_other_id(envelope: &Envelope) {
    let text = envelope.bytes();
    let own = match envelope.message() {
        Message::Request { id, .. } | Message::Response { id, .. } => Some(id),
        Message::Notification { .. } => None,
    };
    let answers = matches!(envelope.message(), Message::Response { .. });
    assert!(asked_id(text).is_none_or(|id| Some(id) == own && !answers));
    assert!(replied_id(text).is_none_or(|id| Some(id) == own && answers));
    for cut in 0..text.len().min(200) {
        let found = answered_id(&text[..cut], &text[cut..]);
        assert!(found.is_none_or(|id| Some(id) == own && answers), "{found:?} where {cut} bytes are there");
    }
}

/// Each member is where another reader finds it.
fn agrees_with_serde_json(envelope: &Envelope) {
    let Some(message) = object(envelope.bytes()) else { return };
    let raw = |field| envelope.raw(field).map(|raw| std::str::from_utf8(raw).expect("it was UTF-8"));
    let same = |object: &Object<'_>, field, name: &str| {
        let theirs = object.get(&Name(name.into())).map(|value| value.get());
        assert_eq!(raw(field), theirs, "{name}");
    };
    for (field, name) in [(Field::JsonRpc, "jsonrpc"), (Field::Id, "id"), (Field::Method, "method")] {
        same(&message, field, name);
    }
    for (field, name) in BODIES {
        same(&message, field, name);
        let Some(body) = raw(field).and_then(|body| object(body.as_bytes())) else { continue };
        for (field, name) in OF_BODY {
            same(&body, field, name);
        }
        let Some(meta) = raw(Field::Meta).and_then(|meta| object(meta.as_bytes())) else { continue };
        same(&meta, Field::MetaProgressToken, "progressToken");
        same(&meta, Field::MetaVersion, "io.modelcontextprotocol/protocolVersion");
    }
}

/// An answer that is written with the id of a request is read back with the same id.
fn keeps_its_id(envelope: &Envelope) {
    if let Message::Request { id, method } = envelope.message() {
        assert_eq!(Some(id), envelope.raw_str(Field::Id));
        assert!(!method.is_empty());
        let answer = write::result(id, b"{}");
        let answer = Envelope::parse(answer.into(), Sender::Upstream, &Limits::default());
        let answer = answer.expect("an answer of the hub's own is accepted");
        assert_eq!(answer.message(), Message::Response { id, ok: true });
    }
}

/// Splicing nothing is the identity; a spliced member has the new value, and the rest is as it was.
fn splices(envelope: &Envelope, whole: Field) {
    let raw = envelope.raw(whole).unwrap_or_default();
    assert_eq!(envelope.spliced(whole, &mut []), raw, "splicing nothing changes nothing");
    if raw.is_empty() {
        return;
    }
    for (field, _) in OF_BODY {
        let Some(old) = envelope.raw(field) else { continue };
        let spliced = envelope.spliced(whole, &mut [(field, b"7".into())]);
        assert!(is_json(&spliced), "{field:?} spliced: {}", String::from_utf8_lossy(&spliced));
        assert_eq!(spliced.len() + old.len(), raw.len() + 1, "{field:?} alone is replaced");
    }
}

/// The members of an object, written anew, are the same members.
fn rebuilds_from_its_members(raw: &[u8]) {
    let Some(members) = Members::read(raw) else { return };
    let written = members.without(|_| false);
    let again = Members::read(&written).expect("what is written is an object");
    let same = members.0.iter().zip(&again.0).all(|(a, b)| a.0 == b.0 && a.1.get() == b.1.get());
    assert!(same && members.0.len() == again.0.len(), "{}", String::from_utf8_lossy(&written));
}

/// The members of an object; `None` when it is none, or has a key that has no text.
fn object(text: &[u8]) -> Option<Object<'_>> {
    serde_json::from_slice(text).ok()
}

fn is_json(text: &[u8]) -> bool {
    // Without the check for UTF-8 of `from_str`, strings that nobody reads could hold anything.
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// How deep valid JSON is nested.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut bytes) = (0_usize, 0, text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
