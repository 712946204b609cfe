//! The one place that maps faults to codes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::{Denied, Exceeded, Fault, Rejection, Unstored, UpstreamFault};
use crate::Limit;
use crate::mcp::{Abilities, Revision, TASKS_EXTENSION};
use crate::rpc::{Envelope, Field, write};
use crate::run::Happened;

/// How a fault looks on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// HTTP status, where the error is the whole answer of an exchange. 200 for what went wrong behind the hub:
    /// clients take any other status for a broken transport and do not read the message.
    pub status: u16,
    /// JSON-RPC code.
    pub code: i32,
    /// A sentence that says what to do.
    pub message: String,
    /// `data`, a JSON text.
    pub data: Option<String>,
}

/// The JSON-RPC codes that are the hub's own: outside of every range that JSON-RPC or MCP reserve.
mod own {
    pub(super) const UNAVAILABLE: i32 = -31_001;
    pub(super) const TIMED_OUT: i32 = -31_002;
    pub(super) const OUTCOME_UNKNOWN: i32 = -31_003;
    pub(super) const LIMIT: i32 = -31_004;
    pub(super) const UNAUTHENTICATED: i32 = -31_005;
    pub(super) const FORBIDDEN: i32 = -31_006;
    pub(super) const NEEDS_INPUT: i32 = -31_007;
    pub(super) const NOT_STORED: i32 = -31_008;
}

impl Fault {
    /// Status, code and words of the fault.
    pub fn wire(&self) -> WireError {
        let (status, code, data) = match self {
            Self::Rejected(rejection) => rejection.codes(),
            Self::Denied(Denied::Unauthenticated) => (401, own::UNAUTHENTICATED, None),
            Self::Denied(Denied::Host | Denied::Origin) => (403, own::FORBIDDEN, None),
            Self::Upstream(fault) => fault.codes(),
            Self::Exceeded(exceeded) => exceeded.codes(),
            Self::Unstored(unstored) => unstored.codes(),
            Self::Bug(_) => (500, -32_603, None),
        };
        WireError { status, code, message: format!("{self}"), data }
    }

    /// The JSON-RPC error message for this fault. `id` is the raw JSON of the request's id; `null` without one.
    pub fn frame(&self, id: Option<&str>) -> Vec<u8> {
        let wire = self.wire();
        write::error(id, wire.code, &wire.message, wire.data.as_deref())
    }
}

impl Rejection {
    fn codes(&self) -> (u16, i32, Option<String>) {
        match self {
            Self::NotJson(_) => (400, -32_700, None),
            Self::NotRpc(_)
            | Self::UnknownMember(_)
            | Self::Batch
            | Self::OutOfOrder(_)
            | Self::Malformed(_)
            | Self::UnknownEvent => (400, -32_600, None),
            Self::NotATask(_) | Self::UnknownMethod(_) => (404, -32_601, None),
            Self::InvalidParams(_) => (400, -32_602, None),
            Self::BadRequestState
            | Self::InvalidCursor
            | Self::OtherRequest(_)
            | Self::OtherUnderKey(_)
            | Self::UnknownPrompt(_)
            | Self::UnknownTool(_) => (200, -32_602, None),
            Self::UnknownResource { uri, revision } => {
                let code = if revision.is_modern() { -32_602 } else { -32_002 };
                (200, code, Some(named("uri", uri)))
            }
            Self::SessionRequired | Self::StreamRequired | Self::BadVersionHeader { .. } => {
                (400, -32_000, None)
            }
            Self::SessionNotFound | Self::StreamNotFound => (404, -32_001, None),
            Self::UnsupportedVersion(requested) => (400, -32_022, Some(supported(requested))),
            Self::HeaderMismatch(_) => (400, -32_020, None),
            Self::MissingCapability(lacks) => (400, -32_021, Some(required(*lacks))),
            Self::MissingTasks => {
                let needed = format!("{{\"extensions\":{{\"{TASKS_EXTENSION}\":{{}}}}}}");
                (400, -32_021, Some(format!("{{\"requiredCapabilities\":{needed}}}")))
            }
            Self::Expectation => (417, -32_600, None),
            Self::TooSlow => (408, -32_600, None),
            Self::ContentType | Self::ContentEncoding => (415, -32_600, None),
            Self::NotAcceptable => (406, -32_600, None),
            Self::VerbNotAllowed => (405, -32_600, None),
            Self::NoSuchEndpoint | Self::NoSuchPath => (404, -32_600, None),
        }
    }
}

