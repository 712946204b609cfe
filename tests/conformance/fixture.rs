//! The server that the suite wants to meet, with one of its faces.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Stdio};

use serde_json::{Value, json};

use crate::peers::{Server, installed, newer_node};
use crate::process::command;

/// How the server is reached, and the eras that it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Http,
    HttpLegacy,
    Sse,
    Stdio,
    StdioLegacy,
}

impl Face {
    /// As the server's program and the lists of failures call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::HttpLegacy => "http-legacy",
            Self::Sse => "sse",
            Self::Stdio => "stdio",
            Self::StdioLegacy => "stdio-legacy",
        }
    }

    /// The field `type` of a remote server's entry; `None` for a server that the hub starts itself.
    fn transport(self) -> Option<&'static str> {
        match self {
            Self::Http | Self::HttpLegacy => Some("streamable-http"),
            Self::Sse => Some("sse"),
            Self::Stdio | Self::StdioLegacy => None,
        }
    }
}

/// A program finds its packages from the folder by which it is reached, which is not the one where it lies.
pub(crate) const LINKS: (&str, &str) = ("NODE_OPTIONS", "--preserve-symlinks --preserve-symlinks-main");

/// A server with a face on HTTP, running.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) url: String,
    process: Child,
    /// The server ends when this does.
    _input: ChildStdin,
}

impl Remote {
    pub(crate) fn start(face: Face) -> Self {
        let mut command = command(newer_node());
        command.env(LINKS.0, LINKS.1).arg(program()).arg(face.name());
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let input = process.stdin.take().expect("it is piped");
        let mut url = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut url).expect("the server prints its URL");
        Self { url: url.trim().to_owned(), process, _input: input }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The server behind a hub.
#[derive(Debug)]
pub(crate) enum Fixture {
    /// The hub starts it.
    Local(Server),
    /// It runs already.
    Remote { transport: &'static str, server: Remote },
}

impl Fixture {
    pub(crate) fn new(face: Face) -> Self {
        match face.transport() {
            Some(transport) => Self::Remote { transport, server: Remote::start(face) },
            None => {
                let server = Server::program(newer_node()).arg(program()).arg(face.name());
                Self::Local(server.env(LINKS.0, LINKS.1))
            }
        }
    }

    /// Its entry in `mcp-config.json`.
    pub(crate) fn entry(&self) -> Value {
        match self {
            Self::Local(server) => server.entry(),
            Self::Remote { transport, server } => json!({ "type": transport, "url": server.url }),
        }
    }
}

fn program() -> String {
    installed().join("conformance/fixture/main.mjs").display().to_string()
}
