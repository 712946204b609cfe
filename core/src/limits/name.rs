//! The names of bounds.

use core::fmt;

#[cfg(doc)]
use super::Limits;

/// The name of a bound, for errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Limits::batch_members`].
    BatchMembers,
    /// [`Limits::body_bytes`].
    BodyBytes,
    /// [`Limits::message_bytes`].
    MessageBytes,
    /// [`Limits::held_bytes`].
    HeldBytes,
    /// [`Limits::held_key_bytes`].
    HeldKeyBytes,
    /// [`Limits::json_depth`].
    JsonDepth,
    /// [`Limits::json_members`].
    JsonMembers,
    /// [`Limits::json_nodes`] or [`Limits::upstream_json_nodes`].
    JsonNodes,
    /// [`Limits::number_digits`].
    NumberDigits,
    /// [`Limits::session_in_flight`].
    SessionInFlight,
    /// [`Limits::client_bytes`].
    ClientBytes,
    /// [`Limits::session_bytes`].
    SessionBytes,
    /// [`Limits::project_in_flight`].
    ProjectInFlight,
    /// [`Limits::link_in_flight_bytes`].
    LinkInFlightBytes,
    /// [`Limits::stream_bytes`].
    StreamBytes,
    /// [`Limits::replay_age`].
    ReplayAge,
    /// [`Limits::replay_bytes`].
    ReplayBytes,
    /// [`Limits::replay_events`].
    ReplayEvents,
    /// [`Limits::replay_project_bytes`].
    ReplayProjectBytes,
    /// [`Limits::store_queue`].
    StoreQueue,
    /// [`Limits::subscription_bytes`].
    SubscriptionBytes,
    /// [`Limits::subscriptions`].
    Subscriptions,
    /// [`Limits::project_servers`].
    ProjectServers,
    /// [`Limits::remote_in_flight`].
    RemoteInFlight,
    /// [`Limits::task_streams`].
    TaskStreams,
    /// [`Limits::head_bytes`].
    HeadBytes,
    /// [`Limits::header_fields`].
    HeaderFields,
    /// [`Limits::uri_bytes`].
    UriBytes,
    /// [`Limits::private_processes`].
    PrivateProcesses,
    /// [`Limits::idempotency_key_bytes`].
    IdempotencyKeyBytes,
    /// [`Limits::input_rounds`].
    InputRounds,
    /// [`Limits::session_questions`].
    SessionQuestions,
    /// [`Limits::plan_bytes`].
    PlanBytes,
    /// [`Limits::plan_steps`].
    PlanSteps,
    /// [`Limits::plan_depth`].
    PlanDepth,
    /// [`Limits::plan_parallel`].
    PlanParallel,
    /// [`Limits::run_calls`].
    RunCalls,
    /// [`Limits::run_bytes`].
    RunBytes,
    /// [`Limits::step_read_bytes`].
    StepReadBytes,
    /// [`Limits::run_stored_bytes`].
    RunStoredBytes,
    /// [`Limits::run_words_bytes`].
    RunWordsBytes,
    /// [`Limits::project_run_bytes`].
    ProjectRunBytes,
    /// [`Limits::project_runs`].
    ProjectRuns,
    /// [`Limits::connections`] or [`Limits::connections_per_address`].
    Connections,
    /// [`super::PlannerLimits::confirm_bytes`].
    ConfirmBytes,
    /// [`super::PlannerLimits::goal_bytes`].
    GoalBytes,
    /// [`super::PlannerLimits::goals`].
    Goals,
    /// [`super::PlannerLimits::questions_a_day`].
    PlannerQuestions,
}

impl Limit {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatchMembers => "batch_members",
            Self::BodyBytes => "body_bytes",
            Self::MessageBytes => "message_bytes",
            Self::HeldBytes => "held_bytes",
            Self::HeldKeyBytes => "held_key_bytes",
            Self::JsonDepth => "json_depth",
            Self::JsonMembers => "json_members",
            Self::JsonNodes => "json_nodes",
            Self::NumberDigits => "number_digits",
            Self::SessionInFlight => "session_in_flight",
            Self::ClientBytes => "client_bytes",
            Self::SessionBytes => "session_bytes",
            Self::ProjectInFlight => "project_in_flight",
            Self::LinkInFlightBytes => "link_in_flight_bytes",
            Self::StreamBytes => "stream_bytes",
            Self::ReplayAge => "replay_age",
            Self::ReplayBytes => "replay_bytes",
            Self::ReplayEvents => "replay_events",
            Self::ReplayProjectBytes => "replay_project_bytes",
            Self::StoreQueue => "store_queue",
            Self::SubscriptionBytes => "subscription_bytes",
            Self::Subscriptions => "subscriptions",
            Self::ProjectServers => "project_servers",
            Self::RemoteInFlight => "remote_in_flight",
            Self::TaskStreams => "task_streams",
            Self::HeadBytes => "head_bytes",
            Self::HeaderFields => "header_fields",
            Self::UriBytes => "uri_bytes",
            Self::PrivateProcesses => "private_processes",
            Self::IdempotencyKeyBytes => "idempotency_key_bytes",
            Self::InputRounds => "input_rounds",
            Self::SessionQuestions => "session_questions",
            Self::PlanBytes => "plan_bytes",
            Self::PlanSteps => "plan_steps",
            Self::PlanDepth => "plan_depth",
            Self::PlanParallel => "plan_parallel",
            Self::RunCalls => "run_calls",
            Self::RunBytes => "run_bytes",
            Self::StepReadBytes => "step_read_bytes",
            Self::RunStoredBytes => "run_stored_bytes",
            Self::RunWordsBytes => "run_words_bytes",
            Self::ProjectRunBytes => "project_run_bytes",
            Self::ProjectRuns => "project_runs",
            Self::Connections => "connections",
            Self::ConfirmBytes => "planner.confirm_bytes",
            Self::GoalBytes => "planner.goal_bytes",
            Self::Goals => "planner.goals",
            Self::PlannerQuestions => "planner.questions_a_day",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
