//! What a seed decides beforehand: which faults there are, and what happens at each step.
//!
//! A step depends on the seed and its number alone, and brings dice of its own: any part of a plan can be played
//! without the rest, which is how a failure is made small.

use crate::dice::Dice;
use crate::project::PROJECTS;
use crate::steps::{self, Op};

/// Faults that go with everything that happens, where others are happenings of their own.
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The wall clock of another life of the hub is another one.
    pub clock_steps: bool,
    /// The hub may die while it carries out what follows from an input.
    pub crashes: bool,
    /// What remote servers say comes late, and in any order.
    pub delays: bool,
    /// It may come twice.
    pub duplicates: bool,
    /// It may not come at all.
    pub losses: bool,
    /// Connections break because their clients do not read.
    pub slow_readers: bool,
    /// Commits that nobody was told of may be durable after a crash, each by itself.
    pub torn: bool,
}

impl Faults {
    pub(crate) fn drawn(dice: &mut Dice) -> Self {
        Self {
            clock_steps: dice.chance(50),
            crashes: dice.chance(40),
            delays: dice.chance(40),
            duplicates: dice.chance(40),
            losses: dice.chance(40),
            slow_readers: dice.chance(40),
            torn: dice.chance(50),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub faults: Faults,
    pub seed: u64,
    /// Each happening as often as its weight says.
    odds: Vec<Op>,
}

/// One happening in one project.
#[derive(Debug)]
pub(crate) struct Step {
    pub project: usize,
    pub op: Op,
    /// Whether the shard audits itself from end to end after each input of this step.
    pub audited: bool,
    pub dice: Dice,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let weights = steps::weights(&mut dice);
        let faults = Faults::drawn(&mut dice);
        let odds = weights.into_iter().flat_map(|(op, weight)| std::iter::repeat_n(op, weight)).collect();
        Self { faults, seed, odds }
    }

    /// Nothing happens of itself: the steps come from elsewhere.
    pub(crate) fn of_events(faults: Faults) -> Self {
        Self { faults, seed: 0, odds: Vec::new() }
    }

    pub(crate) fn step(&self, number: u64) -> Step {
        let mut dice = Dice::of(self.seed, number);
        let op = self.odds[dice.below(self.odds.len())];
        Step { project: dice.below(PROJECTS), op, audited: dice.chance(6), dice }
    }

    /// Another happening, where one could not be.
    pub(crate) fn another(&self, dice: &mut Dice) -> Option<Op> {
        dice.pick(&self.odds).copied()
    }
}
