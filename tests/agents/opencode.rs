//! opencode, which takes whatever fails for a reason to try HTTP+SSE on the same URL.

use serde_json::json;

use crate::peers;
use crate::stage::{REQUEST, Stage, package};

async fn turn(endpoint: &[&str]) {
    let stage = Stage::set().await;
    let mut config = stage.client_config_json("opencode", endpoint).await;
    config["provider"]["stub"] = json!({
        "npm": "@ai-sdk/openai-compatible",
        "options": { "baseURL": format!("{}/v1", stage.model.url), "apiKey": "none" },
        "models": { "model": { "tool_call": true } },
    });
    config["model"] = json!("stub/model");
    config["small_model"] = json!("stub/model");
    config["autoupdate"] = json!(false);
    config["share"] = json!("disabled");
    stage.write(".config/opencode/opencode.json", &config.to_string());
    let package = package(&format!("opencode-linux-{}", peers::architecture()));
    let mut agent = stage.command(package.join("bin/opencode"));
    agent.args(["run", REQUEST]);
    agent.env("OPENCODE_DISABLE_AUTOUPDATE", "1").env("OPENCODE_DISABLE_MODELS_FETCH", "1");
    agent.env("OPENCODE_DISABLE_DEFAULT_PLUGINS", "1");
    // It installs the types of its plugins beside its configuration.
    agent.env("npm_config_offline", "true");
    stage.play(agent).await;
}

#[tokio::test]
async fn opencode_takes_a_turn_with_one_server() {
    turn(&["--server", "everything"]).await;
}

#[tokio::test]
async fn opencode_takes_a_turn_over_sse() {
    turn(&["--transport", "sse"]).await;
}
