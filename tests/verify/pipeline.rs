//! Runs the chosen steps in order, times them, and stops at the first that fails.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::invocation::Failure;
use crate::step::Step;

/// A step that has passed, and how long it took.
struct Passed {
    step: Step,
    took: Duration,
}

pub(crate) fn run(steps: &[Step]) -> ExitCode {
    let mut passed: Vec<Passed> = Vec::new();
    for &step in steps {
        if step == Step::Test {
            print_times(&passed);
        }
        println!("\n=== {}: {}", step.name(), step.about());
        let started = Instant::now();
        let verified: Vec<Step> = passed.iter().map(|done| done.step).collect();
        let outcome = step.run(&verified);
        let took = started.elapsed();
        match outcome {
            // The test runner's own summary has to stay the last thing that is printed.
            Ok(()) if step == Step::Test => return ExitCode::SUCCESS,
            Ok(()) => println!("--- {} passed in {}", step.name(), seconds(took)),
            Err(failure) => return report(step, took, &failure, passed.len()),
        }
        passed.push(Passed { step, took });
    }
    print_times(&passed);
    println!("\n{} passed, 0 failed", passed.len());
    ExitCode::SUCCESS
}

fn report(step: Step, took: Duration, failure: &Failure, passed: usize) -> ExitCode {
    println!("\n--- {} FAILED after {}: {}", step.name(), seconds(took), failure.cause);
    println!("    the step again:    cargo verify --only {}", step.name());
    println!("    the command alone: {}", failure.command);
    if step != Step::Test {
        println!("\n{passed} passed, 1 failed");
    }
    ExitCode::from(failure.exit_code)
}

fn print_times(passed: &[Passed]) {
    if passed.is_empty() {
        return;
    }
    println!();
    for Passed { step, took } in passed {
        println!("    {:<8} {:>8}", step.name(), seconds(*took));
    }
    println!("    {:<8} {:>8}", "together", seconds(passed.iter().map(|done| done.took).sum()));
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
