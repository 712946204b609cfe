//! Requests that a server does not take.

use serde_json::{Value, json};

use crate::server::{Reply, Server, plain};
use crate::stage::{Stage, launch, request, stateless};

fn status_of(method: &str) -> Option<u16> {
    method.strip_prefix("status/")?.parse().ok()
}

#[test]
fn a_refusal_without_an_error_in_it_is_an_error_with_its_status_and_the_next_step() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let status = status_of(&seen.method()).unwrap();
        let reply = Reply::status(status).with("location", "https://elsewhere.example/s3cret?s3cret");
        reply.with("content-type", "application/json")
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for (status, retryable, words) in [
        (301, false, "redirects to elsewhere.example:443, and redirects are not followed"),
        (307, false, "redirects to elsewhere.example:443"),
        (400, false, "answered 400"),
        (401, false, "check `headers`"),
        (403, false, "it forbids this"),
        (404, false, "check `url`"),
        (405, false, "check `url` and `type`"),
        (406, false, "answered 406"),
        (413, false, "too large"),
        (429, true, "try again later"),
        (503, true, "try again later"),
    ] {
        link.send(&request(status, &format!("status/{status}"), json!({})));
        let (code, message, data) = link.error(status);
        assert_eq!((code, data), (-31_001, json!({ "retryable": retryable, "status": status })));
        assert!(message.starts_with("server far did not take the request: 127.0.0.1:"), "{message}");
        assert!(message.contains(words) && !message.contains("s3cret"), "{message}");
    }
}

#[test]
fn a_refusal_with_an_error_in_it_is_that_error() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let id = if seen.method() == "status/404" { seen.json()["id"].clone() } else { Value::Null };
        let error = json!({ "code": -32022, "message": "no", "data": { "supported": ["2026-07-28"] } });
        Reply::json(
            status_of(&seen.method()).unwrap(),
            &json!({ "jsonrpc": "2.0", "id": id, "error": error }),
        )
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for status in [400, 404, 500] {
        link.send(&stateless(status, &format!("status/{status}"), json!({})));
        let (code, message, data) = link.error(status);
        assert_eq!((code, message.as_str()), (-32_022, "no"));
        assert_eq!(data, json!({ "supported": ["2026-07-28"] }));
    }
}

#[test]
fn a_refusal_of_credentials_is_one_whatever_it_says() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| {
        let error = json!({ "code": -32001, "message": "Unauthorized: s3cret" });
        let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        Reply::json(status_of(&seen.method()).unwrap(), &body)
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    for status in [401, 403] {
        link.send(&stateless(status, &format!("status/{status}"), json!({})));
        let (code, message, data) = link.error(status);
        assert_eq!((code, &data["status"]), (-31_001, &json!(status)));
        assert!(!message.contains("s3cret"), "{message}");
    }
}

#[test]
fn a_refusal_by_a_status_that_may_be_of_another_era_is_told_as_one() {
    for with_error in [true, false] {
        let stage = Stage::new();
        let server = Server::start(stage.runtime.handle(), move |seen| {
            let status = status_of(&seen.method()).unwrap();
            let error = json!({ "code": -32000, "message": "Bad Request: No valid session ID provided" });
            let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
            if with_error { Reply::json(status, &body) } else { Reply::status(status) }
        });
        let link = stage.open(&launch(&server.url("/mcp")));
        for (status, declined) in [
            (400, true),
            (401, false),
            (403, false),
            (404, true),
            (405, true),
            (406, true),
            (408, false),
            (413, false),
            (415, true),
            (422, true),
            (425, false),
            (429, false),
            (500, false),
            (503, false),
        ] {
            link.send(&stateless(status, &format!("status/{status}"), json!({})));
            let (answer, by_status) = link.refused();
            assert_eq!((&answer["id"], by_status), (&json!(status), declined), "{status}: {answer}");
        }
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let stage = Stage::new();
    let other = Server::start(stage.runtime.handle(), plain);
    let location = other.url("/mcp");
    let server =
        Server::start(stage.runtime.handle(), move |_| Reply::status(307).with("location", &location));
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "ping", json!({})));
    assert!(link.error(1).1.contains(&format!("redirects to {}", other.address)));
    assert_eq!(other.connections(), 0);
}
