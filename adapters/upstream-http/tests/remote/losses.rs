//! Requests that were sent, and never answered.

use std::time::Duration;

use serde_json::json;

use crate::server::{Reply, Server, Step, event, plain, text, wait};
use crate::stage::{Stage, launch, request};

#[test]
fn a_request_that_is_not_answered_has_an_unknown_outcome_however_that_comes() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let json = || vec![("content-type", "application/json".to_owned())];
        match seen.method().as_str() {
            "close" => Reply::Close,
            "break" => Reply::Say(200, json(), vec![text("{\"jsonrpc\":"), wait(20), Step::Break]),
            "empty" => Reply::Say(200, json(), Vec::new()),
            "other" => Reply::json(200, &json!({ "jsonrpc": "2.0", "id": 999, "result": {} })),
            "accepted" => Reply::status(202),
            "page" => Reply::Say(200, vec![("content-type", "text/html".into())], vec![text("<html>")]),
            "packed" => {
                let coded =
                    vec![("content-type", "application/json".into()), ("content-encoding", "gzip".into())];
                Reply::Say(200, coded, vec![text("\u{1f}")])
            }
            "failed" => Reply::status(500),
            "gateway" => Reply::Say(504, vec![("content-type", "text/html".into())], vec![text("<html>")]),
            _ => plain(seen),
        }
    });
    let mut link = stage.open(&launch(&server.url("/mcp?key=s3cret")));
    for (id, (method, words)) in (1..).zip([
        ("close", "closed the connection without an answer"),
        ("break", "closed the connection in its answer"),
        ("empty", "answered without the answer"),
        ("other", "answered without the answer"),
        ("accepted", "answered 202: what it sent is neither JSON nor an event stream"),
        ("page", "answered 200: what it sent is neither JSON nor an event stream"),
        ("packed", "answered 200: its body is compressed"),
        ("failed", "answered 500: it failed"),
        ("gateway", "answered 504: it failed"),
    ]) {
        link.send(&request(id, method, json!({})));
        if method == "other" {
            assert_eq!(link.message()["id"], 999);
        }
        let (code, message, data) = link.error(id);
        assert_eq!((code, data), (-31_003, json!({ "retryable": false, "outcome": "unknown" })), "{method}");
        assert!(message.contains(words) && !message.contains("s3cret"), "{method}: {message}");
    }
    link.send(&request(100, "ping", json!({})));
    assert_eq!(link.message()["id"], 100, "the link goes on");
}

#[test]
fn an_answer_that_cannot_be_read_is_one_and_nothing_else_is_said_or_asked_for() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let bad = json!({ "jsonrpc": "2.0", "id": seen.json()["id"], "method": "m", "result": {} });
        match seen.method().as_str() {
            "json" => Reply::json(200, &bad),
            "events" => Reply::events([text("id: 1\n"), event(&bad)]),
            _ => plain(seen),
        }
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for (id, method) in [(1, "json"), (2, "events")] {
        link.send(&request(id, method, json!({})));
        assert_eq!(link.message()["result"], json!({}), "{method}: it is handed on as it is");
        assert_eq!(server.posted(method).json()["id"], id);
        assert!(
            link.event_within(Duration::from_millis(100)).is_none(),
            "{method}: there is no other answer"
        );
        assert!(
            server.seen_within(Duration::from_millis(100)).is_none(),
            "{method}: the rest is not asked for"
        );
    }
    link.send(&request(100, "ping", json!({})));
    assert_eq!(link.message()["id"], 100, "the link goes on");
}

#[test]
fn a_request_is_never_sent_twice() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "close" => Reply::Close,
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for id in 0..20 {
        link.send(&request(id, "ping", json!({})));
        link.message();
        link.send(&request(1000 + id, "close", json!({})));
        assert_eq!(link.error(1000 + id).0, -31_003);
    }
    let mut seen = Vec::new();
    while let Some(request) = server.seen_within(Duration::from_millis(50)) {
        seen.push(request.json()["id"].as_u64().unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).chain(1000..1020).collect::<Vec<_>>());
}
