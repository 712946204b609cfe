//! What is kept of the calls of a project: gathered under the lock of its shard, written by its [journal](crate::journal),
//! counted for whoever measures, and asked for by people.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::ports::store::Store;
use orch_core::record::{CallBlock, CallRecord, Calls, Record, RecordId};
use orch_core::snapshot::Instance;
use orch_core::{Entropy, Limits, LogId, ProjectId, Timestamp};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::journal::{Bounds, Journal, Kind, Taken};

mod meter;
mod query;
mod waiting;

pub use meter::{BOUNDS, Meter};
pub use query::{CallLine, CallQuery, CallSummary};

use waiting::Waiting;

/// The calls of one project.
#[derive(Debug)]
pub(crate) struct CallLog {
    journal: Journal<Gathered>,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Gathered(Mutex<Waiting>);

impl Gathered {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind for Gathered {
    type Draft = (Timestamp, CallBlock);
    type Entry = Calls;

    const NAME: &'static str = "records of calls";
    const PAGE: usize = 64;

    fn bounds(limits: &Limits) -> Bounds {
        Bounds { entries: usize::MAX, bytes: limits.call_bytes, age: limits.call_age }
    }

    fn take(&self, now: Timestamp, _all: bool, _limits: &Limits) -> Taken<Self::Draft> {
        let (blocks, lost) = self.waiting().take();
        if lost > 0 {
            tracing::warn!(lost, "calls were not recorded: the store is slow or full (limit call_buffer)");
        }
        let count = blocks.iter().map(CallBlock::count).sum::<usize>() as u64;
        Taken { drafts: blocks.into_iter().map(|block| (now, block)).collect(), count }
    }

    fn counts(&self) -> bool {
        false
    }

    fn lost(&self, count: u64) {
        self.waiting().lost(count);
    }

    fn finish(
        (at, block): Self::Draft,
        project: ProjectId,
        _limits: &Limits,
        id: impl FnOnce(Timestamp) -> LogId,
    ) -> Calls {
        Calls { id: id(at), project, block }
    }

    fn id(entry: &Calls) -> LogId {
        entry.id
    }

    fn weight(entry: &Calls) -> usize {
        entry.block.weight()
    }

    fn place(project: ProjectId, id: LogId) -> RecordId {
        RecordId::Calls(project, id)
    }

    fn record(entry: Calls) -> Record {
        Record::Calls(entry)
    }

    fn read(record: Record) -> Option<Calls> {
        if let Record::Calls(calls) = record { Some(calls) } else { None }
    }
}

impl CallLog {
    /// Starts what writes them, which ends when this is dropped.
    pub(crate) fn start(
        project: ProjectId,
        store: &Arc<dyn Store>,
        instance: &Arc<Instance>,
        own: (Clock, Entropy),
        tasks: &TaskTracker,
    ) -> Self {
        Self { journal: Journal::start(Gathered::default(), project, store, instance, own, tasks) }
    }

    /// Takes in a call that has ended. Never waits. `name` is that of its server.
    pub(crate) fn gather(&self, call: CallRecord, name: impl FnOnce() -> String) {
        let bound = self.journal.limits().call_buffer;
        let count = self.journal.kind().waiting().put(call, name, bound);
        // Of the others the writer knows by then.
        if count == 1 {
            self.journal.waits();
        } else if count == bound.div_ceil(2) {
            self.journal.hurries();
        }
    }

    /// What was counted since the start, by the servers' names.
    pub(crate) fn meters(&self) -> Vec<(String, Meter)> {
        self.journal.kind().waiting().meters()
    }

    /// Ready when what was gathered before is written, or could not be.
    pub(crate) async fn written(&self) {
        self.journal.written(false).await;
    }
}
