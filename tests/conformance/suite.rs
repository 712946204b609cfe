//! The suite: what a revision requires, a run of it, and what came of each scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::peers::{installed, newer_node};
use crate::process::{command, run, text};

/// A run takes a few seconds when all is well; a scenario that gets no answer is given up after this.
const SCENARIO_DEADLINE_MS: &str = "8000";
const DEADLINE: Duration = Duration::from_secs(85);

/// The failed checks of each scenario that was run, by their names.
pub(crate) type Outcome = BTreeMap<String, Vec<Failure>>;

/// A check that has failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) check: String,
    pub(crate) message: String,
}

/// A check, as the suite reports it.
#[derive(Deserialize)]
struct Check {
    id: String,
    status: String,
    #[serde(rename = "errorMessage")]
    message: Option<String>,
}

/// What a revision requires of a server.
#[derive(Debug)]
pub(crate) struct Requirements {
    pub(crate) scored: BTreeSet<String>,
    pub(crate) unscored: BTreeSet<String>,
}

impl Requirements {
    /// Reads the list that comes with the suite.
    pub(crate) fn of(revision: &str) -> Self {
        let file = package().join(format!("requirements/{revision}.yaml"));
        let list = std::fs::read_to_string(file).expect("the requirements of the revision");
        let mut requirements = Self { scored: BTreeSet::new(), unscored: BTreeSet::new() };
        let mut section = "";
        let mut scenario = "";
        for line in list.lines() {
            match line.trim().split_once(' ') {
                None if line.ends_with(':') => section = line,
                Some(("-", name)) if section == "server:" => {
                    requirements.scored.insert(name.to_owned());
                }
                Some(("-", entry)) => scenario = entry.strip_prefix("scenario: ").unwrap_or_default(),
                Some(("leg:", "server")) => {
                    requirements.unscored.insert(scenario.to_owned());
                }
                None | Some(_) => {}
            }
        }
        requirements
    }

    /// Every scenario that a run consists of.
    fn scenarios(&self) -> impl Iterator<Item = &String> {
        self.scored.iter().chain(&self.unscored)
    }
}

/// Runs what a revision requires against the server at a URL.
pub(crate) async fn run_against(url: &str, revision: &str) -> Outcome {
    let results = TempDir::with_prefix("orch-conformance-").expect("a directory");
    let mut suite = program();
    suite.args(["server", "--url", url, "--requirements", revision]);
    suite.args(["--timeout", SCENARIO_DEADLINE_MS, "--output-dir"]).arg(results.path());
    suite.current_dir(results.path()).env("HOME", results.path());
    let output = run(suite, DEADLINE).await;
    let mut outcome = read(results.path());
    assert!(!outcome.is_empty(), "nothing was run: {}\n{}", text(&output.stdout), text(&output.stderr));
    for scenario in Requirements::of(revision).scenarios() {
        outcome.entry(scenario.clone()).or_insert_with(|| {
            vec![Failure { check: scenario.clone(), message: "did not come to an end".to_owned() }]
        });
    }
    outcome
}

/// The failed checks of the scenarios whose results lie in a folder.
fn read(results: &Path) -> Outcome {
    let folders = std::fs::read_dir(results).expect("the results").flatten();
    let scenarios = folders.filter_map(|folder| {
        let name = scenario(folder.file_name().to_str()?)?.to_owned();
        Some((name, failures(&folder.path())?))
    });
    scenarios.collect()
}

/// The checks that have failed, of the scenario whose results lie in a folder; `None` if there are none.
pub(crate) fn failures(results: &Path) -> Option<Vec<Failure>> {
    let checks = std::fs::read(results.join("checks.json")).ok()?;
    let checks: Vec<Check> = serde_json::from_slice(&checks).expect("a list of checks");
    let failed = checks.into_iter().filter(|check| check.status == "FAILURE");
    Some(
        failed.map(|check| Failure { check: check.id, message: check.message.unwrap_or_default() }).collect(),
    )
}

/// The program of the suite.
pub(crate) fn program() -> Command {
    let mut suite = command(newer_node());
    suite.arg(package().join("dist/index.js"));
    suite
}

/// The scenario that a folder has the results of: `server-NAME-2026-11-21T07-27-18-490Z`.
fn scenario(folder: &str) -> Option<&str> {
    const TIME: &str = "-2026-11-21T07-27-18-490Z";
    let name = folder.strip_prefix("server-")?;
    name.get(..name.len().checked_sub(TIME.len())?)
}

fn package() -> PathBuf {
    installed().join("conformance/node_modules/@modelcontextprotocol/conformance")
}

#[test]
fn the_requirements_of_a_revision_are_read_in_full() {
    let legacy = Requirements::of("2025-11-25");
    assert_eq!((legacy.scored.len(), legacy.unscored.len()), (30, 3));
    let modern = Requirements::of("2026-07-28");
    assert_eq!((modern.scored.len(), modern.unscored.len()), (37, 13));
    assert!(modern.scored.contains("server-stateless") && modern.unscored.contains("tasks-lifecycle"));
}

#[test]
fn a_scenario_is_told_from_the_name_of_its_folder() {
    assert_eq!(scenario("server-tools-list-2026-11-21T07-27-18-490Z"), Some("tools-list"));
    assert_eq!(scenario("out.log"), None);
}
