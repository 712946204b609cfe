//! Starting a child: the one place that turns a specification into a process.
//!
//! The seam for isolation: a later release re-executes the hub as a shim here (subreaper, lifeline pipe, limits,
//! namespaces), and nothing else in this crate changes. Until then a child is the leader of a process group of its
//! own, which is ended as a whole; a descendant that leaves the group outlives it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use orch_core::ports::upstream::LaunchSpec;
use orch_core::record::Transport;
use tokio::process::{Child, Command};

use crate::program;

/// The variables of the hub's own environment that every child gets: what programs need to find their files,
/// their user and their language, and nothing that could be a secret.
pub(crate) const INHERITED: [&str; 10] =
    ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];

/// Names the server in the environment of its process, and so of all its descendants.
const MARKER: &str = "MCP_ORCH_SERVER";

/// Starts the child of `launch`, with its three streams piped. The error is fit for a user.
pub(crate) fn spawn(launch: &LaunchSpec, inherited: &BTreeMap<OsString, OsString>) -> Result<Child, String> {
    let Transport::Stdio { command, args, env, cwd } = &launch.spec.transport else {
        return Err("this is a remote server, not a program".into());
    };
    let mut environment = inherited.clone();
    environment.extend(env.iter().map(|(name, value)| (name.into(), value.into())));
    environment.insert(MARKER.into(), launch.server.clone().into());
    let cwd = cwd.as_deref().map(Path::new);
    let file = program::find(command, cwd, &environment)?;
    let mut process = Command::new(file);
    process
        .arg0(command)
        .args(args)
        .env_clear()
        .envs(&environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(cwd) = cwd {
        process.current_dir(cwd);
    }
    process.spawn().map_err(|error| program::explain(command, &error))
}
