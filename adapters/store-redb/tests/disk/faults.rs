//! A disk that fails once, and one that is full: what was acknowledged stays, and the store goes on by itself.

use orch_core::ports::store::{StoreError, StoreErrorKind};
use orch_store_redb::RedbStore;

use crate::disk::Disk;
use crate::sample::{pairs, put_pair};

fn open(disk: &Disk) -> Result<RedbStore, StoreError> {
    let disk = disk.clone();
    RedbStore::with_backend(move || Ok(disk.clone()))
}

#[test]
fn any_single_failure_of_the_disk_loses_nothing_and_is_over_with_it() {
    let steps = {
        let disk = Disk::default();
        let store = open(&disk).unwrap();
        (0..10).for_each(|pair| put_pair(&store, pair, "name").unwrap());
        drop(store);
        disk.state().operations
    };
    assert!(steps > 50, "{steps}");
    for step in 1..=steps {
        let disk = Disk::default();
        disk.state().fails_at = Some(step);
        let Ok(store) = open(&disk) else { continue };
        let kept: Vec<u128> = (0..12).filter(|pair| put_pair(&store, *pair, "name").is_ok()).collect();
        assert!(kept.len() >= 11, "operation {step} failed {} commits", 12 - kept.len());
        let check = |store: &RedbStore| {
            let there = pairs(store);
            assert!(kept.iter().all(|pair| there.contains(pair)), "operation {step}: {there:?}");
        };
        check(&store);
        drop(store);
        check(&open(&disk).unwrap());
    }
}

#[test]
fn a_full_disk_refuses_writes_serves_reads_and_takes_writes_again_when_there_is_room() {
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    put_pair(&store, 0, "first").unwrap();
    disk.state().capacity = Some(disk.blocks() + 40);
    let large = "x".repeat(4000);
    let mut kept = vec![0];
    let refusal = loop {
        let pair = kept.len() as u128;
        match put_pair(&store, pair, &large) {
            Ok(()) => kept.push(pair),
            Err(error) => break error,
        }
    };
    assert_eq!(refusal.kind(), StoreErrorKind::Full, "{refusal}");
    for _ in 0..3 {
        assert_eq!(pairs(&store), kept);
        assert_eq!(put_pair(&store, 1000, &large).unwrap_err().kind(), StoreErrorKind::Full);
    }
    disk.state().capacity = None;
    put_pair(&store, 1000, &large).unwrap();
    kept.push(1000);
    assert_eq!(pairs(&store), kept);
}
