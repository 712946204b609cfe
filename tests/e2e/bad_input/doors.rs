//! Who may come in, by which door, with what in the hands.

use std::time::Duration;

use super::row::{Row, check};
use super::stage::{PATH, Stage};
use crate::process::succeed;

const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
const JSON: &str = "Content-Type: application/json\r\n";
const BOTH: &str = "Accept: application/json, text/event-stream\r\n";

#[tokio::test]
async fn who_may_not_come_in_is_told_what_is_missing() {
    let stage = Stage::new().await;
    let mut rows = keys(&stage).await;
    rows.extend(hosts_and_origins(&stage));
    rows.extend(methods(&stage));
    rows.extend(paths(&stage));
    rows.extend(sessions(&stage).await);
    rows.extend(media(&stage));
    check(&stage, rows).await;
}

/// A ping without a key, with these lines.
fn keyless(stage: &Stage, path: &str, lines: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{JSON}{lines}Content-Length: {}\r\n\r\n{PING}",
        stage.address,
        PING.len()
    )
}

async fn keys(stage: &Stage) -> Vec<Row> {
    let key = &stage.key;
    let revoked = stage.hub.create_key().await;
    let id = revoked.trim_start_matches("mcp_proj_").split('_').next().expect("an id in the key");
    succeed(stage.hub.home.program(&["keys", "revoke", id]), Duration::from_secs(20)).await;
    let authorization = |value: String| keyless(stage, PATH, &format!("Authorization: {value}\r\n"));
    let changed = format!("{}x", key.strip_suffix(char::is_alphanumeric).expect("a key"));
    let mut rows = vec![
        ("no key", keyless(stage, PATH, "")),
        ("an empty key", authorization("Bearer ".to_owned())),
        ("a key without its scheme", authorization(key.clone())),
        ("a key with another scheme", authorization(format!("Basic {key}"))),
        ("a key and more", authorization(format!("Bearer {key} x"))),
        ("a wrong key", authorization("Bearer mcp_proj_x_y".to_owned())),
        ("a changed key", authorization(format!("Bearer {changed}"))),
        ("a shortened key", authorization(format!("Bearer {}", &key[..key.len() - 1]))),
        ("a key in other case", authorization(format!("Bearer {}", key.to_uppercase()))),
        ("a revoked key", authorization(format!("Bearer {revoked}"))),
        ("an expired key", authorization(format!("Bearer {}", stage.expired))),
        ("a long key", authorization(format!("Bearer {}", "x".repeat(10_000)))),
        ("a key in a header of its own", keyless(stage, PATH, &format!("X-Api-Key: {key}\r\n"))),
        ("a key in a cookie", keyless(stage, PATH, &format!("Cookie: key={key}\r\n"))),
        ("an unknown server without a key", keyless(stage, "/servers/nobody/mcp", "")),
        ("an unknown project without a key", keyless(stage, "/projects/nobody/mcp", "")),
    ];
    for name in ["key", "api_key", "token", "access_token", "authorization"] {
        rows.push(("a key in the query", keyless(stage, &format!("{PATH}?{name}={key}"), "")));
    }
    rows.into_iter()
        .map(|(name, bytes)| Row::refused(name, bytes, 401, -31005, "Authorization: Bearer"))
        .collect()
}

