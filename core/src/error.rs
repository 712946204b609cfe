//! Everything that can go wrong, by who is at fault.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::Limit;
use crate::mcp::{Abilities, Revision, TASKS_EXTENSION};
use crate::ports::store::StoreErrorKind;

mod wire;

pub use wire::WireError;

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
    /// A change that the answer depends on is not durable.
    #[error(transparent)]
    Unstored(#[from] Unstored),
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
    /// A member of the message itself that JSON-RPC does not have; its name, or the beginning of a long one.
    #[error("not a JSON-RPC 2.0 message: unknown member {0:?}; names are matched exactly")]
    UnknownMember(String),
    /// An array of messages, where the revision has none.
    #[error("JSON-RPC batches are of sessions of 2025-03-26 alone: send one message a request")]
    Batch,
    /// A method that no revision has, or not this one.
    #[error("method not found: {0}")]
    UnknownMethod(String),
    /// Parameters that do not fit their method.
    #[error("invalid params: {0}")]
    InvalidParams(String),
    /// A tool whose calls are no tasks was called as one (2025-11-25, tasks, tool-level negotiation).
    #[error("the tool {0} cannot be called as a task: execution.taskSupport of tools/list says which can")]
    NotATask(String),
    /// A tool that the endpoint does not have.
    #[error("unknown tool: {0}; tools/list names the tools of this endpoint")]
    UnknownTool(String),
    /// A prompt that the endpoint does not have.
    #[error("unknown prompt: {0}; prompts/list names the prompts of this endpoint")]
    UnknownPrompt(String),
    /// A resource that no server of the endpoint has.
    #[error("resource not found: {uri}")]
    UnknownResource {
        /// As the client has it.
        uri: String,
        /// The client's: the code has changed with 2026-07-28 (resources, error handling).
        revision: Revision,
    },
    /// A cursor that this hub did not make, or whose list is gone.
    #[error("invalid cursor: ask for the list again without a cursor")]
    InvalidCursor,
    /// A `requestState` that was altered, is another's, or is too old.
    #[error(
        "requestState is not valid (any more): it is of this key and this endpoint alone, and as long as limit parked says; \
         send the request again without it"
    )]
    BadRequestState,
    /// A good `requestState` with another request than the one that it is of; its `method`, or a member of its `params`.
    #[error(
        "requestState is of another request, from which {0} differs: send that request as it was, with its requestState \
         and inputResponses, or this one without them"
    )]
    OtherRequest(String),
    /// An idempotency key that stands for another request; in what that differs.
    #[error(
        "the idempotency key was used for another request, from which {0} differs: send that request as it was, or this \
         one under a key of its own"
    )]
    OtherUnderKey(String),
    /// No `Mcp-Session-Id` where one is needed.
    #[error(
        "Mcp-Session-Id header required: send initialize first, and the id of its answer with every request"
    )]
    SessionRequired,
    /// A message for a session of HTTP+SSE that does not say for which.
    #[error(
        "sessionId is missing from the URL: open the event stream of this endpoint first (a GET of the path that ends in /sse \
         instead of /messages), and post to the URL that its endpoint event names"
    )]
    StreamRequired,
    /// A session of HTTP+SSE that is unknown, has ended with its stream, or is not the caller's.
    #[error(
        "session not found: its event stream has ended or never was; open another one (a GET of the path that ends in /sse \
         instead of /messages), and post to the URL that its endpoint event names"
    )]
    StreamNotFound,
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
    #[error(
        "the server needs the client's {0} for this request, which io.modelcontextprotocol/clientCapabilities in its _meta do \
         not name: send it again with them, from a client that has them"
    )]
    MissingCapability(Abilities),
    /// A client of 2026-07-28 asks for tasks, or for news of them, and did not say that it knows tasks.
    #[error("tasks are for clients whose capabilities name the extension {TASKS_EXTENSION}")]
    MissingTasks,
    /// `MCP-Protocol-Version` of a session's request names no revision that has sessions.
    #[error(
        "MCP-Protocol-Version {sent:?} names no revision that has sessions, and this session has agreed on {agreed}: send \
         that or leave the header out; requests of 2026-07-28 go without Mcp-Session-Id"
    )]
    BadVersionHeader {
        /// What the header says.
        sent: String,
        /// The session's revision.
        agreed: &'static str,
    },
    /// A header that is missing or says something else than the body.
    #[error("header mismatch: {0}")]
    HeaderMismatch(String),
    /// HTTP that makes no sense, or that two readers may read differently.
    #[error("malformed HTTP request: {0}")]
    Malformed(&'static str),
    /// An `Expect` that nobody here knows.
    #[error("Expect may be 100-continue and nothing else")]
    Expectation,
    /// A head or a body that did not arrive in time.
    #[error("the request did not arrive in time")]
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
    /// A project or a server that is not there, or not for this key.
    #[error(
        "not found: no such project or server for this key; `mcp-orch list-servers` names those that there are, and an operator \
         can add one to the configuration"
    )]
    NoSuchEndpoint,
    /// A path that means nothing.
    #[error(
        "not found: no such path; endpoints are /mcp (all servers) and /servers/NAME/mcp (one), with /sse instead of /mcp for \
         HTTP+SSE, each also behind /projects/PROJECT"
    )]
    NoSuchPath,
}

