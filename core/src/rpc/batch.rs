//! What is posted or said at once: one message, or in 2025-03-26 an array of them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

use super::envelope::first_byte;
use super::scan::scan_elements;
use super::{Envelope, JsonLimits, Sender, asked_id, replied_id};
use crate::{Exceeded, Fault, Limit, Limits};

/// What was said and is no message: an element of an array, or anything of a server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// What is wrong with it.
    pub fault: Fault,
    /// Raw JSON of its id if it was meant for a request, where that can be read.
    pub asked: Option<Box<str>>,
    /// Raw JSON of the id of the request that it was meant to answer, where that can be read.
    pub replied: Option<Box<str>>,
    /// Its beginning, if it was meant for neither: of at most 1,024 bytes.
    pub beginning: Option<Box<str>>,
    /// All of it, where it is a server's and is nested deeper than [`Limits::json_depth`]: a part of it may be readable.
    pub deep: Option<Box<Bytes>>,
}

/// How much of a text is shown that was refused.
const SHOWN: usize = 1024;

impl Unread {
    /// What can be told of a text that was refused.
    pub fn of(text: &[u8], fault: Fault) -> Self {
        let (asked, replied) = (asked_id(text).map(Into::into), replied_id(text).map(Into::into));
        let stray = asked.is_none() && replied.is_none();
        // As far as it is text.
        let beginning =
            text.get(..SHOWN).unwrap_or(text).utf8_chunks().next().map_or("", |chunk| chunk.valid());
        Self { fault, asked, replied, beginning: stray.then(|| beginning.into()), deep: None }
    }

    /// Its own answer: an error under its id, or under `null`.
    pub fn frame(&self) -> Vec<u8> {
        self.fault.frame(self.asked.as_deref())
    }
}

/// A body that was read.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and most are messages")]
pub enum Body {
    /// An array: what is no message in it is the fault that its own answer tells of (JSON-RPC 2.0, section 6).
    Batch(Vec<Result<Envelope, Unread>>),
    /// An object.
    Message(Envelope),
}

impl Body {
    /// Reads what a client has posted. The bounds of one message are those of a whole array.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, Fault> {
        if first_byte(&bytes) != Some(b'[') {
            return Envelope::parse(bytes, Sender::Client, limits).map(Self::Message);
        }
        let elements = scan_elements(&bytes, JsonLimits::of_clients(limits))?;
        if elements.len() > limits.batch_members {
            let (limit, value) = (Limit::BatchMembers, limits.batch_members as u64);
            return Err(Exceeded { limit, value, hint: "send fewer messages at once" }.into());
        }
        let read = |span: &super::Span| {
            let element = bytes.slice_ref(span.of(&bytes));
            Envelope::parse(element, Sender::Client, limits)
                .map_err(|fault| Unread::of(span.of(&bytes), fault))
        };
        Ok(Self::Batch(elements.iter().map(read).collect()))
    }
}

/// U+FEFF in UTF-8.
const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Reads what a server has said. A byte order mark before it is passed over (RFC 8259, section 8.1).
pub fn heard(bytes: Bytes, limits: &Limits) -> impl Iterator<Item = Result<Envelope, Unread>> {
    let bytes = if bytes.starts_with(&MARK) { bytes.slice(MARK.len()..) } else { bytes };
    let read = |text: Bytes| {
        Envelope::parse(text.clone(), Sender::Upstream, limits).map_err(|fault| {
            let deep = matches!(fault, Fault::Exceeded(Exceeded { limit: Limit::JsonDepth, .. }));
            Unread { deep: deep.then(|| Box::new(text.clone())), ..Unread::of(&text, fault) }
        })
    };
    split(bytes, limits).map(read)
}

/// The messages in what a server has said: one, or in 2025-03-26 an array of them. What is no array of so many stays whole.
pub fn split(bytes: Bytes, limits: &Limits) -> impl Iterator<Item = Bytes> + use<> {
    let elements = match first_byte(&bytes) {
        Some(b'[') => scan_elements(&bytes, JsonLimits::of_upstreams(limits)).unwrap_or_default(),
        Some(_) | None => Vec::new(),
    };
    // Most are one message: that takes no list.
    let is_array = !elements.is_empty() && elements.len() <= limits.batch_members;
    let (whole, elements) = if is_array { (None, elements) } else { (Some(bytes.clone()), Vec::new()) };
    whole.into_iter().chain(elements.into_iter().map(move |span| bytes.slice_ref(span.of(&bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::Message;
    use alloc::borrow::ToOwned;
    use alloc::format;

    fn parse(text: &str) -> Result<Body, Fault> {
        Body::parse(Bytes::from(text.to_owned()), &Limits::default())
    }

    fn members(text: &str) -> Vec<Result<Envelope, Unread>> {
        match parse(text) {
            Ok(Body::Batch(members)) => members,
            other => panic!("{other:?} is no batch"),
        }
    }

    #[test]
    fn an_array_is_its_messages_byte_for_byte() {
        let one = r#"{"jsonrpc":"2.0", "id":1,"method":"a","params":{"n":[1.0,{}]}}"#;
        let two = r#"{ "method":"b","jsonrpc":"2.0"}"#;
        let members = members(&format!(" [{one} ,\n{two}]\r\n"));
        let texts: Vec<&[u8]> = members.iter().map(|it| &**it.as_ref().unwrap().bytes()).collect();
        assert_eq!(texts, [one.as_bytes(), two.as_bytes()]);
        let second = members.get(1).unwrap().as_ref().unwrap();
        assert_eq!(second.message(), Message::Notification { method: "b" });
        assert!(matches!(parse(one), Ok(Body::Message(_))));
    }

    #[test]
    fn what_is_no_message_leaves_the_others_alone() {
        let members =
            members(r#"[1, {"jsonrpc":"2.0","method":"a"}, [], {"jsonrpc":"2.0","method":"a","x":1}]"#);
        let good: Vec<bool> = members.iter().map(Result::is_ok).collect();
        assert_eq!(good, [false, true, false, false]);
        assert!(self::members("[ ]").is_empty());
    }

    #[test]
    fn an_array_is_read_as_strictly_as_a_message() {
        for text in ["[", "[{}", "[{},]", "[{}{}]", "[{}]x", r#"[{"a":1,"a":2}]"#, "[\u{7f}]", "[nul]"] {
            let fault = parse(text).unwrap_err();
            assert!(format!("{fault}").contains("not valid JSON"), "{text}: {fault}");
        }
        let deep = format!("[{}{}]", "[".repeat(64), "]".repeat(64));
        assert!(format!("{}", parse(&deep).unwrap_err()).contains("json_depth"));
    }

    #[test]
    fn an_array_has_so_many_members_and_no_more() {
        let many = |count: usize| format!("[{}]", (0..count).map(|_| "{}").collect::<Vec<_>>().join(","));
        assert_eq!(members(&many(100)).len(), 100);
        let fault = parse(&many(101)).unwrap_err();
        assert!(format!("{fault}").contains("batch_members"), "{fault}");
    }

    #[test]
    fn an_array_of_a_server_is_its_messages_and_anything_else_stays_whole() {
        let limits = Limits { batch_members: 2, ..Limits::default() };
        let parts = |text: &str| {
            let all = split(Bytes::from(text.to_owned()), &limits);
            all.map(|part| core::str::from_utf8(&part).unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(parts(r#" [{"a":1} , 7]"#), [r#"{"a":1}"#, "7"]);
        for whole in ["{}", "[]", "[1,2,3]", "[1,", "nonsense"] {
            assert_eq!(parts(whole), [whole]);
        }
    }
}
