//! Claude Code, which speaks both eras: by itself it asks for the newer one first.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::peers;
use crate::process::{found, succeed};
use crate::stage::{REQUEST, Stage};

const DEADLINE: Duration = Duration::from_secs(20);

fn claude(stage: &Stage, program: &Path) -> Command {
    let mut command = stage.command(program);
    let programs = peers::claude_program();
    let mut path = vec![programs.parent().expect("it lies in a directory").to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").expect("a search path")));
    command.env("PATH", std::env::join_paths(path).expect("directories without colons"));
    command.env("ANTHROPIC_BASE_URL", &stage.model.url).env("ANTHROPIC_API_KEY", "none");
    command.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").env("DISABLE_AUTOUPDATER", "1");
    // Offers every tool at once, not a search for tools.
    command.env("ENABLE_TOOL_SEARCH", "false");
    command
}

/// Takes a turn with the hub at an endpoint, which has to be in that revision.
async fn turn(endpoint: &[&str], negotiation: Option<&str>, revision: &str) {
    take(&Stage::set().await, endpoint, negotiation, revision).await;
}

async fn take(stage: &Stage, endpoint: &[&str], negotiation: Option<&str>, revision: &str) {
    let mut add = claude(stage, &found("sh"));
    add.arg("-c").arg(stage.client_config("claude-code", endpoint).await);
    succeed(add, DEADLINE).await;

    let log = stage.home().join("debug.log");
    let mut agent = claude(stage, &peers::claude_program());
    agent.args(["--print", REQUEST, "--debug-file"]).arg(&log);
    agent.args(["--allowedTools", "mcp__mcp-orch", "mcp__everything"]);
    if let Some(negotiation) = negotiation {
        agent.env("MCP_PROTOCOL_NEGOTIATION", negotiation);
    }
    stage.play(agent).await;

    let log = std::fs::read_to_string(log).expect("a log");
    let negotiated: Vec<&str> =
        log.lines().filter(|line| line.contains("negotiatedProtocolVersion")).collect();
    let wanted = format!(r#""negotiatedProtocolVersion":"{revision}""#);
    let agreed = !negotiated.is_empty() && negotiated.iter().all(|line| line.contains(&wanted));
    assert!(agreed, "{revision}: {negotiated:#?}");
}

#[tokio::test]
async fn claude_code_takes_a_turn_with_all_servers() {
    turn(&[], None, "2026-07-28").await;
}

#[tokio::test]
async fn claude_code_has_a_plan_carried_out() {
    let stage = Stage::for_plans().await;
    take(&stage, &[], None, "2026-07-28").await;
    let heard = stage.model.memory();
    assert!(heard.contains("The sum of 2 and 3 is 5."), "what the second step made of the first: {heard}");
}

#[tokio::test]
async fn claude_code_takes_a_turn_in_the_revision_that_it_finds_best() {
    turn(&["--server", "everything"], Some("auto"), "2026-07-28").await;
}

#[tokio::test]
async fn claude_code_takes_a_turn_in_the_older_era() {
    turn(&["--server", "everything"], Some("legacy"), "2025-11-25").await;
}

#[tokio::test]
async fn claude_code_takes_a_turn_over_sse() {
    turn(&["--transport", "sse"], None, "2025-11-25").await;
}
