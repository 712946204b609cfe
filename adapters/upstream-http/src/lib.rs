//! Remote servers that speak MCP over HTTP: [`Upstreams`] for [`Transport::Remote`].
//!
//! Streamable HTTP of every revision, and HTTP+SSE of 2024-11-05, as pipes of whole messages. The core decides what is
//! said; this crate knows what HTTP adds: one request for each message, answers on streams, sessions, resumption, and
//! who may be reached at all (`guard`). Every request that was sent is answered, by the server or by an error that says
//! what is known of it; nothing is ever sent twice.
//!
//! [`Transport::Remote`]: orch_core::record::Transport::Remote

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::passes::Passes;
use orch_core::ports::upstream::{Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

mod client;
mod connect;
mod desk;
mod door;
mod exchange;
mod follow;
mod frames;
mod guard;
mod head;
mod life;
mod message;
mod open;
mod outlet;
mod pause;
mod pipe;
mod queue;
mod session;
mod tls;
mod web;
mod wires;

pub use guard::{Allowed, BadEntry};
pub use tls::{BadRoots, tls_config};
pub use web::HttpWeb;

use guard::Guard;
use life::{Life, NOW};
use open::Way;
use queue::Queue;

/// Reaches remote servers.
#[derive(Debug)]
pub struct HttpUpstreams {
    way: Way,
    runtime: Handle,
}

impl HttpUpstreams {
    /// Links run on `runtime`. Public servers are reached over HTTPS at port 443; others only when `allowed` names
    /// them. `own_roots` are certificates in PEM of authorities that are trusted beside the public ones.
    pub fn new(
        allowed: Allowed,
        own_roots: Option<&[u8]>,
        limits: Limits,
        runtime: Handle,
    ) -> Result<Self, BadRoots> {
        let (guard, tls) = (Arc::new(Guard { allowed }), tls_config(own_roots)?);
        let (limits, tasks) = (Arc::new(limits), TaskTracker::new());
        Ok(Self { way: Way { guard, tls, limits, tasks, passes: None }, runtime })
    }

    /// The same, for servers that let in who has logged in there. Without it their refusals are their last word.
    #[must_use]
    pub fn with_passes(mut self, passes: Arc<dyn Passes>) -> Self {
        self.way.passes = Some(passes);
        self
    }

    /// Single exchanges on the same way.
    pub fn web(&self) -> HttpWeb {
        HttpWeb { way: self.way.clone() }
    }

    /// Whether the server of a URL may be reached: its host is resolved, and nothing connected to. `Ok` is the server
    /// as people know it, `Err` why not, with the next step.
    pub async fn examine(&self, url: &str) -> Result<String, String> {
        let (_, to) = guard::read(url).map_err(|refusal| refusal.to_string())?;
        let server = to.to_string();
        self.way.connector(to).addresses().await.map_err(|why| why.0)?;
        Ok(server)
    }

    /// Ready when every `closed` was reported and no connection is left. It ends no link: drop or close them.
    pub async fn drained(&self) {
        self.way.tasks.close();
        self.way.tasks.wait().await;
    }
}

impl Upstreams for HttpUpstreams {
    fn open(&self, spec: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink> {
        let queue = Arc::new(Queue::new(spec.queue_bytes));
        let (stop, stopped) = watch::channel(None);
        let life =
            Life { launch: spec, sink, queue: Arc::clone(&queue), stop: stopped, way: self.way.clone() };
        self.way.tasks.spawn_on(life.live(), &self.runtime);
        Box::new(HttpLink { queue, stop })
    }
}

/// The writing end of one link.
struct HttpLink {
    queue: Arc<Queue>,
    stop: watch::Sender<Option<Grace>>,
}

impl UpstreamLink for HttpLink {
    fn send(&self, frame: Bytes) -> Result<(), QueueFull> {
        self.queue.push(frame, Vec::new())
    }

    fn send_mirrored(&self, frame: Bytes, params: Vec<(String, String)>) -> Result<(), QueueFull> {
        self.queue.push(frame, params)
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

impl Drop for HttpLink {
    fn drop(&mut self) {
        if self.stop.borrow().is_none() {
            self.close(NOW);
        }
    }
}

impl fmt::Debug for HttpLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLink").finish_non_exhaustive()
    }
}
