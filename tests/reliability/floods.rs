//! R10: a server that floods its outputs delays no answer and costs no memory.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::figures::{Figures, Scale};
use crate::hub::Hub;
use crate::stage::{Usage, door, server};

const PROMPT: f64 = 2000.0;
/// Twice the longest message: its buffer, and what it grows out of.
const GROWN_KIB: u64 = 20 << 10;

pub(crate) async fn prove(scale: Scale) -> Figures {
    let mut figures = Figures::new(scale);
    let bytes: u64 = scale.of(32 << 20, 1 << 30);
    let (hub, key) = Hub::with(&[("it", server()), ("other", server())]).await;
    let (door, other) = (door(&hub, "it", &key), door(&hub, "other", &key));
    for door in [&door, &other] {
        door.ask("echo", &json!({ "text": "well" })).await;
    }
    let before = Usage::of(hub.pid()).resident_kib;
    figures.say(format!("{} MiB of error output, and then of output without a line end", bytes >> 20));
    door.ask("stderr", &json!({ "bytes": bytes })).await;
    let (mut slowest, mut most, mut calls) = (Duration::ZERO, 0, 0);
    let mut line = door.connect().await;
    let mut watch = async |line: &mut crate::line::Line, door: &crate::line::Door| {
        let asked = Instant::now();
        let answer = line.exchange(&door.call("echo", &json!({ "text": "well" }))).await.json();
        assert_eq!(answer["result"]["content"][0]["text"], "well", "{answer}");
        slowest = slowest.max(asked.elapsed());
        most = most.max(Usage::of(hub.pid()).resident_kib);
        calls += 1;
    };
    let end = Instant::now() + Duration::from_secs(scale.of(2, 20));
    while Instant::now() < end {
        watch(&mut line, &door).await;
    }
    let flooded = tokio::spawn({
        let door = door.clone();
        async move { door.ask("stdout", &json!({ "bytes": bytes })).await }
    });
    let mut line_of_other = other.connect().await;
    while !flooded.is_finished() {
        watch(&mut line_of_other, &other).await;
    }
    // On a stream, if that took longer than a client likes to wait.
    let flooded = String::from_utf8(flooded.await.expect("an answer").body).expect("text");
    assert!(flooded.contains("still here"), "{flooded}");
    figures.say(format!("{calls} calls answered beside it, 0 lost"));
    figures.time("the slowest", slowest.as_secs_f64() * 1000.0, PROMPT, " ms");
    figures.at_most("memory grown by KiB", most.saturating_sub(before), GROWN_KIB);
    figures
}
