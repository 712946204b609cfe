//! Plans: what a client writes who wants a whole graph of tool calls done in one turn (`batch_execute`).
//!
//! A plan is read and checked whole, and all that is wrong with it is said at once, each fault with its place. What is
//! left is a graph of steps whose references are resolved: [`crate::run`] carries it out. Nothing here has a state.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

mod allowance;
mod check;
mod condition;
mod fault;
mod fields;
mod fits;
mod graph;
mod nearest;
mod outline;
mod pattern;
mod pointer;
mod raw;
mod reference;
mod schema;
mod step;

pub use allowance::{Allowance, Bound};
pub use check::Tools;
pub(crate) use check::misfit;
pub use condition::{Comparison, Condition, Values};
pub use fault::PlanFault;
pub use outline::{Outline, Phase};
pub use pattern::Pattern;
pub use pointer::Pointer;
pub(crate) use pointer::{index, parsed};
pub(crate) use raw::{Kind, Raw};
pub use reference::{Reference, Root, Source};
pub use schema::{TOOLS, input_schema};
pub(crate) use step::manner_faults;

/// A plan that was found to be good.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its steps, in the order in which they were written.
    pub steps: Vec<Step>,
    /// What goes back to the caller; the values of the steps that no other step waits for when absent.
    pub output: Option<Pattern>,
    /// How many calls may be under way at the same time.
    pub max_parallel: usize,
    /// How long the whole may take.
    pub deadline: Duration,
    /// Whether only to say what would be done.
    pub dry_run: bool,
    /// Whether the caller wants a handle instead of waiting.
    pub background: bool,
    /// Bytes of the text that says it.
    pub bytes: usize,
}

/// A step of a plan: one call of a tool, or one for each element of an array.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name within the plan.
    pub id: String,
    /// The tool, by any of its names.
    pub tool: String,
    /// The tool's arguments: an object.
    pub arguments: Pattern,
    /// The steps that must have ended before it begins.
    pub after: BTreeSet<usize>,
    /// Those of them without which it is not done. What it refers to with a default, or asks only whether it exists, can be
    /// missing.
    pub needs: BTreeSet<usize>,
    /// What it is done for.
    pub for_each: Option<ForEach>,
    /// Whether it is done at all. With `for_each`, asked for each element.
    pub when: Option<Box<Condition>>,
    /// How often it is tried.
    pub retry: Retry,
    /// How long one try may take.
    pub timeout: Option<Duration>,
    /// What becomes of the rest when it fails.
    pub on_error: OnError,
    /// Whether its tool says that doing it twice is like doing it once.
    pub repeatable: bool,
}

/// The array that a step is done for.
#[derive(Clone, Debug, PartialEq)]
pub struct ForEach {
    /// The array.
    pub over: Pattern,
    /// How many of its elements are worked on at the same time.
    pub width: usize,
}

/// How often a step is tried. Again only if nothing has happened, or its tool is repeatable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// In all, the first time included.
    pub attempts: u32,
    /// The pause before the second try; doubled with each further one.
    pub backoff: Duration,
    /// Whether its plan says so: then nothing else repeats its calls.
    pub is_own: bool,
}

impl Retry {
    /// One try.
    pub const NEVER: Self = Self { attempts: 1, backoff: Duration::ZERO, is_own: false };
}

/// What becomes of the rest when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// What waits for it runs all the same, and sees its error as its result.
    Continue,
    /// Nothing new is begun.
    Fail,
    /// What waits for it is skipped; the rest goes on.
    Skip,
}

impl Step {
    /// Shows each reference whose value must be there.
    pub(crate) fn visit_needed<'a>(&'a self, see: &mut dyn FnMut(&'a Reference)) {
        let mut needed = |reference: &'a Reference| {
            if reference.default.is_none() {
                see(reference);
            }
        };
        self.references_of_call().for_each(&mut needed);
        if let Some(when) = &self.when {
            when.visit_compared(&mut needed);
        }
    }

    /// Shows each reference in it.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Reference)) {
        self.references_of_call().for_each(&mut *see);
        if let Some(when) = &self.when {
            when.visit(see);
        }
    }

    /// The references of which its calls are made.
    fn references_of_call(&self) -> impl Iterator<Item = &Reference> {
        let over = self.for_each.iter().flat_map(|each| each.over.references());
        self.arguments.references().chain(over)
    }
}

impl Plan {
    /// The steps that no other one waits for.
    pub fn leaves(&self) -> impl Iterator<Item = usize> {
        let awaited: BTreeSet<usize> =
            self.steps.iter().flat_map(|step| step.after.iter().copied()).collect();
        (0..self.steps.len()).filter(move |step| !awaited.contains(step))
    }

    /// The steps that a step refers to.
    pub(crate) fn sources(&self, step: usize) -> BTreeSet<usize> {
        let mut sources = BTreeSet::new();
        if let Some(step) = self.steps.get(step) {
            step.visit(&mut |reference| sources.extend(reference.step()));
        }
        sources
    }

    /// The steps that the calls of a step are made of, whether or not they are made.
    pub(crate) fn sources_of_call(&self, step: usize) -> BTreeSet<usize> {
        let references = self.steps.get(step).into_iter().flat_map(Step::references_of_call);
        references.filter_map(Reference::step).collect()
    }

    /// The steps whose values go back to the caller.
    pub(crate) fn shown(&self) -> BTreeSet<usize> {
        match &self.output {
            Some(output) => output.references().filter_map(Reference::step).collect(),
            None => self.leaves().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
