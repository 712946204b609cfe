//! Cline's command line.

use serde_json::json;

use crate::peers;
use crate::stage::{REQUEST, Stage, package};

async fn turn(endpoint: &[&str]) {
    let stage = Stage::set().await;
    let servers = stage.client_config("cline", endpoint).await;
    stage.write(".cline/data/settings/cline_mcp_settings.json", &servers);
    let provider = json!({
        "settings": {
            "provider": "openai-compatible",
            "apiKey": "none",
            "model": "model",
            "baseUrl": format!("{}/v1", stage.model.url),
        },
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "tokenSource": "manual",
    });
    let providers = json!({
        "version": 1,
        "lastUsedProvider": "openai-compatible",
        "modes": {},
        "providers": { "openai-compatible": provider },
    });
    stage.write(".cline/data/settings/providers.json", &providers.to_string());
    let global = json!({ "autoUpdateEnabled": false, "telemetryOptOut": true });
    stage.write(".cline/data/settings/global-settings.json", &global.to_string());
    let package = package(&format!("@cline/cli-linux-{}", peers::architecture()));
    let mut agent = stage.command(package.join("bin/cline"));
    agent.args(["--json", REQUEST]);
    // In any other mode it leaves a daemon behind, at a port that all of a machine's Clines share.
    agent.env("CLINE_SESSION_BACKEND_MODE", "local");
    stage.play(agent).await;
}

#[tokio::test]
async fn cline_takes_a_turn_with_one_server() {
    turn(&["--server", "everything"]).await;
}

#[tokio::test]
async fn cline_takes_a_turn_over_sse() {
    turn(&["--transport", "sse"]).await;
}
