//! Runs seeds: one as it is told, or many on all cores; and says what went wrong.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::Plan;
use crate::world::World;

/// Some steps of a seed.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub seed: u64,
    pub steps: Vec<u64>,
}

/// What went wrong, and where.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub why: String,
    /// The line of the rule that is broken.
    pub place: String,
    /// How many steps were made.
    pub made: u64,
}

/// What came out of all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub answers: u64,
    pub resumed: u64,
}

#[expect(clippy::disallowed_methods, reason = "how a developer replays a seed")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

impl Case {
    pub(crate) fn whole(seed: u64, steps: u64) -> Self {
        Self { seed, steps: (0..steps).collect() }
    }

    /// The case that somebody wants to see again.
    pub(crate) fn from_environment() -> Option<Self> {
        Some(Self { seed: number("ORCH_SIM_SEED")?, steps: spans(&variable("ORCH_SIM_KEEP")?) })
    }

    /// The steps in words, such as `3,7-9`.
    pub(crate) fn kept(&self) -> String {
        let mut all: Vec<(u64, u64)> = Vec::new();
        for step in &self.steps {
            match all.last_mut() {
                Some((_, last)) if *last + 1 == *step => *last = *step,
                _ => all.push((*step, *step)),
            }
        }
        let span =
            |(from, to): (u64, u64)| if from == to { from.to_string() } else { format!("{from}-{to}") };
        all.into_iter().map(span).collect::<Vec<_>>().join(",")
    }
}

/// Reads what [`Case::kept`] writes.
pub(crate) fn spans(words: &str) -> Vec<u64> {
    let number = |word: &str| word.parse::<u64>().expect("a number");
    let span = |word: &str| {
        word.split_once('-').map_or_else(|| (number(word), number(word)), |(a, b)| (number(a), number(b)))
    };
    words.split(',').map(span).flat_map(|(from, to)| from..=to).collect()
}

impl Failure {
    pub(crate) fn report(&self, case: &Case) -> String {
        let plan = Plan::new(case.seed);
        let last = case.steps.iter().rev().take(40).rev();
        let last: Vec<String> = last
            .map(|number| plan.step(*number))
            .map(|step| format!("    {}: {:?}", step.project, step.op))
            .collect();
        format!(
            "{}\nat {}, after {} of {} steps of seed {}; the last of them, each with its project:\n{}\nreplay: ORCH_SIM_SEED={} ORCH_SIM_KEEP={} cargo nextest run -p orch-tests --test sim",
            self.why,
            self.place,
            self.made,
            case.steps.len(),
            case.seed,
            last.join("\n"),
            case.seed,
            case.kept(),
        )
    }
}

thread_local! {
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic is a verdict here: it is remembered with its place, and printed once at the end.
fn listen_to_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
            let is_verdict = PLACE.with_borrow(|before| before == RUNNING);
            PLACE.set(place);
            if !is_verdict {
                usual(info);
            }
        }));
    });
}

const RUNNING: &str = "running";

/// Plays a case to its end.
pub(crate) fn one(case: &Case) -> Result<Done, Failure> {
    listen_to_panics();
    let plan = Plan::new(case.seed);
    let mut world = World::new(case.seed, &plan);
    PLACE.set(RUNNING.to_owned());
    let played = catch_unwind(AssertUnwindSafe(|| {
        for number in &case.steps {
            world.step(plan.step(*number));
        }
        world.settle(case.seed);
    }));
    let place = PLACE.replace(String::new());
    let Err(panic) = played else {
        let answers = world.hubs.iter().map(|hub| hub.books.answered).sum();
        let resumed = world.hubs.iter().map(|hub| hub.resumed).sum();
        return Ok(Done { answers, resumed });
    };
    let why = panic.downcast_ref::<String>().map(String::as_str);
    let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned();
    Err(Failure { why, place, made: world.steps })
}

/// Plays a case that must not fail.
pub(crate) fn hold(case: &Case) {
    if let Err(failure) = one(case) {
        panic!("{}", failure.report(case));
    }
}

/// Plays seeds on all cores, up to the first that fails.
pub(crate) fn all(seeds: Range<u64>, steps: u64) -> Result<Done, (Case, Failure)> {
    let (next, cores) =
        (AtomicU64::new(seeds.start), std::thread::available_parallelism().map_or(1, Into::into));
    let cores = number("ORCH_SIM_CORES").and_then(|cores| usize::try_from(cores).ok()).unwrap_or(cores);
    let work = || {
        let mut done = Done::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(done);
            }
            let case = Case::whole(seed, steps);
            let new = one(&case).map_err(|failure| {
                next.store(seeds.end, Ordering::Relaxed);
                (case, failure)
            })?;
            done.answers += new.answers;
            done.resumed += new.resumed;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let results = workers.into_iter().map(|worker| worker.join().expect("verdicts are caught"));
        results.collect::<Vec<_>>().into_iter().try_fold(Done::default(), |all, one| {
            let one = one?;
            Ok(Done { answers: all.answers + one.answers, resumed: all.resumed + one.resumed })
        })
    })
}
