//! The file: who may read it, who may open it, and what it refuses.

use std::os::unix::fs::PermissionsExt as _;

use orch_core::ports::store::{Store, StoreErrorKind};
use orch_core::record::RecordKind;
use orch_core::{ProjectId, record};
use orch_store_redb::RedbStore;
use redb::{Database, TableDefinition};

use crate::sample::{pairs, project, put_pair, wait};

#[test]
fn a_new_file_is_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    drop(RedbStore::open(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_store_whose_making_was_cut_off_is_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    // As redb leaves it before its first sync.
    std::fs::write(directory.path().join("store.redb.new"), vec![0; 1 << 20]).unwrap();
    let store = RedbStore::open(&path).unwrap();
    put_pair(&store, 0, "first").unwrap();
    drop(store);
    assert_eq!(pairs(&RedbStore::open(&path).unwrap()), [0]);
    let names: Vec<_> =
        directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store.redb"]);
}

#[test]
fn a_store_that_two_make_at_once_is_one_store() {
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.redb");
        let open = || RedbStore::open(&path).inspect(|store| put_pair(store, 0, "mine").unwrap());
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(open);
            (open(), other.join().unwrap())
        });
        let refused: Vec<_> = [&one, &other].into_iter().filter_map(|it| it.as_ref().err()).collect();
        assert_eq!(refused.len(), 1, "{one:?} {other:?}");
        assert!(refused[0].to_string().contains("another mcp-orch"), "{refused:?}");
        drop((one, other));
        assert_eq!(pairs(&RedbStore::open(&path).unwrap()), [0]);
    }
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    let error = RedbStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("another mcp-orch uses this data directory"), "{error}");
    drop(store);
    RedbStore::open(&path).unwrap();
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let error = RedbStore::open("/no/such/place/store.redb").unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("/no/such/place/store.redb"), "{error}");
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let content = "not a store ".repeat(1000);
    std::fs::write(&path, &content).unwrap();
    assert_eq!(RedbStore::open(&path).unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[test]
fn a_file_of_a_newer_release_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    drop(RedbStore::open(&path).unwrap());
    tamper(&path, |transaction| {
        let meta: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
        transaction.open_table(meta).unwrap().insert("schema", 3).unwrap();
    });
    let error = RedbStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(
        error.to_string().contains("a newer mcp-orch wrote it (schema 3, this release knows 2)"),
        "{error}"
    );
}

#[test]
fn a_file_from_before_there_was_a_kind_of_record_gets_its_table() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    drop(RedbStore::open(&path).unwrap());
    tamper(&path, |transaction| {
        let logs: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("logs");
        assert!(transaction.delete_table(logs).unwrap());
    });
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(wait(store.list(RecordKind::Log, ProjectId(uuid::Uuid::nil()))).unwrap(), []);
}

#[test]
fn a_damaged_record_is_reported_and_the_others_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let (whole, damaged, short) = (project(0, "name"), project(1, "name"), project(2, "name"));
    drop(RedbStore::open(&path).unwrap());
    tamper(&path, |transaction| {
        let table: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("projects");
        let mut table = transaction.open_table(table).unwrap();
        let version = 1_u64.to_le_bytes().to_vec();
        let mut put = |record: &record::Record, value: &[u8]| {
            table.insert(record.id().sort_key().as_slice(), value).unwrap();
        };
        put(&whole, &[version.clone(), record::encode(&whole)].concat());
        put(&damaged, &[version, vec![1, 200]].concat());
        put(&short, &[1, 2, 3]);
    });
    let store = RedbStore::open(&path).unwrap();
    assert_eq!(wait(store.read(whole.id())).unwrap().map(|it| it.version), Some(1));
    for record in [damaged, short] {
        assert_eq!(wait(store.read(record.id())).unwrap_err().kind(), StoreErrorKind::Corrupt);
    }
    let all = wait(store.list(RecordKind::Project, ProjectId(uuid::Uuid::nil())));
    assert_eq!(all.unwrap_err().kind(), StoreErrorKind::Corrupt);
}

#[test]
fn a_store_that_is_dropped_finishes_what_was_begun() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    for round in 0..20 {
        let store = RedbStore::open(&path).unwrap();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let changes = [2 * round, 2 * round + 1].map(|number| {
            orch_core::ports::store::Change::Put(
                project(number, "name"),
                orch_core::ports::store::Expect::Absent,
            )
        });
        // The caller gives up as soon as the writer has the commit.
        let mut commit = store.commit(changes.into());
        assert!(commit.as_mut().poll(&mut context).is_pending());
        drop(commit);
        drop(store);
    }
    let store = RedbStore::open(&path).unwrap();
    put_pair(&store, 20, "last").unwrap();
    assert_eq!(pairs(&store), (0..=20).collect::<Vec<_>>());
}

fn tamper(path: &std::path::Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}
