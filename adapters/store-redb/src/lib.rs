//! The store port on redb: one file, one writer, group commit.
//!
//! All commits go through one thread, which takes everything that waits, applies it in one transaction and makes it
//! durable with one write to disk; that write gathers the next batch. Reads are short transactions of their own and
//! wait for nobody. No redb type crosses the port, save the backend that a test may put in place of the file.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use orch_core::ProjectId;
use orch_core::ports::BoxFuture;
use orch_core::ports::store::{Change, Scan, Store, StoreError, StoreErrorKind, Versioned};
use orch_core::record::{RecordId, RecordKind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

mod database;
mod failure;
mod file;
mod tables;
mod writer;

pub use redb::{BackendError, StorageBackend};

use database::Reopening;
use failure::Failure;
use file::Draft;
use redb::Builder;
use writer::{Command, Write};

/// Commits that may wait for the writer; more of them are refused. Twice what one project may let wait
/// (`Limits::store_queue`).
const QUEUE: usize = 65_536;

/// Records in a redb file.
///
/// Dropping it finishes the commits that wait and closes the file.
#[derive(Debug)]
pub struct RedbStore {
    database: std::sync::Arc<Reopening>,
    /// `None` only while it is dropped.
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<JoinHandle<()>>,
}

impl RedbStore {
    /// Opens the file at `path`, or makes it, readable by its owner alone.
    ///
    /// [`StoreErrorKind::Unavailable`] when another process has it open, [`StoreErrorKind::Corrupt`] when it is no
    /// store or one of a newer release.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        Self::start(move || {
            let mut draft = None;
            let make = |builder: &Builder| {
                let (file, new) = file::open(&path)?;
                draft = new;
                builder.create_file(file)
            };
            let database = database::create(make, &path)?;
            draft.map_or(Ok(()), Draft::publish).map_err(|error| StoreError::from(Failure::from(error)))?;
            Ok(database)
        })
    }

    /// A store on something else than a file, for tests: `make` gives access to the same bytes each time.
    pub fn with_backend<B: StorageBackend>(
        make: impl Fn() -> io::Result<B> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        Self::start(move || database::create(|it| it.create_with_backend(make()?), Path::new("the backend")))
    }

    fn start(
        open: impl Fn() -> Result<redb::Database, StoreError> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let database = std::sync::Arc::new(Reopening::new(open)?);
        let (commands, waiting) = mpsc::channel(QUEUE);
        let written = std::sync::Arc::clone(&database);
        let writer = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer::run(&written, waiting))
            .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, format!("no thread: {error}")))?;
        Ok(Self { database, commands: Some(commands), writer: Some(writer) })
    }

    /// Puts a commit in its place in the queue.
    fn queue(&self, changes: Vec<Change>) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let (done, answer) = oneshot::channel();
        let command = Command { writes: changes.into_iter().map(Write::from).collect(), done };
        let commands = self.commands.as_ref().ok_or_else(stopped)?;
        commands.try_send(command).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                let words = format!("{QUEUE} changes wait for the disk already: try again");
                StoreError::new(StoreErrorKind::Unavailable, words)
            }
            TrySendError::Closed(_) => stopped(),
        })?;
        Ok(answer)
    }
}

impl Store for RedbStore {
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<(), StoreError>> {
        if changes.is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        let queued = self.queue(changes);
        Box::pin(async move { queued?.await.map_err(|_| stopped())? })
    }

    fn read(&self, id: RecordId) -> BoxFuture<'_, Result<Option<Versioned>, StoreError>> {
        Box::pin(async move { self.database.read(|database| tables::read(database, &id)) })
    }

    fn list(
        &self,
        kind: RecordKind,
        project: ProjectId,
    ) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
        Box::pin(async move { self.database.read(|database| tables::list(database, kind, project)) })
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
        Box::pin(async move { self.database.read(|database| tables::scan(database, &scan)) })
    }
}

impl Drop for RedbStore {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has answered nobody: its callers know.
            let _panicked = writer.join();
        }
    }
}

fn stopped() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the store's writer has stopped")
}
