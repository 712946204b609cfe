//! A shard under an arbitrary list of inputs: it never panics, answers each exchange at most once and with its own
//! answer, leaves nobody waiting when everything has come to its end, serves on, and does the same again for the same
//! inputs.
//!
//! An input is a list of moves, each a few bytes.

use orch_core::shard::Effect;

use super::choices::Choices;
use world::World;

mod judge;
mod messages;
mod moves;
mod owed;
mod rest;
mod stage;
mod world;

/// Moves of one run.
const MOST: usize = 200;

pub fn check(input: &[u8]) {
    let effects = run(input);
    assert!(effects == run(input), "the same inputs have given other effects");
}

fn run(input: &[u8]) -> Vec<Effect> {
    let (mut world, mut choices) = (World::new(), Choices::new(input));
    for _ in 0..MOST {
        if choices.is_empty() {
            break;
        }
        world.step(&mut choices);
    }
    world.come_to_rest();
    world.serve_again();
    world.effects
}
