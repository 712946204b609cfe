//! The one task that writes a project's log: a commit for all that waits, and what is too old or too much is removed.

use std::sync::Arc;
use std::time::Duration;

use orch_core::ports::store::{Change, Expect, Scan, ScanOrder, Store, StoreError};
use orch_core::record::{LogEntry, Record, RecordId};
use orch_core::{Entropy, LogId, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::Inbox;
use crate::clock::Clock;

/// Entries that are read, or removed, at once.
pub(super) const PAGE: usize = 256;
/// From the start to the first look for entries that are too old: a hub that starts has other things to do.
const FIRST_SWEEP: Duration = Duration::from_mins(1);
/// The pause between two such looks, unless entries get old sooner.
const SWEEP: Duration = Duration::from_hours(1);
/// The pause after a write that did not work.
const RETRY: Duration = Duration::from_secs(2);

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Remove what is older.
    Clean {
        /// The first time that stays.
        before: Timestamp,
        /// How many there were.
        done: oneshot::Sender<Result<usize, StoreError>>,
    },
    /// Write what waits.
    Write {
        /// Also the counts of what may go on to be dropped.
        all: bool,
        /// It is done.
        done: oneshot::Sender<()>,
    },
}

/// The task.
pub(super) struct Writer {
    project: ProjectId,
    store: Arc<dyn Store>,
    inbox: Arc<Inbox>,
    clock: Clock,
    entropy: Entropy,
    /// `None` until something is written for the first time.
    kept: Option<Kept>,
    failing: bool,
}

/// What the store holds of this log.
#[derive(Clone, Copy, Debug)]
struct Kept {
    last: LogId,
    entries: usize,
    bytes: usize,
}

impl Writer {
    pub(super) fn new(
        project: ProjectId,
        store: Arc<dyn Store>,
        inbox: Arc<Inbox>,
        (clock, entropy): (Clock, Entropy),
    ) -> Self {
        Self { project, store, inbox, clock, entropy, kept: None, failing: false }
    }

