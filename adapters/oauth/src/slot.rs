//! One server's place among the logins: what is kept of it, and whose turn it is.

use std::sync::Mutex;

use orch_core::ports::passes::Visit;
use orch_core::{Limits, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::kept::Kept;
use crate::{Logins, lock};

/// What is known of one server.
pub(crate) struct Slot {
    kept: Mutex<Kept>,
    /// One at a time asks for tokens.
    turns: Semaphore,
    /// When the last renewal failed or succeeded, and why it failed.
    renewed: Mutex<Option<(Timestamp, Result<(), String>)>>,
}

impl Slot {
    pub(crate) fn new(kept: Kept) -> Self {
        Self { kept: Mutex::new(kept), turns: Semaphore::new(1), renewed: Mutex::default() }
    }

    /// Waits for the turn, and has it as long as this lives.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns.acquire().await.ok()
    }

    /// What is kept, as far as it is of this server as it is configured now.
    pub(crate) fn kept(&self, visit: &Visit) -> Kept {
        lock(&self.kept).clone().of(visit)
    }

    /// A renewal has just come to this end.
    pub(crate) fn renewed(&self, at: Timestamp, end: Result<(), String>) {
        *lock(&self.renewed) = Some((at, end));
    }

    /// Whether there was a renewal so short a time ago that another one would lead to no other end.
    pub(crate) fn rests(&self, now: Timestamp, limits: &Limits) -> bool {
        self.last_renewal(now, limits).is_some()
    }

    /// How such a renewal ended.
    pub(crate) fn last_renewal(&self, now: Timestamp, limits: &Limits) -> Option<Result<(), String>> {
        let last = lock(&self.renewed).clone();
        last.filter(|(at, _)| now.since(*at) < limits.login_retry).map(|(_, end)| end)
    }

    /// A login makes everything new.
    pub(crate) fn forget_renewals(&self) {
        *lock(&self.renewed) = None;
    }
}

impl Logins {
    /// Keeps this from now on. `Err` where it could not be written: it counts all the same, as long as the hub runs.
    pub(crate) async fn keep(&self, visit: &Visit, slot: &Slot, kept: Kept) -> Result<(), String> {
        *lock(&slot.kept) = kept.clone();
        self.vault.write(visit, kept).await
    }

    /// Keeps nothing.
    pub(crate) async fn drop_kept(&self, visit: &Visit, slot: &Slot) -> Result<(), String> {
        *lock(&slot.kept) = Kept::default();
        slot.forget_renewals();
        self.vault.remove(visit).await
    }
}
