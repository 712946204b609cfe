//! The failures that are known of, and their comparison with those that were met.
//!
//! A list has the format of the suite's own baselines, but is exact: what it names has to fail, and all that fails has
//! to be named, the scenarios that the suite does not score included. No scored scenario may be named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::suite::{Outcome, Requirements};

/// The names in a list: a scenario, or one check of a scenario as `scenario:check`.
fn read(list: &str) -> BTreeSet<&str> {
    let entries = list.lines().filter_map(|line| line.trim().strip_prefix("- "));
    entries.map(|entry| entry.split(" #").next().unwrap_or_default().trim()).collect()
}

/// What differs between a list and an outcome, a line each; empty if nothing does.
fn differences(list: &str, outcome: &Outcome) -> Vec<String> {
    let expected = read(list);
    let mut met = BTreeSet::new();
    let mut differences = Vec::new();
    for (scenario, failures) in outcome {
        for failure in failures {
            let check = format!("{scenario}:{}", failure.check);
            let named = expected.iter().find(|entry| **entry == scenario.as_str() || **entry == check);
            match named {
                Some(entry) => {
                    met.insert(*entry);
                }
                None => differences.push(format!("{check}: {}", failure.message)),
            }
        }
    }
    let stale = expected
        .difference(&met)
        .map(|entry| format!("{entry}: does not fail, and is no longer to be named"));
    differences.extend(stale);
    differences
}

/// Panics unless exactly those checks have failed which the list of that name has.
pub(crate) fn compare(name: &str, outcome: &Outcome) {
    let file = folder().join(format!("{name}.yml"));
    let list = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let differences = differences(&list, outcome);
    assert!(
        differences.is_empty(),
        "{name}: {} differences\n    {}",
        differences.len(),
        differences.join("\n    ")
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/expected")
}

#[test]
fn no_list_names_a_scored_scenario() {
    for file in std::fs::read_dir(folder()).expect("the lists").flatten() {
        let name = file.file_name().into_string().expect("a name");
        let revision = if name.ends_with("2025-11-25.yml") { "2025-11-25" } else { "2026-07-28" };
        let unscored = Requirements::of(revision).unscored;
        let list = std::fs::read_to_string(file.path()).expect("a list");
        for entry in read(&list) {
            let scenario = entry.split(':').next().unwrap_or_default();
            assert!(unscored.contains(scenario), "{name} names {entry}, which is scored or unknown");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::suite::{Failure, Outcome};

    fn outcome(scenarios: &[(&str, &[&str])]) -> Outcome {
        let failure = |check: &&str| Failure { check: (*check).to_owned(), message: "no".to_owned() };
        let of = |(scenario, checks): &(&str, &[&str])| {
            ((*scenario).to_owned(), checks.iter().map(failure).collect())
        };
        scenarios.iter().map(of).collect()
    }

    #[track_caller]
    fn check(list: &str, scenarios: &[(&str, &[&str])], expected: &[&str]) {
        assert_eq!(differences(list, &outcome(scenarios)), expected);
    }

    #[test]
    fn a_failure_has_to_be_named_by_its_scenario_or_its_check() {
        let failed: &[(&str, &[&str])] = &[("ping", &[]), ("tasks", &["one", "two"])];
        check("server:\n  - tasks # an extension\n", failed, &[]);
        check("server:\n  - tasks:one\n  - tasks:two\n", failed, &[]);
        check("server:\n  - tasks:one\n", failed, &["tasks:two: no"]);
        check("server: []\n", failed, &["tasks:one: no", "tasks:two: no"]);
    }

    #[test]
    fn what_is_named_has_to_fail() {
        let stale = "ping: does not fail, and is no longer to be named";
        check("server:\n  - ping\n", &[("ping", &[])], &[stale]);
    }
}