/// Policy says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No key, or not a good one. Which of the two is not said.
    #[error("a valid API key is required: send Authorization: Bearer <key>")]
    Unauthenticated,
    /// A foreign `Host` (DNS rebinding).
    #[error("this Host is not served here; the operator can allow it with --allowed-host")]
    Host,
    /// A foreign `Origin`.
    #[error("requests from this Origin are not allowed; the operator can allow it with --allowed-origin")]
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
    /// It cannot be started or spoken to as it is configured: that must change first.
    #[error("server {server} is not available: {cause}")]
    Misconfigured {
        /// Its name.
        server: String,
        /// What is wrong, and what to do.
        cause: String,
    },
    /// It lets nobody in who has not logged in: nothing has happened.
    #[error("server {server} wants a login: {cause}")]
    LoginRequired {
        /// Its name.
        server: String,
        /// Why, and what to do.
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
    /// Its call was parked until its client comes back, and waits no longer; why.
    #[error(
        "the call that this requestState is of waits no longer: {0}; this try was not sent, and the outcome of the \
         call is unknown"
    )]
    NotParked(&'static str),
    /// It did not answer in time. It was told to stop; nobody knows whether it did.
    #[error("server {server} did not answer within {}; the outcome is unknown{}", span(*within), stray(*strays))]
    TimedOut {
        /// Its name.
        server: String,
        /// The time it had.
        within: Duration,
        /// How much it has said since it was started that is no message.
        strays: u64,
    },
    /// It asked for something that the client did not say it can do.
    #[error(
        "server {server} needs the client's {what}, which this client does not offer; connect with a client that does"
    )]
    NeedsClient {
        /// Its name.
        server: String,
        /// What it asked for and the client lacks.
        what: Abilities,
    },
    /// It asked for something that the client refused with an error.
    #[error("server {server} needs input that the client refused: {cause}")]
    InputRefused {
        /// Its name.
        server: String,
        /// The client's words.
        cause: String,
    },
    /// Nobody is to use it.
    #[error("server {server} is disabled")]
    Disabled {
        /// Its name.
        server: String,
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

impl Exceeded {
    /// An answer of a server over [`Limits::message_bytes`](crate::Limits::message_bytes), which is `limit`.
    pub fn by_answer(limit: usize) -> Self {
        let value = u64::try_from(limit).unwrap_or(u64::MAX);
        let hint = "the server's answer is longer and was dropped; ask it for less at a time";
        Self { limit: Limit::MessageBytes, value, hint }
    }
}

/// The store did not take a change that the answer depends on. What was to be made does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstored {
    /// It failed, and may be better in a moment.
    #[error("the change could not be stored, and was not made: try again")]
    Failed,
    /// There is no room for it.
    #[error(
        "storage_full: the disk of the hub's data directory is full, and the change was not made: make room there and try \
         again; the hub goes on by itself"
    )]
    Full,
}

impl From<StoreErrorKind> for Unstored {
    fn from(kind: StoreErrorKind) -> Self {
        match kind {
            StoreErrorKind::Full => Self::Full,
            StoreErrorKind::Conflict | StoreErrorKind::Corrupt | StoreErrorKind::Unavailable => Self::Failed,
        }
    }
}

/// One of our own invariants does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bug {
    /// A machine met an input that it cannot be in a state for.
    #[error("internal error: {0}")]
    Invariant(&'static str),
}

/// A time that somebody had, as it was set: in seconds, and one below a second in milliseconds.
fn span(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

/// What else is known of a server that does not answer: it may have tried to, among other output.
fn stray(strays: u64) -> String {
    match strays {
        0 => String::new(),
        1 => "; it has written a line that is no JSON-RPC message, see its log".into(),
        _ => format!("; it has written {strays} lines that are no JSON-RPC messages, see its log"),
    }
}
