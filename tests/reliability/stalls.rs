//! R13: connections that begin something and do not go on are dropped, and hold up nobody.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::figures::{Figures, Scale};
use crate::hub::Hub;
use crate::line::{Door, calls_until, p99};
use crate::stage::{Usage, door, server};

/// The longest time that any of them is kept.
const DROPPED: Duration = Duration::from_secs(30);

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let count = scale.of(300, 5_000);
    let (hub, key) = Hub::with(&[("it", server())]).await;
    let door = door(&hub, "it", &key);
    let alone = calls_until(&door, Instant::now() + Duration::from_secs(scale.of(1, 5))).await;
    let before = Usage::of(hub.pid());
    let mut stalled = JoinSet::new();
    for number in 0..count {
        stalled.spawn(stall(door.clone(), number % 4));
        if number % 100 == 99 {
            // What overflows the queue of a listener is never connected, and nobody could drop it: once this is
            // answered, all before it have been accepted.
            door.ask("echo", &json!({})).await;
        }
    }
    let (mut beside, mut most) = (Vec::new(), before);
    while !stalled.is_empty() {
        beside.extend(calls_until(&door, Instant::now() + Duration::from_millis(500)).await);
        let now = Usage::of(hub.pid());
        if now.resident_kib > most.resident_kib {
            most = now;
        }
        while let Some(kept) = stalled.try_join_next() {
            let kept = kept.expect("a connection");
            assert!(kept.1 < DROPPED, "a connection of kind {} was kept for {:?}", kept.0, kept.1);
        }
    }
    figures.say(format!(
        "{count} connections: silent, in a head, in a body, trickling; all dropped within 30 s"
    ));
    figures.say(format!(
        "{} KiB of memory at most for each",
        (most.resident_kib.saturating_sub(before.resident_kib)) / u64::from(count)
    ));
    figures.say(format!("a good client beside them: {} calls answered, 0 lost", beside.len()));
    figures.time("its p99, of that alone", p99(beside) / p99(alone), 2.0, " times");
    let after = Usage::of(hub.pid());
    figures.at_most("descriptors that are left", after.descriptors, before.descriptors + 2);
    figures
}

/// Begins in one of some ways; how long the hub keeps it.
async fn stall(door: Door, way: u32) -> (u32, Duration) {
    let mut stream = TcpStream::connect(&door.address).await.expect("a connection");
    let started = Instant::now();
    let begins = match way {
        0 => Vec::new(),
        1 => b"P".to_vec(),
        2 => b"POST /mcp HTTP/1.1\r\n".to_vec(),
        _ => {
            let whole = door.request("POST", &[], &"{".repeat(100));
            whole[..whole.len() - 99].to_vec()
        }
    };
    stream.write_all(&begins).await.expect("it is sent");
    let (mut from, mut to) = stream.split();
    let mut rest = Vec::new();
    let trickle = async {
        loop {
            sleep(Duration::from_secs(5)).await;
            if way == 1 && to.write_all(b"O").await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = trickle => {}
        _closed = timeout(DROPPED * 2, from.read_to_end(&mut rest)) => {}
    }
    (way, started.elapsed())
}
