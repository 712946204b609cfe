//! What is remembered of processes while they run.

use alloc::string::String;
use serde::{Deserialize, Serialize};

use crate::{LaunchId, ProjectId, ServerId, Timestamp};

/// A launch of a server, from the start of its process to its end. The leases that the store has when a hub starts are of
/// hubs that are dead: no two have it open at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The launch. It begins with the name of the instance and a dot.
    pub launch: LaunchId,
    /// The server's project.
    pub project: ProjectId,
    /// The server.
    pub server: ServerId,
    /// In which life of the machine it is; empty when that could not be told.
    pub boot: String,
    /// The process between the hub and the server.
    pub shim: Started,
    /// The server's own, as the hub sees it.
    pub process: Option<Started>,
    /// When it was started.
    pub at: Timestamp,
}

/// A process, told from all others that have its number before or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its number.
    pub pid: u32,
    /// When it was started, in the system's ticks since the machine was.
    pub ticks: u64,
}
