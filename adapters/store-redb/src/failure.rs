//! What can go wrong in redb, in the words of the port.

use std::io::ErrorKind;

use orch_core::ports::store::{StoreError, StoreErrorKind};

/// An operation on the database did not work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database did what it should; this is the answer.
    Answer(StoreError),
    /// The database failed.
    Database(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

impl Failure {
    /// Whether the database refuses everything from now on, until it is opened anew.
    pub(crate) fn is_lasting(&self) -> bool {
        use redb::Error::{DatabaseClosed, Io, LockPoisoned, PreviousIo};
        matches!(self, Self::Database(Io(_) | PreviousIo | DatabaseClosed | LockPoisoned(_)))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Answer(error) => error,
            Failure::Database(redb::Error::DatabaseAlreadyOpen) => {
                Self::new(StoreErrorKind::Unavailable, "another mcp-orch uses this data directory")
            }
            Failure::Database(error) => Self::new(kind_of(&error), format!("the store: {error}")),
        }
    }
}

fn kind_of(error: &redb::Error) -> StoreErrorKind {
    use redb::Error::{Corrupted, Io, TableTypeMismatch, TypeDefinitionChanged, UpgradeRequired};
    if let Io(error) = error {
        return kind_of_io(error.kind());
    }
    let damaged = matches!(
        error,
        Corrupted(_) | TableTypeMismatch { .. } | TypeDefinitionChanged { .. } | UpgradeRequired(_)
    );
    if damaged { StoreErrorKind::Corrupt } else { StoreErrorKind::Unavailable }
}

fn kind_of_io(kind: ErrorKind) -> StoreErrorKind {
    if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge) {
        StoreErrorKind::Full
    } else if matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof) {
        StoreErrorKind::Corrupt
    } else {
        StoreErrorKind::Unavailable
    }
}
