//! A runtime with children on it, and what they report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use orch_core::ports::upstream::{
    CloseReason, Grace, LaunchSpec, Launched, LinkSink, QueueFull, UpstreamLink, Upstreams,
};
use orch_core::record::{ServerSpec, Transport};
use orch_stdio::StdioUpstreams;
use tokio::runtime::Runtime;

/// The program that children run behind.
pub(crate) const SHIM: &str = env!("CARGO_BIN_EXE_orch-stdio-shim");

/// Longer than anything here takes on a busy machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A grace that no test lives to see the end of.
pub(crate) const LONG: Grace = Grace { stdin: Duration::from_secs(100), term: Duration::from_secs(100) };

/// What a child's link reported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Opened(Option<u32>),
    Received(Vec<Bytes>),
    Logged(String),
    Dropped(u64),
    Closed(CloseReason),
}

struct Recorder(Mutex<Sender<Event>>, Arc<Mutex<Option<Launched>>>);

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

    fn launched(&self, launched: Launched) {
        assert!(self.1.lock().unwrap().replace(launched).is_none(), "said once");
    }

    fn received(&self, _within: Option<&str>, frames: Vec<Bytes>) -> Duration {
        self.record(Event::Received(frames));
        Duration::ZERO
    }

    fn logged(&self, line: String) {
        self.record(Event::Logged(line));
    }

    fn dropped(&self, bytes: u64) {
        self.record(Event::Dropped(bytes));
    }

    fn closed(&self, reason: CloseReason) {
        self.record(Event::Closed(reason));
    }
}

pub(crate) struct Stage {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) upstreams: StdioUpstreams,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let upstreams = StdioUpstreams::new(SHIM, std::env::vars_os(), runtime.handle().clone());
        Self { runtime: Arc::new(runtime), upstreams }
    }

    /// Children see the pids that the test sees.
    pub(crate) fn plain() -> Self {
        let Self { runtime, upstreams } = Self::new();
        Self { runtime, upstreams: upstreams.without_namespaces() }
    }

    /// Servers that are confined live in this directory.
    pub(crate) fn housed(self, homes: &Path) -> Self {
        self.runtime.block_on(self.upstreams.house(homes.to_path_buf()));
        self
    }

    /// Starts `sh -c script`.
    pub(crate) fn shell(&self, script: &str) -> Link {
        self.open(&launch("sh", &["-c", script]))
    }

    /// Starts a Python program given as text.
    pub(crate) fn python(&self, program: &str) -> Link {
        self.open(&launch("python3", &["-c", program]))
    }

    pub(crate) fn open(&self, launch: &LaunchSpec) -> Link {
        let (sender, events) = channel();
        let launched = Arc::default();
        let recorder = Recorder(Mutex::new(sender), Arc::clone(&launched));
        let handle = self.upstreams.open(launch.clone(), Arc::new(recorder));
        Link {
            handle: Some(handle),
            events,
            launched,
            frames: Vec::new(),
            _runtime: Arc::clone(&self.runtime),
        }
    }
}

pub(crate) fn launch(command: &str, args: &[&str]) -> LaunchSpec {
    LaunchSpec {
        project: "default".into(),
        server: "it".into(),
        spec: ServerSpec::new(Transport::Stdio {
            command: command.into(),
            args: args.iter().map(|&it| it.into()).collect(),
            env: BTreeMap::new(),
            cwd: None,
        }),
        message_bytes: 1 << 20,
        queue_bytes: 4 << 20,
    }
}

pub(crate) struct Link {
    pub(crate) handle: Option<Box<dyn UpstreamLink>>,
    events: Receiver<Event>,
    launched: Arc<Mutex<Option<Launched>>>,
    /// Received and not asked for yet, last first.
    frames: Vec<Bytes>,
    /// A link outlives its stage.
    _runtime: Arc<Runtime>,
}

impl Link {
    pub(crate) fn send(&self, frame: impl Into<Bytes>) -> Result<(), QueueFull> {
        self.handle.as_ref().unwrap().send(frame.into())
    }

    pub(crate) fn close(&self, grace: Grace) {
        self.handle.as_ref().unwrap().close(grace);
    }

    /// How the processes of an open link are found.
    pub(crate) fn launched(&self) -> Launched {
        self.launched.lock().unwrap().clone().expect("it is said before the link is opened")
    }

    /// The next event; `None` when nothing comes within `wait`, or ever.
    pub(crate) fn event_within(&self, wait: Duration) -> Option<Event> {
        self.events.recv_timeout(wait).ok()
    }

    pub(crate) fn event(&self) -> Event {
        self.event_within(PATIENCE).expect("the link says something")
    }

    /// The pid of a child that was just opened.
    pub(crate) fn pid(&self) -> u32 {
        match self.event() {
            Event::Opened(Some(pid)) => pid,
            other => panic!("{other:?} before the link was opened"),
        }
    }

    /// The next message; what is logged or opened before it is passed over.
    pub(crate) fn message(&mut self) -> Bytes {
        loop {
            if let Some(frame) = self.frames.pop() {
                return frame;
            }
            match self.event() {
                Event::Received(frames) => self.frames = frames.into_iter().rev().collect(),
                Event::Opened(_) | Event::Logged(_) | Event::Dropped(_) => {}
                end @ Event::Closed(_) => panic!("{end:?} instead of a message"),
            }
        }
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.message().to_vec()).unwrap()
    }

    /// The reason of the end; what comes before it is passed over, and nothing may come after it.
    pub(crate) fn end(&self) -> CloseReason {
        loop {
            if let Event::Closed(reason) = self.event() {
                assert_eq!(self.event_within(Duration::from_millis(50)), None, "closed is the last event");
                return reason;
            }
        }
    }
}

/// Whether a process is there and not a zombie.
pub(crate) fn lives(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status.rsplit(')').next().and_then(|it| it.split_whitespace().next());
    state.is_some_and(|it| it != "Z" && it != "X")
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..PATIENCE.as_millis() / 10 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within {PATIENCE:?}: {what}");
}
