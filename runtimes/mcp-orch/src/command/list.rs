//! `mcp-orch list-servers` and `mcp-orch list-tools`.

use std::process::ExitCode;

use anyhow::bail;
use orch_config::cli::{ListServers, ListTools};
use orch_core::hub::ServerView;

use crate::admin::{Answer, Request, ask};
use crate::terminal;

pub(crate) async fn servers(args: ListServers) -> anyhow::Result<ExitCode> {
    let request = Request::Servers { project: args.state.project };
    let Answer::Servers(servers) = ask(&args.state.data_dir, request).await? else {
        bail!("unexpected answer")
    };
    if args.json {
        terminal::line(&serde_json::to_string_pretty(&servers)?);
        return Ok(ExitCode::SUCCESS);
    }
    let head =
        ["NAME", "CONFIGURED", "STATE", "HEALTH", "ISOLATION", "PROTOCOL", "TOOLS", "PROMPTS", "RESOURCES"];
    let mut rows = vec![head.map(ToOwned::to_owned).to_vec()];
    rows.extend(servers.iter().map(row));
    terminal::table(&rows);
    for server in &servers {
        if let Some(words) = server.isolation.as_deref().filter(|it| it.contains("degraded")) {
            terminal::line(&format!("\n{}: isolation {words}; see mcp-orch doctor", server.name));
        }
        if server.interactive {
            terminal::line(&format!("\n{}: {}", server.name, asks(server)));
        }
        if let Some(cause) = &server.cause {
            terminal::line(&format!("\n{}: {cause}", server.name));
            if let Some(words) = &server.last_output {
                terminal::line(&format!("  its last output: {words}"));
            }
            if let Some(step) = &server.next_step {
                terminal::line(&format!("  {step}"));
            }
            terminal::line(&format!("  more of it: mcp-orch logs {}", server.name));
        } else if let (Some(cause), Some(at)) = (&server.last_failure, server.failed_at) {
            terminal::line(&format!(
                "\n{} is well again; it failed at {}: {cause}",
                server.name,
                terminal::moment(at)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What it means that a server asks its clients.
fn asks(server: &ServerView) -> String {
    let (own, one, more) = if server.remote {
        ("session with it", "session", "sessions")
    } else {
        ("process", "process", "processes")
    };
    let count = server.processes;
    let noun = if count == 1 { one } else { more };
    let who = match &*server.sharing {
        "per-session" => format!("each session has a {own} of its own"),
        "per-user" => format!("each key has a {own} of its own"),
        "shared" => format!("all share one {own}, and it can ask only while a single call is in flight"),
        _ => format!("each session that can answer has a {own} of its own"),
    };
    format!(
        "it asks its clients for something; {who} ({count} {noun} now, \"sharing\": \"{}\")",
        server.sharing
    )
}

/// In one word; a mark says that there is more to say.
fn isolation(server: &ServerView) -> String {
    match server.isolation.as_deref().map(|it| it.split_once(',').ok_or(it)) {
        None => "-".to_owned(),
        Some(Err(whole)) => whole.to_owned(),
        Some(Ok((name, _degraded))) => format!("{name} (!)"),
    }
}

fn row(server: &ServerView) -> Vec<String> {
    let count = |of: fn(&orch_core::hub::Counts) -> usize| {
        server.counts.as_ref().map_or_else(|| "?".to_owned(), |counts| of(counts).to_string())
    };
    vec![
        server.name.clone(),
        server.configured.clone(),
        server.state.clone(),
        server.health.clone(),
        isolation(server),
        server.revision.clone().unwrap_or_else(|| "?".to_owned()),
        count(|counts| counts.tools),
        count(|counts| counts.prompts),
        count(|counts| counts.resources),
    ]
}

pub(crate) async fn tools(args: ListTools) -> anyhow::Result<ExitCode> {
    let project = args.state.project;
    let request = Request::Tools { project: project.clone(), server: args.server.clone() };
    let Answer::Tools(tools) = ask(&args.state.data_dir, request).await? else { bail!("unexpected answer") };
    if args.json {
        terminal::line(&serde_json::to_string_pretty(&tools)?);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> =
        tools.iter().map(|tool| vec![tool.name.clone(), tool.description.clone()]).collect();
    terminal::table(&rows);
    note_failures(&args.state.data_dir, project, args.server.as_deref()).await
}

/// A list that lacks a server says so, and why.
async fn note_failures(
    data_dir: &std::path::Path,
    project: String,
    only: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let Answer::Servers(servers) = ask(data_dir, Request::Servers { project }).await? else {
        bail!("unexpected answer")
    };
    let mut code = ExitCode::SUCCESS;
    for server in servers.iter().filter(|server| only.is_none_or(|name| name == server.name)) {
        if let Some(cause) = &server.cause {
            terminal::note(&format!("\n{} failed: {cause}", server.name));
            if let Some(words) = &server.last_output {
                terminal::note(&format!("  its last output: {words}"));
            }
            code = if only.is_some() { ExitCode::FAILURE } else { code };
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_server_has_sessions_and_any_other_has_processes() {
        for (remote, processes, words) in [
            (false, 1, "has a process of its own (1 process now"),
            (false, 2, "has a process of its own (2 processes now"),
            (true, 1, "has a session with it of its own (1 session now"),
            (true, 3, "has a session with it of its own (3 sessions now"),
        ] {
            let view = serde_json::json!({
                "name": "a", "configured": "enabled", "state": "running", "health": "ok",
                "remote": remote, "processes": processes, "interactive": true,
            });
            let view: ServerView = serde_json::from_value(view).expect("a server");
            assert!(asks(&view).contains(words), "{}", asks(&view));
        }
    }
}
