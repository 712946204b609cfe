//! A server without a hub, for what its calls take by themselves.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::peers::Server;
use crate::process;

/// A running server, asked over its pipes. It ends with its value.
#[derive(Debug)]
pub(crate) struct Direct {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Direct {
    pub(crate) fn start(server: &Server) -> Self {
        let mut command = process::command(&server.command);
        command.args(&server.args).envs(server.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a server");
        let asks = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut direct = Self { child, asks, answers };
        direct.ask(
            "initialize",
            &json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "direct", "version": "1" } }),
        );
        direct.tell(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        direct
    }

    /// Calls a tool; how long that took.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Duration {
        let began = Instant::now();
        let answer = self.ask("tools/call", &json!({ "name": tool, "arguments": arguments }));
        let wall = began.elapsed();
        assert!(answer.get("result").is_some_and(|result| result["isError"] != true), "{answer}");
        wall
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.tell(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).expect("a line") > 0, "the server has ended");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            if message["id"] == 1 && message.get("method").is_none() {
                return message;
            }
        }
    }

    fn tell(&mut self, message: &Value) {
        // In one piece: to write it as it is formatted takes longer than the call.
        let line = format!("{message}\n");
        self.asks.write_all(line.as_bytes()).expect("it is sent");
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}
