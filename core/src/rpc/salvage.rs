//! The id of a message that cannot be read as a whole: it is malformed, or too long to be held.
//!
//! Implementations write `id` among the first members or as one of the last, so its value is found from either end
//! of the text without what lies between. Nothing is validated here: of a text that is JSON the id is the right one,
//! of any other it is only what a reader would take for it.

use core::str;

use super::{JsonLimits, scan};

/// The longest id that is looked for, in bytes of its raw JSON.
const LONGEST: usize = 4 * 1024;

/// The raw id of the request that a response answers, of which only the `beginning` and the `end` are there. `None`
/// too for what may be a request or a notification: an upstream's own ids are not those of the requests to it. What holds a
/// `result` or an `error` is meant for a response, also where it has a `method` beside it.
pub fn answered_id<'t>(beginning: &'t [u8], end: &'t [u8]) -> Option<&'t str> {
    let first = Glance::at(beginning);
    if first.answers { first.id.or_else(|| id_in_end(end)) } else { None }
}

/// The raw id of the request that a response answers whose text, all of it, was refused. What holds no `method` is meant
/// for a response, also where it has neither a `result` nor an `error`; so is what holds one of these beside a `method`.
pub fn replied_id(text: &[u8]) -> Option<&str> {
    let all = Glance::at(text);
    let answers = all.answers || (all.whole && !all.asks);
    if answers { all.id.or_else(|| id_in_end(text)) } else { None }
}

/// The raw id of a request whose text, all of it, was refused. What holds a `method` is meant for one, whatever else it holds.
pub fn asked_id(text: &[u8]) -> Option<&str> {
    let all = Glance::at(text);
    if all.asks { all.id.or_else(|| id_in_end(text)) } else { None }
}

/// What the first members of a message tell, up to where it breaks off or stops to be JSON.
#[derive(Debug, Default, PartialEq, Eq)]
struct Glance<'t> {
    id: Option<&'t str>,
    /// A `method` is among them.
    asks: bool,
    /// A `result` or an `error` is.
    answers: bool,
    /// There are no others.
    whole: bool,
}

impl<'t> Glance<'t> {
    fn at(text: &'t [u8]) -> Self {
        let mut seen = Self::default();
        let mut rest = skip_space(text).strip_prefix(b"{");
        while let Some(members) = rest {
            rest = seen.member(members);
        }
        seen
    }

    /// Looks at one member, and returns the members after it.
    fn member(&mut self, members: &'t [u8]) -> Option<&'t [u8]> {
        let (key, after) = split_string(skip_space(members))?;
        self.asks |= key == b"\"method\"";
        self.answers |= key == b"\"result\"" || key == b"\"error\"";
        let (value, after) = split_value(skip_space(skip_space(after).strip_prefix(b":")?))?;
        if key == b"\"id\"" && self.id.is_none() {
            self.id = id(value);
        }
        let after = skip_space(after);
        self.whole = trim_end(after) == b"}";
        after.strip_prefix(b",")
    }
}

/// The raw id of the message that ends with `text`, whatever comes before it: of the last members, as far as their
/// values are no objects and no arrays.
fn id_in_end(text: &[u8]) -> Option<&str> {
    let mut rest = trim_end(text).strip_suffix(b"}")?;
    loop {
        let (before, value) = split_last_scalar(trim_end(rest))?;
        let (before, key) = split_last_string(trim_end(trim_end(before).strip_suffix(b":")?))?;
        let before = trim_end(before);
        if key == b"\"id\"" && matches!(before.last(), Some(b',' | b'{')) {
            return id(value);
        }
        rest = before.strip_suffix(b",")?;
    }
}

/// A string or an integer, and JSON: it is going to be written into an answer.
fn id(raw: &[u8]) -> Option<&str> {
    let integer = || raw.iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
    let fits = raw.len() <= LONGEST && (raw.first() == Some(&b'"') || integer());
    let bounds = JsonLimits { depth: 0, members: 0, nodes: 1, digits: LONGEST };
    if fits && scan(raw, bounds, false).is_ok() { str::from_utf8(raw).ok() } else { None }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

pub(super) fn skip_space(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |at| at.saturating_add(1));
    text.get(..end).unwrap_or_default()
}

/// A string with its quotes, and what follows it.
pub(super) fn split_string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    text.strip_prefix(b"\"")?;
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })?;
    text.split_at_checked(end.checked_add(2)?)
}

