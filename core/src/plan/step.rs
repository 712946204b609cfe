//! The text of a plan, read into its steps. What it refers to is found; tools are looked up elsewhere.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::condition::Condition;
use super::fault::Faults;
use super::fields::Fields;
use super::nearest::unknown;
use super::raw::{Kind, Raw};
use super::reference::Scope;
use super::{ForEach, OnError, Pattern, Plan, PlanFault, Pointer, Retry, Step};
use crate::{Limit, Limits};

pub(super) const PLAN_FIELDS: [&str; 6] =
    ["steps", "output", "max_parallel", "deadline_ms", "dry_run", "background"];
pub(super) const STEP_FIELDS: [&str; 9] =
    ["id", "tool", "arguments", "depends_on", "for_each", "when", "retry", "timeout_ms", "on_error"];
pub(super) const FOR_EACH_FIELDS: [&str; 2] = ["in", "width"];
pub(super) const RETRY_FIELDS: [&str; 2] = ["attempts", "backoff_ms"];
pub(super) const ON_ERROR: [&str; 3] = ["fail", "skip", "continue"];

/// Where a plan says so itself, calls run side by side only up to here.
pub(super) const PARALLEL: usize = 8;
const BACKOFF: Duration = Duration::from_millis(500);
const ID_BYTES: usize = 64;
/// How whoever sends a plan waits for its answer: no part of the plan, and added by interfaces that wait in a way of their own.
const MANNERS: [&str; 2] = ["dry_run", "background"];

/// What a plan is read with.
struct Reading<'a, 'f> {
    limits: &'a Limits,
    ids: &'a BTreeMap<String, usize>,
    faults: &'f mut Faults,
}

/// What a plan says of how it is carried out.
struct Manner {
    max_parallel: usize,
    deadline: Duration,
    dry_run: bool,
    background: bool,
}

impl Manner {
    fn read(fields: &Fields<'_>, limits: &Limits, faults: &mut Faults) -> Self {
        let parallel = width(fields, "max_parallel", limits, faults);
        let deadline = fields.millis("deadline_ms", (limits.run_deadline, "run_deadline"), faults);
        Self {
            max_parallel: parallel.unwrap_or_else(|| PARALLEL.min(limits.plan_parallel)),
            deadline: deadline.unwrap_or(limits.run_deadline),
            dry_run: fields.flag("dry_run", faults),
            background: fields.flag("background", faults),
        }
    }
}

/// What is wrong with what an object says of how a plan is to be carried out, whatever else is in it.
pub(crate) fn manner_faults(object: Raw<'_>, limits: &Limits) -> Vec<PlanFault> {
    let mut faults = Faults::default();
    Manner::read(&Fields::any(object), limits, &mut faults);
    faults.0
}

/// Reads a plan. Without one, its faults say why.
pub(super) fn read(text: Raw<'_>, limits: &Limits, faults: &mut Faults) -> Option<Plan> {
    let whole = Pointer::default();
    if text.0.len() > limits.plan_bytes && length(text) > limits.plan_bytes {
        faults.exceeds(&whole, Limit::PlanBytes, limits.plan_bytes);
        return None;
    }
    let fields = Fields::read(text, whole, &PLAN_FIELDS, faults)?;
    let Some((steps, at)) = fields.get("steps") else {
        faults
            .add(&fields.at, "the field \"steps\" is missing (or \"goal\": in words what is to be achieved)");
        return None;
    };
    let written = steps.elements();
    if written.is_empty() {
        faults.add(&at, "an array of at least one step is expected");
        return None;
    }
    if written.len() > limits.plan_steps {
        faults.exceeds(&at, Limit::PlanSteps, limits.plan_steps);
        return None;
    }
    let ids = ids(&written, &at, faults);
    let mut reading = Reading { limits, ids: &ids, faults };
    let steps = written.into_iter().enumerate().map(|(index, step)| reading.step(step, at.element(index)));
    let steps: Vec<Step> = steps.collect();
    let output = reading.output(&fields);
    let Manner { max_parallel, deadline, dry_run, background } = Manner::read(&fields, limits, faults);
    let bytes = text.0.len();
    Some(Plan { steps, output, max_parallel, deadline, dry_run, background, bytes })
}

/// The bytes of a plan without what says how it is answered.
fn length(text: Raw<'_>) -> usize {
    let members = text.members();
    let flags = members.iter().filter(|(name, value)| MANNERS.contains(&&**name) && value.bool().is_some());
    let around = r#","":"#.len();
    let sizes = flags.map(|(name, value)| around.saturating_add(name.len()).saturating_add(value.0.len()));
    sizes.fold(text.0.len(), usize::saturating_sub)
}

/// Stands for what is no step, so that the others are looked at all the same.
fn nothing() -> Step {
    Step {
        id: String::new(),
        tool: String::new(),
        arguments: Pattern::from(Raw(b"{}")),
        after: BTreeSet::new(),
        needs: BTreeSet::new(),
        for_each: None,
        when: None,
        retry: Retry::NEVER,
        timeout: None,
        on_error: OnError::Fail,
        repeatable: false,
    }
}

fn width(fields: &Fields<'_>, name: &str, limits: &Limits, faults: &mut Faults) -> Option<usize> {
    let most = limits.plan_parallel;
    let (value, at) = fields.get(name)?;
    let width = value.whole().and_then(|width| usize::try_from(width).ok());
    match width.filter(|width| *width > 0) {
        Some(width) if width > most => faults.exceeds(&at, Limit::PlanParallel, most),
        Some(width) => return Some(width),
        None => faults.add(&at, "a whole number of at least 1 is expected"),
    }
    None
}

