//! How one step of a run stands.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use serde::{Deserialize, Serialize};

use super::prepare::Led;
use super::{Answer, Array, Failure, Happened, Status};
use crate::Timestamp;
use crate::plan::{Bound, Pointer, index};

/// A step of a run.
#[derive(Debug, Default)]
pub(super) struct StepState {
    /// Steps that it waits for.
    pub open: usize,
    /// Whether its elements are known.
    pub begun: bool,
    /// How it has ended.
    pub ended: Option<Ended>,
    /// What it is done for, with `for_each`.
    pub items: Vec<Bytes>,
    /// That array, also when it is not there any more.
    pub array: Option<Array>,
    /// One for each item, or one.
    pub elements: Vec<Element>,
    /// What is the same for all of its elements.
    pub led: Led,
    /// Bytes that it holds until it ends, beside its results.
    pub held: usize,
    /// The first element that was never tried.
    pub next: usize,
    /// Elements that are to be tried again.
    pub again: VecDeque<usize>,
    /// Elements that are under way.
    pub in_flight: usize,
    /// Elements that have not ended.
    pub left: usize,
    /// Whether it is among those that may go on.
    pub queued: bool,
    /// Tries, from first to last.
    pub calls: usize,
    /// When its first try began, and its last one ended.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What its tries took, one after the other.
    pub spent: Duration,
    /// Bytes of its results.
    pub bytes: usize,
    /// Elements that have failed.
    pub failed: usize,
    /// Those of them whose call could not be made of what is there.
    pub misled: usize,
    /// Whether nothing more of it begins.
    pub halted: bool,
    /// How it stands with that, where it was done and what it said is asked for once more.
    pub fetch: Option<Fetch>,
    /// The elements before this one may have been under way when an earlier life of the hub ended: of a call that may be made twice
    /// nothing is stored until it has ended.
    pub doubtful: usize,
}

/// How it stands with what is asked for once more.
#[derive(Debug)]
pub(super) enum Fetch {
    /// It may still come.
    Open,
    /// It does not, and why.
    Vain(String),
}

/// An element of a step.
#[derive(Debug, Default)]
pub(super) enum Element {
    /// It has an answer, also one that says that its tool has failed.
    Answered(Answer),
    /// It came to nothing; the answer stands for its result.
    Failed(Answer, Happened),
    /// It has an answer that was not kept when the hub was started again.
    Lost,
    /// It is tried again in a while; why.
    Pausing { tries: u32, since: Timestamp, after: Option<Box<Failure>> },
    /// It is under way.
    Running { tries: u32, since: Timestamp },
    /// It was left out.
    Skipped,
    /// It was not begun.
    #[default]
    Waiting,
}

/// How a step has ended. It is stored: the order of the variants is for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// As it should.
    Done,
    /// It has failed, and what waits for it runs all the same.
    FailedButGoesOn,
    /// It has failed.
    Failed,
    /// It was not done, as its plan wanted, for this reason.
    Skipped(String),
    /// It was not done because of a failure: neither is what waits for it.
    SkippedWithRest(String),
    /// Nothing of it began any more, for what its run had come to.
    Stopped(Status),
    /// As it should; what it said was lost, and could not be had once more, for this reason.
    Unfetched(String),
}

/// Why a reference leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// What its step said was not kept. Nobody can tell what was there.
    Lost(String),
    /// There is nothing at its pointer.
    Nothing(String),
    /// Its step was not done.
    Skipped(String),
    /// It is more than there may be.
    TooMuch(Bound),
}

impl From<Bound> for Missing {
    fn from(bound: Bound) -> Self {
        Self::TooMuch(bound)
    }
}

impl Element {
    /// What it was answered, or what stands for that.
    pub(super) fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) | Self::Failed(answer, _) => Some(answer),
            Self::Lost | Self::Pausing { .. } | Self::Running { .. } | Self::Skipped | Self::Waiting => None,
        }
    }
}

impl StepState {
    /// How many of its elements were done.
    pub(super) fn done(&self) -> usize {
        self.elements.iter().filter(|element| matches!(element, Element::Answered(_) | Element::Lost)).count()
    }

    /// Whether an element may be begun.
    pub(super) fn can_start(&self, width: usize) -> bool {
        let more = !self.again.is_empty() || self.next < self.elements.len();
        self.begun && self.ended.is_none() && !self.halted && more && self.in_flight < width
    }

    /// The next element to be begun, and how often it was tried.
    pub(super) fn take(&mut self) -> Option<(usize, u32)> {
        if let Some(element) = self.again.pop_front() {
            let Some(Element::Pausing { tries, .. }) = self.elements.get(element) else { return None };
            return Some((element, *tries));
        }
        // Some may have ended in an earlier life of the hub.
        let waiting = |element: &Element| matches!(element, Element::Waiting);
        let ahead = self.elements.get(self.next..)?.iter().position(waiting);
        let element = self.next.saturating_add(ahead?);
        self.next = element.saturating_add(1);
        Some((element, 0))
    }

    /// An element has failed, and is tried again in a while.
    pub(super) fn pause(&mut self, element: usize, failure: Failure) {
        if let Some(Element::Pausing { after, .. }) = self.elements.get_mut(element) {
            *after = Some(Box::new(failure));
        }
    }

    /// Why an element was to be tried again.
    pub(super) fn end_pause(&mut self, element: usize) -> Option<Failure> {
        match self.elements.get_mut(element)? {
            Element::Pausing { after, .. } => after.take().map(|after| *after),
            Element::Answered(_)
            | Element::Failed(..)
            | Element::Lost
            | Element::Running { .. }
            | Element::Skipped
            | Element::Waiting => None,
        }
    }

    /// Whether any of the elements that a pointer leads into is like that: one element of a step with `for_each`, or all of them.
    pub(super) fn leads_to(
        &self,
        pointer: &Pointer,
        is_many: bool,
        is_so: impl Fn(&Element) -> bool,
    ) -> bool {
        match pointer.split_first().filter(|_| is_many) {
            Some((first, _)) => index(first).and_then(|at| self.elements.get(at)).is_some_and(is_so),
            None => self.elements.iter().any(is_so),
        }
    }

    /// The first of its elements that has failed.
    pub(super) fn failure(&self) -> Option<(&Answer, Happened)> {
        self.failures().next()
    }

    /// Its elements that have failed.
    pub(super) fn failures(&self) -> impl Iterator<Item = (&Answer, Happened)> {
        self.elements.iter().filter_map(|element| match element {
            Element::Failed(answer, happened) => Some((answer, *happened)),
            Element::Answered(_)
            | Element::Lost
            | Element::Pausing { .. }
            | Element::Running { .. }
            | Element::Skipped
            | Element::Waiting => None,
        })
    }

    /// Whether an element has said something that is not there, or not all of it.
    pub(super) fn is_short_of(&self, element: &Element) -> bool {
        match element {
            Element::Lost => true,
            Element::Failed(answer, _) => answer.is_cut(),
            Element::Pausing { .. } | Element::Running { .. } | Element::Waiting => self.fetch.is_some(),
            Element::Answered(_) | Element::Skipped => false,
        }
    }

    pub(super) fn set(&mut self, element: usize, to: Element) {
        if let Some(entry) = self.elements.get_mut(element) {
            *entry = to;
        }
    }
}

/// A width of one where the plan has none.
pub(super) fn width(step: &crate::plan::Step) -> usize {
    step.for_each.as_ref().map_or(1, |each| each.width)
}
