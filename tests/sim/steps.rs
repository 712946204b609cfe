//! What can happen, how often, and how each happening is made.

use std::time::Duration;

use orch_core::shard::Input;

use crate::clients::Deed;
use crate::dice::Dice;
use crate::hub::Hub;
use crate::talk::Act;
use crate::tally::Fault;

/// A happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// It concerns one project alone.
    Own(Own),
    /// The hub crashes.
    Restart,
    /// The hub ends in good order, and begins again.
    Retire,
    Revoke,
    Stray,
}

/// What happens in one project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    Client(Deed),
    Configure,
    Connect,
    DiskFills,
    DiskHasRoom,
    Jump,
    Leave,
    /// An operator's.
    Order,
    Oversleep,
    Publish,
    Server(Act),
    Store,
    StoreFails,
    Survey,
    Wait,
}

/// How often each thing happens when nothing goes wrong, and how often it happens when it is among the faults of a
/// seed.
const USUAL: [(Op, usize); 15] = [
    (Op::Own(Own::Client(Deed::Ask)), 120),
    (Op::Own(Own::Client(Deed::Listen)), 8),
    (Op::Own(Own::Client(Deed::Reply)), 15),
    (Op::Own(Own::Client(Deed::Stream)), 12),
    (Op::Own(Own::Connect), 20),
    (Op::Own(Own::DiskHasRoom), 2),
    (Op::Own(Own::Publish), 20),
    (Op::Own(Own::Server(Act::Answer)), 130),
    (Op::Own(Own::Server(Act::Arrive)), 60),
    (Op::Own(Own::Server(Act::Close)), 20),
    (Op::Own(Own::Server(Act::Open)), 30),
    (Op::Own(Own::Server(Act::Progress)), 30),
    (Op::Own(Own::Server(Act::Update)), 8),
    (Op::Own(Own::Store), 40),
    (Op::Own(Own::Wait), 60),
];
const FAULTS: [(Op, usize); 30] = [
    (Op::Own(Own::Client(Deed::Cancel)), 15),
    (Op::Own(Own::Client(Deed::Delay)), 10),
    (Op::Own(Own::Client(Deed::Delete)), 5),
    (Op::Own(Own::Client(Deed::Lose)), 40),
    (Op::Own(Own::Client(Deed::Return)), 40),
    (Op::Own(Own::Client(Deed::Vanish)), 3),
    (Op::Own(Own::Configure), 2),
    (Op::Own(Own::DiskFills), 1),
    (Op::Own(Own::Jump), 2),
    (Op::Own(Own::Leave), 15),
    (Op::Own(Own::Order), 2),
    (Op::Own(Own::Oversleep), 6),
    (Op::Restart, 1),
    (Op::Retire, 1),
    (Op::Revoke, 2),
    (Op::Own(Own::Server(Act::AnswerTwice)), 10),
    (Op::Own(Own::Server(Act::Change)), 8),
    (Op::Own(Own::Server(Act::Crash)), 3),
    (Op::Own(Own::Server(Act::Demand)), 20),
    (Op::Own(Own::Server(Act::Expire)), 6),
    (Op::Own(Own::Server(Act::Garbage)), 6),
    (Op::Own(Own::Server(Act::Hush)), 4),
    (Op::Own(Own::Server(Act::Invent)), 10),
    (Op::Own(Own::Server(Act::Log)), 10),
    (Op::Own(Own::Server(Act::Mutter)), 2),
    (Op::Own(Own::Server(Act::Query)), 30),
    (Op::Own(Own::Server(Act::Refuse)), 6),
    (Op::Own(Own::StoreFails), 6),
    (Op::Stray, 6),
    (Op::Own(Own::Survey), 1),
];

/// Every seed has faults of its own.
pub(crate) fn weights(dice: &mut Dice) -> Vec<(Op, usize)> {
    let chosen = FAULTS.into_iter().filter(|_| dice.chance(60)).collect::<Vec<_>>();
    USUAL.into_iter().chain(chosen).collect()
}

impl Hub {
    /// One happening of this project alone.
    pub(crate) fn step(&mut self, op: Own) {
        match op {
            Own::Client(deed) => self.on_client(deed),
            Own::Configure => self.configure(),
            Own::Connect => self.connect(),
            Own::DiskFills => self.disk.full = true,
            Own::DiskHasRoom => self.disk.full = false,
            Own::Jump => self.pass(Duration::from_secs(90), false),
            Own::Leave => {
                let open = self.books.exchanges.len();
                let which = if open == 0 { 0 } else { self.dice.below(open) };
                let exchange = self.books.exchanges.keys().nth(which).copied();
                if let Some(exchange) = exchange {
                    self.leave(exchange);
                }
            }
            Own::Order => self.order(),
            Own::Oversleep => {
                self.tally.add(Fault::Oversleep);
                self.pass(Duration::from_secs(8), true);
            }
            Own::Publish => self.published(),
            Own::Server(act) => self.on_link(act),
            Own::Store => self.stored(true),
            Own::StoreFails => self.stored(false),
            Own::Survey => self.feed(Input::SurveyAsked),
            Own::Wait => {
                let span = self.dice.weighted(&[(20, 6), (300, 3), (2_000, 1)]);
                self.pass(Duration::from_millis(span), false);
            }
        }
    }

    /// Lets time pass. Who oversleeps wakes once, after several deadlines.
    pub(crate) fn pass(&mut self, span: Duration, oversleeps: bool) {
        let end = self.now.after(span);
        if oversleeps {
            self.now = end;
        }
        let mut idle = 0;
        while let Some(deadline) =
            self.shard.deadline().filter(|deadline| deadline.at <= end && !self.is_dead)
        {
            idle = if deadline.at <= self.now { idle + 1 } else { 0 };
            assert!(idle < 20, "the deadline of {} fires for ever", deadline.reason);
            self.now = self.now.max(deadline.at);
            self.feed(Input::TimerFired);
        }
        self.now = end;
    }
}
