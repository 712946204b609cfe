//! A link to a server, and the little of a core that a test needs.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::upstream::{CloseReason, Grace, LaunchSpec, LinkSink, Lost, UpstreamLink, Upstreams};
use orch_core::record::{RemoteKind, ServerSpec, Transport};
use orch_upstream_http::{Allowed, HttpUpstreams};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Longer than anything here takes on a busy machine: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const LONG: Grace = Grace { stdin: Duration::from_secs(100), term: Duration::from_secs(100) };

enum Event {
    Closed(CloseReason),
    Expired(Option<Bytes>),
    Received(Vec<Bytes>),
}

struct Recorder(Mutex<Sender<Event>>);

impl Recorder {
    fn record(&self, event: Event) {
        // A test that has seen enough no longer listens.
        let _unheard = self.0.lock().unwrap().send(event);
    }
}

impl LinkSink for Recorder {
    fn opened(&self, _: Option<u32>) {}

    fn received(&self, _within: Option<&str>, frames: Vec<Bytes>) -> Duration {
        self.record(Event::Received(frames));
        Duration::ZERO
    }

    fn lost(&self, lost: Lost) {
        if let Lost::Session(refusal) = lost {
            self.record(Event::Expired(refusal));
        }
    }

    fn logged(&self, _: String) {}

    fn dropped(&self, _: u64) {}

    fn closed(&self, reason: CloseReason) {
        self.record(Event::Closed(reason));
    }
}

pub(crate) struct Link {
    end: Box<dyn UpstreamLink>,
    events: Receiver<Event>,
    /// Received and not asked for yet, last first.
    frames: Vec<Bytes>,
    next_id: u64,
    _runtime: Runtime,
}

impl Link {
    pub(crate) fn open(kind: RemoteKind, url: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let allowed = Allowed::parse(["127.0.0.1"]).unwrap();
        let upstreams =
            HttpUpstreams::new(allowed, None, Limits::default(), runtime.handle().clone()).unwrap();
        let spec = ServerSpec::new(Transport::Remote { kind, url: url.to_owned(), headers: BTreeMap::new() });
        let launch = LaunchSpec {
            project: "default".into(),
            server: "peer".into(),
            spec,
            message_bytes: 8 << 20,
            queue_bytes: 8 << 20,
        };
        let (sender, events) = channel();
        let end = upstreams.open(launch, Arc::new(Recorder(Mutex::new(sender))));
        Self { end, events, frames: Vec::new(), next_id: 0, _runtime: runtime }
    }

    /// A link of the 2025 revisions after its handshake.
    pub(crate) fn with_hands_shaken(kind: RemoteKind, url: &str, revision: &str) -> Self {
        let mut link = Self::open(kind, url);
        let capabilities = json!({ "sampling": {}, "elicitation": {} });
        let client = json!({ "name": "hub", "version": "1" });
        let params =
            json!({ "protocolVersion": revision, "capabilities": capabilities, "clientInfo": client });
        let result = link.ask("initialize", params);
        assert_eq!(result["result"]["protocolVersion"], revision, "{result}");
        link.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        link
    }

    pub(crate) fn send(&self, message: &Value) {
        self.end.send(message.to_string().into()).unwrap();
    }

    /// Sends a request, and says its id.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> u64 {
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params }));
        self.next_id
    }

    /// The same, of 2026-07-28.
    pub(crate) fn stateless(&mut self, method: &str, mut params: Value) -> u64 {
        let meta = params["_meta"].take();
        params["_meta"] = if meta.is_null() { json!({}) } else { meta };
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "hub", "version": "1" });
        self.request(method, params)
    }

    /// The answer to a request; what comes before it and is no answer to it is passed over.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        self.answer(id).1
    }

    /// The answer to a request, and what came before it.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u64) -> (Vec<Value>, Value) {
        let mut before = Vec::new();
        loop {
            let message = self.message();
            if message["id"] == id && message["method"].is_null() {
                return (before, message);
            }
            before.push(message);
        }
    }

    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        loop {
            if let Some(frame) = self.frames.pop() {
                return serde_json::from_slice(&frame).unwrap();
            }
            match self.events.recv_timeout(PATIENCE).expect("the link says something") {
                Event::Received(frames) => self.frames = frames.into_iter().rev().collect(),
                Event::Closed(reason) => panic!("{reason:?} instead of a message"),
                Event::Expired(refusal) => panic!("{refusal:?} instead of a message"),
            }
        }
    }

    /// Calls a tool for the text of its result.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> String {
        text(&self.ask("tools/call", json!({ "name": tool, "arguments": arguments })))
    }

    pub(crate) fn close(&self) -> CloseReason {
        self.end.close(LONG);
        self.end()
    }

    /// The id of the request that was refused because the session is gone.
    #[track_caller]
    pub(crate) fn expired(&self) -> Value {
        match self.events.recv_timeout(PATIENCE).expect("the link says something") {
            Event::Expired(Some(refusal)) => serde_json::from_slice::<Value>(&refusal).unwrap()["id"].clone(),
            Event::Closed(_) | Event::Expired(None) | Event::Received(_) => panic!("it does not say so"),
        }
    }

    /// The reason of the end; messages before it are passed over.
    pub(crate) fn end(&self) -> CloseReason {
        loop {
            if let Event::Closed(reason) = self.events.recv_timeout(PATIENCE).expect("the link ends") {
                return reason;
            }
        }
    }
}

/// The text of a tool's result.
#[track_caller]
pub(crate) fn text(answer: &Value) -> String {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text in {answer}")).to_owned()
}
