//! The driven port to durable state.
//!
//! A store keeps records under typed ids and knows nothing of their meaning. It is transactional by value: a
//! batch of changes is committed whole or not at all, and no open transaction crosses the port.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::BoxFuture;
use crate::ProjectId;
use crate::record::{Record, RecordId, RecordKind};

/// Durable records.
///
/// Every method is safe to cancel: a commit whose future is dropped happens whole or not at all.
pub trait Store: Send + Sync + 'static {
    /// Applies all changes in order, or none. When the future is ready with `Ok`, the changes survive a crash
    /// of the process and of the machine. Concurrent commits may share one write to disk.
    ///
    /// Commits take effect in the order in which this is called. The future only waits: a commit happens without it.
    /// The call never waits; [`StoreErrorKind::Unavailable`] when too many commits wait already.
    ///
    /// [`StoreErrorKind::Conflict`] when an expectation does not hold; nothing was changed then.
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// The record with this id and its version, or `None`.
    fn read(&self, id: RecordId) -> BoxFuture<'_, Result<Option<Versioned>, StoreError>>;

    /// All records of a kind within a project (of all projects for [`RecordKind::Project`]; `project` is then
    /// ignored), ordered by id.
    fn list(&self, kind: RecordKind, project: ProjectId)
    -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>>;

    /// The records with ids in a range, as many as are wanted.
    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>>;
}

/// A range of ids of one kind in one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The smallest id that is wanted.
    pub from: RecordId,
    /// The smallest id that is not wanted any more, of the same kind and project as `from`; nothing is found
    /// otherwise.
    pub before: RecordId,
    /// Which end of the range comes first.
    pub order: ScanOrder,
    /// How many records are wanted, at most.
    pub limit: usize,
}

/// In which order a range is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOrder {
    /// The smallest id first.
    Ascending,
    /// The largest id first.
    Descending,
}

impl Scan {
    /// The sort keys of a range that holds something: the first one, and the first one after all.
    pub fn keys(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let project = |key: &[u8]| key.first_chunk::<16>().copied();
        let (from, before) = (self.from.sort_key(), self.before.sort_key());
        let alike = self.from.kind() == self.before.kind() && project(&from) == project(&before);
        (alike && from < before).then_some((from, before))
    }
}

/// A record with the version that optimistic writers name.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// 1 for a record written once; one more with every write. A removed and re-made record starts at 1.
    pub version: u64,
    /// The record.
    pub record: Record,
}

/// One change of a commit.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "removals are few; a box for every write would cost more")]
pub enum Change {
    /// Writes a record, if the expectation holds.
    Put(Record, Expect),
    /// Removes a record; nothing happens when it is not there.
    Remove(RecordId),
}

/// What a writer believes about the record it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Not there yet.
    Absent,
    /// Whatever it is.
    Anything,
    /// At this version.
    Version(u64),
}

/// Why a store could not do what it was asked.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    detail: Box<str>,
}

/// The kinds of store failure that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// An expectation did not hold.
    Conflict,
    /// What was read is not what was written, or was written by a newer release.
    Corrupt,
    /// No room is left for a write. Reads go on.
    Full,
    /// The store cannot be reached, or another process holds it.
    Unavailable,
}

impl Expect {
    /// Whether the belief is true of a record at this version (`None` when it is not there).
    pub fn holds(self, current: Option<u64>) -> bool {
        match self {
            Self::Absent => current.is_none(),
            Self::Anything => true,
            Self::Version(expected) => current == Some(expected),
        }
    }
}

impl StoreError {
    /// An error with words for the operator.
    pub fn new(kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into().into_boxed_str() }
    }

    /// What callers branch on.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl core::error::Error for StoreError {}
