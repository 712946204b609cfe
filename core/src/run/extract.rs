//! Parts of what a run keeps, as text: a range of a value, or the places at which it holds what is looked for.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::plan::Raw;
use crate::rpc::write;

/// A part of a value, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// The text.
    pub text: String,
}

/// Parts of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracts {
    /// In their order; none overlaps another.
    pub parts: Vec<Extract>,
    /// Bytes of the whole.
    pub total: usize,
    /// From where on there is more; `None` where there is not.
    pub next: Option<usize>,
}

impl Extracts {
    /// At most `length` bytes of a value from `offset` on, but one character at least: of the text that it is, or else of its
    /// JSON.
    pub fn of_range(value: &[u8], offset: usize, length: usize) -> Self {
        let text = shown(value);
        let start = before(&text, offset);
        let end = before(&text, start.saturating_add(length)).max(after(&text, start.saturating_add(1)));
        let next = (end < text.len()).then_some(end);
        Self { parts: Vec::from([part(&text, start, end)]), total: text.len(), next }
    }

    /// The first `most` places from `offset` on at which a value holds `words`, each with `around` bytes before and after. Places
    /// that are near each other are in one part.
    pub fn of_search(value: &[u8], words: &str, offset: usize, (around, most): (usize, usize)) -> Self {
        let text = shown(value);
        let is_text = Raw::of(value).text().is_some();
        let spellings = if is_text { Vec::from([Cow::Borrowed(words)]) } else { spellings(words) };
        let find = |from: usize| {
            let rest = text.get(from..)?;
            let place = |words: &Cow<'_, str>| Some((from.saturating_add(rest.find(&**words)?), words.len()));
            spellings.iter().filter_map(place).min()
        };
        let (mut parts, mut begin) = (Vec::new(), before(&text, offset));
        let next = loop {
            let Some((at, length)) = find(begin) else { break None };
            if parts.len() == most {
                break Some(at);
            }
            let start = before(&text, at.saturating_sub(around)).max(begin);
            let end = after(&text, at.saturating_add(length).saturating_add(around));
            parts.push(part(&text, start, end));
            begin = end;
        };
        Self { parts, total: text.len(), next }
    }
}

fn part(text: &str, start: usize, end: usize) -> Extract {
    Extract { offset: start, text: text.get(start..end).unwrap_or_default().into() }
}

/// How words may be spelt within the strings of a JSON text: as they are, with what has to be escaped, or with all escaped that
/// is not ASCII.
fn spellings(words: &str) -> Vec<Cow<'_, str>> {
    let mut quoted = Vec::new();
    write::string(&mut quoted, words);
    let quoted = String::from_utf8(quoted).unwrap_or_default();
    let minimal = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let mut all = Vec::from([Cow::Borrowed(words), Cow::Owned(minimal.into())]);
    if !words.is_ascii() {
        all.push(Cow::Owned(ascii(minimal)));
    }
    all
}

/// A text with all escaped that is not ASCII.
fn ascii(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if letter.is_ascii() {
            escaped.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    escaped
}

fn shown(value: &[u8]) -> Cow<'_, str> {
    let raw = Raw::of(value);
    raw.text().unwrap_or_else(|| Cow::Borrowed(raw.spelling()))
}

/// The last place at or before `at` where a character begins.
fn before(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The first place at or after `at` where a character begins.
fn after(text: &str, at: usize) -> usize {
    (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(extracts: &Extracts) -> Vec<(usize, &str)> {
        extracts.parts.iter().map(|part| (part.offset, &*part.text)).collect()
    }

    #[test]
    fn ranges_follow_each_other_to_the_end_and_cut_no_character() {
        let value = "\"aé\u{1d11e}b\"".as_bytes();
        let (mut from, mut all) = (Some(0), String::new());
        while let Some(offset) = from {
            let range = Extracts::of_range(value, offset, 1);
            assert_eq!(range.total, 8);
            all.extend(range.parts.iter().map(|part| &*part.text));
            from = range.next;
        }
        assert_eq!(all, "aé\u{1d11e}b");
        assert_eq!(texts(&Extracts::of_range(value, 2, 1)), [(1, "é")], "within a character it is that one");
        assert_eq!(texts(&Extracts::of_range(value, 99, 1)), [(8, "")]);
    }

    #[test]
    fn places_near_each_other_are_one_part_and_those_that_are_too_many_come_next() {
        let value = br#""ab ab ........ ab ........ ab""#;
        let found = Extracts::of_search(value, "ab", 0, (4, 2));
        assert_eq!(texts(&found), [(0, "ab ab "), (11, "... ab ...")]);
        assert_eq!(found.next, Some(27));
        let rest = Extracts::of_search(value, "ab", 27, (4, 2));
        assert_eq!((texts(&rest), rest.next), (Vec::from([(27, "ab")]), None));
        assert!(Extracts::of_search(value, "x", 0, (4, 2)).parts.is_empty());
    }

    #[test]
    fn words_are_found_however_a_json_text_spells_them() {
        let plain = r#"{"v":"naïve café \"q\""}"#;
        let ascii = r#"{"v":"na\u00efve caf\u00e9 \"q\" \ud834\udd1e"}"#;
        for words in ["café", "naïve", "\"q\"", "\"v\":"] {
            for value in [plain, ascii] {
                let found = Extracts::of_search(value.as_bytes(), words, 0, (4, 20));
                assert_eq!(found.parts.len(), 1, "{words} in {value}");
            }
        }
        assert_eq!(Extracts::of_search(ascii.as_bytes(), "\u{1d11e}", 0, (4, 20)).parts.len(), 1);
    }
}
