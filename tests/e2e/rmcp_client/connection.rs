//! Rules about the connection itself, and what the server says unasked.
#![expect(deprecated, reason = "what later revisions dropped is still spoken, and tested")]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientRequest, LoggingLevel, PingRequest, SetLevelRequestParams, SubscriptionFilter};
use serde_json::json;
use tokio::time::timeout;

use super::subject::Subject;
use crate::process::eventually;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn initialize(subject: Arc<Subject>) {
    let info = subject.peer.peer_info().expect("what the server said of itself");
    assert_eq!(info.protocol_version.as_str(), subject.version);
    assert!(info.capabilities.tools.is_some(), "{info:?}");
}

pub(super) async fn ping(subject: Arc<Subject>) {
    let pong = subject.peer.send_request(ClientRequest::PingRequest(PingRequest::default())).await;
    pong.expect("an answer");
}

/// The server has one switch for its messages, which other clients turn as well. When turned on, it says something, of one
/// call in flight or of nobody's: so nobody turns it in step with the others.
pub(super) async fn logging(subject: Arc<Subject>) {
    subject.peer.set_level(SetLevelRequestParams::new(LoggingLevel::Debug)).await.expect("the level");
    let silent = || subject.heard.lock().expect("what was heard").log_messages.is_empty();
    for _ in 0..10 {
        subject.call("toggle-simulated-logging", json!({})).await;
        let said = eventually("a log message", PATIENCE, || !silent());
        let wait = 200 + RandomState::new().build_hasher().finish() % 600;
        if timeout(Duration::from_millis(wait), said).await.is_ok() {
            return;
        }
    }
    panic!("the server says nothing");
}

pub(super) async fn legacy_list_changed(subject: Arc<Subject>) {
    let uri = subject.make_resource(&format!("rmcp-{}.txt.gz", subject.version)).await;
    let notices = || subject.heard.lock().expect("what was heard").list_changes;
    let mut seen = 0;
    // Another client's change may be told before one's own, so that every notice is a reason to look.
    while !subject.resource_uris().await.contains(&uri) {
        eventually("a notice of the changed list", PATIENCE, || notices() > seen).await;
        seen = notices();
    }
    eventually("a notice of the changed list", PATIENCE, || notices() > 0).await;
    subject.read(&uri).await;
}

pub(super) async fn modern_list_changed(subject: Arc<Subject>) {
    let filter = SubscriptionFilter::builder().resources_list_changed().build();
    let mut changes = subject.peer.listen(filter).await.expect("a subscription");
    let uri = subject.make_resource("rmcp-2026-07-28.txt.gz").await;
    loop {
        let change = timeout(PATIENCE, changes.next()).await.expect("a notice of the changed list");
        change.expect("the subscription goes on").expect("a change");
        if subject.resource_uris().await.contains(&uri) {
            break;
        }
    }
    changes.cancel().await.expect("the end of the subscription");
    subject.read(&uri).await;
}
