//! What machines want done: plain data, carried out by the driver's one interpreter.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use crate::ports::gateway::Event;
use crate::ports::planner::Question;
use crate::ports::store::Change;
use crate::ports::upstream::Grace;
use crate::record::{CallRecord, Definitions, LogCategory, LogLevel, LogSource, Server};
use crate::{ExchangeId, LinkId, SessionId};

/// Ties a completion to the effect that it completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// An effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ends an exchange with its whole answer, or ends its stream with a last message.
    Answer {
        /// The exchange.
        exchange: ExchangeId,
        /// HTTP status; without meaning once the exchange is a stream.
        status: u16,
        /// The session that this answer opens.
        session: Option<SessionId>,
        /// The message; none for 202 and the like.
        body: Option<Bytes>,
    },
    /// Asks a language model; [`super::Input::PlannerAnswered`] follows, unless it is left.
    AskPlanner {
        /// Whom to tell.
        token: Token,
        /// What. Its specification is as its owner wrote it.
        question: Box<Question>,
    },
    /// Ends a link in steps.
    CloseLink {
        /// The link.
        link: LinkId,
        /// The steps.
        grace: Grace,
    },
    /// Sends an event on an exchange, which becomes a stream if it is not yet one.
    Emit {
        /// The exchange.
        exchange: ExchangeId,
        /// The event.
        event: Event,
    },
    /// Ends a stream.
    Finish {
        /// The exchange.
        exchange: ExchangeId,
    },
    /// Gives up a question to a language model.
    LeavePlanner {
        /// That of the question.
        token: Token,
    },
    /// Opens a link: fills in the variables of the specification and asks the adapter of its transport.
    OpenLink {
        /// The link.
        link: LinkId,
        /// The server.
        server: Box<Server>,
    },
    /// Makes an exchange a stream now, though there is nothing to send yet.
    OpenStream {
        /// The exchange.
        exchange: ExchangeId,
    },
    /// Stores changes; with a token, [`super::Input::Stored`] follows.
    Persist {
        /// Whom to tell.
        token: Option<Token>,
        /// The changes, committed together.
        changes: Vec<Change>,
    },
    /// Stores what was learnt from a server and replaces the snapshot; [`super::Input::SnapshotReplaced`]
    /// follows.
    Publish {
        /// What was learnt.
        definitions: Box<Definitions>,
    },
    /// Notes a call that has ended.
    Record(CallRecord),
    /// Writes what a server says, or what is to be said of it, to the logs.
    Report(Report),
    /// Reads nothing more of a link for a while: of the one that was just read, for it says more than it may.
    RestLink {
        /// The link.
        link: LinkId,
        /// How long.
        span: Duration,
    },
    /// Sends a message over a link, with arguments of it repeated in headers.
    SendMirrored {
        /// The link.
        link: LinkId,
        /// A complete JSON text on one line.
        frame: Bytes,
        /// What comes after `Mcp-Param-`, and the value as it is sent.
        params: Vec<(String, String)>,
    },
    /// Sends a message over a link.
    SendFrame {
        /// The link.
        link: LinkId,
        /// A complete JSON text on one line.
        frame: Bytes,
    },
}

/// What a server says, or what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The server's name.
    pub server: String,
    /// How serious it is.
    pub level: LogLevel,
    /// What it is about.
    pub category: LogCategory,
    /// Who says so.
    pub source: LogSource,
    /// The words, in which there may be secrets of the server.
    pub message: String,
    /// What programs may want to know: a JSON object, in which there may be secrets of the server.
    pub details: Option<String>,
}

/// Effects in the order in which they were decided.
pub type Effects = Vec<Effect>;
