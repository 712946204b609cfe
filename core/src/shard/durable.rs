//! What outlives the hub beside sessions: what they want to be told, and the answers that clients may come back for.
//!
//! Whatever changes it marks it as changed; at the end of an input all of that goes to the store at once. Only the yes to
//! a wish waits for it, and what is told of runs.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::outliving::LeftRuns;
use super::session::{Session, Transport, bare_notification};
use super::subscriptions::Subscriber;
use super::updated::updated;
use super::{Cx, Effect, Exchange, Shard, Token};
use crate::mcp::ListKind;
use crate::ports::store::{Change, Expect};
use crate::record::{self, Record, RecordId, Serves};
use crate::upstream::{Caller, Level, Owner, Seat};
use crate::{ExchangeId, Fault, KeyId, SessionId, Timestamp, UpstreamFault};

/// What sessions want to be told, on its way into the store.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Sessions whose wishes may be others than those in the store.
    pub changed: BTreeSet<SessionId>,
    /// Sessions that have wishes in the store.
    stored: BTreeSet<SessionId>,
    /// Answers that say yes to what is not durable yet, and those among them that are already on its way.
    said: Vec<Promise>,
    pub held: BTreeMap<Token, Vec<Promise>>,
    /// Whether what is answered right now says of a run what is not durable yet.
    pub holds: bool,
}

/// An answer that waits until what it says is durable.
#[derive(Debug)]
pub(super) struct Promise {
    pub exchange: ExchangeId,
    /// Whether it ends that; else there is a place for it among others.
    pub ends: bool,
    session: Option<SessionId>,
    /// Raw JSON of the request's id.
    pub id: Box<str>,
    status: u16,
    body: Vec<u8>,
}

impl Shard {
    /// A shard with what an earlier life of the hub has stored: sessions, their wishes, what they are owed, and runs. Records
    /// of other kinds mean nothing here.
    pub fn restore(records: impl IntoIterator<Item = Record>, now: Timestamp) -> Self {
        let mut shard = Self::default();
        let (mut wishes, mut owed, mut runs) = (Vec::new(), Vec::new(), LeftRuns::default());
        for record in records {
            match record {
                Record::Session(session) => shard.sessions.insert(Session::restore(session, now)),
                Record::Wishes(it) => wishes.push(it),
                Record::Owed(it) => owed.push(it),
                Record::Run(it) => runs.runs.push(it),
                Record::RunCall(it) => runs.calls.push((it, None)),
                Record::RunElement(it, array) => runs.calls.push((it, Some(array))),
                Record::RunStep(it) => runs.steps.push(it),
                Record::Task(it) => shard.restore_task(it),
                Record::Definitions(_)
                | Record::Key(_)
                | Record::Lease(_)
                | Record::Calls(_)
                | Record::Log(_)
                | Record::Project(_)
                | Record::Server(_) => {}
            }
        }
        shard.outliving.restore(runs);
        for wishes in &wishes {
            shard.restore_wishes(wishes);
        }
        for owed in owed {
            let cause = "the hub ended before it had answered".to_owned();
            let fault: Fault = UpstreamFault::OutcomeUnknown { server: owed.server.clone(), cause }.into();
            shard.streams.restore(owed, |id| fault.frame(Some(id)), now);
        }
        // What is left of sessions that have ended goes.
        let ended: Vec<SessionId> =
            shard.streams.sessions().filter(|id| shard.sessions.get(*id).is_none()).collect();
        for session in ended {
            shard.streams.forget(session);
        }
        shard
    }

    fn restore_wishes(&mut self, wishes: &record::Wishes) {
        self.wishes.stored.insert(wishes.session);
        let Some(session) = self.sessions.get_mut(wishes.session) else {
            self.wishes.changed.insert(wishes.session);
            return;
        };
        session.level = wishes.level.as_deref().and_then(Level::parse);
        for it in &wishes.subscriptions {
            let owner = owner(it.serves, Some(session.id), &session.key);
            let seat = Seat { server: it.server, owner };
            self.subscriptions.add(&seat, &it.uri, Subscriber::Session(session.id), &it.known_as);
        }
    }

    /// Whether an answer says what is not durable yet: yes to what a session wants, or how a run stands.
    pub(super) fn promises(&self, caller: &Caller) -> bool {
        let stored = |session: &Session| session.transport == Transport::Http;
        let wished = caller.session.is_some_and(|id| {
            let wants = self.wishes.changed.contains(&id) || self.subscriptions.changed.contains(&id);
            wants && self.sessions.get(id).is_some_and(stored)
        });
        self.wishes.holds || (caller.ends && wished)
    }

    /// Lets an answer wait.
    pub(super) fn hold(&mut self, caller: &Caller, status: u16, body: Vec<u8>) {
        let Caller { exchange, ends, session, .. } = *caller;
        if ends {
            self.exchanges.insert(exchange, Exchange::Store);
        }
        self.wishes.said.push(Promise { exchange, ends, session, id: caller.id.clone(), status, body });
    }

