//! A runtime with links on it, and what they report.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::upstream::{
    CloseReason, Grace, LaunchSpec, LinkSink, Lost, QueueFull, UpstreamLink, Upstreams,
};
use orch_core::record::{RemoteKind, ServerSpec, Transport};
use orch_upstream_http::{Allowed, HttpUpstreams};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Longer than anything here takes on a busy machine: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A grace that no test lives to see the end of.
pub(crate) const LONG: Grace = Grace { stdin: Duration::from_secs(100), term: Duration::from_secs(100) };

/// The end at once.
pub(crate) const NOW: Grace = Grace { stdin: Duration::ZERO, term: Duration::ZERO };

/// What a link reported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Opened(Option<u32>),
    Received(Vec<Bytes>),
    Logged(String),
    /// What was said meanwhile is lost.
    Missed,
    Closed(CloseReason),
    /// The answer to a request that was refused by its status.
    Declined(Bytes),
    /// The answer to the request that was refused for its session.
    Expired(Option<Bytes>),
}

struct Recorder(Mutex<Sender<Event>>);

impl Recorder {
    fn record(&self, event: Event) {
        // A test that has seen enough no longer listens.
        let _unheard = self.0.lock().unwrap().send(event);
    }
}

impl LinkSink for Recorder {
    fn opened(&self, pid: Option<u32>) {
        self.record(Event::Opened(pid));
    }

    fn received(&self, _within: Option<&str>, frames: Vec<Bytes>) -> Duration {
        self.record(Event::Received(frames));
        Duration::ZERO
    }

    fn declined(&self, _within: &str, refusal: Bytes) {
        self.record(Event::Declined(refusal));
    }

    fn lost(&self, lost: Lost) {
        self.record(match lost {
            Lost::News => Event::Missed,
            Lost::Session(refusal) => Event::Expired(refusal),
        });
    }

    fn logged(&self, line: String) {
        self.record(Event::Logged(line));
    }

    fn dropped(&self, bytes: u64) {
        unreachable!("{bytes} bytes of a remote server's error output")
    }

    fn closed(&self, reason: CloseReason) {
        self.record(Event::Closed(reason));
    }
}

pub(crate) struct Stage {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) upstreams: HttpUpstreams,
}

impl Stage {
    /// A stage on which loopback is allowed.
    pub(crate) fn new() -> Self {
        Self::within(Limits::default())
    }

    /// The same, with other bounds.
    pub(crate) fn within(limits: Limits) -> Self {
        Self::build(&["127.0.0.0/8", "[::1]", "localhost"], None, limits)
    }

    pub(crate) fn with(allowed: &[&str], own_roots: Option<&str>) -> Self {
        Self::build(allowed, own_roots, Limits::default())
    }

    fn build(allowed: &[&str], own_roots: Option<&str>, limits: Limits) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let allowed = Allowed::parse(allowed.iter().copied()).unwrap();
        let (own_roots, runtime_of) = (own_roots.map(str::as_bytes), runtime.handle().clone());
        let upstreams = HttpUpstreams::new(allowed, own_roots, limits, runtime_of).unwrap();
        Self { runtime: Arc::new(runtime), upstreams }
    }

    pub(crate) fn open(&self, launch: &LaunchSpec) -> Link {
        let (sender, events) = channel();
        let end = self.upstreams.open(launch.clone(), Arc::new(Recorder(Mutex::new(sender))));
        Link { end: Some(end), events, frames: Vec::new(), _runtime: Arc::clone(&self.runtime) }
    }

    /// Why a link is not opened.
    pub(crate) fn refusal(&self, launch: &LaunchSpec) -> String {
        match self.open(launch).event() {
            Event::Closed(CloseReason::NotStarted(words)) => words,
            other => panic!("{other:?}"),
        }
    }
}

/// A specification over Streamable HTTP.
pub(crate) fn launch(url: &str) -> LaunchSpec {
    of_kind(RemoteKind::Http, url, &[])
}

pub(crate) fn of_kind(kind: RemoteKind, url: &str, headers: &[(&str, &str)]) -> LaunchSpec {
    let headers: BTreeMap<String, String> =
        headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    LaunchSpec {
        project: "default".into(),
        server: "far".into(),
        spec: ServerSpec::new(Transport::Remote { kind, url: url.into(), headers }),
        message_bytes: 1 << 20,
        queue_bytes: 4 << 20,
    }
}

