//! Everything that can go wrong, by who is at fault, and the only mapping to codes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::Limit;
use crate::mcp::{Asking, TASKS_EXTENSION};
use crate::rpc::write;

/// A fault, by guilt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The caller sent something that is not allowed or makes no sense.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The caller may not. The words reveal nothing.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The server behind the hub failed.
    #[error(transparent)]
    Upstream(#[from] UpstreamFault),
    /// A bound of [`crate::Limits`] was hit.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// One of our own invariants does not hold.
    #[error(transparent)]
    Bug(#[from] Bug),
}

/// The caller is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not JSON (RFC 8259), or JSON that two readers may read differently.
    #[error("the body is not valid JSON: {0}")]
    NotJson(&'static str),
    /// JSON, but not a JSON-RPC 2.0 message.
    #[error("not a JSON-RPC 2.0 message: {0}")]
    NotRpc(&'static str),
    /// An array of messages, where the revision has none.
    #[error("JSON-RPC batches are of sessions of 2025-03-26 alone: send one message a request")]
    Batch,
    /// A method that no revision has, or not this one.
    #[error("method not found: {0}")]
    UnknownMethod(String),
    /// Parameters that do not fit their method.
    #[error("invalid params: {0}")]
    InvalidParams(String),
    /// A tool that the endpoint does not have.
    #[error("unknown tool: {0}; tools/list names the tools of this endpoint")]
    UnknownTool(String),
    /// A prompt that the endpoint does not have.
    #[error("unknown prompt: {0}; prompts/list names the prompts of this endpoint")]
    UnknownPrompt(String),
    /// A resource that no server of the endpoint has.
    #[error("resource not found: {0}")]
    UnknownResource(String),
    /// A cursor that this hub did not make, or whose list is gone.
    #[error("invalid cursor: ask for the list again without a cursor")]
    InvalidCursor,
    /// A `requestState` that was altered, is too old, is another's, or names a call that has ended.
    #[error("requestState is not valid any more: send the request again without it")]
    BadRequestState,
    /// No `Mcp-Session-Id` where one is needed.
    #[error(
        "Mcp-Session-Id header required: send initialize first, and the id of its answer with every request"
    )]
    SessionRequired,
    /// A session that is unknown, has ended, or is not the caller's.
    #[error("session not found: it has ended or never existed; send initialize again")]
    SessionNotFound,
    /// A `Last-Event-ID` that the session did not give out, or whose stream is not kept any more.
    #[error(
        "Last-Event-ID names no stream of this session that is still kept (limits replay_age, replay_streams): the \
         session goes on; open a stream without Last-Event-ID"
    )]
    UnknownEvent,
    /// `initialize` in a session that already is, or anything else before it.
    #[error("invalid request: {0}")]
    OutOfOrder(&'static str),
    /// A revision that the hub does not speak (2026-07-28: with the list of those it does).
    #[error("unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    /// A server needs something that a client of 2026-07-28 did not say it can do.
    #[error("the server needs {0} for this request, which the client's capabilities do not name")]
    MissingCapability(Asking),
    /// A client of 2026-07-28 asks for news of tasks and did not say that it knows tasks.
    #[error("news of tasks are for clients whose capabilities name the extension {TASKS_EXTENSION}")]
    MissingTasks,
    /// `MCP-Protocol-Version` of a session's request names no revision that has sessions.
    #[error("MCP-Protocol-Version {0} is not a revision of this session")]
    BadVersionHeader(String),
    /// A header that is missing or says something else than the body.
    #[error("header mismatch: {0}")]
    HeaderMismatch(String),
    /// HTTP that makes no sense, or that two readers may read differently.
    #[error("malformed HTTP request: {0}")]
    Malformed(&'static str),
    /// An `Expect` that nobody here knows.
    #[error("Expect may be 100-continue and nothing else")]
    Expectation,
    /// A body that did not arrive in time.
    #[error("the request body did not arrive in time")]
    TooSlow,
    /// A body that is not `application/json`.
    #[error("Content-Type must be application/json")]
    ContentType,
    /// A compressed body.
    #[error("Content-Encoding is not accepted: send the body as it is")]
    ContentEncoding,
    /// A client that does not take both JSON and event streams.
    #[error("Accept must allow both application/json and text/event-stream (a GET: text/event-stream)")]
    NotAcceptable,
    /// A verb that the endpoint does not have.
    #[error("this HTTP method is not allowed here: the Allow header lists those that are")]
    VerbNotAllowed,
    /// No such path, project or server.
    #[error("not found: {0}")]
    NotFound(&'static str),
}

/// Policy says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key, or not a good one. Which of the two is not said.
    #[error("a valid API key is required: send Authorization: Bearer <key>")]
    Unauthenticated,
    /// A foreign `Host` (DNS rebinding).
    #[error("this Host is not served here")]
    Host,
    /// A foreign `Origin`.
    #[error("requests from this Origin are not allowed")]
    Origin,
}

/// An upstream server is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamFault {
    /// It is not running and cannot be started (now).
    #[error("server {server} is not available: {cause}")]
    Unavailable {
        /// Its name.
        server: String,
        /// Why.
        cause: String,
    },
    /// It ended before it was sent the request: nothing has happened.
    #[error("server {server} ended before the request was sent: {cause}; nothing was done")]
    NotSent {
        /// Its name.
        server: String,
        /// Why.
        cause: String,
    },
    /// It was reached over HTTP, and did not take the request: nothing has happened.
    #[error("server {server} did not take the request: {cause}")]
    Refused {
        /// Its name.
        server: String,
        /// The HTTP status that it answered with.
        status: u16,
        /// Why, and what to do.
        cause: String,
    },
    /// It ended after it was sent the request: nobody knows what has happened.
    #[error("server {server} ended before it answered: {cause}; the outcome is unknown")]
    OutcomeUnknown {
        /// Its name.
        server: String,
        /// Why.
        cause: String,
    },
    /// It answered with what is no message, so that nobody knows what it said.
    #[error("server {server} gave an answer that cannot be read: {cause}; the outcome is unknown")]
    Unreadable {
        /// Its name.
        server: String,
        /// What is wrong with the answer.
        cause: String,
    },
    /// It did not answer in time. It was told to stop; nobody knows whether it did.
    #[error("server {server} did not answer within {seconds} s; the outcome is unknown")]
    TimedOut {
        /// Its name.
        server: String,
        /// The time it had.
        seconds: u64,
    },
    /// It asked for something that the client did not say it can do.
    #[error(
        "server {server} needs {what}, which this client does not offer; connect with a client that does"
    )]
    NeedsClient {
        /// Its name.
        server: String,
        /// The method that it asked for.
        what: String,
    },
    /// It asked for something that the client refused with an error.
    #[error("server {server} needs input that the client refused: {cause}")]
    InputRefused {
        /// Its name.
        server: String,
        /// The client's words.
        cause: String,
    },
    /// It was disabled or removed while the request waited.
    #[error("server {server} was removed or disabled")]
    Removed {
        /// Its name.
        server: String,
    },
}

