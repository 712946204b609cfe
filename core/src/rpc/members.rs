//! The members of a raw JSON object, in order.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decode_string;

/// The members of an object: names decoded, values raw. A name that is no text (lone surrogates) stays as it is written,
/// with its quotes.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>, Vec<&'a RawValue>);

impl<'a> Members<'a> {
    /// Reads an object that was validated before; `None` for anything else.
    pub fn read(object: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(object).ok()
    }

    /// The object without the members that `drop` names. The others keep their spelling.
    pub fn without(&self, drop: impl Fn(&str) -> bool) -> Vec<u8> {
        self.with(|name, value| (!drop(name)).then_some(Cow::Borrowed(value)))
    }

    /// The object with other values: raw JSON, or nothing for members that are left out. Names keep their spelling.
    pub fn with(&self, mut value: impl FnMut(&str, &'a str) -> Option<Cow<'a, str>>) -> Vec<u8> {
        let mut out = Vec::from(b"{");
        for ((name, raw), spelling) in self.0.iter().zip(&self.1) {
            let Some(value) = value(name, raw.get()) else { continue };
            if out.len() > 1 {
                out.push(b',');
            }
            out.extend_from_slice(spelling.get().as_bytes());
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
        out.push(b'}');
        out
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut members, mut spelling) = (Vec::new(), Vec::new());
                while let Some((name, value)) = map.next_entry::<&'de RawValue, _>()? {
                    let text =
                        decode_string(name.get().as_bytes()).unwrap_or_else(|| Cow::Borrowed(name.get()));
                    members.push((text, value));
                    spelling.push(name);
                }
                Ok(Members(members, spelling))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_spelling() {
        let object = br#"{"b":1e2,"a\"":{"x": [1] },"drop":0}"#;
        let kept = Members::read(object).unwrap().without(|name| name == "drop");
        assert_eq!(core::str::from_utf8(&kept).unwrap(), r#"{"b":1e2,"a\"":{"x": [1] }}"#);
        assert!(Members::read(b"[1]").is_none());
    }

    #[test]
    fn a_name_that_is_no_text_hides_no_other_member() {
        let object = br#"{"\ud800":1,"\u0064rop":2,"\u0061":3}"#;
        let kept = Members::read(object).unwrap().without(|name| name == "drop");
        assert_eq!(core::str::from_utf8(&kept).unwrap(), r#"{"\ud800":1,"\u0061":3}"#);
    }
}
