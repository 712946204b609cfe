//! The first minute: what the hub prints, and what there is to call.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::home::Home;
use crate::hub::Hub;
use crate::peers::Server;
use crate::process::{self, succeed};
use crate::wire::Wire;

const DEADLINE: Duration = Duration::from_secs(20);
const KEY: &str = "mcp_proj_";

#[tokio::test]
async fn first_start_prints_a_key_that_works_and_later_starts_print_none() {
    let home = Home::with(&[("everything", Server::everything())]);
    let hub = Hub::start(&home).await;
    let line = hub.line(|line| line.contains(KEY)).await;
    let key = key_in(&line);
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    assert!(wire.tools().await.contains(&"everything__echo".to_owned()));
    drop(hub);

    let hub = Hub::start(&home).await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    assert_eq!(wire.call_for_text("everything__echo", json!({ "message": "again" })).await, "Echo: again");
    assert!(!hub.log().contains(KEY), "a key is shown only once: {}", hub.log());
}

#[tokio::test]
async fn welcome_names_the_endpoints_and_the_line_to_paste() {
    let home = Home::with(&[("everything", Server::everything())]);
    let hub = Hub::start(&home).await;
    let paste = hub.line(|line| line.contains("claude mcp add --transport http")).await;
    assert!(paste.contains(&hub.url), "{paste}");
    assert!(paste.contains(KEY), "{paste}");
    for endpoint in ["/servers/everything/mcp", "/mcp"] {
        hub.line(|line| line.contains(&hub.at(endpoint))).await;
    }
}

#[tokio::test]
async fn without_a_configuration_the_hub_itself_can_be_called() {
    let hub = Hub::start(&Home::new()).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let tools = wire.tools().await;
    assert!(!tools.is_empty() && tools.iter().all(|tool| tool.starts_with("hub__")), "{tools:?}");
    let lister = tools.iter().find(|tool| tool.contains("list") && tool.contains("server"));
    let lister = lister.unwrap_or_else(|| panic!("no tool lists servers: {tools:?}"));
    let result = wire.call(&json!(1), lister, json!({})).await;
    assert_ne!(result["isError"], true, "{result}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_before_a_server_was_seen_wait_for_it() {
    // What one of them offers is known a moment before what the other does, and must not be taken for it.
    let thinking = Server::node("server-sequential-thinking");
    let (hub, key) = Hub::with(&[("everything", Server::everything()), ("thinking", thinking)]).await;
    let url = hub.at("/servers/everything/mcp");
    let mut clients = JoinSet::new();
    for client in 0..32 {
        let (url, key) = (url.clone(), key.clone());
        clients.spawn(async move {
            if client % 2 == 0 {
                return Wire::legacy(url, &key, "2025-11-25").await.tools().await;
            }
            let wire = Wire::modern(url, &key);
            let discovered = wire.ask(&json!(1), "server/discover", json!({})).await;
            assert!(discovered["result"]["capabilities"]["tools"].is_object(), "{discovered}");
            wire.tools().await
        });
    }
    for tools in clients.join_all().await {
        assert!(tools.contains(&"echo".to_owned()), "{tools:?}");
    }
}

#[tokio::test]
async fn revoked_key_stops_working_at_once() {
    let (hub, key) = Hub::with(&[]).await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let listed = succeed(hub.home.program(&["keys", "list", "--json"]), DEADLINE).await;
    assert!(!listed.contains(&key), "a list must not show a secret: {listed}");
    let id = key.trim_start_matches(KEY).split('_').next().expect("an id in the key");
    succeed(hub.home.program(&["keys", "revoke", id]), DEADLINE).await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    assert_eq!(wire.post(&ping).await.status(), 401);
}

#[tokio::test]
async fn command_line_lists_servers_lists_tools_and_calls_one() {
    let (hub, _) = Hub::with(&[("everything", Server::everything())]).await;
    let ask = async |words: &[&str]| succeed(hub.home.program(words), DEADLINE).await;
    assert!(ask(&["list-servers"]).await.contains("everything"));
    assert!(ask(&["list-tools", "--server", "everything"]).await.contains("everything.echo"));
    let answer = ask(&["call", "everything.echo", "--args", r#"{"message":"from a shell"}"#]).await;
    assert!(answer.contains("Echo: from a shell"), "{answer}");
}

#[tokio::test]
async fn check_reads_a_configuration_and_starts_nothing() {
    let home = Home::with(&[("everything", Server::everything())]);
    let mut check = process::command(crate::binary::hub());
    check.arg("check").arg(home.config());
    succeed(check, DEADLINE).await;

    home.write_config("{ \"mcpServers\": { \"everything\": { \"command\": 1 } } }");
    let mut check = process::command(crate::binary::hub());
    check.arg("check").arg(home.config());
    let refusal = process::run(check, DEADLINE).await;
    assert!(!refusal.status.success());
    let complaint = process::text(&refusal.stderr) + &process::text(&refusal.stdout);
    assert!(complaint.contains("mcp-config.json:1:"), "the place of the mistake: {complaint}");
}

/// The key that a line of the welcome holds.
fn key_in(line: &str) -> String {
    let (_, rest) = line.split_once(KEY).expect("a key");
    let rest: String =
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    format!("{KEY}{rest}")
}
