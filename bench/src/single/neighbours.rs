//! Whether a client feels its neighbours: what becomes of the p99 of a quiet one beside a server that never answers, a server
//! that floods, one with long answers, and another key that asks for as much as it can get.
//!
//! The hub has one core, everybody else the other. Whoever makes the noise runs there only while nobody else wants it: what it
//! does to others is what the hub makes of it.

use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use tempfile::TempDir;

use super::background::Background;
use super::{Figure, plan, start_on};
use crate::cores::Cores;
use crate::load;
use crate::table::{Row, median};
use crate::target::{Running, hub, new_home};

/// The quiet client's calls in flight.
pub(super) const QUIET: usize = 4;

/// How much longer its p99 may get.
const BAR: &str = "at most 1.5 times";

/// What a client feels of its neighbours: those who make noise, and how.
struct Noise {
    what: &'static str,
    bar: &'static str,
    server: &'static str,
    sessions: usize,
    in_flight: usize,
    pad_bytes: usize,
    own_key: bool,
}

const NOISES: [Noise; 4] = [
    Noise {
        what: "a server that never answers, 64 calls waiting",
        bar: BAR,
        server: "mute",
        sessions: 1,
        in_flight: 64,
        pad_bytes: 0,
        own_key: false,
    },
    Noise {
        what: "another key that calls the same server without pause, over 64 connections",
        bar: "at most 2 times",
        server: hub::SERVER,
        sessions: 16,
        in_flight: 4,
        pad_bytes: 0,
        own_key: true,
    },
    Noise {
        what: "a server that answers 256 KiB, call after call",
        bar: BAR,
        server: "long",
        sessions: 1,
        in_flight: 1,
        pad_bytes: 256 * 1024,
        own_key: false,
    },
    // The last, for its server goes on.
    Noise {
        what: "a server that floods error output and notifications, and is called without pause",
        bar: BAR,
        server: "floods",
        sessions: 1,
        in_flight: 1,
        pad_bytes: 0,
        own_key: false,
    },
];

pub(super) fn measure(program: &Path, cores: Option<Cores>, quick: bool) -> Result<Vec<Figure>, String> {
    let rounds = if quick { 1 } else { 3 };
    let mut found: [Vec<(f64, f64)>; NOISES.len()] = Default::default();
    for _ in 0..rounds {
        let stage = Stage::start(program, cores)?;
        for (noise, found) in NOISES.iter().zip(&mut found) {
            let alone = quiet(&stage.running, quick)?;
            let made = stage.make(noise)?;
            let beside = quiet(&stage.running, quick)?;
            drop(made);
            let ratio = |figure: fn(&Row) -> f64| figure(&beside) / figure(&alone).max(f64::MIN_POSITIVE);
            found.push((ratio(|row| row.p99_us), ratio(|row| row.per_second)));
        }
    }
    let figure = |(noise, found): (&Noise, Vec<(f64, f64)>)| {
        let of = |figure: fn(&(f64, f64)) -> f64| median(found.iter().map(figure).collect());
        Figure::new(
            format!("p99 of a quiet client (1 x {QUIET}) beside {}", noise.what),
            format!("{:.2} of that alone, {:.2} of its calls/s", of(|it| it.0), of(|it| it.1)),
            noise.bar,
        )
    };
    Ok(NOISES.iter().zip(found).map(figure).collect())
}

/// A hub with all of them behind it.
struct Stage {
    running: Running,
    other_key: String,
    aside: Option<usize>,
}

impl Stage {
    fn start(program: &Path, cores: Option<Cores>) -> Result<Self, String> {
        let aside = cores.map(|cores| cores.load);
        let args = |manner: &[&str]| -> Vec<String> {
            let core = aside.iter().flat_map(|core| ["--core".to_owned(), core.to_string()]);
            // Where there is no core for it, nobody can step aside.
            let manner = manner.iter().filter(|it| aside.is_some() || **it != "--aside");
            core.chain(manner.map(|it| (*it).to_owned())).collect()
        };
        let config = hub::servers([
            (hub::SERVER.to_owned(), args(&[])),
            ("mute".to_owned(), args(&["--mute", "--aside"])),
            ("long".to_owned(), args(&["--aside"])),
            ("floods".to_owned(), args(&["--floods", "--aside"])),
        ]);
        let home = new_home()?;
        let running = start_on(program, cores, &config, &[], &home)?;
        Ok(Self { running, other_key: another_key(program, &home)?, aside })
    }

    /// Begins to make noise, until what is returned is dropped.
    fn make(&self, noise: &Noise) -> Result<Background, String> {
        let Noise { server, sessions, in_flight, pad_bytes, own_key, .. } = *noise;
        let mut plan = plan(&self.running, sessions, in_flight);
        plan.endpoint = format!("/servers/{server}/mcp");
        plan.shape.pad_bytes = pad_bytes;
        if own_key {
            plan.key.clone_from(&self.other_key);
        }
        Background::start(&plan, self.aside)
    }
}

/// What the quiet client feels now.
pub(super) fn quiet(running: &Running, quick: bool) -> Result<Row, String> {
    let mut plan = plan(running, 1, QUIET);
    // Long enough for a few calls on a busy machine too.
    (plan.warm_up_ms, plan.measured_ms) = if quick { (50, 500) } else { (500, 2_500) };
    let row = Row::of(&[load::run(&plan, running.pid)?]);
    eprintln!("  {:.0} calls/s, p50 {:.0} us, p99 {:.0} us", row.per_second, row.p50_us, row.p99_us);
    if row.is_clean() { Ok(row) } else { Err("an answer was wrong or missing".to_owned()) }
}

/// A second key of the project.
fn another_key(program: &Path, home: &Rc<TempDir>) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(["keys", "create", "--name", "other", "--data-dir"]).arg(home.path().join("data"));
    let made = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&made.stdout);
    let key = said.lines().last().filter(|_| made.status.success());
    key.map(ToOwned::to_owned).ok_or_else(|| String::from_utf8_lossy(&made.stderr).into_owned())
}
