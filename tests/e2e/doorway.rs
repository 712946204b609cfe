//! Who is let in: keys, hosts, origins, and the many spellings of an address.

use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{eventually_told, text};
use crate::wire::Wire;

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05",
    "capabilities":{},"clientInfo":{"name":"doorway","version":"1"}}}"#;

const ENDPOINTS: [&str; 12] = [
    "/mcp",
    "/sse",
    "/messages",
    "/sse/everything",
    "/servers/everything/mcp",
    "/servers/everything/sse",
    "/servers/everything/messages",
    "/servers/no-such-server/mcp",
    "/projects/default/mcp",
    "/projects/default/unified/mcp",
    "/projects/default/servers/everything/mcp",
    "/projects/no-such-project/mcp",
];

#[tokio::test]
async fn without_a_good_key_every_method_and_path_is_401() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let changed = format!("{}x", &key[..key.len() - 1]);
    let credentials = [None, Some("Bearer"), Some("Basic dTpw"), Some(&*format!("Bearer {changed}"))];
    let methods = [Method::GET, Method::POST, Method::DELETE, Method::PUT];
    let mut open = Vec::new();
    for path in ENDPOINTS {
        for method in &methods {
            for credential in credentials {
                let mut request = Client::new().request(method.clone(), hub.at(path)).body(PING);
                if let Some(credential) = credential {
                    request = request.header("authorization", credential);
                }
                let response = request.send().await.expect("a response");
                if !refused(&response) {
                    open.push(format!("{method} {path} with {credential:?}: {}", response.status()));
                }
            }
        }
    }
    assert!(open.is_empty(), "answered without a key: {open:#?}");
}

#[tokio::test]
async fn key_in_the_query_is_no_key_and_the_scheme_may_be_spelled_as_one_likes() {
    let (hub, key) = Hub::with(&[]).await;
    for name in ["key", "api_key", "token", "access_token"] {
        let url = hub.at(&format!("/mcp?{name}={key}"));
        let response = Client::new().post(url).body(PING).send().await.expect("a response");
        assert!(refused(&response), "{name}: {}", response.status());
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let post = Client::new().post(hub.at("/mcp")).header("authorization", format!("{scheme} {key}"));
        let response = post.body(PING).send().await.expect("a response");
        assert_ne!(response.status(), 401, "{scheme}");
    }
}

#[tokio::test]
async fn stranger_is_refused_before_the_body_is_read() {
    let (hub, _) = Hub::with(&[]).await;
    let address = hub.url.strip_prefix("http://").expect("plain http");
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    let head = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1000000\r\n\r\n");
    connection.write_all(head.as_bytes()).await.expect("the head is sent");
    let mut answer = [0; 12];
    let read = timeout(Duration::from_secs(2), connection.read_exact(&mut answer)).await;
    read.expect("an answer, although the body is not there").expect("a status line");
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_403() {
    let (hub, key) = Hub::with(&[]).await;
    let knock = async |header: &str, value: &str| {
        let post = Client::new().post(hub.at("/mcp")).bearer_auth(&key).header(header, value);
        post.body(PING).send().await.expect("a response").status().as_u16()
    };
    for host in ["example.com", "example.com:80", "127.0.0.1.example.com"] {
        assert_eq!(knock("host", host).await, 403, "the host {host}");
    }
    for origin in ["http://example.com", "null", "https://127.0.0.1.example.com", "file://"] {
        assert_eq!(knock("origin", origin).await, 403, "the origin {origin}");
    }
    assert_ne!(knock("origin", &hub.url).await, 403, "its own origin");
}

#[tokio::test]
async fn what_a_client_asks_for_to_authorize_itself_is_404() {
    let (hub, _) = Hub::with(&[]).await;
    for document in ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration"] {
        for suffix in ["", "/mcp", "/servers/everything/mcp"] {
            let url = hub.at(&format!("/.well-known/{document}{suffix}"));
            assert_eq!(reqwest::get(&url).await.expect("a response").status(), 404, "{url}");
        }
    }
    let register = Client::new().post(hub.at("/register")).body("{}").send().await;
    assert_eq!(register.expect("a response").status(), 404);
}

