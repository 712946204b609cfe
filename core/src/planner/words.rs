//! The words of a text, as a search compares them: lower case, names taken apart (`createIssue`, `create_issue`), and
//! without the `s` of the plural.

use alloc::string::String;
use alloc::vec::Vec;

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for c in text.chars() {
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
    words
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
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
    }
}
