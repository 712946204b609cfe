//! `mcp-orch logs`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use orch_config::cli::Logs;
use orch_core::LogId;
use orch_core::record::LogEntry;
use orch_driver::{LogQuery, LogSummary};
use serde_json::Value;

use crate::admin::{Answer, Request, ask, is_running};
use crate::terminal;

/// The pause between two looks for more.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: Logs) -> anyhow::Result<ExitCode> {
    match args.older_than {
        Some(older_than) => clean(&args, older_than).await,
        None if args.summary => summarize(&args).await,
        None => show(&args).await,
    }
}

async fn show(args: &Logs) -> anyhow::Result<ExitCode> {
    let entries = newest(args).await?;
    if entries.is_empty() && !args.follow {
        terminal::note("Nothing that fits.");
    }
    let mut last = entries.last().map_or(LogId::FIRST, |entry| entry.id);
    let mut read = print(args, &entries)?;
    while args.follow && read {
        // Without a hub nothing comes, and its directory is left to the next one.
        let comes = is_running(&args.state.data_dir).await;
        let query = LogQuery { after: Some(last), ..query(args) };
        let entries = if comes { find(args, query).await? } else { Vec::new() };
        last = entries.last().map_or(last, |entry| entry.id);
        read = print(args, &entries)?;
        if entries.len() < LogQuery::MOST {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// As many of the newest entries as are wanted, oldest first.
async fn newest(args: &Logs) -> anyhow::Result<Vec<LogEntry>> {
    let mut wanted = usize::try_from(args.limit)?;
    let mut pages: Vec<Vec<LogEntry>> = Vec::new();
    while wanted > 0 {
        let before = pages.last().and_then(|page| page.first()).map(|entry| entry.id);
        let limit = wanted.min(LogQuery::MOST);
        let page = find(args, LogQuery { before, limit, ..query(args) }).await?;
        wanted = if page.len() < limit { 0 } else { wanted - limit };
        pages.push(page);
    }
    Ok(pages.into_iter().rev().flatten().collect())
}

fn query(args: &Logs) -> LogQuery {
    LogQuery {
        server: args.server.clone(),
        level: args.least(),
        category: args.category,
        within: args.since,
        after: None,
        before: None,
        limit: LogQuery::MOST,
    }
}

async fn find(args: &Logs, query: LogQuery) -> anyhow::Result<Vec<LogEntry>> {
    let request = Request::Logs { project: args.state.project.clone(), query };
    let Answer::Logs(entries) = ask(&args.state.data_dir, request).await? else { bail!("unexpected answer") };
    Ok(entries)
}

/// Whether somebody still reads.
fn print(args: &Logs, entries: &[LogEntry]) -> anyhow::Result<bool> {
    for entry in entries {
        let text = if args.json { json(entry)?.to_string() } else { line(entry) };
        if !terminal::is_read(&text) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn line(entry: &LogEntry) -> String {
    let server = if entry.server.is_empty() { "-" } else { &entry.server };
    let (at, message) = (terminal::moment(entry.timestamp.0), terminal::harmless(&entry.message));
    format!("{at}  {:<8}  {server}  {} ({})", entry.level, message, entry.source)
}

/// The details of an entry are JSON within its text, and JSON within JSON.
fn json(entry: &LogEntry) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(entry)?;
    if let (Some(details), Some(place)) = (&entry.details, value.get_mut("details")) {
        *place = serde_json::from_str(details).unwrap_or_else(|_| Value::from(details.as_str()));
    }
    Ok(value)
}

async fn summarize(args: &Logs) -> anyhow::Result<ExitCode> {
    let request = Request::LogSummary { project: args.state.project.clone(), server: args.server.clone() };
    let Answer::LogSummary(summary) = ask(&args.state.data_dir, request).await? else {
        bail!("unexpected answer")
    };
    if args.json {
        let mut value = serde_json::to_value(&summary)?;
        if let (Some(entry), Some(place)) = (&summary.last_error, value.get_mut("last_error")) {
            *place = json(entry)?;
        }
        terminal::line(&value.to_string());
    } else {
        tell(&summary);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(summary: &LogSummary) {
    let (Some(first), Some(last)) = (summary.first, summary.last) else {
        return terminal::line("No entries.");
    };
    let (first, last) = (terminal::moment(first.0), terminal::moment(last.0));
    terminal::line(&format!("{} entries from {first} to {last}\n", summary.entries));
    let counted = |name: &str, count: &usize| vec![name.to_owned(), count.to_string()];
    let levels = summary.levels.iter().map(|(level, count)| counted(level.name(), count));
    terminal::table(&levels.collect::<Vec<_>>());
    terminal::line("");
    let categories = summary.categories.iter().map(|(category, count)| counted(category.name(), count));
    terminal::table(&categories.collect::<Vec<_>>());
    if let Some(error) = &summary.last_error {
        terminal::line(&format!("\nThe last error:\n{}", line(error)));
    }
}

async fn clean(args: &Logs, older_than: Duration) -> anyhow::Result<ExitCode> {
    let request = Request::CleanLogs { project: args.state.project.clone(), older_than };
    let Answer::LogsCleaned(count) = ask(&args.state.data_dir, request).await? else {
        bail!("unexpected answer")
    };
    terminal::line(&format!("{count} entries removed."));
    Ok(ExitCode::SUCCESS)
}