fn hosts_and_origins(stage: &Stage) -> Vec<Row> {
    let (key, address) = (&stage.key, &stage.address);
    let host = |lines: String| {
        let length = PING.len();
        format!(
            "POST {PATH} HTTP/1.1\r\n{lines}Authorization: Bearer {key}\r\nConnection: close\r\n{JSON}\
             Content-Length: {length}\r\n\r\n{PING}"
        )
    };
    let port = address.rsplit(':').next().expect("a port");
    let mut rows = vec![
        Row::refused("no Host", host(String::new()), 400, -32600, "Host header"),
        Row::refused(
            "two Hosts",
            host(format!("Host: {address}\r\nHost: {address}\r\n")),
            400,
            -32600,
            "twice",
        ),
    ];
    for bad in ["a/b?c#d", "", "localhost:", "user@localhost", "localhost:99999", "[::1", "a b"] {
        let name = format!("Host {bad:?}");
        rows.push(Row::refused(name, host(format!("Host: {bad}\r\n")), 400, -32600, "Host is not a name"));
    }
    for foreign in ["evil.example", "localhost", "localhost:1", "127.0.0.2", "localhost.evil.example"] {
        let name = format!("Host {foreign}");
        rows.push(Row::refused(name, host(format!("Host: {foreign}\r\n")), 403, -31006, "Host"));
    }
    let own = format!("Host: {address}\r\n");
    let origins = ["null", "https://evil.example", "http://localhost", "http://localhost:1", "file://", ""];
    for origin in origins.into_iter().map(str::to_owned).chain([format!("https://localhost:{port}")]) {
        let bytes = host(format!("{own}Origin: {origin}\r\n"));
        rows.push(Row::refused(format!("Origin {origin:?}"), bytes, 403, -31006, "Origin"));
    }
    let twice = host(format!("{own}Origin: http://{address}\r\nOrigin: null\r\n"));
    rows.push(Row::refused("two Origins", twice, 400, -32600, "twice"));
    rows
}