/// The steps by their ids.
fn ids(steps: &[Raw<'_>], at: &Pointer, faults: &mut Faults) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let Some(id) = step.member("id").and_then(Raw::text) else { continue };
        let at = at.element(index).member("id");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(plain) {
            faults.add(&at, format!("an id is 1 to {ID_BYTES} of the characters A-Z, a-z, 0-9, _ and -"));
        }
        if matches!(&*id, "item" | "index") {
            faults.add(&at, format!("no step can be called {id:?}: in templates that is the element"));
        }
        if let Some(first) = ids.get(&*id) {
            faults.add(&at, format!("/steps/{first} has the id {id:?} already"));
        } else {
            ids.insert((*id).to_owned(), index);
        }
    }
    ids
}

impl Reading<'_, '_> {
    fn step(&mut self, step: Raw<'_>, at: Pointer) -> Step {
        let Some(fields) = Fields::read(step, at, &STEP_FIELDS, self.faults) else { return nothing() };
        let (id, tool) = (fields.text("id", self.faults), fields.text("tool", self.faults));
        let for_each = fields.get("for_each").map(|(value, at)| self.for_each(value, &at));
        let scope = Scope { ids: self.ids, iterates: for_each.is_some() };
        let arguments = match fields.get("arguments") {
            Some((value, at)) => {
                if value.kind() != Kind::Object {
                    self.faults.add(&at, "arguments are an object");
                }
                Pattern::read(value, &at, scope, self.faults)
            }
            None => Pattern::from(Raw(b"{}")),
        };
        let when = fields.get("when").and_then(|(value, at)| Condition::read(value, &at, scope, self.faults));
        let after = self.depends_on(&fields);
        let mut step = Step {
            // What is missing was said; the rest is looked at all the same.
            id: id.unwrap_or_default(),
            tool: tool.unwrap_or_default(),
            arguments,
            after,
            needs: BTreeSet::new(),
            for_each: for_each.flatten(),
            when: when.map(Box::new),
            retry: self.retry(&fields),
            timeout: fields.millis("timeout_ms", (self.limits.run_deadline, "run_deadline"), self.faults),
            on_error: self.on_error(&fields),
            repeatable: false,
        };
        let (mut sources, mut needs) = (BTreeSet::new(), step.after.clone());
        step.visit(&mut |reference| sources.extend(reference.step()));
        step.visit_needed(&mut |reference| needs.extend(reference.step()));
        step.after.append(&mut sources);
        step.needs = needs;
        step
    }

    fn depends_on(&mut self, fields: &Fields<'_>) -> BTreeSet<usize> {
        let Some((value, at)) = fields.get("depends_on") else { return BTreeSet::new() };
        if value.kind() != Kind::Array {
            self.faults.add(&at, "an array of ids is expected");
        }
        let mut after = BTreeSet::new();
        for (index, element) in value.elements().into_iter().enumerate() {
            let at = at.element(index);
            let Some(id) = element.text() else {
                self.faults.add(&at, "the id of a step is a string");
                continue;
            };
            match self.ids.get(&*id) {
                Some(step) => drop(after.insert(*step)),
                None => self.faults.add(&at, unknown("step", &id, self.ids.keys().map(String::as_str))),
            }
        }
        after
    }

    /// An array, a reference to one, or either with a width.
    fn for_each(&mut self, value: Raw<'_>, at: &Pointer) -> Option<ForEach> {
        let scope = Scope { ids: self.ids, iterates: false };
        let (over, at, width) = match value.member("in") {
            Some(_) => {
                let fields = Fields::read(value, at.clone(), &FOR_EACH_FIELDS, self.faults)?;
                let width = width(&fields, "width", self.limits, self.faults);
                let (over, at) = fields.get("in")?;
                (over, at, width)
            }
            None => (value, at.clone(), None),
        };
        let pattern = Pattern::read(over, &at, scope, self.faults);
        if over.kind() != Kind::Array && pattern.only().is_none() {
            self.faults
                .add(&at, "an array or a reference to one is expected, or {\"in\": ..., \"width\": ...}");
        }
        Some(ForEach { over: pattern, width: width.unwrap_or(self.limits.plan_parallel) })
    }

    fn retry(&mut self, fields: &Fields<'_>) -> Retry {
        let Some((value, at)) = fields.get("retry") else { return Retry::NEVER };
        let Some(fields) = Fields::read(value, at, &RETRY_FIELDS, self.faults) else { return Retry::NEVER };
        let most = u64::from(self.limits.step_attempts);
        let attempts = fields.whole("attempts", (1..=most, "step_attempts"), self.faults);
        let backoff = fields.millis("backoff_ms", (self.limits.step_backoff, "step_backoff"), self.faults);
        let attempts = attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(1);
        Retry { attempts, backoff: backoff.unwrap_or(BACKOFF), is_own: true }
    }

    fn on_error(&mut self, fields: &Fields<'_>) -> OnError {
        let Some((value, at)) = fields.get("on_error") else { return OnError::Fail };
        match value.text().as_deref() {
            Some("continue") => OnError::Continue,
            Some("fail") => OnError::Fail,
            Some("skip") => OnError::Skip,
            Some(_) | None => {
                self.faults.add(&at, format!("one of {} is expected", ON_ERROR.join(", ")));
                OnError::Fail
            }
        }
    }

    fn output(&mut self, fields: &Fields<'_>) -> Option<Pattern> {
        let (value, at) = fields.get("output")?;
        let scope = Scope { ids: self.ids, iterates: false };
        let known = self.faults.0.len();
        let output = Pattern::read(value, &at, scope, self.faults);
        if output.literal().is_some() && self.faults.0.len() == known {
            let why = "output refers to no step: {\"$from\": step} does, alone or within an object";
            self.faults.add(&at, why);
        }
        Some(output)
    }
}
