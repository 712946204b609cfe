//! The bytes of stored records: what any release wrote, every later one reads.
//!
//! `fixtures/vN` holds one record of each kind, and a store with all of them, as the release with format N wrote it. A fixture is never changed: a
//! new shape gets a new version byte, a new directory, and the old records must still read.

use std::path::PathBuf;

use orch_core::ports::store::{Change, Expect, Store as _, Versioned};
use orch_core::record::{Record, decode, encode};
use orch_store_redb::RedbStore;

use crate::samples::{
    calls, definitions, key, lease, log, owed, project, remote, run, run_call, run_element, run_step, server,
    session, task, wishes,
};

/// The format that is written today.
const CURRENT: u8 = 3;

fn samples() -> [(&'static str, Record); 16] {
    [
        ("project", project(1, "Default")),
        ("server-stdio", server(1, 2, "everything")),
        ("server-remote", remote(1, 3)),
        ("key", key(1, "0123456789ab")),
        ("definitions", definitions(1, 2)),
        ("session", session(1, 0xC3)),
        ("wishes", wishes(1, 0xC3)),
        ("owed", owed(1, 0xC3)),
        ("log", log(1, 7)),
        ("lease", lease(1, 2)),
        ("calls", calls(1, 2)),
        ("run", run(1, 5)),
        ("run-call", run_call(1, 5)),
        ("run-element", run_element(1, 5)),
        ("run-step", run_step(1, 5)),
        ("task", task(1, 2)),
    ]
}

fn fixture(version: u8, name: &str) -> PathBuf {
    directory(version).join(format!("{name}.bin"))
}

/// A whole store with the samples in it, as the release with this format wrote it.
fn store(version: u8) -> PathBuf {
    directory(version).join("store.redb")
}

fn directory(version: u8) -> PathBuf {
    let contract: PathBuf = [env!("CARGO_MANIFEST_DIR"), "contract", "fixtures"].iter().collect();
    contract.join(format!("v{version}"))
}

#[test]
fn a_record_is_written_as_its_fixture() {
    for (name, record) in samples() {
        let expected = std::fs::read(fixture(CURRENT, name)).unwrap();
        assert_eq!(encode(&record), expected, "the format of {name} changed: give it a new version byte");
    }
}

#[test]
fn every_fixture_of_every_version_reads_as_the_record_of_today() {
    for version in 1..=CURRENT {
        for (name, record) in samples() {
            let bytes = std::fs::read(fixture(version, name)).unwrap();
            assert_eq!(bytes.first(), Some(&version), "{name}");
            assert_eq!(decode(&bytes), Ok(record), "{name} of format {version}");
        }
    }
}

#[tokio::test]
async fn a_store_of_every_version_opens_is_read_and_is_written() {
    for version in 1..=CURRENT {
        let copy = tempfile::NamedTempFile::new().unwrap();
        std::fs::copy(store(version), copy.path()).unwrap();
        for round in 1..=2 {
            let store = RedbStore::open(copy.path()).unwrap();
            for (name, record) in samples() {
                let expected = Some(Versioned { version: round, record: record.clone() });
                assert_eq!(store.read(record.id()).await.unwrap(), expected, "{name} of format {version}");
                store.commit(vec![Change::Put(record, Expect::Version(round))]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
#[ignore = "writes the store of a new format; never run it on a released one"]
async fn write_the_store_of_the_current_format() {
    drop(std::fs::remove_file(store(CURRENT)));
    let store = RedbStore::open(store(CURRENT)).unwrap();
    let puts = samples().map(|(_, record)| Change::Put(record, Expect::Absent));
    store.commit(puts.into()).await.unwrap();
}

#[test]
#[ignore = "writes the fixtures of a new format; never run it on a released one"]
fn write_the_fixtures_of_the_current_format() {
    for (name, record) in samples() {
        let path = fixture(CURRENT, name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, encode(&record)).unwrap();
    }
}
