//! `plans`: what a plan saves against the same calls one by one, and what the hub takes for each step, with real servers.
//!
//! It prints the tables of `docs/batch.md`, and fails where one of the bars there is missed. That both ways give the same
//! values is checked by `tests/e2e/plans.rs` too.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that cannot go on may panic anywhere, and prints its figures"
)]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../e2e/home.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod home;
#[path = "../e2e/hub.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod hub;
#[path = "../e2e/peers.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod peers;
#[path = "../e2e/process.rs"]
mod process;
#[path = "../e2e/wire.rs"]
#[expect(dead_code, reason = "shared with the end-to-end tests")]
mod wire;

mod chains;
mod direct;
#[expect(dead_code, reason = "the end-to-end test reads the rest")]
mod ways;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use crate::chains::{CALLS, Ground, trivial};
use crate::direct::Direct;
use crate::home::Home;
use crate::hub::Hub;
use crate::ways::{one_by_one, planned, tokens_of};
use crate::wire::Wire;

/// Of the wall time of the calls one by one, and of their tokens, in percent; of a step, in milliseconds.
const TIME_SAVED: f64 = 50.0;
const TOKENS_SAVED: f64 = 30.0;
const OVERHEAD_MS: f64 = 1.0;
/// What an answer from behind a network takes.
const SLOW_MS: u32 = 100;

/// Calls that are made before any is measured.
const WARM: usize = 1000;

/// Measures what plans save, and what the hub takes for their steps.
///
/// It takes the hub that `ORCH_TEST_BINARY` names, or builds one for debugging, whose times say little. The data of the hub
/// are where `TMPDIR` says.
#[derive(Debug, Parser)]
#[command(name = "plans")]
struct Options {
    /// How often each way is gone, by turns
    #[arg(long, default_value_t = 20)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let rounds = Options::parse().rounds.max(1);
    let directory = tempfile::TempDir::with_prefix("orch-plans-").expect("a directory");
    let ground = Ground::new(directory.path());
    let hub =
        Hub::start_with(&Home::with(&ground.servers()), |command| command.args(["--mode", "batch"])).await;
    let key = hub.create_key().await;
    let wire = Wire::legacy(hub.at("/mcp"), &key, "2025-11-25").await;
    let tools = wire.list("tools").await;
    let mut missed = Vec::new();

    println!(
        "| load of {CALLS} calls in 5 chains | one by one | as a plan | less | bar |\n|---|---|---|---|---|"
    );
    let (slow, tokens) = compare(&wire, &ground, SLOW_MS, rounds).await;
    let bars = [(TIME_SAVED, slow.less(), "time"), (TOKENS_SAVED, tokens.less(), "tokens")];
    missed.extend(bars.into_iter().filter(|(bar, less, _)| less < bar).map(|(_, _, what)| what));
    slow.print(&format!("wall time, p50, each chain with a call of {SLOW_MS} ms"), " ms", Some(TIME_SAVED));
    let (quick, _) = compare(&wire, &ground, 0, rounds).await;
    quick.print("wall time, p50, none of them slow", " ms", None);
    tokens.print("tokens", "", Some(TOKENS_SAVED));
    let own = precise(tokens_of(tools.iter().filter(|tool| is_own(tool))));
    Pair { plan: tokens.plan + own, ..tokens }.print(
        "tokens, with the list of the tools for plans",
        "",
        None,
    );
    let echo = trivial("everything.echo", &json!({ "message": "x" }));
    let (single, plan) = (one_by_one(&wire, &echo).await, planned(&wire, &echo).await);
    Pair { single: precise(single.tokens), plan: precise(plan.tokens) }.print(
        "tokens, where every call is `echo` of one letter",
        "",
        None,
    );

