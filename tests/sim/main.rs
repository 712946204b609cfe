//! Projects, simulated: clients of every era, servers that fail in every way, a store that refuses, and a clock that
//! jumps. A seed draws what happens; after every step the books must balance, and at the end, when all is healed,
//! everybody must have an answer.
//!
//! A seed that fails is made small, says how to replay it and joins `regressions.txt`. `ORCH_SIM_SEED` picks one
//! seed, `ORCH_SIM_STEPS` sets the length, `ORCH_SIM_KEEP` picks some of its steps, `ORCH_SIM_SEEDS` says how many
//! seeds are tried.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation that meets what cannot be shall panic"
)]

mod books;
mod calm;
mod checks;
mod clients;
mod dice;
mod hub;
mod plan;
mod project;
mod regressions;
mod requests;
mod returns;
mod run;
mod servers;
mod shrink;
mod steps;
mod store;
mod talk;
mod world;

use plan::Plan;
use run::{Case, number};
use world::World;

const SEEDS: u64 = 64;
const STEPS: u64 = 31_250;

#[test]
fn every_seed_keeps_the_books_and_answers_everybody_in_the_end() {
    let steps = number("ORCH_SIM_STEPS").unwrap_or(STEPS);
    if let Some(case) = Case::from_environment() {
        return run::hold(&case);
    }
    let one = number("ORCH_SIM_SEED").map(|seed| seed..seed + 1);
    let seeds = one.clone().unwrap_or_else(|| 0..number("ORCH_SIM_SEEDS").unwrap_or(SEEDS));
    let done = run::all(seeds.clone(), steps).unwrap_or_else(|(case, failure)| {
        let found = format!("seed {} breaks a rule at step {}", case.seed, failure.made);
        let (case, failure) = shrink::shrink(&case, &failure);
        regressions::add(&case);
        panic!("{found}; made small:\n{}", failure.report(&case))
    });
    assert!(done.resumed > 0 || one.is_some(), "nobody has come back");
    assert!(
        done.answers > (seeds.end - seeds.start) * steps / 20,
        "the simulation does too little: {} answers",
        done.answers
    );
}

#[test]
fn what_has_failed_once_does_not_fail_again() {
    for case in regressions::all() {
        run::hold(&case);
    }
}

#[test]
fn the_same_seed_goes_the_same_way() {
    for seed in 0..4 {
        let [one, two] = [(); 2].map(|()| {
            let plan = Plan::new(seed);
            let mut world = World::new(seed, &plan);
            world.hubs.iter_mut().for_each(|hub| hub.digest = Some(0));
            for number in 0..500 {
                world.step(plan.step(number));
            }
            world.hubs.iter().map(|hub| hub.digest).collect::<Vec<_>>()
        });
        assert_eq!(one, two, "seed {seed}");
        assert!(one.iter().all(|digest| *digest != Some(0)));
    }
}
