//! Seeds of the simulation: see the library `orch_sim`, which this plays.

use orch_sim::{Case, number};

const SEEDS: u64 = 64;
const STEPS: u64 = 31_250;

#[test]
fn every_seed_keeps_the_books_and_answers_everybody_in_the_end() {
    let steps = number("ORCH_SIM_STEPS").unwrap_or(STEPS);
    if let Some(case) = Case::from_environment() {
        return orch_sim::hold(&case);
    }
    let one = number("ORCH_SIM_SEED").map(|seed| seed..seed + 1);
    let first = number("ORCH_SIM_FROM").unwrap_or(0);
    let seeds = one.clone().unwrap_or_else(|| first..first + number("ORCH_SIM_SEEDS").unwrap_or(SEEDS));
    let done = orch_sim::all(seeds.clone(), steps).unwrap_or_else(|(case, failure)| {
        let found = format!("seed {} breaks a rule at step {}", case.seed, failure.made);
        let (case, failure) = orch_sim::shrink(&case, &failure);
        orch_sim::add(&case);
        panic!("{found}; made small:\n{}", failure.report(&case))
    });
    report(&format!(
        "{} inputs, {} answers, {} resumed, {} runs done, {} steps unknown; {}",
        done.inputs, done.answers, done.resumed, done.runs[0], done.runs[1], done.tally
    ));
    let made = (seeds.end - seeds.start) * steps;
    assert!(done.inputs >= made, "{} inputs in {made} steps", done.inputs);
    assert!(done.answers > made / 10, "the simulation does too little: {} answers", done.answers);
    if one.is_none() && made >= SEEDS * STEPS {
        assert!(done.resumed > 0, "nobody has come back");
        assert!(done.runs.iter().all(|told| *told > 0), "plans do too little: {:?}", done.runs);
        assert_eq!(done.tally.missing(), [], "these faults do not happen");
    }
}

#[expect(clippy::print_stdout, reason = "what a run has done is told, where it is asked for")]
fn report(words: &str) {
    println!("{words}");
}

#[test]
fn what_has_failed_once_does_not_fail_again() {
    orch_sim::regressions().iter().for_each(orch_sim::hold);
}

#[test]
fn the_same_seed_goes_the_same_way() {
    for seed in 0..4 {
        let [one, two] = [(); 2].map(|()| orch_sim::digests(seed, 500));
        assert_eq!(one, two, "seed {seed}");
        assert!(one.iter().all(|digest| *digest != 0));
    }
}

#[test]
fn every_bug_that_the_simulation_has_to_find_can_be_put_into_the_core_of_today() {
    let stale = orch_sim::stale();
    assert!(stale.is_empty(), "make these patches anew: {stale:#?}");
}
