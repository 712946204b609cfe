//! What becomes of a model's answer: a plan that can run, or why there is none.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Extract, Goal, extract};
use crate::Limits;
use crate::plan::{Plan, PlanFault, Pointer, Tools};
use crate::ports::planner::Written;
use crate::rpc::{JsonLimits, scan};

/// What a model's answer comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A plan that passes the check of all plans, and what the model has written of it.
    Plan(Plan, String),
    /// What is wrong, and with what, where there was a plan at all.
    Faults(Vec<PlanFault>, Option<String>),
    /// The model says that the tools cannot do it, and why.
    Impossible(String),
}

impl Answer {
    /// Reads what a model has written for a goal.
    pub fn read(goal: &Goal<'_>, written: &Written, tools: &dyn Tools, limits: &Limits) -> Self {
        match extract(&written.text, limits) {
            Extract::Impossible(why) => Self::Impossible(why),
            Extract::Broken(why) if !written.cut => Self::Faults(fault(&why), None),
            // What it meant to end with is not there.
            Extract::Plan(_) if written.cut => Self::Faults(nothing(true), None),
            Extract::Broken(_) | Extract::Nothing => Self::Faults(nothing(written.cut), None),
            Extract::Plan(object) => {
                let own = Goal::kept(object);
                match Self::check(goal, &own, tools, limits) {
                    Ok(plan) => Self::Plan(plan, own),
                    Err(faults) => Self::Faults(faults, Some(own)),
                }
            }
        }
    }

    /// What is wrong with an answer that holds no plan.
    pub fn no_plan() -> Vec<PlanFault> {
        nothing(false)
    }

    /// Checks a plan that was read or kept before, with what the goal's caller says about the run.
    pub fn check(
        goal: &Goal<'_>,
        own: &str,
        tools: &dyn Tools,
        limits: &Limits,
    ) -> Result<Plan, Vec<PlanFault>> {
        let text = goal.plan(own);
        if scan(&text, JsonLimits::of_clients(limits), false).is_err() {
            return Err(nothing(false));
        }
        Plan::read(&text, tools, limits)
    }
}

/// What is wrong with an answer that holds no plan.
fn nothing(cut: bool) -> Vec<PlanFault> {
    let problem = if cut {
        "the answer was cut off at the bound on its tokens: a shorter plan is needed, or a greater `maxTokens` of \"planner\""
    } else {
        "the answer holds no JSON object with \"steps\", an array"
    };
    fault(problem)
}

fn fault(problem: &str) -> Vec<PlanFault> {
    Vec::from([PlanFault { at: Pointer::default(), problem: problem.into() }])
}
