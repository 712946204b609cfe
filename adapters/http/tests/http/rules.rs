//! Who is heard, and in which order a request is judged.

use orch_core::Limits;
use orch_core::ports::gateway::{Reply, Target, Verb};
use std::sync::atomic::Ordering;

use crate::gateway::Scripted;
use crate::hub::Hub;

async fn hub() -> Hub {
    Hub::echo(Limits::default()).await
}

/// A gateway that knows one key.
fn locked() -> Scripted {
    Scripted::echo().admit(|head| {
        let good = head.bearer.as_ref().is_some_and(|bearer| bearer.0 == "good");
        (!good).then(|| Reply::empty(401))
    })
}

#[tokio::test]
async fn a_foreign_host_is_refused_before_anything_else() {
    let hub = hub().await;
    for path in ["/mcp", "/nothing", "/servers/a%2fb/mcp"] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 0\r\n\r\n");
        hub.connect().await.exchange(request).await.assert_refusal(403);
    }
    assert_eq!(hub.gateway.admissions(), 0);
}

#[tokio::test]
async fn a_missing_or_doubled_host_is_malformed_and_ends_the_connection() {
    let hub = hub().await;
    let mut client = hub.connect().await;
    client.exchange("GET /mcp HTTP/1.1\r\n\r\n").await.assert_refusal(400);
    assert!(client.closed().await);
    let twice = hub.request("GET /mcp", &format!("host: {}\r\n\r\n", hub.address));
    hub.connect().await.exchange(twice).await.assert_refusal(400);
    let other = format!("GET http://evil.example/mcp HTTP/1.1\r\nhost: {}\r\n\r\n", hub.address);
    hub.connect().await.exchange(other).await.assert_refusal(400);
}

#[tokio::test]
async fn a_foreign_origin_is_refused_and_the_own_one_is_not() {
    let hub = hub().await;
    let body = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    for (origin, status) in [
        (format!("http://{}", hub.address), 200),
        (format!("http://localhost:{}", hub.address.port()), 200),
        ("null".to_owned(), 403),
        ("https://evil.example".to_owned(), 403),
    ] {
        let request = hub.request("POST /mcp", &format!("origin: {origin}\r\n{body}"));
        let response = hub.connect().await.exchange(request).await;
        assert_eq!(response.status, status, "{origin}");
        assert!(
            !response.headers.keys().any(|name| name.starts_with("access-control")),
            "no CORS by default"
        );
    }
}

