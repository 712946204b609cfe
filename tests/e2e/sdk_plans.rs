//! Plans from a client on an official SDK, in both eras: what steps ask of it, each `on_error`, and a goal that its model plans.

use std::time::Duration;

use serde_json::{Value, json};

use crate::batches::home;
use crate::hub::Hub;
use crate::peers::python_client;
use crate::process::succeed;

const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_client_on_the_python_sdk_is_asked_what_steps_ask_in_either_era() {
    let hub = Hub::start(&home()).await;
    let key = hub.create_key().await;
    let said = json!({"said": {"action": "accept", "content": {"name": "Ada"}}});
    let used = json!({"b": {"said": {"of": "Ada"}}});
    let expected = [
        json!(["asks", "done", ["done", "done"], used]),
        json!(["two ask", "done", ["done", "done"], {"a": said, "c": said}]),
        json!(["ask in turn", "done", ["done", "done"], {"c": said}]),
        json!(["fail", "failed", ["failed", "skipped"], {"b": null}]),
        json!(["skip", "done", ["failed", "skipped"], {"b": null}]),
        json!(["continue", "done", ["failed", "done"], {"b": {"said": {}}}]),
        json!(["goal", "done", ["done", "done"], used]),
    ];
    for mode in ["legacy", "2026-07-28"] {
        let mut client = python_client("mcp2", "plans.py");
        client.args([&hub.at("/mcp"), &key, mode]);
        let told = succeed(client, PATIENCE).await;
        let told: Vec<Value> =
            told.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        assert_eq!(told, expected, "{mode}");
    }
}
