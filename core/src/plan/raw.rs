//! Raw JSON that was validated before, read one level at a time.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use crate::rpc::{Members, decode_string};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Array,
    Bool,
    Null,
    Number,
    Object,
    String,
}

impl Kind {
    /// Its name in JSON Schema.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Bool => "boolean",
            Self::Null => "null",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }
}

/// A raw value, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Raw<'a>(pub &'a [u8]);

impl<'a> Raw<'a> {
    /// Takes a text that was validated before.
    pub(crate) fn of(text: &'a [u8]) -> Self {
        Self(text.trim_ascii())
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The members of an object, in order; none of anything else.
    pub(crate) fn members(self) -> Vec<(Cow<'a, str>, Self)> {
        let members = if self.kind() == Kind::Object { Members::read(self.0) } else { None };
        let members = members.map_or_else(Vec::new, |members| members.0);
        members.into_iter().map(|(name, value)| (name, Self::from(value))).collect()
    }

    /// A member of an object.
    pub(crate) fn member(self, name: &str) -> Option<Self> {
        self.members().into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The elements of an array, in order; none of anything else.
    pub(crate) fn elements(self) -> Vec<Self> {
        let elements: Option<Vec<&RawValue>> =
            if self.kind() == Kind::Array { serde_json::from_slice(self.0).ok() } else { None };
        elements.unwrap_or_default().into_iter().map(Self::from).collect()
    }

    /// The text of a string.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        decode_string(self.0)
    }

    /// `true` or `false`.
    pub(crate) fn bool(self) -> Option<bool> {
        match self.0 {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// A whole number that is not negative: `1.0` is one, too.
    pub(crate) fn whole(self) -> Option<u64> {
        let (whole, rest) = self.spelling().split_once('.').unwrap_or_else(|| (self.spelling(), ""));
        whole.parse().ok().filter(|_| rest.bytes().all(|digit| digit == b'0'))
    }

    /// A number, as near as a double comes.
    pub(crate) fn number(self) -> Option<f64> {
        if self.kind() == Kind::Number { self.spelling().parse().ok() } else { None }
    }

    /// As it is spelt.
    pub(crate) fn spelling(self) -> &'a str {
        core::str::from_utf8(self.0).unwrap_or_default()
    }
}

impl<'a> From<&'a RawValue> for Raw<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self(value.get().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_one_level_at_a_time_and_keeps_its_spelling() {
        let raw = Raw::of(b" {\"a\\u0062\": [1e400 , \"x\"], \"c\": {}} ");
        let members = raw.members();
        assert_eq!(members[0].0, "ab");
        let elements = members[0].1.elements();
        assert_eq!(elements[0].spelling(), "1e400");
        assert_eq!(elements[1].text().unwrap(), "x");
        assert_eq!(raw.member("c").unwrap().kind(), Kind::Object);
        assert!(raw.elements().is_empty() && raw.member("d").is_none());
    }
}
