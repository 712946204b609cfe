//! Servers that let in who has logged in.

use std::sync::{Arc, Mutex};

use orch_core::oauth::Challenge;
use orch_core::ports::BoxFuture;
use orch_core::ports::passes::{NoPass, Pass, Passes, Refusal, Visit};
use orch_core::ports::upstream::CloseReason;
use orch_core::record::RemoteKind;
use serde_json::json;

use crate::server::{Reply, Seen, Server};
use crate::stage::{PATIENCE, Stage, launch, of_kind, request};

/// Has one pass, and at each refusal what comes of it.
struct Keyring {
    current: Option<Pass>,
    next: fn() -> Result<Pass, NoPass>,
    refusals: Mutex<Vec<Refusal>>,
}

impl Passes for Keyring {
    fn current<'a>(&'a self, _: &'a Visit) -> BoxFuture<'a, Option<Pass>> {
        Box::pin(async move { self.current.clone() })
    }

    fn refused<'a>(&'a self, visit: &'a Visit, refusal: Refusal) -> BoxFuture<'a, Result<Pass, NoPass>> {
        assert_eq!((&*visit.project, &*visit.server), ("default", "far"));
        self.refusals.lock().unwrap().push(refusal);
        Box::pin(async move { (self.next)() })
    }
}

fn pass(text: &str) -> Pass {
    Pass(text.to_owned())
}

/// A stage whose servers are shown `current` first.
fn stage(current: Option<&str>, next: fn() -> Result<Pass, NoPass>) -> (Stage, Arc<Keyring>) {
    let keyring = Arc::new(Keyring { current: current.map(pass), next, refusals: Mutex::default() });
    let mut stage = Stage::new();
    stage.upstreams = stage.upstreams.with_passes(Arc::clone(&keyring) as _);
    (stage, keyring)
}

fn unauthorized() -> Reply {
    Reply::status(401).with("www-authenticate", "Bearer scope=\"a\", error=\"invalid_token\"")
}

/// Lets in who shows `Bearer good`.
fn door(seen: &Seen) -> Reply {
    match seen.header("authorization") {
        Some("Bearer good") => Reply::json(200, &seen.result(json!({ "ok": true }))),
        Some(_) | None => unauthorized(),
    }
}

#[test]
fn a_request_that_was_not_let_in_goes_once_more_with_another_pass() {
    let (stage, keyring) = stage(Some("Bearer old"), || Ok(pass("Bearer good")));
    let server = Server::start(stage.runtime.handle(), door);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "tools/call", json!({ "name": "a" })));
    assert_eq!(link.message()["result"], json!({ "ok": true }));
    let (first, second) = (server.seen(), server.seen());
    assert_eq!(first.header("authorization"), Some("Bearer old"));
    assert_eq!(second.header("authorization"), Some("Bearer good"));
    assert_eq!(first.body, second.body);
    let challenge = Challenge {
        resource_metadata: None,
        scope: Some("a".to_owned()),
        error: Some("invalid_token".to_owned()),
    };
    let shown = Some(pass("Bearer old"));
    assert_eq!(*keyring.refusals.lock().unwrap(), [Refusal { shown, challenge }]);
}

#[test]
fn no_request_goes_a_third_time() {
    let (stage, keyring) = stage(None, || Ok(pass("Bearer bad")));
    let server = Server::start(stage.runtime.handle(), door);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "tools/call", json!({ "name": "a" })));
    let (code, _, data) = link.error(1);
    assert_eq!((code, data), (-31_001, json!({ "retryable": false, "status": 401 })));
    assert_eq!(server.seen().header("authorization"), None);
    assert_eq!(server.seen().header("authorization"), Some("Bearer bad"));
    assert_eq!(keyring.refusals.lock().unwrap().len(), 2);
}

#[test]
fn a_login_that_is_needed_is_said_with_the_next_step() {
    let (stage, _) = stage(None, || Err(NoPass::LoginRequired("run: it".to_owned())));
    let server = Server::start(stage.runtime.handle(), door);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "initialize", json!({})));
    let (code, message, data) = link.error(1);
    assert_eq!((code, &*message), (-31_001, "server far wants a login: run: it"));
    assert_eq!(data, json!({ "retryable": false, "status": 401, "reason": "login_required" }));
}

#[test]
fn what_cannot_be_renewed_now_is_said_to_pass() {
    let (stage, _) = stage(None, || Err(NoPass::Unavailable("nobody answers".to_owned())));
    let server = Server::start(stage.runtime.handle(), door);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "initialize", json!({})));
    let (_, message, data) = link.error(1);
    assert_eq!(&*message, "server far is not available: nobody answers");
    assert_eq!(data, json!({ "retryable": true }));
}

#[test]
fn a_stream_that_is_not_let_in_is_an_end_that_says_so() {
    let (stage, _) = stage(None, || Err(NoPass::LoginRequired("run: it".to_owned())));
    let server = Server::start(stage.runtime.handle(), door);
    let link = stage.open(&of_kind(RemoteKind::Sse, &server.url("/sse"), &[]));
    assert_eq!(link.end(), CloseReason::LoginRequired("run: it".to_owned()));
}

#[test]
fn a_credential_that_somebody_has_written_down_is_all_that_is_shown() {
    let (stage, keyring) = stage(Some("Bearer good"), || Ok(pass("Bearer good")));
    let server = Server::start(stage.runtime.handle(), door);
    let mut link =
        stage.open(&of_kind(RemoteKind::Http, &server.url("/mcp"), &[("authorization", "Bearer mine")]));
    link.send(&request(1, "initialize", json!({})));
    let (_, message, _) = link.error(1);
    assert!(message.contains("check `headers`"), "{message}");
    let seen = server.seen_within(PATIENCE).expect("a request");
    assert_eq!(seen.header("authorization"), Some("Bearer mine"));
    assert!(keyring.refusals.lock().unwrap().is_empty());
}
