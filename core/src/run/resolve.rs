//! What references lead to in a run.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;

use super::step::{Element, Ended, Missing, StepState};
use super::{Answer, Run};
use crate::plan::{Kind, Pattern, Pointer, Raw, Reference, Root, Source, index};
use crate::rpc::JsonLimits;

/// The element that a step works on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local<'a> {
    pub item: Option<&'a Bytes>,
    pub index: usize,
}

impl Run {
    /// The raw JSON that a reference leads to, or its default.
    pub(super) fn resolve(&self, reference: &Reference, local: Local<'_>) -> Result<Bytes, Missing> {
        let found = match reference.source {
            Source::Index => Ok(Bytes::from(local.index.to_string())),
            Source::Item => {
                let item = local.item.and_then(|item| self.reach(item, &reference.pointer));
                item.ok_or_else(|| {
                    Missing::Nothing(format!(
                        "the element has nothing at {:?}",
                        reference.pointer.to_string()
                    ))
                })
            }
            Source::Step(step) => self.value_at(step, reference.root, &reference.pointer),
        };
        found.or_else(|missing| match &reference.default {
            Some(default) => Ok(Bytes::copy_from_slice(default)),
            None => Err(missing),
        })
    }

    /// What a pointer leads to within an element: a text is read as JSON, as in a result.
    fn reach(&self, item: &Bytes, pointer: &Pointer) -> Option<Bytes> {
        let raw = Raw::of(item);
        if raw.kind() == Kind::String && !pointer.is_empty() {
            let mut result = Vec::from(b"{\"content\":[{\"type\":\"text\",\"text\":");
            result.extend_from_slice(raw.0);
            result.extend_from_slice(b"}]}");
            return Answer::read(result.into()).at(Root::Value, pointer, self.json);
        }
        pointer.within(raw).map(|found| item.slice_ref(found.0))
    }

    fn value_at(&self, step: usize, root: Root, pointer: &Pointer) -> Result<Bytes, Missing> {
        let (Some(plan), Some(state)) = (self.plan.steps.get(step), self.steps.get(step)) else {
            return Err(Missing::Nothing("there is no such step".to_owned()));
        };
        if let Some(Ended::Skipped(_) | Ended::SkippedWithRest(_)) = &state.ended {
            return Err(Missing::Skipped(plan.id.clone()));
        }
        let found = match &plan.for_each {
            None => state.elements.first().and_then(|element| element.at(root, pointer, self.json)),
            Some(_) => many(state, root, pointer, self.json),
        };
        found.ok_or_else(|| {
            Missing::Nothing(format!("step {} has nothing at {:?}", plan.id, pointer.to_string()))
        })
    }

    /// The array that a step is done for.
    pub(super) fn array(&self, over: &Pattern) -> Result<Bytes, Missing> {
        let nowhere = Local { item: None, index: 0 };
        if let Some(reference) = over.only() {
            let found = self.resolve(reference, nowhere)?;
            let found = Answer::read(said(&found)).array(self.json);
            return found.ok_or_else(|| Missing::Nothing("for_each is over what is no array".to_owned()));
        }
        over.fill(|reference| self.resolve(reference, nowhere)).map(Bytes::from)
    }
}

/// A value as a result that says it.
fn said(value: &Bytes) -> Bytes {
    let (before, after): (&[u8], &[u8]) = match Raw::of(value).kind() {
        Kind::String => (b"{\"content\":[{\"type\":\"text\",\"text\":", b"}]}"),
        Kind::Array | Kind::Bool | Kind::Null | Kind::Number | Kind::Object => {
            (b"{\"structuredContent\":", b"}")
        }
    };
    [before, value, after].concat().into()
}

impl Element {
    fn at(&self, root: Root, pointer: &Pointer, limits: JsonLimits) -> Option<Bytes> {
        match self {
            Self::Answered(answer) | Self::Failed(answer, _) => answer.at(root, pointer, limits),
            Self::Lost | Self::Pausing { .. } | Self::Running { .. } | Self::Skipped | Self::Waiting => None,
        }
    }
}

/// The value of a step with `for_each`: the array of what its elements say.
fn many(state: &StepState, root: Root, pointer: &Pointer, limits: JsonLimits) -> Option<Bytes> {
    if let Some((first, rest)) = pointer.split_first() {
        return state.elements.get(index(first)?)?.at(root, &rest, limits);
    }
    let mut out = Vec::from(b"[");
    for (index, element) in state.elements.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(
            &element.at(root, pointer, limits).unwrap_or_else(|| Bytes::from_static(b"null")),
        );
    }
    out.push(b']');
    Some(out.into())
}
