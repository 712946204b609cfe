//! One project, simulated: clients of every era, servers that fail in every way, a store that refuses, and a clock
//! that jumps. A seed draws what happens; after every step the books must balance, and at the end, when all is
//! healed, everybody must have an answer.
//!
//! A failing seed says how to replay it: `ORCH_SIM_SEED` picks one seed, `ORCH_SIM_STEPS` sets the length,
//! `ORCH_SIM_SEEDS` how many are tried.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a simulation that meets what cannot be shall panic"
)]

mod books;
mod calm;
mod clients;
mod dice;
mod hub;
mod project;
mod requests;
mod returns;
mod servers;
mod steps;
mod talk;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hub::Hub;

const SEEDS: u64 = 64;
const STEPS: u64 = 3_000;

#[expect(clippy::disallowed_methods, reason = "how a developer replays a seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed to its end; what happened last, when a rule is broken.
fn run(seed: u64, steps: u64) -> Result<Hub, String> {
    let mut hub = Hub::new(seed);
    let done = catch_unwind(AssertUnwindSafe(|| {
        for _ in 0..steps {
            hub.step();
        }
        hub.settle();
    }));
    let Err(panic) = done else { return Ok(hub) };
    let why = panic.downcast_ref::<String>().map(String::as_str);
    let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    Err(format!(
        "{why}\nafter {} steps of seed {seed}, the last of them {:?}\nreplay: ORCH_SIM_SEED={seed} ORCH_SIM_STEPS={steps}",
        hub.steps, hub.trace
    ))
}

#[test]
fn every_seed_keeps_the_books_and_answers_everybody_in_the_end() {
    let steps = number("ORCH_SIM_STEPS").unwrap_or(STEPS);
    let seeds = match number("ORCH_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ORCH_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let (mut answers, mut resumed) = (0, 0);
    for seed in seeds {
        let hub = run(seed, steps).unwrap_or_else(|why| panic!("{why}"));
        answers += hub.books.answered;
        resumed += hub.resumed;
    }
    assert!(resumed > 0 || number("ORCH_SIM_SEED").is_some(), "nobody has come back");
    assert!(answers > steps / 20, "the simulation does too little: {answers} answers");
}

#[test]
fn the_same_seed_goes_the_same_way() {
    for seed in 0..4 {
        let [one, two] = [(); 2].map(|()| {
            let mut hub = Hub::new(seed);
            hub.digest = Some(0);
            for _ in 0..500 {
                hub.step();
            }
            hub.digest
        });
        assert_eq!(one, two, "seed {seed}");
        assert_ne!(one, Some(0));
    }
}
