//! The graceful end of a server.

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::gateway::Reply;
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};

use crate::gateway::{Fed, Script, Scripted, departures, message};
use crate::hub::{Hub, ms};

#[tokio::test]
async fn idle_and_silent_connections_end_at_once() {
    let mut hub = Hub::echo(Limits { first_request: ms(0), ..Limits::default() }).await;
    let (mut idle, mut silent) = (hub.connect().await, hub.connect().await);
    assert_eq!(idle.exchange(hub.post("{}")).await.status, 200);
    hub.stop.cancel();
    assert!(idle.closed().await);
    assert!(silent.closed().await);
    assert_eq!(hub.ended().await, 0);
    assert!(TcpStream::connect(hub.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_connection_whose_first_request_was_on_its_way_when_the_server_stopped_is_answered() {
    let mut hub = Hub::echo(Limits { first_request: ms(5_000), ..Limits::default() }).await;
    let (mut idle, mut fresh) = (hub.connect().await, hub.connect().await);
    assert_eq!(idle.exchange(hub.post("{}")).await.status, 200);
    hub.stop.cancel();
    // When this one is closed the other has heard of the stop, too.
    assert!(idle.closed().await);
    assert_eq!(fresh.exchange(hub.post("{}")).await.status, 200);
    assert!(fresh.closed().await);
    assert_eq!(hub.ended().await, 0);
}

#[tokio::test]
async fn while_a_call_is_under_way_whoever_comes_is_served_once_and_all_connections_are_closed() {
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let gateway = Scripted::new(move |_, body: Bytes| {
        let gate = Arc::clone(&inner);
        async move {
            gate.acquire().await.unwrap().forget();
            Reply::json(200, body)
        }
    });
    let mut hub = Hub::start(gateway, Limits::default()).await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    while hub.gateway.submissions() == 0 {
        tokio::time::sleep(ms(1)).await;
    }
    hub.stop.cancel();
    // A call may wait for what its client has still to say.
    let mut late = hub.connect().await;
    late.send(hub.post("{}")).await;
    while hub.gateway.submissions() == 1 {
        tokio::time::sleep(ms(1)).await;
    }
    gate.add_permits(2);
    for mut client in [client, late] {
        let response = client.response().await;
        assert_eq!((response.text(), response.header("connection")), ("{}", "close"));
        assert!(client.closed().await);
    }
    assert_eq!(hub.ended().await, 0);
    assert!(TcpStream::connect(hub.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_heir_gets_whoever_comes_when_those_have_ended_that_were_there_before() {
    let gate = Arc::new(Semaphore::new(0));
    let inner = Arc::clone(&gate);
    let gateway = Scripted::new(move |_, body: Bytes| {
        let gate = Arc::clone(&inner);
        async move {
            if body == "slow" {
                gate.acquire().await.unwrap().forget();
            }
            Reply::json(200, body)
        }
    });
    let (mut hub, heir) = Hub::with_heir(gateway, Limits::default());
    let mut before = hub.connect().await;
    before.send(hub.post("slow")).await;
    while hub.gateway.submissions() == 0 {
        tokio::time::sleep(ms(1)).await;
    }
    hub.stop.cancel();
    let mut meanwhile = hub.connect().await;
    assert_eq!(meanwhile.exchange(hub.post("quick")).await.text(), "quick", "nobody waits for the heir");
    let mut last = hub.connect().await;
    last.send(hub.post("slow")).await;
    while hub.gateway.submissions() == 2 {
        tokio::time::sleep(ms(1)).await;
    }
    gate.add_permits(1);
    assert_eq!(before.response().await.text(), "slow");
    let stranger = loop {
        // The server notices a moment later that they have ended.
        let stranger = TcpStream::connect(hub.address).await.expect("never refused");
        if tokio::time::timeout(ms(50), heir.accept()).await.is_ok() {
            break stranger;
        }
    };
    gate.add_permits(1);
    assert_eq!(last.response().await.text(), "slow", "its call may end");
    assert_eq!(hub.ended().await, 0);
    drop(stranger);
}

#[tokio::test]
async fn an_heir_gets_whoever_comes_after_half_of_the_drain_time_in_any_case() {
    let (departure, mut departed) = departures();
    let stream = move || Script::silence().watched(departure());
    let limits = Limits { drain: ms(400), ..Limits::default() };
    let (mut hub, heir) = Hub::with_heir(Scripted::events(stream), limits);
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    client.head().await;
    hub.stop.cancel();
    tokio::time::sleep(ms(250)).await;
    let _stranger = TcpStream::connect(hub.address).await.expect("never refused");
    assert!(heir.accept().await.is_ok());
    assert!(departed.try_recv().is_err(), "what goes on has all of it");
    assert_eq!(hub.ended().await, 1);
}

#[tokio::test]
async fn streams_go_on_until_the_gateway_ends_them() {
    let (feed, events) = mpsc::channel(1);
    let events = Mutex::new(Some(events));
    let stream = move || Fed(events.lock().unwrap().take().unwrap());
    let mut hub = Hub::start(Scripted::events(stream), Limits::default()).await;
    let mut sse = hub.connect().await;
    sse.send(hub.get("/sse")).await;
    sse.head().await;
    hub.stop.cancel();
    tokio::time::sleep(ms(20)).await;
    feed.send(message("the answer")).await.unwrap();
    drop(feed);
    let chunks = sse.chunks().await.concat();
    assert!(chunks.ends_with(b"data: the answer\n\n"), "the body ends as it should: {chunks:?}");
    assert_eq!(hub.ended().await, 0);
}

#[tokio::test]
async fn what_outlasts_the_drain_time_is_cut_and_counted() {
    let (departure, mut departed) = departures();
    let stream = move || Script::silence().watched(departure());
    let mut hub = Hub::start(Scripted::events(stream), Limits { drain: ms(200), ..Limits::default() }).await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    client.head().await;
    hub.stop.cancel();
    assert_eq!(hub.ended().await, 1);
    assert!(departed.recv().await.is_some());
    assert!(client.closed().await);
}

#[tokio::test]
async fn a_panic_is_500_for_its_own_request_only() {
    let gateway = Scripted::new(|_, body: Bytes| async move {
        assert!(body != "boom", "as scripted");
        Reply::json(200, body)
    });
    let hub = Hub::start(gateway, Limits::default()).await;
    let (mut fine, mut doomed) = (hub.connect().await, hub.connect().await);
    assert_eq!(fine.exchange(hub.post("{}")).await.status, 200);
    let answer = doomed.exchange(hub.post("boom")).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("-32603"), "{}", answer.text());
    assert_eq!(doomed.exchange(hub.post("{}")).await.status, 200, "its connection goes on");
    assert_eq!(fine.exchange(hub.post("{}")).await.status, 200);
    assert_eq!(hub.connect().await.exchange(hub.post("{}")).await.status, 200);
}
