//! What the hub holds for clients that do not read is bounded, and whoever reads is not in the way of it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::gateway::{
    Event, EventStream, Gateway as _, Head, ProtocolHeaders, Reply, ReplyBody, Target, Verb,
};
use orch_driver::Driver;
use orch_store_memory::MemoryStore;

use crate::INITIALIZE;
use crate::scripted::{self, ScriptedUpstreams};

const KIB: usize = 1024;

/// Room for three answers of 10 KiB each of a key; what is up to 1 KiB counts as small.
fn limits() -> Limits {
    Limits {
        held_bytes: 100 * KIB,
        held_key_bytes: 40 * KIB,
        held_small_bytes: KIB,
        message_bytes: 12 * KIB,
        ..Limits::default()
    }
}

/// A client with a key of its own.
pub(crate) struct Client {
    driver: Driver,
    key: String,
    session: String,
}

impl Client {
    pub(crate) async fn new(driver: &Driver, name: &str) -> Self {
        let key = driver.create_key("default", name, None).await.unwrap();
        let mut client =
            Self { driver: driver.clone(), key: key.token.reveal().to_owned(), session: String::new() };
        client.session = client.submit(Verb::Post, INITIALIZE).await.session.unwrap();
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        assert_eq!(client.submit(Verb::Post, initialized).await.status, 202);
        client
    }

    async fn submit(&self, verb: Verb, body: &str) -> Reply {
        let head = Head {
            verb,
            project: None,
            target: Target::Server("echo".into()),
            bearer: Some(orch_core::ports::gateway::Bearer(self.key.clone())),
            session: Some(self.session.clone()).filter(|session| !session.is_empty()),
            headers: ProtocolHeaders::default(),
            messages_path: "/messages".to_owned(),
        };
        let admission = self.driver.admit(&head).await.unwrap();
        self.driver.submit(admission, head, Bytes::from(body.to_owned())).await
    }

    /// Calls a tool that answers with so many bytes more than it takes.
    pub(crate) async fn call(&self, tool: &str, size: usize) -> Reply {
        let text = "x".repeat(size);
        let call = format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}"}},"_meta":{{"progressToken":1}}}}}}"#
        );
        self.submit(Verb::Post, &call).await
    }
}

async fn driver(limits: Limits) -> Driver {
    scripted::driver(Arc::new(MemoryStore::new()), Arc::new(ScriptedUpstreams), limits).await
}

fn json(reply: &Reply) -> Bytes {
    let ReplyBody::Json(json) = &reply.body else { panic!("no JSON: {reply:?}") };
    json.clone()
}

fn text(reply: &Reply) -> String {
    String::from_utf8(json(reply).to_vec()).unwrap()
}

/// All events that are there, without waiting for any; whether the stream has ended.
fn heard(stream: &mut dyn EventStream) -> (Vec<Event>, bool) {
    let mut events = Vec::new();
    loop {
        match stream.poll_event(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(event)) => events.push(event),
            Poll::Ready(None) => return (events, true),
            Poll::Pending => return (events, false),
        }
    }
}

#[tokio::test]
async fn requests_of_a_key_whose_clients_do_not_read_are_refused_and_those_of_others_are_not() {
    let driver = driver(limits()).await;
    let (slow, other) = (Client::new(&driver, "slow").await, Client::new(&driver, "other").await);
    let unread = [slow.call("quiet", 10 * KIB).await, slow.call("quiet", 10 * KIB).await];
    let unread = unread.map(|reply| (reply.status, json(&reply)));
    let last = slow.call("quiet", 10 * KIB).await;
    assert_eq!((unread[0].0, unread[1].0, last.status), (200, 200, 200));
    let refused = slow.call("quiet", 1).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let words = text(&refused);
    assert!(
        words.contains(r#""id":7"#) && words.contains(r#"{"limit":"held_key_bytes","value":40960}"#),
        "{words}"
    );
    assert_eq!(other.call("quiet", 10 * KIB).await.status, 200);
    assert_eq!(slow.submit(Verb::Delete, "").await.status, 204, "what asks for no answer is taken");
    drop((unread, last));
    let slow = Client::new(&driver, "again").await;
    assert_eq!(slow.call("quiet", 10 * KIB).await.status, 200);
}

#[tokio::test]
async fn answer_that_finds_no_room_is_told_so_in_its_place() {
    let driver = driver(limits()).await;
    let client = Client::new(&driver, "one").await;
    // Each was let in while there was room; together their answers are too much.
    let calls = (0..6).map(|_| client.call("quiet", 10 * KIB));
    let replies = scripted::together(calls).await;
    let held = replies.iter().filter(|reply| json(reply).len() > 10 * KIB).count();
    let told: Vec<String> =
        replies.iter().map(text).filter(|words| words.contains("held_key_bytes")).collect();
    assert_eq!((held, told.len()), (3, 3));
    assert!(
        told.iter().all(|words| words.contains(r#""id":7"#) && words.contains("read it, then try again")),
        "{told:?}"
    );
    assert!(replies.iter().all(|reply| reply.status == 200 || reply.status == 429));
}

#[tokio::test]
async fn stream_that_is_not_read_is_cut_at_the_bound_of_its_key() {
    let driver = driver(limits()).await;
    let client = Client::new(&driver, "one").await;
    let calls = (0..6).map(|_| client.call("echo", 10 * KIB));
    let replies = scripted::together(calls).await;
    let mut cut = 0;
    for reply in replies {
        let ReplyBody::Events(mut stream) = reply.body else { panic!("no stream") };
        let (events, ended) = heard(&mut *stream);
        let answers = events
            .iter()
            .filter(|event| matches!(event, Event::Message { data, .. } if data.len() > 10 * KIB));
        let answered = answers.count() == 1;
        assert!(ended, "answered or cut");
        cut += usize::from(!answered);
    }
    assert_eq!(cut, 3);
}

#[tokio::test]
async fn hub_that_holds_too_much_takes_no_request_until_somebody_reads() {
    let driver = driver(Limits { held_bytes: 110 * KIB, message_bytes: 35 * KIB, ..limits() }).await;
    let other = Client::new(&driver, "other").await;
    let mut unread = Vec::new();
    for number in 0..7 {
        let client = Client::new(&driver, &format!("client {number}")).await;
        let reply = client.call("quiet", 10 * KIB).await;
        assert_eq!(json(&reply).len() / KIB, 10, "{}", text(&reply));
        unread.push(reply);
    }
    let refused = other.call("quiet", 10 * KIB).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(text(&refused).contains(r#"{"limit":"held_bytes","value":112640}"#), "{}", text(&refused));
    unread.pop();
    assert_eq!(other.call("quiet", 10 * KIB).await.status, 200);
}
