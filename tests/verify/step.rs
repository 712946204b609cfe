//! The steps of `cargo verify`: what each is called, what it promises, and the commands behind it.
//!
//! The order of the variants is the order in which the steps run: cheap verdicts first, the suite last.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::invocation::{Failure, Invocation, target, workspace};
use crate::release;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fmt,
    Clippy,
    Doc,
    Peers,
    Release,
    Test,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Peers => "peers",
            Self::Release => "release",
            Self::Test => "test",
        }
    }

    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Fmt => "the source is formatted by rustfmt",
            Self::Clippy => "no lint of the workspace warns, in any target",
            Self::Doc => "the documentation builds without a warning",
            Self::Peers => "the clients and servers that the end-to-end tests talk to are installed",
            Self::Release => "the release binary is static, small, and starts in an empty environment",
            Self::Test => "every test of the workspace passes",
        }
    }

    /// Runs the step. `verified` holds the steps that have passed before it in this run.
    pub(crate) fn run(self, verified: &[Self]) -> Result<(), Failure> {
        match self {
            Self::Fmt => fmt(),
            Self::Clippy => {
                Invocation::cargo("clippy --workspace --all-targets --quiet -- -D warnings").run()
            }
            Self::Doc => doc(),
            Self::Peers => peers(),
            Self::Release => release::verify(),
            Self::Test => test(verified.contains(&Self::Release)),
        }
    }
}

impl ValueEnum for Step {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Fmt, Self::Clippy, Self::Doc, Self::Peers, Self::Release, Self::Test]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// The fuzz targets are a workspace of their own, which the first command does not see.
fn fmt() -> Result<(), Failure> {
    Invocation::cargo("fmt --all -- --check").run()?;
    if workspace().join("fuzz/Cargo.toml").exists() {
        Invocation::cargo("fmt --all --manifest-path fuzz/Cargo.toml -- --check").run()?;
    }
    Ok(())
}

/// `RUSTDOCFLAGS` reaches rustdoc alone, so nothing that rustc built is built again; `RUSTFLAGS` would be.
fn doc() -> Result<(), Failure> {
    Invocation::cargo("doc --workspace --no-deps --quiet").env("RUSTDOCFLAGS", "-D warnings").run()
}

fn peers() -> Result<(), Failure> {
    const SCRIPT: &str = "tests/peers/install";
    let install = Invocation::new("bash").arg(SCRIPT);
    if !workspace().join(SCRIPT).is_file() {
        return Err(install.failure(format!("{SCRIPT} is missing: the checkout is not complete")));
    }
    install.run()
}

/// The end-to-end tests run on the binary that `release` has just checked, or else find a debug build.
fn test(release_verified: bool) -> Result<(), Failure> {
    let mut suite = suite();
    if release_verified {
        suite = suite.env("ORCH_TEST_BINARY", &target().join(release::BINARY).display().to_string());
    }
    suite.run()
}

fn suite() -> Invocation {
    if Invocation::cargo("nextest --version").capture().is_err() {
        println!("cargo-nextest is not installed: the slower `cargo test` takes its place");
        return Invocation::cargo("test --workspace --tests --no-fail-fast");
    }
    let profile = if std::env::var_os("CI").is_some() { "ci" } else { "default" };
    Invocation::cargo("nextest run --workspace --profile").arg(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suite_is_the_last_step() {
        assert_eq!(Step::value_variants().last(), Some(&Step::Test));
    }

    #[test]
    fn a_step_is_named_on_the_command_line_as_it_is_listed() {
        for step in Step::value_variants() {
            assert_eq!(Step::from_str(step.name(), false).as_ref(), Ok(step));
        }
    }
}
