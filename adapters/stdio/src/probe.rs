//! What walls this machine has, found out by running into them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use orch_core::record::Walls;
use tokio::process::Command;

use crate::shim::probe::{NAMESPACE, PROBE, WALLS, read};

/// How long an attempt may take. One that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What holds.
    pub walls: Walls,
    /// Whether a server can have a PID namespace.
    pub namespaces: bool,
    /// Whether this is the superuser, whose processes no limit counts.
    pub root: bool,
    /// The version of Landlock in the kernel; 0: none.
    pub landlock: u32,
}

/// Tries it all. `shim` is a program that hands its start to [`crate::shim::entered`].
pub async fn probe(shim: &Path) -> Facts {
    let (walls, namespace) = tokio::join!(attempt(shim, WALLS), attempt(shim, NAMESPACE));
    let (within, apart) = (read(&walls), read(&namespace));
    Facts {
        walls: Walls { processes: apart.walls.processes, ..within.walls },
        namespaces: apart.namespaces,
        root: rustix::process::geteuid().is_root(),
        landlock: within.landlock,
    }
}

/// What one attempt has said; nothing when it could not be made.
async fn attempt(shim: &Path, what: &str) -> String {
    let Ok(place) = tempfile::tempdir() else { return String::new() };
    let run = Command::new(shim)
        .arg0("mcp-orch")
        .args([PROBE, what])
        .arg(place.path())
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(PATIENCE, run).await;
    ended
        .ok()
        .and_then(Result::ok)
        .map(|it| String::from_utf8_lossy(&it.stdout).into_owned())
        .unwrap_or_default()
}
