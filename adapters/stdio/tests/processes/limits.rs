//! What the processes of a server may use, and what is said of one that wants more.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use orch_core::ports::upstream::{CloseReason, LaunchSpec};
use orch_core::record::ProcessLimits;
use orch_stdio::StdioUpstreams;

use crate::stage::{SHIM, Stage, launch};

fn limited(command: &str, args: &[&str], limits: ProcessLimits) -> LaunchSpec {
    let mut launch = launch(command, args);
    launch.spec.confinement.limits = limits;
    launch
}

fn cause(launch: &LaunchSpec) -> String {
    match Stage::new().open(launch).end() {
        CloseReason::OverLimit(words) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_ends_at_its_limit_on_memory_is_told_so() {
    let limits = ProcessLimits { memory_mib: Some(64), ..ProcessLimits::default() };
    let words =
        cause(&limited("python3", &["-c", "a = []\nwhile True: a.append(bytearray(1 << 20))"], limits));
    let expected = "it ended with exit code 1 at its limit memoryMiB (64): a process of it had ";
    assert!(words.starts_with(expected), "{words}");
}

#[test]
fn a_server_that_ends_far_from_its_limit_has_not_hit_it() {
    let limits = ProcessLimits { memory_mib: Some(512), ..ProcessLimits::default() };
    assert_eq!(Stage::new().open(&limited("sh", &["-c", "exit 3"], limits)).end(), CloseReason::Exited(3));
}

#[test]
fn a_server_that_writes_a_file_over_its_limit_is_told_so() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("long");
    let script = format!("exec head -c 3000000 /dev/zero > {}", file.display());
    let limits = ProcessLimits { file_size_mib: Some(1), ..ProcessLimits::default() };
    let words = cause(&limited("sh", &["-c", &script], limits));
    assert_eq!(words, "it wrote a file over its limit fileSizeMiB (1)");
    assert_eq!(fs::metadata(file).unwrap().len(), 1 << 20);
}

#[test]
fn a_server_has_the_limits_that_it_was_given_and_no_others() {
    let script = "ulimit -n; ulimit -f; ulimit -d";
    let limits = ProcessLimits { open_files: Some(100), memory_mib: Some(32), ..ProcessLimits::default() };
    let mut link = Stage::new().open(&limited("bash", &["-c", script], limits));
    assert_eq!([link.text(), link.text(), link.text()], ["100", "unlimited", "32768"]);
}

/// A hub that is no superuser, whose processes the kernel counts.
fn ordinary() -> (Stage, tempfile::TempDir) {
    let (mut stage, place) = (Stage::new(), tempfile::tempdir().unwrap());
    if rustix::process::geteuid().is_root() {
        let script = place.path().join("shim");
        let user = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        fs::write(&script, format!("#!/bin/sh\nexec {user} {SHIM} \"$@\"\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        stage.upstreams = StdioUpstreams::new(script, std::env::vars_os(), stage.runtime.handle().clone());
    }
    (stage, place)
}

#[test]
fn a_server_that_forks_without_end_stops_at_its_limit_and_its_neighbour_does_not_notice() {
    let (stage, _place) = ordinary();
    let limits = ProcessLimits { processes: Some(20), ..ProcessLimits::default() };
    let bomb = "import os, time\n\
         made = 0\n\
         try:\n\
         \x20   while made < 100:\n\
         \x20       if os.fork() == 0: time.sleep(1000)\n\
         \x20       made += 1\n\
         except BlockingIOError: pass\n\
         print(made, flush=True)\n\
         time.sleep(1000)";
    let spec = limited("/usr/bin/python3", &["-c", bomb], limits);
    let mut first = stage.open(&spec);
    let made: u32 = first.text().parse().unwrap();
    // The shim in the namespace is counted too.
    assert!((17..20).contains(&made), "{made}");
    let mut second = stage.open(&spec);
    assert_eq!(second.text(), made.to_string());
}
