//! R11: clients that read a byte a second of large answers cost their share of memory, and nobody else anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::figures::{Figures, Scale};
use crate::hub::Hub;
use crate::line::{Door, calls_until, p99};
use crate::process::eventually;
use crate::stage::{Usage, door, key, server};

/// Of one answer.
const LARGE: usize = 4 << 20;
/// What a hub holds for the clients of one key.
const KEY_KIB: u64 = 16 << 10;
/// What else a run may cost: buffers of connections, what the server is answering.
const MORE_KIB: u64 = 48 << 10;
/// How long a write may wait.
const STALL: Duration = Duration::from_secs(30);

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (clients, keys) = scale.of((60, 1), (500, 10));
    let (hub, good) = Hub::with(&[("it", server())]).await;
    let good = door(&hub, "it", &good);
    let alone = calls_until(&good, Instant::now() + Duration::from_secs(scale.of(1, 5))).await;
    let before = Usage::of(hub.pid());
    let asked = Instant::now();
    let (mut slow, asking) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for number in 0..keys {
        let door = door(&hub, "it", &key(&hub, &format!("slow {number}")).await);
        for _ in 0..clients / keys {
            slow.spawn(read_slowly(door.clone(), Arc::clone(&asking)));
        }
    }
    let (mut most, mut beside) = (0, Vec::new());
    // The server answers one after the other: when it comes to this, all of them are answered.
    eventually("all have asked", Duration::from_mins(1), || asking.load(Relaxed) == clients).await;
    let last = good.ask("echo", &json!({ "text": "last" })).await;
    assert_eq!(last.status, 200, "{last:?}");
    most = most.max(Usage::of(hub.pid()).resident_kib);
    figures.say(format!("all are answered after {:.1} s", asked.elapsed().as_secs_f64()));
    let watched = Instant::now() + scale.of(Duration::from_secs(4), STALL + Duration::from_secs(5));
    while Instant::now() < watched {
        beside.extend(calls_until(&good, Instant::now() + Duration::from_millis(200)).await);
        most = most.max(Usage::of(hub.pid()).resident_kib);
    }
    let grown = most.saturating_sub(before.resident_kib);
    figures.say(format!("{clients} clients of {keys} keys that read 1 B/s of {} MiB each", LARGE >> 20));
    figures.at_most("memory grown by KiB", grown, KEY_KIB * u64::try_from(keys).unwrap_or(1) + MORE_KIB);
    figures.say(format!("a good client of the same server: {} calls answered, 0 lost", beside.len()));
    figures.say(format!("its p99 {:.1} ms, alone {:.1} ms", p99(beside), p99(alone)));
    assert!(slow.try_join_next().is_none() || scale == Scale::Long, "a slow reader was cut before its time");
    if scale == Scale::Long {
        sleep(Duration::from_secs(5)).await;
        let after = Usage::of(hub.pid());
        // Those that were told of the bound in place of an answer are idle, and keep their connections.
        let kept = after.resident_kib.saturating_sub(before.resident_kib);
        figures.at_most("memory that is left when the slow are cut, KiB", kept, MORE_KIB);
    }
    figures
}

/// Asks for a large answer and reads a byte of it each second, until the hub has had enough.
async fn read_slowly(door: Door, asked: Arc<AtomicUsize>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    // The system keeps little for a client that does not read: the rest is the hub's.
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket.connect(door.address.parse().expect("an address")).await.expect("a connection");
    let call = door.call("echo", &json!({ "pad": LARGE }));
    tokio::io::AsyncWriteExt::write_all(&mut stream, &call).await.expect("it is sent");
    asked.fetch_add(1, Relaxed);
    while stream.read_u8().await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
}
