//! `docs/configuration.md` says what the code does.

use clap::CommandFactory;
use orch_core::Limits;

use crate::cli::Cli;
use crate::file::{ConfigFile, FIELDS, OAUTH_FIELDS, PLANNER_FIELDS};

const PAGE: &str = include_str!("../../../docs/configuration.md");
const LOGINS: &str = include_str!("../../../docs/oauth.md");
const PLANNERS: &str = include_str!("../../../docs/planners.md");

#[test]
fn every_example_is_a_file_without_findings() {
    let split = |page: &'static str| page.split("```jsonc\n").skip(1);
    let examples: Vec<&str> = split(PAGE)
        .chain(split(LOGINS))
        .chain(split(PLANNERS))
        .filter_map(|it| it.split("```").next())
        .collect();
    assert!(!examples.is_empty());
    for example in examples {
        let file = ConfigFile::parse("example", example, &Limits::default()).unwrap();
        assert_eq!(file.warnings, []);
        assert!(file.servers.values().all(|server| server.unknown.is_empty()));
        assert!(file.planner.is_none_or(|planner| planner.unknown.is_empty()));
    }
}

#[test]
fn every_field_is_described() {
    for field in FIELDS {
        assert!(PAGE.contains(&format!("`{field}`")), "{field}");
    }
    for field in OAUTH_FIELDS {
        assert!(LOGINS.contains(&format!("`{field}`")), "{field}");
    }
    for field in PLANNER_FIELDS {
        assert!(PLANNERS.contains(&format!("`{field}`")), "{field}");
    }
}

#[test]
fn every_flag_and_variable_of_serve_is_described() {
    let serve = Cli::command().find_subcommand("serve").unwrap().clone();
    for flag in serve.get_arguments() {
        let value = flag.get_value_names().filter(|_| flag.get_action().takes_values());
        let flag_and_value =
            [flag.get_long().unwrap()].into_iter().chain(value.map(|names| names[0].as_str()));
        let flag_and_value: Vec<&str> = flag_and_value.collect();
        let variable = flag.get_env().unwrap().to_string_lossy();
        let row = format!("| `--{}` | `{variable}` |", flag_and_value.join(" "));
        assert!(PAGE.contains(&row), "{row}");
    }
}

#[test]
fn every_variable_is_described() {
    for command in Cli::command().get_subcommands() {
        for variable in command.get_arguments().filter_map(|it| it.get_env()) {
            assert!(PAGE.contains(&format!("`{}`", variable.to_string_lossy())), "{}", variable.display());
        }
    }
}
