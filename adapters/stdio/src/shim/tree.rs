//! The children of this process, which are all that is ever signalled by number: nobody else reaps them, so a number
//! cannot have got another owner.
//!
//! A tree is ended from its root: who is killed starts nothing any more, and its children become ours.

use std::fs;

use rustix::process::{Pid, Signal};

/// Kills all children there are now.
pub(super) fn kill_children() {
    for child in children() {
        // It may be a zombie, and it may belong to another user.
        let _gone = rustix::process::kill_process(child, Signal::KILL);
    }
}

fn children() -> Vec<Pid> {
    // Some kernels are built without this file.
    fs::read_to_string("/proc/thread-self/children").map_or_else(|_| searched(), |list| listed(&list))
}

fn listed(list: &str) -> Vec<Pid> {
    list.split_ascii_whitespace().filter_map(pid).collect()
}

/// The same found among all processes.
fn searched() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let process = pid(entry.file_name().to_str()?)?;
            let stat = fs::read(entry.path().join("stat")).ok()?;
            (parent(&stat)? == own).then_some(process)
        })
        .collect()
}

/// The second field after the name of the program, which is in parentheses and may hold anything.
fn parent(stat: &[u8]) -> Option<Pid> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = str::from_utf8(stat.get(end + 1..)?).ok()?;
    pid(fields.split_ascii_whitespace().nth(1)?)
}

fn pid(digits: &str) -> Option<Pid> {
    digits.parse().ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_read_past_any_name_of_a_program() {
        assert_eq!(parent(b"7 (a) S 1 (\xff) b) S 42 7 7 0 -1"), Pid::from_raw(42));
        assert_eq!(parent(b"1 (init) S 0 1 1 0 -1"), None);
        assert_eq!(parent(b""), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child to be found")]
    fn children_are_found_with_and_without_a_list_of_the_kernel() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(searched().contains(&pid));
        assert!(children().contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!searched().contains(&pid));
    }
}
