//! The servers, clients and agents that `tests/peers/install` has installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::process::{command, found};

/// A server as `mcp-config.json` describes it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) command: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Further members of its entry.
    pub(crate) settings: serde_json::Map<String, Value>,
}

impl Server {
    pub(crate) fn program(command: PathBuf) -> Self {
        Self { command, args: Vec::new(), env: Vec::new(), settings: serde_json::Map::new() }
    }

    /// A server of the npm registry.
    pub(crate) fn node(package: &str) -> Self {
        let program = node_modules().join("@modelcontextprotocol").join(package).join("dist/index.js");
        Self::program(found("node")).arg(program.display().to_string())
    }

    /// A server of the Python package index.
    pub(crate) fn python(script: &str) -> Self {
        Self::program(installed().join("servers/bin").join(script))
    }

    /// The server that has something of everything.
    pub(crate) fn everything() -> Self {
        Self::node("server-everything")
    }

    /// A server that ends before it says anything.
    pub(crate) fn dead() -> Self {
        Self::program(found("false"))
    }

    /// The same with a daemon beside it that takes no notice of the server's end.
    pub(crate) fn with_daemon(self) -> Self {
        let mut args = vec!["-c".to_owned(), "setsid sleep 1000 & exec \"$@\"".to_owned(), "sh".to_owned()];
        args.push(self.command.display().to_string());
        args.extend(self.args);
        Self { command: found("sh"), args, ..self }
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn setting(mut self, name: &str, value: Value) -> Self {
        self.settings.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn entry(&self) -> Value {
        let env: serde_json::Map<String, Value> =
            self.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let mut entry = json!({ "command": self.command, "args": self.args, "env": env });
        let settings = self.settings.clone().into_iter();
        entry.as_object_mut().expect("an object").extend(settings);
        entry
    }
}

/// A client program on one of the TypeScript SDKs.
pub(crate) fn node_client(program: &str) -> Command {
    // A program finds its packages from the folder by which it is reached, which is not the one where it lies.
    let mut command = node(&installed().join("node/clients").join(program));
    command.env("NODE_OPTIONS", "--preserve-symlinks --preserve-symlinks-main");
    command
}

/// A client program on one of the Python SDKs.
pub(crate) fn python_client(environment: &str, program: &str) -> Command {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/clients");
    let mut command = command(installed().join(environment).join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(clients.join(program));
    command
}

/// The command line of the Inspector.
pub(crate) fn inspector() -> Command {
    let mut command = command(newer_node());
    command
        .arg(node_modules().join("@modelcontextprotocol/inspector/clients/launcher/build/index.js"))
        .arg("--cli");
    command
}

/// A node that is newer than the one that the machine may have.
pub(crate) fn newer_node() -> PathBuf {
    node_modules().join(format!("node-linux-{}/bin/node", architecture()))
}

/// The program that bridges a client on stdio to a server on HTTP, as words of a command.
pub(crate) fn mcp_remote() -> [PathBuf; 2] {
    [found("node"), node_modules().join("mcp-remote/dist/proxy.js")]
}

/// Claude Code.
pub(crate) fn claude() -> Command {
    command(claude_program())
}

/// The program of Claude Code, called `claude`.
pub(crate) fn claude_program() -> PathBuf {
    node_modules().join(format!("@anthropic-ai/claude-code-linux-{}/claude", architecture()))
}

fn node(program: &Path) -> Command {
    let mut command = command(found("node"));
    command.arg(program);
    command
}

/// This machine's kind, as npm calls it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => panic!("no build of node for {other} is among the peers"),
    }
}

fn node_modules() -> PathBuf {
    installed().join("node/node_modules")
}

/// Where `tests/peers/install` puts what it installs.
pub(crate) fn installed() -> &'static Path {
    static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
        let workspace =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
        target.join("peers")
    });
    assert!(INSTALLED.is_dir(), "the peers are not installed: run tests/peers/install");
    &INSTALLED
}
