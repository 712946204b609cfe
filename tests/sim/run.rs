//! Runs seeds: one as it is told, or many on all cores; and says what went wrong.

use std::cell::RefCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::Plan;
use crate::tally::Tally;
use crate::world::World;

/// Some steps of a seed.
#[derive(Clone, Debug)]
pub struct Case {
    /// Decides everything.
    pub seed: u64,
    /// The numbers of the steps that are made.
    pub steps: Vec<u64>,
}

/// What went wrong, and where.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The rule that is broken.
    pub why: String,
    /// The line of the rule.
    pub place: String,
    /// How many steps were made.
    pub made: u64,
    /// What has happened last, each with its project.
    pub trace: Vec<String>,
}

/// What came out of all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// How many requests were answered.
    pub answers: u64,
    /// How many inputs the shards have handled.
    pub inputs: u64,
    /// How often a client was told of a run that it is done, and of a step that nobody knows what it has done.
    pub runs: [u64; 2],
    /// How often a client has come back for the rest of a stream.
    pub resumed: u64,
    /// What has gone wrong around the hub.
    pub tally: Tally,
}

impl Done {
    fn of(world: &World) -> Self {
        let mut done = Self::default();
        for hub in &world.hubs {
            done.answers += hub.books.answered;
            done.inputs += hub.inputs;
            done.resumed += hub.resumed;
            done.count_runs(hub.runs.told);
            done.tally.merge(&hub.tally);
        }
        done
    }

    fn merge(&mut self, other: &Self) {
        self.answers += other.answers;
        self.inputs += other.inputs;
        self.resumed += other.resumed;
        self.count_runs(other.runs);
        self.tally.merge(&other.tally);
    }

    fn count_runs(&mut self, told: [u64; 2]) {
        self.runs.iter_mut().zip(told).for_each(|(own, more)| *own += more);
    }
}

#[expect(clippy::disallowed_methods, reason = "how a developer replays a seed")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A number in the environment.
pub fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

impl Case {
    /// A seed with all of its first steps.
    pub fn whole(seed: u64, steps: u64) -> Self {
        Self { seed, steps: (0..steps).collect() }
    }

    /// The case that somebody wants to see again.
    pub fn from_environment() -> Option<Self> {
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
    /// What a developer needs to know, and how to see it again.
    pub fn report(&self, case: &Case) -> String {
        format!(
            "{}\nat {}, after {} of {} steps of seed {}; what has happened last, each with its project:\n{}\nreplay: ORCH_SIM_SEED={} ORCH_SIM_KEEP={} cargo nextest run -p orch-tests --test sim",
            self.why,
            self.place,
            self.made,
            case.steps.len(),
            case.seed,
            self.trace.join("\n"),
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
    let mut world = World::new(Plan::new(case.seed));
    PLACE.set(RUNNING.to_owned());
    let played = catch_unwind(AssertUnwindSafe(|| {
        case.steps.iter().for_each(|number| world.play(*number));
        world.settle();
    }));
    let place = PLACE.replace(String::new());
    let Err(panic) = played else {
        return Ok(Done::of(&world));
    };
    let why = panic.downcast_ref::<String>().map(String::as_str);
    let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned();
    let trace = world.trace.iter().map(|(project, op)| format!("    {project}: {op:?}")).collect();
    Err(Failure { why, place, made: world.steps, trace })
}

/// Plays a case that must not fail.
pub fn hold(case: &Case) {
    if let Err(failure) = one(case) {
        panic!("{}", failure.report(case));
    }
}

/// Hashes of all that a seed makes the hub do in its first steps, one for each project.
pub fn digests(seed: u64, steps: u64) -> Vec<u64> {
    let mut world = World::new(Plan::new(seed));
    world.hubs.iter_mut().for_each(|hub| hub.digest = Some(0));
    (0..steps).for_each(|number| world.play(number));
    world.hubs.iter().filter_map(|hub| hub.digest).collect()
}

/// Plays seeds on all cores, up to the first that fails.
pub fn all(seeds: Range<u64>, steps: u64) -> Result<Done, (Case, Failure)> {
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
            done.merge(&new);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let results = workers.into_iter().map(|worker| worker.join().expect("verdicts are caught"));
        results.collect::<Vec<_>>().into_iter().try_fold(Done::default(), |mut all, one| {
            all.merge(&one?);
            Ok(all)
        })
    })
}
