//! A restart that nobody notices: sessions and the catalogue are in the store, and no process outlives its hub.

use std::fs::File;
use std::net::TcpListener;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{eventually, eventually_told, found, signal};
use crate::wire::{Wire, messages};

const ENDPOINTS: [(&str, &str); 2] = [("/servers/everything/mcp", "echo"), ("/mcp", "everything__echo")];

#[tokio::test]
async fn killed_hub_keeps_sessions_and_lists_tools_before_any_process_runs() {
    let (hub, key) = Hub::with(&[("everything", Server::everything().with_daemon())]).await;
    let mut before = Vec::new();
    for (path, echo) in ENDPOINTS {
        let wire = Wire::legacy(hub.at(path), &key, "2025-11-25").await;
        wire.call_for_text(echo, json!({ "message": "before" })).await;
        before.push((wire.list("tools").await, wire));
    }
    assert!(hub.home.processes_of("everything").len() >= 2, "the server and its daemon");
    let home = hub.kill();
    eventually("no process outlives its hub", Duration::from_secs(2), || home.processes().is_empty()).await;

    let hub = Hub::start(&home).await;
    let mut wires = Vec::new();
    for ((tools, wire), (path, echo)) in before.into_iter().zip(ENDPOINTS) {
        let wire = wire.moved(hub.at(path));
        assert_eq!(wire.list("tools").await, tools, "the tools of {path}");
        wires.push((wire, echo));
    }
    let discovered = Wire::modern(hub.at("/servers/everything/mcp"), &key);
    let discovered = discovered.ask(&json!(1), "server/discover", json!({})).await;
    assert!(discovered["result"]["capabilities"]["tools"].is_object(), "{discovered}");
    assert!(home.processes_of("everything").is_empty(), "a list needs no process");
    for (wire, echo) in wires {
        assert_eq!(wire.call_for_text(echo, json!({ "message": "after" })).await, "Echo: after");
    }
    assert!(!home.processes_of("everything").is_empty(), "a call needs one");
}

#[tokio::test]
async fn what_hub_and_shim_have_left_ends_with_the_next_start() {
    let home = Home::with(&[("left-behind", Server::everything().with_daemon())]);
    let hub = Hub::start_with(&home, |serve| serve.args(["--pid-namespaces", "never"])).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/servers/left-behind/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("echo", json!({ "message": "before" })).await;
    let shims = processes_called("mcp-orch\0shim\0left-behind\0");
    assert_eq!(shims.len(), 1, "one server, one shim");
    signal(&shims, Signal::STOP);
    let home = hub.kill();
    signal(&shims, Signal::KILL);
    let one_is_left = || home.processes().len() == 1;
    eventually("the server ends with its shim, and its daemon stays", Duration::from_secs(2), one_is_left)
        .await;
    let _hub = Hub::start(&home).await;
    assert!(home.processes_of("left-behind").is_empty(), "the next hub finds what is left");
}

#[tokio::test]
async fn a_shim_that_is_held_up_and_what_hides_below_it_end_with_the_next_start_by_their_lease() {
    // A daemon without an environment has nothing to be found by but what is above it.
    let hidden = format!("1000.{}", std::process::id());
    let script = format!("setsid env -i sleep {hidden} & exec \"$@\"");
    let everything = Server::everything();
    let mut args = vec!["-c".to_owned(), script, "sh".to_owned(), everything.command.display().to_string()];
    args.extend(everything.args.clone());
    let server = Server { command: found("sh"), args, ..everything };
    let home = Home::with(&[("held-up", server)]);
    let hub = Hub::start_with(&home, |serve| serve.args(["--pid-namespaces", "never"])).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/servers/held-up/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("echo", json!({ "message": "before" })).await;
    let shims = || processes_called("mcp-orch\0shim\0held-up\0");
    let daemons = || processes_called(&format!("sleep\0{hidden}\0"));
    let held_up = shims();
    assert_eq!((held_up.len(), daemons().len()), (1, 1), "one server, one shim, one daemon");
    signal(&held_up, Signal::STOP);
    let home = hub.kill();
    assert_eq!((shims().len(), daemons().len()), (1, 1), "who is held up ends nobody");
    let hub = Hub::start(&home).await;
    eventually("the next hub ends them", Duration::from_secs(2), || {
        shims().iter().all(|pid| !held_up.contains(pid)) && daemons().is_empty()
    })
    .await;
    assert!(hub.log().contains("processes of a dead instance ended by their leases"), "{}", hub.log());
}

