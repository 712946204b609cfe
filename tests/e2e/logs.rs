//! What servers said and what has happened to them, as `mcp-orch logs` shows it.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, eventually, eventually_told, found, succeed};
use crate::wire::Wire;

const DEADLINE: Duration = Duration::from_secs(20);

/// A server of one tool, `work`, that says `began` on its error output and does `work` when it is called.
fn python(work: &str) -> Server {
    let program = format!(
        r#"
import json, os, sys, time
def say(**message): print(json.dumps({{"jsonrpc": "2.0", **message}}), flush=True)
os.write(2, b"began\n")
for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params") or {{}}
    if method == "initialize":
        say(id=id, result={{"protocolVersion": "2025-11-25", "capabilities": {{"tools": {{}}, "logging": {{}}}},
            "serverInfo": {{"name": "it", "version": "1"}}}})
    elif method == "tools/list":
        say(id=id, result={{"tools": [{{"name": "work", "inputSchema": {{"type": "object"}}}}]}})
    elif method == "tools/call":
        {work}
    elif id is not None:
        say(id=id, error={{"code": -32601, "message": "what?"}})
"#
    );
    Server::program(found("python3")).arg("-c").arg(program)
}

/// What `mcp-orch logs` finds.
async fn logs(home: &Home, words: &[&str]) -> Vec<Value> {
    let found = succeed(home.program(&[&["logs", "--json"], words].concat()), DEADLINE).await;
    found.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect()
}

fn call() -> Value {
    json!({ "name": "work", "arguments": { "password": "hunter2" } })
}

