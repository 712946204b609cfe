//! Habits of the clients that there are, beyond what HTTP says. `docs/clients.md` has the list.

use orch_core::Limits;

use crate::hub::Hub;

/// A client that gets a refusal without a message takes the hub for one of the older transport, and asks for its stream.
#[tokio::test]
async fn every_refusal_of_a_post_holds_a_json_rpc_error() {
    let limits = Limits { body_bytes: 1000, ..Limits::default() };
    let hub = Hub::echo(limits).await;
    let (json, two) = ("content-type: application/json\r\n", "content-length: 2\r\n\r\n{}");
    for (status, line, rest) in [
        (400, "POST /servers/a%2fb/mcp", format!("{json}{two}")),
        (400, "POST /mcp", format!("{json}authorization: Bearer a\r\nauthorization: Bearer b\r\n{two}")),
        (400, "POST /mcp", format!("{json}content-length: 2\r\n{two}")),
        (403, "POST /mcp", format!("{json}origin: https://evil.example\r\n{two}")),
        (404, "POST /mpc", format!("{json}{two}")),
        (405, "PUT /mcp", format!("{json}{two}")),
        (406, "POST /mcp", format!("{json}accept: text/html\r\n{two}")),
        (413, "POST /mcp", format!("{json}content-length: 1001\r\n\r\n")),
        (415, "POST /mcp", format!("content-type: text/plain\r\n{two}")),
        (431, "POST /mcp", format!("{json}a: {}\r\n{two}", "x".repeat(100_000))),
    ] {
        let response = hub.connect().await.exchange(hub.request(line, &rest)).await;
        response.assert_refusal(status);
    }
}

/// A POST that is redirected is a GET at its next address.
#[tokio::test]
async fn nobody_is_ever_sent_elsewhere() {
    let hub = Hub::echo(Limits::default()).await;
    let (json, two) = ("content-type: application/json\r\n", "content-length: 2\r\n\r\n{}");
    for path in
        ["/mcp", "/sse", "/servers/a/mcp", "/servers/a/sse", "/sse/a", "/projects/p/mcp", "/", "/nothing"]
    {
        for path in [path.to_owned(), format!("{path}/")] {
            for (verb, rest) in [
                ("POST", format!("{json}{two}")),
                ("GET", "accept: text/event-stream\r\nmcp-session-id: S\r\n\r\n".to_owned()),
                ("DELETE", "mcp-session-id: S\r\n\r\n".to_owned()),
                ("HEAD", "\r\n".to_owned()),
            ] {
                let mut client = hub.connect().await;
                client.send(hub.request(&format!("{verb} {path}"), &rest)).await;
                let response = client.head().await;
                assert!(!(300..400).contains(&response.status), "{verb} {path}: {}", response.status);
                assert!(!response.headers.contains_key("location"), "{verb} {path}");
            }
        }
    }
}

/// mcp-remote is told its header as `Authorization:Bearer …`, because a space in an argument is lost on some systems.
#[tokio::test]
async fn a_key_is_read_with_and_without_space_around_it() {
    let hub = Hub::echo(Limits::default()).await;
    for line in ["authorization:Bearer good", "Authorization:  Bearer good  ", "AUTHORIZATION: bearer good"] {
        let rest = format!("{line}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
        assert_eq!(hub.connect().await.exchange(hub.request("POST /mcp", &rest)).await.status, 200);
    }
    let keys: Vec<_> = hub.gateway.admitted.lock().unwrap().iter().map(|head| head.bearer.clone()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| key.as_ref().is_some_and(|key| key.0 == "good")), "{keys:?}");
}

/// What clients say of themselves beside the protocol: encodings, cookies, traces, user agents.
#[tokio::test]
async fn headers_that_clients_send_along_change_nothing() {
    let hub = Hub::echo(Limits::default()).await;
    let rest = "accept-encoding: identity\r\nuser-agent: claude-code/2.1 (cli)\r\ncookie: a=b\r\n\
                traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nconnection: keep-alive\r\n\
                accept: text/event-stream, application/json\r\naccept-language: *\r\nsec-fetch-mode: cors\r\n\
                content-type: application/json; charset=utf-8\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
    let response = hub.connect().await.exchange(hub.request("POST /mcp", rest)).await;
    assert_eq!((response.status, response.text()), (200, "{\"a\":1}"));
    assert!(!response.headers.contains_key("content-encoding"));
}
