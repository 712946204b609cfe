//! Child processes that speak MCP over stdio: [`Upstreams`] for [`Transport::Stdio`].
//!
//! A child never holds the hub up: its output and its error output are always read, what is sent to it waits in a
//! queue that is bounded in bytes, and its end is seen at once. It leads a process group, which ends as a whole.
//! Linux is what this crate is written for; what is particular to it is in `group` and `spawn`.
//!
//! [`Transport::Stdio`]: orch_core::record::Transport::Stdio

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use bytes::Bytes;
use orch_core::ports::upstream::{Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

mod complaints;
mod framer;
mod group;
mod life;
mod outbox;
mod overlong;
mod program;
mod spawn;

pub use framer::Framer;
pub use overlong::Overlong;

use life::{Life, NOW};
use outbox::Outbox;

/// Starts children and speaks with them.
#[derive(Debug)]
pub struct StdioUpstreams {
    inherited: Arc<BTreeMap<OsString, OsString>>,
    runtime: Handle,
    tasks: TaskTracker,
}

impl StdioUpstreams {
    /// Children run on `runtime`. Of `environment`, the hub's own, they get these variables only: `HOME`, `LANG`,
    /// `LC_ALL`, `LOGNAME`, `PATH`, `SHELL`, `TERM`, `TMPDIR`, `TZ`, `USER`; a server's `env` goes before them.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>, runtime: Handle) -> Self {
        let inherited = environment
            .into_iter()
            .filter(|(name, _)| spawn::INHERITED.iter().any(|it| *it == name.as_os_str()))
            .collect();
        Self { inherited: Arc::new(inherited), runtime, tasks: TaskTracker::new() }
    }

    /// Ready when no child is left and every `closed` was reported. It ends none of them: drop or close the links.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Upstreams for StdioUpstreams {
    fn open(&self, spec: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink> {
        let outbox = Arc::new(Outbox::new(spec.queue_bytes));
        let (stop, stopped) = watch::channel(None);
        let life = Life {
            launch: spec,
            inherited: Arc::clone(&self.inherited),
            sink,
            outbox: Arc::clone(&outbox),
            stop: stopped,
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn_on(life.live(), &self.runtime);
        Box::new(StdioLink { outbox, stop })
    }
}

/// The writing end of one child.
#[derive(Debug)]
struct StdioLink {
    outbox: Arc<Outbox>,
    stop: watch::Sender<Option<Grace>>,
}

impl UpstreamLink for StdioLink {
    fn send(&self, frame: Bytes) -> Result<(), QueueFull> {
        self.outbox.push(&frame)
    }

    fn close(&self, grace: Grace) {
        self.stop.send_if_modified(|asked| {
            let shortens = asked.is_none() || grace == NOW;
            if shortens {
                *asked = Some(grace);
            }
            shortens
        });
    }
}

impl Drop for StdioLink {
    fn drop(&mut self) {
        if self.stop.borrow().is_none() {
            self.close(NOW);
        }
    }
}