/// A bound was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {limit} reached ({value}): {hint}")]
pub struct Exceeded {
    /// Which bound.
    pub limit: Limit,
    /// Its value.
    pub value: u64,
    /// What the caller can do.
    pub hint: &'static str,
}

/// One of our own invariants does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bug {
    /// The store did not take a change that the answer depends on.
    #[error("the change could not be stored; nothing was changed, try again")]
    NotStored,
    /// A machine met an input that it cannot be in a state for.
    #[error("internal error: {0}")]
    Invariant(&'static str),
}

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
}

impl Fault {
    /// The one place that maps faults to codes.
    pub fn wire(&self) -> WireError {
        let (status, code, data) = match self {
            Self::Rejected(rejection) => rejection.codes(),
            Self::Denied(Denied::Unauthenticated) => (401, own::UNAUTHENTICATED, None),
            Self::Denied(Denied::Host | Denied::Origin) => (403, own::FORBIDDEN, None),
            Self::Upstream(fault) => fault.codes(),
            Self::Exceeded(exceeded) => exceeded.codes(),
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
            Self::NotRpc(_) | Self::Batch | Self::OutOfOrder(_) | Self::Malformed(_) | Self::UnknownEvent => {
                (400, -32_600, None)
            }
            Self::UnknownMethod(_) => (404, -32_601, None),
            Self::InvalidParams(_) => (400, -32_602, None),
            Self::BadRequestState
            | Self::InvalidCursor
            | Self::UnknownPrompt(_)
            | Self::UnknownResource(_)
            | Self::UnknownTool(_) => (200, -32_602, None),
            Self::SessionRequired | Self::BadVersionHeader(_) => (400, -32_000, None),
            Self::SessionNotFound => (404, -32_001, None),
            Self::UnsupportedVersion(requested) => (400, -32_022, Some(supported(requested))),
            Self::HeaderMismatch(_) => (400, -32_020, None),
            Self::MissingCapability(asking) => {
                (400, -32_021, Some(format!("{{\"requiredCapabilities\":{}}}", asking.capability())))
            }
            Self::MissingTasks => {
                let needed = format!("{{\"extensions\":{{\"{TASKS_EXTENSION}\":{{}}}}}}");
                (400, -32_021, Some(format!("{{\"requiredCapabilities\":{needed}}}")))
            }
            Self::Expectation => (417, -32_600, None),
            Self::TooSlow => (408, -32_600, None),
            Self::ContentType | Self::ContentEncoding => (415, -32_600, None),
            Self::NotAcceptable => (406, -32_600, None),
            Self::VerbNotAllowed => (405, -32_600, None),
            Self::NotFound(_) => (404, -32_600, None),
        }
    }
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
            Self::Refused { status, .. } => {
                let again = matches!(status, 408 | 425 | 429 | 503);
                let data = format!("{{\"retryable\":{again},\"status\":{status}}}");
                (200, own::UNAVAILABLE, Some(data))
            }
            Self::NeedsClient { .. } | Self::InputRefused { .. } => (200, own::NEEDS_INPUT, None),
            Self::TimedOut { .. } => (200, own::TIMED_OUT, retryable(false)),
            Self::OutcomeUnknown { .. } | Self::Unreadable { .. } => {
                (200, own::OUTCOME_UNKNOWN, retryable(false))
            }
        }
    }
}

