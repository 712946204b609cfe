//! A shard with everything around it: what the driver, the clients and the servers of a run know.

use std::sync::Arc;
use std::time::Duration;

use orch_core::ports::upstream::CloseReason;
use orch_core::record::{Definitions, Server};
use orch_core::shard::{Cx, Effect, Input, Shard};
use orch_core::snapshot::{Snapshot, diff};
use orch_core::{Entropy, ExchangeId, LinkId, Timestamp, Unstored};

use super::judge::{Exchange, Judge};
use super::stage::{STAGE, START};

pub(super) struct World {
    shard: Shard,
    entropy: Entropy,
    pub(super) now: Timestamp,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) servers: Vec<Server>,
    pub(super) definitions: Vec<Arc<Definitions>>,
    pub(super) judge: Judge,
    /// Everything that was wanted, in order.
    pub(super) effects: Vec<Effect>,
    pub(super) stopped: bool,
    exchanges: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            shard: Shard::default(),
            entropy: Entropy::from_seed([3; 32]),
            now: START,
            snapshot: Arc::clone(&STAGE.snapshot),
            servers: STAGE.servers.clone(),
            definitions: STAGE.definitions.clone(),
            judge: Judge::default(),
            effects: Vec::new(),
            stopped: false,
            exchanges: 0,
        }
    }

    /// Gives the shard an input and judges what follows.
    pub(super) fn feed(&mut self, input: Input) {
        let first = self.effects.len();
        let (snapshot, out) = (&self.snapshot, &mut self.effects);
        let mut cx = Cx { now: self.now, snapshot, entropy: &mut self.entropy, out };
        self.shard.handle(&mut cx, input);
        self.effects.iter().skip(first).for_each(|effect| self.judge.see(effect));
    }

    /// The number of the exchange that is opened next.
    pub(super) fn next_exchange(&self) -> u64 {
        self.exchanges + 1
    }

    pub(super) fn open(&mut self, exchange: Exchange) -> ExchangeId {
        self.exchanges += 1;
        let id = ExchangeId(self.exchanges);
        self.judge.exchanges.insert(id, exchange);
        id
    }

    /// Lets time pass, and wakes the shard if that is what it wanted.
    pub(super) fn wait(&mut self, span: Duration) {
        self.now = self.now.after(span);
        if self.shard.deadline().is_some_and(|deadline| deadline.at <= self.now) {
            self.feed(Input::TimerFired);
        }
    }

    /// Until the shard wants to be woken; not at all when it never does.
    pub(super) fn until_deadline(&self) -> Duration {
        self.shard.deadline().map_or(Duration::ZERO, |deadline| deadline.at.since(self.now))
    }

    /// A link ends by itself, or because it was told to.
    pub(super) fn close_link(&mut self, id: LinkId, reason: CloseReason) {
        if let Some(link) = self.judge.links.get_mut(&id).filter(|link| !link.closed) {
            link.closed = true;
            self.feed(Input::LinkClosed { link: id, reason });
        }
    }

    /// What was learnt becomes part of the project.
    pub(super) fn publish(&mut self) {
        if let Some(learnt) = self.judge.published.pop() {
            self.definitions.retain(|known| known.server != learnt.server);
            self.definitions.push(Arc::new(learnt));
            self.replace();
        }
    }

    /// The project is built anew from its records.
    pub(super) fn replace(&mut self) {
        let new = STAGE.snapshot_of(self.servers.clone(), self.definitions.clone());
        let changes = diff(&self.snapshot, &new);
        self.snapshot = new;
        let links = self.judge.links.values_mut();
        links.filter(|link| changes.ended.contains(&link.server.id)).for_each(|link| link.ending = true);
        self.feed(Input::SnapshotReplaced(changes));
    }

    pub(super) fn store(&mut self, ok: bool) {
        if let Some(token) = self.judge.tokens.pop() {
            let outcome = if ok { Ok(()) } else { Err(Unstored::Failed.into()) };
            self.feed(Input::Stored { token, outcome });
        }
    }
}
