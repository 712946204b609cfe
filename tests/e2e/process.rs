//! Programs that a test starts, and the proof that none of them outlives it.
//!
//! Every process that a test causes carries the test's mark in its environment, whoever started it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep, timeout};

/// The variable that marks the processes of one test.
pub(crate) const MARK: &str = "ORCH_E2E_MARK";

/// The variable by which the process of a server is told from others of its test.
pub(crate) const SERVER: &str = "ORCH_E2E_SERVER";

/// A command with an empty environment, but for the search path: a developer's own settings decide nothing.
#[expect(clippy::disallowed_methods, reason = "the only place where these tests start a program")]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("a search path"));
    command
}

/// Runs a command to its end. It is killed when that takes longer than `deadline`.
pub(crate) async fn run(command: Command, deadline: Duration) -> Output {
    let shown = format!("{command:?}");
    let mut command = tokio::process::Command::from(command);
    let run = command.stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    let finished = timeout(deadline, run).await;
    let output = finished.unwrap_or_else(|_| panic!("still running after {deadline:?}: {shown}"));
    output.unwrap_or_else(|error| panic!("{error}: {shown}"))
}

/// Runs a command that has to succeed, and returns its standard output.
pub(crate) async fn succeed(command: Command, deadline: Duration) -> String {
    let shown = format!("{command:?}");
    let output = run(command, deadline).await;
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {shown}\n{stdout}\n{stderr}", output.status);
    stdout
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The processes whose environment holds all of these settings.
pub(crate) fn processes(settings: &[(&str, &str)]) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("a list of processes");
    let processes = entries.flatten().filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // A process may end while it is looked at, and then it is none of those that were asked for.
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        let variables: Vec<&[u8]> = environment.split(|&byte| byte == 0).collect();
        let held = |(name, value): &(&str, &str)| variables.contains(&format!("{name}={value}").as_bytes());
        settings.iter().all(held).then_some(pid)
    });
    let mut processes: Vec<u32> = processes.collect();
    processes.sort_unstable();
    processes
}

/// What a process was started with, for a message about it.
pub(crate) fn command_line(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid}: {}", text(&line).replace('\0', " "))
}

/// Waits for a condition, looking again and again.
pub(crate) async fn eventually(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !condition() {
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits for a condition that has to be asked for.
pub(crate) async fn eventually_told(what: &str, deadline: Duration, mut ask: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + deadline;
    while !ask().await {
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Where a program of that name is found first.
pub(crate) fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("a search path");
    let mut candidates = std::env::split_paths(&path).map(|directory| directory.join(program));
    candidates
        .find(|candidate| Path::is_file(candidate))
        .unwrap_or_else(|| panic!("no {program} on the path"))
}

/// Kills a process, unless it has ended by itself.
pub(crate) fn kill(pid: u32) {
    signal(&[pid], Signal::KILL);
}

/// Signals those processes that have not ended by themselves.
pub(crate) fn signal(processes: &[u32], signal: Signal) {
    let processes = processes.iter().filter_map(|&pid| Pid::from_raw(pid.try_into().ok()?));
    processes.for_each(|pid| {
        let _already_gone = kill_process(pid, signal);
    });
}
