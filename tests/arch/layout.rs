//! Where things are and what they are called.

use std::iter;
use std::path::Path;

use crate::checkout::assert_none;
use crate::source::{Source, find_words, line_of, sources, test_files};

/// Names that say nothing about what is inside.
const BANNED: [&str; 7] = ["utils", "helpers", "common", "misc", "types", "manager", "service"];

const INTERPRETER: &str = "runtimes/driver/src/interpret.rs";

#[test]
fn effects_are_interpreted_in_one_place() {
    let sources = sources();
    let tests = test_files(&sources);
    let shipped = sources.iter().filter(|source| is_shipped(source) && !tests.contains(&source.path));
    let places: Vec<&str> = shipped
        .flat_map(|source| iter::repeat_n(source.path.as_str(), interpreters(&source.production_code())))
        .collect();
    assert_eq!(places, [INTERPRETER], "the one `match effect` of the system is in the driver");
}

/// Whether a file is part of the product, not of the tests around it.
fn is_shipped(source: &Source) -> bool {
    let mut directories = source.path.split('/');
    !directories.any(|directory| ["tests", "bench", "benches", "fuzz"].contains(&directory))
}

/// How many `match` expressions on an effect there are, by value or by reference.
fn interpreters(code: &str) -> usize {
    let spellings: [&[&str]; 4] = [
        &["match", "effect"],
        &["match", "*", "effect"],
        &["match", "&", "effect"],
        &["match", "&", "mut", "effect"],
    ];
    spellings.into_iter().map(|spelling| find_words(code, spelling).len()).sum()
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let mut vague = Vec::new();
    for source in sources() {
        let path = Path::new(&source.path).with_extension("");
        let names = path.iter().filter_map(|name| name.to_str());
        vague.extend(
            names.filter(|name| BANNED.contains(name)).map(|name| format!("{}: {name}", source.path)),
        );
        for name in BANNED {
            for position in find_words(&source.code, &["mod", name]) {
                vague.push(format!("{}:{}: mod {name}", source.path, line_of(&source.code, position)));
            }
        }
    }
    assert_none("name a module for the thing inside it:", &vague);
}

#[test]
fn every_file_opens_with_its_purpose() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    let silent: Vec<String> = silent.map(|source| source.path).collect();
    assert_none("these files do not open with `//!`:", &silent);
}
