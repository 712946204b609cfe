//! A full disk: what has to be stored is refused by name, all else goes on, and so does the rest when there is room.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::binary;
use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, eventually_told, text};
use crate::room::Room;
use crate::wire::{Wire, messages};

const PATH: &str = "/servers/everything/mcp";
/// The longest time from there being room to the first change.
const RECOVERY: Duration = Duration::from_secs(5);
const COMMAND: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_full_disk_refuses_changes_and_nothing_else_until_there_is_room() {
    fill(Room::best()).await;
}

#[tokio::test]
async fn a_file_that_may_not_grow_is_a_full_disk() {
    let home = fill(Room::Files).await;
    let hub = Hub::start(&home).await;
    Wire::legacy(hub.at(PATH), &create_key(&hub, Room::Files).await.expect("a key"), "2025-11-25").await;
}

async fn fill(room: Room) -> Arc<Home> {
    let home = Home::with(&[("everything", Server::everything())]);
    let hub = Hub::start_with(&home, |command| {
        *command = room.around(&home, command);
        command
    })
    .await;
    let key = create_key(&hub, room).await.expect("a key");
    let wire = Wire::legacy(hub.at(PATH), &key, "2025-11-25").await;
    assert_eq!(echo(&wire).await, "Echo: before and after");

    room.crowd(&hub);
    let sessions = fill_with_sessions(&hub, &key).await;
    assert!(sessions.len() > 2, "{room:?} has no room at all");
    check_words(&refuse_key(&hub, &key, room).await);
    for _ in 0..20 {
        assert!(open_session(&hub, &key, 15_000).await.is_err());
        check_calls(&hub, &key, &wire).await;
    }

    room.clear(&hub);
    let opens = async || open_session(&hub, &key, 10).await.is_ok();
    eventually_told("changes are made again, without a restart", RECOVERY, opens).await;
    create_key(&hub, room).await.expect("a key");
    for session in sessions {
        let mut wire = wire.clone();
        wire.session = Some(session);
        assert_eq!(wire.ask(&json!(1), "ping", json!({})).await["result"], json!({}));
    }
    hub.kill()
}

/// Opens sessions, large ones and then small ones in the gaps, until they are refused.
async fn fill_with_sessions(hub: &Hub, key: &str) -> Vec<String> {
    let mut sessions = Vec::new();
    for size in [15_000, 5_000, 10, 10] {
        let refusal = loop {
            match open_session(hub, key, size).await {
                Ok(session) => sessions.push(session),
                Err(refusal) => break refusal,
            }
            assert!(sessions.len() < 5000, "it takes whatever comes");
        };
        let data = &refusal["error"]["data"];
        assert_eq!(*data, json!({ "reason": "storage_full", "retryable": true }), "{refusal}");
        check_words(refusal["error"]["message"].as_str().expect("words"));
    }
    sessions
}

async fn check_calls(hub: &Hub, key: &str, wire: &Wire) {
    assert_eq!(echo(wire).await, "Echo: before and after");
    assert_eq!(echo(&Wire::modern(hub.at(PATH), key)).await, "Echo: before and after");
    assert_eq!(reqwest::get(hub.at("/readyz")).await.expect("an answer").status(), 200);
}

fn check_words(words: &str) {
    assert!(words.contains("storage_full: ") && words.contains("make room there"), "{words}");
}

async fn echo(wire: &Wire) -> String {
    wire.call_for_text("echo", json!({ "message": "before and after" })).await
}

/// A session that takes some room, or the refusal.
async fn open_session(hub: &Hub, key: &str, size: usize) -> Result<String, Value> {
    let params = json!({
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "large", "version": "x".repeat(size) },
    });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    let response = Wire::stranger(hub.at(PATH), key).post(&initialize).await;
    if response.status() == StatusCode::OK {
        let session = response.headers()["mcp-session-id"].to_str().expect("visible characters");
        return Ok(session.to_owned());
    }
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    Err(messages(response).await.pop().expect("words"))
}

/// The refusal of a key; what a failed change has left may be room for a few.
async fn refuse_key(hub: &Hub, key: &str, room: Room) -> String {
    for _ in 0..100 {
        while open_session(hub, key, 10).await.is_ok() {}
        if let Err(words) = create_key(hub, room).await {
            return words;
        }
    }
    panic!("{room:?} takes whatever comes")
}

async fn create_key(hub: &Hub, room: Room) -> Result<String, String> {
    let mut command = process::command(binary::hub());
    command.args(["keys", "create", "--name", "e2e", "--data-dir"]).arg(room.data(hub));
    let output = process::run(command, COMMAND).await;
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    Ok(text(&output.stdout).lines().last().expect("a key on the last line").trim().to_owned())
}
