//! Everything under simulation: the projects of an instance, who may enter which, and the crash that ends them all.

use std::sync::Arc;

use orch_core::key::Pepper;
use orch_core::ports::gateway::{Bearer, Verb};
use orch_core::snapshot::Directory;
use orch_core::{Rejection, Timestamp};

use crate::clients::Era;
use crate::dice::Dice;
use crate::hub::Hub;
use crate::plan::{Faults, Plan, Step};
use crate::project::{KEYS, PROJECTS};
use crate::steps::Op;

#[derive(Debug)]
pub(crate) struct World {
    pub hubs: Vec<Hub>,
    pub steps: u64,
    faults: Faults,
    pepper: Pepper,
}

impl World {
    pub(crate) fn new(seed: u64, plan: &Plan) -> Self {
        let pepper = Pepper::derive(&[3; 32]);
        let mut dice = Dice::of(seed, u64::MAX);
        let hub = |project| Hub::new(project, seed, dice.split(), plan.faults, &pepper);
        let hubs = (0..PROJECTS).map(hub).collect();
        let mut world = Self { hubs, steps: 0, faults: plan.faults, pepper };
        world.readmit();
        world
    }

    /// One happening.
    pub(crate) fn step(&mut self, step: Step) {
        self.steps += 1;
        let hub = &mut self.hubs[step.project];
        (hub.dice, hub.audited) = (step.dice, step.audited);
        match step.op {
            Op::Restart => self.restart(step.project),
            Op::Retire => {
                hub.retire();
                self.restart(step.project);
            }
            Op::Revoke => self.revoke(step.project),
            Op::Stray => self.stray(step.project),
            Op::Own(own) => hub.step(own),
        }
    }

    /// Lets everything come to rest, and checks that it does.
    pub(crate) fn settle(&mut self, seed: u64) {
        for (at, hub) in self.hubs.iter_mut().enumerate() {
            hub.audited = true;
            hub.dice = Dice::of(seed, u64::MAX - 1 - at as u64);
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
            hub.admissions.clear();
        }
    }

    /// A key of a project is revoked, and another takes its place.
    fn revoke(&mut self, project: usize) {
        let hub = &mut self.hubs[project];
        let key = hub.dice.below(KEYS);
        let revoked = hub.replace_key(key, &self.pepper);
        self.readmit();
        self.hubs[project].end_key(&revoked);
    }

    /// Another life of the hub: what is durable is there, all else is gone.
    fn restart(&mut self, project: usize) {
        let dice = &mut self.hubs[project].dice;
        let span = |dice: &mut Dice| if self.faults.clock_steps { dice.below(4) } else { 0 };
        let (way, dice) = (span(dice), dice.split());
        let mut dice = dice;
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
        let client = hub.introduce(Era::Http, orch_core::ports::gateway::Target::Unified, key);
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
