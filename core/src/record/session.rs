//! What is remembered of the sessions of the 2025 eras, and of tasks.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::ports::gateway::Target;
use crate::{KeyId, ProjectId, ServerId, SessionId, TaskId, Timestamp};

/// A session of a client of the 2025 eras.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its project.
    pub project: ProjectId,
    /// The endpoint it was opened at; it works at no other.
    pub target: Target,
    /// The key it was opened with; it works with no other.
    pub key: KeyId,
    /// The revision that was agreed.
    pub revision: String,
    /// `clientInfo`, a JSON object.
    pub client_info: String,
    /// The client's `capabilities`, a JSON object.
    pub capabilities: String,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// What a session wants to be told. Kept beside the session: it changes more often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wishes {
    /// The session.
    pub session: SessionId,
    /// Its project.
    pub project: ProjectId,
    /// From which level on it wants log messages: a level's name.
    pub level: Option<String>,
    /// The resources whose changes it wants to hear of.
    pub subscriptions: Vec<Subscription>,
}

/// A resource whose changes a session wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The server.
    pub server: ServerId,
    /// Whom the process serves that it was subscribed to at.
    pub serves: Serves,
    /// The server's own name for it.
    pub uri: String,
    /// The client's name for it.
    pub known_as: String,
}

/// Whom a process of a server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Serves {
    /// All clients of the project.
    Everybody,
    /// Whoever uses the session's key.
    Key,
    /// The session alone.
    Session,
}

/// The answer to a request, or to a batch of them, for which a client may come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// The session.
    pub session: SessionId,
    /// Its project.
    pub project: ProjectId,
    /// The number of the stream on which it is to come.
    pub stream: u64,
    /// The server that was asked.
    pub server: String,
    /// The ids of the requests, raw JSON.
    pub ids: Vec<String>,
    /// What was said on the stream, by number, when it ended while its client was away; `None` while it is open.
    pub said: Option<Vec<(u64, Vec<u8>)>>,
}

/// A task that a client has begun at a remote server, which may have it longer than the hub lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The hub's own id of it.
    pub id: TaskId,
    /// Its project.
    pub project: ProjectId,
    /// The server.
    pub server: ServerId,
    /// The server's name for it.
    pub name: String,
    /// Whom the link serves over which it was begun.
    pub serves: Serves,
    /// The session that began it; the stateless era has none.
    pub session: Option<SessionId>,
    /// The key that it was begun with.
    pub key: KeyId,
    /// How long it is remembered.
    pub until: Timestamp,
}
