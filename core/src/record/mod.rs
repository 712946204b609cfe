//! What the hub remembers: record types, and their bytes.
//!
//! A stored record is one version byte and a postcard body. postcard is not self-describing, so a field is never
//! added in place: a new shape gets a new version byte, and the old struct stays, to be lifted when read.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::oauth::OauthSpec;
use crate::run::Array;
use crate::{KeyId, ProjectId, ServerId, Timestamp};

mod call;
mod codec;
mod confinement;
mod id;
mod interpolate;
mod lease;
mod log;
mod run;
mod session;

pub use call::{CallBlock, CallOutcome, CallRecord, Calls};
pub use codec::{CodecError, decode, encode};
pub use confinement::{Confinement, Isolation, Paths, Premises, ProcessLimits, Walls};
pub use id::{RecordId, RecordKind};
pub use interpolate::{MissingVariable, interpolate, resolve};
pub use lease::{Lease, Started};
pub use log::{LogCategory, LogEntry, LogLevel, LogSource};
pub use run::{Outcome, Run, RunCall, RunStep};
pub use session::{Owed, Serves, Session, Subscription, Task, Wishes};

/// A record of any kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// See [`Project`].
    Project(Project),
    /// See [`Server`].
    Server(Server),
    /// See [`Key`].
    Key(Key),
    /// See [`Definitions`].
    Definitions(Definitions),
    /// See [`Session`].
    Session(Session),
    /// See [`Wishes`].
    Wishes(Wishes),
    /// See [`Owed`].
    Owed(Owed),
    /// See [`LogEntry`].
    Log(LogEntry),
    /// See [`Lease`].
    Lease(Lease),
    /// See [`Calls`].
    Calls(Calls),
    /// See [`Run`].
    Run(Run),
    /// See [`RunCall`].
    RunCall(RunCall),
    /// The same, of an element of an array.
    RunElement(RunCall, Array),
    /// See [`Task`].
    Task(Task),
    /// See [`RunStep`].
    RunStep(RunStep),
}

/// A project: servers, keys and policy under one slug.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name in URLs: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What stands between server and tool in unified names on the wire.
    pub separator: String,
    /// Whether `batch_execute` is listed on the unified endpoint by default.
    pub mode: Mode,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What the unified endpoint lists by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// `batch_execute` is listed.
    Batch,
    /// The servers' tools only.
    Proxy,
}

/// A configured server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its id; stays the same for a name while its configuration changes.
    pub id: ServerId,
    /// Its project.
    pub project: ProjectId,
    /// Its name, unique in the project: 1 to 64 of `A-Za-z0-9_.-`.
    pub name: String,
    /// Who put it here, and so who may take it away.
    pub origin: Origin,
    /// What it is.
    pub spec: ServerSpec,
}

/// Who manages a server's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The watched configuration file.
    ConfigFile,
}

/// A server as its owner wrote it: `${VAR}` is kept as written, so no secret is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// How it is reached.
    pub transport: Transport,
    /// Not started and not listed.
    pub disabled: bool,
    /// How long the server may take to start and answer its handshake, in seconds.
    pub timeout_s: u32,
    /// How long a call may take without a sign of life, in seconds; the instance's bound when absent.
    pub call_timeout_s: Option<u32>,
    /// How long it may be unused before it is ended, in seconds; 0 for ever, the instance's bound when absent.
    pub idle_s: Option<u32>,
    /// In which era it is spoken to.
    pub protocol: Protocol,
    /// Who shares a process or connection of it with whom.
    pub sharing: Sharing,
    /// What its processes may do here.
    pub confinement: Confinement,
    /// How the hub logs in there, where it is remote; absent where nobody has said anything.
    pub oauth: Option<Box<OauthSpec>>,
    /// Names of tools that a client may call without asking. Kept for clients; the hub does not act on it.
    pub auto_approve: Vec<String>,
    /// Members that this release does not know, as JSON text by name, written back as they were.
    pub unknown: BTreeMap<String, String>,
}

impl ServerSpec {
    /// The time to start that a server gets when its owner says nothing, in seconds.
    pub const TIMEOUT_S: u32 = 30;

    /// A server of which its owner has said no more than how it is reached.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            disabled: false,
            timeout_s: Self::TIMEOUT_S,
            call_timeout_s: None,
            idle_s: None,
            protocol: Protocol::default(),
            sharing: Sharing::default(),
            confinement: Confinement::default(),
            oauth: None,
            auto_approve: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }
}

/// In which era a server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// The newest that it knows: it is asked once, and what it said is remembered.
    #[default]
    Auto,
    /// `initialize`, and a revision of the 2025 eras.
    Legacy,
    /// The stateless era, 2026-07-28.
    Modern,
}

impl Protocol {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Legacy, Self::Modern];

    /// Its name, in the configuration and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }
}

