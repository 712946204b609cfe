//! What is measured of the hub alone: memory, starts, whole lives of sessions, and whether its cost depends on how much there is.

mod background;
mod growth;
mod large;
mod life;
mod memory;
mod neighbours;
mod scale;
mod start;

use std::path::Path;
use std::rc::Rc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::LocalSet;

use crate::cores::{self, Cores};
use crate::load::{Era, Plan, Shape};
use crate::target::{Running, hub};

/// One figure, for people.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) found: String,
    /// What is wanted.
    pub(crate) bar: &'static str,
}

impl Figure {
    fn new(what: impl Into<String>, found: impl Into<String>, bar: &'static str) -> Self {
        Self { what: what.into(), found: found.into(), bar }
    }
}

type Measure = fn(&Path, Option<Cores>, bool) -> Result<Vec<Figure>, String>;

const MEASURES: [(&str, Measure); 7] = [
    ("memory", memory::measure),
    ("lives", life::measure),
    ("starts", start::measure),
    ("growth", growth::measure),
    ("scale", scale::measure),
    ("neighbours", neighbours::measure),
    ("large", large::measure),
];

/// Those of these names, or all. `quick`: small numbers, which show that it works and measure nothing.
pub(crate) fn measure(
    names: &[String],
    hub: &Path,
    cores: Option<Cores>,
    quick: bool,
) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    for (name, measure) in
        MEASURES.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|it| it == name))
    {
        eprintln!("of the hub alone: {name}");
        figures.extend(measure(hub, cores, quick)?);
    }
    if figures.is_empty() {
        return Err(format!("there are {}", MEASURES.map(|(name, _)| name).join(", ")));
    }
    Ok(figures)
}

/// Prints them.
pub(crate) fn show(figures: &[Figure]) {
    for Figure { what, found, bar } in figures {
        println!(
            "{what}: {found}{}",
            if bar.is_empty() { String::new() } else { format!(" (wanted: {bar})") }
        );
    }
}

const fn small(sessions: usize, in_flight: usize) -> Shape {
    Shape { era: Era::Session, sessions, in_flight, text_bytes: 64, pad_bytes: 0 }
}

/// A hub on the core of what is measured; this process, and what it starts from here on, is on the other one.
fn start_on(
    program: &Path,
    cores: Option<Cores>,
    config: &Value,
    limits: &[&str],
    home: &Rc<TempDir>,
) -> Result<Running, String> {
    if let Some(cores) = cores {
        cores::stay_on(cores.target)?;
    }
    let running = hub::start(program, config, limits, home);
    if let Some(cores) = cores {
        cores::stay_on(cores.load)?;
    }
    running
}

/// Sessions of 2025-11-25 at a hub.
fn plan(running: &Running, sessions: usize, in_flight: usize) -> Plan {
    let shape = small(sessions, in_flight);
    Plan {
        address: running.address,
        key: running.key.clone(),
        endpoint: running.mcp.clone(),
        tool: running.tool.clone(),
        shape,
        warm_up_ms: 500,
        measured_ms: 2_000,
    }
}

/// Runs one client's work to its end.
fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    LocalSet::new().block_on(&runtime, work)
}
