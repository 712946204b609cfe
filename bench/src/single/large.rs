//! Answers of 32 MiB: how often they are in memory, and what becomes of calls beside them.
#![expect(clippy::cast_precision_loss, reason = "figures that are shown with two digits")]

use std::path::Path;
use std::rc::Rc;

use super::background::Background;
use super::neighbours::{QUIET, quiet};
use super::{Figure, block_on, plan, start_on};
use crate::cores::Cores;
use crate::load::{Era, Plan, Session};
use crate::proc::Usage;
use crate::table::median;
use crate::target::{Running, hub, new_home};

/// What the echo adds to its text, in bytes. A quick run is one of a hub that was built for tests, and may be fifty times slower.
const fn large(quick: bool) -> usize {
    if quick { 1 << 20 } else { 32 << 20 }
}

/// Room for it.
const ROOM: [&str; 4] = ["--limit", "message_bytes=40MiB", "--limit", "held_key_bytes=160MiB"];

pub(super) fn measure(program: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let rounds = if quick { 1 } else { 3 };
    let mut figures = Vec::new();
    for (era, words) in [(Era::Session, "Streamable HTTP"), (Era::Sse, "HTTP+SSE")] {
        let (mut copies, mut slower) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let running = start_on(program, cores, &hub::echo(), &ROOM, &new_home()?)?;
            let mut plan = plan(&running, 1, 1);
            running.endpoint(era).unwrap_or_default().clone_into(&mut plan.endpoint);
            (plan.shape.era, plan.shape.pad_bytes) = (era, large(quick));
            copies.push(copies_of_one(&running, &plan)?);
            let alone = quiet(&running, quick)?;
            let others = Background::start(&plan, cores.map(|cores| cores.load))?;
            let beside = quiet(&running, quick)?;
            drop(others);
            slower.push(beside.p99_us / alone.p99_us.max(f64::MIN_POSITIVE));
        }
        figures.push(Figure::new(
            format!("peak memory of one answer of 32 MiB from a server on stdio, over {words}"),
            format!("{:.2} times its length", median(copies)),
            "2 copies",
        ));
        figures.push(Figure::new(
            format!("p99 of a quiet client (1 x {QUIET}) beside such answers, one after the other"),
            format!("{:.2} of that alone", median(slower)),
            "at most 1.5 times",
        ));
    }
    Ok(figures)
}

/// How much the process grows, at its peak, by the first such answer, in lengths of it.
fn copies_of_one(running: &Running, plan: &Plan) -> Result<f64, String> {
    let pid = running.pid.ok_or("its process is not known")?;
    let usage = || Usage::of(pid).ok_or("it has ended");
    let small = Plan { shape: super::small(1, 1), ..plan.clone() };
    let small = Plan { endpoint: running.mcp.clone(), ..small };
    // What a first call needs of memory is not of the large one.
    block_on(async { Session::open(Rc::new(small), 0).await?.call_once().await })?;
    let before = usage()?.rss_kib;
    block_on(async { Session::open(Rc::new(plan.clone()), 0).await?.call_once().await })?;
    let grown = usage()?.peak_kib.saturating_sub(before);
    Ok(grown as f64 * 1024.0 / plan.shape.pad_bytes as f64)
}
