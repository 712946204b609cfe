//! The driving port: what an HTTP face (or any other) asks of the hub.
//!
//! One process implements it with the driver; a front on another machine implements it with a link to the
//! driver. So every value here can be written to bytes and read back, but for the two that are handles:
//! [`Admission`] (minted by the gateway itself) and [`EventStream`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::task::{Context, Poll};
use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::{KeyId, ProjectId};

/// The hub, as its faces see it.
///
/// `admit` decides from the head alone, before a body is read; `submit` carries the body of an admitted
/// exchange. Both are safe to drop at any point: dropping the future of `submit`, or the [`EventStream`] of its
/// reply, says that the client has gone.
pub trait Gateway: Send + Sync + 'static {
    /// Checks credential, project and server name. `Err` is the reply to send: 401 for a credential that is
    /// missing or wrong, 404 for a project or server that does not exist or is not the caller's.
    fn admit<'a>(&'a self, head: &'a Head) -> BoxFuture<'a, Result<Admission, Reply>>;

    /// Carries an admitted exchange. Never fails: a fault is a reply too.
    fn submit(&self, admission: Admission, head: Head, body: Bytes) -> BoxFuture<'_, Reply>;
}

/// Proof that [`Gateway::admit`] said yes: who calls, and which project and server are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    pub(crate) project: ProjectId,
    pub(crate) key: KeyId,
    pub(crate) target: Target,
}

impl Admission {
    /// The admission of whoever may read and write the instance's data directory: no key is needed there.
    pub fn of_operator(project: ProjectId, target: Target) -> Self {
        Self { project, key: KeyId("operator".into()), target }
    }

    /// The project that the caller may use.
    pub fn project(&self) -> ProjectId {
        self.project
    }

    /// The key that was presented.
    pub fn key(&self) -> &KeyId {
        &self.key
    }

    /// The endpoint of the project that was asked for.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// What a transport knows before it has read a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What the client does.
    pub verb: Verb,
    /// Project slug or UUID; `None` on the short endpoints, which mean the default project.
    pub project: Option<String>,
    /// Which endpoint of the project.
    pub target: Target,
    /// The bearer token, without its scheme.
    pub bearer: Option<Bearer>,
    /// `Mcp-Session-Id`, or the `sessionId` of a legacy `/messages` request.
    pub session: Option<String>,
    /// The protocol headers, as sent.
    pub headers: ProtocolHeaders,
    /// For [`Verb::OpenSse`]: the path to which this stream's client shall post, without a query.
    pub messages_path: String,
}

/// The headers that a protocol revision or the hub gives a meaning to, undecoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolHeaders {
    /// `MCP-Protocol-Version`.
    pub version: Option<String>,
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`, perhaps in the base64 form of 2026-07-28.
    pub name: Option<String>,
    /// `Mcp-Param-{Name}`: the names as sent (case does not matter), with their values.
    pub params: Vec<(String, String)>,
    /// `Last-Event-ID`.
    pub last_event_id: Option<String>,
    /// `Idempotency-Key`, of the one request in the body.
    pub idempotency_key: Option<String>,
}

/// What a client does at an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// POST to a Streamable HTTP endpoint.
    Post,
    /// GET of a Streamable HTTP endpoint: a stream for what no request asked for.
    Listen,
    /// DELETE of a Streamable HTTP endpoint: the end of a session.
    Delete,
    /// GET of a 2024-11-05 HTTP+SSE endpoint: a session that lives as long as its stream.
    OpenSse,
    /// POST to the `messages` path of a 2024-11-05 session.
    PostMessage,
}

/// The endpoint within a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// One server, by its name.
    Server(Arc<str>),
    /// All servers of the project behind one endpoint.
    Unified,
}

impl Target {
    /// Whether a server is behind the endpoint.
    pub fn sees(&self, server: &str) -> bool {
        match self {
            Self::Server(name) => **name == *server,
            Self::Unified => true,
        }
    }
}

/// A secret from an `Authorization` header. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bearer(pub String);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

/// The answer to an exchange.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// `Mcp-Session-Id`, on the answer that opens a session.
    pub session: Option<String>,
    /// What comes after the head.
    pub body: ReplyBody,
}

impl Reply {
    /// A status without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, session: None, body: ReplyBody::Empty }
    }

    /// A single JSON message.
    pub fn json(status: u16, body: Bytes) -> Self {
        Self { status, session: None, body: ReplyBody::Json(body) }
    }
}

/// What follows the head of a [`Reply`].
pub enum ReplyBody {
    /// Nothing.
    Empty,
    /// `application/json`.
    Json(Bytes),
    /// `text/event-stream`.
    Events(Box<dyn EventStream>),
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(body) => write!(f, "Json({} bytes)", body.len()),
            Self::Events(_) => f.write_str("Events(..)"),
        }
    }
}

/// A sequence of server-sent events. Dropping it tells the gateway that the client has gone.
pub trait EventStream: Send {
    /// The next event; `None` ends the stream. Keep-alive comments are the transport's business.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>>;
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// `event: endpoint`: where a 2024-11-05 client posts to. Path and query.
    Endpoint(String),
    /// `event: message`: one JSON-RPC message, on one line or not.
    Message {
        /// The `id:` field, on streams that can be resumed.
        id: Option<String>,
        /// A complete JSON text. Carriage returns and line feeds in it are white space between tokens.
        data: Bytes,
    },
    /// An id without a message, and `retry`: where a client goes on that loses the stream at once (2025-11-25).
    Primed {
        /// The `id:` field.
        id: String,
        /// The `retry:` field, in milliseconds.
        retry_ms: u64,
    },
}