#[tokio::test]
async fn the_probes_ask_neither_host_nor_key() {
    let hub = Hub::start(locked(), Limits::default()).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: 10.0.0.1\r\n\r\n");
    assert_eq!(hub.connect().await.exchange(get("/healthz")).await.status, 200);
    assert_eq!(hub.connect().await.exchange(get("/readyz")).await.status, 200);
    hub.ready.store(false, Ordering::Relaxed);
    assert_eq!(hub.connect().await.exchange(get("/healthz")).await.status, 200);
    assert_eq!(hub.connect().await.exchange(get("/readyz")).await.status, 503);
    let post = hub.connect().await.exchange(hub.request("POST /healthz", "content-length: 0\r\n\r\n")).await;
    post.assert_refusal(405);
    assert_eq!(post.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn a_key_is_judged_before_the_body_is_read() {
    let hub = Hub::start(locked(), Limits::default()).await;
    let rest = "authorization: Bearer bad\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n";
    let response = hub.connect().await.exchange(hub.request("POST /mcp", rest)).await;
    assert_eq!(response.status, 401, "and no 100 Continue before it");
    assert_eq!(response.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_missing_key_is_401_with_a_plain_challenge_on_every_verb() {
    let hub = Hub::start(locked(), Limits::default()).await;
    for line in ["POST /mcp", "GET /mcp", "DELETE /mcp", "GET /sse", "POST /messages?sessionId=1"] {
        let response = hub.connect().await.exchange(hub.request(line, "content-length: 0\r\n\r\n")).await;
        assert_eq!(response.status, 401, "{line}");
        assert_eq!(response.header("www-authenticate"), "Bearer", "{line}");
    }
    let rest = "authorization: bEaReR good\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(hub.connect().await.exchange(hub.request("POST /mcp", rest)).await.status, 200);
}

#[tokio::test]
async fn two_keys_are_malformed() {
    let hub = hub().await;
    let rest = "authorization: Bearer a\r\nauthorization: Bearer b\r\ncontent-length: 0\r\n\r\n";
    hub.connect().await.exchange(hub.request("POST /mcp", rest)).await.assert_refusal(400);
    assert_eq!(hub.gateway.admissions(), 0);
}

#[tokio::test]
async fn the_client_of_an_unauthenticated_upload_sees_its_401() {
    let hub = Hub::start(locked(), Limits::default()).await;
    let body = " ".repeat(48 << 20);
    let response = hub.connect().await.exchange(hub.post(&body)).await;
    assert_eq!(response.status, 401, "not a reset: the connection lingers while the body comes");
}

#[tokio::test]
async fn other_methods_are_405_with_those_that_are_allowed_to_who_has_a_key() {
    let hub = Hub::start(locked(), Limits::default()).await;
    for (line, allow) in [
        ("OPTIONS /mcp", "GET, POST, DELETE"),
        ("PUT /servers/a/mcp", "GET, POST, DELETE"),
        ("PATCH /projects/p/mcp", "GET, POST, DELETE"),
        ("POST /sse", "GET"),
        ("POST /sse/a", "GET"),
        ("OPTIONS /sse", "GET"),
        ("GET /messages", "POST"),
        ("DELETE /servers/a/messages", "POST"),
    ] {
        let keyless = hub.connect().await.exchange(hub.request(line, "content-length: 0\r\n\r\n")).await;
        assert_eq!(keyless.status, 401, "{line}");
        let rest = "authorization: Bearer good\r\ncontent-length: 0\r\n\r\n";
        let response = hub.connect().await.exchange(hub.request(line, rest)).await;
        response.assert_refusal(405);
        assert_eq!(response.header("allow"), allow, "{line}");
    }
    assert_eq!(hub.gateway.submissions(), 0);
}

#[tokio::test]
async fn a_405_of_the_gateway_names_post() {
    let hub = Hub::start(Scripted::new(|_, _| async { Reply::empty(405) }), Limits::default()).await;
    let response = hub.connect().await.exchange(hub.get("/mcp")).await;
    assert_eq!((response.status, response.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn what_oauth_clients_look_for_is_a_quick_404() {
    let hub = Hub::start(locked(), Limits::default()).await;
    for line in [
        "GET /.well-known/oauth-protected-resource",
        "GET /.well-known/oauth-protected-resource/servers/git/mcp",
        "GET /.well-known/oauth-authorization-server",
        "GET /mcp/.well-known/openid-configuration",
        "POST /register",
    ] {
        hub.connect()
            .await
            .exchange(hub.request(line, "content-length: 0\r\n\r\n"))
            .await
            .assert_refusal(404);
    }
}

#[tokio::test]
async fn ambiguous_paths_are_malformed_and_a_slash_at_the_end_is_not() {
    let hub = hub().await;
    for path in ["//mcp", "/servers/../mcp", "/servers/a%2fb/mcp", "/servers/a%00/mcp"] {
        hub.connect().await.exchange(hub.get(path)).await.assert_refusal(400);
    }
    let rest = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(hub.connect().await.exchange(hub.request("POST /mcp/", rest)).await.status, 200);
}

#[tokio::test]
async fn media_types_are_judged_after_the_key_and_before_the_body() {
    let hub = hub().await;
    for (heads, status) in [
        ("content-type: text/plain", 415),
        ("accept: */*", 415),
        ("content-type: application/json\r\ncontent-encoding: gzip", 415),
        ("content-type: application/json\r\naccept: text/html", 406),
        ("content-type: application/json\r\naccept: application/json", 406),
    ] {
        let rest = format!("{heads}\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n");
        hub.connect().await.exchange(hub.request("POST /mcp", &rest)).await.assert_refusal(status);
    }
    assert_eq!((hub.gateway.admissions(), hub.gateway.submissions()), (5, 0));
}

#[tokio::test]
async fn a_get_or_delete_with_a_body_is_malformed_and_ends_the_connection() {
    let hub = hub().await;
    for line in ["GET /mcp", "DELETE /mcp", "GET /sse"] {
        let mut client = hub.connect().await;
        client.send(hub.request(line, "content-length: 9\r\n\r\n")).await;
        client.response().await.assert_refusal(400);
        assert!(client.closed().await);
    }
}

#[tokio::test]
async fn the_gateway_is_told_what_was_asked() {
    let hub = hub().await;
    let json = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    let bare = "content-length: 0\r\n\r\n";
    for (line, rest) in [
        ("POST /projects/acme/servers/git/mcp", json),
        ("GET /projects/acme/mcp", "mcp-session-id: S\r\n\r\n"),
        ("DELETE /mcp", "mcp-session-id: S\r\n\r\n"),
        ("GET /sse/git", bare),
        ("POST /servers/git/messages?sessionId=S", json),
    ] {
        assert_eq!(hub.connect().await.exchange(hub.request(line, rest)).await.status, 200, "{line}");
    }
    let seen = hub.gateway.submitted.lock().unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|(head, body)| {
            let session = head.session.as_deref().unwrap_or("-");
            let project = head.project.as_deref().unwrap_or("-");
            (head.verb, project, head.target.clone(), session, head.messages_path.as_str(), body.len())
        })
        .collect();
    let git = || Target::Server("git".into());
    assert_eq!(
        seen,
        [
            (Verb::Post, "acme", git(), "-", "", 2),
            (Verb::Listen, "acme", Target::Unified, "S", "", 0),
            (Verb::Delete, "-", Target::Unified, "S", "", 0),
            (Verb::OpenSse, "-", git(), "-", "/servers/git/messages", 0),
            (Verb::PostMessage, "-", git(), "S", "", 2),
        ]
    );
}

#[tokio::test]
async fn a_stream_is_opened_for_who_takes_one() {
    let hub = hub().await;
    for (accept, status) in [("text/event-stream", 200), ("*/*", 200), ("application/json", 406)] {
        for line in ["GET /mcp", "GET /sse"] {
            let rest = format!("mcp-session-id: S\r\naccept: {accept}\r\n\r\n");
            let response = hub.connect().await.exchange(hub.request(line, &rest)).await;
            assert_eq!(response.status, status, "{line} with {accept}");
        }
    }
}

#[tokio::test]
async fn http_2_is_not_spoken_and_whoever_would_like_to_is_answered_in_http_1() {
    let hub = hub().await;
    let mut client = hub.connect().await;
    client.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.assert_refusal(400);
    assert!(client.closed().await);
    let rest = "connection: upgrade, http2-settings\r\nupgrade: h2c\r\ncontent-type: application/json\r\n\
                content-length: 2\r\n\r\n{}";
    assert_eq!(hub.connect().await.exchange(hub.request("POST /mcp", rest)).await.status, 200);
}

#[tokio::test]
async fn a_head_that_two_readers_may_read_differently_is_refused_in_words_and_ends_the_connection() {
    let hub = hub().await;
    for (line, rest, status) in [
        ("GET /healthz", "a: b\n\r\n", 400),
        ("GET /healthz", "a: b\r\n c\r\n\r\n", 400),
        ("GET /healthz", "a : b\r\n\r\n", 400),
        ("POST /mcp", "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /mcp", "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST /mcp", "connection: close, authorization\r\n\r\n", 400),
        ("GET /mcp", "connection: upgrade\r\nupgrade: websocket\r\n\r\n", 400),
        ("POST /mcp", "expect: something\r\n\r\n", 417),
        ("TRACE /mcp", "\r\n", 400),
    ] {
        let mut client = hub.connect().await;
        let response = client.exchange(hub.request(line, rest)).await;
        response.assert_refusal(status);
        assert_eq!(response.header("connection"), "close");
        assert!(client.closed().await, "{line} {rest}");
    }
    assert_eq!(hub.gateway.admissions(), 0);
}

#[tokio::test]
async fn a_bad_head_is_refused_in_its_turn_however_it_comes() {
    let hub = hub().await;
    let requests = format!("{}{}{}GET / HT\n", hub.post("[1]"), hub.post("[2]"), hub.get("/healthz"));
    for piece in [requests.len(), 100, 1] {
        let mut client = hub.connect().await;
        for piece in requests.as_bytes().chunks(piece) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        for expected in ["[1]", "[2]", "ok\n"] {
            assert_eq!(client.response().await.text(), expected, "in pieces of {piece}");
        }
        client.response().await.assert_refusal(400);
        assert!(client.closed().await);
    }
}

#[tokio::test]
async fn the_client_of_a_bad_head_sees_its_refusal_whatever_it_sends_after_it() {
    let hub = hub().await;
    let rest = format!("a : b\r\ncontent-length: 50000000\r\n\r\n{}", " ".repeat(48 << 20));
    let mut client = hub.connect().await;
    client.exchange(hub.request("POST /mcp", &rest)).await.assert_refusal(400);
    let mut half = hub.connect().await;
    half.send("GET / HTTP/1.1\n\n").await;
    tokio::io::AsyncWriteExt::shutdown(&mut half.stream).await.unwrap();
    half.response().await.assert_refusal(400);
}
