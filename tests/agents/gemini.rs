//! Gemini CLI, whose requests after the handshake do not name a revision.

use serde_json::json;

use crate::peers;
use crate::stage::{REQUEST, Stage, package};

async fn turn(endpoint: &[&str]) {
    let stage = Stage::set().await;
    let mut settings = stage.client_config_json("gemini", endpoint).await;
    settings["general"] = json!({ "enableAutoUpdate": false, "enableAutoUpdateNotification": false });
    settings["privacy"] = json!({ "usageStatisticsEnabled": false });
    settings["security"] =
        json!({ "auth": { "selectedType": "gemini-api-key" }, "folderTrust": { "enabled": false } });
    stage.write(".gemini/settings.json", &settings.to_string());
    let mut agent = stage.command(peers::newer_node());
    agent.arg(package("@google/gemini-cli").join("bundle/gemini.js"));
    agent.args(["--model", "model", "--approval-mode", "yolo", "--prompt", REQUEST]);
    agent.env("GEMINI_API_KEY", "none").env("GOOGLE_GEMINI_BASE_URL", &stage.model.url);
    stage.play(agent).await;
}

#[tokio::test]
async fn gemini_takes_a_turn_with_all_servers() {
    turn(&[]).await;
}

#[tokio::test]
async fn gemini_takes_a_turn_over_sse() {
    turn(&["--server", "everything", "--transport", "sse"]).await;
}
