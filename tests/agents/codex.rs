//! Codex, which offers its model the tools of a server in a namespace.

use serde_json::json;

use crate::peers;
use crate::stage::{REQUEST, Stage, package};

async fn turn(endpoint: &[&str]) {
    let stage = Stage::set().await;
    let hub = stage.client_config("codex", endpoint).await;
    let model = json!(format!("{}/v1", stage.model.url));
    let config = format!(
        r#"model = "model"
model_provider = "stub"
approval_policy = "never"
sandbox_mode = "read-only"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.stub]
name = "stub"
base_url = {model}
wire_api = "responses"

{hub}
"#
    );
    stage.write(".codex/config.toml", &config);
    let architecture = std::env::consts::ARCH;
    let program = format!("vendor/{architecture}-unknown-linux-musl/bin/codex");
    let package = package(&format!("@openai/codex-linux-{}", peers::architecture()));
    let mut agent = stage.command(package.join(program));
    agent.args(["exec", "--skip-git-repo-check", REQUEST]);
    stage.play(agent).await;
}

#[tokio::test]
async fn codex_takes_a_turn_with_all_servers() {
    turn(&[]).await;
}

#[tokio::test]
async fn codex_takes_a_turn_with_one_server() {
    turn(&["--server", "everything"]).await;
}
