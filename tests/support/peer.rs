//! Servers on HTTP that `tests/peers/install` has installed, as processes that end with their test.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longer than a server takes to begin on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

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
        let free = TcpListener::bind("127.0.0.1:0").expect("a server");
        let port = free.local_addr().expect("a server").port();
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

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next line that the server says.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the server says something")
    }

    /// A running server that prints lines.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a server");
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().expect("a server"));
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
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("a search path"));
    command
}

pub(crate) fn node_modules() -> PathBuf {
    installed().join("node/node_modules/@modelcontextprotocol")
}

pub(crate) fn installed() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let installed = target.join("peers");
    assert!(installed.is_dir(), "the peers are not installed: run tests/peers/install");
    installed
}
