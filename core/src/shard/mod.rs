//! A shard: everything of one project that has a life of its own.
//!
//! [`Shard::handle`] takes one input and appends effects; [`Shard::deadline`] says when it wants to be woken.
//! A project is a shard, so nothing that one project does can reach another, and one decision never needs two.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use hashbrown::HashMap;

use crate::ports::upstream::Grace;
use crate::run::{Runs, Unit};
use crate::upstream::{Caller, Seat, Seats, Upstream};
use crate::{CallId, Deadline, ExchangeId, LaunchId, LinkId, RunId, ServerId, SessionId, Timestamp};

mod answer;
mod audit;
mod batch;
mod begun;
mod begun_stored;
mod cancel;
mod consult;
mod cursor;
mod cx;
mod demand;
mod doubt;
mod durable;
mod effect;
mod following;
mod forward;
mod gather;
mod goals;
mod granting;
mod greet;
mod handshake;
mod input;
mod keyed;
mod leases;
mod legacy;
mod link;
mod listen;
mod lists;
mod locate;
mod meant;
mod misshapen;
mod modern;
mod named;
mod news;
mod notify;
mod outliving;
mod own;
mod park;
mod passing;
mod places;
mod planning;
mod private;
mod refusal;
mod renew;
mod replay;
mod report;
mod rest;
mod resume;
mod reverse;
mod rounds;
mod run_tasks;
mod running;
mod seal;
mod seating;
mod session;
mod settled;
mod shown;
mod start;
mod state;
mod streams;
mod subscribe;
mod subscriptions;
mod survey;
mod task_asked;
mod task_news;
mod task_talk;
mod telling;
mod timers;
mod unheard;
mod updated;
mod urls;
mod via;
mod view;
mod wait;
mod watchers;
mod watching;

pub use audit::Gauges;
pub use cursor::Cursor;
pub use cx::Cx;
pub use effect::{Effect, Effects, Report, Token};
pub use input::{BatchPosted, Input, Opened, Posted};
pub use rest::Order;

use batch::Batch;
use begun::Begun;
pub(crate) use demand::questions;
use durable::Wishes;
use gather::Gathering;
use goals::Goals;
use granting::Granting;
use keyed::Keyed;
use listen::Listener;
use outliving::Outliving;
use park::Parked;
use private::Private;
use reverse::Asked;
use running::Running;
use session::Sessions;
use settled::Unsettled;
use shown::Shown;
use streams::Streams;
use subscriptions::{Subscriber, Subscriptions};
use survey::Publication;
use task_news::Opening;
use wait::Waiter;
use watchers::Watchers;

