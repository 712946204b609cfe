//! A client of a few lines: one connection, requests written by hand, answers read whole or in part.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_mins(3);

/// An endpoint, with a key for it.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// Host and port.
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) key: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The only message of the body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.head, String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Door {
    /// A request with these headers.
    pub(crate) fn request(&self, verb: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
        let Self { address, path, key } = self;
        let more: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let more = more.concat();
        format!(
            "{verb} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
             Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// A call of a tool in the stateless revision.
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Vec<u8> {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments, "_meta": {
                "progressToken": "p",
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            } } });
        let headers =
            [("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", "tools/call"), ("Mcp-Name", tool)];
        self.request("POST", &headers, &message.to_string())
    }

    /// A message of a session.
    pub(crate) fn message(&self, session: Option<&str>, message: &Value) -> Vec<u8> {
        match session {
            Some(session) => {
                let headers = [("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Session-Id", session)];
                self.request("POST", &headers, &message.to_string())
            }
            None => self.request("POST", &[], &message.to_string()),
        }
    }

    pub(crate) async fn connect(&self) -> Line {
        let stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        Line { stream, read: Vec::new() }
    }

    /// One call on a connection of its own.
    pub(crate) async fn ask(&self, tool: &str, arguments: &Value) -> Answer {
        self.connect().await.exchange(&self.call(tool, arguments)).await
    }

    /// Opens a session, and returns its id.
    pub(crate) async fn session(&self, line: &mut Line) -> String {
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "it", "version": "1" } } });
        let answer = line.exchange(&self.message(None, &initialize)).await;
        let session =
            answer.header("mcp-session-id").unwrap_or_else(|| panic!("no session: {answer:?}")).to_owned();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(line.exchange(&self.message(Some(&session), &initialized)).await.status, 202);
        session
    }
}

/// A connection.
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Line {
    pub(crate) async fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.expect("it is sent");
    }

    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Answer {
        self.send(request).await;
        timeout(PATIENCE, self.answer()).await.expect("an answer in time")
    }

    /// The next answer, whole.
    pub(crate) async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|text| text == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await;
        };
        let rest = self.read.split_off(end);
        let head = String::from_utf8(std::mem::replace(&mut self.read, rest)).expect("text");
        let status = head.get(9..12).and_then(|status| status.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().expect("a length");
            while self.read.len() < length {
                self.more().await;
            }
            let rest = self.read.split_off(length);
            answer.body = std::mem::replace(&mut self.read, rest);
        } else if answer.header("transfer-encoding").is_some() {
            answer.body = self.chunks().await;
        }
        answer
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            if let Some((piece, used)) = first_chunk(&self.read) {
                let last = piece.is_empty();
                body.extend_from_slice(piece);
                self.read.drain(..used);
                if last {
                    return body;
                }
            } else {
                self.more().await;
            }
        }
    }

    async fn more(&mut self) {
        let mut space = vec![0; 64 * 1024];
        let count = self.stream.read(&mut space).await.expect("more of it");
        assert!(count > 0, "the connection ends early: {}", String::from_utf8_lossy(&self.read));
        self.read.extend_from_slice(&space[..count]);
    }

    /// What comes, up to so many bytes or to the end of the connection.
    pub(crate) async fn up_to(&mut self, count: usize) -> Vec<u8> {
        let (mut read, mut space) = (Vec::new(), vec![0; 64 * 1024]);
        while read.len() < count {
            let wanted = (count - read.len()).min(space.len());
            match timeout(PATIENCE, self.stream.read(&mut space[..wanted])).await.expect("it comes in time") {
                Ok(0) | Err(_) => break,
                Ok(some) => read.extend_from_slice(&space[..some]),
            }
        }
        read
    }
}

/// The first chunk of a body in chunks, if all of it is there, and its length with its frame.
pub(crate) fn first_chunk(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.windows(2).position(|text| text == b"\r\n")?;
    let length =
        std::str::from_utf8(&bytes[..end]).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok())?;
    let whole = end + 2 + length + 2;
    (bytes.len() >= whole).then(|| (&bytes[end + 2..end + 2 + length], whole))
}

/// Calls until `end`, one after the other; how long each took, in microseconds.
pub(crate) async fn calls_until(door: &Door, end: Instant) -> Vec<u64> {
    let (mut line, call) = (door.connect().await, door.call("echo", &json!({ "text": "good" })));
    let mut times = Vec::new();
    while Instant::now() < end {
        let asked = Instant::now();
        let answer = line.exchange(&call).await;
        assert!(answer.body.windows(4).any(|text| text == b"good"), "{answer:?}");
        times.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    times
}

/// The 99th percentile, in milliseconds.
pub(crate) fn p99(mut times: Vec<u64>) -> f64 {
    times.sort_unstable();
    let index = (times.len() * 99 / 100).min(times.len().saturating_sub(1));
    Duration::from_micros(times.get(index).copied().unwrap_or(0)).as_secs_f64() * 1000.0
}
