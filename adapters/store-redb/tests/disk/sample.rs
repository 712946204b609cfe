//! Records to write, and futures made to wait for.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use orch_core::ports::store::{Change, Expect, Store, StoreError, Versioned};
use orch_core::record::{Mode, Project, Record, RecordKind};
use orch_core::{ProjectId, Timestamp};
use uuid::Uuid;

/// Waits for a future as a runtime would.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::sleep(Duration::from_micros(20)),
        }
    }
}

pub(crate) fn project(number: u128, name: &str) -> Record {
    Record::Project(Project {
        id: ProjectId(Uuid::from_u128(number)),
        slug: format!("project-{number}"),
        name: name.into(),
        separator: "__".into(),
        mode: Mode::Proxy,
        created_at: Timestamp(1),
    })
}

/// Writes two records in one commit: number `2 * pair` and the one after it.
pub(crate) fn put_pair(store: &impl Store, pair: u128, name: &str) -> Result<(), StoreError> {
    let puts = [2 * pair, 2 * pair + 1].map(|number| Change::Put(project(number, name), Expect::Anything));
    wait(store.commit(puts.into()))
}

/// The pairs that are there, checked to be whole.
pub(crate) fn pairs(store: &impl Store) -> Vec<u128> {
    let all = wait(store.list(RecordKind::Project, ProjectId(Uuid::nil()))).unwrap();
    let numbers: Vec<u128> = all.iter().map(numbered).collect();
    let (pairs, rest) = numbers.as_chunks::<2>();
    assert!(rest.is_empty() && pairs.iter().all(|[a, b]| a % 2 == 0 && a + 1 == *b), "torn: {numbers:?}");
    pairs.iter().map(|[first, _]| first / 2).collect()
}

/// The number of a project.
pub(crate) fn numbered(stored: &Versioned) -> u128 {
    match &stored.record {
        Record::Project(project) => project.id.0.as_u128(),
        Record::Definitions(_)
        | Record::Key(_)
        | Record::Lease(_)
        | Record::Calls(_)
        | Record::Log(_)
        | Record::Owed(_)
        | Record::Run(_)
        | Record::RunCall(_)
        | Record::RunElement(..)
        | Record::RunStep(_)
        | Record::Server(_)
        | Record::Task(_)
        | Record::Session(_)
        | Record::Wishes(_) => u128::MAX,
    }
}
