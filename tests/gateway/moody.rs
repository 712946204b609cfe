//! A store that can be told to refuse, and to keep its callers waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use orch_core::ProjectId;
use orch_core::ports::BoxFuture;
use orch_core::ports::store::{Change, Scan, Store, StoreError, StoreErrorKind, Versioned};
use orch_core::record::{RecordId, RecordKind};
use orch_store_memory::MemoryStore;
use tokio::sync::Notify;

/// A store that counts its commits, and refuses them or keeps them waiting.
#[derive(Default)]
pub(crate) struct Moody {
    pub inner: Arc<MemoryStore>,
    pub commits: AtomicUsize,
    pub refuses: Arc<AtomicBool>,
    pub hangs: AtomicBool,
    pub goes_on: Arc<Notify>,
}

impl Store for Moody {
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let hangs = self.hangs.load(Ordering::Relaxed);
        let (inner, refuses) = (Arc::clone(&self.inner), Arc::clone(&self.refuses));
        let goes_on = Arc::clone(&self.goes_on);
        Box::pin(async move {
            if hangs {
                goes_on.notified().await;
            }
            if refuses.load(Ordering::Relaxed) {
                return Err(StoreError::new(StoreErrorKind::Full, "no room"));
            }
            inner.commit(changes).await
        })
    }

    fn read(&self, id: RecordId) -> BoxFuture<'_, Result<Option<Versioned>, StoreError>> {
        self.inner.read(id)
    }

    fn list(
        &self,
        kind: RecordKind,
        project: ProjectId,
    ) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
        self.inner.list(kind, project)
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
        self.inner.scan(scan)
    }
}
