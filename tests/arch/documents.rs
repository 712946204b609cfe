//! Whether the documents are there, stay short, and point at things that exist.

use crate::checkout::{assert_none, beside, files, has_extension, required};
use crate::markdown::{code_spans, file_links, list_items};
use crate::source::{Source, find_words};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const CLIENTS: &str = "docs/clients.md";
const RELIABILITY: &str = "docs/reliability.md";
const ARCHITECTURE_LINES: usize = 300;

/// The documents that a reader starts from.
const ENTRANCES: [&str; 3] = ["README.md", ARCHITECTURE, "CONTRIBUTING.md"];

#[test]
fn architecture_is_short_enough_to_be_read() {
    let lines = required(ARCHITECTURE).lines().count();
    assert!(
        lines <= ARCHITECTURE_LINES,
        "{ARCHITECTURE} has {lines} lines, the limit is {ARCHITECTURE_LINES}"
    );
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let invariants = list_items(&required(ARCHITECTURE), "- **I-");
    assert!(!invariants.is_empty(), "{ARCHITECTURE} lists no invariant");
    let mut broken = Vec::new();
    for (index, invariant) in invariants.iter().enumerate() {
        let number = format!("- **I-{}**", index + 1);
        if !invariant.starts_with(&number) {
            broken.push(format!("expected {number:?}, found: {invariant}"));
        }
        let tests: Vec<&str> = code_spans(invariant).filter(|span| span.contains(".rs::")).collect();
        if tests.is_empty() {
            broken.push(format!("names no test: {invariant}"));
        }
        let missing = tests.into_iter().filter(|test| !test_exists(test));
        broken.extend(missing.map(|test| format!("{number} names a test that does not exist: {test}")));
    }
    assert_none("an invariant that no test holds is a wish:", &broken);
}

#[test]
fn every_habit_of_clients_names_a_test_that_exists() {
    let table = required(CLIENTS);
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).collect();
    let (heads, habits): (Vec<&str>, Vec<&str>) =
        rows.into_iter().partition(|row| row.ends_with("| held by |"));
    assert!(!heads.is_empty() && !habits.is_empty(), "{CLIENTS} lists no habit");
    let mut broken = Vec::new();
    for habit in habits {
        let held = habit.trim_end_matches(['|', ' ']).rsplit("| ").next().unwrap_or_default();
        let tests: Vec<&str> = code_spans(held).collect();
        if tests.is_empty() {
            broken.push(format!("names no test: {habit}"));
        }
        let missing = tests.into_iter().filter(|test| !test_exists(test));
        broken.extend(missing.map(|test| format!("a test that does not exist: {test}")));
    }
    assert_none("what no test holds is a promise to nobody:", &broken);
}

#[test]
fn every_promise_of_reliability_names_tests_that_exist() {
    let table = required(RELIABILITY);
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| R"))
        .map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(!rows.is_empty(), "{RELIABILITY} promises nothing");
    let mut broken = Vec::new();
    for row in rows {
        let [name, _, held, _] = row.as_slice() else {
            broken.push(format!("not a row of four cells: {row:?}"));
            continue;
        };
        let tests: Vec<&str> = code_spans(held).collect();
        if tests.is_empty() {
            broken.push(format!("{name} names no test"));
        }
        let missing = tests.into_iter().filter(|test| !test_exists(test));
        broken.extend(missing.map(|test| format!("{name}: a test that does not exist: {test}")));
    }
    assert_none("what no test holds is a promise to nobody:", &broken);
}

#[test]
fn every_limit_stands_in_the_table_of_limits() {
    let mut names = fields("core/src/limits.rs", "Limits", "");
    names.extend(fields("core/src/limits/planner.rs", "PlannerLimits", "planner."));
    let table = required("docs/limits.md");
    let missing: Vec<String> =
        names.into_iter().filter(|name| !table.contains(&format!("| `{name}` |"))).collect();
    assert_none("a limit that is not in docs/limits.md is one that nobody knows:", &missing);
}

/// The public fields of a struct, with something before each.
fn fields(file: &str, name: &str, before: &str) -> Vec<String> {
    let source = required(file);
    let fields = source
        .split_once(&format!("pub struct {name} {{"))
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .expect("the struct")
        .0;
    let named = fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
    named.map(|(name, _)| format!("{before}{name}")).collect()
}

/// Whether `file.rs::name` is a function of that file, or a test that a macro makes there (`name: …;`). Its modules may
/// stand between the two.
fn test_exists(test: &str) -> bool {
    let Some((file, name)) = test.split_once("::") else { return false };
    let name = name.rsplit("::").next().unwrap_or(name);
    files().iter().any(|known| known == file) && {
        let code = Source::new(file, required(file)).code;
        let made = code.split_once("! {").is_some_and(|(_, made)| !find_words(made, &[name, ":"]).is_empty());
        made || !find_words(&code, &["fn", name, "("]).is_empty()
    }
}

#[test]
fn every_link_between_documents_resolves() {
    let documents = files().into_iter().filter(|file| file.starts_with("docs/") && has_extension(file, "md"));
    let mut broken = Vec::new();
    for document in ENTRANCES.into_iter().map(str::to_owned).chain(documents) {
        for link in file_links(&required(&document)) {
            if !beside(&document, &link.target).exists() {
                broken.push(format!("{document}:{}: {}", link.line, link.target));
            }
        }
    }
    assert_none("these links lead nowhere:", &broken);
}

#[test]
fn invariant_is_checked_against_the_functions_of_the_file() {
    assert!(test_exists("tests/arch/documents.rs::invariant_is_checked_against_the_functions_of_the_file"));
    assert!(!test_exists("tests/arch/documents.rs::no_such_test"));
    assert!(!test_exists("tests/arch/no_such_file.rs::no_such_test"));
}
