//! What a call is made of: whether it is made at all, and its arguments.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::resolve::Local;
use super::step::Missing;
use super::{Array, Run, Unit};
use crate::Limit;
use crate::plan::{Allowance, Bound, Condition, Kind, Pattern, Raw, Reference, Source, Step, Values, parsed};

/// Why a call is not made.
pub(super) enum Unprepared {
    /// Its condition does not hold.
    LeftOut,
    /// What it is to be made of is not there.
    Missing(Missing),
}

/// What the references of a step with `for_each` to other steps have led to, which is the same for all of its elements.
#[derive(Debug, Default)]
pub(super) struct Led {
    found: BTreeMap<Reference, Result<Bytes, Missing>>,
    /// Bytes of it that are no part of a result.
    copied: usize,
}

/// Where the values of one call come from.
struct Sources<'r> {
    run: &'r Run,
    local: Local<'r>,
    led: Option<&'r mut Led>,
    allowance: Allowance,
}

impl Run {
    /// The arguments of a call, if it is to be made at all.
    pub(super) fn prepare(&mut self, unit: Unit) -> Result<Bytes, Unprepared> {
        let plan = Arc::clone(&self.plan);
        let Some(step) = plan.steps.get(unit.step) else { return Err(Unprepared::LeftOut) };
        let Some(state) = self.steps.get_mut(unit.step) else { return Err(Unprepared::LeftOut) };
        let (mut led, is_fetched) = (core::mem::take(&mut state.led), state.fetch.is_some());
        let (item, known) = (state.items.get(unit.element).cloned(), led.copied);
        // What was done once had its condition then.
        let when = step.when.as_ref().filter(|_| !is_fetched);
        let mut sources = Sources {
            run: self,
            local: Local { item: item.as_ref(), index: unit.element },
            led: step.for_each.is_some().then_some(&mut led),
            allowance: self.allowance(self.bounds.arguments),
        };
        let prepared = sources.prepare(step, when.map(AsRef::as_ref));
        let written = prepared.as_ref().map_or(0, Bytes::len);
        let worked = sources.allowance.spent().saturating_add(written).saturating_add(step.arguments.len());
        self.worked = self.worked.saturating_add(worked);
        let held = self.hold(unit.step, led.copied.saturating_sub(known));
        if let (Ok(()), Some(state)) = (held, self.steps.get_mut(unit.step)) {
            state.led = led;
        }
        prepared
    }

    /// The elements of the array that a step is done for, if they are not more than there may be calls.
    pub(super) fn items(
        &mut self,
        index: usize,
        step: &Step,
    ) -> Result<(Vec<Bytes>, Option<Array>), Missing> {
        let Some(each) = &step.for_each else {
            let is_known = self.steps.get(index).is_some_and(|state| !state.elements.is_empty());
            let has_room = is_known || self.calls < self.most_calls;
            return if has_room { Ok((Vec::new(), None)) } else { Err(self.too_many(1)) };
        };
        let mut sources = Sources {
            run: self,
            local: Local { item: None, index: 0 },
            led: None,
            allowance: self.allowance(self.bounds.values),
        };
        let array = sources.array(&each.over);
        let (copied, spent) = (sources.allowance.copied(), sources.allowance.spent());
        self.worked = self.worked.saturating_add(spent);
        let array = array.map_err(|missing| missing.of("for_each"))?;
        self.worked = self.worked.saturating_add(array.len());
        self.hold(index, copied).map_err(|bound| Missing::TooMuch(bound).of("for_each"))?;
        let elements = Raw::of(&array).elements();
        // What was admitted once goes on.
        let known = self.steps.get(index).map_or(0, |state| state.elements.len());
        let most = self.most_calls.saturating_sub(self.calls.saturating_sub(known)).max(known);
        if elements.len() > most {
            return Err(self.too_many(elements.len()));
        }
        let items: Vec<Bytes> = elements.into_iter().map(|element| array.slice_ref(element.0)).collect();
        let known = Array::of(&array, items.len());
        Ok((items, Some(known)))
    }

    fn too_many(&self, elements: usize) -> Missing {
        let bound = Bound { limit: Limit::RunCalls, most: self.most_calls };
        Missing::Nothing(format!("{bound}: it has {elements} elements"))
    }

    pub(super) fn allowance(&self, longest: Bound) -> Allowance {
        Allowance::new(longest, self.bounds.reads)
    }

