//! Planners: language models that make plans of goals in words.
//!
//! Here is what is said to a model ([`Prompt`]: the language of plans, the tools that a search over the catalogue has
//! found, the goal), and what becomes of its answer ([`extract`]). What it writes is no more trusted than what a client
//! writes: it goes through the same [`crate::plan::Plan::read`]. Nothing here has a state but what is kept of plans.

use serde::Serialize;

mod answer;
mod extract;
mod goal;
mod kept;
mod prompt;
mod search;
mod spec;
mod words;

pub use answer::Answer;
pub use extract::{Extract, extract};
pub use goal::Goal;
pub(crate) use goal::sampled;
pub(crate) use kept::{Kept, Name, name};
pub use prompt::{Prompt, Role, Turn};
pub use search::{Catalogue, Tool};
pub use spec::{PlannerSpec, Provider, Secret};

/// What the plan of a goal has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// How often a model was asked; not at all where the plan was kept.
    pub questions: u32,
    /// Tokens of the prompts, as far as the provider says.
    pub input_tokens: u64,
    /// Tokens of the answers, as far as the provider says.
    pub output_tokens: u64,
}
