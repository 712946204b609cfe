//! Single exchanges for logins: bounded, guarded, and never somewhere else than asked for.

use std::time::Duration;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::web::{Web as _, WebAnswer, WebRequest};
use serde_json::json;

use crate::server::{Reply, Server, text, wait};
use crate::stage::Stage;

fn exchange(stage: &Stage, url: String) -> Result<WebAnswer, String> {
    let web = stage.upstreams.web();
    stage.runtime.block_on(web.exchange(WebRequest { url, ..WebRequest::default() }))
}

#[test]
fn an_exchange_is_bounded_and_its_limits_are_named() {
    let limits =
        Limits { login_exchange: Duration::from_millis(300), login_answer_bytes: 20, ..Limits::default() };
    let stage = Stage::within(limits);
    let server = Server::start(stage.runtime.handle(), |seen| match seen.target.as_str() {
        "/slow" => Reply::events([wait(5_000), text("late")]),
        "/long" => Reply::json(200, &json!({ "long": "0123456789012345678901234567890" })),
        "/elsewhere" => Reply::status(302).with("location", "http://169.254.169.254/s3cret"),
        _ => Reply::json(404, &json!({})),
    });
    for (path, words) in [
        ("/slow", "within 0.3 s (limit login_exchange)"),
        ("/long", "more than 20 bytes (limit login_answer_bytes)"),
        ("/elsewhere", "redirects are not followed"),
    ] {
        let said = exchange(&stage, server.url(path)).unwrap_err();
        assert!(said.contains(words) && !said.contains("s3cret"), "{path}: {said}");
    }
    let answer = exchange(&stage, server.url("/nothing")).unwrap();
    assert_eq!((answer.status, &*answer.body), (404, &b"{}"[..]));
}

#[test]
fn an_exchange_goes_where_servers_may_be_and_nowhere_else() {
    let stage = Stage::with(&[], None);
    let server = Server::start(stage.runtime.handle(), |_| Reply::json(200, &json!({})));
    let said = exchange(&stage, server.url("/")).unwrap_err();
    assert!(said.contains("is not reached") && said.contains("--allow-upstream"), "{said}");
    assert_eq!(server.connections(), 0);
    let request = WebRequest {
        url: "https://a@b.example/".to_owned(),
        body: Some(("application/json", Bytes::new())),
        ..WebRequest::default()
    };
    let web = stage.upstreams.web();
    let said = stage.runtime.block_on(web.exchange(request)).unwrap_err();
    assert!(said.contains("it holds a user or a password"), "{said}");
}
