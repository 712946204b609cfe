//! What the gateway answers, on the wire.

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::gateway::{Event, Reply, ReplyBody};
use orch_http::sse::Parser;

use crate::gateway::{Script, Scripted, message};
use crate::hub::Hub;

async fn hub(gateway: Scripted) -> Hub {
    Hub::start(gateway, Limits::default()).await
}

#[tokio::test]
async fn json_is_one_message_of_known_length_that_nobody_stores() {
    let hub = hub(Scripted::new(|_, _| async {
        let session = Some("S-1".to_owned());
        Reply { status: 200, session, body: ReplyBody::Json(Bytes::from_static(b"{\"a\":1}")) }
    }))
    .await;
    let response = hub.connect().await.exchange(hub.post("{}")).await;
    assert_eq!((response.status, response.text()), (200, "{\"a\":1}"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-length", "7"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("mcp-session-id", "S-1"),
    ] {
        assert_eq!(response.header(name), value);
    }
}

#[tokio::test]
async fn every_response_tells_browsers_whose_it_is_and_that_nobody_keeps_it() {
    let hub = hub(Scripted::new(|_, _| async { Reply::empty(202) })).await;
    let stream = self::hub(Scripted::events(|| Script::of([message("{}")]))).await;
    let refused = "GET / HTTP/1.1\n\n".to_owned();
    for (hub, request) in [
        (&hub, hub.post("{}")),
        (&hub, hub.get("/healthz")),
        (&hub, hub.get("/nothing")),
        (&hub, refused),
        (&stream, stream.get("/mcp")),
    ] {
        let response = hub.connect().await.exchange(&request).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(response.header(name), value, "{request}");
        }
        assert!(response.header("cache-control").contains("no-store"), "{request}");
    }
}

#[tokio::test]
async fn a_status_alone_has_no_body() {
    for status in [202, 204, 404] {
        let hub = hub(Scripted::new(move |_, _| async move { Reply::empty(status) })).await;
        let mut client = hub.connect().await;
        for _ in 0..2 {
            let response = client.exchange(hub.post("{}")).await;
            assert_eq!((response.status, response.text()), (status, ""));
            assert_eq!(response.header("x-content-type-options"), "nosniff");
            assert!(!response.headers.contains_key("content-type"));
        }
    }
}

#[tokio::test]
async fn a_reply_that_cannot_be_said_in_http_is_never_said() {
    let hub = hub(Scripted::new(|_, _| async {
        Reply { status: 1, session: Some("a\r\nb: c".to_owned()), body: ReplyBody::Empty }
    }))
    .await;
    let response = hub.connect().await.exchange(hub.post("{}")).await;
    assert_eq!(response.status, 500);
    assert!(!response.headers.contains_key("mcp-session-id") && !response.headers.contains_key("b"));
}

#[tokio::test]
async fn events_are_a_stream_that_no_proxy_keeps_back() {
    let hub = hub(Scripted::events(|| Script::of([message("{}")]))).await;
    let mut client = hub.connect().await;
    let response = client.exchange(hub.post("{}")).await;
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-cache, no-store, no-transform"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(response.header(name), value);
    }
    assert_eq!(response.text(), "event: message\ndata: {}\n\n");
    assert_eq!(client.exchange(hub.post("{}")).await.status, 200, "and the connection lives on");
}

#[tokio::test]
async fn the_head_of_a_stream_does_not_wait_for_its_first_event() {
    let hub = hub(Scripted::events(Script::silence)).await;
    let mut client = hub.connect().await;
    client.send(hub.get("/sse")).await;
    assert_eq!(client.head().await.status, 200);
}

#[tokio::test]
async fn each_event_is_a_chunk_of_its_own() {
    let events = || {
        let last = Event::Message { id: Some("9".into()), data: Bytes::from_static(b"{\"b\":\r\n2}") };
        Script::of([Event::Endpoint("/messages?sessionId=1".into()), message("{\"a\":1}"), last])
    };
    let hub = hub(Scripted::events(events)).await;
    let mut client = hub.connect().await;
    client.send(hub.get("/sse")).await;
    client.head().await;
    let chunks = client.chunks().await;
    let texts: Vec<_> = chunks.iter().map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
    assert_eq!(
        texts,
        [
            "event: endpoint\ndata: /messages?sessionId=1\n\n",
            "event: message\ndata: {\"a\":1}\n\n",
            "id: 9\nevent: message\ndata: {\"b\":  2}\n\n",
        ]
    );
}

#[tokio::test]
async fn many_events_arrive_in_order_and_none_is_lost() {
    let events = || Script::of((0..2000).map(|number| message(&format!("[{number}]"))));
    let hub = hub(Scripted::events(events)).await;
    let response = hub.connect().await.exchange(hub.post("{}")).await;
    let mut parser = Parser::new(1000);
    parser.push(&response.body);
    for number in 0..2000 {
        let event = parser.pop().unwrap().unwrap();
        assert_eq!(event.data, format!("[{number}]").into_bytes());
    }
}

#[tokio::test]
async fn an_event_of_a_mebibyte_is_one_event() {
    let data = format!("\"{}\"", "x".repeat(1 << 20));
    let event = message(&data);
    let hub = hub(Scripted::events(move || Script::of([event.clone(), message("{}")]))).await;
    let mut parser = Parser::new(2 << 20);
    parser.push(&hub.connect().await.exchange(hub.post("{}")).await.body);
    assert!(parser.pop().unwrap().unwrap().data == data.as_bytes());
    assert_eq!(parser.pop().unwrap().unwrap().data, b"{}");
}