#[tokio::test]
async fn what_a_server_wrote_and_did_is_found_and_its_secrets_are_not() {
    let server = python(
        r#"
        key = os.environ["KEY"]
        print("ERROR: no access with", key, file=sys.stderr, flush=True)
        say(method="notifications/message", params={"level": "warning", "logger": "db", "data": {"key": key}})
        say(id=id, result={"content": [{"type": "text", "text": "no " + str(params)}], "isError": True})
        if "end" in params["arguments"]: sys.exit(7)
"#
        .trim(),
    );
    let home = Home::with(&[("it", server.env("KEY", "${SECRET_KEY}"))]);
    let hub = Hub::start_with(&home, |command| command.env("SECRET_KEY", "s3cret-value")).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/servers/it/mcp"), &key, "2025-11-25").await;
    wire.ask(&json!(1), "tools/call", call()).await;
    let found = logs(&home, &["it"]).await;
    let seen = |source: &str, level: &str, category: &str, words: &str| {
        let fits = |it: &&Value| {
            it["source"] == source
                && it["level"] == level
                && it["category"] == category
                && it["message"].as_str().is_some_and(|message| message.contains(words))
        };
        let entry = found.iter().find(fits).unwrap_or_else(|| panic!("no {words}: {found:#?}"));
        assert_eq!(entry["server"], "it");
        entry["details"].clone()
    };
    seen("stderr", "INFO", "STATUS_CHECK", "began");
    seen("stderr", "ERROR", "ERROR", "ERROR: no access with [secret]");
    let details = seen("protocol", "WARNING", "STATUS_CHECK", r#"{"key": "[secret]"}"#);
    assert_eq!(details, json!({ "logger": "db" }));
    let details = seen("hub", "WARNING", "TOOL_EXECUTION", "tool work failed after");
    assert_eq!((&details["tool"], &details["outcome"]), (&json!("work"), &json!("isError")));
    seen("hub", "INFO", "CONNECTION", "started: it speaks 2025-11-25, process ");
    seen("hub", "INFO", "CONFIGURATION", "offers 1 tools");

    let mut end = call();
    end["arguments"]["end"] = json!(true);
    wire.ask(&json!(2), "tools/call", end).await;
    eventually_told("its end is found", DEADLINE, async || {
        let words = "stopped: its process ended with exit code 7";
        let errors = logs(&home, &["it", "--errors", "--since", "1h"]).await;
        errors.iter().any(|it| it["message"].as_str().is_some_and(|message| message.contains(words)))
    })
    .await;
    let text = succeed(home.program(&["logs"]), DEADLINE).await;
    assert!(text.contains(" ERROR     it  stopped: its process ended with exit code 7"), "{text}");
    assert!(!text.contains("s3cret-value") && !text.contains("hunter2"), "{text}");
    let listed = succeed(home.program(&["list-servers"]), DEADLINE).await;
    assert!(listed.contains("mcp-orch logs it") || !listed.contains("exit code 7"), "{listed}");

    let summary = succeed(home.program(&["logs", "it", "--summary"]), DEADLINE).await;
    assert!(summary.contains("TOOL_EXECUTION  2") && summary.contains("The last error:"), "{summary}");
    let refused = process::run(home.program(&["logs", "nobody"]), DEADLINE).await;
    assert!(process::text(&refused.stderr).contains("there is no server nobody; the servers are: hub, it"));
    drop(hub);
    let kept = logs(&home, &["it", "--limit", "10000"]).await;
    assert!(kept.len() >= found.len(), "they are there without a hub");
    let stored = std::fs::read(home.data().join("store.redb")).expect("the database");
    for secret in [&b"s3cret-value"[..], b"hunter2"] {
        assert!(!stored.windows(secret.len()).any(|window| window == secret), "it is in the database");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let removed = succeed(home.program(&["logs", "--cleanup", "--older-than", "1s"]), DEADLINE).await;
    assert_eq!(removed.trim(), format!("{} entries removed.", kept.len()));
    assert_eq!(logs(&home, &[]).await, [Value::Null; 0]);
}

#[tokio::test]
async fn logs_are_followed_as_they_come() {
    let server = python(r#"os.write(2, b"was called\n"); say(id=id, result={"content": []})"#);
    let (hub, key) = Hub::with(&[("it", server)]).await;
    let wire = Wire::legacy(hub.at("/servers/it/mcp"), &key, "2025-11-25").await;
    let mut follow = hub.home.program(&["logs", "it", "--follow", "--limit", "1"]);
    let file = hub.home.path().join("followed");
    follow.stdout(std::fs::File::create(&file).expect("a file"));
    let mut follow = follow.spawn().expect("it starts");
    let times = |words: &str| std::fs::read_to_string(&file).expect("the file").matches(words).count();
    eventually("it has begun", DEADLINE, || times("UTC") == 1).await;
    wire.ask(&json!(1), "tools/call", call()).await;
    eventually("it comes", DEADLINE, || times("was called") == 1).await;
    wire.ask(&json!(2), "tools/call", call()).await;
    eventually("it comes", DEADLINE, || times("was called") == 2).await;
    follow.kill().expect("a signal");
    follow.wait().expect("its end");
}

#[tokio::test]
async fn flood_of_error_output_delays_no_call_and_costs_no_memory() {
    const FLOOD: u64 = 64 << 20;
    let work = r#"
        say(id=id, result={"content": [{"type": "text", "text": "done"}]})
        if "flood" in params["arguments"] and os.fork() == 0:
            for _ in range(1 << 10): os.write(2, b"no news is good news, and this is no news....................\n" * 1024)
            os._exit(0)
"#;
    let (hub, key) = Hub::with(&[("it", python(work.trim()))]).await;
    let wire = Wire::legacy(hub.at("/servers/it/mcp"), &key, "2025-11-25").await;
    wire.ask(&json!(0), "tools/call", call()).await;
    let before = resident_kib(hub.pid());
    let mut flood = call();
    flood["arguments"]["flood"] = json!(true);
    wire.ask(&json!(1), "tools/call", flood).await;
    let (mut slowest, mut most) = (Duration::ZERO, before);
    let of_drops = async || {
        let found = logs(&hub.home, &["it", "--limit", "10000"]).await;
        found.into_iter().filter(|it| !it["details"]["dropped_bytes"].is_null()).collect::<Vec<_>>()
    };
    let begin = Instant::now();
    let mut drops = Vec::new();
    let mut number = 2;
    while drops.is_empty() {
        assert!(begin.elapsed() < Duration::from_mins(1), "nothing was dropped");
        for _ in 0..20 {
            number += 1;
            let asked = Instant::now();
            let answer = wire.ask(&json!(number), "tools/call", call()).await;
            slowest = slowest.max(asked.elapsed());
            most = most.max(resident_kib(hub.pid()));
            assert_eq!(answer["result"]["content"][0]["text"], "done", "{answer}");
        }
        drops = of_drops().await;
    }
    // What was asked for meanwhile has counted what had been dropped by then.
    eventually_told("all is counted", DEADLINE, async || {
        let dropped: u64 =
            of_drops().await.iter().filter_map(|it| it["details"]["dropped_bytes"].as_u64()).sum();
        dropped > FLOOD / 10 * 9
    })
    .await;
    let (count, grown) = (of_drops().await.len(), most.saturating_sub(before));
    println!("slowest call {slowest:?}, {grown} KiB more, {count} counts of what was dropped");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(grown < 16 * 1024, "{grown} KiB");
}

#[tokio::test]
async fn logs_survive_the_death_of_the_hub() {
    let work = r#"os.write(2, b"call %d\n" % params["arguments"]["n"]); say(id=id, result={"content": []})"#;
    let (hub, key) = Hub::with(&[("it", python(work))]).await;
    let wire = Wire::legacy(hub.at("/servers/it/mcp"), &key, "2025-11-25").await;
    for n in 0..20 {
        wire.ask(&json!(n), "tools/call", json!({ "name": "work", "arguments": { "n": n } })).await;
    }
    // Nobody asks for them: they are written by themselves, at most 250 ms later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let home = hub.kill();
    home.kill_processes_of("it");
    let found = logs(&home, &["it"]).await;
    let calls = found.iter().filter(|it| it["message"].as_str().is_some_and(|it| it.starts_with("call ")));
    assert_eq!(calls.count(), 20, "{found:#?}");
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a live process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its size");
    line.split_whitespace().nth(1).and_then(|size| size.parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_hub_whose_log_cannot_be_written_goes_on() {
    let home = Home::with(&[("everything", Server::everything())]);
    // Each write there says that the disk is full.
    std::os::unix::fs::symlink("/dev/full", home.path().join("hub.log")).expect("a link");
    let mut hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    for round in ["one", "two", "three"] {
        let said = wire.call_for_text("echo", json!({ "message": round })).await;
        assert_eq!(said, format!("Echo: {round}"));
        // What ends is logged, and so is what is started for the next call.
        home.kill_processes_of("everything");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(!hub.has_ended(), "a log is not what it lives of");
}
