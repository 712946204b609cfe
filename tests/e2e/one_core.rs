//! A hub that has one core: whatever it does, it does by turns.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::hub::Hub;
use crate::peers::Server;
use crate::wire::Wire;

const SOON: Duration = Duration::from_secs(30);

/// Keeps this thread, and every process that it starts, on one of the cores that it may use.
fn stay_on_one_core() {
    let allowed = sched_getaffinity(None).expect("the cores of this thread");
    let first = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core)).expect("a core");
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("one of its own cores");
}

#[tokio::test]
async fn a_hub_on_one_core_answers_quick_calls_while_slow_ones_tell_how_far_they_are() {
    stay_on_one_core();
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let url = hub.at("/servers/everything/mcp");
    let mut slow = JoinSet::new();
    for client in 0..8 {
        let wire = Wire::legacy(url.clone(), &key, "2025-11-25").await;
        slow.spawn(async move {
            let arguments = json!({ "duration": 2, "steps": 4 });
            let params = json!({ "name": "trigger-long-running-operation", "arguments": arguments, "_meta": { "progressToken": client } });
            wire.hear(&json!(1), "tools/call", params).await
        });
    }
    let mut quick = JoinSet::new();
    for client in 0..32 {
        let wire = Wire::modern(url.clone(), &key);
        quick.spawn(
            async move { wire.call_for_text("echo", json!({ "message": format!("{client}") })).await },
        );
    }
    let mut echoes = timeout(SOON, quick.join_all()).await.expect("quick calls");
    echoes.sort();
    let mut expected: Vec<String> = (0..32).map(|client| format!("Echo: {client}")).collect();
    expected.sort();
    assert_eq!(echoes, expected);
    for said in timeout(SOON, slow.join_all()).await.expect("slow calls") {
        let told = said.iter().filter(|it| it["method"] == "notifications/progress").count();
        let answered = said.last().map_or(&Value::Null, |it| &it["result"]["content"]);
        assert!(told >= 3 && answered.is_array(), "{said:?}");
    }
}
