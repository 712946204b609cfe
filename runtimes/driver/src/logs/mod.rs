//! The logs of a project: gathered under the lock of its shard, written by a task of its own, and asked for by people.
//!
//! Nothing that a server says waits for the store: what it says is put into a bounded buffer, which the writer empties
//! a few times a second into one commit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::ports::store::{Store, StoreError};
use orch_core::shard::Report;
use orch_core::snapshot::Instance;
use orch_core::{Entropy, ProjectId, ServerId, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::secrets::Secrets;

mod buffer;
mod query;
mod writer;

pub use query::{LogQuery, LogSummary};

use buffer::{Buffer, Haste};
use writer::{Order, Writer};

/// Orders that may wait for the writer; more of them wait for a place here.
const ORDERS: usize = 16;

/// The logs of one project.
#[derive(Debug)]
pub(crate) struct Logs {
    inbox: Arc<Inbox>,
    orders: mpsc::Sender<Order>,
    clock: Clock,
}

/// What the writer is told.
#[derive(Debug)]
pub(super) struct Inbox {
    buffer: Mutex<Buffer>,
    instance: Arc<Instance>,
    /// Something waits.
    waits: Notify,
    /// It should not wait any longer.
    hurry: Notify,
}

impl Inbox {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logs {
    /// Starts the writer, which ends when this is dropped.
    pub(crate) fn start(
        project: ProjectId,
        store: &Arc<dyn Store>,
        instance: &Arc<Instance>,
        (clock, entropy): (Clock, Entropy),
        tasks: &TaskTracker,
    ) -> Self {
        let inbox = Arc::new(Inbox {
            buffer: Mutex::default(),
            instance: Arc::clone(instance),
            waits: Notify::new(),
            hurry: Notify::new(),
        });
        let (orders, received) = mpsc::channel(ORDERS);
        let writer = Writer::new(project, Arc::clone(store), Arc::clone(&inbox), (clock, entropy));
        tasks.spawn(writer.run(received));
        Self { inbox, orders, clock }
    }

    /// Names secrets of a server that must not be in what is kept of it.
    pub(crate) fn know(&self, server: &str, secrets: &Secrets) {
        self.inbox.buffer().know(server, secrets);
    }

    /// Takes in what is to be kept. Never waits.
    pub(crate) fn gather(&self, server: Option<ServerId>, report: Report) {
        let limits = &self.inbox.instance.limits;
        let haste = self.inbox.buffer().put(server, report, self.clock.now(), limits);
        self.inbox.waits.notify_one();
        if haste == Haste::Some {
            self.inbox.hurry.notify_one();
        }
    }

    /// Bytes of a server's error output were dropped before they came here.
    pub(crate) fn dropped(&self, server: &str, bytes: u64) {
        self.inbox.buffer().dropped(server, bytes, self.clock.now());
        self.inbox.waits.notify_one();
    }

    /// Ready when what was gathered before is written, or could not be. `all`: with the counts of what may go on to be
    /// dropped.
    pub(crate) async fn written(&self, all: bool) {
        let (done, answer) = oneshot::channel();
        if self.orders.send(Order::Write { all, done }).await.is_ok() {
            // A writer that is gone has nothing left to write.
            drop(answer.await);
        }
    }

    /// Removes the entries of before a time. Returns how many.
    pub(crate) async fn clean(&self, before: Timestamp) -> Result<usize, StoreError> {
        let (done, answer) = oneshot::channel();
        match self.orders.send(Order::Clean { before, done }).await {
            Ok(()) => answer.await.unwrap_or(Ok(0)),
            Err(_stopped) => Ok(0),
        }
    }
}
