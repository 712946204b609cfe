//! The words of a text, as a search compares them: lower case, names taken apart (`createIssue`, `create_issue`), and
//! without the `s` of the plural.

use alloc::string::String;
use alloc::vec::Vec;

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    let mut unspaced = Vec::new();
    for c in text.chars() {
        if is_unspaced(c) {
            end(&mut words, &mut word);
            unspaced.push(c);
            continue;
        }
        end_unspaced(&mut words, &mut unspaced);
        if !c.is_alphanumeric() {
            end(&mut words, &mut word);
            after_lower = false;
            continue;
        }
        if c.is_uppercase() && after_lower {
            end(&mut words, &mut word);
        }
        after_lower = c.is_lowercase() || c.is_numeric();
        word.extend(c.to_lowercase());
    }
    end(&mut words, &mut word);
    end_unspaced(&mut words, &mut unspaced);
    words
}

/// Whether its script writes words without spaces between them.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// Nobody knows where a word of such a script ends: each two characters count as one.
fn end_unspaced(words: &mut Vec<String>, characters: &mut Vec<char>) {
    if let [only] = characters.as_slice() {
        words.push(String::from(*only));
    }
    words.extend(characters.windows(2).map(String::from_iter));
    characters.clear();
}

fn end(words: &mut Vec<String>, word: &mut String) {
    if word.is_empty() {
        return;
    }
    let word = core::mem::take(word);
    words.push(singular(&word).map_or_else(|| word.clone(), String::from));
}

/// A word without the ending of its plural, where it looks like one.
fn singular(word: &str) -> Option<&str> {
    let stem = word.strip_suffix('s').filter(|stem| stem.len() > 2 && !stem.ends_with(['s', 'u', 'i']))?;
    let sibilant = stem.strip_suffix('e').filter(|stem| stem.ends_with(['x', 'z']) || stem.ends_with("ch"));
    Some(sibilant.unwrap_or(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_plurals_are_singulars() {
        for (text, expected) in [
            ("github.createIssue", "github create issue"),
            ("list_issues, branches & boxes", "list issue branch box"),
            ("getURL of status v2API", "get url of status v2 api"),
            ("Où sont les fichiers?", "où sont les fichier"),
            ("", ""),
            ("列出發票 of 2025年", "列出 出發 發票 of 2025 年"),
            ("請求書を送信する", "請求 求書 書を を送 送信 信す する"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }
}
