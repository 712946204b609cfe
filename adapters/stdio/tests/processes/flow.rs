//! What goes in and out of a child while it lives.

use std::time::Duration;

use bytes::Bytes;
use orch_core::ports::upstream::{CloseReason, Grace, QueueFull};

use crate::stage::{Event, Stage, launch};

#[test]
fn large_messages_pipelined_both_ways_never_hang() {
    let mut link = Stage::new().open(&launch("cat", &[]));
    let message = Bytes::from(vec![b'x'; 256 * 1024]);
    for _ in 0..50 {
        for _ in 0..4 {
            link.send(message.clone()).unwrap();
        }
        for _ in 0..4 {
            assert_eq!(link.message(), message);
        }
    }
}

#[test]
fn a_child_that_reads_nothing_costs_its_queue_and_no_more() {
    let link = Stage::new().shell("exec sleep 1000");
    link.pid();
    let message = Bytes::from(vec![b'x'; 256 * 1024]);
    let accepted = (0..1000).take_while(|_| link.send(message.clone()).is_ok()).count();
    assert!((15..=17).contains(&accepted), "{accepted} messages of 256 KiB in 4 MiB");
    assert_eq!(link.send(message), Err(QueueFull));
    link.close(Grace { stdin: Duration::ZERO, term: Duration::from_secs(10) });
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_child_that_never_answers_takes_what_is_sent() {
    let link = Stage::new().shell("exec cat > /dev/null");
    for _ in 0..100 {
        let message = Bytes::from(vec![b'x'; 256 * 1024]);
        crate::stage::eventually("room in the queue", || link.send(message.clone()).is_ok());
    }
}

#[test]
fn a_burst_of_small_messages_arrives_in_few_reads() {
    let link = Stage::new().python("import sys; sys.stdout.write('{}\\n' * 20000)");
    let mut sizes = Vec::new();
    loop {
        match link.event() {
            Event::Received(frames) => sizes.push(frames.len()),
            Event::Closed(_) => break,
            Event::Opened(_) | Event::Logged(_) | Event::Dropped(_) => {}
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), 20_000);
    assert!(sizes.len() < 1000, "{} reads", sizes.len());
}

#[test]
fn a_message_over_the_bound_is_answered_with_the_bound_and_the_child_lives_on() {
    let mut link = Stage::new().python(
        "import sys\n\
         long = '\"content\":\"' + 'x' * 2_000_000 + '\"'\n\
         print('first')\n\
         print('{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{' + long + '}}')\n\
         print('{\"result\":{' + long + '},\"jsonrpc\":\"2.0\",\"id\":\"a\"}')\n\
         print('{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"m\",\"params\":{' + long + '}}')\n\
         print('x' * 2_000_000)\n\
         print('last', flush=True)\n\
         print(sys.stdin.readline(), flush=True)",
    );
    assert_eq!(link.text(), "first");
    for id in ["7", "\"a\""] {
        let error = link.text();
        assert!(error.starts_with(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":")), "{error}");
        assert!(error.contains("\"limit\":\"message_bytes\",\"value\":1048576"), "{error}");
    }
    assert_eq!(link.text(), "last", "what answers nothing is left out");
    link.send("still there").unwrap();
    assert_eq!(link.text(), "still there");
}

#[test]
fn a_line_of_a_gigabyte_costs_the_bound_and_no_more() {
    let before = resident_kib();
    let mut link = Stage::new().shell("head -c 1000000000 /dev/zero; echo; echo done; exec sleep 1000");
    assert_eq!(link.text(), "done");
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[test]
fn output_without_a_line_end_costs_no_more_than_the_bound_while_it_lasts() {
    let before = resident_kib();
    let link = Stage::new().shell("timeout 2 cat /dev/zero");
    assert_eq!(link.end(), CloseReason::Exited(124));
    let grown = resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[test]
fn error_output_is_reported_line_by_line_and_readable() {
    let link = Stage::new().shell(r"printf 'one\r\ntwo \377\n\nend' >&2");
    link.pid();
    let lines: Vec<_> = (0..3).map(|_| link.event()).collect();
    assert_eq!(lines, ["one", "two \u{fffd}", "end"].map(|it| Event::Logged(it.into())));
    assert_eq!(link.end(), CloseReason::Exited(0));
}

#[test]
fn a_flood_of_error_output_delays_no_answer_and_costs_no_memory() {
    let before = resident_kib();
    let link = Stage::new().python(
        "import os, sys\n\
         line = b'noise ' * 20 + b'\\n'\n\
         for _ in range(1024): os.write(2, line * (1 << 18 >> 7))\n\
         print(sys.stdin.readline(), flush=True)",
    );
    link.send("ping").unwrap();
    let (mut bytes, mut dropped, mut answered) = (0, 0, false);
    loop {
        match link.event() {
            Event::Logged(text) => {
                bytes += text.len() as u64;
            }
            Event::Dropped(more) => dropped += more,
            Event::Received(frames) => answered = frames == ["ping"],
            Event::Closed(reason) => {
                assert_eq!(reason, CloseReason::Exited(0));
                break;
            }
            Event::Opened(_) => {}
        }
    }
    let grown = resident_kib().saturating_sub(before);
    assert!(answered);
    assert_eq!(bytes + dropped, 120 * 1024 * (1 << 11), "every byte is reported or counted");
    assert!(bytes < 4 << 20, "{bytes} bytes were reported");
    assert!(grown < 16 * 1024, "{grown} KiB");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|it| it.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
