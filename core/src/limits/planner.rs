//! The bounds of planners.

use core::time::Duration;

use serde::Deserialize;

/// The bounds of what goals in words may cost: [`super::Limits::planner`]. Where a project's `planner` says otherwise, that
/// goes before.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PlannerLimits {
    /// The longest goal, in bytes.
    pub goal_bytes: usize,
    /// A goal this short is planned by the lighter model, if there is one.
    pub small_goal_bytes: usize,
    /// Goals of one project that are being planned at the same time.
    pub goals: usize,
    /// Tools that a model is shown for one goal.
    pub tools: usize,
    /// Bytes of what is shown of one tool; of a longer one its schema is left out.
    pub tool_bytes: usize,
    /// The longest prompt, in bytes, what is shown of tools and of faults included.
    pub prompt_bytes: usize,
    /// Tokens that a model may write in one answer.
    pub answer_tokens: u32,
    /// The longest answer of a provider, in bytes.
    pub answer_bytes: usize,
    /// How long one question to a model may take, tries included.
    pub answer: Duration,
    /// How often a question is asked again that its provider had no room for.
    pub retries: u32,
    /// The pause before that, when the provider asks for none; doubled each time.
    pub retry_first: Duration,
    /// The longest such pause; a provider that asks for a longer one is not asked again.
    pub retry_last: Duration,
    /// Questions of one project to its planner within one day (UTC), counted anew when the hub starts.
    pub questions_a_day: u32,
    /// The longest question with which somebody is asked to agree to a plan, in bytes, the whole plan in it.
    pub confirm_bytes: usize,
    /// Plans of goals that are kept in one project; the oldest makes room.
    pub kept_plans: usize,
    /// Bytes of those plans.
    pub kept_bytes: usize,
}

impl Default for PlannerLimits {
    fn default() -> Self {
        Self {
            goal_bytes: 8 * 1024,
            small_goal_bytes: 120,
            goals: 16,
            tools: 64,
            tool_bytes: 4 * 1024,
            prompt_bytes: 64 * 1024,
            answer_tokens: 8 * 1024,
            answer_bytes: 1024 * 1024,
            answer: Duration::from_mins(1),
            retries: 3,
            retry_first: Duration::from_millis(500),
            retry_last: Duration::from_secs(10),
            questions_a_day: 500,
            confirm_bytes: 32 * 1024,
            kept_plans: 100,
            kept_bytes: 1024 * 1024,
        }
    }
}
