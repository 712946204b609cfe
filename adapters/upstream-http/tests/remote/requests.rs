//! Requests and answers over Streamable HTTP.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orch_core::Limits;
use orch_core::record::RemoteKind;
use serde_json::json;

use crate::server::{Reply, Server, event, plain, text, wait};
use crate::stage::{Event, Stage, launch, note, of_kind, request};

#[test]
fn a_request_is_a_post_with_what_the_protocol_wants() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let headers = [("Authorization", "Bearer s3cret"), ("X-Team", "red")];
    let mut link = stage.open(&of_kind(RemoteKind::Http, &server.url("/mcp?tenant=7#part"), &headers));
    let message = request(1, "tools/list", json!({}));
    link.send(&message);
    assert_eq!(link.message(), json!({ "jsonrpc": "2.0", "id": 1, "result": { "method": "tools/list" } }));
    let seen = server.seen();
    assert_eq!((seen.verb.as_str(), seen.target.as_str()), ("POST", "/mcp?tenant=7"));
    assert_eq!(seen.json(), message);
    for (name, value) in [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("accept-encoding", "identity"),
        ("authorization", "Bearer s3cret"),
        ("x-team", "red"),
        ("user-agent", concat!("mcp-orch/", env!("CARGO_PKG_VERSION"))),
        ("host", &server.address.to_string()),
    ] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    for absent in ["mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
}

#[test]
fn a_header_that_cannot_be_sent_keeps_the_link_closed() {
    let stage = Stage::new();
    let words = stage.refusal(&of_kind(RemoteKind::Http, "http://127.0.0.1/", &[("Host", "s3cret")]));
    assert_eq!(words, "the header Host is the protocol's own: remove it from `headers`");
}

#[test]
fn answers_come_as_json_or_as_events_with_whatever_goes_before_them() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let progress = note("notifications/progress", json!({ "progressToken": 1, "progress": 1 }));
        let question = request(99, "ping", json!({}));
        match seen.method().as_str() {
            "pretty" => {
                let body = format!("{:#}\n", seen.result(json!({ "a": [1, 2] })));
                Reply::Say(
                    200,
                    vec![("content-type", "application/json; charset=utf-8".into())],
                    vec![text(&body)],
                )
            }
            "batch" => Reply::json(200, &json!([progress, seen.result(json!({}))])),
            "events" => {
                Reply::events([event(&progress), wait(30), event(&question), event(&seen.result(json!({})))])
            }
            "odd" => Reply::events([
                text(": hello\nid: 1\ndata: \n\nevent: other\ndata: {}\n\n"),
                text(&format!(
                    "data: {{\"jsonrpc\":\"2.0\",\ndata: \"id\":{},\"result\":{{}}}}\n\n",
                    seen.json()["id"]
                )),
            ]),
            _ => plain(seen),
        }
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "pretty", json!({})));
    assert_eq!(link.message()["result"], json!({ "a": [1, 2] }));
    for (id, method, before) in [(2, "batch", 1), (3, "events", 2), (4, "odd", 0)] {
        link.send(&request(id, method, json!({})));
        for _ in 0..before {
            assert!(link.message()["method"].is_string(), "{method}");
        }
        assert_eq!(link.message(), json!({ "jsonrpc": "2.0", "id": id, "result": {} }), "{method}");
    }
}

#[test]
fn an_answer_whose_id_is_spelt_otherwise_is_the_answer() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{}.0,"result":{{}}}}"#, seen.json()["id"]);
        match seen.method().as_str() {
            "json" => Reply::Say(200, vec![("content-type", "application/json".into())], vec![text(&answer)]),
            // The stream stays open: nothing else is to come on it.
            _ => Reply::events([text(&format!("id: 1\ndata: {answer}\n\n")), wait(30_000)]),
        }
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for (id, spelt, method) in [(1, 1.0, "json"), (2, 2.0, "events"), (3, 3.0, "json")] {
        link.send(&request(id, method, json!({})));
        assert_eq!(link.message(), json!({ "jsonrpc": "2.0", "id": spelt, "result": {} }));
    }
}

