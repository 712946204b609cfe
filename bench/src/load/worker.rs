//! A worker: one request in flight of a session, one after the other, until time is up.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::call::Verdict;
use super::connection::Connection;
use super::session::Session;
use super::tally::Tally;

/// Who is not answered within this time is not answered at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What all workers know.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    phase: Cell<Phase>,
    tally: RefCell<Tally>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    WarmUp,
    Counted,
    Over,
}

impl Shared {
    /// From now on calls are counted.
    pub(crate) fn count(&self) {
        self.phase.set(Phase::Counted);
    }

    /// No further calls are made; those under way are still judged.
    pub(crate) fn stop(&self) {
        self.phase.set(Phase::Over);
    }

    pub(crate) fn take(&self) -> Tally {
        self.tally.take()
    }
}

/// Calls until time is up, or the connection is lost.
pub(crate) async fn work(session: Rc<Session>, shared: Rc<Shared>) {
    let mut connection = match Connection::open(session.plan.address).await {
        Ok(connection) => connection,
        Err(why) => return shared.tally.borrow_mut().judged(Verdict::Missing(why)),
    };
    while shared.phase.get() != Phase::Over {
        let (call, start) = (session.next_call(), Instant::now());
        let verdict = timeout(PATIENCE, session.call(&mut connection, &call)).await;
        let verdict = verdict.unwrap_or_else(|_| Verdict::Missing(format!("nothing within {PATIENCE:?}")));
        let right = verdict == Verdict::Right;
        let mut tally = shared.tally.borrow_mut();
        tally.judged(verdict);
        if !right {
            return;
        }
        if shared.phase.get() == Phase::Counted {
            tally.took(start.elapsed());
        }
    }
}
