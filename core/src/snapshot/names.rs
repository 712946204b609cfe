//! Names of tools and prompts on the unified endpoint.
//!
//! People see `server.tool`. On the wire a name must pass what models accept (`[A-Za-z0-9_-]`, 64 at most, less
//! what agents put in front), so it is `server__tool` within [`crate::Limits::unified_name_bytes`]; a longer one
//! is cut and gets a hash, which depends on nothing but the name. Names are never split again: every spelling is
//! looked up in a table.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// The hash that marks a shortened name, in hexadecimal digits.
const HASH_DIGITS: usize = 8;

/// The wire name of `name` of `server`.
pub(super) fn wire_name(server: &str, separator: &str, name: &str, max: usize) -> String {
    let exact = format!("{server}{separator}{name}");
    let cleaned = cleaned(server, separator, name);
    if cleaned == exact && cleaned.len() <= max {
        return cleaned;
    }
    // A cleaned name could be that of another tool, so it is marked as well as a cut one.
    marked_name(server, separator, name, max)
}

/// The wire name with its hash: for names that are cut, cleaned, or already another tool's (`a` + `b__c` and
/// `a__b` + `c`).
pub(super) fn marked_name(server: &str, separator: &str, name: &str, max: usize) -> String {
    let room = max.saturating_sub(HASH_DIGITS + 1);
    let cut: String = cleaned(server, separator, name).chars().take(room).collect();
    // No name holds the character between the two, so no other pair is hashed like this one.
    format!("{}_{}", cut.trim_end_matches('_'), hash(&format!("{server}\0{name}")))
}

fn cleaned(server: &str, separator: &str, name: &str) -> String {
    let dots = separator.contains('.');
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' || c == '-' || (dots && c == '.') { c } else { '_' }
    };
    format!("{server}{separator}{name}").chars().map(clean).collect()
}

fn hash(text: &str) -> String {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// Every spelling that a call may use for `name` of `server`, beside the wire name.
pub(super) fn spellings(server: &str, separator: &str, name: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for between in [separator, "__", ".", "/", ":"] {
        let spelling = format!("{server}{between}{name}");
        if !all.contains(&spelling) {
            all.push(spelling);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_plain_names_stay_readable() {
        assert_eq!(wire_name("github", "__", "create_issue", 48), "github__create_issue");
        assert_eq!(wire_name("github", ".", "create_issue", 48), "github.create_issue");
    }

    #[test]
    fn long_names_are_cut_stably_and_stay_apart() {
        let name = "a_tool_with_a_name_that_is_far_longer_than_any_model_takes_1";
        let one = wire_name("server", "__", name, 48);
        let two = wire_name("server", "__", &name.replace('1', "2"), 48);
        assert!(one.len() <= 48, "{one}");
        assert_eq!(one, wire_name("server", "__", name, 48));
        assert_ne!(one, two);
    }

    #[test]
    fn names_that_models_refuse_are_cleaned_and_stay_apart() {
        let (dot, slash) = (wire_name("my.srv", "__", "a/b", 48), wire_name("my.srv", "__", "a.b", 48));
        assert_ne!(dot, slash);
        assert!(dot.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{dot}");
    }

    #[test]
    fn every_common_spelling_is_known() {
        let all = spellings("github", "__", "create_issue");
        for spelling in ["github__create_issue", "github.create_issue", "github/create_issue"] {
            assert!(all.contains(&spelling.into()), "{spelling}");
        }
    }
}
