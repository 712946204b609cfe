//! Remote servers behind the hub: the reference server over both HTTP transports, its ends, and its secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::home::Home;
use crate::hub::Hub;
use crate::matrix::{Endpoint, Profile, Transport, Visit, expect_kept};
use crate::peer::Peer;
use crate::process::{self, eventually_told, succeed};
use crate::rmcp_client;
use crate::wire::Wire;

const DEADLINE: Duration = Duration::from_secs(20);

/// A home whose configuration has these servers.
fn home(servers: &Value) -> Arc<Home> {
    let home = Home::new();
    home.write_config(&json!({ "mcpServers": servers }).to_string());
    home
}

/// A hub that may reach this machine, and a key for it.
async fn open_hub(servers: &Value) -> (Hub, String) {
    let hub = Hub::start_with(&home(servers), |serve| serve.args(["--allow-upstream", "127.0.0.1"])).await;
    let key = hub.create_key().await;
    (hub, key)
}

fn at(peer: &Peer, path: &str) -> Value {
    let kind = if path == "/sse" { "sse" } else { "streamable-http" };
    json!({ "type": kind, "url": peer.url(path) })
}

fn echo(words: &str) -> Value {
    json!({ "name": "echo", "arguments": { "message": words } })
}

/// What a hub that does not start complains of.
async fn complaint(home: &Home, flags: &[&str]) -> String {
    let mut serve = home.program(&["serve", "--port", "0"]);
    serve.args(flags);
    let ended = process::run(serve, DEADLINE).await;
    assert_eq!(ended.status.code(), Some(1));
    process::text(&ended.stderr)
}

/// A server before another, which lets in who has the credential.
struct Door {
    port: u16,
    _doorkeeper: JoinSet<()>,
}

impl Door {
    async fn before(inner: u16, secret: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let mut doorkeeper = JoinSet::new();
        doorkeeper.spawn(async move {
            let mut guests = JoinSet::new();
            while let Ok((guest, _)) = listener.accept().await {
                guests.spawn(let_in(guest, inner, secret));
            }
        });
        Self { port, _doorkeeper: doorkeeper }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }
}

/// The credential is asked for at the beginning of a connection; who is turned away hears it all again.
async fn let_in(mut guest: TcpStream, inner: u16, secret: &str) {
    let mut request = Vec::new();
    while !request.windows(4).any(|it| it == b"\r\n\r\n") {
        if guest.read_buf(&mut request).await.is_ok_and(|bytes| bytes == 0) {
            return;
        }
    }
    let head = process::text(&request).to_ascii_lowercase();
    if head.contains(&format!("authorization: bearer {secret}\r\n")) {
        let mut host = TcpStream::connect(("127.0.0.1", inner)).await.expect("the server");
        host.write_all(&request).await.expect("its ear");
        let _over = tokio::io::copy_bidirectional(&mut guest, &mut host).await;
    } else {
        let no = format!(
            "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            request.len()
        );
        let _gone = guest.write_all(&[no.as_bytes(), &request].concat()).await;
    }
}