    println!(
        "\n| one chain of {CALLS} trivial calls, p50 of a call | server alone | singly through the hub | in a plan | more than alone | bar |\n|---|---|---|---|---|---|"
    );
    let [everything, _, memory] = ground.servers();
    let loads = [
        ("`echo`, which may be made twice", everything, "echo", json!({ "message": "x" }), true),
        ("`create_entities`, which may not", memory, "create_entities", json!({ "entities": [] }), false),
    ];
    for (what, (name, server), tool, arguments, barred) in loads {
        let mut direct = Direct::start(&server);
        let step = each(&wire, &mut direct, (name, tool, &arguments), rounds).await;
        let more = step.plan - step.alone;
        let bar = if barred { format!("under {OVERHEAD_MS} ms") } else { String::new() };
        println!(
            "| {what} | {:.2} ms | {:.2} ms | {:.2} ms | {more:.2} ms | {bar} |",
            step.alone, step.single, step.plan
        );
        if barred && more >= OVERHEAD_MS {
            missed.push("overhead");
        }
    }
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\nmissed: {}", missed.join(", "));
    ExitCode::FAILURE
}

/// A figure of both ways.
struct Pair {
    single: f64,
    plan: f64,
}

impl Pair {
    /// What the plan saves, in percent.
    fn less(&self) -> f64 {
        100.0 - self.plan / self.single * 100.0
    }

    fn print(&self, what: &str, unit: &str, bar: Option<f64>) {
        let bar = bar.map(|bar| format!("at least {bar} %")).unwrap_or_default();
        println!(
            "| {what} | {:.0}{unit} | {:.0}{unit} | {:.0} % | {bar} |",
            self.single,
            self.plan,
            self.less()
        );
    }
}

/// Goes both ways by turns: the wall times, and the tokens.
async fn compare(wire: &Wire, ground: &Ground, slow_ms: u32, rounds: usize) -> (Pair, Pair) {
    let plan = ground.plan(slow_ms);
    let (mut singles, mut plans) = (Vec::new(), Vec::new());
    let mut tokens = Pair { single: 0.0, plan: 0.0 };
    // The first round starts the servers and does not count.
    for round in 0..=rounds {
        ground.clear();
        let single = one_by_one(wire, &plan).await;
        ground.clear();
        let run = planned(wire, &plan).await;
        assert_eq!(single.output, run.output);
        tokens = Pair { single: precise(single.tokens), plan: precise(run.tokens) };
        if round > 0 {
            singles.push(single.wall);
            plans.push(run.wall);
        }
    }
    (Pair { single: p50(singles), plan: p50(plans) }, tokens)
}

/// What a call takes, in milliseconds.
struct Each {
    alone: f64,
    single: f64,
    plan: f64,
}

async fn each(wire: &Wire, direct: &mut Direct, call: (&str, &str, &Value), rounds: usize) -> Each {
    let (server, tool, arguments) = call;
    let plan = trivial(&format!("{server}.{tool}"), arguments);
    let (mut alone, mut single, mut run) = (Vec::new(), Vec::new(), Vec::new());
    let calls = u32::try_from(CALLS).expect("a small number");
    // A server is several times faster when its code has been compiled.
    for _warm in 0..WARM {
        direct.call(tool, arguments);
        let _first = wire.call(&json!(1), &format!("{server}.{tool}"), arguments.clone()).await;
    }
    for _round in 0..rounds {
        // Each measured time comes after as many calls of the same server: what has just been at work is faster.
        let mut directly = || (0..CALLS).map(|_| direct.call(tool, arguments)).sum::<Duration>();
        let (_before, whole) = (directly(), directly());
        alone.push(whole / calls);
        single.push(one_by_one(wire, &plan).await.wall / calls);
        run.push(planned(wire, &plan).await.wall / calls);
    }
    Each { alone: p50(alone), single: p50(single), plan: p50(run) }
}

/// Whether a tool is one of those for plans.
fn is_own(tool: &Value) -> bool {
    tool["name"].as_str().is_some_and(|name| name.starts_with("batch_") || name == "read_result")
}

/// The median, in milliseconds.
fn p50(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn precise(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a small number"))
}
