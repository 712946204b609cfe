//! What a client may take its time for. Lower bounds are exact; there are no tight upper ones.

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::gateway::Reply;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};

use crate::gateway::{Script, Scripted, Torrent, departures, message};
use crate::hub::{Hub, ms, within};

fn quick() -> Limits {
    Limits { head: ms(250), ..Limits::default() }
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed() {
    let hub = Hub::echo(quick()).await;
    let start = Instant::now();
    assert!(hub.connect().await.closed().await);
    assert!(start.elapsed() >= ms(250));
}

#[tokio::test]
async fn half_a_head_is_told_so_and_closed() {
    let hub = Hub::echo(quick()).await;
    let mut client = hub.connect().await;
    let start = Instant::now();
    client.exchange("POST /mcp HTTP/1.1\r\nhost: loc").await.assert_refusal(408);
    assert!(start.elapsed() >= ms(250));
    assert!(client.closed().await);
}

#[tokio::test]
async fn a_head_that_trickles_is_closed_all_the_same() {
    let hub = Hub::echo(quick()).await;
    let mut client = hub.connect().await;
    let trickle = async {
        while client.stream.write_all(b"a").await.is_ok() {
            sleep(ms(20)).await;
        }
    };
    within(trickle).await;
}

#[tokio::test]
async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
    let hub = Hub::echo(quick()).await;
    let mut client = hub.connect().await;
    for _ in 0..2 {
        assert_eq!(client.exchange(hub.post("{}")).await.status, 200);
        sleep(ms(400)).await;
    }
    assert_eq!(client.exchange(hub.post("{}")).await.status, 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time() {
    let hub = Hub::echo(Limits { keep_alive: ms(150), ..Limits::default() }).await;
    let mut client = hub.connect().await;
    let start = Instant::now();
    assert_eq!(client.exchange(hub.post("{}")).await.status, 200);
    assert!(client.closed().await);
    assert!(start.elapsed() >= ms(150));
}

#[tokio::test]
async fn half_of_a_second_head_is_told_so_sooner_than_an_idle_connection_is_closed() {
    let hub = Hub::echo(Limits { keep_alive: Duration::from_hours(1), ..quick() }).await;
    let mut client = hub.connect().await;
    assert_eq!(client.exchange(hub.post("{}")).await.status, 200);
    client.exchange("POST /mcp HT").await.assert_refusal(408);
    assert!(client.closed().await);
}

#[tokio::test]
async fn a_body_that_pauses_too_long_is_told_so() {
    let hub = Hub::echo(Limits { body_idle: ms(150), ..Limits::default() }).await;
    let mut client = hub.connect().await;
    let head = "content-type: application/json\r\ncontent-length: 100\r\n\r\n{\"a\"";
    let start = Instant::now();
    client.exchange(hub.request("POST /mcp", head)).await.assert_refusal(408);
    assert!(start.elapsed() >= ms(150) && start.elapsed() < Limits::default().head, "a deadline of its own");
    assert!(client.closed().await);
    assert_eq!(hub.gateway.submissions(), 0);
}

#[tokio::test]
async fn a_body_that_trickles_too_long_is_told_so() {
    let limits = Limits { body_idle: Duration::from_mins(1), body_total: ms(300), ..Limits::default() };
    let hub = Hub::echo(limits).await;
    let mut client = hub.connect().await;
    client
        .send(hub.request("POST /mcp", "content-type: application/json\r\ncontent-length: 9999\r\n\r\n"))
        .await;
    for _ in 0..25 {
        drop(client.stream.write_all(b" ").await);
        sleep(ms(20)).await;
    }
    client.response().await.assert_refusal(408);
}

#[tokio::test]
async fn a_body_below_the_least_rate_is_told_so() {
    let limits = Limits { body_rate: 1 << 20, body_rate_after: ms(200), ..Limits::default() };
    let hub = Hub::echo(limits).await;
    let mut client = hub.connect().await;
    let head = "content-type: application/json\r\ncontent-length: 9999\r\n\r\n";
    client.send(hub.request("POST /mcp", head)).await;
    let start = Instant::now();
    for _ in 0..25 {
        drop(client.stream.write_all(b" ").await);
        sleep(ms(20)).await;
    }
    client.response().await.assert_refusal(408);
    assert!(start.elapsed() < Limits::default().body_idle);
}

#[tokio::test]
async fn clients_that_stall_in_every_way_hold_up_nobody_and_are_dropped() {
    let short = ms(400);
    let hub =
        Hub::echo(Limits { head: short, body_idle: short, keep_alive: short, ..Limits::default() }).await;
    let half = "content-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let beginnings =
        ["", "POST /mcp HTT", &*hub.request("POST /mcp", half), "POST /mcp HTTP/1.1\r\nhost: x\r\n"];
    let mut stalled = Vec::new();
    for beginning in beginnings.iter().cycle().take(32) {
        let mut client = hub.connect().await;
        client.send(beginning).await;
        stalled.push(client);
    }
    let start = Instant::now();
    for _ in 0..20 {
        assert_eq!(hub.connect().await.exchange(hub.post("{}")).await.status, 200);
    }
    println!("20 requests beside 32 stalled clients took {:?}", start.elapsed());
    for client in &mut stalled {
        client.closed().await;
    }
}

#[tokio::test]
async fn a_body_in_pieces_is_waited_for() {
    let hub = Hub::echo(quick()).await;
    let mut client = hub.connect().await;
    let head = hub.request("POST /mcp", "content-type: application/json\r\ncontent-length: 4\r\n\r\n");
    for piece in [head.as_str(), "[", "1", "2"] {
        client.send(piece).await;
        sleep(ms(150)).await;
    }
    client.send("]").await;
    assert_eq!(client.response().await.text(), "[12]");
}

#[tokio::test]
async fn the_hub_may_take_longer_than_any_client() {
    let short = ms(250);
    let limits = Limits {
        head: short,
        body_idle: short,
        body_total: short,
        keep_alive: short,
        write_stall: short,
        ..Limits::default()
    };
    let slow = Scripted::new(|_, _| async {
        sleep(ms(700)).await;
        Reply::json(200, Bytes::from_static(b"{}"))
    });
    let hub = Hub::start(slow, limits).await;
    assert_eq!(hub.connect().await.exchange(hub.post("{}")).await.status, 200);
}

#[tokio::test]
async fn a_silent_stream_lives_on_and_says_so_in_comments() {
    let short = ms(250);
    let limits = Limits {
        head: short,
        body_idle: short,
        body_total: short,
        keep_alive: short,
        write_stall: short,
        sse_comment: ms(200),
        ..Limits::default()
    };
    let hub = Hub::start(Scripted::events(Script::silence), limits).await;
    let mut client = hub.connect().await;
    let start = Instant::now();
    client.send(hub.get("/mcp")).await;
    assert_eq!(client.head().await.status, 200);
    for _ in 0..3 {
        assert_eq!(client.chunk().await, b": keep-alive\n\n");
    }
    assert!(start.elapsed() >= ms(600));
}

#[tokio::test]
async fn a_client_that_does_not_read_a_stream_is_dropped() {
    let (departure, mut departed) = departures();
    let torrent = Scripted::events(move || Torrent::new(message(&"x".repeat(64 * 1024)), departure()));
    let hub = Hub::start(torrent, Limits { write_stall: ms(200), ..Limits::default() }).await;
    let mut client = hub.connect().await;
    client.send(hub.get("/mcp")).await;
    within(departed.recv()).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_an_answer_is_dropped() {
    let big = Bytes::from(vec![b' '; 64 << 20]);
    let hub = Hub::start(
        Scripted::new(move |_, _| std::future::ready(Reply::json(200, big.clone()))),
        Limits { write_stall: ms(200), connections: 1, ..Limits::default() },
    )
    .await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    let room = async {
        while hub.connect().await.exchange(hub.get("/healthz")).await.status != 200 {
            sleep(ms(20)).await;
        }
    };
    within(room).await;
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_served() {
    let big = Bytes::from(vec![b' '; 48 << 20]);
    let hub = Hub::start(
        Scripted::new(move |_, _| std::future::ready(Reply::json(200, big.clone()))),
        Limits { write_stall: ms(1000), ..Limits::default() },
    )
    .await;
    let mut client = hub.connect().await;
    client.send(hub.post("{}")).await;
    for _ in 0..12 {
        sleep(ms(200)).await;
        assert!(client.take(4 << 20).await.len() == 4 << 20, "stalls that end are no stall");
    }
}
