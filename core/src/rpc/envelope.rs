//! One JSON-RPC message, read once: its bytes, and where its fields are.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;

use super::{Field, Fields, JsonLimits, decode_string, scan};
use crate::{Fault, Limits, Rejection};

/// A validated message.
#[derive(Clone, Debug)]
pub struct Envelope {
    bytes: Bytes,
    fields: Fields,
}

/// Who sent a message, and so how strictly it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A client: strict, bounded by the `json_*` limits.
    Client,
    /// An upstream: unknown members of the message are dropped, results may be large, and an id may be any number. One of the
    /// hub's own is known by its value, one of the upstream's comes back as it was written.
    Upstream,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Wants an answer. The raw JSON of its id, and its method.
    Request {
        /// Raw JSON, a string or an integer.
        id: &'a str,
        /// The method's name.
        method: &'a str,
    },
    /// Wants none.
    Notification {
        /// The method's name.
        method: &'a str,
    },
    /// Answers a request.
    Response {
        /// Raw JSON of the request's id.
        id: &'a str,
        /// Whether it carries a result (or else an error).
        ok: bool,
    },
}

impl Envelope {
    /// Reads a message.
    pub fn parse(bytes: Bytes, sender: Sender, limits: &Limits) -> Result<Self, Fault> {
        let (bounds, strict) = match sender {
            Sender::Client => (JsonLimits::of_clients(limits), true),
            Sender::Upstream => (JsonLimits::of_upstreams(limits), false),
        };
        let mut envelope = Self { fields: scan(&bytes, bounds, strict)?, bytes };
        if let Some(plain) = envelope.with_plain_method() {
            envelope = Self { fields: scan(&plain, bounds, strict)?, bytes: plain };
        }
        envelope.check(strict)?;
        Ok(envelope)
    }

    /// The message with its method written without escapes, where it was written with any and can be: the encoders of some languages
    /// escape each solidus, and what is written so is the same string (RFC 8259, section 7).
    fn with_plain_method(&self) -> Option<Bytes> {
        let span = self.fields.span(Field::Method).filter(|span| span.of(&self.bytes).contains(&b'\\'))?;
        let name = decode_string(span.of(&self.bytes))?;
        let needs_escape = |c: char| c.is_control() || matches!(c, '"' | '\\');
        let before = self.bytes.get(..span.start as usize)?;
        let after = self.bytes.get(span.end as usize..)?;
        let parts = [before, b"\"", name.as_bytes(), b"\"", after];
        (!name.contains(needs_escape)).then(|| parts.concat().into())
    }

    fn check(&self, strict: bool) -> Result<(), Rejection> {
        let refuse = |why| Err(Rejection::NotRpc(why));
        if first_byte(&self.bytes) != Some(b'{') {
            return refuse("a message is an object");
        }
        if self.text(Field::JsonRpc).as_deref() != Some("2.0") {
            return refuse("\"jsonrpc\" must be \"2.0\"");
        }
        if let Some(id) = self.raw(Field::Id)
            && !is_id(id)
            && (strict || !is_number(id))
            && !(id == b"null" && self.has(Field::Error))
        {
            return refuse("\"id\" must be a string or an integer");
        }
        let answers = [Field::Method, Field::Result, Field::Error].iter().filter(|field| self.has(**field));
        match answers.count() {
            0 => return refuse("it holds neither a \"result\" nor an \"error\", and no \"method\""),
            1 => {}
            _ => return refuse("it holds more than one of \"method\", \"result\" and \"error\""),
        }
        if let Some(method) = self.raw(Field::Method)
            && (method.contains(&b'\\') || decode_string(method).is_none_or(|name| name.is_empty()))
        {
            return refuse("\"method\" must be a plain string");
        }
        if !self.has(Field::Method) && !self.has(Field::Id) {
            return refuse("a response needs an \"id\"");
        }
        if self.raw(Field::Params).is_some_and(|params| !params.starts_with(b"{")) {
            return refuse("\"params\" must be an object");
        }
        // Else the members of `params` could be taken for those of the result.
        if self.has(Field::Params) && !self.has(Field::Method) {
            return refuse("a response has no \"params\"");
        }
        Ok(())
    }

