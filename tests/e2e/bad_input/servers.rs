//! Servers that answer badly: what their caller is told, how soon, and that no other server suffers from it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::stage::server;
use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::text;
use crate::wire::Wire;

/// How a server behaves, the code of the error that its caller is told (`None`: an answer), a part of it, and how
/// soon it comes.
type Row = (&'static str, Option<i64>, &'static str, Duration);

/// Before the time-out, on a machine that has much else to do.
const SOON: Duration = Duration::from_secs(4);

/// The time that calls and starts are given in these tests.
const PATIENCE_S: u64 = 5;
const LATE: Duration = Duration::from_secs(12);

const ROWS: [Row; 20] = [
    ("good", None, "well", SOON),
    ("noise", None, "well", SOON),
    ("unknown ids", None, "well", SOON),
    ("answers twice", None, "well", SOON),
    ("wrong jsonrpc", Some(-31003), "\\\"jsonrpc\\\" must be", SOON),
    ("duplicate keys", Some(-31003), "the same key twice", SOON),
    ("invalid utf-8", Some(-31003), "not UTF-8", SOON),
    ("both result and error", Some(-31003), "more than one of", SOON),
    ("both method and result", Some(-31003), "more than one of", SOON),
    ("neither result nor error", Some(-31003), "neither a \\\"result\\\" nor an", SOON),
    ("gigabyte", Some(-31004), "\"limit\":\"message_bytes\"", LATE),
    ("gigabyte without an id", None, "well", LATE),
    ("complains", None, "well", LATE),
    ("complains without an end", None, "well", LATE),
    ("exits", Some(-31003), "exit code 3; the outcome is unknown", SOON),
    ("closes its output", Some(-31003), "the outcome is unknown", LATE),
    ("says nothing", Some(-31002), "did not answer within 5 s", LATE),
    ("never starts", Some(-31001), "did not answer", LATE),
    ("wrong version", Some(-31001), "revision 1999-01-01", LATE),
    ("not there", Some(-31001), "was not found", LATE),
];

#[tokio::test]
async fn a_server_that_answers_badly_is_told_of_and_harms_no_other() {
    let servers: Vec<(String, Server)> = ROWS.iter().map(|row| (name(row.0), behaving(row.0))).collect();
    let home = Home::new();
    let servers: Vec<(&str, Server)> =
        servers.iter().map(|(name, server)| (&**name, server.clone())).collect();
    home.configure(&servers);
    give_little_time(&home);
    let hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let good = Wire::legacy(hub.at("/servers/good/mcp"), &key, "2025-11-25").await;
    let mut complaints = Vec::new();
    for row in ROWS {
        complaints.extend(complaint(&hub, &key, row).await);
        let started = Instant::now();
        assert_eq!(good.call_for_text("echo", json!({ "message": "well" })).await, "well", "after {}", row.0);
        assert!(started.elapsed() < SOON, "{} holds another server up for {:?}", row.0, started.elapsed());
    }
    assert!(complaints.is_empty(), "{}\n{}", complaints.join("\n"), hub.log());
    let peak = peak_mib(&hub);
    assert!(peak < 200, "lines of a gigabyte have cost {peak} MiB");
}

fn name(behaviour: &str) -> String {
    behaviour.replace(' ', "-")
}

fn behaving(behaviour: &str) -> Server {
    if behaviour == "not there" {
        return Server::program("no-such-program".into());
    }
    server(behaviour)
}

/// What is wrong with how the hub copes with this server.
async fn complaint(hub: &Hub, key: &str, (behaviour, code, says, limit): Row) -> Option<String> {
    let wire = Wire::modern(hub.at(&format!("/servers/{}/mcp", name(behaviour))), key);
    let call = json!({ "name": "echo", "arguments": { "message": "well" } });
    let started = Instant::now();
    let answer = wire.ask(&json!(7), "tools/call", call).await;
    let took = started.elapsed();
    let shown = answer.to_string();
    let right = answer["error"]["code"].as_i64() == code && shown.contains(says) && took < limit;
    (!right).then(|| format!("{behaviour}: {code:?} {says:?}, but after {took:?}: {shown:.400}"))
}

/// Makes the hub give up soon.
fn give_little_time(home: &Home) {
    let config = std::fs::read(home.config()).expect("the configuration");
    let mut config: Value = serde_json::from_str(&text(&config)).expect("JSON");
    for entry in config["mcpServers"].as_object_mut().expect("a map").values_mut() {
        entry["timeout"] = json!(PATIENCE_S);
        entry["callTimeout"] = json!(PATIENCE_S);
    }
    home.write_config(&config.to_string());
}

/// The most memory that the hub has had.
fn peak_mib(hub: &Hub) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", hub.pid())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line of its memory");
    line.split_whitespace().nth(1).expect("kibibytes").parse::<u64>().expect("a number") / 1024
}
