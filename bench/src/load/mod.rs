//! The load: sessions with requests in flight, each on a connection of its own, from one thread.

mod call;
mod connection;
mod events;
mod session;
mod tally;
mod worker;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use crate::proc::Usage;
use crate::table::{self, Row};
pub(crate) use session::Session;
pub(crate) use tally::Tally;
use worker::{PATIENCE, Shared, work};

/// Sessions that are being opened at the same time.
const OPENING: usize = 64;

/// How clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Era {
    /// HTTP+SSE of 2024-11-05: answers come on the stream of the session
    Sse,
    /// Streamable HTTP of 2025-11-25
    Session,
    /// Streamable HTTP of 2026-07-28, without sessions
    Stateless,
}

/// What load goes where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// The address and port of what is loaded
    pub(crate) address: SocketAddr,
    /// The API key
    #[arg(long)]
    pub(crate) key: String,
    /// The path of the endpoint; in HTTP+SSE, of its stream
    #[arg(long, default_value = "/servers/echo/mcp")]
    pub(crate) endpoint: String,
    /// The tool; it has to give its `text` back, longer by `pad` bytes
    #[arg(long, default_value = "echo")]
    pub(crate) tool: String,
    #[command(flatten)]
    pub(crate) shape: Shape,
    /// Before anything is counted
    #[arg(long, default_value_t = 500)]
    pub(crate) warm_up_ms: u64,
    /// While calls are counted
    #[arg(long, default_value_t = 2_500)]
    pub(crate) measured_ms: u64,
}

/// How much load it is, and of which kind.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Shape {
    /// How the clients speak
    #[arg(long, value_enum, default_value_t = Era::Session)]
    pub(crate) era: Era,
    /// Sessions
    #[arg(long, default_value_t = 1)]
    pub(crate) sessions: usize,
    /// Requests in flight, of each session
    #[arg(long, default_value_t = 1)]
    pub(crate) in_flight: usize,
    /// Bytes of the text that is sent
    #[arg(long, default_value_t = 64)]
    pub(crate) text_bytes: usize,
    /// Bytes that the answer is longer
    #[arg(long, default_value_t = 0)]
    pub(crate) pad_bytes: usize,
}

/// What came of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// How long calls were counted.
    pub(crate) measured: Duration,
    /// What the load took of its core meanwhile, in percent: near 100 it measures itself.
    pub(crate) load_percent: u128,
    /// What was loaded used meanwhile, if its process is known.
    pub(crate) cpu: Duration,
    pub(crate) usage: Usage,
}

/// Loads an endpoint and says what came of it; `Ok(false)` if an answer was wrong or missing.
pub(crate) fn run_one(plan: &Plan) -> Result<bool, String> {
    crate::cores::allow_many_files()?;
    let outcome = run(plan, None)?;
    let row = Row::of(std::slice::from_ref(&outcome));
    table::head();
    table::row(("load", &plan.shape), "-", &row, None);
    Ok(row.is_clean())
}

/// Carries a plan out; `pid` is the process to watch.
pub(crate) fn run(plan: &Plan, pid: Option<u32>) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, carry_out(plan, pid))
}

async fn carry_out(plan: &Plan, pid: Option<u32>) -> Result<Outcome, String> {
    let sessions = open(plan).await?;
    let shared = Rc::new(Shared::default());
    let mut workers = JoinSet::new();
    for session in &sessions {
        for _ in 0..plan.shape.in_flight {
            workers.spawn_local(work(Rc::clone(session), Rc::clone(&shared)));
        }
    }
    let usage = || {
        let own = Usage::of(std::process::id()).unwrap_or_default();
        (pid.and_then(Usage::of).unwrap_or_default(), own.cpu)
    };
    sleep(Duration::from_millis(plan.warm_up_ms)).await;
    let ((before, own_before), start) = (usage(), Instant::now());
    shared.count();
    sleep(Duration::from_millis(plan.measured_ms)).await;
    shared.stop();
    let ((after, own_after), measured) = (usage(), start.elapsed());
    workers.join_all().await;
    let mut closing = JoinSet::new();
    for session in sessions {
        closing.spawn_local(async move { session.close().await });
    }
    closing.join_all().await;
    let cpu = after.cpu.saturating_sub(before.cpu);
    let own = own_after.saturating_sub(own_before).as_micros();
    let load_percent = own * 100 / measured.as_micros().max(1);
    Ok(Outcome { tally: shared.take(), measured, load_percent, cpu, usage: after })
}

/// Opens all sessions, so many at a time.
pub(crate) async fn open(plan: &Plan) -> Result<Vec<Rc<Session>>, String> {
    let gate = Rc::new(Semaphore::new(OPENING));
    let plan = Rc::new(plan.clone());
    let mut opening = JoinSet::new();
    for number in 0..plan.shape.sessions {
        let (plan, gate) = (Rc::clone(&plan), Rc::clone(&gate));
        opening.spawn_local(async move {
            let _turn = gate.acquire().await.map_err(|error| error.to_string())?;
            let opened = timeout(PATIENCE, Session::open(plan, number)).await;
            opened.map_err(|_| format!("no session within {PATIENCE:?}"))?.map(Rc::new)
        });
    }
    opening.join_all().await.into_iter().collect()
}
