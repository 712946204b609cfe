//! R12: sessions that are opened and abandoned cost little and are gone in the end, and a mixed load leaves nothing.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::figures::{Figures, Scale};
use crate::hub::Hub;
use crate::line::{Door, Line};
use crate::stage::{Usage, door, mib, server};

/// Clients at the same time.
const CLIENTS: usize = 16;
/// Of a session without a stream, and with one.
const IDLE_BYTES: u64 = 2 << 10;
const OPEN_BYTES: u64 = 16 << 10;

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let (sessions, streams) = scale.of((2_000, 200), (10_000, 1_000));
    let (hub, key) = Hub::with(&[("it", server())]).await;
    let door = door(&hub, "it", &key);
    // What the first sessions and calls cost is the hub's own.
    open(&door, 200).await;
    mixed(&door, Duration::from_secs(scale.of(2, 20))).await;
    sleep(Duration::from_secs(1)).await;
    let before = Usage::of(hub.pid());
    open(&door, sessions).await;
    sleep(Duration::from_secs(2)).await;
    let abandoned = Usage::of(hub.pid());
    let each = |grown: u64, count: usize| grown * 1024 / u64::try_from(count).unwrap_or(1);
    let cost = each(abandoned.resident_kib.saturating_sub(before.resident_kib), sessions);
    figures.say(format!("{sessions} sessions opened and abandoned"));
    figures.at_most("bytes of each", cost, IDLE_BYTES);
    figures.exactly("processes more:", abandoned.children - before.children, 0);
    figures.at_most("descriptors", abandoned.descriptors, before.descriptors + 2);
    let held = listen(&door, streams).await;
    let listening = Usage::of(hub.pid());
    let cost = each(listening.resident_kib.saturating_sub(abandoned.resident_kib), streams);
    figures.at_most(&format!("{streams} sessions with a stream, bytes of each"), cost, OPEN_BYTES);
    drop(held);
    load(&hub, &door, scale, &mut figures).await;
    figures
}

/// Works in a mixed way, and looks at what is left.
async fn load(hub: &Hub, door: &Door, scale: Scale, figures: &mut Figures) {
    mixed(door, Duration::from_secs(scale.of(5, 60))).await;
    sleep(Duration::from_secs(2)).await;
    let begin = Usage::of(hub.pid());
    let minutes =
        std::env::var_os("ORCH_SOAK_MINUTES").and_then(|it| it.to_str()?.parse().ok()).unwrap_or(30);
    let span = scale.of(Duration::from_mins(2), Duration::from_mins(minutes));
    let (end, mut calls) = (Instant::now() + span, 0);
    while Instant::now() < end {
        calls += mixed(door, Duration::from_mins(1).min(end - Instant::now())).await;
        if scale == Scale::Long {
            println!("    … {calls} calls, {:.1} MiB", mib(Usage::of(hub.pid()).resident_kib));
        }
    }
    sleep(Duration::from_secs(2)).await;
    let after = Usage::of(hub.pid());
    figures.say(format!("{} s of mixed load, {calls} calls, 0 lost", span.as_secs()));
    figures.say(format!(
        "{:.1} MiB before, {:.1} MiB after",
        mib(begin.resident_kib),
        mib(after.resident_kib)
    ));
    figures.at_most("memory after it, KiB", after.resident_kib, begin.resident_kib * 110 / 100 + 1024);
    figures.exactly("processes", after.children, begin.children);
    figures.at_most("descriptors", after.descriptors, begin.descriptors + 2);
}

/// Opens sessions, and leaves them.
async fn open(door: &Door, sessions: usize) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let door = door.clone();
        clients.spawn(async move {
            let mut line = door.connect().await;
            for _ in 0..sessions / CLIENTS {
                door.session(&mut line).await;
            }
        });
    }
    clients.join_all().await;
}

/// Sessions that listen.
async fn listen(door: &Door, streams: usize) -> Vec<Line> {
    let mut held = Vec::new();
    for _ in 0..streams {
        let mut line = door.connect().await;
        let session = door.session(&mut line).await;
        let headers = [("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Session-Id", session.as_str())];
        line.send(&door.request("GET", &headers, "")).await;
        let mut status = [0; 15];
        line.stream.read_exact(&mut status).await.expect("its head");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        held.push(line);
    }
    held
}

/// Calls of both eras, large and small, plain and with progress, sessions that end in order. How many calls.
async fn mixed(door: &Door, span: Duration) -> usize {
    let (mut clients, end) = (JoinSet::new(), Instant::now() + span);
    for number in 0..CLIENTS {
        let door = door.clone();
        clients.spawn(async move {
            let (mut line, mut calls) = (door.connect().await, 0);
            while Instant::now() < end {
                calls += turn(&door, &mut line, number).await;
            }
            calls
        });
    }
    clients.join_all().await.into_iter().sum()
}

async fn turn(door: &Door, line: &mut Line, number: usize) -> usize {
    let session = door.session(line).await;
    let mut calls = 0;
    for (tool, arguments) in [
        ("echo", json!({ "text": "small" })),
        ("echo", json!({ "pad": (number % 4) << 16 })),
        ("steps", json!({ "count": 5 })),
    ] {
        let answer = line.exchange(&door.call(tool, &arguments)).await;
        assert!(
            answer.status == 200 && answer.body.windows(8).any(|text| text == b"\"content"),
            "{answer:?}"
        );
        let message = json!({ "jsonrpc": "2.0", "id": "s", "method": "tools/call", "params": {
            "name": tool, "arguments": arguments, "_meta": { "progressToken": 7 } } });
        let answer = line.exchange(&door.message(Some(&session), &message)).await;
        assert!(
            answer.status == 200 && answer.body.windows(8).any(|text| text == b"\"content"),
            "{answer:?}"
        );
        calls += 2;
    }
    let headers = [("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Session-Id", session.as_str())];
    assert_eq!(line.exchange(&door.request("DELETE", &headers, "")).await.status, 204);
    calls
}
