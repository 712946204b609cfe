//! The one task that writes the calls of a project: all that waits in one commit, and what is too old or too much goes.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use orch_core::ports::store::{Change, Expect, Scan, ScanOrder, Store, StoreError};
use orch_core::record::{CallBlock, Calls, Record, RecordId};
use orch_core::{Entropy, LogId, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::Inbox;
use crate::clock::Clock;

/// Records that are read, or removed, at once.
const PAGE: usize = 64;
/// From the start to the first look for what is too old: a hub that starts has other things to do.
const FIRST_SWEEP: Duration = Duration::from_mins(1);
/// The pause between two such looks, unless calls get old sooner.
const SWEEP: Duration = Duration::from_hours(1);
/// The pause after a write that did not work.
const RETRY: Duration = Duration::from_secs(2);

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

/// What the store holds.
#[derive(Clone, Copy, Debug)]
struct Kept {
    last: LogId,
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
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<oneshot::Sender<()>>) {
        let inbox = Arc::clone(&self.inbox);
        let (flush, age) = (inbox.instance.limits.log_flush, inbox.instance.limits.call_age);
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
                    Some(done) => {
                        self.write().await;
                        // Whoever has gone does not want to know.
                        let _gone = done.send(());
                    }
                    None => break,
                },
                () = waited(self.failing) => self.write().await,
                () = sleep_until(sweep_at) => {
                    // The wait that this has cut off was told of them, and nobody will be again.
                    self.write().await;
                    self.sweep().await;
                    sweep_at = Instant::now() + SWEEP.min(age).max(flush);
                }
            }
        }
        self.write().await;
    }

    async fn write(&mut self) {
        let (blocks, lost) = self.inbox.waiting().take();
        if lost > 0 {
            let project = self.project;
            tracing::warn!(%project, lost, "calls were not recorded: the store is slow or full (limit call_buffer)");
        }
        if blocks.is_empty() {
            return;
        }
        let count: usize = blocks.iter().map(CallBlock::count).sum();
        let written = async {
            let mut kept = self.kept().await?;
            let mut changes = Vec::with_capacity(blocks.len());
            for block in blocks {
                let id = kept.last.mint_after(self.clock.now(), &mut self.entropy);
                let record = Calls { id, project: self.project, block };
                kept.add(&record);
                changes.push(Change::Put(Record::Calls(record), Expect::Absent));
            }
            self.store.commit(changes).await?;
            self.kept = Some(kept);
            self.make_room().await
        };
        match written.await {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.inbox.waiting().lost(count as u64);
                if !mem::replace(&mut self.failing, true) {
                    tracing::error!(project = %self.project, %error, "calls could not be recorded");
                }
            }
        }
    }

    /// What is kept; counted once.
    async fn kept(&mut self) -> Result<Kept, StoreError> {
        if let Some(kept) = self.kept {
            return Ok(kept);
        }
        let mut kept = Kept { last: LogId::FIRST, bytes: 0 };
        loop {
            let page = self.page(kept.last.next(), LogId::LAST).await?;
            for calls in &page {
                kept.add(calls);
            }
            if page.len() < PAGE {
                return Ok(*self.kept.insert(kept));
            }
        }
    }

    /// Removes the oldest calls until the others are within the bound.
    async fn make_room(&mut self) -> Result<(), StoreError> {
        let bound = self.inbox.instance.limits.call_bytes;
        while let Some(over) =
            self.kept.and_then(|kept| kept.bytes.checked_sub(bound)).filter(|over| *over > 0)
        {
            let mut page = self.page(LogId::FIRST, LogId::LAST).await?;
            let mut sum = 0_usize;
            let enough = page.iter().position(|calls| {
                let done = sum >= over;
                sum = sum.saturating_add(calls.block.weight());
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

    /// Removes what is older than calls may get.
    async fn sweep(&mut self) {
        let age = u64::try_from(self.inbox.instance.limits.call_age.as_millis()).unwrap_or(u64::MAX);
        let before = LogId::first_at(Timestamp(self.clock.now().0.saturating_sub(age)));
        let swept = async {
            loop {
                let page = self.page(LogId::FIRST, before).await?;
                if page.is_empty() {
                    return Ok(());
                }
                self.remove(&page).await?;
            }
        };
        let swept: Result<(), StoreError> = swept.await;
        if let Err(error) = swept {
            tracing::warn!(project = %self.project, %error, "old records of calls could not be removed");
        }
    }

    async fn remove(&mut self, page: &[Calls]) -> Result<(), StoreError> {
        let changes = page.iter().map(|calls| Change::Remove(RecordId::Calls(calls.project, calls.id)));
        self.store.commit(changes.collect()).await?;
        if let Some(kept) = &mut self.kept {
            let gone: usize = page.iter().map(|calls| calls.block.weight()).sum();
            kept.bytes = kept.bytes.saturating_sub(gone);
        }
        Ok(())
    }

    /// The oldest records of a range, as many as are read at once.
    async fn page(&self, from: LogId, before: LogId) -> Result<Vec<Calls>, StoreError> {
        page(&*self.store, self.project, (from, before), ScanOrder::Ascending).await
    }
}

impl Kept {
    fn add(&mut self, calls: &Calls) {
        self.last = self.last.max(calls.id);
        self.bytes = self.bytes.saturating_add(calls.block.weight());
    }
}

/// One page of a project's calls. Others get their turn before it is read.
pub(super) async fn page(
    store: &dyn Store,
    project: ProjectId,
    (from, before): (LogId, LogId),
    order: ScanOrder,
) -> Result<Vec<Calls>, StoreError> {
    tokio::task::yield_now().await;
    let [from, before] = [from, before].map(|id| RecordId::Calls(project, id));
    let found = store.scan(Scan { from, before, order, limit: PAGE }).await?.into_iter();
    Ok(found.filter_map(|it| if let Record::Calls(calls) = it.record { Some(calls) } else { None }).collect())
}
