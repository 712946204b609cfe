//! `kill -9` of a hub that is busy: a session that was opened and a key that was made are there afterwards.
//!
//! For a longer run: `ORCH_TEST_KILLS=2000 cargo test -p orch-tests --test e2e kills`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orch_core::Entropy;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::home::Home;
use crate::hub::Hub;

const KILLS: u32 = 50;
const VARIABLE: &str = "ORCH_TEST_KILLS";
/// Clients that open sessions, one after the other.
const CLIENTS: usize = 4;
/// The endpoint of the built-in server.
const PATH: &str = "/servers/hub/mcp";

/// What the hub has said yes to.
#[derive(Default)]
struct Acknowledged {
    sessions: Vec<String>,
    /// Made in this order, each after the one before was acknowledged.
    keys: Vec<String>,
}

#[tokio::test]
async fn a_killed_hub_has_lost_nothing_that_it_acknowledged() {
    let kills = std::env::var_os(VARIABLE).map_or(KILLS, |kills| {
        kills.to_str().and_then(|kills| kills.parse().ok()).expect("a number of kills")
    });
    let mut entropy = Entropy::from_seed([9; 32]);
    let mut hub = Hub::start(&Home::new()).await;
    let key = hub.create_key().await;
    let (mut sessions, mut keys) = (0, 0);
    for kill in 0..kills {
        let (url, socket) = (hub.at(PATH), hub.home.data().join("admin.sock"));
        let mut writers = JoinSet::new();
        for _ in 0..CLIENTS {
            writers.spawn(open_sessions(url.clone(), key.clone()));
        }
        let first = keys;
        writers.spawn(async move { make_keys(&socket, first).await });
        tokio::time::sleep(Duration::from_millis(1 + entropy.below(150))).await;
        let home = hub.kill();
        let mut told = Acknowledged::default();
        for acknowledged in writers.join_all().await {
            told.sessions.extend(acknowledged.sessions);
            told.keys.extend(acknowledged.keys);
        }
        hub = Hub::start(&home).await;
        keys = check(&hub, &home, &key, &told, first, kill).await;
        sessions += told.sessions.len();
    }
    println!("{kills} kills, {sessions} sessions and {keys} keys acknowledged, 0 lost");
    assert!(sessions > 5 * usize::try_from(kills).expect("a number"), "only {sessions} sessions");
    assert!(keys > u64::from(kills), "only {keys} keys");
}

/// Returns how many keys there are.
async fn check(hub: &Hub, home: &Arc<Home>, key: &str, told: &Acknowledged, first: u64, kill: u32) -> u64 {
    let http = Client::new();
    for session in &told.sessions {
        let status = ping(&http, &hub.at(PATH), key, Some(session)).await;
        assert_eq!(status, Some(200), "kill {kill}: the session {session}");
    }
    if let Some(key) = told.keys.last() {
        assert_eq!(ping(&http, &hub.at(PATH), key, None).await, Some(400), "kill {kill}: the key is let in");
    }
    let socket = home.data().join("admin.sock");
    let listed = ask(&socket, json!({ "Keys": { "project": "default" } })).await.expect("the keys");
    let listed = listed["Keys"].as_array().expect("keys").iter();
    let numbers: BTreeSet<u64> =
        listed.filter_map(|key| key["name"].as_str()?.strip_prefix("key ")?.parse().ok()).collect();
    let there = numbers.len() as u64;
    let acknowledged = first + told.keys.len() as u64;
    assert!(there >= acknowledged, "kill {kill}: {acknowledged} keys acknowledged, {there} written");
    assert!(numbers.into_iter().eq(0..there), "kill {kill}: keys are missing in between");
    there
}

/// Opens sessions until the hub is gone.
async fn open_sessions(url: String, key: String) -> Acknowledged {
    let (http, mut told) = (Client::new(), Acknowledged::default());
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "kill", "version": "1" } } });
    while let Ok(response) = post(&http, &url, &key, None, &initialize).await {
        assert_eq!(response.status(), 200);
        let session = response.headers().get("mcp-session-id").expect("a session");
        told.sessions.push(session.to_str().expect("visible characters").to_owned());
    }
    told
}

/// Makes keys, numbered from here, until the hub is gone.
async fn make_keys(socket: &Path, first: u64) -> Acknowledged {
    let mut told = Acknowledged::default();
    for number in first.. {
        let request =
            json!({ "CreateKey": { "project": "default", "name": format!("key {number}"), "days": null } });
        let Some(answer) = ask(socket, request).await else { break };
        told.keys.push(answer["KeyCreated"]["key"].as_str().expect("a key").to_owned());
    }
    told
}

/// What the admin socket answers; `None` when there is nobody.
async fn ask(socket: &Path, request: Value) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    stream.write_all(format!("{request}\n").as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

async fn ping(http: &Client, url: &str, key: &str, session: Option<&str>) -> Option<u16> {
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    post(http, url, key, session, &ping).await.ok().map(|response| response.status().as_u16())
}

async fn post(
    http: &Client,
    url: &str,
    key: &str,
    session: Option<&str>,
    message: &Value,
) -> reqwest::Result<reqwest::Response> {
    let mut post = http.post(url).bearer_auth(key).header("content-type", "application/json");
    post = post.header("accept", "application/json, text/event-stream");
    if let Some(session) = session {
        post = post.header("mcp-session-id", session);
    }
    post.body(message.to_string()).send().await
}
