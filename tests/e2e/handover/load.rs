//! Clients that come again and again, and clients that stay.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::process::text;
use crate::wire::Wire;

/// Each comes so often: 500 requests a second in all, as far as the machine lets them.
const CLIENTS: usize = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// How long whoever waits for the next hub waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests, each over a connection of its own.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<Report>,
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) answered: usize,
    /// In the order in which they were acknowledged.
    pub(crate) sessions: Vec<String>,
    pub(crate) failures: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sessions, failures) = (self.sessions.len(), self.failures.len());
        write!(f, "{} requests answered, {sessions} sessions opened, {failures} failed", self.answered)
    }
}

impl Load {
    pub(crate) fn start(url: &str, key: &str) -> Self {
        let (stop, mut clients) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..CLIENTS {
            clients.spawn(client(url.to_owned(), key.to_owned(), Arc::clone(&stop)));
        }
        Self { stop, clients }
    }

    pub(crate) async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        for report in self.clients.join_all().await {
            all.answered += report.answered;
            all.sessions.extend(report.sessions);
            all.failures.extend(report.failures);
        }
        all
    }
}

/// Opens a session with every tenth request, and asks for lists with the others.
async fn client(url: String, key: String, stop: Arc<AtomicBool>) -> Report {
    let http = Client::builder().pool_max_idle_per_host(0).timeout(PATIENCE).build().expect("a client");
    let (mut report, mut ticks) = (Report::default(), interval(PAUSE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "load", "version": "1" } });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    for turn in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        ticks.tick().await;
        let mut post = http.post(&url).bearer_auth(&key).header("content-type", "application/json");
        post = post.header("accept", "application/json, text/event-stream");
        let opens = turn % 10 == 0;
        let message = if opens { &initialize } else { &list };
        if !opens {
            post = post.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/list");
        }
        match answer(post.body(message.to_string())).await {
            Ok((session, _)) => {
                report.answered += 1;
                report.sessions.extend(session);
            }
            Err(why) => report.failures.push(why),
        }
    }
    report
}

/// The session that was opened, and the result.
async fn answer(request: reqwest::RequestBuilder) -> Result<(Option<String>, Value), String> {
    let response = request.send().await.map_err(|error| format!("{error:?}"))?;
    let status = response.status();
    let session = response.headers().get("mcp-session-id").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let body = response.text().await.map_err(|error| format!("{error:?}"))?;
    let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{status}: {error}: {body}"))?;
    if answer["result"].is_object() { Ok((session, answer)) } else { Err(format!("{status}: {body}")) }
}

/// Clients that listen.
pub(crate) struct Streams(JoinSet<bool>);

impl Streams {
    pub(crate) async fn open(url: &str, key: &str, count: usize) -> Self {
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let wire = Wire::legacy(url.to_owned(), key, "2025-11-25").await;
            let stream = wire.listen().await;
            assert_eq!(stream.status(), 200);
            clients.spawn(async move { timeout(PATIENCE, follow(wire, stream)).await.unwrap_or(false) });
        }
        Self(clients)
    }

    /// How many were ended with a hint when to come back, came back, and were told that all may have changed.
    pub(crate) async fn taken_up(self) -> usize {
        self.0.join_all().await.into_iter().filter(|taken_up| *taken_up).count()
    }
}

async fn follow(wire: Wire, mut stream: Response) -> bool {
    loop {
        let (mut heard, mut ended) = (String::new(), false);
        while !ended && !heard.contains("list_changed") {
            match stream.chunk().await {
                Ok(Some(piece)) => heard.push_str(&text(&piece)),
                Ok(None) => ended = true,
                Err(error) => panic!("a stream ends as it should: {error:?}"),
            }
        }
        if !ended {
            return true;
        }
        let hint = heard.lines().find_map(|line| line.strip_prefix("retry: ")?.parse().ok());
        let (Some(pause), Some(cursor)) =
            (hint, heard.lines().filter_map(|it| it.strip_prefix("id: ")).next_back())
        else {
            return false;
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
        stream = wire.resume(cursor).await;
        if stream.status() != 200 {
            stream = wire.listen().await;
        }
    }
}
