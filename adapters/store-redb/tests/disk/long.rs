//! Long records beside short ones.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use orch_core::ports::store::{Change, Expect, Store};
use orch_store_redb::{RedbStore, StorageBackend};

use crate::sample::{project, wait};

const MIB: usize = 1024 * 1024;

/// Bytes in memory, and how many were read and written.
#[derive(Clone, Debug, Default)]
struct Counting {
    bytes: Arc<Mutex<Vec<u8>>>,
    moved: Arc<AtomicU64>,
}

impl Counting {
    fn count(&self, bytes: &[u8]) {
        self.moved.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    fn moved(&self) -> u64 {
        self.moved.swap(0, Ordering::Relaxed)
    }
}

impl StorageBackend for Counting {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.count(out);
        let (from, bytes) = (usize::try_from(offset).unwrap(), self.bytes.lock().unwrap());
        out.copy_from_slice(&bytes[from..from + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        self.bytes.lock().unwrap().resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.count(data);
        let (from, mut bytes) = (usize::try_from(offset).unwrap(), self.bytes.lock().unwrap());
        bytes[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn put(number: u128, bytes: usize) -> Change {
    Change::Put(project(number, &"x".repeat(bytes)), Expect::Anything)
}

#[test]
fn a_short_record_does_not_pay_for_a_long_one_beside_it() {
    let backend = Counting::default();
    let made = backend.clone();
    let store = RedbStore::with_backend(move || Ok(made.clone())).unwrap();
    wait(store.commit(vec![put(500, 8 * MIB), put(0, 10), put(1000, 10)])).unwrap();
    backend.moved();
    wait(store.commit((400..600).filter(|number| *number != 500).map(|number| put(number, 10)).collect()))
        .unwrap();
    let moved = backend.moved();
    assert!(moved < MIB as u64, "{moved} bytes were read and written for 200 short records");
}

#[test]
fn a_record_that_was_long_and_is_short_or_gone_leaves_nothing() {
    let store = RedbStore::with_backend(|| Ok(Counting::default())).unwrap();
    let read = |number| wait(store.read(project(number, "").id())).unwrap();
    for (round, bytes) in [(1, 10), (2, 3 * MIB), (3, 2 * MIB), (4, 10), (5, MIB)] {
        wait(store.commit(vec![put(7, bytes)])).unwrap();
        let found = read(7).unwrap();
        assert_eq!((found.version, found.record), (round, project(7, &"x".repeat(bytes))));
    }
    let Change::Put(record, _) = put(7, 0) else { panic!("it is one") };
    wait(store.commit(vec![Change::Remove(record.id())])).unwrap();
    assert_eq!(read(7), None);
    wait(store.commit(vec![put(7, 10)])).unwrap();
    assert_eq!(read(7).unwrap().version, 1, "nothing was left of the one before");
}
