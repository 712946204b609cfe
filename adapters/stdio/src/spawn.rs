//! Starting a child: the one place that turns a specification into an order for a shim.

use std::fmt::Write as _;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use orch_core::ports::upstream::LaunchSpec;
use orch_core::record::Transport;
use tokio::process::{ChildStdin, Command};

use crate::leash::Leash;
use crate::shim::COMMAND;
use crate::shim::order::{self, Order, Way};
use crate::{Ground, program};

/// The variables of the hub's own environment that every child gets: what programs need to find their files,
/// their user and their language, and nothing that could be a secret.
pub(crate) const INHERITED: [&str; 10] =
    ["HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"];

/// Names the server in the environment of its process, and so of all its descendants.
const SERVER: &str = "MCP_ORCH_SERVER";

/// Tells the processes of one launch from all others in the world.
const LAUNCH: &str = "MCP_ORCH_LAUNCH";

/// What to run, or words for a user why that cannot be.
pub(crate) fn order(launch: &LaunchSpec, ground: &Ground) -> Result<Order, String> {
    let Transport::Stdio { command, args, env, cwd } = &launch.spec.transport else {
        return Err("this is a remote server, not a program".into());
    };
    let mut environment = ground.inherited.clone();
    environment.extend(env.iter().map(|(name, value)| (name.into(), value.into())));
    environment.insert(SERVER.into(), launch.server.clone().into());
    let mark = mark(ground).map_err(|error| format!("no random bytes: {error}"))?;
    environment.insert(LAUNCH.into(), mark.into());
    let program = program::find(command, cwd.as_deref().map(Path::new), &environment)?;
    Ok(Order {
        program: program.into(),
        called: command.into(),
        args: args.iter().map(Into::into).collect(),
        env: environment.into_iter().collect(),
        cwd: cwd.as_ref().map(Into::into),
    })
}

/// A setting that the processes of this order alone have in their environment.
pub(crate) fn marker(order: &Order) -> Vec<u8> {
    let mark = order.env.iter().find(|(name, _)| name == LAUNCH);
    let mark = mark.map(|(_, mark)| mark.as_encoded_bytes()).unwrap_or_default();
    [LAUNCH.as_bytes(), b"=", mark].concat()
}

/// Starts a shim with an order. Its input is the control socket, and its output the server's; the writing end of the
/// server's input is returned too.
pub(crate) fn shim(program: &Path, server: &str, way: Way, order: &Order) -> io::Result<(Leash, ChildStdin)> {
    let (ours, theirs) = order::pair()?;
    let (server_reads, hub_writes) = io::pipe()?;
    order::place(&ours, way, order, server_reads)?;
    let shim = Command::new(program)
        .arg0("mcp-orch")
        .args([COMMAND, server])
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = ChildStdin::from_std(std::process::ChildStdin::from(OwnedFd::from(hub_writes)))?;
    Ok((Leash::new(shim, ours, marker(order))?, stdin))
}

/// How the setting starts that all processes of an instance have in their environment.
pub(crate) fn marker_of_instance(instance: &str) -> Vec<u8> {
    format!("{LAUNCH}={instance}.").into_bytes()
}

fn mark(ground: &Ground) -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let instance = ground.instance.get().map(|it| format!("{it}.")).unwrap_or_default();
    Ok(bytes.iter().fold(instance, |mut mark, byte| {
        // Writing to a string does not fail.
        let _written = write!(mark, "{byte:02x}");
        mark
    }))
}
