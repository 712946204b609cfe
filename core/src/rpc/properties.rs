//! The scanner against `serde_json`, and splicing against concatenation, on arbitrary texts.
//!
//! Where they differ on purpose: a key that is written twice in one object, and texts over a bound, are refused here
//! and accepted there. Lone surrogates (`"\ud800"`) are accepted by both as long as nobody asks for the text of the
//! string; then both refuse.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::value::RawValue;

use super::{Envelope, Field, JsonLimits, Sender, decode_string, scan, write};
use crate::{Fault, Limits, Rejection};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(texts).prop_map(String::from)
}

/// A string with its quotes: escapes good and bad, surrogates paired and lone, control characters.
fn raw_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-c]{0,3}",
        2 => "[^\"\\\\\\pC]",
        2 => one_of(&["\\n", "\\\"", "\\\\", "\\/", "\\u0061", "\\ud83d\\ude00", "\\u00E9"]),
        1 => one_of(&["\\ud800", "\\udc00x", "\\ud83d\\u0041", "\u{7f}"]),
    ];
    vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = &'static str> {
    const SPACES: [&str; 8] = ["", "", "", "", " ", "\n", "\t\r", "  "];
    select(&SPACES)
}

/// A JSON text as its writer pleases; keys may come twice.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        one_of(&["null", "true", "false"]),
        one_of(&["0", "-0", "10", "-0.5e+3", "1E400", "123456789012345678901234567890"]),
        raw_string(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let spaced = (space(), inner, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}")).boxed();
        let member = (space(), raw_string(), space(), spaced.clone());
        let member = member.prop_map(|(a, key, b, value)| format!("{a}{key}{b}:{value}"));
        prop_oneof![
            vec(spaced, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// The same with one byte changed, taken away or put in, so that it is mostly not JSON.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"{}[]\",:\\0-.eE+tfn \n".to_vec()), any::<u8>()];
    (json(), any::<prop::sample::Index>(), 0..3, byte).prop_map(|(text, at, how, byte)| {
        let mut text = text.into_bytes();
        let at = at.index(text.len());
        match how {
            0 => text[at] = byte,
            1 => drop(text.remove(at)),
            _ => text.insert(at, byte),
        }
        text
    })
}

fn limits() -> JsonLimits {
    JsonLimits::of_upstreams(&Limits::default())
}

/// Whether a text is refused for what is not JSON's grammar.
fn on_purpose(fault: &Fault) -> bool {
    let twice = Rejection::NotJson("the same key twice in one object");
    matches!(fault, Fault::Exceeded(_)) || *fault == twice.into()
}

fn agrees(text: &[u8]) -> Result<(), TestCaseError> {
    let theirs = serde_json::from_slice::<&RawValue>(text).is_ok();
    match scan(text, limits(), false) {
        Ok(_) => prop_assert!(theirs, "only serde_json refuses it"),
        Err(fault) if on_purpose(&fault) => {}
        Err(fault) => prop_assert!(!theirs, "only the scanner refuses it: {fault}"),
    }
    Ok(())
}

/// A member of a message that the hub reads, with its key and an arbitrary value.
fn members() -> impl Strategy<Value = Vec<(&'static str, Field, String)>> {
    let all = [
        ("name", Field::Name),
        ("uri", Field::Uri),
        ("cursor", Field::Cursor),
        ("level", Field::Level),
        ("arguments", Field::Arguments),
        ("requestId", Field::RequestId),
    ];
    let chosen = prop::sample::subsequence(all.to_vec(), 0..all.len()).prop_shuffle();
    chosen.prop_flat_map(|chosen| {
        let values = vec(json(), chosen.len());
        values.prop_map(move |values| {
            chosen.iter().zip(values).map(|((key, field), value)| (*key, *field, value)).collect()
        })
    })
}

fn join(members: &[(&str, String)], gap: &str) -> String {
    let all: Vec<String> =
        members.iter().map(|(key, value)| format!("\"{key}\"{gap}:{gap}{value}")).collect();
    format!("{{{gap}{}}}", all.join(","))
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn the_scanner_and_serde_json_agree_on_what_is_json(text in json()) {
        agrees(text.as_bytes())?;
    }

    #[test]
    fn the_scanner_and_serde_json_agree_on_what_is_not(text in damaged()) {
        agrees(&text)?;
    }

    #[test]
    fn the_scanner_reads_any_bytes(text in vec(any::<u8>(), 0..40)) {
        agrees(&text)?;
    }

    #[test]
    fn a_string_has_the_text_that_serde_json_reads_in_it(raw in raw_string()) {
        let ours = decode_string(raw.as_bytes()).map(|text| text.to_string());
        prop_assert_eq!(ours, serde_json::from_str::<String>(&raw).ok());
    }

    #[test]
    fn what_is_written_as_a_string_is_read_again(text in any::<String>()) {
        let mut raw = Vec::new();
        write::string(&mut raw, &text);
        prop_assert_eq!(decode_string(&raw), Some(text.as_str().into()));
        prop_assert_eq!(serde_json::from_slice::<String>(&raw).unwrap(), text);
    }

    #[test]
    fn a_key_is_the_same_however_it_is_written(keys in vec(raw_string(), 0..18)) {
        let members: Vec<String> = keys.iter().map(|key| format!("{key}:0")).collect();
        let text = format!("{{{}}}", members.join(","));
        // A key without a text is compared as it is written.
        let name = |key: &String| decode_string(key.as_bytes()).map_or_else(|| key.clone(), |text| text.to_string());
        let names: BTreeSet<String> = keys.iter().map(name).collect();
        prop_assert_eq!(scan(text.as_bytes(), limits(), false).is_ok(), names.len() == keys.len());
    }

    #[test]
    fn splicing_replaces_what_it_names_and_nothing_else(
        members in members(),
        edits in vec(json(), 6),
        wanted in any::<u8>(),
        gap in space(),
    ) {
        let before: Vec<(&str, String)> =
            members.iter().map(|(key, _, value)| (*key, value.clone())).collect();
        let message =
            |params: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{params}}}");
        let text = message(&join(&before, gap));
        let parsed = Envelope::parse(Bytes::from(text), Sender::Upstream, &Limits::default());
        // Values may hold a key twice.
        prop_assume!(parsed.is_ok());
        let envelope = parsed.unwrap();
        let (mut after, mut chosen) = (before, Vec::new());
        for (n, ((_, field, _), edit)) in members.iter().zip(&edits).enumerate() {
            if wanted & (1 << n) != 0 {
                after[n].1.clone_from(edit);
                chosen.push((*field, edit.as_bytes().into()));
            }
        }
        // An edit of what is not there changes nothing.
        chosen.push((Field::RefName, b"7".as_slice().into()));
        let spliced = envelope.spliced(Field::Params, &mut chosen);
        prop_assert_eq!(String::from_utf8(spliced).unwrap(), join(&after, gap));
    }
}
