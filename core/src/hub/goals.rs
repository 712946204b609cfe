//! What `batch_execute` says of a goal that was planned and does not run.

use alloc::vec::Vec;
use serde::Serialize;
use serde_json::value::RawValue;

use super::plans::{Fault, told};
use crate::plan::{Outline, PlanFault};
use crate::planner::Spent;

#[derive(Serialize)]
struct Planned<'a> {
    /// As it is sent to run it.
    #[serde(rename = "planned", skip_serializing_if = "Option::is_none")]
    plan: Option<&'a RawValue>,
    #[serde(flatten)]
    outline: &'a Outline,
    planner: &'a Spent,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct Unplanned<'a> {
    faults: Vec<Fault<'a>>,
    #[serde(rename = "planned", skip_serializing_if = "Option::is_none")]
    plan: Option<&'a RawValue>,
    planner: &'a Spent,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

/// A plan that was made of a goal, and what it would do.
pub(crate) fn planned(plan: &str, outline: &Outline, planner: &Spent, note: Option<&str>) -> Vec<u8> {
    told(&Planned { plan: raw(plan), outline, planner, note }, false)
}

/// No plan came of a goal: what is wrong with the last one that was made, and that one.
pub(crate) fn unplanned(
    plan: Option<&str>,
    faults: &[PlanFault],
    planner: &Spent,
    note: Option<&str>,
) -> Vec<u8> {
    told(&Unplanned { faults: Fault::all(faults), plan: plan.and_then(raw), planner, note }, true)
}

fn raw(plan: &str) -> Option<&RawValue> {
    serde_json::from_str(plan).ok()
}
