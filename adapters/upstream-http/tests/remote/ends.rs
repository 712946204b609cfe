//! How a link ends, and what its queue holds.

use std::net::TcpListener;
use std::time::Duration;

use orch_core::ports::upstream::{CloseReason, Grace, QueueFull};
use serde_json::json;

use crate::server::{Reply, Server, Step, event, plain, text, wait};
use crate::stage::{Event, LONG, NOW, Stage, launch, note, request};

#[test]
fn what_was_sent_before_a_graceful_close_is_sent_and_its_answers_are_waited_for() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "slow" => Reply::events([wait(200), event(&seen.result(json!({})))]),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    for id in 1..200 {
        link.send(&request(id, "slow", json!({})));
    }
    link.close(LONG);
    for _ in 1..200 {
        link.message();
    }
    assert_eq!(link.end(), CloseReason::Stopped);
    assert_eq!(server.verb("DELETE").header("mcp-session-id"), Some("s-1"));
}

#[test]
fn a_server_that_does_not_answer_is_waited_for_as_long_as_the_grace_goes() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "tools/call" | "DELETE" => Reply::Hang,
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link.send(&request(1, "tools/call", json!({})));
    server.posted("tools/call");
    link.close(Grace { stdin: Duration::from_millis(100), term: Duration::from_millis(100) });
    assert_eq!(link.end(), CloseReason::Stopped);
    assert_eq!(server.left(), "tools/call");
    server.verb("DELETE");
}

#[test]
fn a_zero_grace_and_a_dropped_link_end_it_now_and_still_end_the_session() {
    for dropped in [false, true] {
        let stage = Stage::new();
        let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
            "tools/call" => Reply::events([text(": busy\n\n"), Step::Hold]),
            _ => plain(seen),
        });
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.shake_hands();
        link.send(&request(1, "tools/call", json!({})));
        server.posted("tools/call");
        if dropped {
            link.end = None;
        } else {
            link.close(LONG);
            link.close(NOW);
            link.close(LONG);
        }
        assert_eq!(link.end(), CloseReason::Stopped);
        assert_eq!(server.left(), "tools/call");
        assert_eq!(server.verb("DELETE").header("mcp-session-id"), Some("s-1"));
    }
}

#[test]
fn a_grace_can_be_cut_short_at_any_time() {
    for waits_for in ["tools/call", "DELETE"] {
        let stage = Stage::new();
        let server = Server::start(stage.runtime.handle(), move |seen| match seen.method().as_str() {
            method if method == waits_for => Reply::Hang,
            _ => plain(seen),
        });
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.shake_hands();
        link.send(&request(1, "tools/call", json!({})));
        server.posted("tools/call");
        link.close(LONG);
        if waits_for == "DELETE" {
            server.verb("DELETE");
        }
        assert!(!matches!(link.event_within(Duration::from_millis(100)), Some(Event::Closed(_))));
        link.close(NOW);
        assert_eq!(link.end(), CloseReason::Stopped);
    }
}

#[test]
fn a_link_that_has_ended_takes_messages_and_forgets_them() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let link = stage.open(&launch(&server.url("/mcp")));
    link.close(NOW);
    assert_eq!(link.end(), CloseReason::Stopped);
    let long = "x".repeat(1 << 20);
    assert!((0..100).all(|_| link.send_text(long.clone()).is_ok()));
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_server_that_takes_nothing_costs_the_queue_and_no_more() {
    let stage = Stage::new();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let link = stage.open(&launch(&format!("http://{}/mcp", deaf.local_addr().unwrap())));
    let message = note("notifications/x", json!({ "text": "x".repeat(256 * 1024) })).to_string();
    let accepted = (0..1000).take_while(|_| link.send_text(message.clone()).is_ok()).count();
    assert!((15..=32).contains(&accepted), "{accepted} messages of 256 KiB for a queue of 4 MiB");
    assert_eq!(link.send_text(message), Err(QueueFull));
    link.close(NOW);
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_queue_that_was_full_takes_messages_again() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let link = stage.open(&launch(&server.url("/mcp")));
    let message = note("notifications/x", json!({ "text": "x".repeat(256 * 1024) })).to_string();
    for _ in 0..100 {
        let taken = (0..3000).any(|_| {
            let taken = link.send_text(message.clone()).is_ok();
            if !taken {
                std::thread::sleep(Duration::from_millis(5));
            }
            taken
        });
        assert!(taken, "the server reads, the queue stays full");
    }
}

#[test]
fn what_is_sent_before_the_link_is_open_is_sent() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    for id in 0..10 {
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.send(&request(id, "ping", json!({})));
        assert_eq!(link.message()["id"], id);
    }
}
