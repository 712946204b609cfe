//! What is put under load: the hub, the floor, and whatever else speaks MCP at an address.

pub(crate) mod hub;
pub(crate) mod peer;
pub(crate) mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use tempfile::TempDir;

use crate::cores::{self, Cores};
use crate::floor;
use crate::load::Era;
use peer::Peer;
use process::Process;

/// What can be started.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// The hub, by its program.
    Hub(PathBuf),
    /// `bench floor`.
    Floor,
    Peer(Peer),
}

/// One that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    /// The paths of its endpoint, in the eras of Streamable HTTP and in that of HTTP+SSE.
    pub(crate) mcp: String,
    sse: Option<String>,
    /// What the echo tool is called.
    pub(crate) tool: String,
    /// Of the process that serves, if it is known.
    pub(crate) pid: Option<u32>,
    process: Option<Process>,
}

impl Target {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Hub(_) => "hub",
            Self::Floor => "floor",
            Self::Peer(peer) => &peer.name,
        }
    }

    /// Starts it, with an echo server behind it, on a core of its own if there are two.
    pub(crate) fn start(&self, cores: Option<Cores>) -> Result<Running, String> {
        let told = |why: String| format!("{}: {why}", self.name());
        if let Some(cores) = cores {
            cores::stay_on(cores.target)?;
        }
        let running = match self {
            Self::Hub(program) => hub::start(program, &hub::echo(), &[], &new_home()?),
            Self::Floor => start_floor(),
            Self::Peer(peer) => peer.start(),
        };
        if let Some(cores) = cores {
            cores::stay_on(cores.load)?;
        }
        running.map_err(told)
    }
}

impl Running {
    /// Where clients of an era go; `None` if it does not speak it.
    pub(crate) fn endpoint(&self, era: Era) -> Option<&str> {
        match era {
            Era::Sse => self.sse.as_deref(),
            Era::Session | Era::Stateless => Some(&self.mcp),
        }
    }

    /// What it has complained of.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

/// A temporary directory, which lives as long as the last program in it.
pub(crate) fn new_home() -> Result<Rc<TempDir>, String> {
    TempDir::with_prefix("orch-bench-").map(Rc::new).map_err(|error| error.to_string())
}

/// A program that is this one.
pub(crate) fn this_program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

fn start_floor() -> Result<Running, String> {
    let mut command = Command::new(this_program()?);
    command.arg("floor").env(floor::KEY, KEY_OF_FLOOR);
    let process = Process::start(command, new_home()?)?;
    let address = process.said(listening)?;
    let (mcp, key, pid) = ("/mcp".to_owned(), KEY_OF_FLOOR.to_owned(), Some(process.pid()));
    let tool = "echo".to_owned();
    Ok(Running { address, key, mcp, sse: None, tool, pid, process: Some(process) })
}

const KEY_OF_FLOOR: &str = "floor_0123456789abcdef0123456789abcdef";

/// The address in the line that hub and floor say when they are there.
fn listening(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("Listening on http://")?.parse().ok()
}
