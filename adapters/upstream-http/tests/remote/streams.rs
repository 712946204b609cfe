//! Answers on event streams that break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{Reply, Seen, Server, Step, event, plain, text, wait};
use crate::stage::{Stage, launch, note, request};

/// A server whose answers to `tools/call` break; `resumed` says what the n-th GET with a cursor gets.
fn breaking(
    stage: &Stage,
    first: Vec<Step>,
    resumed: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> Server {
    let count = Arc::new(AtomicUsize::new(0));
    Server::start(stage.runtime.handle(), move |seen: &Seen| {
        match (seen.verb.as_str(), seen.method().as_str()) {
            ("GET", _) if seen.header("last-event-id").is_some() => {
                resumed(count.fetch_add(1, Ordering::SeqCst))
            }
            ("POST", "tools/call") => Reply::events(first.clone()),
            _ => plain(seen),
        }
    })
}

/// The next GET that is not for the session's own stream.
fn resumption(server: &Server) -> Seen {
    std::iter::repeat_with(|| server.verb("GET")).find(|seen| seen.header("last-event-id").is_some()).unwrap()
}

fn answer(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "ok": true } })
}

#[test]
fn a_stream_with_ids_is_resumed_where_it_broke_and_no_request_is_sent_twice() {
    let stage = Stage::new();
    let progress = note("notifications/progress", json!({}));
    let first = vec![
        text("retry: 100\nid: p-0\ndata: \n\n"),
        text(&format!("id: p-1\ndata: {progress}\n\n")),
        wait(20),
    ];
    let server = breaking(&stage, first, |n| match n {
        0 => Reply::events([wait(20), Step::Break]),
        1 => Reply::events([text(": still busy\n\n")]),
        2 => Reply::status(503),
        _ => Reply::events([event(&answer(1))]),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link.send(&request(1, "tools/call", json!({})));
    assert_eq!(link.message()["method"], "notifications/progress");
    server.posted("tools/call");
    let start = tokio::time::Instant::now();
    for _ in 0..4 {
        let get = resumption(&server);
        assert_eq!(get.header("last-event-id"), Some("p-1"));
        assert_eq!(get.header("mcp-session-id"), Some("s-1"));
    }
    assert!(start.elapsed() >= Duration::from_millis(350), "the server asked for 100 ms each");
    assert_eq!(link.message(), answer(1));
    assert!(server.seen_within(Duration::from_millis(50)).is_none());
}

#[test]
fn a_priming_event_is_enough_to_be_resumed() {
    let stage = Stage::new();
    let server = breaking(&stage, vec![text("retry: 10\nid: p-0\ndata: \n\n"), wait(20)], |_| {
        Reply::events([event(&answer(1))])
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "tools/call", json!({})));
    assert_eq!(link.message(), answer(1));
    assert_eq!(server.verb("GET").header("last-event-id"), Some("p-0"));
}

#[test]
fn a_server_that_has_not_noticed_yet_that_a_stream_broke_is_asked_again() {
    let stage = Stage::new();
    let server =
        breaking(&stage, vec![text("retry: 10\nid: p-0\ndata: \n\n"), wait(20), Step::Break], |n| match n {
            0 => Reply::status(409),
            _ => Reply::events([event(&answer(1))]),
        });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "tools/call", json!({})));
    assert_eq!(link.message(), answer(1));
}

#[test]
fn a_stream_without_ids_is_a_loss_whose_outcome_is_unknown() {
    for (end, how) in
        [(Step::Wait(Duration::ZERO), "ended the stream"), (Step::Break, "closed the connection")]
    {
        let stage = Stage::new();
        let progress = note("notifications/progress", json!({}));
        let server = breaking(&stage, vec![event(&progress), wait(50), end], |_| Reply::status(500));
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.send(&request(1, "tools/call", json!({})));
        assert_eq!(link.message()["method"], "notifications/progress");
        let (code, words, data) = link.error(1);
        assert_eq!((code, data), (-31_003, json!({ "retryable": false, "outcome": "unknown" })));
        let expected = format!("{how} before the answer; the outcome is unknown");
        assert!(words.ends_with(&expected), "{words}");
        link.send(&request(2, "ping", json!({})));
        assert_eq!(link.message()["id"], 2, "the link goes on");
    }
}

#[test]
fn a_stream_that_cannot_be_resumed_is_a_loss() {
    let stage = Stage::new();
    let server =
        breaking(&stage, vec![text("retry: 10\nid: p-0\ndata: \n\n"), wait(20)], |_| Reply::status(405));
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "tools/call", json!({})));
    assert_eq!(link.error(1).0, -31_003);
    assert_eq!(server.verb("GET").header("last-event-id"), Some("p-0"));
}

#[test]
fn a_stream_that_finds_the_session_gone_is_a_loss_and_the_link_goes_on() {
    let stage = Stage::new();
    let server =
        breaking(&stage, vec![text("retry: 10\nid: p-0\ndata: \n\n"), wait(20)], |_| Reply::status(404));
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link.send(&request(1, "tools/call", json!({})));
    assert_eq!(link.error(1).0, -31_003, "what became of it is unknown");
    link.send(&request(2, "ping", json!({})));
    assert_eq!(link.message()["id"], 2);
    drop(server);
}

#[test]
fn a_cancelled_request_of_the_2025_revisions_is_told_so_and_then_let_go() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "tools/call" => Reply::events([text("id: p-0\ndata: \n\n"), Step::Hold]),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    server.verb("GET");
    link.send(&request(1, "tools/call", json!({})));
    server.posted("tools/call");
    link.send(&note("notifications/cancelled", json!({ "requestId": 1 })));
    server.posted("notifications/cancelled");
    assert_eq!(server.left(), "tools/call");
    link.send(&note("notifications/cancelled", json!({ "requestId": 1 })));
    link.send(&request(2, "ping", json!({})));
    assert_eq!(link.message()["id"], 2);
    assert_eq!(server.seen().method(), "ping", "what is answered or given up is not cancelled");
}
