//! Rules about the connection itself, and what the server says unasked.
#![expect(deprecated, reason = "what later revisions dropped is still spoken, and tested")]

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{ClientRequest, LoggingLevel, PingRequest, SetLevelRequestParams, SubscriptionFilter};
use serde_json::json;

use super::subject::Subject;
use crate::process::eventually;

pub(super) async fn initialize(subject: Arc<Subject>) {
    let info = subject.peer.peer_info().expect("what the server said of itself");
    assert_eq!(info.protocol_version.as_str(), subject.version);
    assert!(info.capabilities.tools.is_some(), "{info:?}");
}

pub(super) async fn ping(subject: Arc<Subject>) {
    let pong = subject.peer.send_request(ClientRequest::PingRequest(PingRequest::default())).await;
    pong.expect("an answer");
}

/// The server has one switch for its messages, which another client may have turned on already.
pub(super) async fn logging(subject: Arc<Subject>) {
    subject.peer.set_level(SetLevelRequestParams::new(LoggingLevel::Debug)).await.expect("the level");
    for _ in 0..2 {
        let result = subject.call("toggle-simulated-logging", json!({})).await;
        if result["content"][0]["text"].as_str().is_some_and(|text| text.starts_with("Started")) {
            break;
        }
    }
    eventually("a log message", Duration::from_secs(6), || {
        !subject.heard.lock().expect("what was heard").log_messages.is_empty()
    })
    .await;
    subject.call("toggle-simulated-logging", json!({})).await;
}

pub(super) async fn legacy_list_changed(subject: Arc<Subject>) {
    let before = subject.heard.lock().expect("what was heard").list_changes;
    let uri = subject.make_resource(&format!("rmcp-{}.txt.gz", subject.version)).await;
    eventually("a notice of the changed list", Duration::from_secs(5), || {
        subject.heard.lock().expect("what was heard").list_changes > before
    })
    .await;
    assert!(subject.resource_uris().await.contains(&uri), "{uri} is listed");
    subject.read(&uri).await;
}

pub(super) async fn modern_list_changed(subject: Arc<Subject>) {
    let filter = SubscriptionFilter::builder().resources_list_changed().build();
    let mut changes = subject.peer.listen(filter).await.expect("a subscription");
    let uri = subject.make_resource("rmcp-modern.txt.gz").await;
    let change = tokio::time::timeout(Duration::from_secs(5), changes.next()).await;
    change.expect("a notice of the changed list").expect("the subscription goes on").expect("a change");
    changes.cancel().await.expect("the end of the subscription");
    assert!(subject.resource_uris().await.contains(&uri), "{uri} is listed");
    subject.read(&uri).await;
}
