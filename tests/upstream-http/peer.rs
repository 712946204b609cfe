//! Servers that `tests/peers/install` has installed, as processes that end with their test.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::link::PATIENCE;

/// A running server.
pub(crate) struct Peer {
    child: Child,
    pub(crate) port: u16,
    /// What it says on its standard output.
    lines: Receiver<String>,
}

impl Peer {
    /// The reference server, in one of its modes, at a port that nobody else has.
    pub(crate) fn everything(mode: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self::everything_at(mode, port)
    }

    pub(crate) fn everything_at(mode: &str, port: u16) -> Self {
        let mut command = command("node");
        command.arg(node_modules().join("server-everything/dist/index.js")).arg(mode);
        let mut peer = Self::start(command.env("PORT", port.to_string()));
        peer.port = port;
        for _ in 0..PATIENCE.as_millis() / 20 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return peer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server does not listen at {port}");
    }

    /// A server of both eras on the TypeScript SDK, version 2.
    pub(crate) fn typescript() -> Self {
        let mut command = command("node");
        command.arg(here().join("dual.mjs")).arg(node_modules().join("server/dist/index.mjs"));
        Self::that_says_its_port(&mut command)
    }

    /// A server of both eras on the Python SDK, version 2.
    pub(crate) fn python(mode: &str) -> Self {
        let mut command = command(installed().join("mcp2/bin/python"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(here().join("dual.py")).arg(mode);
        Self::that_says_its_port(&mut command)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next line that the server says.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the server says something")
    }

    fn that_says_its_port(command: &mut Command) -> Self {
        let mut peer = Self::start(command);
        peer.port = peer.line().parse().unwrap();
        peer
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, port: 0, lines }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "the only place where these tests start a program")]
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("a search path"));
    command
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream-http/peers")
}

fn node_modules() -> PathBuf {
    installed().join("node/node_modules/@modelcontextprotocol")
}

fn installed() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let installed = target.join("peers");
    assert!(installed.is_dir(), "the peers are not installed: run tests/peers/install");
    installed
}
