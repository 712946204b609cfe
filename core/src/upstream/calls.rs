//! The requests that are on their way to one upstream.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{CallId, ExchangeId, KeyId, SessionId, Timestamp};

use super::{Call, Caller, OfTasks, Purpose};

mod again;
mod places;

/// The calls of one upstream. An id is used once in a shard's life, so a late answer never meets another call.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    table: BTreeMap<CallId, Call>,
    deadlines: BTreeSet<(Timestamp, CallId)>,
    bytes: usize,
    /// How many of them are about the subscription to a resource.
    subscriptions: BTreeMap<String, usize>,
    /// Of a server that is asked so much at the same time: who is asked for, and who waits.
    places: places::Places,
}

impl Calls {
    pub(crate) fn insert(&mut self, id: CallId, call: Call) {
        self.deadlines.insert((call.deadline, id));
        self.bytes = self.bytes.saturating_add(call.bytes);
        if let Some((uri, _)) = call.subscription() {
            let number = self.subscriptions.entry(uri.to_owned()).or_default();
            *number = number.saturating_add(1);
        }
        self.table.insert(id, call);
    }

    pub(crate) fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.table.remove(&id)?;
        self.places.remove(id);
        self.deadlines.remove(&(call.deadline, id));
        self.bytes = self.bytes.saturating_sub(call.bytes);
        if let Some((uri, _)) = call.subscription()
            && let Some(number) = self.subscriptions.get_mut(uri)
        {
            *number = number.saturating_sub(1);
            if *number == 0 {
                self.subscriptions.remove(uri);
            }
        }
        Some(call)
    }

    /// Takes the call that a server answers, if it has heard of it.
    pub(crate) fn take_answered(&mut self, id: CallId) -> Option<Call> {
        self.table.get(&id).filter(|call| call.is_owed())?;
        self.remove(id)
    }

    /// Parts a client from what it wanted said of a subscription, which its server has been told: the hub waits for the answer, until
    /// then.
    pub(crate) fn part(&mut self, id: CallId, until: Timestamp) -> Option<Caller> {
        let call = self.table.get(&id).filter(|call| call.sent && call.purpose.client().is_some())?;
        let (uri, begins) = call.subscription()?;
        let purpose = if begins { Purpose::Subscribe } else { Purpose::Unsubscribe };
        let purpose = purpose(uri.into());
        let mut call = self.remove(id)?;
        let before = core::mem::replace(&mut call.purpose, purpose);
        (call.subscribes, call.request) = (None, None);
        (call.deadline, call.hard_deadline) = (until, until);
        self.insert(id, call);
        if let Purpose::Client(caller, _) = before { Some(caller) } else { None }
    }

    /// Whether one of them begins or ends the subscription to a resource.
    pub(crate) fn are_about(&self, uri: &str) -> bool {
        self.subscriptions.contains_key(uri)
    }

    pub(crate) fn contains(&self, id: CallId) -> bool {
        self.table.contains_key(&id)
    }

    /// The caller of a call, for messages before its answer.
    pub(crate) fn caller(&self, id: CallId) -> Option<&Caller> {
        self.table.get(&id)?.purpose.client()
    }

    /// The calls that clients wait for.
    pub(crate) fn clients(&self) -> impl Iterator<Item = (CallId, &Caller)> {
        self.table.iter().filter_map(|(id, call)| Some((*id, call.purpose.client()?)))
    }

    /// Whether deadlines, bytes and places are those of the calls.
    pub(crate) fn is_sound(&self) -> bool {
        let timed = |(id, call): (&CallId, &Call)| self.deadlines.contains(&(call.deadline, *id));
        let bytes: usize = self.table.values().map(|call| call.bytes).sum();
        let waits = |id: CallId| self.table.get(&id).is_some_and(|call| !call.sent);
        let timed = self.deadlines.len() == self.table.len() && self.table.iter().all(timed);
        let about = self.table.values().filter(|call| call.subscription().is_some()).count();
        let noted: usize = self.subscriptions.values().sum();
        timed && bytes == self.bytes && about == noted && self.places.waiting().all(waits)
    }

    /// Something is heard of a call: it may take as long again without a sign of life, at most to its hard deadline.
    pub(crate) fn hear(&mut self, id: CallId, now: Timestamp) {
        self.time(id, |call| call.in_time(now).max(call.deadline));
    }

    /// Lets a call live as long as any may: its server waits for people, and works on others meanwhile.
    pub(crate) fn pause(&mut self, id: CallId) {
        self.places.remove(id);
        self.time(id, |call| call.hard_deadline);
    }

    /// The people have answered: something is to be heard of it as soon as of one that was just sent.
    pub(crate) fn go_on(&mut self, id: CallId, now: Timestamp) {
        self.time(id, |call| call.in_time(now));
    }

    /// A call is sent: whatever it has waited for its server to start, its time begins now. One that was sent before has no
    /// more than it had.
    pub(crate) fn set_off(&mut self, id: CallId, now: Timestamp, longest: Duration) {
        let Some(call) = self.table.get_mut(&id) else { return };
        let again = call.repeated || call.renewals > 0;
        let latest = |at| if again { at } else { Timestamp::NEVER };
        call.sent = true;
        call.hard_deadline = now.after(longest.max(call.patience)).min(latest(call.hard_deadline));
        let latest = latest(call.deadline);
        self.time(id, |call| call.in_time(now).min(latest));
    }

    fn time(&mut self, id: CallId, deadline: impl FnOnce(&Call) -> Timestamp) {
        if let Some(call) = self.table.get_mut(&id) {
            self.deadlines.remove(&(call.deadline, id));
            call.deadline = deadline(call);
            self.deadlines.insert((call.deadline, id));
        }
    }

    /// Gives a call another purpose. Returns the one that it had.
    pub(crate) fn replace(&mut self, id: CallId, purpose: Purpose) -> Option<Purpose> {
        let call = self.table.get_mut(&id)?;
        Some(core::mem::replace(&mut call.purpose, purpose))
    }

    /// A client's call becomes the stream on which its server tells of tasks: it has no end of its own.
    pub(crate) fn hold_for_tasks(&mut self, id: CallId, exchange: ExchangeId) {
        let Some(mut call) = self.remove(id) else { return };
        (call.purpose, call.request) = (Purpose::Tasks(exchange), None);
        (call.deadline, call.hard_deadline) = (Timestamp::NEVER, Timestamp::NEVER);
        self.insert(id, call);
    }

    /// The streams of clients that its server tells of tasks, by the calls on which it does.
    pub(crate) fn task_streams(&self) -> impl Iterator<Item = (CallId, ExchangeId)> {
        self.table.iter().filter_map(|(id, call)| Some((*id, call.purpose.task_stream()?)))
    }

    /// Whether a call is a stream that is open until its server ends it.
    pub(crate) fn is_stream(&self, id: CallId) -> bool {
        let endless = |call: &Call| matches!(call.purpose, Purpose::Listen | Purpose::Tasks(_));
        self.table.get(&id).is_some_and(endless)
    }

    /// Keeps a call in flight but drops its answer.
    pub(crate) fn forget(&mut self, id: CallId) {
        if let Some(call) = self.table.get_mut(&id) {
            let before = core::mem::replace(&mut call.purpose, Purpose::Forgotten(None));
            if let Purpose::Client(caller, _) = before {
                call.purpose = Purpose::Forgotten(Some(Box::new(caller)));
            }
        }
    }

    /// The calls that wait for the link to be ready, in the order in which they came.
    pub(crate) fn unsent(&self) -> Vec<CallId> {
        self.table.iter().filter(|(_, call)| !call.sent).map(|(id, _)| *id).collect()
    }

    /// Removes the calls that wait for the stream of news.
    pub(crate) fn take_awaiting_news(&mut self) -> Vec<Call> {
        let ids = self.table.iter().filter(|(_, call)| call.awaits_news).map(|(id, _)| *id);
        let ids: Vec<CallId> = ids.collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Removes the calls that were never sent.
    pub(crate) fn take_unsent_calls(&mut self) -> Vec<Call> {
        self.unsent().into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Removes the requests of clients of which no process of the server knows: another one may be sent them.
    pub(crate) fn take_movable(&mut self) -> Vec<(CallId, Call)> {
        let movable = |call: &Call| {
            call.purpose.client().is_some()
                && !call.is_begun()
                && call.request.is_some()
                && call.subscribes.is_none()
        };
        let ids = self.table.iter().filter(|(_, call)| movable(call)).map(|(id, _)| *id);
        let ids: Vec<CallId> = ids.collect();
        ids.into_iter().filter_map(|id| Some((id, self.remove(id)?))).collect()
    }

    /// A key was revoked: removes its calls that were never sent, and those that were will not be sent again.
    pub(crate) fn take_unsent_of(&mut self, key: &KeyId) -> Vec<Call> {
        let own =
            |call: &Call| matches!(&call.purpose, Purpose::Client(it, _) if it.key.as_ref() == Some(key));
        self.table.values_mut().filter(|call| call.sent && own(call)).for_each(|call| call.request = None);
        let unsent = self.unsent().into_iter().filter(|id| self.table.get(id).is_some_and(own));
        unsent.collect::<Vec<_>>().into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Removes the calls of the hub's own that have this purpose. Returns them.
    pub(crate) fn remove_own(&mut self, purpose: impl Fn(&Purpose) -> bool) -> Vec<CallId> {
        let ids: Vec<CallId> =
            self.table.iter().filter(|(_, call)| purpose(&call.purpose)).map(|(id, _)| *id).collect();
        for id in &ids {
            self.remove(*id);
        }
        ids
    }

    /// Whether a call of the hub's own has this purpose.
    pub(crate) fn has_own(&self, purpose: impl Fn(&Purpose) -> bool) -> bool {
        self.table.values().any(|call| purpose(&call.purpose))
    }

    /// A call, to be changed. Its deadlines and its size stay as they are.
    pub(crate) fn get_mut(&mut self, id: CallId) -> Option<&mut Call> {
        self.table.get_mut(&id)
    }

    /// Whether a client still waits for one of them.
    pub(crate) fn has_clients(&self) -> bool {
        self.clients().next().is_some()
    }

    /// Whether a client waits for one of them, or will come back for it.
    pub(crate) fn are_wanted(&self) -> bool {
        let wanted = |call: &Call| matches!(call.purpose, Purpose::Client(..) | Purpose::Parked);
        self.table.values().any(wanted)
    }

    /// All calls, leaving none.
    pub(crate) fn drain(&mut self) -> Vec<Call> {
        self.deadlines.clear();
        self.places.clear();
        self.bytes = 0;
        self.subscriptions.clear();
        core::mem::take(&mut self.table).into_values().collect()
    }

    /// The ids of the calls of a session, or of one request of it.
    pub(crate) fn of_session(&self, session: SessionId, request: Option<&str>) -> Vec<CallId> {
        let matches = |caller: &Caller| {
            let is_it = |id: &str| caller.step.is_none() && *caller.id == *id;
            caller.session == Some(session) && request.is_none_or(is_it)
        };
        self.clients().filter(|(_, caller)| matches(caller)).map(|(id, _)| id).collect()
    }

    /// The client's call that a message of the server is of: the one on whose stream it came, or the only one that
    /// the server works on. What it says may also be of a call whose client has gone, or has still to come back.
    pub(crate) fn spoken_of(&self, within: Option<CallId>) -> Option<(CallId, &Caller)> {
        if let Some(id) = within {
            return Some((id, self.caller(id)?));
        }
        let (id, _) = self.only_of_clients()?;
        Some((id, self.caller(id)?))
    }

    /// The same, if the call is to begin a task.
    pub(crate) fn spoken_of_task(&self, within: Option<CallId>) -> Option<&Caller> {
        let (id, caller) = self.spoken_of(within)?;
        let call = self.table.get(&id)?;
        (call.of_tasks == OfTasks::Begins).then_some(caller)
    }

    /// The only call that the server works on, if there is exactly one and it waits for its client to come back.
    pub(crate) fn only_parked(&self) -> Option<CallId> {
        self.only_of_clients().filter(|(_, call)| matches!(call.purpose, Purpose::Parked)).map(|(id, _)| id)
    }

    /// The only call of a client that the server works on, if there is exactly one.
    fn only_of_clients(&self) -> Option<(CallId, &Call)> {
        let mut calls = self.worked_on();
        let first = calls.next()?;
        calls.next().is_none().then_some(first)
    }

    /// Whether the server works on more than one call of clients.
    pub(crate) fn are_several(&self) -> bool {
        self.worked_on().nth(1).is_some()
    }

    fn worked_on(&self) -> impl Iterator<Item = (CallId, &Call)> {
        self.table
            .iter()
            .filter(|(_, call)| call.is_under_way() && call.is_of_client())
            .map(|(id, call)| (*id, call))
    }

    /// Whether the server works on nothing that a client has asked for.
    pub(crate) fn is_free(&self) -> bool {
        !self.table.values().any(Call::is_of_client)
    }

    /// The first call whose time is up.
    pub(crate) fn expired(&self, now: Timestamp) -> Option<CallId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at).filter(|at| *at != Timestamp::NEVER)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of the requests that are not answered yet: what bounds the queue to the upstream.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
