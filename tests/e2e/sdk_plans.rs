//! Plans from clients on the official SDKs, in both eras: what steps ask of them, each `on_error`, calls that are left, runs in the
//! background, goals that their models plan and they agree to, and a hub that is killed in the midst of a run.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::batches::{calls, ledger, server};
use crate::home::Home;
use crate::hub::Hub;
use crate::process::{eventually, succeed};

const PATIENCE: Duration = Duration::from_mins(1);

macro_rules! clients {
    ($($row:ident: $client:expr, $mode:literal;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $row() {
            super::check($client, $mode).await;
        }
    )*};
}

mod a_client_is_asked_leaves_comes_back_and_outlives_the_hub {
    use crate::peers::{node_client, python_client};

    clients! {
        on_the_python_sdk_in_sessions: python_client("mcp2", "plans.py"), "legacy";
        on_the_python_sdk_without_sessions: python_client("mcp2", "plans.py"), "2026-07-28";
        on_the_typescript_sdk_v1: node_client("plans.mjs"), "v1";
        on_the_typescript_sdk_v2_in_sessions: node_client("plans.mjs"), "legacy";
        on_the_typescript_sdk_v2_without_sessions: node_client("plans.mjs"), "2026-07-28";
    }
}

/// What a client does: a name, how it makes the call, the arguments, and how it ends.
struct Scene(&'static str, &'static str, Value, Value);

fn failing(on_error: &str) -> Value {
    json!({"steps": [
        {"id": "a", "tool": "t.once", "arguments": {"fail": on_error}, "on_error": on_error},
        {"id": "b", "tool": "t.safe", "depends_on": ["a"]},
    ]})
}

fn scenes() -> Vec<Scene> {
    let ask = json!({"id": "a", "tool": "t.ask"});
    let other = json!({"id": "c", "tool": "t.ask"});
    let after = json!({"id": "c", "tool": "t.ask", "depends_on": ["a"]});
    let uses = json!({"id": "b", "tool": "t.safe", "arguments": {"of": {"$from": "a", "path": "/said/content/name"}}});
    let said = json!({"said": {"action": "accept", "content": {"name": "Ada"}}});
    let named = json!({"b": {"said": {"of": "Ada"}}});
    let safe = |id: &str, after: &[&str], ms: u32| json!({"id": id, "tool": "t.safe", "arguments": {"ms": ms}, "depends_on": after});
    let once = |id: &str, after: &[&str]| json!({"id": id, "tool": "t.once", "arguments": {"step": id}, "depends_on": after});
    let goal = |plan: Value| json!({"goal": plan.to_string()});
    let done = |steps: usize, output: Value| json!(["done", vec!["done"; steps], output]);
    let refused = "nobody agreed to this plan, and it did not run";
    vec![
        Scene("asks", "call", json!({"steps": [ask, uses]}), done(2, named.clone())),
        Scene("two ask", "call", json!({"steps": [ask, other]}), done(2, json!({"a": said, "c": said}))),
        Scene("ask in turn", "call", json!({"steps": [ask, after]}), done(2, json!({"c": said}))),
        Scene("fail", "call", failing("fail"), json!(["failed", ["failed", "skipped"], {"b": null}])),
        Scene("skip", "call", failing("skip"), json!(["done", ["failed", "skipped"], {"b": null}])),
        Scene(
            "continue",
            "call",
            failing("continue"),
            json!(["done", ["failed", "done"], {"b": {"said": {}}}]),
        ),
        Scene("goal", "call", goal(json!({"steps": [ask, uses]})), done(2, named)),
        Scene(
            "refused goal",
            "call",
            goal(json!({"steps": [once("refused", &[])]})),
            json!([refused, [], null]),
        ),
        Scene(
            "background",
            "background",
            json!({"steps": [safe("a", &[], 200)]}),
            done(1, json!({"a": {"said": {"ms": 200}}})),
        ),
        Scene(
            "left",
            "cancel",
            json!({"steps": [safe("a", &[], 20), safe("b", &["a"], 60_000), once("c", &["b"])]}),
            json!(["cancelled", ["done", "unknown", "skipped"], {"c": null}]),
        ),
        Scene(
            "outlives the hub",
            "outlive",
            json!({"steps": [once("a", &[]), safe("b", &["a"], 1000), once("c", &["b"])]}),
            done(3, json!({"c": {"said": {"step": "c"}}})),
        ),
    ]
}

async fn check(mut client: Command, mode: &str) {
    let home = Home::new();
    home.configure_planner(&[("t", server(&home))], &json!({"provider": "client", "confirm": true}));
    let mut hub = Hub::start(&home).await;
    let key = hub.create_key().await;
    let (_, port) = hub.url.rsplit_once(':').expect("a port");
    let port = port.to_owned();
    let scenes = scenes();
    let asked: Vec<Value> = scenes.iter().map(|Scene(name, how, plan, _)| json!([name, how, plan])).collect();
    client.args([&hub.at("/mcp"), &key, mode, &hub.pid().to_string(), &Value::from(asked).to_string()]);
    let mut clients = JoinSet::new();
    let running = clients.spawn(succeed(client, PATIENCE));
    eventually("the client ends the hub", PATIENCE, || hub.has_ended() || running.is_finished()).await;
    let hub = if hub.has_ended() { Hub::start_at(&hub.kill(), &port).await } else { hub };
    let told = clients.join_next().await.expect("a client").expect("its words");
    let told: Vec<Value> =
        told.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let expected: Vec<Value> =
        scenes.iter().map(|Scene(name, _, _, end)| json!([name, end[0], end[1], end[2]])).collect();
    assert_eq!(told, expected, "{}", hub.log());
    let ledger = ledger(&hub.home);
    let twice: Vec<(String, usize)> = calls(&ledger).into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert_eq!(calls(&ledger).len(), 5, "three that fail, two beside the end of the hub");
    let cancelled = std::fs::read_to_string(ledger.with_extension("cancelled")).unwrap_or_default();
    assert_eq!(cancelled.lines().count(), 1, "the call that was under way: {cancelled}");
}