    /// What the message is.
    pub fn message(&self) -> Message<'_> {
        let id = self.raw_str(Field::Id);
        let method = self.raw_str(Field::Method).map(|quoted| quoted.trim_matches('"'));
        match (method, id) {
            (Some(method), Some(id)) => Message::Request { id, method },
            (Some(method), None) => Message::Notification { method },
            (None, id) => Message::Response { id: id.unwrap_or("null"), ok: self.has(Field::Result) },
        }
    }

    /// Whether the member is there.
    pub fn has(&self, field: Field) -> bool {
        self.fields.span(field).is_some()
    }

    /// The raw JSON of a member.
    pub fn raw(&self, field: Field) -> Option<&[u8]> {
        self.fields.span(field).map(|span| span.of(&self.bytes))
    }

    /// The raw JSON of a member that is not `null`.
    pub fn given(&self, field: Field) -> Option<&[u8]> {
        self.raw(field).filter(|raw| *raw != b"null")
    }

    /// The same, as text.
    pub fn given_str(&self, field: Field) -> Option<&str> {
        self.raw_str(field).filter(|raw| *raw != "null")
    }

    /// The raw JSON of a small member, as text.
    pub fn raw_str(&self, field: Field) -> Option<&str> {
        self.raw(field).and_then(|raw| core::str::from_utf8(raw).ok())
    }

    /// The text of a member that is a string.
    pub fn text(&self, field: Field) -> Option<Cow<'_, str>> {
        decode_string(self.raw(field)?)
    }

    /// Whether it answers that something went wrong: with an error, or with a result that says so.
    pub fn is_failure(&self) -> bool {
        self.has(Field::Error) || self.raw(Field::IsError) == Some(b"true")
    }

    /// The whole message.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The raw JSON of `whole` with the values of some members within it replaced.
    /// Edits of members that are absent are passed over.
    pub fn spliced(&self, whole: Field, edits: &mut [(Field, Cow<'_, [u8]>)]) -> Vec<u8> {
        let Some(outer) = self.fields.span(whole) else { return Vec::new() };
        edits.sort_unstable_by_key(|(field, _)| self.fields.span(*field).map_or(0, |span| span.start));
        let grown: usize = edits.iter().map(|(_, value)| value.len()).sum();
        let mut out = Vec::with_capacity(outer.of(&self.bytes).len().saturating_add(grown));
        let mut at = outer.start as usize;
        for (field, value) in edits.iter() {
            let Some(span) = self.fields.span(*field) else { continue };
            out.extend_from_slice(self.bytes.get(at..span.start as usize).unwrap_or_default());
            out.extend_from_slice(value);
            at = span.end as usize;
        }
        out.extend_from_slice(self.bytes.get(at..outer.end as usize).unwrap_or_default());
        out
    }
}

pub(super) fn first_byte(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// A string, or a number without fraction and exponent.
fn is_id(raw: &[u8]) -> bool {
    match raw.first() {
        Some(b'"') => true,
        Some(b'-' | b'0'..=b'9') => raw.iter().all(|b| matches!(b, b'-' | b'0'..=b'9')),
        Some(_) | None => false,
    }
}

fn is_number(raw: &[u8]) -> bool {
    matches!(raw.first(), Some(b'-' | b'0'..=b'9'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::String;

    fn parse(text: &str) -> Result<Envelope, Fault> {
        Envelope::parse(Bytes::from(text.to_owned()), Sender::Client, &Limits::default())
    }

    fn refusal(text: &str) -> String {
        format!("{}", parse(text).unwrap_err())
    }

    #[test]
    fn ids_keep_their_spelling() {
        for id in ["1", "\"1\"", "-9007199254740993", "\"ключ\\u0041\"", "18446744073709551615"] {
            let envelope = parse(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)).unwrap();
            assert_eq!(envelope.message(), Message::Request { id, method: "ping" });
        }
    }

    #[test]
    fn a_method_is_known_however_it_is_spelt() {
        for (spelt, method) in [
            (r"tools\/call", "tools/call"),
            (r"\u0070ing", "ping"),
            (r"vendor\/\u00fc\ud83d\ude00", "vendor/ü😀"),
        ] {
            let params = r#"{"name":"a\/b","n":1e400}"#;
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{spelt}","params":{params}}}"#);
            let envelope = parse(&text).unwrap();
            assert_eq!(envelope.message(), Message::Request { id: "1", method });
            assert_eq!(envelope.raw(Field::Params), Some(params.as_bytes()), "the rest is as it was");
        }
        for spelt in [r"a\n", r#"a\"b"#, r"a\\b", r"\ud800", r"a\u0085"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{spelt}"}}"#);
            assert!(refusal(&text).contains("plain string"), "{spelt}");
        }
    }

    #[test]
    fn ids_that_json_rpc_does_not_have_are_refused() {
        for id in ["null", "1.5", "1e3", "{}", "[]", "true"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            assert!(refusal(&text).contains("\"id\" must be"), "{id}");
        }
    }

    #[test]
    fn ids_of_upstreams_may_be_any_numbers() {
        let read = |id: &str, rest: &str, sender| {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},{rest}}}"#);
            Envelope::parse(text.into(), sender, &Limits::default())
        };
        for (rest, ok) in [(r#""method":"ping""#, None), (r#""result":{}"#, Some(true))] {
            for id in ["7.0", "70e-1", "-7", "7.5", "-0.1", "1e400"] {
                let envelope = read(id, rest, Sender::Upstream).unwrap();
                let expected = match ok {
                    None => Message::Request { id, method: "ping" },
                    Some(ok) => Message::Response { id, ok },
                };
                assert_eq!(envelope.message(), expected);
                assert_eq!(read(id, rest, Sender::Client).is_ok(), id == "-7", "{id}");
            }
            assert!(["true", "null", "[7]", "{}"].iter().all(|id| read(id, rest, Sender::Upstream).is_err()));
        }
    }

    #[test]
    fn messages_that_are_no_json_rpc_say_what_is_missing() {
        assert!(refusal("[]").contains("a message is an object"));
        assert!(refusal("1").contains("object"));
        assert!(refusal(r#"{"id":1,"method":"x"}"#).contains("jsonrpc"));
        assert!(refusal(r#"{"jsonrpc":"2.0","id":1}"#).contains("neither a \"result\" nor an \"error\""));
        assert!(refusal(r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#).contains("more than one"));
        assert!(refusal(r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}"#).contains("params"));
        assert!(refusal(r#"{"jsonrpc":"2.0","result":1}"#).contains("needs an \"id\""));
        assert!(refusal(r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#).contains("no \"params\""));
    }

    #[test]
    fn splicing_changes_the_named_members_and_nothing_else() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{ "_meta":{"progressToken":"t"} , "name":"a__b","arguments":{"n":1e2}}}"#;
        let envelope = parse(text).unwrap();
        let mut edits =
            [(Field::Name, b"\"b\"".as_slice().into()), (Field::MetaProgressToken, b"7".as_slice().into())];
        let params = envelope.spliced(Field::Params, &mut edits);
        assert_eq!(
            String::from_utf8(params).unwrap(),
            r#"{ "_meta":{"progressToken":7} , "name":"b","arguments":{"n":1e2}}"#
        );
    }
}
