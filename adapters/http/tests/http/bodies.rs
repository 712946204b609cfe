//! Bodies of requests: their bounds and their framing.

use orch_core::Limits;

use crate::hub::Hub;

const JSON: &str = "content-type: application/json\r\n";

async fn small() -> Hub {
    Hub::echo(Limits { body_bytes: 1000, ..Limits::default() }).await
}

fn chunked(sizes: &[usize]) -> String {
    let chunk = |size: &usize| format!("{size:x}\r\n{}\r\n", " ".repeat(*size));
    let chunks = sizes.iter().map(chunk).collect::<Vec<_>>().concat();
    format!("{JSON}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
}

#[tokio::test]
async fn a_body_that_says_to_be_too_long_is_413_unread() {
    let hub = small().await;
    for length in ["1001", "9999999999", "18446744073709551613"] {
        let rest = format!("{JSON}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
        let response = hub.connect().await.exchange(hub.request("POST /mcp", &rest)).await;
        response.assert_refusal(413);
        assert!(response.text().contains("\"limit\":\"body_bytes\",\"value\":1000"), "{}", response.text());
    }
    assert_eq!(hub.gateway.submissions(), 0);
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_taken() {
    let hub = small().await;
    assert_eq!(hub.connect().await.exchange(hub.post(&" ".repeat(1000))).await.body.len(), 1000);
    let response = hub.connect().await.exchange(hub.request("POST /mcp", &chunked(&[400, 600]))).await;
    assert_eq!(response.body.len(), 1000);
}

#[tokio::test]
async fn a_body_that_grows_too_long_is_413() {
    let hub = small().await;
    for sizes in [&[1001][..], &[400, 600, 1], &[999, 999]] {
        hub.connect().await.exchange(hub.request("POST /mcp", &chunked(sizes))).await.assert_refusal(413);
    }
    assert_eq!(hub.gateway.submissions(), 0);
}

#[tokio::test]
async fn the_client_of_a_body_that_is_too_long_sees_its_413() {
    let hub = small().await;
    let response = hub.connect().await.exchange(hub.post(&" ".repeat(48 << 20))).await;
    response.assert_refusal(413);
}

#[tokio::test]
async fn a_body_of_four_mebibytes_comes_back_whole() {
    let hub = Hub::echo(Limits::default()).await;
    let body: String =
        (0..4 << 20).map(|index| char::from(b'a' + u8::try_from(index % 23).unwrap())).collect();
    let mut client = hub.connect().await;
    for _ in 0..2 {
        assert!(client.exchange(hub.post(&body)).await.body == body.as_bytes());
    }
}

#[tokio::test]
async fn a_body_is_asked_for_when_its_client_waits_for_that() {
    let hub = small().await;
    let mut client = hub.connect().await;
    let rest = format!("{JSON}expect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    client.send(hub.request("POST /mcp", &rest)).await;
    assert_eq!(client.head().await.status, 100);
    assert_eq!(client.exchange("{}").await.text(), "{}");
}

#[tokio::test]
async fn two_lengths_end_the_connection() {
    let hub = small().await;
    let mut client = hub.connect().await;
    let smuggled = hub.get("/healthz");
    let rest = format!("{JSON}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}");
    client.send(hub.request("POST /mcp", &rest)).await;
    assert_eq!(client.response().await.header("connection"), "close");
    assert!(client.closed().await, "what follows is not read as a request");
}

#[tokio::test]
async fn bad_framing_is_told_and_never_reaches_the_gateway() {
    let hub = small().await;
    for heads in [
        "content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        "content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        "content-length: +2\r\n\r\n{}",
        "transfer-encoding: gzip\r\n\r\n{}",
        "transfer-encoding: chunked\r\n\r\nxyz\r\n{}",
        "transfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        "transfer-encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
        "content-length : 2\r\n\r\n{}",
        " folded\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let mut client = hub.connect().await;
        client.exchange(hub.request("POST /mcp", &format!("{JSON}{heads}"))).await.assert_refusal(400);
        assert!(client.closed().await, "{heads}");
    }
    assert_eq!(hub.gateway.submissions(), 0);
}

#[tokio::test]
async fn requests_in_a_row_are_answered_in_their_order() {
    let hub = small().await;
    let mut client = hub.connect().await;
    let requests: String = (0..50).map(|number| hub.post(&format!("[{number}]"))).collect();
    client.send(requests).await;
    for number in 0..50 {
        assert_eq!(client.response().await.text(), format!("[{number}]"));
    }
}
