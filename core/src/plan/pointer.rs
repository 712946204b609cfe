//! JSON Pointer (RFC 6901): where in a value something stands.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::raw::{Kind, Raw};

/// A pointer: the names and indices from the whole to the part.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer: empty for the whole, or tokens that each begin with `/`. `~1` stands for `/` and `~0` for `~`;
    /// `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        text.strip_prefix('/')?.split('/').map(unescaped).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether it means the whole.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its first token, and the rest.
    pub(crate) fn split_first(&self) -> Option<(&str, Self)> {
        self.0.split_first().map(|(first, rest)| (first.as_str(), Self(rest.to_vec())))
    }

    /// The pointer to a member of what this one leads to.
    #[must_use]
    pub(crate) fn member(&self, name: &str) -> Self {
        let mut tokens = self.0.clone();
        tokens.push(name.to_owned());
        Self(tokens)
    }

    /// The pointer to an element of what this one leads to.
    #[must_use]
    pub(crate) fn element(&self, index: usize) -> Self {
        self.member(&alloc::format!("{index}"))
    }

    /// What it leads to. There is nothing after the last element, so `-` leads nowhere.
    pub(crate) fn within<'a>(&self, whole: Raw<'a>) -> Option<Raw<'a>> {
        self.0.iter().try_fold(whole, |value, token| match value.kind() {
            Kind::Object => value.member(token),
            Kind::Array => value.elements().get(index(token)?).copied(),
            Kind::Bool | Kind::Null | Kind::Number | Kind::String => None,
        })
    }
}

/// An array index: digits without a leading zero (RFC 6901, section 4).
pub(crate) fn index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with('0');
    let digits = plain && token.bytes().all(|byte| byte.is_ascii_digit());
    if digits { token.parse().ok() } else { None }
}

fn unescaped(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '~' => escaped(chars.next()?)?,
            plain => plain,
        });
    }
    Some(out)
}

fn escaped(after_tilde: char) -> Option<char> {
    match after_tilde {
        '0' => Some('~'),
        '1' => Some('/'),
        _ => None,
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|token| {
            let token = token.replace('~', "~0").replace('/', "~1");
            write!(f, "/{token}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The document and the pointers of RFC 6901, section 5.
    #[test]
    fn the_examples_of_the_standard_lead_where_it_says() {
        let whole =
            br#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        for (pointer, value) in [
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            let parsed = Pointer::parse(pointer).unwrap();
            assert_eq!(parsed.within(Raw::of(whole)).unwrap().spelling(), value, "{pointer}");
            assert_eq!(parsed.to_string(), pointer);
        }
        assert_eq!(Pointer::default().within(Raw::of(whole)), Some(Raw::of(whole)));
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["a", "a/b", "/~", "/~2", "/a~"] {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_index_is_plain_digits_and_there_is_nothing_after_the_last() {
        for token in ["-", "01", "+1", "2", "1e0", "-1", ""] {
            let pointer = Pointer::default().member(token);
            assert_eq!(pointer.within(Raw::of(b"[1,2]")), None, "{token}");
        }
    }
}
