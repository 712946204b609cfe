//! HTTP+SSE of 2024-11-05: one stream for all that the server says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::ports::upstream::CloseReason;
use orch_core::record::RemoteKind;
use serde_json::{Value, json};

use crate::server::{Reply, Server, Step, event, text, wait};
use crate::stage::{Event, LONG, Link, Stage, note, of_kind, request};

/// A server whose stream does these steps; what is posted is accepted.
fn server(stage: &Stage, steps: Vec<Step>) -> Server {
    Server::start(stage.runtime.handle(), move |seen| match seen.verb.as_str() {
        "GET" => Reply::events(steps.clone()),
        _ if seen.method() == "refused" => Reply::status(422),
        _ if seen.method() == "gone" => Reply::status(404),
        _ if seen.method() == "unknown" => {
            let words = text("No transport found for sessionId");
            Reply::Say(400, vec![("content-type", "text/html".into())], vec![words])
        }
        _ => Reply::Say(202, vec![("content-type", "text/plain".into())], vec![text("Accepted")]),
    })
}

fn open(stage: &Stage, server: &Server) -> Link {
    stage.open(&of_kind(RemoteKind::Sse, &server.url("/x/sse?key=1"), &[("Authorization", "Bearer s3cret")]))
}

fn endpoint(at: &str) -> Step {
    text(&format!("event: endpoint\ndata: {at}\n\n"))
}

fn answer(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": {} })
}

#[test]
fn a_link_is_open_when_the_endpoint_is_named_and_messages_go_there() {
    let stage = Stage::new();
    let hello = note("notifications/message", json!({}));
    let early = text(&format!("event: endpoint\ndata: /messages?sessionId=1\n\ndata: {hello}\n\n"));
    let server = server(&stage, vec![wait(100), early, wait(300), event(&answer(1)), Step::Hold]);
    let mut link = open(&stage, &server);
    assert_eq!(link.event_within(Duration::from_millis(50)), None, "not before the endpoint is named");
    assert_eq!(link.event(), Event::Opened(None));
    assert_eq!(link.message(), hello);
    link.send(&request(1, "initialize", json!({})));
    assert_eq!(link.message(), answer(1));
    link.send(&note("notifications/initialized", json!({})));
    link.send(&request(2, "tools/list", json!({})));
    let get = server.seen();
    assert_eq!((get.verb.as_str(), get.target.as_str()), ("GET", "/x/sse?key=1"));
    assert_eq!(get.header("accept"), Some("text/event-stream"));
    for method in ["initialize", "notifications/initialized", "tools/list"] {
        let post = server.seen();
        assert_eq!((post.verb.as_str(), post.target.as_str()), ("POST", "/messages?sessionId=1"));
        assert_eq!(post.method(), method);
        assert_eq!(post.header("authorization"), Some("Bearer s3cret"));
    }
    assert_eq!(server.connections(), 2, "one for the stream, one for all that is posted");
    link.close(LONG);
    assert_eq!(link.end(), CloseReason::Stopped);
    assert_eq!(server.left(), "GET");
}

#[test]
fn an_endpoint_elsewhere_is_not_reached() {
    let stage = Stage::new();
    for at in
        ["http://127.0.0.2:1/messages", "//localhost/messages", "https://127.0.0.1/messages", "http://["]
    {
        let server = server(&stage, vec![endpoint(at), Step::Hold]);
        match open(&stage, &server).event() {
            Event::Closed(CloseReason::NotStarted(words)) => {
                assert!(words.contains("named an endpoint"), "{words}");
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn a_stream_that_is_none_says_why() {
    let stage = Stage::new();
    for (reply, words) in [
        (Reply::status(401), "answered 401: it wants other credentials: check `headers`"),
        (Reply::status(405), "answered 405: this path is for something else: check `url` and `type`"),
        (Reply::json(200, &json!({})), "did not answer with an event stream: check `url` and `type`"),
        (Reply::events([text(": hello\n\n")]), "ended its event stream before it named an endpoint"),
        (Reply::status(302).with("location", "https://b.example/"), "redirects to b.example:443"),
        (Reply::Close, "closed the connection without an answer"),
    ] {
        let server = Server::start(stage.runtime.handle(), move |_| reply.clone());
        let said = stage.refusal(&of_kind(RemoteKind::Sse, &server.url("/sse"), &[]));
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn the_end_of_the_stream_is_the_end_of_the_link() {
    for (last, words) in [(wait(10), "ended its event stream"), (Step::Break, "the event stream of ")] {
        let stage = Stage::new();
        let server = server(&stage, vec![endpoint("/m"), wait(100), event(&answer(1)), wait(50), last]);
        let mut link = open(&stage, &server);
        link.send(&request(1, "tools/call", json!({})));
        assert_eq!(link.message(), answer(1));
        match link.end() {
            CloseReason::Lost(said) => assert!(said.contains(words), "{said}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_message_that_is_not_taken_is_answered_in_its_place() {
    let stage = Stage::new();
    let server = server(&stage, vec![endpoint("/m"), Step::Hold]);
    let mut link = open(&stage, &server);
    link.send(&request(1, "refused", json!({})));
    let (code, _, data) = link.error(1);
    assert_eq!((code, &data["status"]), (-31_001, &json!(422)));
    link.send(&note("refused", json!({})));
    assert!(link.line().contains("was not taken"));
}

#[test]
fn a_message_that_finds_its_stream_forgotten_says_that_the_session_is_gone() {
    let stage = Stage::new();
    let server = server(&stage, vec![endpoint("/m"), Step::Hold]);
    let link = open(&stage, &server);
    for (id, method, status) in [(1, "gone", 404), (2, "unknown", 400)] {
        link.send(&request(id, method, json!({})));
        let refusal = link.expiry().unwrap();
        assert_eq!((&refusal["id"], &refusal["error"]["data"]["status"]), (&json!(id), &json!(status)));
    }
    link.send(&note("gone", json!({})));
    assert_eq!(link.expiry(), None);
}

#[test]
fn a_cancellation_is_a_message_like_any_other() {
    let stage = Stage::new();
    let server = server(&stage, vec![endpoint("/m"), Step::Hold]);
    let link = open(&stage, &server);
    link.send(&request(1, "tools/call", json!({})));
    server.posted("tools/call");
    link.send(&note("notifications/cancelled", json!({ "requestId": 1 })));
    server.posted("notifications/cancelled");
}

#[test]
fn a_message_over_the_bound_ends_the_link_after_the_ones_before_it() {
    let stage = Stage::new();
    let long = json!({ "jsonrpc": "2.0", "id": 2, "result": { "text": "x".repeat(2_000_000) } });
    let server = server(&stage, vec![endpoint("/m"), event(&answer(1)), event(&long), Step::Hold]);
    let mut link = open(&stage, &server);
    assert_eq!(link.message(), answer(1));
    assert_eq!(link.end(), CloseReason::MessageTooLong);
}

#[test]
fn a_link_that_is_closed_while_it_opens_is_closed_at_once() {
    let stage = Stage::new();
    let reached = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&reached);
    let server = Server::start(stage.runtime.handle(), move |_| {
        *counter.lock().unwrap() += 1;
        Reply::Hang
    });
    let link = open(&stage, &server);
    server.seen();
    link.close(LONG);
    assert_eq!(link.end(), CloseReason::Stopped);
    assert_eq!(server.left(), "GET");
    assert_eq!(*reached.lock().unwrap(), 1);
}
