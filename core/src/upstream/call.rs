//! One request on its way to an upstream, and whom its answer goes to.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::time::Duration;

use crate::mcp::{Abilities, Extensions, Lifetime, ListKind, Revision};
use crate::ports::gateway::Target;
use crate::rpc::Envelope;
use crate::run::Unit;
use crate::{ExchangeId, KeyId, RunId, SessionId, Timestamp};

use super::{Edits, Level};

/// A client's request: where its answer goes, and in what shape.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The exchange that messages about this request go to.
    pub exchange: ExchangeId,
    /// Whether the answer ends the exchange (Streamable HTTP) or is one of many on it (HTTP+SSE, batches).
    pub ends: bool,
    /// Raw JSON of the request's id.
    pub id: Box<str>,
    /// The revision that the answer is written in.
    pub revision: Revision,
    /// The session, in the eras that have them.
    pub session: Option<SessionId>,
    /// The endpoint.
    pub target: Target,
    /// Raw JSON of the progress token, if progress is wanted.
    pub progress: Option<Box<str>>,
    /// From which level on log messages are wanted, where a request says so itself.
    pub log_level: Option<Level>,
    /// What the client can be asked for.
    pub abilities: Abilities,
    /// The extensions that it knows, where its requests do not say so themselves.
    pub extensions: Extensions,
    /// Whose request it is, in the era without sessions.
    pub key: Option<KeyId>,
    /// `Idempotency-Key`, where it was sent as a header.
    pub idempotency: Option<Box<str>>,
    /// The call of a run that it is: its answer goes to the run.
    pub step: Option<(RunId, Unit)>,
    /// Whether a run that goes on without it may be a task to it, or, in 2025-11-25, has to be one.
    pub task: bool,
}

impl Caller {
    /// Whether its answer is a task or an error and nothing else (2025-11-25, tasks).
    pub(crate) fn must_get_task(&self) -> bool {
        self.task && !self.revision.is_modern()
    }
}

/// Why a request was sent.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A client asked.
    Client(Caller, Lifetime),
    /// Its client has gone, and the answer is dropped.
    Forgotten(Option<Box<Caller>>),
    /// `initialize`.
    Handshake,
    /// Its client was asked for something, and will come back.
    Parked,
    /// A page of a list, for the catalogue.
    Learn(ListKind),
    /// `subscriptions/listen`: it is answered when the server ends it.
    Listen,
    /// `server/discover`: does the server speak the stateless era?
    Probe,
    /// A level; its answer changes nothing.
    Housekeeping,
    /// A subscription to the resource of this name, for whoever may hear of it.
    Subscribe(Box<str>),
    /// The end of one.
    Unsubscribe(Box<str>),
    /// `subscriptions/listen` of a client, for its tasks: what comes goes to the stream of this exchange.
    Tasks(ExchangeId),
}

impl Purpose {
    /// The client that waits for the answer.
    pub(crate) fn client(&self) -> Option<&Caller> {
        if let Self::Client(caller, _) = self { Some(caller) } else { None }
    }

    /// The stream on which a client is told of tasks.
    pub(crate) fn task_stream(&self) -> Option<ExchangeId> {
        if let Self::Tasks(exchange) = self { Some(*exchange) } else { None }
    }
}

/// A client's request, as it is to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    pub method: Cow<'static, str>,
    /// As it came.
    pub body: Envelope,
    /// What differs for the server.
    pub edits: Edits<'static>,
    /// What its client subscribes to with it, or does no more.
    pub subscribes: Option<Box<Subscribes>>,
}

impl Request {
    /// A request that is about no subscription.
    pub(crate) fn new(method: Cow<'static, str>, body: Envelope, edits: Edits<'static>) -> Self {
        Self { method, body, edits, subscribes: None }
    }
}

/// What a server of the stateless era wants to know before it goes on with a call of a client that can be asked
/// directly (2026-07-28, multi round-trip requests).
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// The how-many-eth.
    pub number: u32,
    /// Raw JSON; goes back as it came.
    pub state: Option<Box<str>>,
    /// Questions by the server's names for them; raw answers, as far as they are there.
    pub answers: BTreeMap<String, Option<Box<[u8]>>>,
}

/// A subscription that holds from its server's yes on, or ends.
#[derive(Debug)]
pub(crate) struct Subscribes {
    pub ends: bool,
    /// The resource, as the server names it.
    pub uri: String,
    /// The resource, as the client names it.
    pub known_as: String,
}

/// What a call has to do with the tasks of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfTasks {
    /// It wants to begin one (2025-11-25, tasks).
    Begins,
    /// It asks which there are, of which a client sees its own.
    Lists,
    Nothing,
}

/// A request without its answer.
#[derive(Debug)]
pub(crate) struct Call {
    /// Why.
    pub purpose: Purpose,
    /// How long it may take without a sign of life.
    pub patience: Duration,
    /// When it is given up, if nothing is heard of it.
    pub deadline: Timestamp,
    /// When it is given up in any case.
    pub hard_deadline: Timestamp,
    /// Whether it was sent.
    pub sent: bool,
    /// The client's request, while it may still be needed: it was not sent yet, is sent again because its session
    /// was forgotten, or with what its server has asked for.
    pub request: Option<Box<Request>>,
    /// How often it may still be sent again, should nobody know what became of it.
    pub repeats: u32,
    /// Whether it was sent to a process that has ended meanwhile.
    pub repeated: bool,
    /// How often it was refused in one session and sent again in another.
    pub renewals: u32,
    /// What the server has asked for.
    pub round: Option<Box<Round>>,
    /// What its client subscribes to with it, or does no more.
    pub subscribes: Option<Box<Subscribes>>,
    /// Whether it is a subscription at a server of the stateless era: it is answered when the stream of the server's news is
    /// open, and the server never hears of it by itself.
    pub awaits_news: bool,
    /// What it has to do with tasks.
    pub of_tasks: OfTasks,
    /// What its server has asked for and its client, of the stateless era, did not say it can do.
    pub lacks: Abilities,
    /// The tool that it calls, by its server's name for it.
    pub tool: Option<Box<str>>,
    /// The size of the message.
    pub bytes: usize,
    /// When it was made.
    pub since: Timestamp,
}

impl Call {
    /// Whether its server can be told to give it up.
    pub(crate) fn is_under_way(&self) -> bool {
        self.sent && !self.awaits_news
    }

    /// Whether its server has heard of it and owes an answer: it has none while its client is asked what that has demanded.
    pub(super) fn is_owed(&self) -> bool {
        let asked = |round: &Round| round.answers.values().any(Option::is_none);
        self.is_under_way() && !self.round.as_deref().is_some_and(asked)
    }

    /// The resource of the subscription that it begins or ends at its server, and whether it begins it.
    pub(crate) fn subscription(&self) -> Option<(&str, bool)> {
        match (&self.purpose, &self.subscribes) {
            (Purpose::Subscribe(uri), _) => Some((uri, true)),
            (Purpose::Unsubscribe(uri), _) => Some((uri, false)),
            (_, Some(it)) if !self.awaits_news => Some((&it.uri, !it.ends)),
            (_, Some(_) | None) => None,
        }
    }

    /// When it is given up if something was heard of it `now` and nothing is after that.
    pub(super) fn in_time(&self, now: Timestamp) -> Timestamp {
        now.after(self.patience).min(self.hard_deadline)
    }

    /// Whether a client has asked for it, also one that has gone or has still to come back.
    pub(super) fn is_of_client(&self) -> bool {
        matches!(self.purpose, Purpose::Client(..) | Purpose::Forgotten(_) | Purpose::Parked)
    }
}
