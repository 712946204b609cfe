//! `mcp-orch calls`.

use std::process::ExitCode;

use anyhow::bail;
use orch_config::cli::Calls;
use orch_driver::{CallLine, CallQuery, CallSummary};

use crate::admin::{Answer, Request, ask};
use crate::terminal;

pub(crate) async fn run(args: Calls) -> anyhow::Result<ExitCode> {
    let query = CallQuery {
        server: args.server.clone(),
        tool: args.tool.clone(),
        key: args.key.clone(),
        only_failed: args.failed,
        within: args.since,
        limit: usize::try_from(args.limit)?,
    };
    let project = args.state.project.clone();
    if args.summary {
        let request = Request::CallSummary { project, query };
        let Answer::CallSummary(tools) = ask(&args.state.data_dir, request).await? else {
            bail!("unexpected answer")
        };
        summarize(&tools, args.json)?;
    } else {
        let request = Request::Calls { project, query };
        let Answer::Calls(calls) = ask(&args.state.data_dir, request).await? else {
            bail!("unexpected answer")
        };
        show(&calls, args.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(calls: &[CallLine], json: bool) -> anyhow::Result<()> {
    if calls.is_empty() {
        terminal::note("No calls that fit.");
    }
    for call in calls {
        let text = if json { serde_json::to_string(call)? } else { line(call) };
        if !terminal::is_read(&text) {
            break;
        }
    }
    Ok(())
}

fn line(call: &CallLine) -> String {
    let CallLine { timestamp, server, tool, key, revision, ms, asked, answered, outcome } = call;
    let (at, tool) = (terminal::moment(timestamp.0), terminal::harmless(tool));
    let key = key.as_deref().unwrap_or("-");
    let revision = if revision.is_empty() { "-" } else { revision };
    format!(
        "{at}  {outcome:<12}  {ms:>7} ms  {server}.{tool}  {asked} B -> {answered} B  key {key}  {revision}"
    )
}

fn summarize(tools: &[CallSummary], json: bool) -> anyhow::Result<()> {
    if json {
        for tool in tools {
            terminal::line(&serde_json::to_string(tool)?);
        }
        return Ok(());
    }
    if tools.is_empty() {
        terminal::note("No calls that fit.");
        return Ok(());
    }
    let head = ["TOOL", "CALLS", "FAILED", "P50 MS", "P99 MS", "MAX MS", "ASKED B", "ANSWERED B"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(tools.iter().map(|it| {
        let name = terminal::harmless(&format!("{}.{}", it.server, it.tool));
        let numbers = [it.calls, it.failed].map(|count| count.to_string());
        let times = [it.p50_ms, it.p99_ms, it.max_ms].map(|ms| ms.to_string());
        let bytes = [it.asked, it.answered].map(|bytes| bytes.to_string());
        [name].into_iter().chain(numbers).chain(times).chain(bytes).collect()
    }));
    terminal::table(&rows);
    Ok(())
}
