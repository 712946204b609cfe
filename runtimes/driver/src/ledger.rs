//! The changes of one cell on their way to the store.
//!
//! They reach it, and what follows from each of them happens, in the order of their effects. None waits for the one
//! before it to be durable: those that come during a write to disk share the next one.

use orch_core::ports::BoxFuture;
use orch_core::ports::store::{Change, Store, StoreError};
use orch_core::record::Definitions;
use orch_core::shard::Token;
use orch_core::{Exceeded, Limit, Limits, ProjectId};
use tokio::sync::mpsc;

/// Where changes are entered.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: mpsc::Sender<Entry>,
    project: ProjectId,
}

/// Changes that the store has, and what is to be done when it has made them durable.
pub(crate) struct Entry {
    commit: BoxFuture<'static, Result<(), StoreError>>,
    then: Then,
}

/// What follows from a commit, however it ends.
#[derive(Debug)]
pub(crate) enum Then {
    /// What was learnt from a server is served.
    Serve(Box<Definitions>),
    /// The shard is told, if it wants to know.
    Tell(Option<Token>),
}

impl Ledger {
    /// An empty ledger, and what is to be followed.
    pub(crate) fn open(limits: &Limits, project: ProjectId) -> (Self, mpsc::Receiver<Entry>) {
        let (entries, followed) = mpsc::channel(limits.store_queue);
        (Self { entries, project }, followed)
    }

    /// Gives changes to the store, now. They come back with the limit when too many wait already.
    pub(crate) fn enter(
        &self,
        store: &dyn Store,
        changes: Vec<Change>,
        then: Then,
    ) -> Result<(), (Then, Exceeded)> {
        let Ok(place) = self.entries.try_reserve() else {
            let hint = "the store does not keep up with the changes: try again";
            let full = Exceeded { limit: Limit::StoreQueue, value: self.entries.max_capacity() as u64, hint };
            tracing::error!(project = %self.project, error = %full, "a change could not be stored");
            return Err((then, full));
        };
        place.send(Entry { commit: store.commit(changes), then });
        Ok(())
    }
}

/// Waits for one commit after the other, for as long as there is a ledger.
pub(crate) async fn follow(
    mut entries: mpsc::Receiver<Entry>,
    mut settle: impl FnMut(Then, Result<(), StoreError>),
) {
    while let Some(Entry { commit, then }) = entries.recv().await {
        settle(then, commit.await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use orch_core::ports::store::{Scan, StoreErrorKind, Versioned};
    use orch_core::record::{RecordId, RecordKind};

    use super::*;

    /// A store that is the slower the earlier it was asked, and remembers what it was asked for.
    #[derive(Debug, Default)]
    struct Sluggish(Mutex<Vec<Vec<Change>>>);

    impl Store for Sluggish {
        fn commit(&self, changes: Vec<Change>) -> BoxFuture<'static, Result<(), StoreError>> {
            let mut asked = self.0.lock().unwrap();
            asked.push(changes);
            let pause = Duration::from_millis(20_usize.saturating_sub(asked.len()) as u64);
            Box::pin(async move {
                tokio::time::sleep(pause).await;
                Err(StoreError::new(StoreErrorKind::Full, "full"))
            })
        }

        fn read(&self, _: RecordId) -> BoxFuture<'_, Result<Option<Versioned>, StoreError>> {
            Box::pin(std::future::ready(Ok(None)))
        }

        fn list(&self, _: RecordKind, _: ProjectId) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }

        fn scan(&self, _: Scan) -> BoxFuture<'_, Result<Vec<Versioned>, StoreError>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
    }

    fn ledger(store_queue: usize) -> (Ledger, mpsc::Receiver<Entry>) {
        Ledger::open(&Limits { store_queue, ..Limits::default() }, project(0))
    }

    fn project(number: u128) -> ProjectId {
        ProjectId(uuid::Uuid::from_u128(number))
    }

    fn removal(number: u128) -> Vec<Change> {
        vec![Change::Remove(RecordId::Project(project(number)))]
    }

    #[tokio::test]
    async fn changes_reach_the_store_at_once_and_are_settled_in_their_order() {
        let (store, (ledger, entries)) = (Sluggish::default(), ledger(20));
        for number in 0..20 {
            let then = Then::Tell(Some(Token(number)));
            ledger.enter(&store, removal(number.into()), then).unwrap();
        }
        let expected: Vec<_> = (0..20).map(removal).collect();
        assert_eq!(*store.0.lock().unwrap(), expected, "before anybody waits for any of them");
        drop(ledger);
        let mut settled = Vec::new();
        follow(entries, |then, outcome| settled.push((then, outcome.unwrap_err().kind()))).await;
        let tokens = settled.iter().map(|(then, kind)| match then {
            Then::Tell(Some(Token(number))) if *kind == StoreErrorKind::Full => *number,
            Then::Tell(_) | Then::Serve(_) => panic!("{then:?}"),
        });
        assert!(tokens.eq(0..20), "{settled:?}");
    }

    #[tokio::test]
    async fn a_ledger_that_is_full_says_which_limit_it_has() {
        let (store, (ledger, _entries)) = (Sluggish::default(), ledger(2));
        for number in 0..2 {
            ledger.enter(&store, removal(number), Then::Tell(None)).unwrap();
        }
        let (_, full) = ledger.enter(&store, removal(2), Then::Tell(None)).unwrap_err();
        assert!(full.to_string().starts_with("limit store_queue reached (2)"), "{full}");
        assert_eq!(store.0.lock().unwrap().len(), 2);
    }
}