impl Exceeded {
    fn codes(self) -> (u16, i32, Option<String>) {
        let data = Some(format!("{{\"limit\":\"{}\",\"value\":{}}}", self.limit, self.value));
        match self.limit {
            Limit::BodyBytes => (413, own::LIMIT, data),
            Limit::InputRounds | Limit::MessageBytes => (200, own::LIMIT, data),
            Limit::HeadBytes | Limit::HeaderFields => (431, own::LIMIT, data),
            Limit::UriBytes => (414, own::LIMIT, data),
            Limit::Connections => (503, own::LIMIT, data),
            Limit::BatchMembers
            | Limit::JsonDepth
            | Limit::JsonMembers
            | Limit::JsonNodes
            | Limit::NumberDigits => (400, -32_600, data),
            // A session that has lost events is a good session: 404 would make its client begin another one.
            Limit::ReplayAge | Limit::ReplayBytes | Limit::ReplayEvents | Limit::ReplayProjectBytes => {
                (400, own::LIMIT, data)
            }
            Limit::SessionInFlight
            | Limit::ProjectInFlight
            | Limit::LinkInFlightBytes
            | Limit::StreamBytes
            | Limit::PrivateProcesses
            | Limit::ProjectServers
            | Limit::Subscriptions
            | Limit::TaskStreams => (429, own::LIMIT, data),
        }
    }
}
