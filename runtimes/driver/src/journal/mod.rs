//! What a project keeps of what has happened in it: entries in the order of time that nobody waits for. They are gathered
//! in bounded memory under the lock of the shard; a task writes all that waits in one commit, a few times a second, and
//! removes what is too old or too much.
//!
//! What entries are, and what they wait in, is a [`Kind`]: [`Logs`](crate::logs::Logs) and
//! [`CallLog`](crate::calls::CallLog) are.

use std::sync::Arc;
use std::time::Duration;

use orch_core::ports::store::{Scan, ScanOrder, Store, StoreError};
use orch_core::record::{Record, RecordId};
use orch_core::snapshot::Instance;
use orch_core::{Entropy, Limits, LogId, ProjectId, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;

mod writer;

use writer::{Order, Writer};

/// Orders that may wait for the writer; more of them wait for a place here.
const ORDERS: usize = 16;

/// A kind of entries, and what of them waits to be written.
pub(crate) trait Kind: Send + Sync + 'static {
    /// What waits, before it has an id.
    type Draft: Send;
    /// What is stored.
    type Entry: Send + Sync;

    /// What entries are called in the hub's own log.
    const NAME: &'static str;
    /// Entries that are read, or removed, at once.
    const PAGE: usize;

    /// The bounds of what is kept.
    fn bounds(limits: &Limits) -> Bounds;
    /// Takes out all that waits. `all`: also what is counted and may go on to be.
    fn take(&self, now: Timestamp, all: bool, limits: &Limits) -> Taken<Self::Draft>;
    /// Whether there will be something to write though nothing more comes.
    fn counts(&self) -> bool;
    /// So much of what was taken could not be written.
    fn lost(&self, count: u64);
    /// The entry of a draft. `id` gives one for the time.
    fn finish(
        draft: Self::Draft,
        project: ProjectId,
        limits: &Limits,
        id: impl FnOnce(Timestamp) -> LogId,
    ) -> Self::Entry;
    /// Its id.
    fn id(entry: &Self::Entry) -> LogId;
    /// What it counts of the bound, in bytes.
    fn weight(entry: &Self::Entry) -> usize;
    /// Where an entry is stored.
    fn place(project: ProjectId, id: LogId) -> RecordId;
    /// As it is stored.
    fn record(entry: Self::Entry) -> Record;
    /// Out of what is stored; `None` for anything else.
    fn read(record: Record) -> Option<Self::Entry>;
}

/// What is kept at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub entries: usize,
    pub bytes: usize,
    pub age: Duration,
}

/// What was taken out to be written.
#[derive(Debug)]
pub(crate) struct Taken<D> {
    pub drafts: Vec<D>,
    /// How much is lost if they cannot be written, in the kind's own count.
    pub count: u64,
}

/// The journal of one kind of a project.
#[derive(Debug)]
pub(crate) struct Journal<K> {
    desk: Arc<Desk<K>>,
    orders: mpsc::Sender<Order>,
}

/// What the journal and its writer share.
#[derive(Debug)]
struct Desk<K> {
    kind: K,
    instance: Arc<Instance>,
    /// Something waits.
    waits: Notify,
    /// It should not wait any longer.
    hurry: Notify,
}

impl<K: Kind> Journal<K> {
    /// Starts the writer, which ends when this is dropped.
    pub(crate) fn start(
        kind: K,
        project: ProjectId,
        store: &Arc<dyn Store>,
        instance: &Arc<Instance>,
        (clock, entropy): (Clock, Entropy),
        tasks: &TaskTracker,
    ) -> Self {
        let (waits, hurry) = (Notify::new(), Notify::new());
        let desk = Arc::new(Desk { kind, instance: Arc::clone(instance), waits, hurry });
        let (orders, received) = mpsc::channel(ORDERS);
        let writer = Writer::new(project, Arc::clone(store), Arc::clone(&desk), (clock, entropy));
        tasks.spawn(writer.run(received));
        Self { desk, orders }
    }

    /// What entries are, and what of them waits.
    pub(crate) fn kind(&self) -> &K {
        &self.desk.kind
    }

    /// The bounds of the instance.
    pub(crate) fn limits(&self) -> &Limits {
        &self.desk.instance.limits
    }

    /// Something waits, that did not before.
    pub(crate) fn waits(&self) {
        self.desk.waits.notify_one();
    }

    /// It should be written now: there may soon be no room.
    pub(crate) fn hurries(&self) {
        self.desk.hurry.notify_one();
    }

    /// Ready when what was gathered before is written, or could not be. `all`: with the counts of what may go on to be
    /// counted.
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

/// One page of a project's entries. Others get their turn before it is read.
pub(crate) async fn page<K: Kind>(
    store: &dyn Store,
    project: ProjectId,
    (from, before): (LogId, LogId),
    order: ScanOrder,
) -> Result<Vec<K::Entry>, StoreError> {
    tokio::task::yield_now().await;
    let [from, before] = [from, before].map(|id| K::place(project, id));
    let found = store.scan(Scan { from, before, order, limit: K::PAGE }).await?;
    Ok(found.into_iter().filter_map(|it| K::read(it.record)).collect())
}
