//! `cargo verify`: the one test command of the project.
//!
//! A developer and CI run the same steps, in the same order, with the same flags. The suite runs last and its
//! runner has the last word, so that whoever reads the output finds the verdict where they look for it.
#![expect(clippy::print_stdout, reason = "the output is what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a developer's tool: it starts processes and times them")]

mod invocation;
mod pipeline;
mod release;
mod step;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::step::Step;

/// Checks the whole workspace: format, lints, documentation, release binary, tests.
#[derive(Debug, Parser)]
#[command(name = "verify", bin_name = "cargo verify")]
struct Options {
    /// Print the steps and what each of them does, and run none
    #[arg(long)]
    list: bool,
    /// Run only these steps, separated by commas; they keep their usual order
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEP")]
    only: Vec<Step>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.list {
        for step in Step::value_variants() {
            println!("{:<8} {}", step.name(), step.about());
        }
        return ExitCode::SUCCESS;
    }
    let chosen = |step: &Step| options.only.is_empty() || options.only.contains(step);
    let steps: Vec<Step> = Step::value_variants().iter().copied().filter(chosen).collect();
    pipeline::run(&steps)
}
