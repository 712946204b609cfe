//! The contract of the store port.
//!
//! Each rule is a function of any store, and a test on every one.

use std::future::Future;
use std::sync::Arc;

use orch_core::ports::store::{Change, Expect, Scan, ScanOrder, Store, StoreErrorKind, Versioned};
use orch_core::record::{Record, RecordId, RecordKind};
use orch_store_memory::MemoryStore;
use orch_store_redb::RedbStore;
use tokio::task::JoinSet;

use crate::samples::{
    definitions, key, log, log_id, owed, project, project_id, remote, server, server_id, session, wishes,
};

macro_rules! rules {
    ($($rule:ident)*) => {
        mod memory {
            $(#[test] fn $rule() { super::on_memory(super::$rule); })*
        }
        mod redb {
            $(#[test] fn $rule() { super::on_redb(super::$rule); })*
        }
    };
}

rules! {
    a_record_of_each_kind_reads_as_it_was_put
    what_was_never_put_is_not_there
    a_list_is_ordered_by_id_and_holds_one_kind_of_one_project
    versions_count_the_writes_and_start_again_after_a_removal
    an_expectation_that_does_not_hold_is_a_conflict_and_changes_nothing
    a_change_sees_those_before_it_in_the_same_commit
    a_commit_happens_whole_or_not_at_all
    a_removal_of_what_is_not_there_is_no_error
    concurrent_commits_are_all_there
    of_concurrent_writers_who_expect_the_same_version_one_wins
    a_conflict_spoils_no_other_commit
    commits_take_effect_in_the_order_of_their_calls
    a_commit_that_nobody_waits_for_happens
    a_scan_finds_what_lies_in_its_range_from_either_end
    a_scan_of_no_range_finds_nothing
}

fn on_memory<F: Future<Output = ()>>(rule: impl FnOnce(Arc<dyn Store>) -> F) {
    run(rule(Arc::new(MemoryStore::new())));
}

/// On redb, what a rule leaves must also be there when the file is opened again.
fn on_redb<F: Future<Output = ()>>(rule: impl FnOnce(Arc<dyn Store>) -> F) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let store = Arc::new(RedbStore::open(&path).unwrap());
    run(rule(Arc::<RedbStore>::clone(&store)));
    let before = run(everything(&*store));
    drop(Arc::into_inner(store).expect("the rule has let go of the store"));
    assert_eq!(run(everything(&RedbStore::open(&path).unwrap())), before, "after opening again");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}

async fn everything(store: &dyn Store) -> Vec<Versioned> {
    let mut found = Vec::new();
    for kind in RecordKind::ALL {
        for number in 1..=3 {
            found.extend(list(store, kind, number).await);
        }
    }
    found
}

async fn list(store: &dyn Store, kind: RecordKind, project: u128) -> Vec<Versioned> {
    store.list(kind, project_id(project)).await.unwrap()
}

async fn put(store: &dyn Store, record: Record, expect: Expect) -> Result<(), StoreErrorKind> {
    store.commit(vec![Change::Put(record, expect)]).await.map_err(|error| error.kind())
}

async fn version(store: &dyn Store, record: &Record) -> Option<u64> {
    store.read(record.id()).await.unwrap().map(|it| it.version)
}

async fn a_record_of_each_kind_reads_as_it_was_put(store: Arc<dyn Store>) {
    let records = [
        project(1, "one"),
        server(1, 1, "it"),
        remote(1, 2),
        key(1, "k"),
        definitions(1, 1),
        session(1, 7),
        wishes(1, 7),
        owed(1, 7),
        log(1, 3),
    ];
    let puts = records.iter().map(|it| Change::Put(it.clone(), Expect::Absent)).collect();
    store.commit(puts).await.unwrap();
    for record in records {
        assert_eq!(store.read(record.id()).await.unwrap(), Some(Versioned { version: 1, record }));
    }
}

async fn what_was_never_put_is_not_there(store: Arc<dyn Store>) {
    put(&*store, server(1, 1, "it"), Expect::Absent).await.unwrap();
    // The same two ids, of another kind; and the same kind and server, of another project.
    assert_eq!(version(&*store, &definitions(1, 1)).await, None);
    assert_eq!(version(&*store, &server(2, 1, "it")).await, None);
    assert_eq!(list(&*store, RecordKind::Definitions, 1).await, []);
}

async fn a_list_is_ordered_by_id_and_holds_one_kind_of_one_project(store: Arc<dyn Store>) {
    for (home, number) in [(1, 3), (2, 1), (1, 1), (2, 0), (1, 2)] {
        put(&*store, server(home, number, "it"), Expect::Absent).await.unwrap();
        put(&*store, project(home, "home"), Expect::Anything).await.unwrap();
    }
    let servers: Vec<Record> =
        list(&*store, RecordKind::Server, 1).await.into_iter().map(|it| it.record).collect();
    assert_eq!(servers, [1, 2, 3].map(|number| server(1, number, "it")));
    assert_eq!(list(&*store, RecordKind::Server, 2).await.len(), 2);
    assert_eq!(list(&*store, RecordKind::Server, 3).await, []);
    let projects = list(&*store, RecordKind::Project, 3).await;
    let expected =
        [(1, 3), (2, 2)].map(|(number, version)| Versioned { version, record: project(number, "home") });
    assert_eq!(projects, expected, "projects are listed whatever project is named");
}

async fn versions_count_the_writes_and_start_again_after_a_removal(store: Arc<dyn Store>) {
    let record = key(1, "k");
    for expected in 1..=3 {
        put(&*store, record.clone(), Expect::Anything).await.unwrap();
        assert_eq!(version(&*store, &record).await, Some(expected));
    }
    store.commit(vec![Change::Remove(record.id())]).await.unwrap();
    assert_eq!(version(&*store, &record).await, None);
    put(&*store, record.clone(), Expect::Absent).await.unwrap();
    assert_eq!(version(&*store, &record).await, Some(1));
}

async fn an_expectation_that_does_not_hold_is_a_conflict_and_changes_nothing(store: Arc<dyn Store>) {
    let conflict = Err(StoreErrorKind::Conflict);
    assert_eq!(put(&*store, project(1, "x"), Expect::Version(1)).await, conflict);
    assert_eq!(put(&*store, project(1, "x"), Expect::Version(0)).await, conflict);
    assert_eq!(version(&*store, &project(1, "x")).await, None);

    put(&*store, project(1, "one"), Expect::Absent).await.unwrap();
    assert_eq!(put(&*store, project(1, "x"), Expect::Absent).await, conflict);
    assert_eq!(put(&*store, project(1, "x"), Expect::Version(2)).await, conflict);
    let kept = Versioned { version: 1, record: project(1, "one") };
    assert_eq!(store.read(kept.record.id()).await.unwrap(), Some(kept));

    put(&*store, project(1, "two"), Expect::Version(1)).await.unwrap();
    let kept = Versioned { version: 2, record: project(1, "two") };
    assert_eq!(store.read(kept.record.id()).await.unwrap(), Some(kept));
}

async fn a_change_sees_those_before_it_in_the_same_commit(store: Arc<dyn Store>) {
    let (first, second) = (project(1, "first"), project(1, "second"));
    let twice =
        vec![Change::Put(first.clone(), Expect::Absent), Change::Put(second.clone(), Expect::Version(1))];
    store.commit(twice).await.unwrap();
    assert_eq!(store.read(first.id()).await.unwrap(), Some(Versioned { version: 2, record: second }));

    let remade = vec![Change::Remove(first.id()), Change::Put(first.clone(), Expect::Absent)];
    store.commit(remade).await.unwrap();
    assert_eq!(store.read(first.id()).await.unwrap(), Some(Versioned { version: 1, record: first.clone() }));

    let impossible = vec![Change::Remove(first.id()), Change::Put(first.clone(), Expect::Version(1))];
    assert_eq!(store.commit(impossible).await.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(version(&*store, &first).await, Some(1));
}

async fn a_commit_happens_whole_or_not_at_all(store: Arc<dyn Store>) {
    put(&*store, project(1, "one"), Expect::Absent).await.unwrap();
    let changes = vec![
        Change::Put(server(1, 1, "it"), Expect::Absent),
        Change::Remove(project(1, "one").id()),
        Change::Put(key(1, "k"), Expect::Version(9)),
    ];
    assert_eq!(store.commit(changes).await.unwrap_err().kind(), StoreErrorKind::Conflict);
    assert_eq!(version(&*store, &server(1, 1, "it")).await, None);
    assert_eq!(version(&*store, &project(1, "one")).await, Some(1));
    store.commit(Vec::new()).await.unwrap();
}

async fn a_removal_of_what_is_not_there_is_no_error(store: Arc<dyn Store>) {
    let id = session(1, 7).id();
    store.commit(vec![Change::Remove(id.clone()), Change::Remove(id.clone())]).await.unwrap();
    put(&*store, session(1, 7), Expect::Anything).await.unwrap();
    for _ in 0..2 {
        store.commit(vec![Change::Remove(id.clone())]).await.unwrap();
        assert_eq!(store.read(id.clone()).await.unwrap(), None);
    }
}

async fn concurrent_commits_are_all_there(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for number in 0..10 {
                let id = task * 100 + number;
                put(&*store, server(1, id, "it"), Expect::Absent).await.unwrap();
                // What is acknowledged can be read.
                assert_eq!(version(&*store, &server(1, id, "it")).await, Some(1));
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(list(&*store, RecordKind::Server, 1).await.len(), 640);
}

async fn of_concurrent_writers_who_expect_the_same_version_one_wins(store: Arc<dyn Store>) {
    put(&*store, project(1, "start"), Expect::Absent).await.unwrap();
    for round in 1..=5 {
        let mut tasks = JoinSet::new();
        for task in 0..16 {
            let store = Arc::clone(&store);
            tasks.spawn(
                async move { put(&*store, project(1, &format!("{task}")), Expect::Version(round)).await },
            );
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 1);
        assert_eq!(outcomes.iter().filter(|it| **it == Err(StoreErrorKind::Conflict)).count(), 15);
        assert_eq!(version(&*store, &project(1, "")).await, Some(round + 1));
    }
}

async fn a_conflict_spoils_no_other_commit(store: Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    for task in 0..64 {
        let store = Arc::clone(&store);
        let expect = if task % 2 == 0 { Expect::Absent } else { Expect::Version(1) };
        tasks.spawn(async move { put(&*store, server(1, task, "it"), expect).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 32);
    assert_eq!(list(&*store, RecordKind::Server, 1).await.len(), 32);
}

async fn commits_take_effect_in_the_order_of_their_calls(store: Arc<dyn Store>) {
    let call = |name: String| store.commit(vec![Change::Put(project(1, &name), Expect::Anything)]);
    let mut commits: Vec<_> = (0..1000).map(|number| call(format!("{number}"))).collect();
    let then = store.commit(vec![Change::Put(server(1, 1, "it"), Expect::Absent)]);
    let gone = store.commit(vec![Change::Remove(server(1, 1, "it").id())]);
    // Whoever is waited for first.
    gone.await.unwrap();
    while let Some(commit) = commits.pop() {
        commit.await.unwrap();
    }
    then.await.unwrap();
    let last = Versioned { version: 1000, record: project(1, "999") };
    assert_eq!(store.read(last.record.id()).await.unwrap(), Some(last));
    assert_eq!(list(&*store, RecordKind::Server, 1).await, []);
}

async fn a_commit_that_nobody_waits_for_happens(store: Arc<dyn Store>) {
    drop(store.commit(vec![Change::Put(project(1, "first"), Expect::Absent)]));
    put(&*store, project(1, "second"), Expect::Version(1)).await.unwrap();
    assert_eq!(version(&*store, &project(1, "")).await, Some(2));
}

/// The numbers of the entries of project 1 that are found.
async fn scan(store: &dyn Store, ids: (u128, u128), order: ScanOrder, limit: usize) -> Vec<u128> {
    let scan = Scan { from: log_id(1, ids.0), before: log_id(1, ids.1), order, limit };
    let found = store.scan(scan).await.unwrap();
    let number = |it: &Versioned| {
        let RecordId::Log(_, id) = it.record.id() else { panic!("{it:?} is no entry") };
        id.0.as_u128()
    };
    found.iter().map(number).collect()
}

async fn a_scan_finds_what_lies_in_its_range_from_either_end(store: Arc<dyn Store>) {
    use ScanOrder::{Ascending, Descending};
    for number in [5, 1, 4, 2, 3, 256] {
        put(&*store, log(1, number), Expect::Absent).await.unwrap();
    }
    for other in [log(2, 3), session(1, 3), server(1, 3, "it")] {
        put(&*store, other, Expect::Absent).await.unwrap();
    }
    let all = (0, u128::MAX);
    assert_eq!(scan(&*store, all, Ascending, 100).await, [1, 2, 3, 4, 5, 256]);
    assert_eq!(scan(&*store, all, Descending, 100).await, [256, 5, 4, 3, 2, 1]);
    assert_eq!(scan(&*store, (2, 5), Ascending, 100).await, [2, 3, 4]);
    assert_eq!(scan(&*store, (2, 5), Descending, 2).await, [4, 3]);
    assert_eq!(scan(&*store, (2, 5), Ascending, 2).await, [2, 3]);
    store.commit(vec![Change::Remove(log_id(1, 3))]).await.unwrap();
    assert_eq!(scan(&*store, (2, 5), Ascending, 100).await, [2, 4]);
}

async fn a_scan_of_no_range_finds_nothing(store: Arc<dyn Store>) {
    put(&*store, log(1, 3), Expect::Absent).await.unwrap();
    assert_eq!(scan(&*store, (3, 3), ScanOrder::Ascending, 9).await, [0_u128; 0]);
    assert_eq!(scan(&*store, (9, 1), ScanOrder::Descending, 9).await, [0_u128; 0]);
    assert_eq!(scan(&*store, (0, 9), ScanOrder::Ascending, 0).await, [0_u128; 0]);
    let server = RecordId::Server(project_id(1), server_id(u128::MAX));
    for (from, before) in [(log_id(1, 0), log_id(2, 0)), (log_id(1, 0), server)] {
        let scan = Scan { from, before, order: ScanOrder::Ascending, limit: 9 };
        assert_eq!(store.scan(scan).await.unwrap(), []);
    }
}
