//! Everything under simulation: the projects of an instance, who may enter which, and the crash that ends them all.

use std::collections::VecDeque;
use std::sync::Arc;

use orch_core::key::Pepper;
use orch_core::ports::gateway::{Bearer, Target, Verb};
use orch_core::snapshot::Directory;
use orch_core::{Rejection, Timestamp};

use crate::clients::Era;
use crate::dice::Dice;
use crate::hub::Hub;
use crate::plan::{Plan, Step};
use crate::project::{KEYS, PROJECTS};
use crate::steps::Op;
use crate::tally::Fault;

/// How many happenings are tried until one gives the hub something to do.
const TRIES: usize = 16;
/// How many happenings are remembered.
const REMEMBERED: usize = 40;

#[derive(Debug)]
pub(crate) struct World {
    pub hubs: Vec<Hub>,
    pub steps: u64,
    /// What has happened last, each with its project.
    pub trace: VecDeque<(usize, Op)>,
    plan: Plan,
    pepper: Pepper,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Self {
        let pepper = Pepper::derive(&[3; 32]);
        let mut dice = Dice::of(plan.seed, u64::MAX);
        let hub = |project| Hub::new(project, plan.seed, dice.split(), plan.faults, &pepper);
        let hubs = (0..PROJECTS).map(hub).collect();
        let mut world = Self { hubs, steps: 0, trace: VecDeque::with_capacity(REMEMBERED), plan, pepper };
        world.readmit();
        world
    }

    /// The step with this number of the plan.
    pub(crate) fn play(&mut self, number: u64) {
        self.step(self.plan.step(number));
    }

    /// One input for a shard, or more: what cannot happen as things are gives way to something else.
    pub(crate) fn step(&mut self, step: Step) {
        self.steps += 1;
        let (project, mut op) = (step.project, step.op);
        (self.hubs[project].dice, self.hubs[project].audited) = (step.dice, step.audited);
        for _ in 0..TRIES {
            if self.trace.len() == REMEMBERED {
                self.trace.pop_front();
            }
            self.trace.push_back((project, op));
            let before = self.hubs[project].inputs;
            self.happen(project, op);
            if self.hubs[project].inputs > before {
                break;
            }
            let Some(next) = self.plan.another(&mut self.hubs[project].dice) else { break };
            op = next;
        }
        if self.hubs.iter().any(|hub| hub.is_dead) {
            self.restart(project, Fault::CrashMidway);
        }
    }

    fn happen(&mut self, project: usize, op: Op) {
        match op {
            Op::Restart => self.restart(project, Fault::Crash),
            Op::Retire => {
                self.hubs[project].retire();
                self.restart(project, Fault::Retire);
            }
            Op::Revoke => self.revoke(project),
            Op::Stray => self.stray(project),
            Op::Own(own) => self.hubs[project].step(own),
        }
    }

    /// Lets everything come to rest, and checks that it does.
    pub(crate) fn settle(&mut self) {
        for (at, hub) in self.hubs.iter_mut().enumerate() {
            hub.audited = true;
            hub.dice = Dice::of(self.plan.seed, u64::MAX - 1 - at as u64);
            hub.settle();
        }
    }

    /// Who may enter has changed.
    fn readmit(&mut self) {
        let projects: Vec<_> = self.hubs.iter().map(|hub| hub.project.clone()).collect();
        let keys: Vec<_> = self.hubs.iter().flat_map(|hub| hub.keys.iter().cloned()).collect();
        let directory = Arc::new(Directory::build(projects, keys, self.pepper.clone()));
        for hub in &mut self.hubs {
            hub.directory = Arc::clone(&directory);
        }
    }

    /// A key of a project is revoked, and another takes its place.
    fn revoke(&mut self, project: usize) {
        let hub = &mut self.hubs[project];
        hub.tally.add(Fault::Revocation);
        let key = hub.dice.below(KEYS);
        let revoked = hub.replace_key(key, &self.pepper);
        self.readmit();
        self.hubs[project].end_key(&revoked);
    }

    /// Another life of the hub: what is durable is there, all else is gone.
    fn restart(&mut self, project: usize, why: Fault) {
        let steps = self.plan.faults.clock_steps;
        let hub = &mut self.hubs[project];
        hub.tally.add(why);
        let way = if steps { hub.dice.below(4) } else { 0 };
        if way >= 2 {
            hub.tally.add(Fault::StepOfClock);
        }
        let mut dice = hub.dice.split();
        for hub in &mut self.hubs {
            hub.dice = dice.split();
            let now = match way {
                // A start takes its time.
                0 | 1 => hub.now.0 + 50,
                2 => hub.now.0 - 3_600_000,
                _ => hub.now.0 + 30_000,
            };
            hub.restart(Timestamp(now));
        }
    }

    /// A client of one project tries the doors of the other: with its key, and with the session that it has.
    fn stray(&mut self, project: usize) {
        let other = (project + 1) % self.hubs.len();
        let session = self.hubs[other].any_session();
        let hub = &mut self.hubs[project];
        let key = hub.dice.below(KEYS);
        let client = hub.introduce(Era::Http, Target::Unified, key);
        let mut head = client.head(Verb::Post);
        head.bearer = Some(Bearer(hub.secrets[key].reveal().to_owned()));
        head.project = Some(self.hubs[other].project.slug.clone());
        let hub = &mut self.hubs[project];
        let refused = hub.directory.admit(&head, hub.now);
        let expected = Rejection::NoSuchEndpoint.into();
        assert_eq!(refused.err(), Some(expected), "a key opens another project");
        // Its own project does not know the session, or knows it as another's.
        let session = if hub.dice.chance(50) { hub.any_session() } else { session };
        if let Some(session) = session {
            hub.pretend(session);
        }
    }
}
