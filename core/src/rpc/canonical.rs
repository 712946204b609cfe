//! One spelling for every text of one JSON value.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::{Members, decode_string, write};

/// A value that was validated before, as one text that all of its spellings share: members by their names, no spaces, no
/// needless escapes. Numbers stay as they are spelt, and so do strings that are no text (lone surrogates).
pub fn canonical(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    put(value, &mut out);
    out
}

fn put(value: &[u8], out: &mut Vec<u8>) {
    match value.first() {
        Some(b'{') => put_object(value, out),
        Some(b'[') => put_array(value, out),
        Some(_) | None => match decode_string(value) {
            Some(text) => write::string(out, &text),
            None => out.extend_from_slice(value),
        },
    }
}

fn put_object(object: &[u8], out: &mut Vec<u8>) {
    let Some(members) = Members::read(object) else { return out.extend_from_slice(object) };
    let sorted: BTreeMap<Cow<'_, str>, &RawValue> = members.0.into_iter().collect();
    out.push(b'{');
    for (at, (name, value)) in sorted.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write::string(out, name);
        out.push(b':');
        put(value.get().as_bytes(), out);
    }
    out.push(b'}');
}

fn put_array(array: &[u8], out: &mut Vec<u8>) {
    let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(array) else {
        return out.extend_from_slice(array);
    };
    out.push(b'[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put(element.get().as_bytes(), out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn values_are_the_same_whatever_the_order_of_members_the_spaces_and_the_escapes() {
        for (one, other) in [
            (r#"{"a":1,"b":[{"c":"x"}]}"#, r#"{ "b": [ {"\u0063":"\u0078"} ], "a": 1 }"#),
            ("[]", "[ ]"),
            ("1e400", "1e400"),
            (r#"["\ud800"]"#, r#"[ "\ud800" ]"#),
        ] {
            assert_eq!(canonical(one.as_bytes()), canonical(other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn values_differ_by_what_they_hold_and_lack() {
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#),
            (r#"{"a":"1,\"b\":2"}"#, r#"{"a":"1","b":2}"#),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#""1""#, "1"),
            ("null", "false"),
            ("{}", "[]"),
        ] {
            assert_ne!(canonical(one.as_bytes()), canonical(other.as_bytes()), "{one} {other}");
        }
    }
}
