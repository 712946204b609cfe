//! Bounds that are hit, and what is answered then.

use orch_core::Limits;
use tokio::time::sleep;

use crate::client::Client;
use crate::hub::{Hub, ms, within};

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let hub = Hub::echo(Limits { head_bytes: 1024, ..Limits::default() }).await;
    let head = |bytes: usize| hub.request("GET /healthz", &format!("a: {}\r\n\r\n", "x".repeat(bytes)));
    assert_eq!(hub.connect().await.exchange(head(900)).await.status, 200);
    hub.connect().await.exchange(head(1024)).await.assert_refusal(431);
    let mut endless = hub.connect().await;
    endless.send(hub.request("GET /healthz", &format!("a: {}", "x".repeat(100_000)))).await;
    let response = endless.response().await;
    response.assert_refusal(431);
    assert!(response.text().contains("\"limit\":\"head_bytes\",\"value\":1024"), "{}", response.text());
    assert!(endless.closed().await);
}

#[tokio::test]
async fn too_many_header_fields_are_431() {
    let hub = Hub::echo(Limits { header_fields: 10, ..Limits::default() }).await;
    let head = |fields| hub.request("GET /healthz", &format!("{}\r\n", "a: b\r\n".repeat(fields)));
    assert_eq!(hub.connect().await.exchange(head(9)).await.status, 200);
    let response = hub.connect().await.exchange(head(10)).await;
    response.assert_refusal(431);
    assert!(response.text().contains("\"limit\":\"header_fields\",\"value\":10"), "{}", response.text());
}

#[tokio::test]
async fn a_target_that_is_too_long_is_414() {
    let hub = Hub::echo(Limits { uri_bytes: 100, ..Limits::default() }).await;
    let target = |bytes: usize| format!("/messages?sessionId={}", "s".repeat(bytes - 20));
    let request = |bytes| {
        let rest = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        hub.request(&format!("POST {}", target(bytes)), rest)
    };
    assert_eq!(hub.connect().await.exchange(request(100)).await.status, 200);
    hub.connect().await.exchange(request(101)).await.assert_refusal(414);
}

#[tokio::test]
async fn a_connection_too_many_is_turned_away_at_once_and_room_is_made_by_leaving() {
    let hub = Hub::echo(Limits { connections: 2, ..Limits::default() }).await;
    let mut first = hub.connect().await;
    let mut second = hub.connect().await;
    assert_eq!(first.exchange(hub.post("{}")).await.status, 200);
    assert_eq!(second.exchange(hub.post("{}")).await.status, 200);
    let mut third = hub.connect().await;
    let answer = third.response().await;
    answer.assert_refusal(503);
    assert!(answer.text().contains("\"limit\":\"connections\",\"value\":2"), "{}", answer.text());
    assert!(third.closed().await);
    drop(first);
    let room = async {
        loop {
            let mut next = hub.connect().await;
            if next.exchange(hub.post("{}")).await.status == 200 {
                break;
            }
            sleep(ms(10)).await;
        }
    };
    within(room).await;
}

#[tokio::test]
async fn one_address_cannot_take_the_room_of_another() {
    let hub = Hub::echo(Limits { connections_per_address: 1, ..Limits::default() }).await;
    let mut here = hub.connect().await;
    assert_eq!(here.exchange(hub.post("{}")).await.status, 200);
    hub.connect().await.response().await.assert_refusal(503);
    let mut there = Client::connect_from(hub.address, "127.0.0.2").await;
    assert_eq!(there.exchange(hub.post("{}")).await.status, 200);
}
