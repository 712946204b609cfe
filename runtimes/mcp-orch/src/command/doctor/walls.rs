//! What this machine has to wall servers off with: tried, not looked up, and what each is for.

use std::fs;
use std::path::Path;

use orch_stdio::{Facts, shim};

use super::{Finding, good};

/// None of them is a fault: a server that needs what is not there says so itself.
pub(super) async fn findings() -> Vec<Finding> {
    let facts = orch_stdio::probe(Path::new(shim::THIS_PROGRAM)).await;
    vec![
        good("PID namespaces", namespaces(&facts)),
        good("user namespaces", user_namespaces(&facts)),
        good("Landlock", landlock(&facts)),
        good("seccomp", seccomp(&facts)),
        good("cgroups", cgroups()),
    ]
}

fn namespaces(facts: &Facts) -> String {
    if facts.namespaces {
        "yes: a server sees no other processes, and ends whole even with hub and shim killed together"
            .to_owned()
    } else {
        "no: what a server starts ends with the hub, but not if hub and shim are killed together; \
         permit user namespaces (sysctl kernel.unprivileged_userns_clone, or AppArmor's restriction of them), or, in a \
         container, CAP_SYS_ADMIN"
            .to_owned()
    }
}

fn user_namespaces(facts: &Facts) -> String {
    if facts.walls.processes {
        "yes: limits.processes holds, for each server by itself".to_owned()
    } else if facts.root {
        "not used: the hub runs as root, whose processes the kernel does not count, so limits.processes does not hold; \
         run it as another user"
            .to_owned()
    } else {
        "no: limits.processes does not hold; permit user namespaces (Linux 5.14 or newer)".to_owned()
    }
}

fn landlock(facts: &Facts) -> String {
    let walls = facts.walls;
    let version = facts.landlock;
    let held = [(walls.files, "files"), (walls.ports, "TCP ports"), (walls.neighbours, "other processes")];
    let list = |holds: bool| -> Vec<&str> {
        held.iter().filter(|(held, _)| *held == holds).map(|(_, words)| *words).collect()
    };
    let (held, open) = (list(true), list(false));
    if held.is_empty() {
        format!(
            "no (version {version}): isolation standard and strict are refused; start the kernel with landlock in lsm=, \
             or let the container's seccomp profile pass it"
        )
    } else if open.is_empty() {
        format!("version {version}: holds {}", held.join(", "))
    } else {
        format!(
            "version {version}: holds {}, but not {}: isolation standard is refused without allowDegraded; \
             files need Linux 5.13, TCP ports 6.7, other processes 6.12 or PID namespaces",
            held.join(", "),
            open.join(", ")
        )
    }
}

fn seccomp(facts: &Facts) -> String {
    if facts.walls.calls {
        "yes: system calls that no server needs are refused under standard and strict".to_owned()
    } else {
        "no: isolation standard and strict are refused; the kernel needs CONFIG_SECCOMP_FILTER".to_owned()
    }
}

/// Whether the hub's own group is its to divide. The hub does not do so yet.
fn cgroups() -> String {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let group = Path::new("/sys/fs/cgroup").join(path);
    let controllers = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    let has = |name| controllers.split_whitespace().any(|it| it == name);
    let own = fs::OpenOptions::new().write(true).open(group.join("cgroup.procs")).is_ok();
    let delegated = if own && has("memory") && has("pids") { "delegated" } else { "not delegated" };
    format!(
        "{delegated}, and not used: limits.memoryMiB holds for each process of a server (RLIMIT_DATA), not for their sum"
    )
}
