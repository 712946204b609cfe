//! How a child ends, and that nothing is left of it.

use std::time::Duration;

use orch_core::ports::upstream::{CloseReason, Grace};

use crate::stage::{Event, LONG, Link, Stage, eventually, launch, lives};

/// What is waited for between the steps of a stop where the step is to be reached.
const SHORT: Duration = Duration::from_millis(100);

/// Nothing to wait for.
const NOW: Grace = Grace { stdin: Duration::ZERO, term: Duration::ZERO };

#[test]
fn the_exit_code_is_reported_after_everything_that_was_written() {
    let mut link = Stage::new().shell("seq 10000; exit 7");
    for number in 1..=10_000 {
        assert_eq!(link.text(), number.to_string());
    }
    assert_eq!(link.end(), CloseReason::Exited(7));
}

#[test]
fn the_signal_that_ended_a_child_is_reported() {
    assert_eq!(Stage::new().shell("kill -SEGV $$").end(), CloseReason::Signalled(11));
}

#[test]
fn a_closed_input_is_enough_for_a_child_that_heeds_it() {
    let script = "trap 'echo term' TERM; echo ready; read line; echo $line; read line; echo end";
    let mut link = ready(&Stage::new(), script);
    link.send("last words").unwrap();
    link.close(LONG);
    assert_eq!([link.text(), link.text()], ["last words", "end"]);
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_child_that_goes_on_without_input_is_asked_by_signal() {
    let mut link =
        ready(&Stage::new(), "trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    link.close(Grace { stdin: SHORT, ..LONG });
    assert_eq!(link.text(), "term");
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_child_that_ignores_the_signal_is_killed() {
    let stage = Stage::new();
    let link = ready(&stage, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
    link.close(Grace { stdin: SHORT, term: SHORT });
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_graceful_stop_goes_on_when_the_link_is_dropped() {
    let mut link = ready(&Stage::new(), "echo ready; read line; sleep 0.3; echo end");
    link.close(LONG);
    link.handle = None;
    assert_eq!(link.text(), "end");
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_second_close_without_grace_ends_the_child_now() {
    let link = ready(&Stage::new(), "trap '' TERM; echo ready; while :; do sleep 0.01; done");
    link.close(LONG);
    link.close(NOW);
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_dropped_link_takes_its_child_along() {
    let stage = Stage::new();
    let mut link = ready(&stage, "trap '' TERM; echo $$; while :; do sleep 0.01; done");
    link.handle = None;
    assert_eq!(link.end(), CloseReason::Stopped);
    stage.runtime.block_on(stage.upstreams.drained());
}

#[test]
fn a_link_that_is_dropped_at_once_still_reports_its_end() {
    let stage = Stage::new();
    for _ in 0..20 {
        let mut link = stage.open(&launch("cat", &[]));
        link.handle = None;
        assert_eq!(link.end(), CloseReason::Stopped);
    }
}

#[test]
fn a_runtime_that_is_shut_down_leaves_no_child() {
    let stage = Stage::new();
    let mut link = stage.shell("trap '' TERM; while :; do sleep 0.01; done");
    let pid = link.pid();
    // Not even the link's own end is left to do it.
    std::mem::forget(link.handle.take());
    drop((stage, link));
    eventually("the child is gone", || !lives(pid));
}

#[test]
fn a_daemon_in_the_group_ends_with_the_child() {
    let mut link = Stage::plain().shell("(sleep 1000 & echo $!; sleep 1000 & echo $!) ; exit 3");
    let daemons: [u32; 2] = [(); 2].map(|()| link.text().parse().unwrap());
    assert_eq!(link.end(), CloseReason::Exited(3));
    for daemon in daemons {
        eventually("the daemon is gone", || !lives(daemon));
    }
}

#[test]
fn the_workers_of_a_killed_child_end_with_it() {
    let mut link = Stage::plain().shell("sleep 1000 & echo $!; cat");
    let worker: u32 = link.text().parse().unwrap();
    link.handle = None;
    assert_eq!(link.end(), CloseReason::Stopped);
    eventually("the worker is gone", || !lives(worker));
}

#[test]
fn a_process_that_left_the_group_ends_with_the_child() {
    let mut link = Stage::plain().shell("setsid sh -c 'echo $$; sleep 1000' & read line");
    let outsider: u32 = link.text().parse().unwrap();
    link.send("go").unwrap();
    assert_eq!(link.end(), CloseReason::Exited(0));
    eventually("the outsider is gone", || !lives(outsider));
}

#[test]
fn a_child_that_closes_its_output_is_ended_for_it_can_answer_nothing() {
    let link = Stage::new().shell("exec >&-; while :; do sleep 0.01; done");
    let CloseReason::Lost(why) = link.end() else { panic!("the hub has ended it") };
    assert!(why.contains("closed its standard output"), "{why}");
}

#[test]
fn many_children_leave_no_zombie_and_no_open_file() {
    let stage = Stage::new();
    stage.shell("exit 0").end();
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    for round in 0..10 {
        let links: Vec<_> = (0..10).map(|_| stage.open(&launch("cat", &[]))).collect();
        let pids: Vec<u32> = links.iter().map(Link::pid).collect();
        for link in &links {
            link.close(if round % 2 == 0 { NOW } else { LONG });
        }
        assert!(links.iter().all(|link| link.end() == CloseReason::Stopped));
        // Reaped: not even a zombie has its number.
        assert!(pids.iter().all(|pid| !std::fs::exists(format!("/proc/{pid}")).unwrap()));
    }
    stage.runtime.block_on(stage.upstreams.drained());
    eventually("no file of a child is open", || files() <= before);
}

#[test]
fn drained_waits_for_the_last_child() {
    let stage = Stage::new();
    let link = ready(&stage, "echo ready; read line; sleep 0.2");
    link.close(LONG);
    stage.runtime.block_on(stage.upstreams.drained());
    assert_eq!(link.event_within(Duration::ZERO), Some(Event::Closed(CloseReason::Stopped)));
}

/// A child that said its first word.
fn ready(stage: &Stage, script: &str) -> Link {
    let mut link = stage.shell(script);
    link.text();
    link
}