/// A value, and what follows it. `None` when the text may end within the value.
pub(super) fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    match text.first()? {
        b'"' => split_string(text),
        b'{' | b'[' => split_container(text),
        _ => text.split_at_checked(text.iter().position(|byte| b",}] \t\r\n".contains(byte))?),
    }
}

/// An object or array, by the balance of its brackets.
fn split_container(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut depth, mut rest) = (0_usize, text);
    loop {
        match rest.first()? {
            b'"' => {
                rest = split_string(rest)?.1;
                continue;
            }
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        rest = rest.get(1..)?;
        if depth == 0 {
            return text.split_at_checked(text.len().saturating_sub(rest.len()));
        }
    }
}

/// What comes before the string that the text ends with, and that string with its quotes.
fn split_last_string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut inner = text.strip_suffix(b"\"")?;
    loop {
        let quote = inner.iter().rposition(|byte| *byte == b'"')?;
        inner = inner.get(..quote)?;
        let escapes = inner.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes.is_multiple_of(2) {
            return text.split_at_checked(quote);
        }
    }
}

/// What comes before the string, number or literal that the text ends with, and that value.
fn split_last_scalar(text: &[u8]) -> Option<(&[u8], &[u8])> {
    match text.last()? {
        b'"' => split_last_string(text),
        b'}' | b']' => None,
        _ => {
            let start = text.iter().rposition(|byte| b":,{[ \t\r\n\"".contains(byte))?;
            text.split_at_checked(start.checked_add(1)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    /// What is found in a text of which only the beginning is there, and in one of which only the end is.
    #[track_caller]
    fn check(text: &str, beginning: Option<&str>, end: Option<&str>) {
        assert_eq!(answered_id(text.as_bytes(), b""), beginning, "from the beginning of {text}");
        assert_eq!(answered_id(b"{\"result\":", text.as_bytes()), end, "from the end of {text}");
    }

    #[test]
    fn an_id_is_found_from_the_end_that_it_stands_at() {
        check(r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"and so "#, Some("7"), None);
        check(r#"{"jsonrpc":"2.0","id":"a\"b","result":"#, Some(r#""a\"b""#), None);
        check(r#"and so on"}]},"jsonrpc":"2.0","id":7}"#, None, Some("7"));
        check(r#"and so on"}]} , "id" : "x\\" , "jsonrpc" : "2.0" } "#, None, Some(r#""x\\""#));
        check(r#"{"result":{"a":[{}, "]}"]},"id":-3,"error":{"#, Some("-3"), None);
    }

    #[test]
    fn an_id_within_a_value_is_not_the_one_of_the_message() {
        check(r#"{"result":{"id":9,"text":"and so "#, None, None);
        check(r#"{"result":"{\"id\":9,\"x\":1}","id"#, None, None);
        check(r#"and so on","id":9}}"#, None, None);
        check(r#"and so on","text":"\"id\":9"}"#, None, None);
        check(r#"and so on\"id":9}"#, None, None);
        check(r#"and so on,"x\",\"id":9}"#, None, None);
    }

    #[test]
    fn what_is_no_id_is_not_taken_for_one() {
        for value in ["null", "1.5", "1e3", "true", "{}", "[1]", "-", "007", "1-1", r#""\x""#, r#""\u12""#] {
            check(&format!(r#"{{"id":{value},"result":"#), None, None);
            check(&format!(r#"x","id":{value}}}"#), None, None);
        }
        // A number may go on where the text ends.
        check(r#"{"result":{},"id":12"#, None, None);
        for text in ["", "{", "}", "[", "\"", "{\"", "\"}", ":1}", "{}", "{\"id\"}"] {
            check(text, None, None);
        }
    }

    #[test]
    fn the_id_of_a_request_answers_nothing() {
        let end = br#"and so on"}],"jsonrpc":"2.0","id":3}"#;
        for asks in [r#"{"jsonrpc":"2.0","id":3,"method":"m","params":{"#, r#"{"method":"m","params":{"#] {
            assert_eq!(answered_id(asks.as_bytes(), end), None, "{asks}");
        }
        assert_eq!(answered_id(br#"{"jsonrpc":"2.0","id":3,"params":{"#, end), None, "it may be a request");
        assert_eq!(answered_id(br#"{"error":{"#, end), Some("3"));
    }

    #[test]
    fn what_was_refused_as_a_whole_and_holds_no_method_was_meant_for_an_answer() {
        for (text, id) in [
            (r#"{"jsonrpc":"2.0","id":7}"#, Some("7")),
            (r#"{ "id" : "a" , "jsonrpc" : "2.0" } "#, Some("\"a\"")),
            (r#"{"jsonrpc":"2.0","id":7,"params":{"content":[]}}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","result":{},"error":{},"id":7}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","id":7,"method":"m"}"#, None),
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","params":{}}"#, None),
            (r#"{"jsonrpc":"2.0","id":7,"#, None),
            (r#"{"jsonrpc":"2.0","id":7}}"#, None),
            (r#"{"jsonrpc":"2.0"}"#, None),
            (r#"{"jsonrpc":"2.0","id":null}"#, None),
        ] {
            assert_eq!(replied_id(text.as_bytes()), id, "{text}");
        }
    }

    #[test]
    fn what_holds_an_answer_was_meant_for_one_whatever_else_it_holds() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"method":"m","result":{}}"#,
            r#"{"result":{},"method":"m","jsonrpc":"2.0","id":7}"#,
            r#"{"jsonrpc":"2.0","method":"m","params":{},"error":{},"id":7}"#,
        ] {
            assert_eq!(replied_id(text.as_bytes()), Some("7"), "{text}");
            assert_eq!(answered_id(text.as_bytes(), text.as_bytes()), Some("7"), "{text}");
        }
    }

    #[test]
    fn a_request_that_is_refused_keeps_its_id_as_far_as_it_can_be_read() {
        for (text, id) in [
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","params":[1]}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","method":"m","params":{},"id":"a"}"#, Some("\"a\"")),
            (r#"{"jsonrpc":"2.0","id":7,"method":"#, Some("7")),
            (r#"{"method":"m","params":{"a":tru},"id":7}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","id":7}"#, None),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"method":"m"}"#, Some("7")),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#, None),
            (r#"[{"jsonrpc":"2.0","id":7,"method":"m"}]"#, None),
        ] {
            assert_eq!(asked_id(text.as_bytes()), id, "{text}");
        }
    }

    proptest! {
        #[test]
        fn of_a_whole_message_both_ends_tell_the_same_id(
            id in prop_oneof!["-?[1-9][0-9]{0,9}", "\"([a-z,:{}]|\\\\\\\\|\\\\\"){0,9}\""],
            text in "([a-z,:{}]|\\\\\\\\|\\\\\"){0,20}",
        ) {
            let first = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"text":"{text}"}}}}"#);
            prop_assert_eq!(answered_id(first.as_bytes(), b""), Some(&*id));
            let last = format!(r#"{{"result":{{"text":"{text}"}},"jsonrpc":"2.0","id":{id}}}"#);
            prop_assert_eq!(answered_id(last.as_bytes(), b""), Some(&*id));
            prop_assert_eq!(id_in_end(last.as_bytes()), Some(&*id));
        }

        #[test]
        fn any_bytes_are_looked_at_without_harm(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (asked_id(&text), replied_id(&text), answered_id(&text, &text), id_in_end(&text));
        }
    }
}
