//! The graph of a plan: cycles, phases, and the longest chain.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

use super::fault::Faults;
use super::{Plan, Pointer, Step};
use crate::{Limit, Limits};

/// In which phase each step is: one after the last of those that it waits for. `None` for those in or behind a cycle.
pub(super) fn phases(steps: &[Step]) -> Vec<Option<usize>> {
    let mut phases: Vec<Option<usize>> = alloc::vec![None; steps.len()];
    let mut waiting: BTreeSet<usize> = (0..steps.len()).collect();
    let mut phase = 0_usize;
    loop {
        let ready = |step: &usize| {
            let after = steps.get(*step).map(|step| &step.after);
            after.is_some_and(|after| after.iter().all(|before| !waiting.contains(before)))
        };
        let now: Vec<usize> = waiting.iter().copied().filter(ready).collect();
        if now.is_empty() {
            return phases;
        }
        for step in now {
            waiting.remove(&step);
            if let Some(entry) = phases.get_mut(step) {
                *entry = Some(phase);
            }
        }
        phase = phase.saturating_add(1);
    }
}

/// Finds cycles, and chains that are too long.
pub(super) fn check(plan: &Plan, limits: &Limits, faults: &mut Faults) {
    let phases = phases(&plan.steps);
    let steps = Pointer::default().member("steps");
    let mut seen = BTreeSet::new();
    for start in phases.iter().enumerate().filter(|(_, phase)| phase.is_none()).map(|(step, _)| step) {
        if let Some(cycle) = cycle(plan, &phases, start, &mut seen) {
            let names: Vec<&str> =
                cycle.iter().filter_map(|step| Some(plan.steps.get(*step)?.id.as_str())).collect();
            let at = cycle.first().map_or_else(|| steps.clone(), |first| steps.element(*first));
            faults.add(&at, format!("a cycle, in which each waits for the next: {}", names.join(" -> ")));
        }
    }
    let depth = phases.iter().flatten().max().map_or(0, |last| last.saturating_add(1));
    if depth > limits.plan_depth {
        faults.exceeds(&steps, Limit::PlanDepth, limits.plan_depth);
    }
}

/// Follows what cannot be begun until it comes round: the steps of the cycle, the first one again at its end.
fn cycle(
    plan: &Plan,
    phases: &[Option<usize>],
    start: usize,
    seen: &mut BTreeSet<usize>,
) -> Option<Vec<usize>> {
    let mut path: Vec<usize> = Vec::new();
    let mut at = start;
    loop {
        if let Some(first) = path.iter().position(|step| *step == at) {
            let mut cycle = path.split_off(first);
            cycle.push(at);
            return Some(cycle);
        }
        if !seen.insert(at) {
            return None;
        }
        path.push(at);
        let blocked = |step: &&usize| phases.get(**step).is_some_and(Option::is_none);
        at = *plan.steps.get(at)?.after.iter().find(blocked)?;
    }
}

/// The longest chain of steps that wait for one another, in the order in which they run.
pub(super) fn critical_path(steps: &[Step]) -> Vec<&str> {
    let phases = phases(steps);
    let last = phases.iter().enumerate().max_by_key(|(step, phase)| (**phase, core::cmp::Reverse(*step)));
    let mut path: Vec<&str> = Vec::new();
    let mut at = last.map(|(step, _)| step);
    while let Some(step) = at.and_then(|at| steps.get(at)) {
        path.push(&step.id);
        at = step.after.iter().copied().max_by_key(|before| phases.get(*before).copied().flatten());
    }
    path.reverse();
    path
}

/// The steps of each phase.
pub(super) fn by_phase(steps: &[Step]) -> Vec<Vec<&Step>> {
    let phases = phases(steps);
    let last = phases.iter().flatten().max().map_or(0, |last| last.saturating_add(1));
    let of = |phase| {
        let those = steps.iter().zip(&phases).filter(move |(_, own)| **own == Some(phase));
        those.map(|(step, _)| step).collect()
    };
    (0..last).map(of).collect()
}
