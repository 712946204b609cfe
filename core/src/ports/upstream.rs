//! The driven port to upstream servers: a link carries whole JSON-RPC messages both ways.
//!
//! One adapter per technology opens links of one kind. What a link means (handshake, ids, restarts) is decided
//! in `core::link`; the adapter frames bytes and reports what happened.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::LaunchId;
use crate::record::{Lease, ServerSpec, Started};

/// Opens links of one technology.
pub trait Upstreams: Send + Sync + 'static {
    /// Starts to open a link and returns at once. `spec` is complete: variables are already filled in.
    ///
    /// The adapter reports to `sink`: first `opened` or `closed`, then any number of `received`, `expired`, `declined`, `missed`,
    /// `logged` and `dropped`, and `closed` exactly once, after everything that was read. It reads the upstream's output and error
    /// output always, whether or not anybody writes, and never waits for one direction in order to serve the
    /// other. `sink` may be called from any thread, but not from within `open`, `send` or `close`.
    fn open(&self, spec: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink>;

    /// Ends the processes of these leases that are still there, with all that are below them, and says how many there were.
    /// Their hubs are dead. To be called before anything is opened.
    fn reclaim(&self, leases: Vec<Lease>) -> BoxFuture<'_, usize> {
        drop(leases);
        Box::pin(core::future::ready(0))
    }
}

/// The writing end of one link. Dropping it closes the link as `close` with a zero grace would, unless `close`
/// was called before: then that one goes on.
pub trait UpstreamLink: Send + Sync {
    /// Queues one message (a complete JSON text without line feeds) and returns at once.
    /// Messages are written in the order of the calls. `Err` when the queue is at its bound in bytes.
    fn send(&self, frame: Bytes) -> Result<(), QueueFull>;

    /// The same for a request whose arguments are repeated in headers, in a technology that has headers: what comes
    /// after `Mcp-Param-`, and the value as it is sent.
    fn send_mirrored(&self, frame: Bytes, params: Vec<(String, String)>) -> Result<(), QueueFull> {
        drop(params);
        self.send(frame)
    }

    /// Ends the link in steps and returns at once; `LinkSink::closed` follows when nothing is left of it.
    /// What an opened link has queued is still written. A second call can only shorten the first: a zero grace ends it now.
    fn close(&self, grace: Grace);
}

/// What a link reports. Implemented by the driver.
pub trait LinkSink: Send + Sync {
    /// The link can carry messages.
    fn opened(&self, pid: Option<u32>);

    /// A process was started for the link, and can be found by this: said before `opened`, where there is a process.
    fn launched(&self, launched: Launched) {
        drop(launched);
    }

    /// Messages that were read, in order, each non-empty and without its line end. Not yet checked to be JSON.
    /// `within` is the raw id of the request on whose own stream they came, where the technology has such streams.
    ///
    /// Returns how long nothing more is to be read of the upstream's output (not of its error output): one that says more
    /// than it may waits on its own. Nearly always zero.
    fn received(&self, within: Option<&str>, frames: Vec<Bytes>) -> Duration;

    /// A remote server has lost something of the link. The link goes on.
    fn lost(&self, lost: Lost) {
        drop(lost);
    }

    /// A remote server has refused the request with the raw id `within` by a status of HTTP (4xx) that does not concern who
    /// asks or how much: nothing was done for it. `refusal` is the answer to it, a whole message.
    fn declined(&self, within: &str, refusal: Bytes) {
        let _nothing_was_read = self.received(Some(within), Vec::from([refusal]));
    }

    /// A line of the upstream's error output (without its line end, cut at the adapter's bound).
    fn logged(&self, line: String);

    /// So many bytes of the error output were read and not reported: it wrote more than the adapter's bound.
    fn dropped(&self, bytes: u64);

    /// The link is gone, with everything that belonged to it.
    fn closed(&self, reason: CloseReason);
}

/// What a remote server has lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// What it said that belongs to no request: the stream of that was not there for a while and is again, and not from where it
    /// broke. The session goes on.
    News,
    /// The session: it has refused a message because it does not know that any more. Here is the answer to the request that this
    /// was, a whole message, if it was one: nothing was done for it. What was asked before may still be answered. Another link
    /// may be opened at once.
    Session(Option<Bytes>),
}

/// The process of a link, and how it is told from all others: see [`Lease`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// What its processes have in their environment.
    pub launch: LaunchId,
    /// In which life of the machine it is; empty when that could not be told.
    pub boot: String,
    /// The process between the hub and the server.
    pub shim: Started,
    /// The server's own.
    pub process: Option<Started>,
}

/// A server's specification, ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchSpec {
    /// The slug of its project.
    pub project: String,
    /// The server's name, for logs and markers.
    pub server: String,
    /// What to run or reach. No `${VAR}` is left in it, and its confinement is settled.
    pub spec: ServerSpec,
    /// The longest message that is accepted, in bytes. A longer one closes the link, unless the adapter can read past
    /// it: then an error is received in its place, for the request that it answers, if that can be told.
    pub message_bytes: usize,
    /// The most bytes that may wait to be written.
    pub queue_bytes: usize,
}

/// The steps of a graceful stop of a process: close its stdin, wait, SIGTERM, wait, SIGKILL its whole group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grace {
    /// From the closed stdin to SIGTERM.
    pub stdin: Duration,
    /// From SIGTERM to SIGKILL.
    pub term: Duration,
}

/// The outgoing queue of a link is at its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The process ended by itself with this exit code.
    Exited(i32),
    /// A remote server lets nobody in before somebody has logged in there: words that are fit for a user.
    LoginRequired(String),
    /// A remote server was reached, and then no more: words that are fit for a user.
    Lost(String),
    /// A message was longer than the bound.
    MessageTooLong,
    /// It could not be started as it is configured, and never will: words that are fit for a user.
    Misconfigured(String),
    /// It could not be started: the operating system's words, made fit for a user.
    NotStarted(String),
    /// The process ended by itself, and at one of its limits: words that are fit for a user.
    OverLimit(String),
    /// The process was ended by this signal.
    Signalled(i32),
    /// `close` was asked for.
    Stopped,
}