fn methods(stage: &Stage) -> Vec<Row> {
    let mut rows = Vec::new();
    for method in ["PUT", "PATCH", "OPTIONS", "BREW", "post"] {
        let bytes = stage.request(&format!("{method} {PATH}"), JSON, PING);
        rows.push(Row::refused(method, bytes, 405, -32600, "Allow header"));
    }
    rows.push(Row::fine("HEAD", stage.request(&format!("HEAD {PATH}"), "", ""), 405, ""));
    for (line, allow) in
        [("POST /sse", "Allow header"), ("GET /messages", "Allow header"), ("PUT /healthz", "Allow")]
    {
        rows.push(Row::refused(line, stage.request(line, JSON, ""), 405, -32600, allow));
    }
    for line in ["GET", "DELETE"] {
        let bytes = stage.request(&format!("{line} {PATH}"), "Mcp-Session-Id: x\r\n", PING);
        rows.push(Row::refused(
            format!("{line} with a body"),
            bytes,
            400,
            -32600,
            "a body where none belongs",
        ));
        let bytes = stage.request(&format!("{line} {PATH}"), "", "");
        rows.push(Row::refused(format!("{line} without a session"), bytes, 405, -32600, "Allow header"));
    }
    let chunks = format!("{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stage.head(&format!("GET {PATH}")));
    rows.push(Row::refused(
        "GET with an empty body in chunks",
        chunks,
        400,
        -32600,
        "a body where none belongs",
    ));
    rows
}

fn paths(stage: &Stage) -> Vec<Row> {
    let long = format!("/servers/{}/mcp", "a".repeat(65));
    let unknown = ["/servers/nobody/mcp", "/projects/nobody/mcp", "/projects/nobody/servers/echo/mcp"];
    let mut rows: Vec<Row> = unknown
        .into_iter()
        .map(|path| Row::refused(path, to(stage, path), 404, -32600, "no such project or server"))
        .collect();
    for path in ["/", "/MCP", "/mcp/x", "/servers/echo", "/servers/a%20b/mcp", "/servers/a:b/mcp", &long] {
        rows.push(Row::refused(path, to(stage, path), 404, -32600, "no such path"));
    }
    for path in
        ["/register", "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server/mcp"]
    {
        rows.push(Row::refused(path, to(stage, path), 404, -32600, "no such path"));
    }
    rows
}

fn to(stage: &Stage, path: &str) -> Vec<u8> {
    stage.request(&format!("POST {path}"), &format!("{JSON}{BOTH}"), PING)
}

async fn sessions(stage: &Stage) -> Vec<Row> {
    let session = stage.session(PATH, "2025-11-25").await;
    let elsewhere =
        |line: &str| stage.request(line, &format!("{JSON}{BOTH}Mcp-Session-Id: {session}\r\n"), "");
    let mut rows = Vec::new();
    for id in ["x", &"f".repeat(64), "../../etc/passwd", "' OR 1=1", &"x".repeat(5000)] {
        let name = format!("session {id:.20}");
        let post = stage.post(&[("Mcp-Session-Id", id)], PING);
        rows.push(
            Row::refused(format!("POST in {name}"), post, 404, -32001, "initialize again").with_id("7"),
        );
        for verb in ["GET", "DELETE"] {
            let lines = format!("Mcp-Session-Id: {id}\r\nAccept: text/event-stream\r\n");
            let bytes = stage.request(&format!("{verb} {PATH}"), &lines, "");
            rows.push(Row::refused(format!("{verb} in {name}"), bytes, 404, -32001, "initialize again"));
        }
    }
    let none = stage.post(&[], PING);
    rows.push(Row::refused("POST without a session", none, 400, -32000, "initialize first").with_id("7"));
    let other = elsewhere("DELETE /mcp");
    rows.push(Row::refused("a session at another endpoint", other, 404, -32001, "initialize again"));
    for (version, code, says) in [
        ("1", -32000, "MCP-Protocol-Version"),
        ("2024-01-01", -32000, "MCP-Protocol-Version"),
        ("", -32000, "MCP-Protocol-Version"),
        ("2026-07-28", -32000, "MCP-Protocol-Version"),
        ("2099-01-01", -32000, "MCP-Protocol-Version"),
        ("2025-11-25x", -32000, "MCP-Protocol-Version"),
    ] {
        let headers = [("Mcp-Session-Id", &*session), ("MCP-Protocol-Version", version)];
        let name = format!("version {version:?} in a session");
        rows.push(Row::refused(name, stage.post(&headers, PING), 400, code, says).with_id("7"));
    }
    for (query, says, status, code) in [
        ("", "open the event stream", 400, -32000),
        ("?sessionId=", "open the event stream", 400, -32000),
        ("?sessionId=x", "open another one", 404, -32001),
        ("?session_id=x", "open the event stream", 400, -32000),
    ] {
        let bytes = to(stage, &format!("/servers/echo/messages{query}"));
        rows.push(Row::refused(format!("/messages{query}"), bytes, status, code, says).with_id("7"));
    }
    let twice = to(stage, "/servers/echo/messages?sessionId=x&sessionId=y");
    rows.push(Row::refused("two sessions in the query", twice, 400, -32600, "two sessionId"));
    let http = to(stage, &format!("/servers/echo/messages?sessionId={session}"));
    rows.push(
        Row::refused("a session of the other transport", http, 404, -32001, "open another one").with_id("7"),
    );
    rows
}

fn media(stage: &Stage) -> Vec<Row> {
    let post = |lines: &str| stage.request(&format!("POST {PATH}"), lines, PING);
    let mut rows = Vec::new();
    for kind in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: application/json, text/plain\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type:\r\n",
    ] {
        rows.push(Row::refused(format!("{kind:?}"), post(kind), 415, -32600, "Content-Type must be"));
    }
    for coding in ["gzip", "br", "zstd", "identity, gzip", "GZIP"] {
        let bytes = post(&format!("{JSON}Content-Encoding: {coding}\r\n"));
        rows.push(Row::refused(format!("a body in {coding}"), bytes, 415, -32600, "Content-Encoding"));
    }
    let takes = ["text/html", "application/json", "text/event-stream", "image/*", "*/*;q=0"];
    for accept in takes.into_iter().chain(["application/json, text/event-stream;q=0"]) {
        let bytes = post(&format!("{JSON}Accept: {accept}\r\n"));
        rows.push(Row::refused(format!("Accept {accept}"), bytes, 406, -32600, "Accept must allow"));
    }
    for accept in ["text/html", "application/json"] {
        for (path, lines) in [(PATH, "Mcp-Session-Id: x\r\n"), ("/servers/echo/sse", "")] {
            let bytes = stage.request(&format!("GET {path}"), &format!("{lines}Accept: {accept}\r\n"), "");
            rows.push(Row::refused(
                format!("GET {path} with {accept}"),
                bytes,
                406,
                -32600,
                "Accept must allow",
            ));
        }
    }
    rows
}
