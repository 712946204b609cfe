//! Runs whose happenings are told and not drawn: a list of events, as bytes, is played in the world of the simulation
//! and held to the same rules, to the rest at the end. This is how fuzzing looks for what seeds do not draw.

use crate::clients::Deed;
use crate::dice::Dice;
use crate::plan::{Faults, Plan, Step};
use crate::steps::{Op, Own};
use crate::talk::Act;
use crate::world::World;

/// The most events of a run.
const MOST: usize = 400;
/// The bytes of an event: what happens, and two that decide how.
const SIZE: usize = 3;

/// What the events of a run are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Sessions, streams, what is durable of them, and those who come back for it.
    Session,
    /// Processes: their start, life and end, orders and configurations.
    Supervisor,
}

impl Machine {
    fn ops(self) -> &'static [Op] {
        match self {
            Self::Session => &SESSION,
            Self::Supervisor => &SUPERVISOR,
        }
    }
}

/// Plays a list of events to its end. The first byte says which faults there are, and each event is of three: the
/// number of a happening with its project in the highest bit, and two bytes that are its dice.
///
/// # Panics
///
/// When a rule is broken.
pub fn play(machine: Machine, bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let bit = |at: u8| first >> at & 1 == 1;
    let faults = Faults {
        clock_steps: bit(0),
        crashes: bit(1),
        delays: bit(2),
        duplicates: bit(3),
        losses: bit(4),
        slow_readers: bit(5),
        torn: bit(6),
    };
    let mut world = World::new(Plan::of_events(faults));
    let ops = machine.ops();
    for event in rest.chunks_exact(SIZE).take(MOST) {
        let (what, seed) = (event[0], u64::from(u16::from_le_bytes([event[1], event[2]])));
        let op = ops[usize::from(what & 0x7f) % ops.len()];
        world.step(Step { project: usize::from(what >> 7), op, audited: true, dice: Dice::new(seed) });
    }
    world.settle();
}

const SESSION: [Op; 30] = [
    Op::Own(Own::Client(Deed::Ask)),
    Op::Own(Own::Client(Deed::Cancel)),
    Op::Own(Own::Client(Deed::Delay)),
    Op::Own(Own::Client(Deed::Delete)),
    Op::Own(Own::Client(Deed::Listen)),
    Op::Own(Own::Client(Deed::Lose)),
    Op::Own(Own::Client(Deed::Reply)),
    Op::Own(Own::Client(Deed::Return)),
    Op::Own(Own::Client(Deed::Stream)),
    Op::Own(Own::Client(Deed::Vanish)),
    Op::Own(Own::Connect),
    Op::Own(Own::DiskFills),
    Op::Own(Own::DiskHasRoom),
    Op::Own(Own::Jump),
    Op::Own(Own::Leave),
    Op::Own(Own::Publish),
    Op::Own(Own::Server(Act::Answer)),
    Op::Own(Own::Server(Act::Arrive)),
    Op::Own(Own::Server(Act::Log)),
    Op::Own(Own::Server(Act::Open)),
    Op::Own(Own::Server(Act::Progress)),
    Op::Own(Own::Server(Act::Query)),
    Op::Own(Own::Server(Act::Update)),
    Op::Own(Own::Store),
    Op::Own(Own::StoreFails),
    Op::Own(Own::Wait),
    Op::Restart,
    Op::Retire,
    Op::Revoke,
    Op::Stray,
];

const SUPERVISOR: [Op; 29] = [
    Op::Own(Own::Client(Deed::Ask)),
    Op::Own(Own::Client(Deed::Cancel)),
    Op::Own(Own::Client(Deed::Listen)),
    Op::Own(Own::Client(Deed::Reply)),
    Op::Own(Own::Configure),
    Op::Own(Own::Connect),
    Op::Own(Own::Jump),
    Op::Own(Own::Leave),
    Op::Own(Own::Order),
    Op::Own(Own::Oversleep),
    Op::Own(Own::Publish),
    Op::Own(Own::Server(Act::Answer)),
    Op::Own(Own::Server(Act::AnswerTwice)),
    Op::Own(Own::Server(Act::Arrive)),
    Op::Own(Own::Server(Act::Change)),
    Op::Own(Own::Server(Act::Close)),
    Op::Own(Own::Server(Act::Crash)),
    Op::Own(Own::Server(Act::Demand)),
    Op::Own(Own::Server(Act::Expire)),
    Op::Own(Own::Server(Act::Garbage)),
    Op::Own(Own::Server(Act::Hush)),
    Op::Own(Own::Server(Act::Invent)),
    Op::Own(Own::Server(Act::Mutter)),
    Op::Own(Own::Server(Act::Open)),
    Op::Own(Own::Server(Act::Query)),
    Op::Own(Own::Server(Act::Refuse)),
    Op::Own(Own::Store),
    Op::Own(Own::Survey),
    Op::Own(Own::Wait),
];
