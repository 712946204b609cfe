//! Rules about what a server asks of its client, and about a hub that ends in between.
#![expect(deprecated, reason = "what later revisions dropped is still spoken, and tested")]

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, CreateMessageRequestParams, CreateMessageResult, ElicitResult, ElicitationAction,
    ListRootsResult, Root, SamplingMessage, SubscribeRequestParams, SubscriptionFilter,
    UnsubscribeRequestParams,
};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::subject::{Subject, json_of};
use crate::process::kill;

const PATIENCE: Duration = Duration::from_secs(15);
const ROOT: &str = "file:///home/ada/project";

/// What a client that can be asked for everything says that it can do.
pub(super) fn capabilities() -> ClientCapabilities {
    let all = json!({ "sampling": {}, "elicitation": {}, "roots": { "listChanged": true } });
    serde_json::from_value(all).expect("capabilities")
}

pub(super) fn sample(params: &CreateMessageRequestParams) -> CreateMessageResult {
    let asked = serde_json::to_value(params).expect("its JSON");
    // One block, or several.
    let content = &asked["messages"][0]["content"];
    let prompt = &content.get(0).unwrap_or(content)["text"];
    let heard = format!("heard: {}", prompt.as_str().expect("a text"));
    CreateMessageResult::new(SamplingMessage::assistant_text(heard), "none".to_owned())
}

pub(super) fn elicit() -> ElicitResult {
    ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "name": "Ada" }))
}

pub(super) fn list_roots() -> ListRootsResult {
    ListRootsResult::new(vec![Root::new(ROOT)])
}

pub(super) async fn sampling(subject: Arc<Subject>) {
    let result = subject.call("trigger-sampling-request", json!({ "prompt": "two and two" })).await;
    let text = result["content"][0]["text"].to_string();
    assert!(text.contains("heard: ") && text.contains("two and two"), "{result}");
}

pub(super) async fn elicitation(subject: Arc<Subject>) {
    let result = subject.call("trigger-elicitation-request", json!({})).await;
    assert!(result.to_string().contains("- Name: Ada"), "{result}");
}

pub(super) async fn roots(subject: Arc<Subject>) {
    let result = subject.call("get-roots-list", json!({})).await;
    assert!(result.to_string().contains(ROOT), "{result}");
}

pub(super) async fn legacy_resource_updates(subject: Arc<Subject>) {
    let uri = subject.resource_uris().await.swap_remove(0);
    subject.peer.subscribe(SubscribeRequestParams::new(&uri)).await.expect("a subscription");
    let updated = || subject.heard.lock().expect("what was heard").updates.contains(&uri);
    for _ in 0..6 {
        subject.call("toggle-subscriber-updates", json!({})).await;
        let update = async {
            while !updated() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        if timeout(Duration::from_millis(500), update).await.is_ok() {
            break;
        }
    }
    assert!(updated(), "no update of {uri}");
    subject.peer.unsubscribe(UnsubscribeRequestParams::new(&uri)).await.expect("its end");
}

pub(super) async fn modern_resource_updates(subject: Arc<Subject>) {
    let uri = subject.resource_uris().await.swap_remove(0);
    let filter = SubscriptionFilter::builder().resource_subscriptions([uri.clone()]).build();
    let mut updates = subject.peer.listen(filter).await.expect("a subscription");
    for _ in 0..6 {
        subject.call("toggle-subscriber-updates", json!({})).await;
        if let Ok(update) = timeout(Duration::from_millis(500), updates.next()).await {
            let update = format!("{:?}", update.expect("the subscription goes on").expect("an update"));
            assert!(update.contains(&uri), "{update}");
            return updates.cancel().await.expect("the end of the subscription");
        }
    }
    panic!("no update of {uri}");
}

/// Ends the hub without a word. Somebody starts it again, and the same client goes on.
pub(super) async fn restart(subject: Arc<Subject>) {
    kill(subject.hub);
    let deadline = Instant::now() + PATIENCE;
    let params = || subject.call_params("echo", &json!({ "message": "after the restart" }));
    loop {
        let answer = timeout(Duration::from_secs(2), subject.peer.call_tool(params())).await;
        match answer {
            Ok(Ok(result)) => {
                let text = json_of(Ok(result))["content"][0]["text"].take();
                assert_eq!(text, "Echo: after the restart");
                break;
            }
            failed => assert!(Instant::now() < deadline, "the client should go on: {failed:?}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
    sampling(subject).await;
}
