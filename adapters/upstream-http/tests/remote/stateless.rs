//! 2026-07-28: every request stands for itself.

use std::time::Duration;

use serde_json::json;

use crate::server::{Reply, Server, Step, event, plain, text, wait};
use crate::stage::{LONG, Stage, launch, note, stateless};

#[test]
fn a_request_says_in_headers_what_its_body_says_and_belongs_to_no_session() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| plain(seen).with("mcp-session-id", "stray"));
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for (id, (method, params, name)) in (1..).zip([
        ("server/discover", json!({}), None),
        ("tools/call", json!({ "name": "größe" }), Some("=?base64?Z3LDtsOfZQ==?=")),
        ("resources/read", json!({ "uri": "test://a b" }), Some("test://a b")),
    ]) {
        link.send(&stateless(id, method, params));
        link.message();
        let seen = server.seen();
        assert_eq!(seen.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(seen.header("mcp-method"), Some(method));
        assert_eq!(seen.header("mcp-name"), name);
        assert_eq!(seen.header("mcp-session-id"), None);
    }
    link.close(LONG);
    link.end();
    assert!(server.seen_within(Duration::from_millis(50)).is_none(), "no stream, no end of a session");
}

#[test]
fn a_cancelled_request_is_one_whose_stream_is_closed() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "tools/call" => Reply::events([text(": busy\n\n"), Step::Hold]),
        "tools/list" => Reply::Hang,
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for (id, method) in [(1, "tools/call"), (2, "tools/list")] {
        link.send(&stateless(id, method, json!({})));
        server.posted(method);
        link.send(&note("notifications/cancelled", json!({ "requestId": id })));
        assert_eq!(server.left(), method);
    }
    link.send(&note("notifications/cancelled", json!({ "requestId": 77 })));
    link.send(&stateless(3, "server/discover", json!({})));
    assert_eq!(link.message()["id"], 3, "nothing is said of what was cancelled");
    assert_eq!(server.seen().method(), "server/discover");
}

#[test]
fn a_listen_stays_open_beside_others_and_does_not_hold_up_the_end() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "subscriptions/listen" => {
            let acknowledged = note("notifications/subscriptions/acknowledged", json!({}));
            let news = note("notifications/tools/list_changed", json!({}));
            Reply::events([event(&acknowledged), wait(100), event(&news), Step::Hold])
        }
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&stateless(1, "subscriptions/listen", json!({})));
    assert_eq!(link.message()["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(link.message()["method"], "notifications/tools/list_changed");
    link.send(&stateless(2, "ping", json!({})));
    assert_eq!(link.message()["id"], 2);
    link.close(LONG);
    link.end();
    assert_eq!(server.left(), "subscriptions/listen");
}

#[test]
fn a_lost_stream_is_a_lost_request_even_where_it_had_ids() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.verb.as_str() {
        "GET" => Reply::events([event(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))]),
        _ => Reply::events([text("retry: 10\nid: 1\ndata: \n\n"), wait(20)]),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&stateless(1, "tools/call", json!({})));
    assert_eq!(link.error(1).0, -31_003);
    server.seen();
    assert!(server.seen_within(Duration::from_millis(100)).is_none(), "nothing is resumed");
}