/// The live state of one project.
#[derive(Debug, Default)]
pub struct Shard {
    sessions: Sessions,
    /// Servers that are or were wanted.
    upstreams: Seats,
    /// Servers that were removed or changed, while their last calls end.
    retired: BTreeMap<LinkId, (Upstream, Timestamp)>,
    /// Which server a link belongs to.
    links: BTreeMap<LinkId, Seat>,
    /// The launches that the store knows of.
    leases: BTreeMap<LinkId, LaunchId>,
    exchanges: HashMap<ExchangeId, Exchange>,
    batches: BTreeMap<ExchangeId, Batch>,
    /// Streams that can be taken up again.
    streams: Streams,
    waiters: Vec<Waiter>,
    listeners: BTreeMap<ExchangeId, Listener>,
    /// Streams of which not all servers have said yet whether they tell of the resources that are asked for.
    granting: BTreeMap<ExchangeId, Granting>,
    /// Streams to be, whose servers have not said yet of which tasks they will tell.
    opening: BTreeMap<ExchangeId, Opening>,
    /// Calls that wait for their client's next try, by the number in `requestState`.
    parked: BTreeMap<u64, Parked>,
    /// Calls of the same kind whose servers have just begun to ask.
    gathering: BTreeMap<CallId, Gathering>,
    subscriptions: Subscriptions,
    /// Servers of the stateless era whose streams of news are to tell of other resources than they do.
    stale_news: BTreeSet<LinkId>,
    /// Calls that carry an idempotency key.
    keyed: Keyed,
    /// URIs that servers have shown on the unified endpoint.
    shown: Shown,
    /// Tasks that sessions have begun.
    begun: Begun,
    publications: BTreeMap<ServerId, Publication>,
    /// What sessions want to be told.
    wishes: Wishes,
    /// What processes offer that serve somebody alone.
    private: Private,
    /// What servers have asked of clients, by the id that the clients see.
    asked: BTreeMap<u64, Asked>,
    /// Answers that wait until a change is durable.
    unstored: BTreeMap<Token, (Caller, SessionId)>,
    deletions: BTreeMap<Token, ExchangeId>,
    /// Goals in words, while plans are made of them.
    goals: Goals,
    /// Plans that are being carried out, and those whose results are kept.
    runs: Runs,
    /// Whose they are.
    running: BTreeMap<RunId, Running>,
    /// What of them is on its way into the store, and out of it.
    outliving: Outliving,
    /// What is said of them as soon as the store has it.
    unsettled: Unsettled,
    /// Who waits for the end of a run without owning it.
    watchers: Watchers,
    /// The calls of runs that are on their way to a server.
    step_calls: BTreeMap<(RunId, Unit), (ServerId, CallId)>,
    /// Links over which calls are to go that wait for a place at their server.
    crowded: BTreeSet<LinkId>,
    /// Clients' calls that are not answered yet.
    in_flight: usize,
    next_call: u64,
    /// The number of the next question to a client; 0 before the first.
    next_question: u64,
    next_link: u64,
    next_token: u64,
    next_sweep: Timestamp,
    /// Whether the hub is about to stop: calls may end, and nothing stays open for anything else.
    draining: bool,
    /// Whether streams that have no end of their own end at once.
    leaving: bool,
    /// Whether it stops: nothing is begun any more.
    stopping: bool,
}

/// What an open exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exchange {
    /// It waits for the answers to a batch.
    Batch,
    /// It waits for the answer to a call.
    Call(ServerId, CallId),
    /// A stream of the 2026 era.
    Listener,
    /// It waits for a plan to be made of a goal.
    Goal(Token),
    /// It waits for the end of a run.
    Run(RunId),
    /// It waits until a change is durable.
    Store,
    /// A stream of a session.
    Stream(SessionId),
    /// It waits for servers to be seen.
    Waiter,
}

