//! One endpoint for all servers of a project: what is merged, under which names, and what one bad server costs.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::hub::Hub;
use crate::peers::Server;
use crate::wire::Wire;

#[tokio::test]
async fn dead_server_is_marked_and_costs_the_others_nothing() {
    let (hub, key) = Hub::with(&[("everything", Server::everything()), ("dead", Server::dead())]).await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let started = Instant::now();
    let mut answer = wire.ask(&json!(1), "tools/list", json!({})).await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let result = answer["result"].take();
    assert!(names(&result).iter().any(|name| name == "everything__echo"), "{:?}", names(&result));
    let marks = result["_meta"]["mcp-orch/unavailable"].as_array().cloned().unwrap_or_default();
    let marked = marks.iter().any(|mark| mark["server"] == "dead" && mark["cause"].is_string());
    assert!(marked, "the dead server and why: {}", result["_meta"]);
    assert_eq!(wire.call_for_text("everything__echo", json!({ "message": "x" })).await, "Echo: x");

    let listed =
        crate::process::succeed(hub.home.program(&["list-servers", "--json"]), Duration::from_secs(10));
    assert!(listed.await.contains("dead"));
}

#[tokio::test]
async fn tools_of_a_server_that_dies_stay_listed() {
    // A server that can be made to fail at its next start.
    let directory = tempfile::TempDir::new().expect("a directory");
    let healthy = directory.path().join("healthy");
    std::fs::write(&healthy, "").expect("a file");
    let everything = Server::everything();
    let script = r#"[ -e "$0" ] || exit 1; exec "$@""#;
    let fragile = Server::program(crate::process::found("sh"))
        .arg("-c")
        .arg(script)
        .arg(healthy.display().to_string())
        .arg(everything.command.display().to_string())
        .arg(everything.args[0].clone());
    let (hub, key) = Hub::with(&[("fragile", fragile)]).await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    wire.call_for_text("fragile__echo", json!({ "message": "x" })).await;
    let before = wire.tools().await;

    std::fs::remove_file(healthy).expect("the file was there");
    hub.home.kill_processes_of("fragile");
    let call = json!({ "name": "fragile__echo", "arguments": { "message": "x" } });
    let refused = timeout(Duration::from_secs(40), wire.ask(&json!(1), "tools/call", call)).await;
    let refused = refused.expect("an answer, although the server cannot be started");
    assert!(refused.get("error").is_some() || refused["result"]["isError"] == true, "{refused}");
    assert_eq!(wire.tools().await, before, "the list of a server that cannot be started");
}

#[tokio::test]
async fn every_spelling_of_a_name_is_called_and_the_order_is_stable() {
    let (hub, key) = Hub::with(&[
        ("everything", Server::everything()),
        ("second", Server::everything()),
        ("thinking", Server::node("server-sequential-thinking")),
    ])
    .await;
    let url = hub.at("/mcp");
    let mut lists = Vec::new();
    for wire in [Wire::legacy(url.clone(), &key, "2025-03-26").await, Wire::modern(url, &key)] {
        for name in ["second__echo", "second.echo"] {
            assert_eq!(wire.call_for_text(name, json!({ "message": name })).await, format!("Echo: {name}"));
        }
        lists.push(wire.tools().await);
        lists.push(wire.tools().await);
    }
    for server in ["everything__", "second__", "thinking__"] {
        assert!(lists[0].iter().any(|name| name.starts_with(server)), "{:?}", lists[0]);
    }
    assert!(lists.iter().all(|list| *list == lists[0]), "{lists:#?}");
}

#[tokio::test]
async fn modern_lists_say_how_long_they_hold() {
    let (hub, key) = Hub::with(&[("everything", Server::everything())]).await;
    for path in ["/mcp", "/servers/everything/mcp"] {
        let wire = Wire::modern(hub.at(path), &key);
        for method in
            ["tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"]
        {
            let answer = wire.ask(&json!(1), method, json!({})).await;
            let result = &answer["result"];
            assert_eq!(result["resultType"], "complete", "{path} {method}: {answer}");
            assert!(result["ttlMs"].is_u64(), "{path} {method}: {answer}");
            assert!(
                matches!(result["cacheScope"].as_str(), Some("public" | "private")),
                "{path} {method}: {answer}"
            );
        }
    }
}

fn names(result: &Value) -> Vec<String> {
    let tools = result["tools"].as_array().unwrap_or_else(|| panic!("no tools in {result}"));
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}
