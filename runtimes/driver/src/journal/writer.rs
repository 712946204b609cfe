//! The one task that writes a journal.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use orch_core::ports::store::{Change, Expect, ScanOrder, Store, StoreError};
use orch_core::{Entropy, LogId, ProjectId, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Bounds, Desk, Kind, Taken, page};
use crate::clock::Clock;

/// From the start to the first look for what is too old: a hub that starts has other things to do.
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
        /// Also the counts of what may go on to be counted.
        all: bool,
        /// It is done.
        done: oneshot::Sender<()>,
    },
}

/// The task.
pub(super) struct Writer<K> {
    project: ProjectId,
    store: Arc<dyn Store>,
    desk: Arc<Desk<K>>,
    clock: Clock,
    entropy: Entropy,
    /// `None` until something is written for the first time.
    kept: Option<Kept>,
    failing: bool,
}

/// What the store holds of this journal.
#[derive(Clone, Copy, Debug)]
struct Kept {
    last: LogId,
    entries: usize,
    bytes: usize,
}

impl<K: Kind> Writer<K> {
    pub(super) fn new(
        project: ProjectId,
        store: Arc<dyn Store>,
        desk: Arc<Desk<K>>,
        (clock, entropy): (Clock, Entropy),
    ) -> Self {
        Self { project, store, desk, clock, entropy, kept: None, failing: false }
    }

    /// Writes what comes, until nobody can ask for anything any more.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let desk = Arc::clone(&self.desk);
        let (flush, age) = (desk.instance.limits.log_flush, self.bounds().age);
        let waited = async |failing: bool| {
            desk.waits.notified().await;
            tokio::select! {
                () = sleep(if failing { RETRY } else { flush }) => {}
                () = desk.hurry.notified(), if !failing => {}
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
                    // The wait that this has cut off was told of what waits, and nobody will be again.
                    self.write(false).await;
                    self.sweep().await;
                    sweep_at = Instant::now() + SWEEP.min(age).max(flush);
                }
            }
        }
        self.write(true).await;
    }

    fn bounds(&self) -> Bounds {
        K::bounds(&self.desk.instance.limits)
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
        let desk = Arc::clone(&self.desk);
        let limits = &desk.instance.limits;
        let Taken { drafts, count } = desk.kind.take(self.clock.now(), all, limits);
        if desk.kind.counts() {
            desk.waits.notify_one();
        }
        if drafts.is_empty() {
            return;
        }
        let project = self.project;
        let written = async {
            let mut kept = self.kept().await?;
            let mut changes = Vec::with_capacity(drafts.len());
            for draft in drafts {
                let id = |at| kept.last.mint_after(at, &mut self.entropy);
                let entry = K::finish(draft, project, limits, id);
                kept.add(K::id(&entry), K::weight(&entry));
                changes.push(Change::Put(K::record(entry), Expect::Absent));
            }
            self.store.commit(changes).await?;
            self.kept = Some(kept);
            self.make_room().await
        };
        match written.await {
            Ok(()) => self.failing = false,
            Err(error) => {
                // What is counted is told with what can be written next.
                desk.kind.lost(count);
                if !mem::replace(&mut self.failing, true) {
                    tracing::error!(%project, %error, "{} could not be written", K::NAME);
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
                kept.add(K::id(entry), K::weight(entry));
            }
            if page.len() < K::PAGE {
                return Ok(*self.kept.insert(kept));
            }
        }
    }

    /// Removes the oldest entries until the others are within the bounds.
    async fn make_room(&mut self) -> Result<(), StoreError> {
        let bounds = self.bounds();
        while let Some((mut entries, mut bytes)) = self.kept.and_then(|kept| kept.over(bounds)) {
            let mut page = self.page(LogId::FIRST, LogId::LAST).await?;
            let enough = page.iter().position(|entry| {
                let done = entries == 0 && bytes == 0;
                (entries, bytes) = (entries.saturating_sub(1), bytes.saturating_sub(K::weight(entry)));
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
        let age = u64::try_from(self.bounds().age.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp(self.clock.now().0.saturating_sub(age));
        if let Err(error) = self.clean(before).await {
            tracing::warn!(project = %self.project, %error, "old {} could not be removed", K::NAME);
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

    async fn remove(&mut self, entries: &[K::Entry]) -> Result<(), StoreError> {
        let changes = entries.iter().map(|entry| Change::Remove(K::place(self.project, K::id(entry))));
        self.store.commit(changes.collect()).await?;
        if let Some(kept) = &mut self.kept {
            for entry in entries {
                kept.remove(K::weight(entry));
            }
        }
        Ok(())
    }

    /// The oldest entries of a range, as many as are read at once.
    async fn page(&self, from: LogId, before: LogId) -> Result<Vec<K::Entry>, StoreError> {
        page::<K>(&*self.store, self.project, (from, before), ScanOrder::Ascending).await
    }
}

impl Kept {
    fn add(&mut self, id: LogId, weight: usize) {
        self.last = self.last.max(id);
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(weight);
    }

    fn remove(&mut self, weight: usize) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(weight);
    }

    /// How many entries and bytes there are too many.
    fn over(self, bounds: Bounds) -> Option<(usize, usize)> {
        let over = (self.entries.saturating_sub(bounds.entries), self.bytes.saturating_sub(bounds.bytes));
        (over != (0, 0)).then_some(over)
    }
}
