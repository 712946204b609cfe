//! The whole check of a plan: its text, its graph, and its tools.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Faults;
use super::nearest::unknown;
use super::raw::{Kind, Raw};
use super::{Plan, PlanFault, Pointer, Step, fits, graph, schema, step};
use crate::rpc::{JsonLimits, scan};
use crate::{Limit, Limits};

/// The tools that whoever wrote a plan may call.
pub trait Tools {
    /// The raw JSON of a tool's definition, by any of its names.
    fn definition(&self, name: &str) -> Option<Cow<'_, str>>;

    /// The names of all of them, as people know them.
    fn names(&self) -> Vec<String>;

    /// Why nobody knows whether there is a tool of this name, if nobody does.
    fn why_unknown(&self, _name: &str) -> Option<String> {
        None
    }
}

/// What is written before a goal, and after it.
const GOAL: &str = r#""goal":,"#;

/// Names are compared with all others only for the first ones that are unknown.
const GUESSED: usize = 5;

/// What the steps of one plan are checked with.
struct Checking<'a> {
    tools: &'a dyn Tools,
    /// The tools that are not there.
    unknown: BTreeSet<String>,
    /// Bytes of schemas that may still be read.
    left: usize,
}

#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(borrow, rename = "inputSchema")]
    input_schema: Option<&'a RawValue>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    read_only_hint: Option<bool>,
    idempotent_hint: Option<bool>,
}

impl Plan {
    /// Reads and checks a plan. `text` is JSON that was validated before ([`crate::rpc::scan`]). All faults come back
    /// at once, each with its place.
    pub fn read(text: &[u8], tools: &dyn Tools, limits: &Limits) -> Result<Self, Vec<PlanFault>> {
        let (text, mut faults) = (Raw::of(text), Faults::default());
        let Some(mut plan) = step::read(text, limits, &mut faults) else { return Err(faults.0) };
        graph::check(&plan, limits, &mut faults);
        check_width(&plan, limits, &mut faults);
        let written = text.member("steps").map(Raw::elements).unwrap_or_default();
        let mut checking = Checking { tools, unknown: BTreeSet::new(), left: limits.plan_schema_bytes };
        for (index, (step, written)) in plan.steps.iter_mut().zip(written).enumerate() {
            let at = Pointer::default().member("steps").element(index);
            check_tool(step, written, &at, &mut checking, &mut faults);
        }
        if faults.0.is_empty() { Ok(plan) } else { Err(faults.0) }
    }
}

impl Plan {
    /// Reads a plan that was found to be good in an earlier life of the hub, with what its tools said then.
    pub fn recall(text: &str, repeatable: &[bool], limits: &Limits) -> Option<Self> {
        scan(text.as_bytes(), JsonLimits::of_clients(limits), false).ok()?;
        // The goal that it was made of is stored with it, and is no part of what was checked then.
        let goal = Raw::of(text.as_bytes()).member("goal").map_or(0, |goal| goal.0.len());
        let limits = &Limits {
            plan_bytes: limits.plan_bytes.saturating_add(goal).saturating_add(GOAL.len()),
            ..limits.clone()
        };
        let mut plan = step::read(Raw::of(text.as_bytes()), limits, &mut Faults::default())?;
        for (step, repeatable) in plan.steps.iter_mut().zip(repeatable) {
            step.repeatable = *repeatable;
        }
        Some(plan)
    }
}

/// How many calls it has, as far as its arrays are known: a condition may leave some of them out.
fn check_width(plan: &Plan, limits: &Limits, faults: &mut Faults) {
    let calls = plan.steps.iter().map(|step| step.calls().unwrap_or(1)).fold(0, usize::saturating_add);
    if calls > limits.run_calls {
        faults.exceeds(&Pointer::default().member("steps"), Limit::RunCalls, limits.run_calls);
    }
}

impl Step {
    /// How many calls it makes, if that is known before it runs.
    pub(super) fn calls(&self) -> Option<usize> {
        match &self.for_each {
            None => Some(1),
            Some(each) => each.over.literal().map(|array| array.elements().len()),
        }
    }
}

fn check_tool(
    step: &mut Step,
    written: Raw<'_>,
    at: &Pointer,
    checking: &mut Checking<'_>,
    faults: &mut Faults,
) {
    // That it is missing was said.
    if step.tool.is_empty() && written.member("tool").and_then(Raw::text).is_none() {
        return;
    }
    let own = at.member("tool");
    if schema::TOOLS.iter().any(|tool| step.tool == *tool) {
        return faults.add(&own, format!("{} cannot be a step of a plan", step.tool));
    }
    let Some(json) = checking.tools.definition(&step.tool) else {
        if let Some(why) = checking.tools.why_unknown(&step.tool) {
            return faults.add(&own, format!("nobody knows whether there is a tool {:?}: {why}", step.tool));
        }
        checking.unknown.insert(step.tool.clone());
        let names = if checking.unknown.len() > GUESSED { Vec::new() } else { checking.tools.names() };
        return faults.add(&own, unknown("tool", &step.tool, names.iter().map(String::as_str)));
    };
    // A definition that cannot be read says nothing: its server judges the arguments.
    let Ok(definition) = serde_json::from_str::<Definition<'_>>(&json) else { return };
    let Annotations { read_only_hint, idempotent_hint } = definition.annotations;
    step.repeatable = read_only_hint == Some(true) || idempotent_hint == Some(true);
    let arguments = written.member("arguments").unwrap_or(Raw(b"{}"));
    if let Some(schema) = definition.input_schema.filter(|_| arguments.kind() == Kind::Object) {
        let at = at.member("arguments");
        faults.extend(fits::check(Raw::from(schema), arguments, &at, &mut checking.left));
    }
}

/// What of the arguments of a tool for plans does not fit its schema, in words; `None` if all does.
pub(crate) fn misfit(schema: &str, arguments: &[u8], limits: &Limits) -> Option<String> {
    let (schema, arguments) = (Raw::of(schema.as_bytes()), Raw::of(arguments));
    let mut left = limits.plan_schema_bytes;
    let faults = fits::check_literal(schema, arguments, &mut left);
    let words = |fault: &PlanFault| {
        let place = if fault.at.is_empty() { String::new() } else { format!("{}: ", fault.at) };
        [&*place, &fault.problem].concat()
    };
    let words: Vec<String> = faults.iter().map(words).collect();
    (!words.is_empty()).then(|| words.join("; "))
}
