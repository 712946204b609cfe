//! One server behind the hub: its process, the calls to it, and what is being learnt of it.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::mcp::{Abilities, Extensions, Revision};
use crate::snapshot::Entry;
use crate::{CallId, Limits, ServerId, SessionId, Timestamp, UpstreamFault};

mod aside;
mod call;
mod calls;
mod ill_shaped;
mod learn;
mod level;
mod process;
mod seats;
mod speech;
mod unasked;

pub(crate) use call::{Call, Caller, OfTasks, Purpose, Request, Round, Subscribes};
pub(crate) use calls::Calls;
pub(crate) use learn::{Draft, NextPage};
pub(crate) use level::Level;
pub(crate) use process::{Failure, Process, State};
pub(crate) use seats::{Owner, Seat, Seats};
pub(crate) use speech::{Edits, handshake_params, own_params, pass, say, with_members};
pub(crate) use unasked::{UNREADABLE, Unasked};

/// How many lines of error output are kept to explain a failure.
const TAIL_LINES: usize = 5;

/// The stream on which a server of the stateless era tells what has changed.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The `subscriptions/listen` that is open.
    pub call: Option<CallId>,
    /// Whether the server has said that it is.
    pub open: bool,
    /// Whether one was open since the server was started.
    pub was_open: bool,
    /// Those that it takes the place of, until the server has said that it is open.
    pub before: Vec<CallId>,
    /// When it is opened again.
    pub again_at: Option<Timestamp>,
    /// How often in a row it ended at once.
    pub failures: u32,
    /// When a list was first answered since it was asked for and before it is open: what changed after that nobody has told.
    pub read_at: Option<Timestamp>,
    /// The resources that the server does not tell of, though it was asked to.
    pub ungranted: Vec<String>,
}

impl News {
    /// A page of a list was answered.
    pub(crate) fn on_page(&mut self, now: Timestamp) {
        if self.call.is_some() && !self.open {
            self.read_at.get_or_insert(now);
        }
    }
}

/// How a server took the question whether it speaks the stateless era.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Probe {
    /// How often it was asked since it was started: once more after it has refused a revision that it speaks.
    pub asked: u8,
    /// Whether it has ever ended at the question: it is greeted in the old way.
    pub shy: bool,
    /// Whether what came last of the question tells nothing of its era: it is asked again when it is started again.
    pub unclear: bool,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub id: ServerId,
    /// Whom it serves.
    pub owner: Owner,
    /// What its clients can be asked for, as far as it is told.
    pub abilities: Abilities,
    /// The extensions of the session that it serves alone, or what is said for all.
    pub extensions: Extensions,
    /// When it was last used.
    pub used_at: Timestamp,
    /// When its lists were last asked for.
    pub listed_at: Timestamp,
    /// It has asked its clients for something.
    pub interactive: bool,
    /// The session whose roots have changed last, of those that it serves.
    pub roots_of: Option<SessionId>,
    pub name: String,
    /// The specification that its process was started with.
    pub digest: [u8; 32],
    pub process: Process,
    pub calls: Calls,
    /// What is being learnt, while it is.
    pub draft: Option<Draft>,
    /// The hubs that its lists have come through.
    pub via: BTreeSet<String>,
    /// When to ask for its lists again: it said that they changed, or one did not come.
    pub relearn_at: Option<Timestamp>,
    /// How often in a row a list did not come.
    pub listless: u32,
    /// The revision that it is spoken to in, since its last handshake.
    pub revision: Revision,
    /// How it took the question for its era.
    pub probe: Probe,
    /// Its news, in the era in which one asks for them.
    pub news: News,
    /// It, or its stream of news, was lost while somebody had subscribed: it is wanted for that, and they are told what they may have missed.
    pub unheard: bool,
    /// The level that it was told to log from.
    pub level: Option<Level>,
    /// What it says of itself.
    pub unasked: Unasked,
    /// How much it has said since it was started that is no message at all.
    pub strays: u64,
    /// It was told to give up a call, and may still say something because of it: what names no call is nobody's until then.
    pub unsure_until: Timestamp,
    /// Its session has another in its place; what is left to it is to answer the calls that it works on.
    pub expired: bool,
    tail: VecDeque<String>,
    /// When it was last given another session.
    renewals: VecDeque<Timestamp>,
}

impl Upstream {
    pub(crate) fn new(entry: &Entry, owner: Owner, abilities: Abilities, now: Timestamp) -> Self {
        Self {
            id: entry.id,
            owner,
            abilities,
            extensions: Extensions::of_all(),
            used_at: now,
            listed_at: now,
            interactive: false,
            roots_of: None,
            name: entry.name.clone(),
            digest: entry.digest,
            process: Process::new(),
            calls: Calls::default(),
            draft: None,
            via: BTreeSet::new(),
            relearn_at: None,
            listless: 0,
            revision: Revision::LAST_WITH_HANDSHAKE,
            probe: Probe::default(),
            news: News::default(),
            unheard: false,
            level: None,
            unasked: Unasked::default(),
            strays: 0,
            unsure_until: Timestamp(0),
            expired: false,
            tail: VecDeque::new(),
            renewals: VecDeque::new(),
        }
    }

