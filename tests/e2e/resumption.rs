//! A line that is cut in the middle of a call: the client comes back and gets the rest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::hub::Hub;
use crate::peers::{self, Server};
use crate::process::succeed;
use crate::wire::{Wire, messages};

#[tokio::test]
async fn a_call_whose_line_is_cut_is_read_to_its_end_over_another_one() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    for revision in ["2025-06-18", "2025-11-25"] {
        let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, revision).await;
        let mut response = wire.post(&slow_call()).await;
        let mut heard = String::new();
        while !heard.contains("\"progress\":2") {
            let piece = response.chunk().await.expect("a stream").expect("more of it");
            heard.push_str(std::str::from_utf8(&piece).expect("text"));
        }
        drop(response);
        let begins = heard.starts_with("id: ") && heard.contains("retry: 1000\ndata: \n\n");
        assert_eq!(begins, revision == "2025-11-25", "{heard}");
        let cursor = heard.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id");
        let rest = messages(wire.resume(cursor).await).await;
        let (answer, updates) = rest.split_last().expect("the rest");
        let seen: Vec<&Value> = updates.iter().map(|update| &update["params"]["progress"]).collect();
        assert_eq!(seen, [3, 4], "{rest:?}");
        assert_eq!(answer["id"], "slow", "{answer}");
        assert!(answer["result"].is_object(), "{answer}");
        let again = messages(wire.resume(cursor).await).await;
        assert_eq!(again, rest, "whoever shows the same cursor gets the same");
    }
}

#[tokio::test]
async fn a_cursor_that_means_nothing_is_refused_in_words_and_the_session_goes_on() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    let refused = wire.resume("nonsense").await;
    assert_eq!(refused.status(), 400);
    let refusal = messages(refused).await.remove(0);
    assert_eq!(refusal["error"]["code"], -32600, "{refusal}");
    assert_eq!(wire.call_for_text("echo", json!({ "message": "on" })).await, "Echo: on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_misses_nothing_when_its_line_is_cut() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let line = BadLine::to(&hub.url).await;
    let mut client = peers::node_client("resume.mjs");
    client.args([line.at("/servers/everything/mcp"), key]);
    let printed = succeed(client, Duration::from_secs(30)).await;
    let seen: Value = serde_json::from_str(&printed).expect("what it has seen");
    assert!(line.was_cut.load(Ordering::Relaxed), "{seen}");
    assert_eq!(seen["progress"], json!([1, 2, 3, 4]), "{seen}");
    let answer = seen["answer"].as_str().expect("an answer");
    assert!(answer.starts_with("Long running operation completed"), "{seen}");
}

/// A call of two seconds that reports its progress in four steps.
fn slow_call() -> Value {
    json!({ "jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": {
        "name": "trigger-long-running-operation",
        "arguments": { "duration": 2, "steps": 4 },
        "_meta": { "progressToken": "p" },
    }})
}

/// A line to the hub that breaks once, as soon as the second step of a call has gone over it.
struct BadLine {
    address: SocketAddr,
    was_cut: Arc<AtomicBool>,
    /// Ends with this value.
    _carriers: JoinSet<()>,
}

impl BadLine {
    async fn to(hub: &str) -> Self {
        let hub: SocketAddr = hub.trim_start_matches("http://").parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, was_cut) = (listener.local_addr().expect("its address"), Arc::default());
        let (cut, mut carriers) = (Arc::clone(&was_cut), JoinSet::new());
        carriers.spawn(async move {
            let mut lines = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let upstream = TcpStream::connect(hub).await.expect("the hub");
                let cut = Arc::clone(&cut);
                lines.spawn(async move {
                    let ((from_client, to_client), (from_hub, to_hub)) =
                        (client.into_split(), upstream.into_split());
                    tokio::select! {
                        () = ask(from_client, to_hub, address, hub) => {}
                        () = tell(from_hub, to_client, &cut) => {}
                    }
                });
            }
        });
        Self { address, was_cut, _carriers: carriers }
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Carries requests, with the hub's own name in `Host`.
async fn ask(mut client: OwnedReadHalf, mut hub: OwnedWriteHalf, here: SocketAddr, there: SocketAddr) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = client.read(&mut buffer).await {
        let text = std::str::from_utf8(&buffer[..length]).expect("text");
        let text = text.replace(&format!("{here}"), &format!("{there}"));
        if hub.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Carries answers, until the line breaks.
async fn tell(mut hub: OwnedReadHalf, mut client: OwnedWriteHalf, cut: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = hub.read(&mut buffer).await {
        let piece = &buffer[..length];
        if client.write_all(piece).await.is_err() {
            return;
        }
        let second = piece.windows(12).any(|text| text == b"\"progress\":2");
        if second && !cut.swap(true, Ordering::Relaxed) {
            return;
        }
    }
}
