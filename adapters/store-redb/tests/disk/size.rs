//! How long a large store takes to open after a kill. For people, not for the suite:
//! `ORCH_TEST_STORE_MIB=1024 cargo test --release -p orch-store-redb --test disk -- --ignored --nocapture size`.
//! A debug build of redb looks at every page.
#![expect(clippy::disallowed_methods, reason = "a measurement")]

use std::time::{Duration, Instant};

use orch_core::ports::store::{Change, Expect, Store};
use orch_store_redb::RedbStore;

use crate::sample::{project, wait};

const VARIABLE: &str = "ORCH_TEST_STORE_MIB";
const MIB: u64 = 1024 * 1024;
/// The longest that a hub may take to open its store.
const PATIENCE: Duration = Duration::from_secs(2);

#[test]
#[ignore = "writes a gibibyte"]
fn a_large_store_that_was_killed_opens_within_two_seconds() {
    let size = std::env::var_os(VARIABLE).map_or(1024, |size| size.to_str().unwrap().parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (path, killed) = (directory.path().join("store.redb"), directory.path().join("killed.redb"));
    let store = RedbStore::open(&path).unwrap();
    let name = "x".repeat(400);
    let mut records: u128 = 0;
    let began = Instant::now();
    while path.metadata().unwrap().len() < size * MIB {
        let put = |number| Change::Put(project(number, &name), Expect::Anything);
        // Not in the order of their keys, as sessions are not.
        let changes =
            (records..records + 20_000).map(|number| put(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        wait(store.commit(changes.collect())).unwrap();
        records += 20_000;
    }
    println!("{records} records of 400 bytes written in {:.1?}", began.elapsed());
    for number in 0..100 {
        wait(store.commit(vec![Change::Put(project(number, &name), Expect::Anything)])).unwrap();
    }
    // As a kill leaves it: nothing was closed.
    std::fs::copy(&path, &killed).unwrap();
    // The copy must not be waited for.
    std::fs::File::open(&killed).unwrap().sync_all().unwrap();
    let began = Instant::now();
    let opened = RedbStore::open(&killed).unwrap();
    let took = began.elapsed();
    println!("{} MiB killed: open after {took:.1?}", killed.metadata().unwrap().len() / MIB);
    let began = Instant::now();
    assert!(wait(opened.read(project(99, "").id())).unwrap().is_some());
    println!("first read after {:.1?}", began.elapsed());
    drop(store);
    let began = Instant::now();
    let closed = RedbStore::open(&path).unwrap();
    println!("the same closed in order: {:.1?}", began.elapsed());
    drop(closed);
    assert!(took < PATIENCE, "{took:?}");
}
