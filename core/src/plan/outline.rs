//! What a plan would do: phases, order, width, and the longest chain. Nothing runs for it.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::{Plan, Step, graph};

/// What a plan would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The phases, one after the other. A step begins as soon as what it waits for has ended, whatever else its phase does.
    pub phases: Vec<Phase>,
    /// The steps in an order in which they could run one by one.
    pub order: Vec<String>,
    /// How many calls may be under way at the same time.
    pub width: usize,
    /// The longest chain of steps that wait for one another.
    pub critical_path: Vec<String>,
    /// How many calls are made at most, as far as that is known.
    pub calls: usize,
    /// Whether there are more: one for each element of an array that is not known yet.
    pub more_calls: bool,
}

/// Steps that wait for none of each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// The how-many-eth, from 1.
    pub phase: usize,
    /// Their ids.
    pub steps: Vec<String>,
    /// How many calls of it may be under way at the same time.
    pub width: usize,
}

impl Plan {
    /// Says what the plan would do.
    pub fn outline(&self) -> Outline {
        let phases: Vec<Phase> = graph::by_phase(&self.steps)
            .into_iter()
            .enumerate()
            .map(|(index, steps)| Phase {
                phase: index.saturating_add(1),
                width: steps.iter().map(|step| step.width()).sum::<usize>().min(self.max_parallel),
                steps: steps.iter().map(|step| step.id.clone()).collect(),
            })
            .collect();
        Outline {
            order: phases.iter().flat_map(|phase| phase.steps.iter().cloned()).collect(),
            width: phases.iter().map(|phase| phase.width).max().unwrap_or_default(),
            critical_path: graph::critical_path(&self.steps).into_iter().map(String::from).collect(),
            calls: self.steps.iter().filter_map(Step::calls).sum(),
            more_calls: self.steps.iter().any(|step| step.calls().is_none()),
            phases,
        }
    }
}

impl Step {
    /// How many of its calls may be under way at the same time.
    fn width(&self) -> usize {
        let most = self.for_each.as_ref().map_or(1, |each| each.width);
        self.calls().map_or(most, |calls| calls.min(most))
    }
}
