//! How a child is started, and what is said when it is not.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use orch_core::ports::upstream::{CloseReason, LaunchSpec};
use orch_core::record::{RemoteKind, Transport};
use orch_stdio::StdioUpstreams;

use crate::stage::{SHIM, Stage, launch};

fn in_directory(mut launch: LaunchSpec, directory: &Path) -> LaunchSpec {
    if let Transport::Stdio { cwd, .. } = &mut launch.spec.transport {
        *cwd = Some(directory.to_str().unwrap().into());
    }
    launch
}

fn refusal(launch: &LaunchSpec) -> String {
    match Stage::new().open(launch).end() {
        CloseReason::NotStarted(words) => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_child_sees_its_own_variables_the_few_inherited_ones_and_its_marker() {
    let mut stage = Stage::new();
    let hub =
        [("PATH", "/usr/bin:/bin"), ("HOME", "/home/hub"), ("LANG", "C.UTF-8"), ("HUB_SECRET", "s3cret")];
    stage.upstreams = StdioUpstreams::new(
        SHIM,
        hub.map(|(name, value)| (name.into(), value.into())),
        stage.runtime.handle().clone(),
    );
    let mut spec = launch("env", &[]);
    if let Transport::Stdio { env, .. } = &mut spec.spec.transport {
        *env = BTreeMap::from([("TOKEN".into(), "a b".into()), ("HOME".into(), "/home/it".into())]);
    }
    let mut link = stage.open(&spec);
    let mut seen: Vec<_> = (0..6).map(|_| link.text()).collect();
    seen.sort();
    let launch = seen.remove(2);
    assert!(launch.strip_prefix("MCP_ORCH_LAUNCH=").is_some_and(|it| it.len() == 32), "{launch}");
    let expected = ["HOME=/home/it", "LANG=C.UTF-8", "MCP_ORCH_SERVER=it", "PATH=/usr/bin:/bin", "TOKEN=a b"];
    assert_eq!(seen, expected);
    assert_eq!(link.end(), CloseReason::Exited(0));
}

#[test]
fn arguments_reach_the_program_as_they_are_written() {
    let mut link = Stage::new().open(&launch("printf", &["%s\n", "$HOME; rm -rf *", "a  'b'"]));
    assert_eq!([link.text(), link.text()], ["$HOME; rm -rf *", "a  'b'"]);
}

#[test]
fn a_child_runs_in_its_working_directory() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().canonicalize().unwrap();
    let mut link = Stage::new().open(&in_directory(launch("pwd", &[]), &here));
    assert_eq!(Path::new(&link.text()), here);
}

#[test]
fn a_child_leads_a_group_of_its_own() {
    let mut link = Stage::plain().shell("ps -o pgid= -p $$; cat");
    let pid = link.pid();
    assert_eq!(link.text().trim(), pid.to_string());
}

#[test]
fn a_child_has_no_file_no_signal_and_no_right_that_it_was_not_given() {
    // Open across an exec, as what the hub was started with may be.
    let left_open = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&left_open, rustix::io::FdFlags::empty()).unwrap();
    let mut link = Stage::new().python(
        "import os, resource, signal\n\
         print(sorted(os.listdir('/proc/self/fd'))[:4])\n\
         print(signal.pthread_sigmask(signal.SIG_BLOCK, []))\n\
         print(oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_CORE))\n\
         print([it for it in open('/proc/self/status') if it.startswith('NoNewPrivs')])",
    );
    // The last one is the directory that is read.
    assert_eq!(link.text(), "['0', '1', '2', '3']");
    assert_eq!(link.text(), "set()");
    assert_eq!(link.text(), "0o77 (0, 0)");
    assert_eq!(link.text(), r"['NoNewPrivs:\t1\n']");
}

#[test]
fn no_secret_is_in_a_command_line() {
    let mut spec = launch("sh", &["-c", "cat /proc/$PPID/cmdline /proc/$PPID/environ; echo; read line"]);
    if let Transport::Stdio { env, .. } = &mut spec.spec.transport {
        env.insert("TOKEN".into(), "s3cret".into());
    }
    for stage in [Stage::new(), Stage::plain()] {
        assert_eq!(stage.open(&spec).text(), "mcp-orch\0shim\0it\0");
    }
}

#[test]
fn a_program_that_is_not_installed_is_named_with_the_remedy() {
    assert_eq!(
        refusal(&launch("no-such-npx", &[])),
        "program `no-such-npx` was not found in PATH: install it or give the full path"
    );
    assert_eq!(refusal(&launch("/no/such/program", &[])), "program `/no/such/program` does not exist");
}

#[test]
fn a_program_that_may_not_or_cannot_run_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8], mode: u32| {
        let file = directory.path().join(name);
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        refusal(&launch(file.to_str().unwrap(), &[]))
    };
    assert!(write("plain", b"#!/bin/sh\n", 0o644).starts_with("permission denied: "));
    let words = write("orphan", b"#!/no/such/interpreter\n", 0o755);
    assert!(words.ends_with("the interpreter in its first line does not exist"), "{words}");
    let words = write("noise", b"\x00\x01\x02", 0o755);
    assert!(words.ends_with("it is neither a program for this machine nor a script"), "{words}");
}

#[test]
fn a_working_directory_that_is_not_there_is_named() {
    let words = refusal(&in_directory(launch("cat", &[]), Path::new("/no/such/place")));
    assert_eq!(words, "working directory /no/such/place does not exist");
    let words = refusal(&in_directory(launch("cat", &[]), Path::new("/etc/passwd")));
    assert_eq!(words, "working directory /etc/passwd is not a directory");
}

#[test]
fn a_remote_server_is_not_for_this_adapter() {
    let mut spec = launch("cat", &[]);
    spec.spec.transport =
        Transport::Remote { kind: RemoteKind::Http, url: "http://[::1]".into(), headers: BTreeMap::new() };
    assert_eq!(refusal(&spec), "this is a remote server, not a program");
}
