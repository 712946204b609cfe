//! Clients that begin something and do not go on.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::stage::{PATH, Stage};

/// All of these limits are shorter.
const DROPPED: Duration = Duration::from_secs(30);

/// Slower than this, somebody else is in the way.
const PROMPT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn clients_that_stall_in_any_way_are_dropped_and_hold_up_nobody() {
    let stage = Stage::new().await;
    let json = "Content-Type: application/json\r\n";
    let head = stage.head(&format!("POST {PATH}"));
    let whole = String::from_utf8(stage.post(&[], "{}")).expect("text");
    let half_a_body = format!("{head}{json}Content-Length: 100\r\n\r\n{{");
    let beginnings = [
        String::new(),
        "P".to_owned(),
        "POST /mcp HTTP/1.1\r\n".to_owned(),
        format!("{head}{json}"),
        format!("{head}{json}Content-Length: 100\r\n\r\n"),
        half_a_body.clone(),
        format!("{head}{json}Transfer-Encoding: chunked\r\n\r\n5\r\n{{"),
        format!("{head}{json}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"),
        // A second request that does not go on, after one that is answered and keeps the connection.
        format!("{}POST /mcp HT", whole.replace("Connection: close\r\n", "")),
    ];
    let mut stalled = JoinSet::new();
    for beginning in beginnings.iter().cycle().take(36) {
        stalled.spawn(dropped(stage.address.clone(), beginning.clone(), None));
    }
    for trickle in [String::new(), half_a_body] {
        stalled.spawn(dropped(stage.address.clone(), trickle, Some(Duration::from_millis(500))));
    }
    for _ in 0..10 {
        let started = Instant::now();
        stage.serves_others().await;
        assert!(started.elapsed() < PROMPT, "a good client waited {:?}", started.elapsed());
    }
    for took in stalled.join_all().await {
        assert!(took < DROPPED, "a stalled client was kept for {took:?}");
    }
    stage.serves_others().await;
}

/// How long the hub keeps a client that says so much, and then nothing, or a byte from time to time.
async fn dropped(address: String, beginning: String, pause: Option<Duration>) -> Duration {
    let started = Instant::now();
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    connection.write_all(beginning.as_bytes()).await.expect("the beginning is sent");
    let (mut from, mut to) = connection.split();
    let trickle = async {
        while let Some(pause) = pause {
            sleep(pause).await;
            if to.write_all(b"a").await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let closed = async {
        let _reset = from.read_to_end(&mut answer).await;
    };
    let ended = async {
        tokio::select! {
            () = trickle => {}
            () = closed => {}
        }
    };
    let _late = timeout(DROPPED * 2, ended).await;
    started.elapsed()
}

#[tokio::test]
async fn a_client_that_closes_its_half_or_leaves_in_its_request_harms_nobody() {
    let stage = Stage::new().await;
    let whole = stage.post(&[], r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
    for length in [0, 1, 20, whole.len() / 2, whole.len() - 1, whole.len()] {
        for half in [true, false] {
            let mut connection = TcpStream::connect(&stage.address).await.expect("a connection");
            connection.write_all(&whole[..length]).await.expect("a part of the request is sent");
            if half {
                connection.shutdown().await.expect("half of the connection is closed");
                let mut answer = Vec::new();
                let ended = timeout(PROMPT, connection.read_to_end(&mut answer)).await;
                assert!(ended.is_ok(), "the hub waits for a client that has said its last word at {length}");
            } else {
                drop(connection);
            }
            stage.serves_others().await;
        }
    }
}
