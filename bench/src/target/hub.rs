//! A hub for one run, on a port of the system's choice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Running, listening, this_program};
use crate::target::process::Process;

/// The name of the server that calls go to.
pub(crate) const SERVER: &str = "echo";

/// Where the key of the first start is kept for the next ones.
const KEY: &str = "key";

/// A configuration with an echo server.
pub(crate) fn echo() -> Value {
    servers([(SERVER.to_owned(), Vec::new())])
}

/// A configuration of echo servers: their names, and what they are told beside.
pub(crate) fn servers(all: impl IntoIterator<Item = (String, Vec<String>)>) -> Value {
    let program = this_program().unwrap_or_default();
    let entry = |args: Vec<String>| {
        let args: Vec<String> = std::iter::once("echo-server".to_owned()).chain(args).collect();
        json!({ "command": program, "args": args })
    };
    let servers: serde_json::Map<String, Value> =
        all.into_iter().map(|(name, args)| (name, entry(args))).collect();
    json!({ "mcpServers": servers })
}

/// Starts a hub; in a home that one has had before it, with what that one has left.
pub(crate) fn start(
    program: &Path,
    config: &Value,
    options: &[&str],
    home: &Rc<TempDir>,
) -> Result<Running, String> {
    let told = |error: std::io::Error| format!("{}: {error}", program.display());
    let file = home.path().join("mcp-config.json");
    std::fs::write(&file, config.to_string()).map_err(told)?;
    let mut command = Command::new(program);
    command
        .args(["serve", "--port", "0", "--log-level", "warn", "--config"])
        .arg(&file)
        .arg("--data-dir")
        .arg(home.path().join("data"))
        .args(options)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path());
    let process = Process::start(command, Rc::clone(home))?;
    let address = process.said(listening)?;
    let key = match std::fs::read_to_string(home.path().join(KEY)) {
        Ok(key) => key,
        Err(_first) => {
            let key = process.said(key)?;
            std::fs::write(home.path().join(KEY), &key).map_err(told)?;
            key
        }
    };
    let (mcp, sse) = (format!("/servers/{SERVER}/mcp"), Some(format!("/servers/{SERVER}/sse")));
    let tool = "echo".to_owned();
    Ok(Running { address, key, mcp, sse, tool, pid: Some(process.pid()), process: Some(process) })
}

/// The key in a line of the welcome.
fn key(line: &str) -> Option<String> {
    let (_, key) = line.split_once("mcp_proj_")?;
    let digits = key.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
    Some(format!("mcp_proj_{}", digits.collect::<String>()))
}

/// The hub that was built with this program: `target/<profile>/mcp-orch`.
pub(crate) fn beside_this_program() -> Result<PathBuf, String> {
    let hub = this_program()?.with_file_name("mcp-orch");
    if hub.is_file() {
        Ok(hub)
    } else {
        Err(format!("{} is not there: cargo build --release -p mcp-orch, or --hub FILE", hub.display()))
    }
}
