//! `mcp-orch batch`: plans and their runs, through the hub's REST interface.

mod http;
mod view;
mod way;

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ::http::Method;
use anyhow::{Context, bail};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use orch_config::cli::{Batch, BatchCommand, BatchList, BatchRef, BatchRun};
use orch_core::Limits;
use orch_core::sse::Parser;
use serde_json::Value;

use crate::terminal;
use http::{BEGUN, Hub};
use view::View;

pub(crate) async fn run(args: Batch) -> anyhow::Result<ExitCode> {
    match args.command {
        BatchCommand::Cancel(args) => order(&args, "/cancel").await,
        BatchCommand::List(args) => list(&args).await,
        BatchCommand::Retry(args) => {
            let hub = Hub::of(&args.hub)?;
            hub.ask(Method::POST, &format!("/{}/retry", args.run)).await?;
            follow(&hub, &args.run, args.hub.json).await
        }
        BatchCommand::Run(args) => execute(&args).await,
        BatchCommand::Status(args) => {
            let hub = Hub::of(&args.hub)?;
            let run = hub.ask(Method::GET, &format!("/{}", args.run)).await?;
            Ok(show(&run, &mut View::new(args.hub.json)))
        }
    }
}

async fn execute(args: &BatchRun) -> anyhow::Result<ExitCode> {
    let hub = Hub::of(&args.hub)?;
    let text = read(&args.plan).with_context(|| format!("reading {}", args.plan.display()))?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
    let mut plan: Value = serde_json::from_str(text).context("the plan is not JSON")?;
    let Some(fields) = plan.as_object_mut() else { bail!("a plan is a JSON object with steps") };
    let flag = if args.dry_run { "dry_run" } else { "background" };
    let said = fields.get(flag).cloned();
    // What is neither yes nor no is for the hub to refuse.
    if said.as_ref().is_none_or(|said| said.is_boolean() || said.is_null()) {
        fields.insert(flag.to_owned(), Value::Bool(true));
    }
    let is_dry = plan.get("dry_run").and_then(Value::as_bool) == Some(true);
    let plan = plan.to_string();
    let begun = tokio::select! {
        begun = hub.begin(&plan, &PAUSES_MS) => begun?,
        _ = tokio::signal::ctrl_c() => bail!("the hub has not answered yet; {BEGUN}"),
    };
    let run = begun.get("run").and_then(Value::as_str);
    let Some(run) = run.filter(|_| !args.dry_run) else {
        terminal::line(&serde_json::to_string_pretty(&begun)?);
        // A plan that waits for somebody's yes was not begun.
        return Ok(if is_dry { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    if said == Some(Value::Bool(true)) {
        let text = if args.hub.json { serde_json::to_string_pretty(&begun)? } else { run.to_owned() };
        terminal::line(&text);
        terminal::note(&format!("it runs in the background; how it stands: mcp-orch batch status {run}"));
        return Ok(ExitCode::SUCCESS);
    }
    if !args.hub.json {
        terminal::note(&format!("run {run}"));
    }
    follow(&hub, run, args.hub.json).await
}

/// A run that is shown until it has ended.
struct Following<'a> {
    hub: &'a Hub,
    run: &'a str,
    view: View,
    cancelled: bool,
    /// Tries to open its stream since anything was heard.
    tries: usize,
}

/// Some editors begin a file with it. JSON has none.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The pauses before its stream is opened again: half a minute in all, in which a hub is started again.
const PAUSES_MS: [u64; 7] = [200, 500, 1000, 2000, 4000, 8000, 15_000];

/// Shows a run until it has ended. Ctrl-C gives it up. A run outlives its hub, so a stream that breaks off is opened again.
async fn follow(hub: &Hub, run: &str, json: bool) -> anyhow::Result<ExitCode> {
    let mut following = Following { hub, run, view: View::new(json), cancelled: false, tries: 0 };
    loop {
        if let Some(events) = hub.follow(run).await?
            && let Some(end) = following.hear(events).await?
        {
            return Ok(show(&end, &mut following.view));
        }
        let Some(pause) = PAUSES_MS.get(following.tries) else {
            bail!("the hub is gone; {}", following.goes_on())
        };
        following.tries += 1;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(*pause)) => {}
            _ = tokio::signal::ctrl_c() => bail!("the hub is away, and the run was not cancelled; {}", following.goes_on()),
        }
    }
}

