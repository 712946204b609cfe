//! One hub takes the place of another, under load: nobody is refused, calls end, streams are taken up again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::Instant;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{eventually, succeed};
use crate::wire::{Wire, messages};

mod load;
mod systemd;

use load::{Load, Streams};
use systemd::Manager;

/// The endpoint of the built-in server.
const HUB: &str = "/servers/hub/mcp";
const SLOW: &str = "/servers/everything/mcp";
/// Open streams, and calls under way.
const STREAMS: usize = 200;
const CALLS: usize = 10;
/// How long the hub that goes may take: far less than its drain time.
const QUICK: Duration = Duration::from_secs(20);

/// A call that takes seconds, begun.
async fn begin(wire: Wire) -> reqwest::Response {
    let call = json!({
        "name": "trigger-long-running-operation",
        "arguments": { "duration": 4, "steps": 4 },
        "_meta": { "progressToken": "p" },
    });
    let mut response = wire.post(&wire.request("tools/call", call)).await;
    let first = response.chunk().await.expect("a stream").expect("its begin");
    assert!(!first.is_empty());
    response
}

/// Clients of a hub that is busy.
struct Clients {
    url: String,
    key: String,
    calls: Vec<reqwest::Response>,
    streams: Streams,
    load: Load,
}

impl Clients {
    async fn come(url: &str, key: &str) -> Self {
        let at = |path: &str| format!("{url}{path}");
        Wire::legacy(at(SLOW), key, "2025-11-25")
            .await
            .call_for_text("echo", json!({ "message": "up" }))
            .await;
        let streams = Streams::open(&at(HUB), key, STREAMS).await;
        let load = Load::start(&at(HUB), key);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut calls = Vec::new();
        for _ in 0..CALLS / 2 {
            calls.push(begin(Wire::legacy(at(SLOW), key, "2025-11-25").await).await);
            calls.push(begin(Wire::modern(at(SLOW), key)).await);
        }
        Self { url: url.to_owned(), key: key.to_owned(), calls, streams, load }
    }

    /// After the hub was exchanged, which took so long.
    #[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
    async fn have_noticed_nothing(self, took: Duration) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let report = self.load.stop().await;
        println!("{report}; the change took {took:?}");
        assert_eq!(report.failures, Vec::<String>::new(), "{report}");
        assert!(report.answered > 100, "{report}");
        for call in self.calls {
            let answer = messages(call).await.pop().expect("an answer");
            let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
            assert!(text.starts_with("Long running operation completed"), "{answer}");
        }
        let taken_up = self.streams.taken_up().await;
        assert_eq!(taken_up, STREAMS, "every stream ended with a hint when to come back, and was taken up");
        for session in report.sessions.iter().rev().take(100) {
            let wire = Wire::stranger(format!("{}{HUB}", self.url), &self.key).within(session);
            let answer = wire.ask(&json!(1), "ping", json!({})).await;
            assert_eq!(answer["result"], json!({}), "a session that was acknowledged: {answer}");
        }
        assert!(took < QUICK, "the change took {took:?}");
    }
}

#[tokio::test]
async fn a_hub_takes_the_place_of_another_and_nobody_is_refused() {
    let (mut first, key) = Hub::with(&[("everything", Server::everything())]).await;
    let port = first.url.rsplit(':').next().expect("a port").to_owned();
    let (home, url) = (Arc::clone(&first.home), first.url.clone());
    let clients = Clients::come(&url, &key).await;
    let began = Instant::now();
    let second = Hub::start_at_with(&home, &port, |serve| serve.arg("--takeover")).await;
    clients.have_noticed_nothing(began.elapsed()).await;
    eventually("the first has ended", Duration::from_secs(5), || first.has_ended()).await;
    assert_eq!(second.url, url);
    first.kill();
    let wire = Wire::legacy(second.at(SLOW), &key, "2025-11-25").await;
    assert_eq!(wire.call_for_text("echo", json!({ "message": "after" })).await, "Echo: after");
}

#[tokio::test]
async fn a_hub_goes_on_that_was_asked_for_its_sockets_and_not_told_that_they_were_taken() {
    let (mut hub, _) = Hub::with(&[]).await;
    for _ in 0..3 {
        let mut stream =
            UnixStream::connect(hub.home.data().join("admin.sock")).await.expect("the hub listens");
        stream.write_all(b"\"HandOver\"\n").await.expect("it reads");
        let mut answer = [0; 64];
        let read = stream.read(&mut answer).await.expect("an answer");
        assert!(answer[..read].starts_with(b"{\"HandedOver\":"), "{:?}", String::from_utf8_lossy(&answer));
    }
    let ready = reqwest::get(hub.at("/readyz")).await.expect("it serves");
    assert_eq!(ready.status(), 200);
    assert!(!hub.has_ended());
}

#[tokio::test]
async fn who_takes_over_from_nobody_just_starts() {
    let home = Home::new();
    let hub = Hub::start_with(&home, |serve| serve.arg("--takeover")).await;
    let listed = succeed(home.program(&["list-servers"]), QUICK).await;
    assert!(listed.contains("hub"), "{listed}");
    drop(hub);
}

#[tokio::test]
async fn a_hub_with_sockets_of_the_service_manager_is_exchanged_and_nobody_is_refused() {
    let home = Home::with(&[("everything", Server::everything())]);
    let mut manager = Manager::new(&home);
    manager.start().await;
    let key = manager.create_key().await;
    let url = manager.url();
    let clients = Clients::come(&url, &key).await;
    let began = Instant::now();
    manager.restart().await;
    clients.have_noticed_nothing(began.elapsed()).await;
    let told: Vec<Value> = manager.told().into_iter().map(Value::from).collect();
    assert_eq!(told, ["READY=1", "STOPPING=1", "READY=1"].map(Value::from));
    let wire = Wire::legacy(format!("{url}{SLOW}"), &key, "2025-11-25").await;
    assert_eq!(wire.call_for_text("echo", json!({ "message": "after" })).await, "Echo: after");
    for server in home.processes_of("everything") {
        assert_eq!(manager.sockets_of(server), 0, "no server has the sockets of the hub");
    }
    manager.stop().await;
}
