//! Child processes that speak MCP over stdio: [`Upstreams`] for [`Transport::Stdio`].
//!
//! A child never holds the hub up: its output and its error output are always read, what is sent to it waits in a
//! queue that is bounded in bytes, and its end is seen at once. It runs behind a shim, a process that ends the whole
//! tree of the child with it, and with the hub. Linux is what this crate is written for; what is particular to it is
//! in `shim`, `leash` and `sweep`.
//!
//! [`Transport::Stdio`]: orch_core::record::Transport::Stdio

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use orch_core::ports::BoxFuture;
use orch_core::ports::upstream::{Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams};
use orch_core::record::{Lease, Walls};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

mod complaints;
mod containers;
mod framer;
mod housing;
mod leases;
mod leash;
mod life;
mod outbox;
mod overlong;
mod pipe;
mod probe;
mod program;
pub mod shim;
mod spawn;
mod sweep;

pub use framer::Framer;
pub use overlong::Overlong;
pub use probe::{Facts, probe};

use containers::Engines;
use life::{Life, NOW};
use outbox::Outbox;

/// Starts children and speaks with them.
#[derive(Debug)]
pub struct StdioUpstreams {
    ground: Arc<Ground>,
    runtime: Handle,
    tasks: TaskTracker,
}

/// What all children of a hub have in common.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The variables that they get of the hub's own.
    pub(crate) inherited: BTreeMap<OsString, OsString>,
    /// The program that has the shim within it.
    pub(crate) shim: PathBuf,
    /// Whether a PID namespace is tried for each server: until one could not be made.
    pub(crate) namespaces: AtomicBool,
    /// Where servers that are confined have their directories; none are confined without.
    pub(crate) homes: OnceLock<PathBuf>,
    /// What was seen to hold here.
    pub(crate) held: OnceLock<Walls>,
    /// Engines that run containers, and whether what an earlier hub has left in them was removed.
    pub(crate) engines: Mutex<Engines>,
    /// The name of the instance that launches are of, if it has one.
    pub(crate) instance: OnceLock<String>,
}

impl Ground {
    /// What holds for a server that is started now.
    pub(crate) fn walls(&self) -> Walls {
        let namespaces = self.namespaces.load(Ordering::Relaxed);
        let held = self.held.get().copied().unwrap_or_default();
        Walls { neighbours: held.neighbours || namespaces, processes: held.processes && namespaces, ..held }
    }
}

impl StdioUpstreams {
    /// Children run on `runtime`. Of `environment`, the hub's own, they get these variables only: `HOME`, `LANG`,
    /// `LC_ALL`, `LOGNAME`, `PATH`, `SHELL`, `TERM`, `TMPDIR`, `TZ`, `USER`; a server's `env` goes before them.
    /// `shim` is a program that hands its start to [`shim::entered`]: [`shim::THIS_PROGRAM`], if the present one does.
    pub fn new(
        shim: impl Into<PathBuf>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        runtime: Handle,
    ) -> Self {
        let inherited = environment
            .into_iter()
            .filter(|(name, _)| spawn::INHERITED.iter().any(|it| *it == name.as_os_str()))
            .collect();
        let (shim, namespaces) = (shim.into(), AtomicBool::new(true));
        let ground = Ground {
            inherited,
            shim,
            namespaces,
            instance: OnceLock::new(),
            homes: OnceLock::new(),
            engines: Mutex::default(),
            held: OnceLock::new(),
        };
        Self { ground: Arc::new(ground), runtime, tasks: TaskTracker::new() }
    }

    /// The same without PID namespaces, whether the system permits them or not.
    #[must_use]
    pub fn without_namespaces(self) -> Self {
        self.ground.namespaces.store(false, Ordering::Relaxed);
        self
    }

    /// Children that are confined have their directories in this one, as `PROJECT/SERVER`. Finds out what walls hold
    /// here; until then none do.
    pub async fn house(&self, homes: PathBuf) -> Walls {
        let Facts { walls, namespaces, .. } = probe(&self.ground.shim).await;
        if !namespaces {
            self.ground.namespaces.store(false, Ordering::Relaxed);
        }
        let _as_before = (self.ground.homes.set(homes), self.ground.held.set(walls));
        self.ground.walls()
    }

    /// Children are of the instance of this name from here on. What an earlier hub of the instance has left running,
    /// killed together with its shims, is ended; no such hub may be alive. To be called before anything is opened.
    pub async fn take_over(&self, instance: &str) {
        if self.ground.instance.set(instance.to_owned()).is_ok() {
            let ended = sweep::end_all(&spawn::marker_of_instance(instance)).await;
            if ended > 0 {
                tracing::info!("{ended} processes of a dead instance ended by their marker");
            }
        }
    }

    /// Ready when no child is left and every `closed` was reported. It ends none of them: drop or close the links.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Upstreams for StdioUpstreams {
    fn reclaim(&self, leases: Vec<Lease>) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            // It reads /proc as long as something is left.
            let looked = self.runtime.spawn_blocking(move || leases::end_all(&leases));
            looked.await.unwrap_or_default()
        })
    }

    fn open(&self, spec: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink> {
        let outbox = Arc::new(Outbox::new(spec.queue_bytes));
        let (stop, stopped) = watch::channel(None);
        let life = Life {
            launch: spec,
            ground: Arc::clone(&self.ground),
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
        self.outbox.push(frame)
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
