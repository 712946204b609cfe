//! What references lead to in a run.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

use super::step::{Element, Ended, Missing, StepState};
use super::{Answer, Run};
use crate::plan::{Allowance, Bound, Pointer, Reference, Root, Source, index};
use crate::rpc::JsonLimits;

/// The element that a step works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local<'a> {
    pub item: Option<&'a Bytes>,
    pub index: usize,
}

impl Run {
    /// The raw JSON that a reference leads to, or its default.
    pub(super) fn resolve(
        &self,
        reference: &Reference,
        local: Local<'_>,
        allowance: &mut Allowance,
    ) -> Result<Bytes, Missing> {
        let pointer = &reference.pointer;
        let found = match reference.source {
            Source::Index => Ok(Bytes::from(local.index.to_string())),
            Source::Item => {
                let item = local.item.map(|item| pointer.within(item, self.json, allowance)).transpose()?;
                item.flatten().ok_or_else(|| {
                    Missing::Nothing(format!("the element has nothing at {:?}", pointer.to_string()))
                })
            }
            // What has failed has a value only for those who were to go on with it, and what was stopped for nobody.
            Source::Step(step) if self.has_come_to_nothing(step) => Err(Missing::Skipped(
                self.plan.steps.get(step).map_or_else(Default::default, |it| it.id.clone()),
            )),
            Source::Step(step) => match self.is_cut(step, pointer) {
                Some(words) => Err(Missing::Lost(words)),
                None => self.value_at(step, reference.root, pointer, allowance),
            },
        };
        match (found, &reference.default) {
            (Err(Missing::Lost(_) | Missing::Nothing(_) | Missing::Skipped(_)), Some(default)) => {
                Ok(Bytes::copy_from_slice(default))
            }
            (found, _) => found,
        }
    }

    fn has_come_to_nothing(&self, step: usize) -> bool {
        let ended = self.steps.get(step).and_then(|state| state.ended.as_ref());
        matches!(ended, Some(Ended::Failed | Ended::Stopped(_)))
    }

    /// Says so if only the beginning is there of what a step says of its failure: nothing is made of that.
    pub(super) fn is_cut(&self, step: usize, pointer: &Pointer) -> Option<String> {
        let (plan, state) = (self.plan.steps.get(step)?, self.steps.get(step)?);
        let is_cut = |it: &Element| it.answer().is_some_and(Answer::is_cut);
        state.leads_to(pointer, plan.for_each.is_some(), is_cut).then(|| {
            let limits = "limits run_bytes, project_run_bytes and run_stored_bytes";
            format!("what step {} said of its failure was not kept whole ({limits})", plan.id)
        })
    }

    /// What a step says, also one that has failed or was stopped half-way.
    pub(super) fn value_at(
        &self,
        step: usize,
        root: Root,
        pointer: &Pointer,
        allowance: &mut Allowance,
    ) -> Result<Bytes, Missing> {
        let (Some(plan), Some(state)) = (self.plan.steps.get(step), self.steps.get(step)) else {
            return Err(Missing::Nothing("there is no such step".to_owned()));
        };
        let is_untouched = match &state.ended {
            Some(Ended::Skipped(_) | Ended::SkippedWithRest(_)) => true,
            Some(Ended::Stopped(_)) => state.done() == 0,
            Some(Ended::Done | Ended::Failed | Ended::FailedButGoesOn | Ended::Unfetched(_)) | None => false,
        };
        if is_untouched {
            return Err(Missing::Skipped(plan.id.clone()));
        }
        let is_many = plan.for_each.is_some();
        let is_gone = |it: &Element| state.is_short_of(it) && it.answer().is_none();
        if let Some(loss) = state.loss().filter(|_| state.leads_to(pointer, is_many, is_gone)) {
            return Err(Missing::Lost(format!("the result of step {} {loss}", plan.id)));
        }
        let found = match (&plan.for_each, state.elements.first()) {
            (None, Some(element)) => element.at(root, pointer, self.json, allowance)?,
            (None, None) => None,
            (Some(_), _) => many(state, root, pointer, (self.json, allowance))?,
        };
        found.ok_or_else(|| {
            Missing::Nothing(format!("step {} has nothing at {:?}", plan.id, pointer.to_string()))
        })
    }
}

impl Element {
    fn at(
        &self,
        root: Root,
        pointer: &Pointer,
        json: JsonLimits,
        allowance: &mut Allowance,
    ) -> Result<Option<Bytes>, Bound> {
        self.answer().map_or(Ok(None), |answer| pointer.within(answer.at(root), json, allowance))
    }
}

/// The value of a step with `for_each`: the array of what its elements say.
fn many(
    state: &StepState,
    root: Root,
    pointer: &Pointer,
    (json, allowance): (JsonLimits, &mut Allowance),
) -> Result<Option<Bytes>, Bound> {
    if let Some((first, rest)) = pointer.split_first() {
        let element = index(first).and_then(|index| state.elements.get(index));
        return element.map_or(Ok(None), |element| element.at(root, &rest, json, allowance));
    }
    let mut out = Vec::from(b"[");
    for (index, element) in state.elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let said = element.at(root, pointer, json, allowance)?;
        let said = said.unwrap_or_else(|| Bytes::from_static(b"null"));
        allowance.longest().admits(out.len().saturating_add(said.len()))?;
        allowance.read(said.len())?;
        out.extend_from_slice(&said);
    }
    out.push(b']');
    allowance.copy(out.len())?;
    Ok(Some(out.into()))
}
