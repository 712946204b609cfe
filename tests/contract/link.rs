//! One link under test, and what it reports.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use orch_core::ports::upstream::{
    CloseReason, Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams,
};

/// Longer than anything here takes on a busy machine: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What a link reported.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Opened,
    Received(Vec<Bytes>),
    Logged,
    Closed(CloseReason),
}

struct Recorder(Mutex<Sender<Event>>);

impl Recorder {
    fn record(&self, event: Event) {
        // A test that has seen enough no longer listens.
        let _unheard = self.0.lock().unwrap().send(event);
    }
}

impl LinkSink for Recorder {
    fn opened(&self, _pid: Option<u32>) {
        self.record(Event::Opened);
    }

    fn received(&self, _within: Option<&str>, frames: Vec<Bytes>) -> Duration {
        self.record(Event::Received(frames));
        Duration::ZERO
    }

    fn logged(&self, _line: String) {
        self.record(Event::Logged);
    }

    fn dropped(&self, _bytes: u64) {
        self.record(Event::Logged);
    }

    fn closed(&self, reason: CloseReason) {
        self.record(Event::Closed(reason));
    }
}

pub(crate) struct Link {
    end: Option<Box<dyn UpstreamLink>>,
    events: Receiver<Event>,
    /// Received and not asked for yet, last first.
    frames: Vec<Bytes>,
}

impl Link {
    /// Opens a link and waits for nothing.
    pub(crate) fn open(upstreams: &dyn Upstreams, launch: LaunchSpec) -> Self {
        let (sender, events) = channel();
        let end = upstreams.open(launch, Arc::new(Recorder(Mutex::new(sender))));
        Self { end: Some(end), events, frames: Vec::new() }
    }

    pub(crate) fn send(&self, frame: impl Into<Bytes>) -> Result<(), QueueFull> {
        self.end.as_ref().unwrap().send(frame.into())
    }

    pub(crate) fn close(&self, grace: Grace) {
        self.end.as_ref().unwrap().close(grace);
    }

    pub(crate) fn drop_end(&mut self) {
        self.end = None;
    }

    /// The next event.
    pub(crate) fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("the link says something")
    }

    /// The next message; what is logged before it is passed over.
    pub(crate) fn message(&mut self) -> Bytes {
        loop {
            if let Some(frame) = self.frames.pop() {
                return frame;
            }
            match self.event() {
                Event::Received(frames) => {
                    assert!(frames.iter().all(|it| !it.is_empty() && !it.contains(&b'\n')), "{frames:?}");
                    self.frames = frames.into_iter().rev().collect();
                }
                Event::Opened | Event::Logged => {}
                Event::Closed(reason) => panic!("{reason:?} instead of a message"),
            }
        }
    }

    /// All messages to the end, and its reason; nothing may come after it.
    pub(crate) fn rest(&self) -> (Vec<Bytes>, CloseReason) {
        let mut messages = Vec::new();
        loop {
            match self.event() {
                Event::Received(frames) => messages.extend(frames),
                Event::Opened | Event::Logged => {}
                Event::Closed(reason) => {
                    let after = self.events.recv_timeout(Duration::from_millis(300));
                    assert!(after.is_err(), "{after:?} after closed");
                    return (messages, reason);
                }
            }
        }
    }
}
