//! The text of a JSON string.

use alloc::borrow::Cow;
use alloc::string::String;

/// Decodes a raw JSON string (with its quotes). `None` when it is no string, or holds a lone surrogate, which
/// has no text.
pub fn decode_string(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let text = core::str::from_utf8(inner).ok()?;
    if inner.contains(&b'\\') { unescape(text).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => code_point(&mut chars)?,
            other => other,
        });
    }
    Some(out)
}

/// The character of the hexadecimal digits after `\u`, with its low surrogate where it has one.
fn code_point(chars: &mut core::str::Chars<'_>) -> Option<char> {
    let high = unit(chars)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    let (Some('\\'), Some('u')) = (chars.next(), chars.next()) else { return None };
    let low = unit(chars)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(((high & 0x3ff) << 10).wrapping_add(low).wrapping_add(0x1_0000))
}

fn unit(chars: &mut core::str::Chars<'_>) -> Option<u32> {
    let mut value = 0_u32;
    for _ in 0..4 {
        value = (value << 4) | chars.next()?.to_digit(16)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_surrogate_pairs_decode() {
        assert_eq!(decode_string(br#""a\n\"\u00e9\ud83d\ude00\/""#).as_deref(), Some("a\n\"é😀/"));
    }

    #[test]
    fn lone_surrogates_have_no_text() {
        assert_eq!(decode_string(br#""\ud83d""#), None);
        assert_eq!(decode_string(br#""\ude00""#), None);
        assert_eq!(decode_string(br#""\ud83d\u0041""#), None);
    }

    #[test]
    fn what_is_no_string_has_no_text() {
        assert_eq!(decode_string(b"12"), None);
        assert_eq!(decode_string(b"\""), None);
    }
}
