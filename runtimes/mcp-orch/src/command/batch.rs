//! `mcp-orch batch`: plans and their runs, through the hub's REST interface.

mod http;
mod plan;
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
use serde_json::value::RawValue;

use crate::json::{Look, pretty};
use crate::terminal;
use http::{BEGUN, Hub};
use plan::Sent;
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
    let plan = Sent::of(&text, args.dry_run)?;
    let begun = tokio::select! {
        // Ctrl-C is listened to before anything is asked.
        biased;
        _ = tokio::signal::ctrl_c() => bail!("the hub has not answered yet; {BEGUN}"),
        begun = hub.begin(&plan.text, &PAUSES_MS) => begun?,
    };
    let run = begun.member("run").and_then(Look::text);
    let Some(run) = run.filter(|_| !args.dry_run) else {
        terminal::line(&pretty(&begun));
        // A plan that waits for somebody's yes was not begun.
        return Ok(if plan.is_dry { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    if plan.is_left {
        let text = if args.hub.json { pretty(&begun) } else { run.clone().into_owned() };
        terminal::line(&text);
        terminal::note(&format!("it runs in the background; how it stands: mcp-orch batch status {run}"));
        return Ok(ExitCode::SUCCESS);
    }
    if !args.hub.json {
        terminal::note(&format!("run {run}"));
    }
    follow(&hub, &run, args.hub.json).await
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
    async fn hear(&mut self, mut events: Incoming) -> anyhow::Result<Option<Box<RawValue>>> {
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
                let news: &RawValue = serde_json::from_slice(&event.data).context("an event is not JSON")?;
                match &*news.text_of("event") {
                    "steps" => {
                        self.view.show(&news.member("steps").map_or_else(Vec::new, Look::elements));
                    }
                    "end" => {
                        let run = news.member("run").unwrap_or(RawValue::NULL);
                        // A hub that stops says how far the run is.
                        let goes_on = run.text_of("status") == "running";
                        return Ok((!goes_on).then(|| run.to_owned()));
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
        terminal::line(&pretty(&page));
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["RUN", "STATUS", "STEPS"].map(str::to_owned).to_vec()];
    for run in page.member("runs").map_or_else(Vec::new, Look::elements) {
        let text = |name| run.text_of(name).into_owned();
        let count = |name| run.member(name).and_then(Look::whole).unwrap_or_default();
        rows.push(vec![text("run"), text("status"), format!("{}/{}", count("steps_ended"), count("steps"))]);
    }
    terminal::table(&rows);
    Ok(ExitCode::SUCCESS)
}

/// Says how a run stands. The exit status that goes with it.
fn show(run: &RawValue, view: &mut View) -> ExitCode {
    let status = run.member("status").and_then(Look::text).unwrap_or_else(|| "unknown".into());
    if view.is_silent() {
        terminal::line(&pretty(run));
    } else {
        view.close(&run.member("steps").map_or_else(Vec::new, Look::elements));
        terminal::note(&format!("{status} {}", run.text_of("run")));
        if let Some(output) = run.member("output").or_else(|| run.member("output_kept")) {
            terminal::line(&pretty(output));
        }
        if let Some(why) = run.member("output_missing").and_then(Look::text) {
            terminal::note(&terminal::harmless(&why));
        }
        for gap in run.member("missing").map_or_else(Vec::new, Look::elements) {
            let why = gap.text_of("why");
            terminal::note(&terminal::harmless(&format!("null in the output: {why}")));
        }
    }
    match &*status {
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
