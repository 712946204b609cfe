//! The instance: its projects, its keys, and who may come in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use orch_core::key::Pepper;
use orch_core::record::{Key, Project};
use orch_core::snapshot::{Directory, Instance};
use orch_core::{Entropy, ExchangeId, KeyId, ProjectId, Timestamp};

use crate::cell::{Cell, World};

/// A running instance. Cheap to clone; all clones are the same instance.
#[derive(Clone, Debug)]
pub struct Driver {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub world: Arc<World>,
    pub pepper: Pepper,
    directory: ArcSwap<Directory>,
    cells: ArcSwap<BTreeMap<ProjectId, Arc<Cell>>>,
    registry: Mutex<Registry>,
    entropy: Mutex<Entropy>,
    exchanges: AtomicU64,
}

/// What the directory is built from.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub projects: BTreeMap<ProjectId, Project>,
    pub keys: BTreeMap<KeyId, Key>,
}

impl Driver {
    pub(crate) fn assemble(
        world: Arc<World>,
        pepper: Pepper,
        registry: Registry,
        cells: Vec<Arc<Cell>>,
        entropy: Entropy,
    ) -> Self {
        let directory = build(&registry, &pepper);
        let cells = cells.into_iter().map(|cell| (cell.id, cell)).collect();
        Self {
            inner: Arc::new(Inner {
                world,
                pepper,
                directory: ArcSwap::from_pointee(directory),
                cells: ArcSwap::from_pointee(cells),
                registry: Mutex::new(registry),
                entropy: Mutex::new(entropy),
                exchanges: AtomicU64::new(1),
            }),
        }
    }

    /// What all projects share.
    pub fn instance(&self) -> &Instance {
        &self.inner.world.instance
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        self.inner.directory.load_full()
    }

    pub(crate) fn cell(&self, project: ProjectId) -> Option<Arc<Cell>> {
        self.inner.cells.load().get(&project).cloned()
    }

    pub(crate) fn cells(&self) -> Arc<BTreeMap<ProjectId, Arc<Cell>>> {
        self.inner.cells.load_full()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.world.clock.now()
    }

    pub(crate) fn entropy(&self) -> MutexGuard<'_, Entropy> {
        self.inner.entropy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mint_exchange(&self) -> ExchangeId {
        ExchangeId(self.inner.exchanges.fetch_add(1, Ordering::Relaxed))
    }

    /// Changes projects or keys, and lets the next request see it.
    pub(crate) fn change_registry(&self, change: impl FnOnce(&mut Registry)) {
        let mut registry = self.inner.registry.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut registry);
        self.inner.directory.store(Arc::new(build(&registry, &self.inner.pepper)));
    }
}

fn build(registry: &Registry, pepper: &Pepper) -> Directory {
    Directory::build(registry.projects.values().cloned(), registry.keys.values().cloned(), pepper.clone())
}
