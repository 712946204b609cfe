//! What the core may not do: it has no clock, no socket, no thread and no async, and it names no crate that does.

use crate::checkout::{assert_none, required};
use crate::lexer::blank_text;
use crate::packages::{Kind, Package, packages};
use crate::source::{Source, find_words, line_of, sources, test_files};

/// The crates that the core may name. Each is `no_std`, has no IO, and earns its place here by review.
const DEPENDENCIES: [&str; 12] = [
    "base64",
    "bytes",
    "hashbrown",
    "hkdf",
    "hmac",
    "postcard",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
    "uuid",
];

/// The crates that the tests of the core may name as well.
const DEV_DEPENDENCIES: [&str; 2] = ["proptest", "serde_json"];

/// Ports are declared in the core and driven outside of it, so their methods return futures.
const PORTS: &str = "core/src/ports/";

fn core_package() -> Package {
    packages().into_iter().find(|package| package.directory == "core").expect("the core is a member")
}

fn core_sources() -> Vec<Source> {
    let mut sources = sources();
    let tests = test_files(&sources);
    sources.retain(|source| source.path.starts_with("core/src/") && !tests.contains(&source.path));
    assert!(!sources.is_empty(), "the core has no source");
    sources
}

/// Every place in `sources` where one of `phrases` stands in production code.
fn occurrences(sources: &[Source], phrases: &[&[&str]]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let code = source.production_code();
        for phrase in phrases {
            for position in find_words(&code, phrase) {
                found.push(format!("{}:{}: {}", source.path, line_of(&code, position), phrase.join(" ")));
            }
        }
    }
    found
}

#[test]
fn core_names_exactly_the_crates_of_its_allow_list() {
    let mut named: Vec<String> = core_package()
        .dependencies
        .into_iter()
        .filter(|dependency| dependency.kind == Kind::Normal)
        .map(|dependency| dependency.name)
        .collect();
    named.sort();
    assert_eq!(named, DEPENDENCIES, "core/Cargo.toml and tests/arch/purity.rs disagree");
}

#[test]
fn core_has_no_build_script_and_few_test_crates() {
    let others = core_package().dependencies.into_iter().filter(|dependency| match dependency.kind {
        Kind::Build => true,
        Kind::Dev => !DEV_DEPENDENCIES.contains(&dependency.name.as_str()),
        Kind::Normal => false,
    });
    let others: Vec<String> = others.map(|dependency| dependency.name).collect();
    assert_none("the core may not depend on these:", &others);
}

#[test]
fn core_is_no_std_and_forbids_unsafe_code() {
    let root = blank_text(&required("core/src/lib.rs"));
    for attribute in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(root.lines().any(|line| line == attribute), "core/src/lib.rs lacks {attribute}");
    }
}

#[test]
fn core_does_not_name_the_standard_library() {
    let found = occurrences(&core_sources(), &[&["extern", "crate", "std"], &["std", "::"]]);
    assert_none("the core is no_std:", &found);
}

#[test]
fn core_is_not_async_outside_of_its_ports() {
    let mut sources = core_sources();
    sources.retain(|source| !source.path.starts_with(PORTS));
    let found =
        occurrences(&sources, &[&["async", "fn"], &["async", "move"], &["async", "{"], &[".", "await"]]);
    assert_none("decisions are plain functions:", &found);
}

#[test]
fn violations_are_found_in_code_and_not_in_text_or_tests() {
    let text = "//! std::time\nuse std::time;\nasync fn f() { g().await }\n#[cfg(test)]\nmod tests { use std::io; }\n";
    let source = [Source::new("core/src/x.rs", text.to_owned())];
    let phrases: [&[&str]; 3] = [&["std", "::"], &["async", "fn"], &[".", "await"]];
    let expected = ["core/src/x.rs:2: std ::", "core/src/x.rs:3: async fn", "core/src/x.rs:3: . await"];
    assert_eq!(occurrences(&source, &phrases), expected);
}