#[test]
fn many_requests_are_under_way_at_once_and_connections_are_used_again() {
    let stage = Stage::new();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, high) = (Arc::clone(&running), Arc::clone(&most));
    let server = Server::start(stage.runtime.handle(), move |seen| {
        let now = counter.fetch_add(1, Ordering::SeqCst) + 1;
        high.fetch_max(now, Ordering::SeqCst);
        Reply::events([wait(300), event(&seen.result(json!({})))])
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for id in 0..50 {
        link.send(&request(id, "tools/call", json!({})));
    }
    let answered: BTreeSet<u64> = (0..50).map(|_| link.message()["id"].as_u64().unwrap()).collect();
    assert_eq!(answered.len(), 50);
    assert_eq!(most.load(Ordering::SeqCst), 50, "none waits for another");
    let before = server.connections();
    for id in 50..60 {
        link.send(&request(id, "tools/call", json!({})));
        link.message();
    }
    assert!(server.connections() <= before + 1, "{} connections after {before}", server.connections());
}

#[test]
fn more_requests_than_a_link_may_have_wait_for_those_before_and_others_pass_them() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "tools/call" => Reply::events([wait(1000), event(&seen.result(json!({})))]),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for id in 0..200 {
        link.send(&request(id, "tools/call", json!({})));
    }
    link.send(&note("notifications/cancelled", json!({ "requestId": 199 })));
    link.send(&json!({ "jsonrpc": "2.0", "id": 77, "result": {} }));
    let mut seen = Vec::new();
    while let Some(request) = server.seen_within(Duration::from_millis(200)) {
        seen.push(request.json());
    }
    assert_eq!(seen.iter().filter(|it| it["method"] == "tools/call").count(), 128);
    assert!(seen.iter().any(|it| it["id"] == 77), "a reply passes requests that wait");
    let answered: BTreeSet<u64> = (0..199).map(|_| link.message()["id"].as_u64().unwrap()).collect();
    assert_eq!(answered.into_iter().max(), Some(198), "what was cancelled before it was sent is not sent");
    assert_eq!(link.event_within(Duration::from_millis(100)), None);
}

#[test]
fn notifications_keep_their_order_and_want_no_answer() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.json()["params"]["n"].as_u64() {
        Some(n) if n % 7 == 0 => Reply::Say(202, Vec::new(), vec![wait(20)]),
        _ => Reply::status(202),
    });
    let link = stage.open(&launch(&server.url("/mcp")));
    for n in 0..50 {
        link.send(&note("notifications/progress", json!({ "n": n })));
    }
    let order: Vec<u64> = (0..50).map(|_| server.seen().json()["params"]["n"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
    assert_eq!(link.event(), Event::Opened(None));
    assert_eq!(link.event_within(Duration::from_millis(50)), None, "nothing is received");
}

#[test]
fn what_is_said_after_a_notification_comes_after_it_and_none_holds_up_the_rest_for_long() {
    let order = Duration::from_millis(600);
    let stage = Stage::within(Limits { remote_order: order, ..Limits::default() });
    let taken = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start(stage.runtime.handle(), {
        let taken = Arc::clone(&taken);
        move |seen| {
            let said = seen.json();
            taken.lock().unwrap().push(said["n"].as_u64().unwrap_or_else(|| said["id"].as_u64().unwrap()));
            match said["method"].as_str() {
                Some("tools/call") => plain(seen),
                Some("notifications/never/taken") => Reply::Hang,
                _ => Reply::Say(202, Vec::new(), vec![wait(30)]),
            }
        }
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    let note = |method: &str, n: u64| json!({ "jsonrpc": "2.0", "method": method, "n": n });
    for n in 0..3 {
        link.send(&note("notifications/progress", n));
    }
    link.send(&json!({ "jsonrpc": "2.0", "id": 3, "result": {} }));
    link.send(&note("notifications/roots/list_changed", 4));
    link.send(&request(5, "tools/call", json!({})));
    assert_eq!(link.message()["id"], 5);
    assert_eq!(*taken.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    link.send(&note("notifications/never/taken", 6));
    link.send(&request(7, "tools/call", json!({})));
    assert_eq!(link.event_within(order / 2), None, "it waits for its turn");
    assert_eq!(link.message()["id"], 7);
}

#[test]
fn a_notification_that_is_not_taken_is_logged_and_ends_nothing() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "notifications/progress" => Reply::status(500),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&note("notifications/progress", json!({})));
    let logged = link.line();
    assert!(logged.contains("was not taken") && logged.contains("answered 500"), "{logged}");
    link.send(&request(1, "ping", json!({})));
    assert_eq!(link.message()["id"], 1);
}

#[test]
fn large_messages_go_both_ways() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        Reply::events([event(&seen.result(seen.json()["params"].clone()))])
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    let payload = json!({ "text": "x".repeat(1_000_000) });
    link.send(&request(1, "tools/call", payload.clone()));
    assert_eq!(link.message()["result"], payload);
}

#[test]
fn an_answer_over_the_bound_is_an_error_that_names_it_and_the_link_goes_on() {
    for json in [true, false] {
        let stage = Stage::new();
        let server = Server::start(stage.runtime.handle(), move |seen| {
            let long = seen.result(json!({ "text": "x".repeat(2_000_000) }));
            let first = note("notifications/message", json!({}));
            if seen.json()["method"] == "tools/list" {
                return plain(seen);
            }
            if json { Reply::json(200, &long) } else { Reply::events([event(&first), event(&long)]) }
        });
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.send(&request(1, "tools/call", json!({})));
        if !json {
            assert_eq!(link.message()["method"], "notifications/message");
        }
        let (code, _, data) = link.error(1);
        assert_eq!(
            (code, &data["limit"], &data["value"]),
            (-31_004, &json!("message_bytes"), &json!(1 << 20))
        );
        link.send(&request(2, "tools/list", json!({})));
        assert_eq!(link.message()["id"], 2);
    }
}
