//! The end of the hub by a signal: calls may end for a while, and what is left then gets an answer.

use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{eventually, found, text};
use crate::wire::Wire;

const PROGRAM: &str = include_str!("stopping.py");
const PATH: &str = "/servers/endless/mcp";

/// A hub before a server that ends neither its calls nor itself.
async fn hub(drain_seconds: &'static str) -> (Hub, String) {
    let server = Server::program(found("python3"));
    let home = Home::with(&[("endless", server.arg("-c").arg(PROGRAM))]);
    let hub = Hub::start_with(&home, |command| command.args(["--drain-seconds", drain_seconds])).await;
    let key = hub.create_key().await;
    (hub, key)
}

/// A call of each era that has begun.
async fn calls(hub: &Hub, key: &str) -> Vec<Begun> {
    let sessions = Wire::legacy(hub.at(PATH), key, "2025-11-25").await;
    let stateless = Wire::modern(hub.at(PATH), key);
    let (oldest, messages) = Begun::oldest(hub, key).await;
    let mut calls = Vec::new();
    for wire in [sessions, stateless] {
        calls.push(Begun::read(wire.post(&wire.request("tools/call", call())).await).await);
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call() });
    post(&messages, key, &message).await;
    calls.push(oldest.begin().await);
    calls
}

/// A stream of events, as far as it was read.
struct Begun {
    response: Response,
    text: String,
}

impl Begun {
    async fn read(response: Response) -> Self {
        Self { response, text: String::new() }.begin().await
    }

    async fn begin(self) -> Self {
        self.until("notifications/progress").await
    }

    async fn until(mut self, words: &str) -> Self {
        while !self.text.contains(words) {
            let piece = self.response.chunk().await.expect("a stream").expect("more of it");
            self.text.push_str(&text(&piece));
        }
        self
    }

    /// A session over HTTP+SSE: its stream, and where its messages go.
    async fn oldest(hub: &Hub, key: &str) -> (Self, String) {
        let get = reqwest::Client::new().get(hub.at("/servers/endless/sse")).bearer_auth(key);
        let response = get.header("accept", "text/event-stream").send().await.expect("a response");
        let stream = Self { response, text: String::new() }.until("sessionId=").await.until("\n\n").await;
        let endpoint = stream.text.lines().find_map(|line| line.strip_prefix("data: ")).expect("an endpoint");
        let messages = hub.at(endpoint.trim());
        let params = json!({
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": { "name": "oldest", "version": "1" },
        });
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        post(&messages, key, &initialize).await;
        (stream.until("serverInfo").await, messages)
    }

    /// The last message before the stream ended as it should.
    async fn last(mut self) -> Value {
        self.text.push_str(&self.response.text().await.expect("an end that is none of the connection"));
        let last = self.text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back();
        serde_json::from_str(last.expect("a message")).expect("a message")
    }
}

async fn post(url: &str, key: &str, message: &Value) {
    let post = reqwest::Client::new().post(url).bearer_auth(key);
    let post = post.header("content-type", "application/json").body(message.to_string());
    assert!(post.send().await.expect("a response").status().is_success());
}

fn call() -> Value {
    json!({ "name": "endless", "arguments": {}, "_meta": { "progressToken": "p" } })
}

async fn all_are_answered(calls: Vec<Begun>) {
    for call in calls {
        let answer = call.last().await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-31_003)), "{answer}");
        let words = answer["error"]["message"].as_str().expect("words");
        assert!(words.ends_with("the hub stops; the outcome is unknown"), "{words}");
    }
}

#[tokio::test]
async fn calls_that_outlast_the_drain_are_told_that_the_hub_stops() {
    let (mut hub, key) = hub("4").await;
    let calls = calls(&hub, &key).await;
    let began = Instant::now();
    hub.ask_to_stop();
    all_are_answered(calls).await;
    assert!(began.elapsed() > Duration::from_secs(1), "they had time to end by themselves");
    eventually("the hub ends", Duration::from_secs(15), || hub.has_ended()).await;
}

#[tokio::test]
async fn a_second_signal_ends_the_drain() {
    let (mut hub, key) = hub("600").await;
    let calls = calls(&hub, &key).await;
    hub.ask_to_stop();
    eventually("the signal is heard", Duration::from_secs(5), || hub.log().contains("another signal")).await;
    hub.ask_to_stop();
    all_are_answered(calls).await;
    eventually("the hub ends", Duration::from_secs(15), || hub.has_ended()).await;
}
