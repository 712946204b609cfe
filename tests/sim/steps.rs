//! What can happen, how often, and how each happening is made.

use std::time::Duration;

use orch_core::shard::{Input, Shard};
use orch_core::{ExchangeId, KeyId};

use crate::clients::Deed;
use crate::dice::Dice;
use crate::hub::Hub;
use crate::project::KEYS;
use crate::talk::Act;

/// A happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Client(Deed),
    Configure,
    Connect,
    Jump,
    Leave,
    Oversleep,
    Publish,
    Restart,
    Revoke,
    Server(Act),
    Store,
    StoreFails,
    Wait,
}

/// How often each thing happens when nothing goes wrong, and how often it happens when it is among the faults of a
/// seed.
const USUAL: [(Op, usize); 13] = [
    (Op::Client(Deed::Ask), 120),
    (Op::Client(Deed::Listen), 8),
    (Op::Client(Deed::Reply), 15),
    (Op::Client(Deed::Stream), 12),
    (Op::Connect, 20),
    (Op::Publish, 20),
    (Op::Server(Act::Answer), 130),
    (Op::Server(Act::Close), 20),
    (Op::Server(Act::Open), 30),
    (Op::Server(Act::Progress), 30),
    (Op::Server(Act::Update), 8),
    (Op::Store, 40),
    (Op::Wait, 60),
];
const FAULTS: [(Op, usize); 23] = [
    (Op::Client(Deed::Cancel), 15),
    (Op::Client(Deed::Delete), 5),
    (Op::Client(Deed::Lose), 40),
    (Op::Client(Deed::Return), 40),
    (Op::Client(Deed::Vanish), 3),
    (Op::Configure, 2),
    (Op::Jump, 2),
    (Op::Leave, 15),
    (Op::Oversleep, 6),
    (Op::Restart, 1),
    (Op::Revoke, 2),
    (Op::Server(Act::AnswerTwice), 10),
    (Op::Server(Act::Change), 8),
    (Op::Server(Act::Crash), 3),
    (Op::Server(Act::Demand), 20),
    (Op::Server(Act::Expire), 6),
    (Op::Server(Act::Garbage), 6),
    (Op::Server(Act::Hush), 4),
    (Op::Server(Act::Invent), 10),
    (Op::Server(Act::Log), 10),
    (Op::Server(Act::Query), 30),
    (Op::Server(Act::Refuse), 6),
    (Op::StoreFails, 6),
];

/// Every seed has faults of its own.
pub(crate) fn weights(dice: &mut Dice) -> Vec<(Op, usize)> {
    let chosen = FAULTS.into_iter().filter(|_| dice.chance(60)).collect::<Vec<_>>();
    USUAL.into_iter().chain(chosen).collect()
}

impl Hub {
    /// One happening.
    pub(crate) fn step(&mut self) {
        let op = self.dice.weighted(&self.weights.clone());
        self.steps += 1;
        self.trace.push_back(op);
        if self.trace.len() > 64 {
            self.trace.pop_front();
        }
        match op {
            Op::Client(deed) => self.on_client(deed),
            Op::Connect => self.connect(),
            Op::Leave => {
                let open: Vec<ExchangeId> = self.books.exchanges.keys().copied().collect();
                if let Some(exchange) = self.dice.pick(&open) {
                    self.leave(*exchange);
                }
            }
            Op::Revoke => {
                let key: KeyId = self.secrets[self.dice.below(KEYS)].id();
                self.feed(Input::KeyRevoked(key));
            }
            Op::Configure => self.configure(),
            Op::Publish => self.published(),
            Op::Restart => self.restart(),
            Op::Store => self.stored(true),
            Op::StoreFails => self.stored(false),
            Op::Jump => self.pass(Duration::from_secs(90), false),
            Op::Oversleep => self.pass(Duration::from_secs(8), true),
            Op::Wait => {
                let span = self.dice.weighted(&[(20, 6), (300, 3), (2_000, 1)]);
                self.pass(Duration::from_millis(span), false);
            }
            Op::Server(act) => self.on_link(act),
        }
    }

    /// Lets time pass. Who oversleeps wakes once, after several deadlines.
    pub(crate) fn pass(&mut self, span: Duration, oversleeps: bool) {
        let end = self.now.after(span);
        if oversleeps {
            self.now = end;
        }
        let mut idle = 0;
        while let Some(deadline) = self.shard.deadline().filter(|deadline| deadline.at <= end) {
            idle = if deadline.at <= self.now { idle + 1 } else { 0 };
            assert!(idle < 20, "the deadline of {} fires for ever", deadline.reason);
            self.now = self.now.max(deadline.at);
            self.feed(Input::TimerFired);
        }
        self.now = end;
    }

    /// Another life of the hub: what is durable is there, all else is gone.
    fn restart(&mut self) {
        // A start takes its time.
        self.now = self.now.after(Duration::from_millis(50));
        self.shard = Shard::restore(self.durable.values().cloned(), self.now);
        self.links.all.clear();
        self.store.clear();
        self.publishing.clear();
        let open: Vec<ExchangeId> = self.books.exchanges.keys().copied().collect();
        for exchange in open {
            let client = self.books.exchanges[&exchange].client;
            self.books.close(exchange);
            self.clients[client].finished(exchange);
        }
    }
}
