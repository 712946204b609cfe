//! What goes out of a run: the output that its plan names, and values of what stays.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;
use serde::Serialize;

use super::Run;
use super::resolve::Local;
use super::step::{Ended, Missing};
use crate::plan::{Allowance, Bound, Pointer, Reference, Root, Source};
use crate::rpc::write;

/// Whoever is told of more places than this learns nothing more.
const GAPS: usize = 50;

/// A place that an output names, and that leads to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The step.
    pub step: String,
    /// Where in its value: a JSON Pointer.
    pub path: String,
    /// Why, in words.
    pub why: String,
}

impl Run {
    /// The raw JSON that goes to the caller. What failed or was not done is null, unless its plan says otherwise: by a default, or
    /// by going on with what the failure says. The error is the bound that it would go beyond.
    pub fn output(&self) -> Result<Bytes, Bound> {
        self.output_and_gaps().map(|(output, _)| output)
    }

    /// The same, with the places that its plan names and that lead to nothing, though their steps are done: the first of them, each
    /// once.
    pub fn output_and_gaps(&self) -> Result<(Bytes, Vec<Gap>), Bound> {
        let mut gaps = Vec::new();
        if let Some(output) = &self.plan.output {
            let mut allowance = self.allowance(self.bounds.values);
            if let Some(reference) = output.only() {
                return Ok((self.shown(reference, (&mut allowance, &mut gaps))?, gaps));
            }
            let longest = allowance.longest();
            let filled = output.fill(longest, |it| self.shown(it, (&mut allowance, &mut gaps)))?;
            return Ok((filled.into(), gaps));
        }
        // Each value is there once: all of them are no longer than what is kept.
        let mut allowance = self.allowance(self.bounds.kept);
        let mut out = Vec::from(b"{");
        for leaf in self.plan.leaves() {
            let Some(step) = self.plan.steps.get(leaf) else { continue };
            if out.len() > 1 {
                out.push(b',');
            }
            write::string(&mut out, &step.id);
            out.push(b':');
            let shown = self.shown(&whole(leaf), (&mut allowance, &mut gaps))?;
            allowance.longest().admits(out.len().saturating_add(shown.len()))?;
            out.extend_from_slice(&shown);
        }
        out.push(b'}');
        Ok((out.into(), gaps))
    }

    fn shown(
        &self,
        reference: &Reference,
        (allowance, gaps): (&mut Allowance, &mut Vec<Gap>),
    ) -> Result<Bytes, Bound> {
        let null = || Bytes::from_static(b"null");
        let default = reference.default.as_deref().map(Bytes::copy_from_slice);
        let ended = reference.step().and_then(|step| self.steps.get(step)?.ended.as_ref());
        match (ended, default) {
            (Some(Ended::Failed | Ended::FailedButGoesOn), Some(default)) => return Ok(default),
            (Some(Ended::Failed), None) => return Ok(null()),
            (Some(_) | None, _) => {}
        }
        match self.resolve(reference, Local { item: None, index: 0 }, allowance) {
            Ok(value) => Ok(value),
            Err(Missing::Lost(why) | Missing::Nothing(why)) => {
                let step = self.step_of(reference).unwrap_or_default();
                let gap = Gap { step, path: reference.pointer.to_string(), why };
                if gaps.len() < GAPS && !gaps.contains(&gap) {
                    gaps.push(gap);
                }
                Ok(null())
            }
            Err(Missing::Skipped(_)) => Ok(null()),
            Err(Missing::TooMuch(bound)) => Err(bound),
        }
    }

    fn step_of(&self, reference: &Reference) -> Option<String> {
        self.plan.steps.get(reference.step()?).map(|step| step.id.clone())
    }

    /// Says so where only the beginning is there of what a step says.
    pub fn is_cut_at(&self, step: Option<&str>, pointer: &Pointer) -> Option<String> {
        let step = self.plan.steps.iter().position(|it| Some(it.id.as_str()) == step)?;
        self.is_cut(step, pointer)
    }

    /// A part of the output, or of what a step says; the error says what there is.
    pub fn value(&self, step: Option<&str>, pointer: &Pointer) -> Result<Bytes, String> {
        let mut allowance = self.allowance(self.bounds.kept);
        let Some(id) = step else {
            let output = self.output().map_err(|bound| format!("{bound} by the output"))?;
            let found = pointer.within(&output, self.json, &mut allowance);
            let found = found.map_err(|bound| format!("{bound}"))?;
            return found.ok_or_else(|| format!("the output has nothing at {:?}", pointer.to_string()));
        };
        let Some(step) = self.plan.steps.iter().position(|step| step.id == id) else {
            let ids: Vec<&str> = self.plan.steps.iter().map(|step| step.id.as_str()).collect();
            return Err(format!("there is no step {id:?}; the steps are {}", ids.join(", ")));
        };
        self.value_at(step, Root::Value, pointer, &mut allowance).map_err(|missing| match missing {
            Missing::Lost(words) => words,
            Missing::Nothing(_) | Missing::Skipped(_) => {
                format!("step {id} has nothing at {:?}", pointer.to_string())
            }
            Missing::TooMuch(bound) => format!("{bound} by the result of step {id}"),
        })
    }
}

fn whole(step: usize) -> Reference {
    Reference { source: Source::Step(step), root: Root::Value, pointer: Pointer::default(), default: None }
}
