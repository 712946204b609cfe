//! Clients that leave: the gateway learns of it at once.

use orch_core::Limits;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use crate::gateway::{Script, Scripted, departures, message};
use crate::hub::{Hub, ms, within};

/// A hub whose answers never come, and what hears that one was given up.
async fn never() -> (Hub, Receiver<()>) {
    let (departure, departed) = departures();
    let gateway = Scripted::new(move |_, _| {
        let departure = departure();
        async move {
            std::future::pending::<()>().await;
            drop(departure);
            unreachable!("nothing ends what is pending")
        }
    });
    (Hub::start(gateway, Limits::default()).await, departed)
}

async fn submitted(hub: &Hub, count: usize) {
    let seen = async {
        while hub.gateway.submissions() < count {
            tokio::time::sleep(ms(1)).await;
        }
    };
    within(seen).await;
}

/// Waits for the departure. It takes well under a millisecond; a loaded machine is given two seconds.
async fn promptly(departed: &mut Receiver<()>) {
    let start = Instant::now();
    within(departed.recv()).await;
    let took = start.elapsed();
    println!("noticed after {took:?}");
    assert!(took < Duration::from_secs(2), "noticed after {took:?}");
}

#[tokio::test]
async fn a_client_that_closes_while_it_waits_gives_its_call_up() {
    let (hub, mut departed) = never().await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    submitted(&hub, 1).await;
    drop(client);
    promptly(&mut departed).await;
}

#[tokio::test]
async fn a_client_that_resets_while_it_waits_gives_its_call_up() {
    let (hub, mut departed) = never().await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    submitted(&hub, 1).await;
    client.stream.set_zero_linger().unwrap();
    drop(client);
    promptly(&mut departed).await;
}

#[tokio::test]
async fn a_client_that_closes_its_half_while_it_waits_gives_its_call_up() {
    let (hub, mut departed) = never().await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    submitted(&hub, 1).await;
    client.stream.shutdown().await.unwrap();
    promptly(&mut departed).await;
}

#[tokio::test]
async fn a_client_that_leaves_its_stream_ends_it() {
    let (departure, mut departed) = departures();
    let stream = move || Script::of([message("{}")]).then_silence().watched(departure());
    let hub = Hub::start(Scripted::events(stream), Limits::default()).await;
    for request in [hub.get("/mcp"), hub.get("/sse"), hub.post("{}")] {
        let mut client = hub.connect().await;
        client.send(request).await;
        client.head().await;
        client.chunk().await;
        drop(client);
        promptly(&mut departed).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_within_its_body_is_never_submitted() {
    let hub = Hub::echo(Limits { connections: 1, ..Limits::default() }).await;
    let mut client = hub.connect().await;
    let half = "content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    client.send(hub.request("POST /mcp", half)).await;
    drop(client);
    let gone = async {
        while hub.connect().await.exchange(hub.get("/healthz")).await.status != 200 {
            tokio::time::sleep(ms(5)).await;
        }
    };
    within(gone).await;
    assert_eq!(hub.gateway.submissions(), 0);
}

#[tokio::test]
async fn the_departure_of_one_client_is_none_of_another() {
    let (hub, mut departed) = never().await;
    let (mut stays, mut goes) = (hub.connect().await, hub.connect().await);
    stays.send(hub.post("{}")).await;
    goes.send(hub.post("{}")).await;
    submitted(&hub, 2).await;
    drop(goes);
    promptly(&mut departed).await;
    let other = tokio::time::timeout(ms(100), departed.recv()).await;
    assert!(other.is_err(), "the other call goes on");
}
