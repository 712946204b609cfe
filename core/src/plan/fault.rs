//! What is wrong with a plan, and where: all of it at once.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Pointer;
use crate::Limit;

/// Something that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFault {
    /// Where in the plan: a JSON Pointer.
    pub at: Pointer,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// The faults that were found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(pub Vec<PlanFault>);

/// A model that is shown more of them than this learns nothing more.
const MOST: usize = 50;

impl Faults {
    pub(super) fn add(&mut self, at: &Pointer, problem: impl Into<String>) {
        self.extend(Vec::from([PlanFault { at: at.clone(), problem: problem.into() }]));
    }

    /// The last of them says that there are more.
    pub(super) fn extend(&mut self, faults: Vec<PlanFault>) {
        let room = MOST.saturating_sub(self.0.len());
        let is_over = faults.len() > room && self.0.len() <= MOST;
        self.0.extend(faults.into_iter().take(room));
        if is_over {
            let problem = format!("there are more faults; these are the first {MOST}");
            self.0.push(PlanFault { at: Pointer::default(), problem });
        }
    }

    pub(super) fn exceeds(&mut self, at: &Pointer, limit: Limit, value: impl core::fmt::Display) {
        self.add(at, format!("limit {limit} reached ({value})"));
    }
}
