//! The one thread that writes: group commit.
//!
//! It waits for a commit, takes all that came meanwhile, and applies them in one transaction. A commit whose
//! expectation does not hold is refused before it has changed anything, so it does not spoil the others.

use std::collections::BTreeMap;

use orch_core::ports::store::{Change, Expect, StoreError, StoreErrorKind};
use orch_core::record::{self, RecordKind};
use redb::WriteTransaction;
use tokio::sync::{mpsc, oneshot};

use crate::database::Reopening;
use crate::failure::Failure;
use crate::tables;

/// Commits that share one transaction, at most. The time of the write to disk, in which they gather, is the same
/// for few and for many.
const BATCH: usize = 512;

/// One commit and its caller.
pub(crate) struct Command {
    pub(crate) writes: Vec<Write>,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

/// A change, encoded by its caller.
pub(crate) struct Write {
    kind: RecordKind,
    key: Vec<u8>,
    put: Option<Put>,
}

struct Put {
    expect: Expect,
    /// As it is stored, with room for the version.
    stored: Vec<u8>,
}

impl From<Change> for Write {
    fn from(change: Change) -> Self {
        match change {
            Change::Put(record, expect) => {
                let id = record.id();
                let stored = [0_u64.to_le_bytes().as_slice(), &record::encode(&record)].concat();
                Self { kind: id.kind(), key: id.sort_key(), put: Some(Put { expect, stored }) }
            }
            Change::Remove(id) => Self { kind: id.kind(), key: id.sort_key(), put: None },
        }
    }
}

/// Writes what comes, until nobody can send any more.
pub(crate) fn run(database: &Reopening, mut commands: mpsc::Receiver<Command>) {
    let mut batch = Vec::new();
    while commands.blocking_recv_many(&mut batch, BATCH) > 0 {
        let outcomes = database.write(|database| {
            let transaction = tables::begin_write(database)?;
            let outcomes: Result<Vec<_>, _> =
                batch.iter_mut().map(|it| apply(&transaction, &mut it.writes)).collect();
            let outcomes = outcomes?;
            if outcomes.iter().any(Result::is_ok) {
                transaction.commit()?;
            }
            Ok(outcomes)
        });
        answer(batch.drain(..), outcomes);
    }
}

fn answer(batch: impl Iterator<Item = Command>, outcomes: Result<Vec<Result<(), StoreError>>, StoreError>) {
    match outcomes {
        Ok(outcomes) => {
            for (command, outcome) in batch.zip(outcomes) {
                // A caller that is gone does not want to know.
                let _gone = command.done.send(outcome);
            }
        }
        Err(error) => {
            for command in batch {
                let _gone = command.done.send(Err(StoreError::new(error.kind(), error.to_string())));
            }
        }
    }
}

/// Makes all the changes of one commit, or none.
fn apply(transaction: &WriteTransaction, writes: &mut [Write]) -> Result<Result<(), StoreError>, Failure> {
    let Some(versions) = versions(transaction, writes)? else {
        return Ok(Err(StoreError::new(StoreErrorKind::Conflict, "somebody else changed the record")));
    };
    for (write, version) in writes.iter_mut().zip(versions) {
        match &mut write.put {
            Some(put) => tables::put(transaction, (write.kind, &write.key), version, &mut put.stored)?,
            None => tables::remove(transaction, write.kind, &write.key)?,
        }
    }
    Ok(Ok(()))
}

/// The version that each record will have (0 for a removed one); `None` when an expectation does not hold.
/// A change sees what those before it did.
fn versions(transaction: &WriteTransaction, writes: &[Write]) -> Result<Option<Vec<u64>>, Failure> {
    let mut seen = BTreeMap::<(RecordKind, &[u8]), u64>::new();
    let mut versions = Vec::with_capacity(writes.len());
    for write in writes {
        let key = (write.kind, write.key.as_slice());
        let version = match &write.put {
            None => 0,
            Some(put) => {
                let before = match seen.get(&key) {
                    Some(0) => None,
                    Some(version) => Some(*version),
                    None => tables::version(&tables::open(transaction, write.kind)?, write.kind, &write.key)?,
                };
                if !put.expect.holds(before) {
                    return Ok(None);
                }
                before.unwrap_or(0) + 1
            }
        };
        seen.insert(key, version);
        versions.push(version);
    }
    Ok(Some(versions))
}
