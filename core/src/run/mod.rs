//! Runs: plans that are being carried out.
//!
//! A [`Run`] is the machine of one plan: it is told what has happened ([`Event`]), says which call may start next
//! ([`Run::next`]) and what is to be given up. [`Runs`] are all of a project, which take turns. Nothing here knows how a call
//! is made: to the machine it is a [`Unit`] that is answered, or fails. What is to outlive the process is told as [`Mark`]s, and
//! a run goes on from them ([`Run::restore`]).

use alloc::string::String;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

mod again;
mod answer;
mod begin;
mod ending;
mod extract;
mod failing;
mod lanes;
mod machine;
mod mark;
mod output;
mod prepare;
mod report;
mod resolve;
mod restore;
mod runs;
mod step;

pub use answer::Answer;
pub use extract::{Extract, Extracts};
pub use machine::Run;
pub use mark::{Became, End, Mark, Marks};
pub use output::Gap;
pub use report::{KeptOut, Report, StepReport, Timing};
pub use runs::{Runs, Usage};
pub use step::Ended;

/// One call of a run: a step, and which of its elements (0 without `for_each`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unit {
    /// The step, by its place in the plan.
    pub step: usize,
    /// The element.
    pub element: usize,
}

/// An array that a step is done for, as another life knows it again. It is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// How many elements it has.
    pub elements: usize,
    /// The beginning of the digest of its bytes.
    pub digest: u64,
}

/// What has happened to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its caller wants no more of it.
    Cancelled,
    /// A call was answered with this result: the raw JSON of a `CallToolResult`.
    StepAnswered(Unit, Bytes),
    /// A call came to nothing.
    StepFailed(Unit, Failure),
    /// A deadline has passed.
    TimerFired,
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub words: String,
    /// What is known of what it has done.
    pub happened: Happened,
}

/// What is known of what a call that came to nothing has done. It is stored: the order of the variants is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// Its server has said that it failed.
    Failed,
    /// It never reached its server: nothing.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// A call that is to be made now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which.
    pub unit: Unit,
    /// The tool, as the plan names it.
    pub tool: String,
    /// Raw JSON of an object.
    pub arguments: Bytes,
    /// Whether it may be made twice. One that may not has left a mark that is to be durable before it is made.
    pub repeatable: bool,
}

/// When a run began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// When it began.
    pub began: Timestamp,
    /// When it is given up.
    pub until: Timestamp,
    /// Why nothing new of it begins.
    pub stopped: Option<Status>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// How a run stands. It is stored: the order of the variants is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Its caller has given it up.
    Cancelled,
    /// All has ended as its plan wanted.
    Done,
    /// A step has failed whose plan wanted nothing more after that.
    Failed,
    /// It goes on.
    Running,
    /// Its time was over.
    TimedOut,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::TimedOut => "timed_out",
        }
    }

    /// Whether it is no good end.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::TimedOut)
    }
}

#[cfg(test)]
mod cookbook;
#[cfg(test)]
mod eternal;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod lives;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod sharing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;
#[cfg(test)]
mod values;