    /// Requests are taken back whose answers wait: one of a session, or all.
    pub(super) fn drop_held(&mut self, cx: &mut Cx<'_>, session: SessionId, request: Option<&str>) {
        let is_it = |it: &mut Promise| {
            it.session == Some(session) && request.is_none_or(|request| *it.id == *request)
        };
        let held = self.wishes.held.values_mut();
        let taken: Vec<Promise> = held.flat_map(|held| held.extract_if(.., is_it)).collect();
        for Promise { exchange, ends, id, .. } in taken {
            self.unsettled.unsay(exchange, &id);
            if !ends {
                self.count_down(cx, exchange);
            } else if self.exchanges.remove(&exchange).is_some() {
                self.finish(cx, exchange);
            }
        }
    }

    /// What was promised is durable, or could not be stored: it holds as long as the hub lives all the same.
    pub(super) fn release_held(&mut self, cx: &mut Cx<'_>, token: Token) {
        for Promise { exchange, ends, status, body, .. } in
            self.wishes.held.remove(&token).into_iter().flatten()
        {
            if !ends && self.exchanges.contains_key(&exchange) {
                self.hand_over(cx, exchange, body.into());
            } else if ends && self.exchanges.remove(&exchange).is_some() {
                self.end_with(cx, exchange, status, body);
            }
        }
    }

    /// Puts what has changed on its way into the store.
    pub(super) fn store_changes(&mut self, cx: &mut Cx<'_>) {
        let project = cx.snapshot.project.id;
        let mut changes = self.streams.take_changes(project);
        let others = [&mut self.wishes.changed, &mut self.subscriptions.changed].map(core::mem::take);
        for session in others.into_iter().flatten().collect::<BTreeSet<_>>() {
            match self.wishes_of(cx, session) {
                Some(wishes) => {
                    self.wishes.stored.insert(session);
                    changes.push(Change::Put(Record::Wishes(wishes), Expect::Anything));
                }
                None if self.wishes.stored.remove(&session) => {
                    changes.push(Change::Remove(RecordId::Wishes(project, session)));
                }
                None => {}
            }
        }
        changes.extend(self.begun.take_changes(project));
        let (run_changes, of_runs) = self.run_changes(cx);
        changes.extend(run_changes);
        let said = core::mem::take(&mut self.wishes.said);
        let awaited = !said.is_empty() || self.outliving.is_holding() || self.unsettled.is_waited_for();
        if !awaited && changes.is_empty() {
            return;
        }
        let token = self.mint_token();
        let heard_of = awaited || !of_runs.is_empty();
        self.unsettled.send(token, of_runs);
        if awaited {
            self.wishes.held.insert(token, said);
            self.outliving.hold(token);
        }
        cx.effect(Effect::Persist { token: heard_of.then_some(token), changes });
    }

    fn wishes_of(&self, cx: &Cx<'_>, id: SessionId) -> Option<record::Wishes> {
        let session = self.sessions.get(id).filter(|session| session.transport == Transport::Http)?;
        let subscriptions: Vec<record::Subscription> = self.subscriptions_of(session).collect();
        let level = session.level.map(|level| level.name().to_owned());
        let any = level.is_some() || !subscriptions.is_empty();
        any.then_some(record::Wishes { session: id, project: cx.snapshot.project.id, level, subscriptions })
    }

    fn subscriptions_of(&self, session: &Session) -> impl Iterator<Item = record::Subscription> {
        self.subscriptions.names_of(Subscriber::Session(session.id)).map(|(seat, uri, known_as)| {
            let (uri, known_as) = (uri.to_owned(), known_as.to_owned());
            record::Subscription { server: seat.server, serves: serves(&seat.owner), uri, known_as }
        })
    }

    /// A client listens for the first time in this life of the hub: nobody knows what it has missed. It is told that all
    /// may have changed, and the servers are started that are to tell it more.
    pub(super) fn catch_up(&mut self, cx: &mut Cx<'_>, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.restored) else { return };
        session.restored = false;
        let Some(stream) = self.sessions.get(id).and_then(Session::stream) else { return };
        for method in ListKind::ALL.map(ListKind::changed).into_iter().collect::<BTreeSet<_>>() {
            self.emit(cx, stream, bare_notification(method));
        }
        let subscribed = self.subscriptions.names_of(Subscriber::Session(id));
        let subscribed: Vec<_> =
            subscribed.map(|(seat, _, known_as)| (seat.clone(), known_as.to_owned())).collect();
        for (seat, known_as) in subscribed {
            self.emit(cx, stream, updated(&known_as));
            let Some(entry) = cx.snapshot.entry(seat.server).filter(|entry| entry.enabled()).cloned() else {
                continue;
            };
            if let Ok(seat) = self.seat(cx, &entry, seat.owner)
                && let Some(upstream) = self.upstreams.get_mut(&seat)
            {
                upstream.process.want(cx.now);
            }
        }
    }
}

/// Whom a process serves, as it is stored.
pub(super) fn serves(owner: &Owner) -> Serves {
    match owner {
        Owner::Project => Serves::Everybody,
        Owner::Key(..) => Serves::Key,
        Owner::Session(_) => Serves::Session,
    }
}

/// Whom a process serves. Where no session is known there was none that it could serve.
pub(super) fn owner(serves: Serves, session: Option<SessionId>, key: &KeyId) -> Owner {
    match (serves, session) {
        (Serves::Everybody, _) => Owner::Project,
        (Serves::Key, _) | (Serves::Session, None) => Owner::Key(key.clone(), 0),
        (Serves::Session, Some(session)) => Owner::Session(session),
    }
}