    /// Holds bytes for a step until it ends, that are no part of a result, if there may be so many.
    pub(super) fn hold(&mut self, step: usize, bytes: usize) -> Result<(), Bound> {
        if bytes > 0 {
            self.has_room(bytes)?;
        }
        let Some(state) = self.steps.get_mut(step) else { return Ok(()) };
        state.held = state.held.saturating_add(bytes);
        self.held = self.held.saturating_add(bytes);
        self.room.left = self.room.left.saturating_sub(bytes);
        Ok(())
    }
}

impl Array {
    fn of(array: &[u8], elements: usize) -> Self {
        let digest: [u8; 32] = Sha256::digest(array).into();
        let digest = digest.first_chunk().copied().map_or(0, u64::from_be_bytes);
        Self { elements, digest }
    }
}

impl Sources<'_> {
    fn prepare(&mut self, step: &Step, when: Option<&Condition>) -> Result<Bytes, Unprepared> {
        if let Some(when) = when {
            match when.holds(self) {
                Ok(true) => {}
                Ok(false) => return Err(Unprepared::LeftOut),
                Err(words) => return Err(Unprepared::Missing(Missing::Nothing(words))),
            }
        }
        let longest = self.allowance.longest();
        let filled = step.arguments.fill(longest, |reference| self.led_to(reference));
        let filled = filled.map_err(|missing| Unprepared::Missing(missing.of("the arguments")))?;
        Ok(filled.into())
    }

    fn led_to(&mut self, reference: &Reference) -> Result<Bytes, Missing> {
        let is_shared = matches!(reference.source, Source::Step(_));
        let known = self.led.as_ref().filter(|_| is_shared).and_then(|led| led.found.get(reference));
        if let Some(known) = known {
            return known.clone();
        }
        let before = self.allowance.copied();
        let found = self.run.resolve(reference, self.local, &mut self.allowance);
        if let Some(led) = self.led.as_mut().filter(|_| is_shared) {
            led.found.insert(reference.clone(), found.clone());
            led.copied = led.copied.saturating_add(self.allowance.copied().saturating_sub(before));
        }
        found
    }

    /// The array that a step is done for.
    fn array(&mut self, over: &Pattern) -> Result<Bytes, Missing> {
        let longest = self.allowance.longest();
        let Some(reference) = over.only() else {
            let filled = over.fill(longest, |reference| self.led_to(reference))?;
            self.allowance.copy(filled.len())?;
            return Ok(filled.into());
        };
        let found = self.led_to(reference)?;
        self.allowance.read(found.len())?;
        let kind = Raw::of(&found).kind();
        let json = self.run.json;
        let array = if kind == Kind::String {
            let text = parsed(&found, json, &mut self.allowance)?;
            text.iter().try_for_each(|text| self.allowance.copy(text.len()))?;
            text
        } else {
            Some(found)
        };
        let array = array.filter(|array| Raw::of(array).kind() == Kind::Array);
        array.ok_or_else(|| Missing::Nothing("for_each is over what is no array".into()))
    }
}

impl Values for Sources<'_> {
    fn value(&mut self, reference: &Reference) -> Result<Option<Bytes>, String> {
        match self.led_to(reference) {
            Ok(value) => Ok(Some(value)),
            Err(Missing::Nothing(_) | Missing::Skipped(_)) => Ok(None),
            // Neither yes nor no.
            Err(Missing::Lost(words)) => Err(words),
            Err(Missing::TooMuch(bound)) => Err(format!("{bound} by its condition")),
        }
    }

    fn read(&mut self, bytes: usize) -> Result<(), Bound> {
        self.allowance.read(bytes)
    }

    fn longest(&self) -> Bound {
        self.allowance.longest()
    }
}

impl Missing {
    /// Why, in words.
    pub(super) fn words(self) -> String {
        match self {
            Self::Lost(words) | Self::Nothing(words) => words,
            Self::Skipped(id) => format!("step {id} was skipped"),
            Self::TooMuch(bound) => format!("{bound}"),
        }
    }

    /// Says of a bound what has reached it.
    fn of(self, what: &str) -> Self {
        match self {
            Self::TooMuch(bound) => Self::Nothing(format!("{bound} by {what}")),
            Self::Lost(_) | Self::Nothing(_) | Self::Skipped(_) => self,
        }
    }
}
