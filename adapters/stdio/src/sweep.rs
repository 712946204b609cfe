//! Processes found by what they have in their environment: for when no shim is left to know them.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

/// Between two looks at what is left.
const ROUND: Duration = Duration::from_millis(10);

/// Looks, at most. What is left after that is stuck in the kernel.
const ROUNDS: usize = 100;

/// Kills every other process whose environment has a setting (`NAME=value`) that starts so, and waits until none is
/// left. How many there were.
pub(crate) async fn end_all(start: &[u8]) -> usize {
    let mut ended = BTreeSet::new();
    for _ in 0..ROUNDS {
        let found = kill_all(start);
        if found.is_empty() {
            return ended.len();
        }
        ended.extend(found);
        tokio::time::sleep(ROUND).await;
    }
    tracing::warn!("some processes of a server that was ended do not end");
    ended.len()
}

/// Their numbers.
fn kill_all(start: &[u8]) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let found = numbers.filter(|&number| number != own && has(number, start)).filter_map(|number| {
        let process = rustix::process::pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
        // The number may have got another owner before it was held on to.
        has(number, start).then_some((number, process))
    });
    found
        .map(|(number, process)| {
            let _gone = rustix::process::pidfd_send_signal(process, Signal::KILL);
            number
        })
        .collect()
}

/// A process that has ended has no environment any more.
fn has(process: i32, start: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|it| it.starts_with(start))
}
