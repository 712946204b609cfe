//! Power cuts: a synced write is there, an unsynced one may be there in part, and the store makes sense of it.

use orch_core::Entropy;
use orch_store_redb::RedbStore;

use crate::disk::Disk;
use crate::sample::{pairs, put_pair};

/// Cuts in one run of this test.
const CUTS: u8 = 150;

#[test]
fn a_power_cut_at_any_moment_loses_no_acknowledged_commit() {
    for seed in 0..CUTS {
        survive(seed, &mut Entropy::from_seed([seed; 32]));
    }
}

fn survive(seed: u8, entropy: &mut Entropy) {
    let mut disk = Disk::default();
    let kept: Vec<u128> = {
        let store = open(&disk);
        cut_after(&disk, entropy.below(250));
        (0..20).filter(|pair| put_pair(&store, *pair, &"x".repeat(700)).is_ok()).collect()
    };
    // The power may fail again while the store recovers.
    for again in 0..entropy.below(3) {
        disk = disk.after_power_cut(entropy);
        cut_after(&disk, entropy.below(40) + again);
        let handle = disk.clone();
        drop(RedbStore::with_backend(move || Ok(handle.clone())));
    }
    let store = open(&disk.after_power_cut(entropy));
    let there = pairs(&store);
    assert!(kept.iter().all(|pair| there.contains(pair)), "seed {seed}: {kept:?} became {there:?}");
    put_pair(&store, 100, "after").unwrap();
}

fn cut_after(disk: &Disk, operations: u64) {
    let mut state = disk.state();
    state.dead = true;
    state.fails_at = Some(state.operations + operations + 1);
}

fn open(disk: &Disk) -> RedbStore {
    let disk = disk.clone();
    RedbStore::with_backend(move || Ok(disk.clone())).unwrap()
}
