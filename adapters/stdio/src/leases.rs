//! Processes found by what a dead hub has written of them: their number, when they were started, and in which life of the
//! machine. For what has nothing in its environment to be found by: a shim that is held up, and whatever is below it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use orch_core::record::{Lease, Started};
use rustix::process::{Pid, PidfdFlags, Signal};

/// A process, as the system tells of it.
#[derive(Clone, Copy)]
struct Seen {
    parent: u32,
    /// In ticks since the machine was started.
    started: u64,
}

/// Which life of the machine this is; empty where the system does not say.
pub(crate) fn boot() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().to_owned()
}

/// A process that runs, by its number.
pub(crate) fn started(pid: u32) -> Option<Started> {
    look(pid).map(|seen| Started { pid, ticks: seen.started })
}

/// Kills the processes of these leases, with all that are below them. How many there were.
pub(crate) fn end_all(leases: &[Lease]) -> usize {
    let boot = boot();
    let of_this_life = leases.iter().filter(|lease| !boot.is_empty() && lease.boot == boot);
    let roots: Vec<Started> =
        of_this_life.flat_map(|lease| [Some(lease.shim), lease.process]).flatten().collect();
    let mut ended = BTreeSet::new();
    // From the root: who is killed starts nothing any more. What was started meanwhile is found by the next look.
    for _ in 0..LOOKS {
        let all = all();
        let there: Vec<Started> = roots
            .iter()
            .filter(|root| all.get(&root.pid).is_some_and(|seen| seen.started == root.ticks))
            .copied()
            .collect();
        let trees: Vec<Started> = there.iter().flat_map(|root| tree(*root, &all)).collect();
        if trees.is_empty() {
            break;
        }
        for process in trees {
            // Also those that end with another, before it is their turn.
            ended.insert(process.pid);
            kill(process);
        }
    }
    ended.len()
}

/// Looks, at most, at what is left.
const LOOKS: usize = 20;

/// A process and all that are below it.
fn tree(root: Started, all: &BTreeMap<u32, Seen>) -> Vec<Started> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(above) = found.get(at).copied() {
        // A child is not older than its parent: else the parent's number is another's by now.
        let below = all.iter().filter(|(_, seen)| seen.parent == above.pid && seen.started >= above.ticks);
        found.extend(below.map(|(pid, seen)| Started { pid: *pid, ticks: seen.started }));
        at += 1;
    }
    found
}

/// Kills a process, if it is still that one.
fn kill(process: Started) {
    let number = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
    let held = number.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
    // The number may have got another owner before it was held on to.
    if let Some(held) = held.filter(|_| started(process.pid) == Some(process)) {
        let _already_gone = rustix::process::pidfd_send_signal(held, Signal::KILL);
    }
}

fn all() -> BTreeMap<u32, Seen> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|pid| Some((pid, look(pid)?))).collect()
}

/// `None` for what is not there, or a zombie: it has ended, and its number is its parent's to give back.
fn look(pid: u32) -> Option<Seen> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The fields after the name of the program, which is in parentheses and may hold anything (`proc_pid_stat(5)`).
fn parse(stat: &[u8]) -> Option<Seen> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Seen { parent, started })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parent_and_start_are_read_past_any_name_of_a_program() {
        let rest = "42 7 7 0 -1 4194304 90 0 0 0 1 2 3 4 20 0 1 0 555 1000 99";
        let seen = parse(format!("7 (a) S 1 (\u{fffd}) b) S {rest}").as_bytes()).unwrap();
        assert_eq!((seen.parent, seen.started), (42, 555));
        assert!(parse(format!("7 (a) Z {rest}").as_bytes()).is_none(), "a zombie has ended");
        assert!(parse(b"").is_none());
    }

    #[test]
    fn what_is_below_a_process_is_younger_than_it() {
        let all = [(1, 0, 0), (10, 1, 5), (11, 10, 6), (12, 11, 7), (13, 10, 4)];
        let all = all.map(|(pid, parent, started)| (pid, Seen { parent, started })).into();
        let found: Vec<u32> = tree(Started { pid: 10, ticks: 5 }, &all).iter().map(|it| it.pid).collect();
        assert_eq!(found, [10, 11, 12]);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process to be ended")]
    fn a_process_is_ended_by_number_start_and_life_of_the_machine_and_by_nothing_less() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let shim = started(child.id()).unwrap();
        let lease = |shim, boot: &str| {
            let nobody = "00000000-0000-0000-0000-000000000000";
            Lease {
                launch: orch_core::LaunchId("it.1".into()),
                project: orch_core::ProjectId::parse(nobody).unwrap(),
                server: orch_core::ServerId::parse(nobody).unwrap(),
                boot: boot.into(),
                shim,
                process: None,
                at: orch_core::Timestamp(0),
            }
        };
        let later = Started { ticks: shim.ticks + 1, ..shim };
        assert_eq!(end_all(&[lease(later, &boot()), lease(shim, "another")]), 0);
        assert!(child.try_wait().unwrap().is_none(), "it is another's");
        assert_eq!(end_all(&[lease(shim, &boot())]), 1);
        child.wait().unwrap();
    }
}