pub(crate) struct Link {
    pub(crate) end: Option<Box<dyn UpstreamLink>>,
    events: Receiver<Event>,
    /// Received and not asked for yet, last first.
    frames: Vec<Bytes>,
    /// A link outlives its stage.
    _runtime: Arc<Runtime>,
}

impl Link {
    pub(crate) fn send(&self, message: &Value) {
        self.send_text(message.to_string()).unwrap();
    }

    pub(crate) fn send_text(&self, message: impl Into<Bytes>) -> Result<(), QueueFull> {
        self.end.as_ref().unwrap().send(message.into())
    }

    pub(crate) fn close(&self, grace: Grace) {
        self.end.as_ref().unwrap().close(grace);
    }

    /// The next event; `None` when nothing comes within `wait`, or ever.
    pub(crate) fn event_within(&self, wait: Duration) -> Option<Event> {
        self.events.recv_timeout(wait).ok()
    }

    #[track_caller]
    pub(crate) fn event(&self) -> Event {
        self.event_within(PATIENCE).expect("the link says something")
    }

    /// The next message; what is logged or opened before it is passed over.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Value {
        loop {
            if let Some(frame) = self.frames.pop() {
                assert!(!frame.is_empty() && !frame.contains(&b'\n'), "{frame:?}");
                return serde_json::from_slice(&frame).unwrap();
            }
            match self.event() {
                Event::Received(frames) => self.frames = frames.into_iter().rev().collect(),
                Event::Declined(refusal) => self.frames.push(refusal),
                Event::Opened(_) | Event::Logged(_) => {}
                end @ (Event::Closed(_) | Event::Expired(_) | Event::Missed) => {
                    panic!("{end:?} instead of a message")
                }
            }
        }
    }

    /// The error that answers request `id`: its code, its message, and its data.
    #[track_caller]
    pub(crate) fn error(&mut self, id: u64) -> (i64, String, Value) {
        let message = self.message();
        assert_eq!(message["id"], id, "{message}");
        let error = &message["error"];
        (
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().to_owned(),
            error["data"].clone(),
        )
    }

    /// The answer to a request that was refused, and whether its status alone says so.
    #[track_caller]
    pub(crate) fn refused(&self) -> (Value, bool) {
        loop {
            let (frame, by_status) = match self.event() {
                Event::Declined(refusal) => (refusal, true),
                Event::Received(frames) => (frames[0].clone(), false),
                Event::Opened(_) | Event::Logged(_) => continue,
                other => panic!("{other:?} instead of a refusal"),
            };
            return (serde_json::from_slice(&frame).unwrap(), by_status);
        }
    }

    /// The link says that its session is gone: the answer to the request that it knows that from, if it was one.
    #[track_caller]
    pub(crate) fn expiry(&self) -> Option<Value> {
        loop {
            match self.event() {
                Event::Expired(refusal) => {
                    return refusal.map(|frame| serde_json::from_slice(&frame).unwrap());
                }
                Event::Opened(_) | Event::Logged(_) => {}
                other => panic!("{other:?} instead of an expiry"),
            }
        }
    }

    #[track_caller]
    pub(crate) fn line(&self) -> String {
        loop {
            match self.event() {
                Event::Logged(line) => return line,
                Event::Opened(_) => {}
                other => panic!("{other:?} instead of a line"),
            }
        }
    }

    /// The reason of the end; what comes before it is passed over, and nothing may come after it.
    #[track_caller]
    pub(crate) fn end(&self) -> CloseReason {
        loop {
            if let Event::Closed(reason) = self.event() {
                assert_eq!(self.event_within(Duration::from_millis(50)), None, "closed is the last event");
                return reason;
            }
        }
    }

    /// The handshake of the 2025 revisions.
    #[track_caller]
    pub(crate) fn shake_hands(&mut self) {
        self.send(&initialize());
        assert_eq!(self.message()["id"], 0);
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    }
}

pub(crate) fn initialize() -> Value {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "hub", "version": "1" } });
    request(0, "initialize", params)
}

pub(crate) fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// A request of 2026-07-28.
pub(crate) fn stateless(id: u64, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({ "io.modelcontextprotocol/protocolVersion": "2026-07-28" });
    request(id, method, params)
}

pub(crate) fn note(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}
