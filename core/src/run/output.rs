//! What goes out of a run: the output that its plan names, and parts of what stays.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

use super::Run;
use super::resolve::Local;
use super::step::Missing;
use crate::plan::{Allowance, Bound, Pointer, Raw, Reference, Root, Source};
use crate::rpc::write;

/// A part of a value, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// Where it begins, in bytes.
    pub offset: usize,
    /// The text.
    pub text: String,
    /// Bytes of the whole.
    pub total: usize,
}

impl Run {
    /// The raw JSON that goes to the caller. What failed or was not done is null, unless its plan says otherwise. The error is
    /// the bound that it would go beyond.
    pub fn output(&self) -> Result<Bytes, Bound> {
        if let Some(output) = &self.plan.output {
            let mut allowance = self.allowance(self.bounds.values);
            if let Some(reference) = output.only() {
                return self.shown(reference, &mut allowance);
            }
            let longest = allowance.longest();
            return output.fill(longest, |it| self.shown(it, &mut allowance)).map(Bytes::from);
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
            let shown = self.shown(&whole(leaf), &mut allowance)?;
            allowance.longest().admits(out.len().saturating_add(shown.len()))?;
            out.extend_from_slice(&shown);
        }
        out.push(b'}');
        Ok(out.into())
    }

    fn shown(&self, reference: &Reference, allowance: &mut Allowance) -> Result<Bytes, Bound> {
        let null = || Bytes::from_static(b"null");
        let failed = |step: usize| self.steps.get(step).is_some_and(super::step::StepState::has_failed);
        let default = || reference.default.as_deref().map(Bytes::copy_from_slice);
        match reference.source {
            Source::Step(step) if failed(step) => Ok(default().unwrap_or_else(null)),
            Source::Index | Source::Item | Source::Step(_) => {
                match self.resolve(reference, Local { item: None, index: 0 }, allowance) {
                    Ok(value) => Ok(value),
                    Err(Missing::Nothing(_) | Missing::Skipped(_)) => Ok(null()),
                    Err(Missing::TooMuch(bound)) => Err(bound),
                }
            }
        }
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

impl Extract {
    /// At most `length` bytes of a value from `offset` on: of the text that it is, or else of its JSON.
    pub fn of_range(value: &[u8], offset: usize, length: usize) -> Self {
        let text = shown(value);
        let start = boundary(&text, offset);
        let end = boundary(&text, start.saturating_add(length));
        Self { offset: start, text: text.get(start..end).unwrap_or_default().into(), total: text.len() }
    }

    /// The first `most` places at which a value holds `words`, each with `around` bytes before and after.
    pub fn of_search(value: &[u8], words: &str, around: usize, most: usize) -> Vec<Self> {
        let text = shown(value);
        let found = text.match_indices(words).take(most).map(|(at, _)| {
            let start = boundary(&text, at.saturating_sub(around));
            let end = boundary(&text, at.saturating_add(words.len()).saturating_add(around));
            Self { offset: start, text: text.get(start..end).unwrap_or_default().into(), total: text.len() }
        });
        found.collect()
    }
}

fn shown(value: &[u8]) -> Cow<'_, str> {
    let raw = Raw::of(value);
    raw.text().unwrap_or_else(|| Cow::Borrowed(raw.spelling()))
}

/// The last place at or before `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
