//! What is kept of the calls of a project: gathered under the lock of its shard, written together by a task of its own,
//! counted for whoever measures, and asked for by people.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::ports::store::Store;
use orch_core::record::CallRecord;
use orch_core::snapshot::Instance;
use orch_core::{Entropy, ProjectId};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;

mod meter;
mod query;
mod waiting;
mod writer;

pub use meter::{BOUNDS, Meter};
pub use query::{CallLine, CallQuery, CallSummary};

use waiting::Waiting;
use writer::Writer;

/// The calls of one project.
#[derive(Debug)]
pub(crate) struct CallLog {
    inbox: Arc<Inbox>,
    /// Whom to tell when what waits is written.
    orders: mpsc::Sender<oneshot::Sender<()>>,
}

/// What the writer is told.
#[derive(Debug)]
struct Inbox {
    waiting: Mutex<Waiting>,
    instance: Arc<Instance>,
    /// Something waits.
    waits: Notify,
    /// It should not wait any longer.
    hurry: Notify,
}

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallLog {
    /// Starts the writer, which ends when this is dropped.
    pub(crate) fn start(
        project: ProjectId,
        store: &Arc<dyn Store>,
        instance: &Arc<Instance>,
        (clock, entropy): (Clock, Entropy),
        tasks: &TaskTracker,
    ) -> Self {
        let inbox = Arc::new(Inbox {
            waiting: Mutex::default(),
            instance: Arc::clone(instance),
            waits: Notify::new(),
            hurry: Notify::new(),
        });
        let (orders, received) = mpsc::channel(1);
        let writer = Writer::new(project, Arc::clone(store), Arc::clone(&inbox), (clock, entropy));
        tasks.spawn(writer.run(received));
        Self { inbox, orders }
    }

    /// Takes in a call that has ended. Never waits. `name` is that of its server.
    pub(crate) fn gather(&self, call: CallRecord, name: impl FnOnce() -> String) {
        let bound = self.inbox.instance.limits.call_buffer;
        let count = self.inbox.waiting().put(call, name, bound);
        // The writer looks again by itself as long as something waits.
        if count == 1 {
            self.inbox.waits.notify_one();
        } else if count == bound.div_ceil(2) {
            self.inbox.hurry.notify_one();
        }
    }

    /// What was counted since the start, by the servers' names.
    pub(crate) fn meters(&self) -> Vec<(String, Meter)> {
        self.inbox.waiting().meters()
    }

    /// Ready when what was gathered before is written, or could not be.
    pub(crate) async fn written(&self) {
        let (done, answer) = oneshot::channel();
        if self.orders.send(done).await.is_ok() {
            // A writer that is gone has nothing left to write.
            drop(answer.await);
        }
    }
}
