//! Everything that can happen to a shard: a closed list, in the past tense.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Order, Token};
use crate::ports::gateway::{Admission, Head};
use crate::ports::planner::{PlannerFault, Written};
use crate::ports::upstream::{CloseReason, Launched};
use crate::rpc::{Envelope, Unread};
use crate::snapshot::Changes;
use crate::{CallId, ExchangeId, Fault, KeyId, LinkId, ServerId};

/// An input.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and most are requests")]
pub enum Input {
    /// An exchange has waited for its first message for as long as [`crate::Limits::first_message`].
    AnswerDelayed(ExchangeId),
    /// A client sent several messages in one array.
    BatchPosted(BatchPosted),
    /// The instance is about to stop: streams that have no end of their own end now, calls may go on.
    Draining,
    /// The client of an exchange has gone.
    ExchangeClosed(ExchangeId),
    /// Messages came over a link, read and checked; what could not be read is told.
    FramesReceived {
        /// The link.
        link: LinkId,
        /// The call on whose own stream they came, where the link has such streams.
        within: Option<CallId>,
        /// In order.
        frames: Vec<Result<Envelope, Unread>>,
    },
    /// Another process takes the place of this one as soon as it has ended: streams that have no end of their own end
    /// now, and their clients come back; calls may go on, and begin.
    HandingOver,
    /// A key was revoked: what it opened ends.
    KeyRevoked(KeyId),
    /// A link is gone.
    LinkClosed {
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A remote server no longer knows the session of a link.
    LinkExpired {
        /// The link. It may still carry answers.
        link: LinkId,
        /// The answer to the request that was refused for it, if it was one: nothing was done for that.
        refusal: Option<Envelope>,
    },
    /// A process was started for a link.
    LinkLaunched {
        /// The link.
        link: LinkId,
        /// How it is told from all others.
        launched: Launched,
    },
    /// The upstream of a link wrote to its error output.
    LinkLogged {
        /// The link.
        link: LinkId,
        /// One line.
        line: String,
    },
    /// What a remote server has said unasked may not have reached a link, and reaches it from now on.
    LinkMissed {
        /// The link.
        link: LinkId,
    },
    /// A link can carry messages.
    LinkOpened {
        /// The link.
        link: LinkId,
        /// The process, where there is one.
        pid: Option<u32>,
    },
    /// An operator wants something of a server.
    Ordered {
        /// The server.
        server: ServerId,
        /// What.
        order: Order,
    },
    /// A language model has answered, or come to nothing.
    PlannerAnswered {
        /// That of the question.
        token: Token,
        /// What it has written.
        outcome: Result<Written, PlannerFault>,
    },
    /// A client sent a message.
    Posted(Posted),
    /// A remote server has refused a request by its HTTP status: nothing was done for it.
    RequestDeclined {
        /// The link.
        link: LinkId,
        /// The answer to the request.
        refusal: Envelope,
    },
    /// What is configured is known: servers should be seen once, so that their lists can be served while they do not run, and runs
    /// of an earlier life go on.
    SurveyAsked,
    /// A client asked for a session's end.
    SessionDeleted(Opened),
    /// The snapshot is a new one.
    SnapshotReplaced(Changes),
    /// The instance stops: links end.
    Stopping,
    /// The effect with this token was carried out, or failed.
    Stored {
        /// The token.
        token: Token,
        /// Whether the changes are durable, or why not.
        outcome: Result<(), Fault>,
    },
    /// A client opened a stream.
    StreamOpened(Opened),
    /// A deadline has passed.
    TimerFired,
}

/// A message of a client, with the exchange that waits for its answer.
#[derive(Debug)]
pub struct Posted {
    /// The exchange.
    pub exchange: ExchangeId,
    /// Who calls, and what.
    pub admission: Admission,
    /// The head of the exchange.
    pub head: Head,
    /// The message.
    pub body: Envelope,
}

/// Messages of a client in one array, with the exchange that waits for their answers.
#[derive(Debug)]
pub struct BatchPosted {
    /// The exchange.
    pub exchange: ExchangeId,
    /// Who calls, and what.
    pub admission: Admission,
    /// The head of the exchange.
    pub head: Head,
    /// The messages in their order; what is none is the fault.
    pub members: Vec<Result<Envelope, Unread>>,
}

/// An exchange without a message.
#[derive(Debug)]
pub struct Opened {
    /// The exchange.
    pub exchange: ExchangeId,
    /// Who calls, and what.
    pub admission: Admission,
    /// The head of the exchange.
    pub head: Head,
}
