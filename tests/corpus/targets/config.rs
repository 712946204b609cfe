//! The configuration file: no text makes the parser panic, no value of a file appears in what is said about it, and
//! what is written reads back the same.
//!
//! An input is the text of a file. If it is plain JSON it is read again with a secret in every value, whole and
//! damaged.

use orch_config::file::{ConfigFile, Finding};
use orch_core::Limits;
use serde_json::Value;

/// Unlike anything that a finding says of itself.
const SECRET: &str = "s3cr3t";

/// So many findings are kept of each kind, errors and warnings.
const MOST_FINDINGS: usize = 200;

/// Strings that choose a kind of server: with another in their place, less would be read.
const MEANS: [&str; 3] = ["type", "transport", "transportType"];

/// So many damaged copies of a text are read.
const DAMAGES: usize = 32;

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match parse(text) {
        Ok(file) => {
            assert!(file.warnings.len() <= MOST_FINDINGS);
            reads_back(&file);
        }
        Err(findings) => {
            assert!(!findings.is_empty(), "refused without a word");
            assert!(findings.len() <= MOST_FINDINGS);
            assert!(findings.iter().all(|it| it.at.is_none_or(|at| at.line <= text.lines().count() + 1)));
        }
    }
    keeps_secrets(text);
}

fn parse(text: &str) -> Result<ConfigFile, Vec<Finding>> {
    ConfigFile::parse("mcp-config.json", text, &Limits::default())
}

fn reads_back(file: &ConfigFile) {
    let written = file.write();
    let again = parse(&written).unwrap_or_else(|findings| panic!("{findings:?} in {written}"));
    assert_eq!((&again.servers, &again.unknown), (&file.servers, &file.unknown), "{written}");
    assert_eq!(again.write(), written, "writing is canonical");
}

fn keeps_secrets(text: &str) {
    if text.contains(SECRET) {
        return;
    }
    let Ok(mut tree) = serde_json::from_str::<Value>(text) else { return };
    plant(&mut tree);
    let planted = tree.to_string();
    says_no_secret(&planted);
    let step = 1 + planted.len() / DAMAGES;
    for at in (0..planted.len()).step_by(step).filter(|at| planted.is_char_boundary(*at)) {
        let (before, after) = planted.split_at(at);
        says_no_secret(before);
        let mut rest = after.chars();
        rest.next();
        says_no_secret(&[before, rest.as_str()].concat());
    }
}

/// Puts the secret into every string that is a value, but for those that choose a transport.
fn plant(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(SECRET),
        Value::Array(all) => all.iter_mut().for_each(plant),
        Value::Object(members) => {
            for (name, value) in members {
                if !(MEANS.contains(&name.as_str()) && value.is_string()) {
                    plant(value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn says_no_secret(text: &str) {
    let findings = parse(text).map_or_else(|errors| errors, |file| file.warnings);
    for finding in findings {
        assert!(!finding.to_string().contains(SECRET), "{finding}\nin {text}");
    }
}
