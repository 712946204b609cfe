//! The store port in memory: the executable specification that durable stores are compared with, and the store of
//! a hub that shall forget.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::ProjectId;
use orch_core::ports::BoxFuture;
use orch_core::ports::store::{Change, Scan, ScanOrder, Store, StoreError, StoreErrorKind, Versioned};
use orch_core::record::{RecordId, RecordKind};

/// Records in a map, gone when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: Mutex<Records>,
}

/// By kind and sort key, in which the project comes first: a listing is a range.
type Records = BTreeMap<Key, Versioned>;
type Key = (RecordKind, Vec<u8>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut records = self.records();
        for (key, outcome) in decide(&records, changes)? {
            match outcome {
                Some(written) => records.insert(key, written),
                None => records.remove(&key),
            };
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(std::future::ready(self.apply(changes)))
    }

    fn read(&self, id: RecordId) -> BoxFuture<'_, Result<Option<Versioned>, StoreError>> {
        Box::pin(async move { Ok(self.records().get(&key_of(&id)).cloned()) })
    }

    fn list(
        &self,
        kind: RecordKind,
        project: ProjectId,
    ) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
        Box::pin(async move {
            let prefix: &[u8] = if kind == RecordKind::Project { &[] } else { project.0.as_bytes() };
            let first = (kind, prefix.to_vec());
            let records = self.records();
            let of_project =
                records.range(first..).take_while(|((it, key), _)| *it == kind && key.starts_with(prefix));
            Ok(of_project.map(|(_, versioned)| versioned.clone()).collect())
        })
    }

    fn scan(&self, scan: Scan) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
        Box::pin(async move {
            let Some((from, before)) = scan.keys() else { return Ok(Vec::new()) };
            let kind = scan.from.kind();
            let records = self.records();
            let range = records.range((kind, from)..(kind, before)).map(|(_, versioned)| versioned.clone());
            Ok(match scan.order {
                ScanOrder::Ascending => range.take(scan.limit).collect(),
                ScanOrder::Descending => range.rev().take(scan.limit).collect(),
            })
        })
    }
}

fn key_of(id: &RecordId) -> Key {
    (id.kind(), id.sort_key())
}

/// What the records in question are after `changes`, or that an expectation does not hold.
fn decide(records: &Records, changes: Vec<Change>) -> Result<BTreeMap<Key, Option<Versioned>>, StoreError> {
    let mut outcome = BTreeMap::<Key, Option<Versioned>>::new();
    for change in changes {
        match change {
            Change::Remove(id) => {
                outcome.insert(key_of(&id), None);
            }
            Change::Put(record, expect) => {
                let key = key_of(&record.id());
                let before = outcome.get(&key).map_or_else(|| records.get(&key), Option::as_ref);
                let version = before.map(|it| it.version);
                if !expect.holds(version) {
                    return Err(StoreError::new(
                        StoreErrorKind::Conflict,
                        "somebody else changed the record",
                    ));
                }
                outcome.insert(key, Some(Versioned { version: version.unwrap_or(0) + 1, record }));
            }
        }
    }
    Ok(outcome)
}