impl Following<'_> {
    async fn cancel(&mut self) -> anyhow::Result<()> {
        self.cancelled = true;
        let asked = self.hub.ask(Method::POST, &format!("/{}/cancel", self.run)).await;
        let failed = || format!("the run was not cancelled; {}", self.goes_on());
        asked.map(drop).with_context(failed)
    }

    fn goes_on(&self) -> String {
        let run = self.run;
        format!("the run goes on as soon as the hub does; how it stands: mcp-orch batch status {run}")
    }

    /// Hears what a stream has to say. How the run has ended; nothing if the stream ends before it.
    async fn hear(&mut self, mut events: Incoming) -> anyhow::Result<Option<Value>> {
        let mut parser = Parser::new(Limits::default().message_bytes);
        loop {
            let frame = tokio::select! {
                frame = events.frame() => frame,
                _ = tokio::signal::ctrl_c() => {
                    if self.cancelled {
                        bail!("the run was cancelled, and its end was not waited for");
                    }
                    self.cancel().await?;
                    continue;
                }
            };
            let Some(Ok(frame)) = frame else { return Ok(None) };
            let Ok(bytes) = frame.into_data() else { continue };
            parser.push(&bytes);
            while let Some(event) = parser.pop()? {
                self.tries = 0;
                let news: Value = serde_json::from_slice(&event.data).context("an event is not JSON")?;
                match news.get("event").and_then(Value::as_str) {
                    Some("steps") => {
                        let steps = news.get("steps").and_then(Value::as_array);
                        self.view.show(steps.map_or(&[], Vec::as_slice));
                    }
                    Some("end") => {
                        let run = news.get("run").cloned().unwrap_or_default();
                        // A hub that stops says how far the run is.
                        let goes_on = run.get("status").and_then(Value::as_str) == Some("running");
                        return Ok((!goes_on).then_some(run));
                    }
                    _ => bail!("the run cannot be followed: {news}"),
                }
            }
        }
    }
}

async fn order(args: &BatchRef, path: &str) -> anyhow::Result<ExitCode> {
    let hub = Hub::of(&args.hub)?;
    let run = hub.ask(Method::POST, &format!("/{}{path}", args.run)).await?;
    show(&run, &mut View::new(args.hub.json));
    Ok(ExitCode::SUCCESS)
}

async fn list(args: &BatchList) -> anyhow::Result<ExitCode> {
    let hub = Hub::of(&args.hub)?;
    let page = hub.ask(Method::GET, &format!("?limit={}", args.limit)).await?;
    if args.hub.json {
        terminal::line(&serde_json::to_string_pretty(&page)?);
        return Ok(ExitCode::SUCCESS);
    }
    let runs = page.get("runs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut rows = vec![["RUN", "STATUS", "STEPS"].map(str::to_owned).to_vec()];
    for run in runs {
        let text = |name| run.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = |name| run.get(name).and_then(Value::as_u64).unwrap_or_default();
        rows.push(vec![text("run"), text("status"), format!("{}/{}", count("steps_ended"), count("steps"))]);
    }
    terminal::table(&rows);
    Ok(ExitCode::SUCCESS)
}

/// Says how a run stands. The exit status that goes with it.
fn show(run: &Value, view: &mut View) -> ExitCode {
    let status = run.get("status").and_then(Value::as_str).unwrap_or("unknown");
    if view.is_silent() {
        terminal::line(&serde_json::to_string_pretty(run).unwrap_or_default());
    } else {
        view.show(run.get("steps").and_then(Value::as_array).map_or(&[], Vec::as_slice));
        terminal::note(&format!("{status} {}", run.get("run").and_then(Value::as_str).unwrap_or_default()));
        if let Some(output) = run.get("output").or_else(|| run.get("output_kept")) {
            terminal::line(&serde_json::to_string_pretty(output).unwrap_or_default());
        }
        if let Some(why) = run.get("output_missing").and_then(Value::as_str) {
            terminal::note(&terminal::harmless(why));
        }
        for gap in run.get("missing").and_then(Value::as_array).into_iter().flatten() {
            let why = gap.get("why").and_then(Value::as_str).unwrap_or_default();
            terminal::note(&terminal::harmless(&format!("null in the output: {why}")));
        }
    }
    match status {
        "done" | "running" => ExitCode::SUCCESS,
        "cancelled" => ExitCode::from(3),
        "timed_out" => ExitCode::from(4),
        _ => ExitCode::FAILURE,
    }
}

fn read(plan: &Path) -> std::io::Result<String> {
    if plan != Path::new("-") {
        return std::fs::read_to_string(plan);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}
