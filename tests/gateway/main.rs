//! The seam: a second implementation of [`Gateway`], which carries the same exchanges as bytes over an in-memory link
//! to a driver elsewhere. What a client sees is the same either way.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on may panic anywhere")]

mod calls;
mod far_end;
mod held;
mod link;
mod logs;
mod moody;
mod near_end;
mod planner;
mod scripted;
mod turns;

use std::sync::Arc;

use bytes::Bytes;
use orch_core::ports::gateway::{Event, Gateway, Head, ProtocolHeaders, ReplyBody, Target, Verb};

use near_end::LinkedGateway;
use scripted::{Hub, hub};

/// The hub itself, and the hub over a link.
async fn both_fronts() -> (Hub, [Arc<dyn Gateway>; 2]) {
    let hub = hub().await;
    let direct: Arc<dyn Gateway> = Arc::new(hub.driver.clone());
    let linked: Arc<dyn Gateway> = Arc::new(LinkedGateway::connect(Arc::clone(&direct)));
    (hub, [direct, linked])
}

/// What a client sees of one exchange.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    opened_session: bool,
    events: Vec<String>,
    body: String,
}

struct Client<'a> {
    gateway: &'a dyn Gateway,
    key: &'a str,
    session: Option<String>,
}

impl Client<'_> {
    async fn exchange(&mut self, verb: Verb, server: &str, body: &str) -> Seen {
        let head = Head {
            verb,
            project: None,
            target: Target::Server(server.into()),
            bearer: Some(orch_core::ports::gateway::Bearer(self.key.to_owned())),
            session: self.session.clone(),
            headers: ProtocolHeaders::default(),
            messages_path: "/messages".to_owned(),
        };
        let reply = match self.gateway.admit(&head).await {
            Ok(admission) => self.gateway.submit(admission, head, Bytes::from(body.to_owned())).await,
            Err(reply) => reply,
        };
        let opened_session = reply.session.is_some();
        if opened_session {
            self.session.clone_from(&reply.session);
        }
        let mut seen = Seen { status: reply.status, opened_session, events: Vec::new(), body: String::new() };
        match reply.body {
            ReplyBody::Empty => {}
            ReplyBody::Json(json) => seen.body = String::from_utf8(json.to_vec()).unwrap(),
            ReplyBody::Events(mut stream) => {
                while let Some(event) = std::future::poll_fn(|cx| stream.poll_event(cx)).await {
                    seen.events.push(match event {
                        Event::Endpoint(path) => path,
                        Event::Message { data, .. } => String::from_utf8(data.to_vec()).unwrap(),
                        Event::Primed { retry_ms, .. } => format!("retry after {retry_ms} ms"),
                    });
                }
            }
        }
        seen
    }
}

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

/// A whole conversation: refused, opened, listed, called with progress, called in error, closed.
async fn conversation(gateway: &dyn Gateway, key: &str) -> Vec<Seen> {
    let mut stranger = Client { gateway, key: "mcp_proj_wrong", session: None };
    let mut client = Client { gateway, key, session: None };
    let post = Verb::Post;
    vec![
        stranger.exchange(post, "echo", INITIALIZE).await,
        client.exchange(post, "nowhere", INITIALIZE).await,
        client.exchange(post, "echo", "{").await,
        client.exchange(post, "echo", INITIALIZE).await,
        client.exchange(post, "echo", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await,
        client.exchange(post, "echo", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await,
        client
            .exchange(
                post,
                "echo",
                r#"{"jsonrpc":"2.0","id":"é","method":"tools/call","params":{"name":"echo","arguments":{"n":12345678901234567890123},"_meta":{"progressToken":"p"}}}"#,
            )
            .await,
        client.exchange(post, "echo", r#"{"jsonrpc":"2.0","id":2,"method":"prompts/get","params":{"name":"x"}}"#).await,
        client.exchange(Verb::Delete, "echo", "").await,
        client.exchange(post, "echo", r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_front_answers_as_the_driver_does() {
    let (hub, [direct, linked]) = both_fronts().await;
    let expected = conversation(direct.as_ref(), &hub.key).await;
    let over_the_link = conversation(linked.as_ref(), &hub.key).await;
    assert_eq!(over_the_link, expected);
    let statuses: Vec<u16> = expected.iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 404, 400, 200, 202, 200, 200, 200, 204, 404]);
    let call = &expected[6];
    assert_eq!(call.events.len(), 3, "where to go on, progress, then the answer: {call:?}");
    assert_eq!(call.events[0], "retry after 1000 ms");
    assert!(call.events[1].contains(r#""progressToken":"p""#), "{call:?}");
    assert!(
        call.events[2].contains(r#""id":"é""#) && call.events[2].contains("12345678901234567890123"),
        "{call:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_linked_front_leaves_the_driver() {
    let (hub, [_, linked]) = both_fronts().await;
    let mut client = Client { gateway: linked.as_ref(), key: &hub.key, session: None };
    client.exchange(Verb::Post, "echo", INITIALIZE).await;
    let head = Head {
        verb: Verb::OpenSse,
        project: None,
        target: Target::Server("echo".into()),
        bearer: Some(orch_core::ports::gateway::Bearer(hub.key.clone())),
        session: None,
        headers: ProtocolHeaders::default(),
        messages_path: "/messages".to_owned(),
    };
    let admission = linked.admit(&head).await.unwrap();
    let reply = linked.submit(admission, head, Bytes::new()).await;
    let ReplyBody::Events(mut stream) = reply.body else { panic!("a stream was expected") };
    let first = std::future::poll_fn(|cx| stream.poll_event(cx)).await;
    let Some(Event::Endpoint(path)) = first else { panic!("the endpoint comes first, not {first:?}") };
    client.session = path.split("sessionId=").nth(1).map(ToOwned::to_owned);
    assert_eq!(
        client.exchange(Verb::PostMessage, "echo", r#"{"jsonrpc":"2.0","method":"x"}"#).await.status,
        400
    );
    drop(stream);
    for _ in 0..200 {
        let seen = client.exchange(Verb::PostMessage, "echo", r#"{"jsonrpc":"2.0","method":"x"}"#).await;
        if seen.status == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the session outlived its stream");
}
