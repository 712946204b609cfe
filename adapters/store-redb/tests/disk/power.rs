//! Power cuts: a synced write is there, an unsynced one may be there in part, and the store makes sense of it.
//!
//! A run of the store is taped, and cut at a moment by chance; so is the recovery from that, and the recovery from
//! the second cut. For a longer run: `ORCH_TEST_POWER_CUTS=5000000 cargo test --release -p orch-store-redb power`.

use std::thread;

use orch_core::Entropy;
use orch_core::ports::store::{Change, Expect, Store};
use orch_core::record::RecordKind;
use orch_store_redb::RedbStore;
use redb::Builder;

use crate::disk::Disk;
use crate::sample::{numbered, project, wait};

/// Cuts in one run of this test.
const CUTS: usize = 20_000;
const VARIABLE: &str = "ORCH_TEST_POWER_CUTS";
/// Cuts of one tape.
const CUTS_OF_TAPE: usize = 500;
/// Commits of one tape.
const COMMITS: u64 = 40;
/// Pairs that are kept: each commit adds one and takes the oldest away.
const KEPT: u64 = 12;

#[test]
fn a_power_cut_at_any_moment_loses_no_acknowledged_commit() {
    let cuts = std::env::var_os(VARIABLE).map_or(CUTS, |cuts| cuts.to_str().unwrap().parse().unwrap());
    let tapes = cuts.div_ceil(CUTS_OF_TAPE);
    let workers = thread::available_parallelism().unwrap().get();
    thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || (worker..tapes).step_by(workers).for_each(cut_tape));
        }
    });
}

fn cut_tape(number: usize) {
    let mut seed = [0xC7; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    let mut entropy = Entropy::from_seed(seed);
    // A store that is half made has no name yet.
    let made = Disk::default();
    drop(open(&made).unwrap());
    let disk = Disk::of(made.content());
    record(&disk, &mut entropy);
    for cut in 0..CUTS_OF_TAPE {
        survive(&disk, &mut entropy, &format!("tape {number}, cut {cut}"));
    }
}

/// Commits by ones and in groups. Commit `n` counts in record 0, adds records `2n` and `2n + 1`, and removes those
/// of commit `n - KEPT`.
fn record(disk: &Disk, entropy: &mut Entropy) {
    let store = open(disk).unwrap();
    let mut next = 1;
    while next <= COMMITS {
        let group = next..next + 1 + entropy.below(4);
        next = group.end;
        let commits: Vec<_> = group
            .map(|number| {
                let name = "x".repeat(usize::try_from(entropy.below(1500)).unwrap());
                let put = |record| Change::Put(project(record, &name), Expect::Anything);
                let added = u128::from(2 * number);
                let gone = u128::from(2 * number.saturating_sub(KEPT));
                let mut changes = vec![put(0), put(added), put(added + 1)];
                if gone > 0 {
                    changes.extend([gone, gone + 1].map(|it| Change::Remove(project(it, "").id())));
                }
                (number, store.commit(changes))
            })
            .collect();
        for (number, commit) in commits {
            wait(commit).unwrap();
            disk.acknowledge(number);
        }
    }
}

fn survive(disk: &Disk, entropy: &mut Entropy, place: &str) {
    let (mut disk, acknowledged) = disk.after_power_cut(entropy);
    // The power may fail again while the store recovers.
    for _ in 0..entropy.below(3) {
        open(&disk).unwrap();
        (disk, _) = disk.after_power_cut(entropy);
    }
    let store = open(&disk).unwrap_or_else(|error| panic!("{place}: {error}"));
    let written = check(&store, place);
    assert!(written >= acknowledged, "{place}: {acknowledged} acknowledged, {written} written");
    if entropy.below(4) == 0 {
        wait(store.commit(vec![Change::Put(project(9999, "after"), Expect::Absent)])).unwrap();
    }
    drop(store);
    let mut database = Builder::new().create_with_backend(disk).unwrap();
    assert!(database.check_integrity().unwrap(), "{place}: not in order");
}

/// How many commits are there: each whole, and none without those before it.
fn check(store: &RedbStore, place: &str) -> u64 {
    let all = wait(store.list(RecordKind::Project, orch_core::ProjectId(uuid::Uuid::nil()))).unwrap();
    let written = all.first().map_or(0, |counter| counter.version);
    let oldest = written.saturating_sub(KEPT - 1).max(1);
    let expected = (written > 0).then_some(0).into_iter().chain(2 * oldest..2 * (written + 1));
    let found: Vec<u128> = all.iter().map(numbered).collect();
    assert!(expected.map(u128::from).eq(found.iter().copied()), "{place}: commit {written} and {found:?}");
    written
}

fn open(disk: &Disk) -> Result<RedbStore, orch_core::ports::store::StoreError> {
    let disk = disk.clone();
    RedbStore::with_backend(move || Ok(disk.clone()))
}
