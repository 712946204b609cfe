//! What is remembered of runs of plans.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::run::{End, Happened, Life, Unit};
use crate::{KeyId, ProjectId, RunId, Timestamp};

/// A run of a plan, from its beginning until its results are kept no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its project.
    pub project: ProjectId,
    /// The key that has begun it, with whose rights it goes on.
    pub key: KeyId,
    /// The key under which its request is known when it comes again.
    pub idempotency: Option<String>,
    /// The plan, JSON.
    pub plan: String,
    /// Which of its steps may be done twice, as their tools said when it was begun.
    pub repeatable: Vec<bool>,
    /// How it stands as a whole.
    pub life: Life,
}

/// What became of a call of a run. One that has not begun has no record; neither has one under way that may be made twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCall {
    /// The run.
    pub run: RunId,
    /// Its project.
    pub project: ProjectId,
    /// Which of its calls.
    pub unit: Unit,
    /// How often it was tried.
    pub tries: u32,
    /// When its last try began.
    pub since: Timestamp,
    /// When that ended.
    pub at: Timestamp,
    /// What is known of it.
    pub outcome: Outcome,
}

/// How a step of a run has ended. One that goes on has no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStep {
    /// The run.
    pub run: RunId,
    /// Its project.
    pub project: ProjectId,
    /// Which of its steps, and how.
    pub end: End,
}

/// What is known of a call of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It was answered with this result, JSON.
    Answered(String),
    /// It is about to be made, or was: nobody knows.
    Begun,
    /// It came to nothing: what stands for its result, JSON, and what it has done.
    Failed(String, Happened),
    /// It was answered with a result that is too long to be stored.
    Overlong,
    /// It was not to be made.
    LeftOut,
    /// It came to nothing; of what stands for its result this was kept, JSON, and this is what it has done.
    Cut(String, Happened),
}

impl Outcome {
    /// Bytes of what stands for its result.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Answered(result) | Self::Cut(result, _) | Self::Failed(result, _) => result.len(),
            Self::Begun | Self::LeftOut | Self::Overlong => 0,
        }
    }
}