#[tokio::test]
async fn every_spelling_of_an_address_leads_to_the_same_server() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let single = ["/servers/everything/mcp", "/projects/default/servers/everything/mcp"];
    let unified = ["/mcp", "/projects/default/mcp", "/projects/default/unified/mcp"];
    let paths = single.map(|path| (path, "echo")).into_iter();
    for (path, echo) in paths.chain(unified.map(|path| (path, "everything__echo"))) {
        for path in [path.to_owned(), format!("{path}/")] {
            let wire = Wire::legacy(hub.at(&path), &key, "2025-11-25").await;
            assert_eq!(wire.call_for_text(echo, json!({ "message": path })).await, format!("Echo: {path}"));
        }
    }
}

#[tokio::test]
async fn every_spelling_of_a_stream_begins_with_where_to_post() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let single = ["/servers/everything/sse", "/sse/everything", "/projects/default/servers/everything/sse"];
    let unified = ["/sse", "/projects/default/sse", "/projects/default/unified/sse"];
    for path in single.into_iter().chain(unified) {
        let mut stream = knock_for_stream(&hub, &key, path).await;
        assert_eq!(stream.status(), 200, "{path}");
        let beginning = stream.chunk().await.expect("a stream").expect("its first event");
        let beginning = text(&beginning);
        let (event, data) = beginning.split_once('\n').expect("an event of two lines");
        assert_eq!(event.trim_end(), "event: endpoint", "{path}");
        let endpoint = data.trim().strip_prefix("data:").map(str::trim).unwrap_or_default();
        assert!(endpoint.starts_with('/') && endpoint.contains("/messages?"), "{path}: {endpoint}");

        let post = |to: String| {
            let post = Client::new().post(hub.at(&to)).bearer_auth(&key);
            post.header("content-type", "application/json").body(INITIALIZE).send()
        };
        assert_eq!(post(endpoint.to_owned()).await.expect("a response").status(), 202, "{path}");
        drop(stream);
        eventually_told("the session ends with its stream", Duration::from_secs(5), async || {
            post(endpoint.to_owned()).await.is_ok_and(|response| response.status() == 404)
        })
        .await;
    }
}

async fn knock_for_stream(hub: &Hub, key: &str, path: &str) -> Response {
    let get = Client::new().get(hub.at(path)).bearer_auth(key).header("accept", "text/event-stream");
    get.send().await.expect("a response")
}

#[tokio::test]
async fn unknown_project_and_unknown_server_are_the_same_404() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let mut answers = Vec::new();
    for path in ["/servers/other/mcp", "/projects/other/mcp", "/projects/other/servers/everything/mcp"] {
        let post = Client::new().post(hub.at(path)).bearer_auth(&key).body(PING);
        let response = post.send().await.expect("a response");
        answers.push((response.status().as_u16(), response.text().await.expect("a body")));
    }
    assert_eq!(answers[0].0, 404, "{answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[tokio::test]
async fn ended_and_unknown_sessions_are_404_and_a_missing_one_is_400() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let mut wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    let session = wire.session.clone().expect("a session");
    let delete = Client::new().delete(&wire.url).bearer_auth(&key).header("mcp-session-id", &session);
    let ended = delete.send().await.expect("a response").status();
    assert!(ended.is_success(), "{ended}");
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    for unknown in [session, "no-such-session".to_owned()] {
        wire.session = Some(unknown.clone());
        assert_eq!(wire.post(&ping).await.status(), 404);
        let get = Client::new().get(&wire.url).bearer_auth(&key).header("accept", "text/event-stream");
        let get = get.header("mcp-session-id", &unknown).send().await.expect("a response");
        assert_eq!(get.status(), 404);
    }
    wire.session = None;
    assert_eq!(wire.post(&ping).await.status(), 400);
}

fn refused(response: &Response) -> bool {
    let challenge = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
    response.status() == 401 && challenge.is_some_and(|challenge| challenge.starts_with("Bearer"))
}