/// An object with one member, a string.
fn named(member: &str, text: &str) -> String {
    let mut out = format!("{{\"{member}\":").into_bytes();
    write::string(&mut out, text);
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

/// `data` of a missing capability, as 2026-07-28 has it.
fn required(lacks: Abilities) -> String {
    format!("{{\"requiredCapabilities\":{}}}", lacks.json(Revision::V2026_07_28))
}

/// `data` of an unsupported version, as 2026-07-28 has it.
fn supported(requested: &str) -> String {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"supported\":[\"2026-07-28\"],\"requested\":");
    write::string(&mut out, requested);
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

impl UpstreamFault {
    /// Whether an answer is one of these faults and the server has not said a word: it was not reached, let nobody in
    /// (401, 403), had no time (408, 425, 429), or failed (5xx).
    pub(crate) fn is_silence(answer: &Envelope) -> bool {
        #[derive(Deserialize)]
        struct Error {
            code: i32,
            data: Option<Data>,
        }
        #[derive(Deserialize)]
        struct Data {
            status: Option<u16>,
        }
        let error = answer.raw(Field::Error).and_then(|raw| serde_json::from_slice::<Error>(raw).ok());
        error.is_some_and(|Error { code, data }| match (code, data.and_then(|data| data.status)) {
            (own::UNAVAILABLE, Some(status)) => matches!(status, 401 | 403 | 408 | 425 | 429 | 500..),
            (own::UNAVAILABLE, None) | (own::OUTCOME_UNKNOWN, _) => true,
            _ => false,
        })
    }

    /// The cause in an answer that says in place of a server that somebody has to log in there.
    pub(crate) fn login_required(server: &str, answer: &Envelope) -> Option<String> {
        #[derive(Deserialize)]
        struct Error {
            code: i32,
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            reason: String,
        }
        let error = serde_json::from_slice::<Error>(answer.raw(Field::Error)?).ok()?;
        let said = answer.text(Field::ErrorMessage)?;
        let cause = said.strip_prefix(&*format!("server {server} wants a login: "))?;
        let it_is = error.code == own::UNAVAILABLE && error.data.reason == "login_required";
        it_is.then(|| cause.to_owned())
    }

    /// Whether an answer is one of the hub's own faults, which a link gives in place of a word of its server.
    pub(crate) fn is_answer_of_hub(answer: &Envelope) -> bool {
        let code = answer.raw_str(Field::Code).and_then(|code| code.parse().ok());
        answer.has(Field::Error)
            && code.is_some_and(|code: i32| (own::NOT_STORED..=own::UNAVAILABLE).contains(&code))
    }

    /// What is known of what a call has done that was answered with this error.
    pub(crate) fn happened(answer: &Envelope) -> Happened {
        #[derive(Deserialize)]
        struct Error {
            code: i32,
            data: Option<Data>,
        }
        #[derive(Deserialize)]
        struct Data {
            limit: Option<String>,
        }
        let error = answer.raw(Field::Error).and_then(|raw| serde_json::from_slice::<Error>(raw).ok());
        match error.map(|Error { code, data }| (code, data.and_then(|data| data.limit))) {
            // These two are hit on the way back.
            Some((own::LIMIT, Some(limit))) if limit == "message_bytes" || limit == "input_rounds" => {
                Happened::Unknown
            }
            Some((own::LIMIT | own::UNAVAILABLE, _)) => Happened::Nothing,
            Some((own::OUTCOME_UNKNOWN | own::TIMED_OUT, _)) => Happened::Unknown,
            Some(_) | None => Happened::Failed,
        }
    }

    fn codes(&self) -> (u16, i32, Option<String>) {
        let retryable = |yes: bool| {
            Some(
                if yes { "{\"retryable\":true}" } else { "{\"retryable\":false,\"outcome\":\"unknown\"}" }
                    .to_owned(),
            )
        };
        match self {
            Self::Unavailable { .. } | Self::NotSent { .. } | Self::Removed { .. } => {
                (200, own::UNAVAILABLE, retryable(true))
            }
            Self::Disabled { .. } | Self::Misconfigured { .. } => {
                (200, own::UNAVAILABLE, Some("{\"retryable\":false}".to_owned()))
            }
            Self::Refused { status, .. } => {
                let again = matches!(status, 408 | 425 | 429 | 503);
                let data = format!("{{\"retryable\":{again},\"status\":{status}}}");
                (200, own::UNAVAILABLE, Some(data))
            }
            Self::LoginRequired { .. } => {
                let data = "{\"retryable\":false,\"status\":401,\"reason\":\"login_required\"}";
                (200, own::UNAVAILABLE, Some(data.to_owned()))
            }
            Self::NeedsClient { what, .. } => (200, own::NEEDS_INPUT, Some(required(*what))),
            Self::InputRefused { .. } => (200, own::NEEDS_INPUT, None),
            Self::TimedOut { .. } => (200, own::TIMED_OUT, retryable(false)),
            Self::NotParked(_) | Self::OutcomeUnknown { .. } | Self::Unreadable { .. } => {
                (200, own::OUTCOME_UNKNOWN, retryable(false))
            }
        }
    }
}

impl Unstored {
    fn codes(self) -> (u16, i32, Option<String>) {
        let reason = match self {
            Self::Failed => "storage_failed",
            Self::Full => "storage_full",
        };
        (503, own::NOT_STORED, Some(format!("{{\"reason\":\"{reason}\",\"retryable\":true}}")))
    }
}

impl Exceeded {
    fn codes(self) -> (u16, i32, Option<String>) {
        let data = Some(format!("{{\"limit\":\"{}\",\"value\":{}}}", self.limit, self.value));
        match self.limit {
            Limit::BodyBytes => (413, own::LIMIT, data),
            Limit::InputRounds | Limit::MessageBytes | Limit::SessionQuestions => (200, own::LIMIT, data),
            Limit::HeadBytes | Limit::HeaderFields => (431, own::LIMIT, data),
            Limit::UriBytes => (414, own::LIMIT, data),
            Limit::Connections | Limit::HeldBytes | Limit::StoreQueue => (503, own::LIMIT, data),
            Limit::BatchMembers
            | Limit::JsonDepth
            | Limit::JsonMembers
            | Limit::JsonNodes
            | Limit::NumberDigits => (400, -32_600, data),
            // A session that has lost events is a good session: 404 would make its client begin another one.
            Limit::ReplayAge | Limit::ReplayBytes | Limit::ReplayEvents | Limit::ReplayProjectBytes => {
                (400, own::LIMIT, data)
            }
            Limit::ConfirmBytes
            | Limit::GoalBytes
            | Limit::IdempotencyKeyBytes
            | Limit::PlanBytes
            | Limit::PlanDepth
            | Limit::PlanParallel
            | Limit::PlanSteps
            | Limit::RunBytes
            | Limit::StepReadBytes
            | Limit::RunStoredBytes
            | Limit::RunWordsBytes
            | Limit::RunCalls
            | Limit::ClientBytes
            | Limit::SessionBytes => (400, own::LIMIT, data),
            Limit::Goals
            | Limit::HeldKeyBytes
            | Limit::PlannerQuestions
            | Limit::SessionInFlight
            | Limit::ProjectInFlight
            | Limit::ProjectRunBytes
            | Limit::ProjectRuns
            | Limit::LinkInFlightBytes
            | Limit::StreamBytes
            | Limit::PrivateProcesses
            | Limit::ProjectServers
            | Limit::SubscriptionBytes
            | Limit::Subscriptions
            | Limit::RemoteInFlight
            | Limit::TaskStreams => (429, own::LIMIT, data),
        }
    }
}