impl Shard {
    /// Takes one input. All that follows from it is in `cx.out` afterwards.
    pub fn handle(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::AnswerDelayed(exchange) => self.on_answer_delayed(cx, exchange),
            Input::BatchPosted(posted) => self.on_batch_posted(cx, posted),
            Input::Draining => {
                (self.draining, self.leaving) = (true, true);
                self.store_refused(cx);
            }
            Input::ExchangeClosed(exchange) => self.on_exchange_closed(cx, exchange),
            Input::FramesReceived { link, within, frames } => self.on_frames(cx, link, within, frames),
            Input::HandingOver => self.leaving = true,
            Input::KeyRevoked(key) => self.on_key_revoked(cx, &key),
            Input::LinkClosed { link, reason } => self.on_link_closed(cx, link, &reason),
            Input::LinkExpired { link, refusal } => self.on_link_expired(cx, link, refusal),
            Input::LinkLaunched { link, launched } => self.on_launched(cx, link, launched),
            Input::LinkLogged { link, line } => self.on_link_logged(cx, link, line),
            Input::LinkMissed { link } => self.on_link_missed(cx, link),
            Input::LinkOpened { link, pid } => self.on_link_opened(cx, link, pid),
            Input::Ordered { server, order } => self.on_ordered(cx, server, order),
            Input::PlannerAnswered { token, outcome } => self.on_planner_answered(cx, token, outcome),
            Input::Posted(posted) => self.on_posted(cx, posted),
            Input::RequestDeclined { link, refusal } => self.on_request_declined(cx, link, refusal),
            Input::SessionDeleted(opened) => self.on_session_deleted(cx, &opened),
            Input::SnapshotReplaced(changes) => self.on_snapshot_replaced(cx, &changes),
            Input::Stopping => self.on_stopping(cx),
            Input::Stored { token, outcome } => self.on_stored(cx, token, outcome),
            Input::StreamOpened(opened) => self.on_stream_opened(cx, &opened),
            Input::SurveyAsked => self.on_survey_asked(cx),
            Input::TimerFired => self.on_timer(cx),
        }
        self.release_keyed(cx);
        loop {
            self.pass_turns(cx);
            self.carry_out_runs(cx);
            self.fill_places(cx);
            self.open_stale_news(cx);
            self.start_queued(cx);
            // Whoever has got a turn, or a process, may have ended what others wait for.
            if !self.has_turns() {
                break;
            }
        }
        if self.leaving {
            self.end_endless(cx);
        }
        self.store_changes(cx);
        self.upstreams.note();
    }

    /// When this shard wants [`Input::TimerFired`] next.
    pub fn deadline(&self) -> Option<Deadline> {
        self.next_deadline()
    }

    /// Whether no link is left: a stopping instance may end.
    pub fn is_quiet(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether a server is being seen for the first time right now.
    pub fn is_learning(&self, snapshot: &crate::snapshot::Snapshot) -> bool {
        let unseen = snapshot.servers().filter(|entry| entry.enabled() && entry.offer.is_none());
        unseen
            .into_iter()
            .any(|entry| self.upstreams.shared(entry.id).is_some_and(|upstream| self.learns(upstream)))
    }

    /// Live sessions, for gauges and tests.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn mint_call(&mut self) -> CallId {
        self.next_call = self.next_call.saturating_add(1);
        CallId(self.next_call)
    }

    /// A number for a question to a client, who may still answer what it was asked before the hub was started again: that is to
    /// be no answer to another question, so they begin somewhere. Clients read them as 32 bits.
    fn mint_question(&mut self, cx: &mut Cx<'_>) -> u64 {
        if self.next_question == 0 {
            self.next_question = cx.entropy.below(1 << 30);
        }
        self.next_question = self.next_question.saturating_add(1);
        self.next_question
    }

    fn mint_token(&mut self) -> Token {
        self.next_token = self.next_token.saturating_add(1);
        Token(self.next_token)
    }

    fn mint_link(&mut self) -> LinkId {
        self.next_link = self.next_link.saturating_add(1);
        LinkId(self.next_link)
    }

    /// The server of a link, whether it is current or on its way out.
    fn upstream_of(&mut self, link: LinkId) -> Option<&mut Upstream> {
        if let Some((upstream, _)) = self.retired.get_mut(&link) {
            return Some(upstream);
        }
        let upstream = self.upstreams.get_mut(self.links.get(&link)?)?;
        // A link that was given up may still have something to say; its server lives on over another one.
        (upstream.process.link() == Some(link)).then_some(upstream)
    }

    /// The same, to be read.
    fn upstream_at(&self, link: LinkId) -> Option<&Upstream> {
        if let Some((upstream, _)) = self.retired.get(&link) {
            return Some(upstream);
        }
        let upstream = self.upstreams.get(self.links.get(&link)?)?;
        (upstream.process.link() == Some(link)).then_some(upstream)
    }

    /// The server's name, whatever has become of the link.
    fn name_of(&self, link: LinkId) -> Option<&str> {
        let retired = self.retired.get(&link).map(|(upstream, _)| upstream);
        let upstream = retired.or_else(|| self.upstreams.get(self.links.get(&link)?))?;
        Some(&upstream.name)
    }
}

fn grace(limits: &crate::Limits) -> Grace {
    Grace { stdin: limits.stop_stdin, term: limits.stop_term }
}

#[cfg(test)]
mod tests;
