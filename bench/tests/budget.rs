//! What the hot path may cost: allocations and instructions, counted, never timed.
//!
//! Instructions are those of the program as it is built for tests: they say whether it does more than before, not how fast it
//! is. They are counted by going through the program step by step, for a processor's own counters are not to be had in
//! every virtual machine.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, reason = "a test that cannot go on may panic anywhere")]

use std::fmt::Write as _;
use std::process::{Child, Command};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

const BUDGET: &str = include_str!("../budget.txt");

/// Of instructions, another compiler or C library may need so much more, in percent.
const TOLERANCE: u64 = 5;

#[test]
fn the_hot_path_allocates_and_does_no_more_than_its_budget() {
    let (mut over, mut all) = (String::new(), String::new());
    let rows = BUDGET.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    for row in rows {
        let [case, allocations, instructions] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}")
        };
        let bounds: [u64; 2] = [allocations, instructions].map(|it| it.parse().expect("a number"));
        let found = [allocations_of(case), instructions_of(case)];
        let line = |out: &mut String| writeln!(out, "{case:<24} {:>11} {:>12}", found[0], found[1]);
        line(&mut all).expect("there is room");
        if found[0] > bounds[0] || found[1] > bounds[1] + bounds[1] * TOLERANCE / 100 {
            line(&mut over).expect("there is room");
        }
    }
    println!("{all}");
    assert!(
        over.is_empty(),
        "over the budget:\n{over}\nMend it; if it is worth its price, write these into bench/budget.txt:\n{all}"
    );
}

#[expect(clippy::disallowed_methods, reason = "a test of a program")]
fn counted(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_counted"));
    command.args(args);
    command
}

fn allocations_of(case: &str) -> u64 {
    let output = counted(&[case]).output().expect("it starts");
    assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Between the two times that the program stops itself.
fn instructions_of(case: &str) -> u64 {
    let child = Ended(counted(&[case, "traced"]).spawn().expect("it starts"));
    let pid = Pid::from_raw(i32::try_from(child.0.id()).expect("a process has a number"));
    assert_eq!(waitpid(pid, None), Ok(WaitStatus::Stopped(pid, Signal::SIGSTOP)), "it stops itself");
    let mut steps = 0;
    loop {
        ptrace::step(pid, None).expect("it is stopped");
        match waitpid(pid, None) {
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => steps += 1,
            Ok(WaitStatus::Stopped(_, Signal::SIGSTOP)) => return steps,
            other => panic!("{case}: {other:?} after {steps} instructions"),
        }
    }
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It is gone when the test is.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
