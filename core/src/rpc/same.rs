//! Whether two JSON values are the same, however they are spelt.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::{Members, decode_string};

/// Whether two raw values that were validated before are the same: members may come in any order, and characters may be
/// escaped. Numbers are the same when they are spelt alike.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    match (one.first(), other.first()) {
        (Some(b'{'), Some(b'{')) => match (members(one), members(other)) {
            (Some(one), Some(other)) => {
                let alike = |(name, value): (_, &&RawValue)| {
                    other.get(name).is_some_and(|other| same_raw(value, other))
                };
                one.len() == other.len() && one.iter().all(alike)
            }
            (None | Some(_), _) => false,
        },
        (Some(b'['), Some(b'[')) => match (elements(one), elements(other)) {
            (Some(one), Some(other)) => {
                one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| same_raw(one, other))
            }
            (None | Some(_), _) => false,
        },
        (Some(b'"'), Some(b'"')) => {
            decode_string(one).is_some_and(|one| decode_string(other).is_some_and(|other| one == other))
        }
        (None | Some(_), _) => false,
    }
}

fn same_raw(one: &RawValue, other: &RawValue) -> bool {
    same(one.get().as_bytes(), other.get().as_bytes())
}

fn members(object: &[u8]) -> Option<BTreeMap<Cow<'_, str>, &RawValue>> {
    Some(Members::read(object)?.0.into_iter().collect())
}

fn elements(array: &[u8]) -> Option<Vec<&RawValue>> {
    serde_json::from_slice(array).ok()
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn values_are_the_same_whatever_the_order_of_members_the_spaces_and_the_escapes() {
        for (one, other) in [
            (r#"{"a":1,"b":[{"c":"x"}]}"#, r#"{ "b": [ {"\u0063":"\u0078"} ], "a": 1 }"#),
            ("[]", "[ ]"),
            ("1e400", "1e400"),
        ] {
            assert!(same(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }

    #[test]
    fn values_differ_by_what_they_hold_and_lack() {
        for (one, other) in [
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":1,"b":null}"#, r#"{"a":1}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#""1""#, "1"),
            ("null", "false"),
            ("{}", "[]"),
        ] {
            assert!(!same(one.as_bytes(), other.as_bytes()), "{one} {other}");
        }
    }
}
