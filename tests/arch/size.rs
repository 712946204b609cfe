//! How large things may grow. The length of a function is held by clippy's `too_many_lines`.

use crate::checkout::assert_none;
use crate::source::{Source, block_end, find_words, sources, test_files};

const FILE_LINES: usize = 400;
const TEST_MODULE_LINES: usize = 600;
const MAIN_LINES: usize = 100;
const PORT_METHODS: usize = 8;

/// Files that may be longer than `FILE_LINES`, each with its reason. Keep this list short: it starts empty.
const EXCEPTIONS: [(&str, &str); 0] = [];

#[test]
fn no_file_outgrows_the_limit() {
    let sources = sources();
    let tests = test_files(&sources);
    let excepted = |source: &Source| EXCEPTIONS.iter().any(|(path, _)| source.path == *path);
    let long = sources.iter().filter(|source| !tests.contains(&source.path) && !excepted(source));
    let long =
        long.map(|source| (source, source.production_lines())).filter(|(_, lines)| *lines > FILE_LINES);
    let long: Vec<String> = long.map(|(source, lines)| format!("{}: {lines} lines", source.path)).collect();
    assert_none(&format!("{FILE_LINES} lines are the limit, inline tests not counted:"), &long);
}

#[test]
fn no_test_module_outgrows_the_limit() {
    let sources = sources();
    let tests = test_files(&sources);
    let lines = |source: &Source| {
        if tests.contains(&source.path) { source.text.lines().count() } else { source.longest_test_lines() }
    };
    let long = sources.iter().filter(|source| lines(source) > TEST_MODULE_LINES);
    let long: Vec<String> = long.map(|source| format!("{}: {} lines", source.path, lines(source))).collect();
    assert_none(&format!("{TEST_MODULE_LINES} lines are the limit of a test module:"), &long);
}

#[test]
fn main_files_only_start_things() {
    // A test binary has a main.rs as well, but no function `main`: what it holds is a suite.
    let mains = sources().into_iter().filter(|source| source.path.ends_with("/main.rs"));
    let mains = mains.filter(|source| !find_words(&source.code, &["fn", "main", "("]).is_empty());
    let long = mains.filter(|source| source.production_lines() > MAIN_LINES);
    let long: Vec<String> = long.map(|source| source.path).collect();
    assert_none(&format!("a main.rs has at most {MAIN_LINES} lines:"), &long);
}

#[test]
fn ports_are_narrow() {
    let ports = sources().into_iter().filter(|source| source.path.starts_with("core/src/ports/"));
    let traits: Vec<(String, usize)> = ports.flat_map(|source| traits(&source.production_code())).collect();
    assert!(!traits.is_empty(), "core/src/ports declares no trait");
    let wide = traits.iter().filter(|(_, methods)| *methods > PORT_METHODS);
    let wide: Vec<String> = wide.map(|(name, methods)| format!("{name}: {methods} methods")).collect();
    assert_none(&format!("a port with more than {PORT_METHODS} methods is two ports:"), &wide);
}

#[test]
fn every_exception_is_still_needed() {
    let sources = sources();
    let needed = |path: &str| {
        sources.iter().any(|source| source.path == path && source.production_lines() > FILE_LINES)
    };
    let stale = EXCEPTIONS.iter().filter(|(path, _)| !needed(path));
    let stale: Vec<String> = stale.map(|(path, reason)| format!("{path}: {reason}")).collect();
    assert_none("take these exceptions off the list:", &stale);
}

/// The traits that a piece of code declares, with the number of their methods.
fn traits(code: &str) -> Vec<(String, usize)> {
    let declared = find_words(code, &["trait"]).into_iter();
    let declared = declared.filter_map(|start| {
        let open = start + code[start..].find('{')?;
        let name = code[start..open].split(|c: char| !c.is_alphanumeric() && c != '_').nth(1)?;
        Some((name.to_owned(), methods(&code[open..block_end(code, open)])))
    });
    declared.collect()
}

/// The functions that a trait's block declares itself: those within a default body are not methods.
fn methods(block: &str) -> usize {
    let depth = |end: usize| {
        block[..end].bytes().fold(0_i32, |depth, byte| match byte {
            b'{' => depth + 1,
            b'}' => depth - 1,
            _ => depth,
        })
    };
    find_words(block, &["fn"]).into_iter().filter(|&start| depth(start) == 1).count()
}

#[test]
fn methods_are_counted_per_trait() {
    let code = "pub trait Store: Send { fn a(&self); fn b(&self) { fn inner() {} } }\ntrait Empty {}";
    assert_eq!(traits(code), [("Store".to_owned(), 2), ("Empty".to_owned(), 0)]);
}