#[tokio::test]
async fn a_call_that_a_killed_hub_owed_is_answered_by_the_next_one_that_its_outcome_is_unknown() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    let call = json!({ "jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": {
        "name": "trigger-long-running-operation",
        "arguments": { "duration": 60, "steps": 60 },
        "_meta": { "progressToken": "p" },
    }});
    let mut response = wire.post(&call).await;
    let mut heard = String::new();
    while !heard.contains("\"progress\":2") {
        let piece = response.chunk().await.expect("a stream").expect("more of it");
        heard.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    let cursor = heard.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id");
    let home = hub.kill();
    let hub = Hub::start(&home).await;
    let wire = wire.moved(hub.at("/servers/everything/mcp"));
    let rest = messages(wire.resume(cursor).await).await;
    let [answer] = rest.as_slice() else { panic!("the answer alone: {rest:?}") };
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("slow"), &json!(-31003)), "{answer}");
    assert_eq!(answer["error"]["data"]["outcome"], "unknown", "{answer}");
    assert!(home.processes_of("everything").is_empty(), "it is not made again");
}

#[tokio::test]
async fn the_next_hub_waits_a_moment_for_what_a_killed_one_has_left_to_let_go_of_store_and_port() {
    let hub = Hub::start(&Home::with(&[])).await;
    let address = hub.url.trim_start_matches("http://").to_owned();
    let home = hub.kill();
    // As a process that was just begun: it has the files of the hub until it runs a program of its own.
    let store = File::open(home.data().join("store.redb")).expect("a store");
    store.lock().expect("nobody else has it");
    let port = TcpListener::bind(&address).expect("nobody else has it");
    let letting_go = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(port);
        std::thread::sleep(Duration::from_millis(300));
        drop(store);
    });
    let (_, port) = address.rsplit_once(':').expect("a port");
    let next = Hub::start_at(&home, port).await;
    assert_eq!(next.url.trim_start_matches("http://"), address);
    letting_go.join().expect("it ends");
}

#[tokio::test]
async fn a_subscription_is_kept_by_the_next_hub() {
    const URI: &str = "demo://resource/dynamic/text/1";
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    let answer = wire.ask(&json!(1), "resources/subscribe", json!({ "uri": URI })).await;
    assert!(answer["result"].is_object(), "{answer}");
    let home = hub.kill();
    let hub = Hub::start(&home).await;
    let wire = wire.moved(hub.at("/servers/everything/mcp"));
    let mut stream = wire.listen().await;
    let mut heard = String::new();
    while !heard
        .contains(&format!(r#""method":"notifications/resources/updated","params":{{"uri":"{URI}"}}"#))
    {
        let piece = stream.chunk().await.expect("a stream").expect("more of it");
        heard.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    eventually("its server is there again", Duration::from_secs(10), || {
        !home.processes_of("everything").is_empty()
    })
    .await;
}

#[tokio::test]
async fn killed_server_is_started_again_by_the_next_call() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("echo", json!({ "message": "before" })).await;
    let first = hub.home.processes_of("everything");
    hub.home.kill_processes_of("everything");
    eventually("the process is gone", Duration::from_secs(5), || {
        hub.home.processes_of("everything").iter().all(|pid| !first.contains(pid))
    })
    .await;
    eventually_told("a call is answered again", Duration::from_secs(10), async || {
        let call = json!({ "name": "echo", "arguments": { "message": "after" } });
        let answer = wire.ask(&json!(1), "tools/call", call).await;
        answer["result"]["content"][0]["text"] == "Echo: after"
    })
    .await;
}

#[tokio::test]
async fn a_call_with_a_key_is_made_once_more_when_its_server_is_killed_and_answered_again_without_it() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    let wire = Wire::legacy(hub.at("/servers/everything/mcp"), &key, "2025-11-25").await;
    let call = json!({ "jsonrpc": "2.0", "id": "slow", "method": "tools/call", "params": {
        "name": "trigger-long-running-operation",
        "arguments": { "duration": 3, "steps": 3 },
        "_meta": { "progressToken": "p", "mcp-orch/idempotency-key": "once" },
    }});
    let mut response = wire.post(&call).await;
    let mut heard = String::new();
    while !heard.contains("\"progress\":1") {
        let piece = response.chunk().await.expect("a stream").expect("more of it");
        heard.push_str(std::str::from_utf8(&piece).expect("text"));
    }
    hub.home.kill_processes_of("everything");
    let first = messages(response).await.pop().expect("an answer");
    let text = first["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("Long running operation completed"), "{first}");

    hub.home.kill_processes_of("everything");
    let again = messages(wire.post(&call).await).await;
    assert_eq!(again, [first], "at once, and without a server");
}

/// The processes with exactly this command line, each argument ended by a NUL.
fn processes_called(line: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("a list of processes");
    let processes = entries.flatten().filter(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|found| found == line.as_bytes())
    });
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
