//! A command line as a value: it can be run, and it can be shown in a form that a shell takes.
//!
//! Every failure carries the command that reproduces it, so that nobody has to guess what a step did.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What went wrong, and the command that shows it again.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: String,
    pub(crate) command: String,
    pub(crate) exit_code: u8,
}

#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    program: String,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    empty_environment: bool,
}

impl Invocation {
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), empty_environment: false }
    }

    /// A cargo command, its words separated by spaces.
    pub(crate) fn cargo(words: &str) -> Self {
        words.split(' ').fold(Self::new("cargo"), Self::arg)
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    pub(crate) fn in_empty_environment(mut self) -> Self {
        self.empty_environment = true;
        self
    }

    /// Runs the command with its output passed through.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        println!("$ {self}");
        let status = self.command().status().map_err(|error| self.failure(error.to_string()))?;
        self.judge(status)
    }

    /// Runs the command and returns what it printed on standard output.
    pub(crate) fn capture(&self) -> Result<String, Failure> {
        let output = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| self.failure(error.to_string()))?;
        self.judge(output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub(crate) fn failure(&self, cause: impl Into<String>) -> Failure {
        Failure { cause: cause.into(), command: self.to_string(), exit_code: 1 }
    }

    fn judge(&self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        let exit_code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Err(Failure { exit_code, ..self.failure(status.to_string()) })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.empty_environment {
            command.env_clear();
        } else {
            // `cargo run` describes this package to us in variables that some build scripts watch: handed on,
            // they would make the same command build more here than it does by hand.
            let inherited = std::env::vars_os().map(|(name, _)| name);
            inherited.filter(|name| describes_package(name)).for_each(|name| {
                command.env_remove(name);
            });
        }
        let env = self.env.iter().map(|(name, value)| (name, value));
        command.args(&self.args).envs(env).current_dir(workspace()).stdin(Stdio::null());
        command
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.empty_environment {
            f.write_str("env -i ")?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&quoted(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(arg)))
    }
}

/// The root of the checkout, where every command runs.
pub(crate) fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The build directory, wherever it was configured to be: cargo put this program into `<target>/debug`.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.ancestors().nth(2).map_or_else(|| workspace().join("target"), Path::to_path_buf)
}

fn describes_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+,:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_shown_as_a_shell_takes_it() {
        let doc = Invocation::cargo("doc --workspace").env("RUSTDOCFLAGS", "-D warnings").arg("it's");
        assert_eq!(doc.to_string(), r"RUSTDOCFLAGS='-D warnings' cargo doc --workspace 'it'\''s'");
    }

    #[test]
    fn failure_keeps_the_exit_code_and_the_command() {
        let failure = Invocation::new("bash").arg("-c").arg("exit 7").run().unwrap_err();
        assert_eq!(failure.exit_code, 7);
        assert_eq!(failure.command, "bash -c 'exit 7'");
    }

    #[test]
    fn program_that_is_missing_is_a_failure_and_not_a_panic() {
        let failure = Invocation::new("/no/such/program").run().unwrap_err();
        assert_eq!(failure.exit_code, 1);
        assert!(failure.cause.contains("No such file"), "{}", failure.cause);
    }
}
