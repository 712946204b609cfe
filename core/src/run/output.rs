//! What goes out of a run: the output that its plan names, and values of what stays.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

use super::Run;
use super::resolve::Local;
use crate::plan::{Pointer, Raw, Reference, Root, Source};
use crate::rpc::write;

impl Run {
    /// The raw JSON that goes to the caller. What failed or was not done is null, unless its plan says otherwise.
    pub fn output(&self) -> Bytes {
        if let Some(output) = &self.plan.output {
            let filled = output.fill(|reference| Ok::<_, ()>(self.shown(reference)));
            return filled.unwrap_or_default().into();
        }
        let mut out = Vec::from(b"{");
        for leaf in self.plan.leaves() {
            let Some(step) = self.plan.steps.get(leaf) else { continue };
            if out.len() > 1 {
                out.push(b',');
            }
            write::string(&mut out, &step.id);
            out.push(b':');
            out.extend_from_slice(&self.shown(&whole(leaf)));
        }
        out.push(b'}');
        out.into()
    }

    fn shown(&self, reference: &Reference) -> Bytes {
        let null = || Bytes::from_static(b"null");
        let failed = |step: usize| self.steps.get(step).is_some_and(super::step::StepState::has_failed);
        let default = || reference.default.as_deref().map(Bytes::copy_from_slice);
        match reference.source {
            Source::Step(step) if failed(step) => default().unwrap_or_else(null),
            Source::Index | Source::Item | Source::Step(_) => {
                self.resolve(reference, Local { item: None, index: 0 }).unwrap_or_else(|_| null())
            }
        }
    }

    /// A part of the output, or of what a step says; the error says what there is.
    pub fn value(&self, step: Option<&str>, pointer: &Pointer) -> Result<Bytes, String> {
        let Some(id) = step else {
            let output = self.output();
            let found = pointer.within(Raw::of(&output)).map(|found| output.slice_ref(found.0));
            return found.ok_or_else(|| format!("the output has nothing at {:?}", pointer.to_string()));
        };
        let Some(step) = self.plan.steps.iter().position(|step| step.id == id) else {
            let ids: Vec<&str> = self.plan.steps.iter().map(|step| step.id.as_str()).collect();
            return Err(format!("there is no step {id:?}; the steps are {}", ids.join(", ")));
        };
        let reference = Reference { pointer: pointer.clone(), ..whole(step) };
        self.resolve(&reference, Local { item: None, index: 0 })
            .map_err(|_| format!("step {id} has nothing at {:?}", pointer.to_string()))
    }
}

fn whole(step: usize) -> Reference {
    Reference { source: Source::Step(step), root: Root::Value, pointer: Pointer::default(), default: None }
}