/// A client of each era lists, calls, and hears of progress.
async fn serves(hub: &Hub, key: &str) {
    let url = hub.at("/servers/remote/mcp");
    let legacy = Wire::legacy(url.clone(), key, "2025-11-25").await;
    for wire in [legacy, Wire::modern(url, key)] {
        assert!(wire.tools().await.contains(&"echo".to_owned()));
        assert_eq!(wire.call_for_text("echo", json!({ "message": "größe" })).await, "Echo: größe");
        let slow = json!({ "duration": 0.3, "steps": 3 });
        let params = json!({ "name": "trigger-long-running-operation", "arguments": slow, "_meta": { "progressToken": "p" } });
        let heard = wire.hear(&json!(7), "tools/call", params).await;
        let progress = heard.iter().filter(|it| it["method"] == "notifications/progress");
        assert_eq!(progress.filter(|it| it["params"]["progressToken"] == "p").count(), 3, "{heard:?}");
        assert_eq!(heard.last().map(|it| &it["id"]), Some(&json!(7)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_server_on_streamable_http_is_a_server_like_any_other() {
    let peer = Peer::everything("streamableHttp");
    let (hub, key) = open_hub(&json!({ "remote": at(&peer, "/mcp") })).await;
    serves(&hub, &key).await;
    let said = std::iter::repeat_with(|| peer.line()).find(|it| it.contains("Establishing new SSE stream"));
    assert!(said.is_some(), "the hub listens for the server's news");
}

#[tokio::test]
async fn a_server_on_http_and_sse_is_a_server_like_any_other() {
    let peer = Peer::everything("sse");
    let (hub, key) = open_hub(&json!({ "remote": at(&peer, "/sse") })).await;
    serves(&hub, &key).await;
}

#[tokio::test]
async fn a_quiet_key_does_not_wait_for_what_a_busy_one_asks_of_a_server_that_works_on_so_much_at_once() {
    /// What one key may have under way at one server.
    const PLACES: usize = 64;
    let peer = Peer::everything("streamableHttp");
    let (hub, busy) = open_hub(&json!({ "remote": at(&peer, "/mcp") })).await;
    let quiet = Wire::modern(hub.at("/servers/remote/mcp"), &hub.create_key().await);
    let busy = Wire::modern(hub.at("/servers/remote/mcp"), &busy);
    quiet.call_for_text("echo", json!({ "message": "runs" })).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut calls = JoinSet::new();
    for id in 0..3 * PLACES {
        let (busy, answered) = (busy.clone(), Arc::clone(&answered));
        calls.spawn(async move {
            let long = json!({ "duration": 2, "steps": 1 });
            busy.call(&json!(id), "trigger-long-running-operation", long).await;
            answered.fetch_add(1, Ordering::SeqCst);
        });
    }
    // The first of them take twice as long: the others are there by then, and wait.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(quiet.call_for_text("echo", json!({ "message": "quiet" })).await, "Echo: quiet");
    let before = answered.load(Ordering::SeqCst);
    assert!(before < PLACES, "{before} calls of the other key went first");
    while let Some(call) = calls.join_next().await {
        call.expect("an answer");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sdk_finds_every_feature_of_a_remote_server() {
    for (mode, path) in [("streamableHttp", "/mcp"), ("sse", "/sse")] {
        let peer = Peer::everything(mode);
        let (hub, key) = open_hub(&json!({ "everything": at(&peer, path) })).await;
        for (era, version) in [("legacy", "2025-11-25"), ("modern", "2026-07-28")] {
            let url = hub.at("/servers/everything/mcp");
            let (transport, endpoint) = (Transport::Http, Endpoint::Server);
            let (key, profile) = (key.clone(), Profile::Everything);
            let visit = Visit { url, key, transport, endpoint, profile, era, version };
            expect_kept(&hub, &format!("{mode}, {era}"), &rmcp_client::visit(&visit).await);
        }
    }
}

#[tokio::test]
async fn a_credential_of_a_variable_reaches_its_server_and_nothing_that_the_hub_writes() {
    let peer = Peer::everything("streamableHttp");
    let door = Door::before(peer.port, "s3cret-of-a-variable").await;
    let headers = json!({ "Authorization": "Bearer ${MCP_TOKEN}" });
    let home = home(&json!({ "remote": { "url": door.url(), "headers": headers } }));
    for (token, opens) in [("s3cret-of-a-variable", true), ("0ther-s3cret", false)] {
        let hub = Hub::start_with(&home, |serve| {
            serve.args(["--allow-upstream", "127.0.0.1", "--log-level", "trace"]).env("MCP_TOKEN", token)
        })
        .await;
        let key = hub.create_key().await;
        let wire = Wire::modern(hub.at("/mcp"), &key);
        let call = json!({ "name": "remote__echo", "arguments": { "message": "in" } });
        let answer = wire.ask(&json!(1), "tools/call", call).await;
        let listed = succeed(home.program(&["list-servers", "--json"]), DEADLINE).await;
        if opens {
            assert_eq!(answer["result"]["content"][0]["text"], "Echo: in", "{answer}");
        } else {
            let said = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(said.contains("it wants other credentials: check `headers`"), "{answer}");
            assert!(listed.contains("it wants other credentials"), "{listed}");
        }
        for said in [hub.log(), answer.to_string(), listed] {
            assert!(!said.contains("s3cret"), "{said}");
        }
    }
}

#[tokio::test]
async fn a_list_of_targets_that_cannot_be_read_stops_the_start() {
    let home = home(&json!({}));
    let missing = home.path().join("none.pem").display().to_string();
    for (flags, words) in [
        (["--allow-upstream", "http://localhost"], "write it as localhost, localhost:3000"),
        (["--upstream-ca", missing.as_str()], "none.pem cannot be read"),
    ] {
        let ended = complaint(&home, &flags).await;
        assert!(ended.contains(flags[0]) && ended.contains(words), "{ended}");
    }
    std::fs::write(&missing, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("a file");
    let ended = complaint(&home, &["--upstream-ca", &missing]).await;
    assert!(ended.contains("--upstream-ca") && ended.contains("not usable"), "{ended}");
}

#[tokio::test]
async fn a_local_server_is_refused_with_the_flag_that_allows_it() {
    let peer = Peer::everything("streamableHttp");
    let url = format!("http://localhost:{}/mcp", peer.port);
    let home = home(&json!({ "remote": { "url": url } }));
    let flag = format!("--allow-upstream localhost:{}", peer.port);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let answer = wire.ask(&json!(1), "tools/call", json!({ "name": "remote__echo", "arguments": {} })).await;
    let said = answer["error"]["message"].as_str().expect("an error").to_owned();
    assert!(said.contains(&flag), "{answer}");
    let listed = succeed(home.program(&["list-servers"]), DEADLINE).await;
    assert!(listed.contains(&flag), "{listed}");
    let examined = process::run(home.program(&["doctor"]), DEADLINE).await;
    let examined = process::text(&examined.stdout);
    assert!(examined.contains("FAIL server remote") && examined.contains(&flag), "{examined}");
    drop(hub);

    let examined = process::run(home.program(&["doctor"]), DEADLINE).await;
    let examined = process::text(&examined.stdout);
    assert!(examined.contains("FAIL address of remote") && examined.contains(&flag), "{examined}");
    let mut doctor = home.program(&["doctor"]);
    doctor.env("ORCH_ALLOW_UPSTREAM", format!("localhost:{}", peer.port));
    let examined = process::text(&process::run(doctor, DEADLINE).await.stdout);
    assert!(examined.contains("ok   address of remote"), "{examined}");
    let words: Vec<&str> = flag.split(' ').collect();
    let hub = Hub::start_with(&home, |serve| serve.args(&words)).await;
    let wire = wire.moved(hub.at("/mcp"));
    let answer = wire
        .ask(&json!(2), "tools/call", json!({ "name": "remote__echo", "arguments": { "message": "in" } }))
        .await;
    assert_eq!(answer["result"]["content"][0]["text"], "Echo: in", "{answer}");
}

#[tokio::test]
async fn a_variable_that_is_missing_is_named_with_its_place_and_no_retry_is_asked_for() {
    let headers = json!({ "Authorization": "Bearer ${MCP_NOT_SET}" });
    let home = home(&json!({ "remote": { "url": "https://mcp.example.com/mcp", "headers": headers } }));
    let words = "${MCP_NOT_SET} has no value (in header Authorization)";
    let examined = process::text(&process::run(home.program(&["doctor"]), DEADLINE).await.stdout);
    assert!(examined.contains(&format!("FAIL variables of remote: {words}")), "{examined}");
    let hub = Hub::start(&home).await;
    let wire = Wire::modern(hub.at("/servers/remote/mcp"), &hub.create_key().await);
    let answer = wire.ask(&json!(1), "tools/call", json!({ "name": "echo", "arguments": {} })).await;
    assert!(answer["error"]["message"].as_str().is_some_and(|said| said.contains(words)), "{answer}");
    assert_eq!(answer["error"]["data"], json!({ "retryable": false }));
}

#[tokio::test]
async fn a_server_that_starts_again_and_knows_no_session_any_more_is_not_noticed() {
    let peer = Peer::everything("streamableHttp");
    let (hub, key) = open_hub(&json!({ "remote": at(&peer, "/mcp") })).await;
    let wire = Wire::legacy(hub.at("/servers/remote/mcp"), &key, "2025-11-25").await;
    assert_eq!(wire.call_for_text("echo", json!({ "message": "before" })).await, "Echo: before");
    let port = peer.port;
    drop(peer);
    let peer = Peer::everything_at("streamableHttp", port);
    assert_eq!(wire.call_for_text("echo", json!({ "message": "after" })).await, "Echo: after");
    let opened = std::iter::repeat_with(|| peer.line()).find(|line| line.contains("Session initialized"));
    assert!(opened.is_some(), "the hub has a session of the new server");
}

#[tokio::test]
async fn a_server_that_is_gone_for_a_while_fails_calls_and_nothing_else() {
    for (mode, path) in [("streamableHttp", "/mcp"), ("sse", "/sse")] {
        let peer = Peer::everything(mode);
        let (hub, key) = open_hub(&json!({ "remote": at(&peer, path) })).await;
        let wire = Wire::legacy(hub.at("/servers/remote/mcp"), &key, "2025-11-25").await;
        assert_eq!(wire.call_for_text("echo", json!({ "message": "before" })).await, "Echo: before");
        let port = peer.port;
        drop(peer);
        eventually_told("calls fail", DEADLINE, async || {
            let answer = wire.ask(&json!(1), "tools/call", echo("meanwhile")).await;
            answer["error"]["message"].as_str().is_some_and(|it| it.contains("connection refused"))
        })
        .await;
        let _peer = Peer::everything_at(mode, port);
        eventually_told("calls are answered again", DEADLINE, async || {
            let answer = wire.ask(&json!(1), "tools/call", echo("after")).await;
            answer["result"]["content"][0]["text"] == "Echo: after"
        })
        .await;
    }
}