    /// It is told to give up a call.
    pub(crate) fn give_up(&mut self, call: &Call, now: Timestamp) {
        if call.is_under_way() {
            self.unsure_until = self.unsure_until.max(now.after(call.patience));
        }
    }

    /// Whether what it says of no call may be because of one, and nobody could say of which.
    pub(crate) fn is_unsure(&self, within: Option<CallId>, now: Timestamp) -> bool {
        let busy = !self.calls.is_free() || within.is_some() || now < self.unsure_until;
        busy && !matches!(self.owner, Owner::Session(_))
    }

    /// Asks for another link in place of one that runs, unless that happens too often: no failure. What was
    /// refused over the one before is to be sent over it. Returns what is left of that, with the calls that were sent over it.
    pub(crate) fn renew(&mut self, refused: Option<CallId>, now: Timestamp, limits: &Limits) -> Option<Self> {
        self.renewals.retain(|at| now.since(*at) < limits.renewal_span);
        if self.renewals.len() >= limits.renewals {
            return None;
        }
        self.renewals.push_back(now);
        if let Some(id) = refused {
            self.calls.renew(id);
        }
        let left = self.parted();
        self.process.stop();
        self.process.want(now);
        (self.draft, self.relearn_at, self.level) = (None, None, None);
        self.news = News::default();
        self.unheard = true;
        Some(left)
    }

    /// The link as it is, with the calls that were sent over it and nothing else.
    fn parted(&mut self) -> Self {
        Self {
            id: self.id,
            owner: self.owner.clone(),
            abilities: self.abilities,
            extensions: self.extensions.clone(),
            used_at: self.used_at,
            listed_at: self.listed_at,
            interactive: self.interactive,
            roots_of: None,
            name: self.name.clone(),
            digest: self.digest,
            process: self.process.clone(),
            calls: self.calls.take_sent(),
            draft: None,
            via: BTreeSet::new(),
            relearn_at: None,
            listless: 0,
            revision: self.revision,
            probe: self.probe,
            news: News::default(),
            unheard: false,
            level: self.level,
            unasked: Unasked::default(),
            strays: self.strays,
            unsure_until: self.unsure_until,
            expired: true,
            tail: VecDeque::new(),
            renewals: VecDeque::new(),
        }
    }

    /// Where it is found.
    pub(crate) fn seat(&self) -> Seat {
        Seat { server: self.id, owner: self.owner.clone() }
    }

    /// Keeps a line of error output.
    pub(crate) fn log(&mut self, line: String) {
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// Takes the last words of the server, which often say more than its exit code. They are for operators alone:
    /// what a server writes there is not meant for clients.
    pub(crate) fn take_last_output(&mut self) -> Option<String> {
        let last: Vec<String> = self.tail.drain(..).filter(|line| !line.trim().is_empty()).collect();
        (!last.is_empty()).then(|| last.join(" | "))
    }

    /// The fault of a request that cannot be sent.
    pub(crate) fn unavailable(&self) -> UpstreamFault {
        let starting = || Failure::passing("it is still starting");
        self.process.failure.clone().unwrap_or_else(starting).fault(&self.name)
    }

    /// Whether its offer may still come: it starts, waits for its start, or is being asked.
    pub(crate) fn is_learning(&self) -> bool {
        match self.process.state {
            State::Queued | State::Opening { .. } | State::Handshaking { .. } | State::Closing { .. } => true,
            State::Running { .. } => self.draft.is_some(),
            State::BackingOff { .. } | State::Crashed { .. } | State::Idle | State::Stopped => false,
        }
    }

    /// Whether its lists are being asked for, or are to be. One that does not come is no reason to go on running.
    pub(crate) fn owes_lists(&self) -> bool {
        self.draft.is_some() || (self.relearn_at.is_some() && self.listless == 0)
    }

    /// Its lists are to be asked for.
    pub(crate) fn ask_lists_at(&mut self, at: Timestamp) {
        self.relearn_at = Some(self.relearn_at.map_or(at, |known| known.min(at)));
    }

    /// Whether somebody waits for it, or it is about to be ready.
    pub(crate) fn is_busy(&self) -> bool {
        let tells = self.calls.task_streams().next().is_some();
        self.owes_lists() || self.calls.has_clients() || tells || self.process.is_starting()
    }

    /// When this server needs attention next.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let own = match self.process.state {
            State::Opening { deadline, .. } | State::Handshaking { deadline, probe: None, .. } => {
                Some(deadline)
            }
            State::Handshaking { deadline, probe: Some(until), .. } => Some(deadline.min(until)),
            State::BackingOff { until } if self.unheard || !self.calls.is_empty() => Some(until),
            // What serves everybody is tried again, also when nobody asks for it.
            State::Crashed { until } if self.unheard || self.owner == Owner::Project => Some(until),
            State::BackingOff { .. }
            | State::Closing { .. }
            | State::Crashed { .. }
            | State::Idle
            | State::Queued
            | State::Running { .. }
            | State::Stopped => None,
        };
        // Hardly ever is anything being learnt, and this is asked with each call.
        let lists = match self.draft.as_ref().and_then(Draft::deadline) {
            Some(late) => Some(self.relearn_at.map_or(late, |at| at.min(late))),
            None => self.relearn_at,
        };
        [own, self.calls.deadline(), lists, self.news.again_at].into_iter().flatten().min()
    }
}
