//! A hub of its own for one run: in a temporary directory, on a port of the system's choice, gone with its value.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(8);

/// The name of the one server.
pub(crate) const SERVER: &str = "echo";

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    process: Child,
    home: TempDir,
}

impl Hub {
    /// Starts a hub with an echo server behind it.
    pub(crate) fn start(program: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("{}: {error}", program.display());
        let home = TempDir::with_prefix("orch-bench-").map_err(told)?;
        let config = home.path().join("mcp-config.json");
        let echo = std::env::current_exe().map_err(told)?;
        let entry = serde_json::json!({ "command": echo, "args": ["echo-server"] });
        let servers = serde_json::json!({ "mcpServers": { SERVER: entry } });
        std::fs::write(&config, servers.to_string()).map_err(told)?;
        let log = std::fs::File::create(home.path().join("hub.log")).map_err(told)?;
        let mut process = Command::new(program)
            .args(["serve", "--port", "0", "--log-level", "warn", "--config"])
            .arg(&config)
            .arg("--data-dir")
            .arg(home.path().join("data"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(told)?;
        let stdout = process.stdout.take();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut hub = Self { address, key: String::new(), process, home };
        let lines = stdout.map(follow).ok_or("the output of the hub is not there")?;
        hub.read_welcome(&lines)?;
        Ok(hub)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What the hub has complained of.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("hub.log")).unwrap_or_default()
    }

    /// Where it listens, and the key that it has made.
    fn read_welcome(&mut self, lines: &Receiver<String>) -> Result<(), String> {
        let end = Instant::now() + START;
        while self.key.is_empty() || self.address.port() == 0 {
            let left = end.saturating_duration_since(Instant::now());
            let line =
                lines.recv_timeout(left).map_err(|_| format!("the hub does not start: {}", self.log()))?;
            if let Some(address) = line.strip_prefix("Listening on http://") {
                self.address = address.parse().map_err(|_| format!("no address: {line}"))?;
            }
            if let Some((_, key)) = line.split_once("mcp_proj_") {
                let digits = key.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
                self.key = format!("mcp_proj_{}", digits.collect::<String>());
            }
        }
        Ok(())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _asked = kill_process(Pid::from_child(&self.process), Signal::TERM);
        let end = Instant::now() + STOP;
        while self.process.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _already_gone = self.process.kill();
        let _status = self.process.wait();
    }
}

/// The lines that the hub prints; they are read to their end, so that it never waits for a reader.
fn follow(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _nobody_listens_any_more = sender.send(line);
        }
    });
    receiver
}

/// The hub that was built with this program: `target/<profile>/mcp-orch`.
pub(crate) fn beside_this_program() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let hub = this.with_file_name("mcp-orch");
    if hub.is_file() {
        Ok(hub)
    } else {
        Err(format!("{} is not there: cargo build --release -p mcp-orch, or --hub FILE", hub.display()))
    }
}
