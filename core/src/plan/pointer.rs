//! JSON Pointer (RFC 6901): where in a value something stands.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

use super::raw::{Kind, Raw};
use super::{Allowance, Bound};
use crate::rpc::{JsonLimits, scan};

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

    /// What it leads to in a raw value, where a text is nothing but a text.
    pub(crate) fn part_of<'a>(&self, whole: Raw<'a>) -> Option<Raw<'a>> {
        self.0.iter().try_fold(whole, |value, token| step(value, token))
    }

    /// What it leads to. A text on the way that is JSON, an object or an array, is read as such. There is nothing after the
    /// last element, so `-` leads nowhere.
    pub(crate) fn within(
        &self,
        whole: &Bytes,
        json: JsonLimits,
        allowance: &mut Allowance,
    ) -> Result<Option<Bytes>, Bound> {
        let (mut value, mut is_part) = (whole.slice_ref(Raw::of(whole).0), true);
        for token in &self.0 {
            if Raw(&value).kind() == Kind::String {
                let Some(text) = parsed(&value, json, allowance)? else { return Ok(None) };
                (value, is_part) = (text, false);
            }
            allowance.read(value.len())?;
            let Some(found) = step(Raw(&value), token) else { return Ok(None) };
            value = value.slice_ref(found.0);
        }
        if is_part {
            return Ok(Some(value));
        }
        // A small part does not keep the whole text.
        allowance.copy(value.len())?;
        Ok(Some(Bytes::copy_from_slice(&value)))
    }
}

fn step<'a>(value: Raw<'a>, token: &str) -> Option<Raw<'a>> {
    match value.kind() {
        Kind::Object => value.member(token),
        Kind::Array => value.elements().get(index(token)?).copied(),
        Kind::Bool | Kind::Null | Kind::Number | Kind::String => None,
    }
}

/// The object or array that a raw string holds as its text. What the hub would refuse as a message is none.
pub(crate) fn parsed(
    raw: &[u8],
    json: JsonLimits,
    allowance: &mut Allowance,
) -> Result<Option<Bytes>, Bound> {
    // Once to read the string, and once to check what it holds.
    allowance.read(raw.len().saturating_mul(2))?;
    let Some(text) = Raw(raw).text() else { return Ok(None) };
    let text = text.as_bytes().trim_ascii();
    let is_json = matches!(text.first(), Some(b'{' | b'[')) && scan(text, json, false).is_ok();
    Ok(is_json.then(|| Bytes::copy_from_slice(text)))
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
    use crate::{Limit, Limits};
    use alloc::string::ToString;

    /// What a pointer leads to, and how much was read for that.
    fn reach(pointer: &str, whole: &'static str, most: usize) -> Result<(Option<String>, usize), Bound> {
        let bound = Bound { limit: Limit::StepReadBytes, most };
        let mut allowance = Allowance::new(bound, bound);
        let (pointer, json) =
            (Pointer::parse(pointer).unwrap(), JsonLimits::of_upstreams(&Limits::default()));
        let found = pointer.within(&Bytes::from_static(whole.as_bytes()), json, &mut allowance)?;
        Ok((found.map(|found| String::from_utf8(found.to_vec()).unwrap()), allowance.spent()))
    }

    fn check(pointer: &str, whole: &'static str, expected: Option<&str>) {
        let (found, _) = reach(pointer, whole, 1_000).unwrap();
        assert_eq!(found.as_deref(), expected, "{pointer} in {whole}");
    }

    #[test]
    fn a_text_on_the_way_that_is_an_object_or_an_array_is_read_as_such_however_deep() {
        let file = r#"{"content":"{\"k\":[1,{\"n\":\" [\\\"x\\\"]\"}]}"}"#;
        check("/content/k/0", file, Some("1"));
        check("/content/k/1/n/0", file, Some(r#""x""#));
        check("/content", file, Some(r#""{\"k\":[1,{\"n\":\" [\\\"x\\\"]\"}]}""#));
        check("/content/k/1/n/1", file, None);
        for no_json in [r#""x""#, r#""\"x\"""#, r#""1""#, r#""{\"0\":1,\"0\":2}""#, r#""[1,]""#] {
            check("/0", no_json, None);
        }
    }

    #[test]
    fn what_is_read_on_the_way_is_counted_before_it_is_read() {
        let (_, spent) = reach("/a/0", r#"{"a":"[1]"}"#, 1_000).unwrap();
        assert_eq!(spent, 11 + 2 * 5 + 3);
        assert!(reach("/a/0", r#"{"a":"[1]"}"#, spent).is_ok());
        let over = reach("/a/0", r#"{"a":"[1]"}"#, spent - 1).unwrap_err();
        assert_eq!(over.to_string(), "limit step_read_bytes reached (23)");
    }

    /// The document and the pointers of RFC 6901, section 5.
    #[test]
    fn the_examples_of_the_standard_lead_where_it_says() {
        let whole =
            r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
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
            check(pointer, whole, Some(value));
            assert_eq!(Pointer::parse(pointer).unwrap().to_string(), pointer);
        }
        check("", whole, Some(whole));
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
            check(&Pointer::default().member(token).to_string(), "[1,2]", None);
        }
    }
}