    /// Writes what comes, until nobody can ask for anything any more.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let inbox = Arc::clone(&self.inbox);
        let (flush, age) = (inbox.instance.limits.log_flush, inbox.instance.limits.log_age);
        let waited = async |failing: bool| {
            inbox.waits.notified().await;
            tokio::select! {
                () = sleep(if failing { RETRY } else { flush }) => {}
                () = inbox.hurry.notified(), if !failing => {}
            }
        };
        let mut sweep_at = Instant::from_std(self.clock.instant()) + FIRST_SWEEP.min(age);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.carry_out(order).await,
                    None => break,
                },
                () = waited(self.failing) => self.write(false).await,
                () = sleep_until(sweep_at) => {
                    self.sweep().await;
                    sweep_at = Instant::now() + SWEEP.min(age).max(flush);
                }
            }
        }
        self.write(true).await;
    }

    async fn carry_out(&mut self, order: Order) {
        // Whoever has gone does not want to know.
        match order {
            Order::Clean { before, done } => {
                self.write(false).await;
                let _gone = done.send(self.clean(before).await);
            }
            Order::Write { all, done } => {
                self.write(all).await;
                let _gone = done.send(());
            }
        }
    }

    /// Writes what waits in one commit.
    async fn write(&mut self, all: bool) {
        let limits = &self.inbox.instance.limits;
        let (drafts, lost) = self.inbox.buffer().take(self.clock.now(), all, limits);
        if self.inbox.buffer().counts() {
            self.inbox.waits.notify_one();
        }
        if drafts.is_empty() {
            return;
        }
        let new = drafts.len() as u64 - u64::from(lost > 0);
        let (bytes, project) = (limits.log_entry_bytes, self.project);
        let written = async {
            let mut kept = self.kept().await?;
            let mut changes = Vec::with_capacity(drafts.len());
            for draft in drafts {
                let id = |at| kept.last.mint_after(at, &mut self.entropy);
                let entry = draft.finish(project, bytes, id);
                kept.add(&entry);
                changes.push(Change::Put(Record::Log(entry), Expect::Absent));
            }
            self.store.commit(changes).await?;
            self.kept = Some(kept);
            self.make_room().await
        };
        match written.await {
            Ok(()) => self.failing = false,
            Err(error) => {
                // What is counted in the next entry that can be written.
                self.inbox.buffer().lost(lost.saturating_add(new));
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(project = %self.project, %error, "log entries could not be written");
                }
            }
        }
    }

    /// What is kept; counted once.
    async fn kept(&mut self) -> Result<Kept, StoreError> {
        if let Some(kept) = self.kept {
            return Ok(kept);
        }
        let mut kept = Kept { last: LogId::FIRST, entries: 0, bytes: 0 };
        loop {
            let page = self.page(kept.last.next(), LogId::LAST).await?;
            for entry in &page {
                kept.add(entry);
            }
            if page.len() < PAGE {
                return Ok(*self.kept.insert(kept));
            }
        }
    }

    /// Removes the oldest entries until the others are within the bounds.
    async fn make_room(&mut self) -> Result<(), StoreError> {
        let limits = &self.inbox.instance.limits;
        let (entries, bytes) = (limits.log_entries, limits.log_bytes);
        while self.kept.as_ref().is_some_and(|kept| kept.entries > entries || kept.bytes > bytes) {
            let mut page = self.page(LogId::FIRST, LogId::LAST).await?;
            let (mut over, mut heavy) = self.kept.as_ref().map_or((0, 0), |kept| {
                (kept.entries.saturating_sub(entries), kept.bytes.saturating_sub(bytes))
            });
            let enough = page.iter().position(|entry| {
                let done = over == 0 && heavy == 0;
                (over, heavy) = (over.saturating_sub(1), heavy.saturating_sub(entry.weight()));
                done
            });
            page.truncate(enough.unwrap_or(page.len()));
            if page.is_empty() {
                return Ok(());
            }
            self.remove(&page).await?;
        }
        Ok(())
    }

    /// Removes what is older than entries may get.
    async fn sweep(&mut self) {
        let age = self.inbox.instance.limits.log_age;
        let now = self.clock.now();
        let before = Timestamp(now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
        if let Err(error) = self.clean(before).await {
            tracing::warn!(project = %self.project, %error, "old log entries could not be removed");
        }
    }

    async fn clean(&mut self, before: Timestamp) -> Result<usize, StoreError> {
        let mut removed = 0;
        loop {
            let page = self.page(LogId::FIRST, LogId::first_at(before)).await?;
            if page.is_empty() {
                return Ok(removed);
            }
            removed += page.len();
            self.remove(&page).await?;
        }
    }

    async fn remove(&mut self, entries: &[LogEntry]) -> Result<(), StoreError> {
        let changes = entries.iter().map(|entry| Change::Remove(RecordId::Log(entry.project, entry.id)));
        self.store.commit(changes.collect()).await?;
        if let Some(kept) = &mut self.kept {
            for entry in entries {
                kept.remove(entry);
            }
        }
        Ok(())
    }

    /// The oldest entries of a range, as many as are read at once.
    async fn page(&self, from: LogId, before: LogId) -> Result<Vec<LogEntry>, StoreError> {
        page(&*self.store, self.project, (from, before), ScanOrder::Ascending).await
    }
}

impl Kept {
    fn add(&mut self, entry: &LogEntry) {
        self.last = self.last.max(entry.id);
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(entry.weight());
    }

    fn remove(&mut self, entry: &LogEntry) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(entry.weight());
    }
}

/// One page of a project's entries. Others get their turn before it is read.
pub(super) async fn page(
    store: &dyn Store,
    project: ProjectId,
    (from, before): (LogId, LogId),
    order: ScanOrder,
) -> Result<Vec<LogEntry>, StoreError> {
    tokio::task::yield_now().await;
    let [from, before] = [from, before].map(|id| RecordId::Log(project, id));
    let found = store.scan(Scan { from, before, order, limit: PAGE }).await?.into_iter();
    Ok(found.filter_map(|it| if let Record::Log(entry) = it.record { Some(entry) } else { None }).collect())
}