/// Who shares a server's process, or its session where it is remote, with whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    /// All clients of the project, until the server is seen to ask its client for something; from then on each
    /// session that can answer has one of its own.
    #[default]
    Auto,
    /// All clients of the project.
    Shared,
    /// Each session has its own. In the era without sessions: each key, and one for each of its calls in flight once
    /// the server is seen to ask.
    PerSession,
    /// Each key has its own, which all its sessions share. In the era without sessions as with `PerSession`.
    PerUser,
}

impl Sharing {
    /// All of them, the default first.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Shared, Self::PerSession, Self::PerUser];

    /// Its name, in the configuration and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Shared => "shared",
            Self::PerSession => "per-session",
            Self::PerUser => "per-user",
        }
    }
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// A child process that speaks newline-delimited JSON-RPC.
    Stdio {
        /// The program, looked up in PATH.
        command: String,
        /// Its arguments. Readable by every local user: never a place for a secret.
        args: Vec<String>,
        /// Its environment, beside the few variables that every child gets.
        env: BTreeMap<String, String>,
        /// Its working directory; the hub's own when absent.
        cwd: Option<String>,
    },
    /// A remote server.
    Remote {
        /// Streamable HTTP, or the older HTTP+SSE.
        kind: RemoteKind,
        /// Where.
        url: String,
        /// Headers of every request.
        headers: BTreeMap<String, String>,
    },
}

/// The HTTP transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RemoteKind {
    /// Streamable HTTP.
    Http,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// An API key. The secret itself is not here: only its keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The public part.
    pub id: KeyId,
    /// The one project that it opens.
    pub project: ProjectId,
    /// Its name for people.
    pub name: String,
    /// HMAC-SHA-256 of the whole token under the instance's pepper.
    pub mac: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Key {
    /// Whether it opens its project.
    pub fn opens_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// What a server was last seen to offer. Served while the server itself is not running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {
    /// The server.
    pub server: ServerId,
    /// Its project.
    pub project: ProjectId,
    /// The digest of the specification that this was learnt from; another one makes it void.
    pub spec_digest: [u8; 32],
    /// When it was learnt.
    pub fetched_at: Timestamp,
    /// The protocol revision that was agreed with the server.
    pub revision: String,
    /// `serverInfo`, a JSON object.
    pub server_info: String,
    /// `capabilities`, a JSON object.
    pub capabilities: String,
    /// `instructions`, a JSON string.
    pub instructions: Option<String>,
    /// Tools, in the server's order.
    pub tools: Vec<Definition>,
    /// Prompts, in the server's order.
    pub prompts: Vec<Definition>,
    /// Resources, in the server's order; the name is the URI.
    pub resources: Vec<Definition>,
    /// Resource templates, in the server's order; the name is the URI template.
    pub templates: Vec<Definition>,
    /// Whether the server was ever seen to ask its client for something while several might have been meant.
    pub interactive: bool,
    /// What its results hold beside that: of a list under its method, of its handshake under [`HANDSHAKE`].
    pub aside: BTreeMap<String, Aside>,
    /// The lists that it says it has and has not told in full when it was last asked, by their methods, and why. What is above is then
    /// what was known before, if anything.
    pub untold: BTreeMap<String, String>,
}

/// Under this name is what a handshake holds beside what it is for.
pub const HANDSHAKE: &str = "";

/// What a result holds beside what it is for: members without the braces around them, raw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Those of the result.
    pub members: String,
    /// Those of its `_meta`.
    pub meta: String,
}

/// One listed thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// What it is called by: a name, a URI or a URI template.
    pub name: String,
    /// The whole JSON object as the server sent it.
    pub json: String,
}

impl Record {
    /// The id under which this record is kept.
    pub fn id(&self) -> RecordId {
        match self {
            Self::Project(it) => RecordId::Project(it.id),
            Self::Server(it) => RecordId::Server(it.project, it.id),
            Self::Key(it) => RecordId::Key(it.project, it.id.clone()),
            Self::Definitions(it) => RecordId::Definitions(it.project, it.server),
            Self::Session(it) => RecordId::Session(it.project, it.id),
            Self::Wishes(it) => RecordId::Wishes(it.project, it.session),
            Self::Owed(it) => RecordId::Owed(it.project, it.session, it.stream),
            Self::Log(it) => RecordId::Log(it.project, it.id),
            Self::Lease(it) => RecordId::Lease(it.project, it.launch.clone()),
            Self::Calls(it) => RecordId::Calls(it.project, it.id),
            Self::Run(it) => RecordId::Run(it.project, it.id),
            Self::RunCall(it) | Self::RunElement(it, _) => RecordId::RunCall(it.project, it.run, it.unit),
            Self::RunStep(it) => RecordId::RunStep(it.project, it.run, it.end.step),
            Self::Task(it) => RecordId::Task(it.project, it.id),
        }
    }
}

#[cfg(test)]
mod properties;
