//! The logs of a project: what the hub and its servers have said, gathered under the lock of its shard, and asked for by
//! people.
//!
//! Nothing that a server says waits for the store: what it says is put into a bounded buffer, which the
//! [journal](crate::journal) empties.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::ports::store::{Store, StoreError};
use orch_core::record::{LogEntry, Record, RecordId};
use orch_core::shard::Report;
use orch_core::snapshot::Instance;
use orch_core::{Entropy, Limits, LogId, ProjectId, ServerId, Timestamp};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::journal::{Bounds, Journal, Kind, Taken};
use crate::secrets::Secrets;

mod buffer;
mod query;

pub use query::{LogQuery, LogSummary};

use buffer::{Buffer, Draft, Haste};

/// The logs of one project.
#[derive(Debug)]
pub(crate) struct Logs {
    journal: Journal<Waiting>,
    clock: Clock,
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Waiting(Mutex<Buffer>);

impl Waiting {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kind for Waiting {
    type Draft = Draft;
    type Entry = LogEntry;

    const NAME: &'static str = "log entries";
    const PAGE: usize = 256;

    fn bounds(limits: &Limits) -> Bounds {
        Bounds { entries: limits.log_entries, bytes: limits.log_bytes, age: limits.log_age }
    }

    fn take(&self, now: Timestamp, all: bool, limits: &Limits) -> Taken<Draft> {
        let (drafts, lost) = self.buffer().take(now, all, limits);
        // The entry that says how many were lost before stands for them.
        let count = (drafts.len() as u64).saturating_sub(u64::from(lost > 0)).saturating_add(lost);
        Taken { drafts, count }
    }

    fn counts(&self) -> bool {
        self.buffer().counts()
    }

    fn lost(&self, count: u64) {
        self.buffer().lost(count);
    }

    fn finish(
        draft: Draft,
        project: ProjectId,
        limits: &Limits,
        id: impl FnOnce(Timestamp) -> LogId,
    ) -> LogEntry {
        draft.finish(project, limits.log_entry_bytes, id)
    }

    fn id(entry: &LogEntry) -> LogId {
        entry.id
    }

    fn weight(entry: &LogEntry) -> usize {
        entry.weight()
    }

    fn place(project: ProjectId, id: LogId) -> RecordId {
        RecordId::Log(project, id)
    }

    fn record(entry: LogEntry) -> Record {
        Record::Log(entry)
    }

    fn read(record: Record) -> Option<LogEntry> {
        if let Record::Log(entry) = record { Some(entry) } else { None }
    }
}

impl Logs {
    /// Starts what writes them, which ends when this is dropped.
    pub(crate) fn start(
        project: ProjectId,
        store: &Arc<dyn Store>,
        instance: &Arc<Instance>,
        (clock, entropy): (Clock, Entropy),
        tasks: &TaskTracker,
    ) -> Self {
        let own = (clock, entropy);
        Self { journal: Journal::start(Waiting::default(), project, store, instance, own, tasks), clock }
    }

    /// Names secrets of a server that must not be in what is kept of it.
    pub(crate) fn know(&self, server: &str, secrets: &Secrets) {
        self.journal.kind().buffer().know(server, secrets);
    }

    /// Takes in what is to be kept. Never waits.
    pub(crate) fn gather(&self, server: Option<ServerId>, report: Report) {
        let limits = self.journal.limits();
        let haste = self.journal.kind().buffer().put(server, report, self.clock.now(), limits);
        self.journal.waits();
        if haste == Haste::Some {
            self.journal.hurries();
        }
    }

    /// Bytes of a server's error output were dropped before they came here.
    pub(crate) fn dropped(&self, server: &str, bytes: u64) {
        self.journal.kind().buffer().dropped(server, bytes, self.clock.now());
        self.journal.waits();
    }

    /// Ready when what was gathered before is written, or could not be. `all`: with the counts of what may go on to be
    /// dropped.
    pub(crate) async fn written(&self, all: bool) {
        self.journal.written(all).await;
    }

    /// Removes the entries of before a time. Returns how many.
    pub(crate) async fn clean(&self, before: Timestamp) -> Result<usize, StoreError> {
        self.journal.clean(before).await
    }
}
