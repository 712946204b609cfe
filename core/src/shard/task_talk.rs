//! Whom it concerns what a server says and asks because of a task, where that comes on the stream of no call: the session that
//! began it, and who waits for its result; nobody else.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::begun::Task;
use super::session::Session;
use super::{Cx, Shard};
use crate::mcp::related_task;
use crate::rpc::{Envelope, Field, write};
use crate::upstream::{Caller, Owner, Upstream};
use crate::{CallId, ExchangeId, LinkId, SessionId};

/// A session, and the exchange on which it is told something.
pub(super) type Place = (SessionId, ExchangeId);

impl Shard {
    /// Where a message goes that is because of a task, the best place first, which may be none; `None` if it is of no task, or if
    /// all tasks of the process are of one session.
    pub(super) fn places_by_task(
        &self,
        cx: &Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) -> Option<Vec<Place>> {
        let task = related_task(frame).filter(|_| within.is_none())?;
        self.places_of(cx, self.upstream_at(link)?, link, (&task, within))
    }

    fn places_of(
        &self,
        cx: &Cx<'_>,
        upstream: &Upstream,
        link: LinkId,
        (task, within): (&str, Option<CallId>),
    ) -> Option<Vec<Place>> {
        if let Some(task) = self.begun.at(&upstream.seat(), link, task, cx.now) {
            return Some(self.places_of_known(upstream, task, within));
        }
        // On the stream of a call it may be just beginning. Else it may be anybody's that was given up.
        let alone = matches!(upstream.owner, Owner::Session(_));
        let of_call = within.is_some() || alone;
        let spoken = upstream.calls.spoken_of_task(within).filter(|_| of_call).and_then(place_of);
        (spoken.is_some() || !alone).then(|| spoken.into_iter().collect())
    }

    /// First who waits for the result, the session that began it before others of its key. Then the stream of that session, or its
    /// call that the server speaks of.
    fn places_of_known(&self, upstream: &Upstream, task: &Task, within: Option<CallId>) -> Vec<Place> {
        let is_own = |place: &Place| Some(place.0) == task.session;
        let waits = task.awaited.iter().filter_map(|call| place_of(upstream.calls.caller(*call)?));
        let (own, others): (Vec<Place>, Vec<Place>) = waits.partition(is_own);
        let session = task.session.and_then(|session| self.sessions.get(session));
        let stream = session.and_then(|session| Some((session.id, session.stream()?)));
        let spoken = upstream.calls.spoken_of(within).and_then(|(_, caller)| place_of(caller));
        let spoken = spoken.filter(|place| session.is_some() && is_own(place));
        own.into_iter().chain(others).chain(stream).chain(spoken).collect()
    }

    /// A server says how a task stands: who began it is told.
    pub(super) fn on_task_status(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) {
        let (Some(upstream), Some(id)) = (self.upstream_at(link), frame.text(Field::TaskId)) else { return };
        let seat = upstream.seat();
        let alone = || self.only_served(upstream).and_then(Session::stream);
        let exchange = match self.places_of(cx, upstream, link, (&id, within)) {
            Some(places) => places.first().map(|(_, exchange)| *exchange),
            None => alone(),
        };
        if let Some(exchange) = exchange {
            let message = write::request(None, "notifications/tasks/status", frame.raw(Field::Params));
            self.emit(cx, exchange, message.into());
        }
        self.begun.hear(&seat, link, frame.raw(Field::Params));
    }

    /// Where progress goes whose call has been answered: to the session that began a task with it, with the token that it chose. It
    /// gives who waits for the result more time.
    pub(super) fn place_of_progress(
        &mut self,
        cx: &Cx<'_>,
        link: LinkId,
        call: CallId,
    ) -> Option<(ExchangeId, Box<str>)> {
        let upstream = self.upstream_at(link)?;
        let task = self.begun.of_call(call, &upstream.seat(), link, cx.now)?;
        let token = task.progress.clone()?;
        let places = self.places_of_known(upstream, task, None);
        // Another session may use the same token for something else.
        let place = places.into_iter().find(|(session, _)| Some(*session) == task.session);
        let awaited = task.awaited.clone();
        let upstream = self.upstream_of(link)?;
        for call in awaited {
            upstream.calls.hear(call, cx.now);
        }
        Some((place?.1, token))
    }
}

fn place_of(caller: &Caller) -> Option<Place> {
    Some((caller.session?, caller.exchange))
}
