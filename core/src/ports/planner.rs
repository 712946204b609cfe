//! The driven port to language models that write plans: a prompt in, a text out.
//!
//! One adapter speaks to all providers. What the text means is decided in `core::planner`; the adapter knows where it is
//! sent, how the request is signed, and what is tried again. It streams nothing and keeps nothing between two questions.

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use super::BoxFuture;
use crate::Timestamp;
use crate::planner::{PlannerSpec, Prompt};

/// Asks a language model.
pub trait Planner: Send + Sync + 'static {
    /// Asks once. The future ends within the time that the question gives, whatever the provider does; dropping it
    /// gives the question up.
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Written, PlannerFault>>;
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The provider. As its owner wrote it when it leaves the shard; no `${VAR}` is left in it when an adapter gets it.
    pub spec: Arc<PlannerSpec>,
    /// Which of its models.
    pub model: String,
    /// The prompt.
    pub prompt: Prompt,
    /// Tokens that it may write.
    pub max_tokens: u32,
    /// How long it may take, tries included.
    pub timeout: Duration,
    /// The time at which it is asked, for providers that want it signed.
    pub at: Timestamp,
}

/// What a model has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its text, as far as it is text.
    pub text: String,
    /// What it took.
    pub usage: Usage,
    /// Whether it stopped because of the bound on its tokens.
    pub cut: bool,
}

/// Tokens, as the provider counts them; zero where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

/// Why a model gave no answer. The words are fit for a user: no credential is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {words}")]
pub struct PlannerFault {
    /// What kind of failure.
    pub kind: PlannerFaultKind,
    /// In words.
    pub words: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannerFaultKind {
    /// It is configured in a way that cannot work: a variable that is not set, a bad address.
    Misconfigured,
    /// The provider refuses the request: its credentials, its model, its form, or an account without money.
    Refused,
    /// The provider has too much to do, also after some more tries.
    Throttled,
    /// There was no answer in time.
    TimedOut,
    /// The provider cannot be reached, or has failed.
    Unavailable,
    /// Its answer is not in the form that its interface has, or is too long.
    Unreadable,
}

impl fmt::Display for PlannerFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Misconfigured => "the planner is not configured well",
            Self::Refused => "the planner refuses",
            Self::Throttled => "the planner has too much to do",
            Self::TimedOut => "the planner did not answer in time",
            Self::Unavailable => "the planner cannot be reached",
            Self::Unreadable => "the planner gave an answer that cannot be read",
        })
    }
}
