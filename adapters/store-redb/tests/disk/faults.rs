//! A disk that fails, and one that is full: what was acknowledged stays, and the store goes on by itself.

use orch_core::ports::store::{Change, Store, StoreError, StoreErrorKind};
use orch_store_redb::RedbStore;

use crate::disk::FaultKind::{Broken, NoSpace, Short};
use crate::disk::{Disk, Fault};
use crate::image::Image;
use crate::sample::{pairs, project, put_pair, wait};

fn open(disk: &Disk) -> Result<RedbStore, StoreError> {
    let disk = disk.clone();
    RedbStore::with_backend(move || Ok(disk.clone()))
}

/// Commits of the workload, and how many of them are done between two starts.
const COMMITS: u128 = 200;
const STRETCH: u128 = 10;
/// Pairs that are there at each start; older ones are taken away.
const KEPT: u128 = 20;

#[test]
fn any_failure_of_the_disk_loses_nothing_and_is_over_with_it() {
    let mut starts = Vec::new();
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    for pair in 0..COMMITS {
        if pair % STRETCH == 0 {
            starts.push((pair, disk.content()));
        }
        put_pair(&store, pair, &"x".repeat(400)).unwrap();
        if let Some(old) = pair.checked_sub(KEPT) {
            let gone = [2 * old, 2 * old + 1].map(|number| Change::Remove(project(number, "").id()));
            wait(store.commit(gone.into())).unwrap();
        }
    }
    let share = starts.len().div_ceil(std::thread::available_parallelism().unwrap().get());
    std::thread::scope(|scope| {
        for starts in starts.chunks(share) {
            scope.spawn(move || starts.iter().for_each(|(done, image)| fail_each_operation(*done, image)));
        }
    });
}

/// Does the next commits with each operation of the disk failing in turn, alone and with those after it.
fn fail_each_operation(done: u128, image: &Image) {
    let disk = Disk::of(image.clone());
    let store = open(&disk).unwrap();
    (done..done + STRETCH).for_each(|pair| put_pair(&store, pair, "name").unwrap());
    drop(store);
    let operations = disk.state().operations;
    assert!(operations > 50, "{operations}");
    for at in 1..=operations {
        for (kind, lasts) in [(Broken, 1), (NoSpace, 7), (Short, 1)] {
            let place = format!("after {done}, {kind:?} at {at} of {operations} for {lasts}");
            survive(done, &Disk::of(image.clone()), Fault { at, lasts, kind }, &place);
        }
    }
}

fn survive(done: u128, disk: &Disk, fault: Fault, place: &str) {
    let expected = if fault.kind == Broken { StoreErrorKind::Unavailable } else { StoreErrorKind::Full };
    let refused = |error: &StoreError| assert_eq!(error.kind(), expected, "{place}: {error}");
    disk.state().fault = Some(fault);
    let store = open(disk).unwrap_or_else(|error| {
        refused(&error);
        disk.state().fault = None;
        open(disk).unwrap()
    });
    let mut kept: Vec<u128> = (done.saturating_sub(KEPT)..done).collect();
    for pair in done..done + STRETCH {
        match put_pair(&store, pair, "name") {
            Ok(()) => kept.push(pair),
            Err(error) => refused(&error),
        }
    }
    // A failure may cost the commit that meets it, and every operation of it once more.
    let lost = STRETCH + done.min(KEPT) - kept.len() as u128;
    assert!(lost <= u128::from(fault.lasts), "{place}: {lost} commits failed");
    disk.state().fault = None;
    let check = |store: &RedbStore| {
        let there = pairs(store);
        assert!(kept.iter().all(|pair| there.contains(pair)), "{place}: {kept:?} became {there:?}");
    };
    check(&store);
    put_pair(&store, 1000, "healed").unwrap_or_else(|error| panic!("{place}: {error}"));
    drop(store);
    check(&open(disk).unwrap());
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
