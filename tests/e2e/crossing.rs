//! Nothing crosses: neither the answers of clients that use the same ids, nor progress, nor the ids themselves.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::hub::Hub;
use crate::peers::Server;
use crate::wire::Wire;

const CLIENTS: usize = 64;
const CALLS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_use_the_same_ids_get_their_own_answers() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let url = hub.at("/servers/everything/mcp");
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (url, key) = (url.clone(), key.clone());
        clients.spawn(async move {
            let wire = match client % 2 {
                0 => Wire::legacy(url, &key, "2025-11-25").await,
                _ => Wire::modern(url, &key),
            };
            for id in 0..CALLS {
                let message = format!("client {client}, call {id}");
                let result = wire.call(&json!(id), "echo", json!({ "message": message })).await;
                assert_eq!(result["content"][0]["text"], format!("Echo: {message}"));
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.expect("a client that got its own answers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_twice_in_flight_gets_two_answers() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    let slow =
        json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 1, "steps": 1 } });
    let (id, message) = (json!(7), json!({ "message": "meanwhile" }));
    let (slow, quick) = tokio::join!(wire.ask(&id, "tools/call", slow), wire.call(&id, "echo", message));
    assert_eq!(quick["content"][0]["text"], "Echo: meanwhile");
    let text = slow["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{slow}"));
    assert!(text.starts_with("Long running operation completed"), "{text}");
}

#[tokio::test]
async fn ids_come_back_exactly_as_they_were_sent() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let url = hub.at("/servers/everything/mcp");
    let ids = [
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!("1"),
        json!("Zürich \u{2028} 𝄞 \"quoted\""),
        json!(""),
    ];
    for wire in [Wire::legacy(url.clone(), &key, "2025-11-25").await, Wire::modern(url, &key)] {
        for id in &ids {
            // That the answer has the id is asserted where it is received.
            wire.call(id, "echo", json!({ "message": "x" })).await;
        }
    }
}

#[tokio::test]
async fn progress_comes_in_order_before_its_answer_under_the_token_that_was_sent() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let url = hub.at("/servers/everything/mcp");
    let tokens = [json!(u64::MAX), json!("Zürich 𝄞"), json!(0)];
    for wire in [Wire::legacy(url.clone(), &key, "2025-06-18").await, Wire::modern(url, &key)] {
        for token in &tokens {
            let messages = wire.hear(&json!(1), "tools/call", progressing(token)).await;
            let (answer, updates) = messages.split_last().expect("messages");
            assert!(answer.get("result").is_some(), "{answer}");
            assert!(updates.iter().all(|update| update["params"]["progressToken"] == *token), "{updates:?}");
            let seen: Vec<&Value> = updates.iter().map(|update| &update["params"]["progress"]).collect();
            assert_eq!(seen, [1, 2, 3, 4, 5]);
        }
    }
}

#[tokio::test]
async fn several_messages_at_once_are_answered_together_in_the_one_revision_that_has_that() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let call = |id: u8| {
        let params = json!({ "name": "echo", "arguments": { "message": format!("call {id}") } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
    };
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let batch = json!([call(1), note, call(2)]);
    for revision in ["2025-03-26", "2025-11-25"] {
        let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, revision).await;
        let response = wire.post(&batch).await;
        let status = response.status();
        let body = response.text().await.expect("a body");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        if revision == "2025-11-25" {
            assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!(-32600)), "{answer}");
            continue;
        }
        let mut answers = answer.as_array().expect("an array").clone();
        answers.sort_by_key(|answer| answer["id"].as_u64());
        let echoed: Vec<&Value> = answers.iter().map(|it| &it["result"]["content"][0]["text"]).collect();
        assert_eq!(echoed, ["Echo: call 1", "Echo: call 2"], "{answer}");
        assert_eq!(wire.post(&json!([note])).await.status(), 202);
    }
}

/// A call that makes progress in five steps.
fn progressing(token: &Value) -> Value {
    json!({
        "name": "trigger-long-running-operation",
        "arguments": { "duration": 0.25, "steps": 5 },
        "_meta": { "progressToken": token },
    })
}
