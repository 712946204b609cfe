//! The open database, opened anew when it has failed.
//!
//! After any error of the disk redb refuses everything until it is opened again. A full disk is such an error and
//! passes, so a failed database is exchanged at once: reads go on, and writes as soon as there is room.

use std::fmt;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use orch_core::ports::store::StoreError;
use redb::{Builder, Database, DatabaseError};

use crate::failure::Failure;
use crate::tables;

/// Memory for pages, in bytes; taken as it is needed, and never given back. Writes go through it too: whatever its size, the
/// records of calls fill it. What it does not hold, the system has cached.
const CACHE: usize = 2 * 1024 * 1024;

/// Opens a database with `make` and sees to its schema.
pub(crate) fn create(
    make: impl FnOnce(&Builder) -> Result<Database, DatabaseError>,
    name: &Path,
) -> Result<Database, StoreError> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    let opened = make(&builder).map_err(Failure::from).and_then(|database| {
        tables::prepare(&database)?;
        Ok(database)
    });
    opened.map_err(|failure| {
        let error = StoreError::from(failure);
        StoreError::new(error.kind(), format!("cannot open {}: {error}", name.display()))
    })
}

/// A database that can be opened again.
pub(crate) struct Reopening {
    open: Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>,
    // Written only to exchange the database; every use of it is a reader here.
    current: RwLock<Current>,
}

struct Current {
    /// How often it was opened.
    opened: u64,
    /// `None` when it could not be opened again.
    database: Option<Database>,
}

impl Reopening {
    pub(crate) fn new(
        open: impl Fn() -> Result<Database, StoreError> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let current = RwLock::new(Current { opened: 0, database: Some(open()?) });
        Ok(Self { open: Box::new(open), current })
    }

    /// Does `work`, once more on a new database when the old one had failed.
    pub(crate) fn read<T>(&self, work: impl Fn(&Database) -> Result<T, Failure>) -> Result<T, StoreError> {
        let (opened, failure) = match self.attempt(&work) {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        if !failure.is_lasting() {
            return Err(failure.into());
        }
        self.reopen(opened)?;
        self.attempt(work).map_err(|(_, failure)| failure.into())
    }

    /// Does `work` once: nobody knows how much of a failed write has reached the disk. A database that could not be
    /// opened anew when it failed gets another chance first.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let closed = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.database.is_none().then_some(current.opened)
        };
        if let Some(opened) = closed {
            self.reopen(opened)?;
        }
        self.attempt(work).map_err(|(opened, failure)| {
            if failure.is_lasting() {
                // When this does not work, the next attempt says why.
                let _later = self.reopen(opened);
            }
            failure.into()
        })
    }

    fn attempt<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, (u64, Failure)> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        match &current.database {
            Some(database) => work(database).map_err(|failure| (current.opened, failure)),
            None => Err((current.opened, redb::Error::DatabaseClosed.into())),
        }
    }

    /// Exchanges the database that was opened as number `failed`, unless somebody did.
    fn reopen(&self, failed: u64) -> Result<(), StoreError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.opened == failed {
            // Closed first: a file can be open only once.
            current.database = None;
            current.database = Some((self.open)()?);
            current.opened += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for Reopening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reopening(..)")
    }
}
