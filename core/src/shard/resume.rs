//! Event streams of the 2025 eras: what is said on them has a number, and a client that has lost its connection gets
//! the rest over another one (2025-03-26 to 2025-11-25, transports, resumability).
//!
//! In these eras a disconnect cancels nothing: what a call has to say while its client is away is kept. A stream begins
//! here with its first message; where nothing was said there is no cursor, and nothing to come back for.

use alloc::string::ToString;
use bytes::Bytes;

use super::cursor::{Cursor, Kind};
use super::session::{Transport, Unsaid};
use super::streams::{Answers, Resumed};
use super::{Cx, Effect, Exchange, Opened, Shard};
use crate::hub;
use crate::mcp::Revision;
use crate::ports::gateway::Event;
use crate::upstream::Caller;
use crate::{ExchangeId, Fault, Rejection, SessionId};

impl Shard {
    /// Says something on an exchange, wherever its stream is by now.
    pub(super) fn emit(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId, data: Bytes) {
        self.begin_stream(cx, exchange);
        self.release(cx, exchange);
        let (now, limits) = (cx.now, cx.snapshot.limits());
        let Some(said) = self.streams.say(exchange, data.clone(), now, limits) else {
            return cx.emit(exchange, data);
        };
        if let Some(exchange) = said.carrier {
            let event = Event::Message { id: Some(said.id.to_string()), data };
            cx.effect(Effect::Emit { exchange, event });
        }
    }

    /// Ends what an exchange has become, without a message.
    pub(super) fn finish(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        let resumable = self.streams.has(exchange);
        let carrier = if resumable { self.streams.end(exchange, cx.now) } else { Some(exchange) };
        if let Some(exchange) = carrier {
            cx.effect(Effect::Finish { exchange });
        }
    }

    /// Makes a stream of an exchange that has nothing to say yet.
    pub(super) fn open_stream(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        cx.effect(Effect::OpenStream { exchange });
        if self.resumable(exchange).is_some_and(|(.., revision)| revision.has_priming_events()) {
            self.begin_stream(cx, exchange);
        }
        self.release(cx, exchange);
    }

    /// The answer to a request takes its time: its client is shown that somebody is there.
    pub(super) fn on_answer_delayed(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        // The head of an answer that opens a session says its id: it cannot go ahead.
        let opens = |shard: &Self| {
            let mut waiters = shard.waiters.iter().filter(|waiter| waiter.caller.exchange == exchange);
            let session = waiters.find_map(|waiter| shard.sessions.get(waiter.caller.session?));
            session.is_some_and(|session| session.revision.is_none())
        };
        match self.exchanges.get(&exchange) {
            Some(Exchange::Waiter) if opens(self) => {}
            Some(Exchange::Store) | None => {}
            Some(
                Exchange::Batch
                | Exchange::Call(..)
                | Exchange::Goal(_)
                | Exchange::Listener
                | Exchange::Run(_)
                | Exchange::Stream(_)
                | Exchange::Waiter,
            ) => self.open_stream(cx, exchange),
        }
    }

    fn begin_stream(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        if self.streams.has(exchange) {
            return;
        }
        let Some((session, kind, revision)) = self.resumable(exchange) else { return };
        let answers = self.answers_on(exchange);
        let (now, limits) = (cx.now, cx.snapshot.limits());
        let Some(first) = self.streams.begin(session, kind, (exchange, answers), now, limits) else { return };
        if revision.has_priming_events() {
            let retry_ms = u64::try_from(limits.sse_retry.as_millis()).unwrap_or(u64::MAX);
            let event = Event::Primed { id: first.to_string(), retry_ms };
            cx.effect(Effect::Emit { exchange, event });
        }
    }

    /// The request that has an exchange of its own, and the server that answers it.
    fn answer_on(&self, exchange: ExchangeId) -> Option<(&Caller, &str)> {
        match *self.exchanges.get(&exchange)? {
            Exchange::Call(server, call) => {
                let retired = self.retired.values().map(|(upstream, _)| upstream);
                let mut all = retired.chain(self.upstreams.of(server));
                all.find_map(|upstream| Some((upstream.calls.caller(call)?, upstream.name.as_str())))
            }
            Exchange::Goal(token) => {
                let (_, caller) = self.goals.callers().find(|(own, _)| *own == token)?;
                Some((caller, hub::NAME))
            }
            Exchange::Run(run) => Some((self.run_caller(run, exchange)?, hub::NAME)),
            Exchange::Waiter => {
                let mut waiters = self.waiters.iter().map(|waiter| &waiter.caller);
                Some((waiters.find(|caller| caller.exchange == exchange)?, ""))
            }
            Exchange::Batch | Exchange::Listener | Exchange::Store | Exchange::Stream(_) => None,
        }
    }

    /// Which requests are answered on an exchange, by which server.
    fn answers_on(&self, exchange: ExchangeId) -> Answers {
        if let Some((caller, server)) = self.answer_on(exchange) {
            return Answers { ids: [caller.id.clone()].into(), server: server.into() };
        }
        let waiting = self
            .waiters
            .iter()
            .filter(|waiter| waiter.caller.step.is_none())
            .map(|waiter| (&waiter.caller, ""));
        let retired = self.retired.values().map(|(upstream, _)| upstream);
        let all = self.upstreams.values().chain(retired).flat_map(|upstream| {
            let calls = upstream.calls.clients().filter(|(_, caller)| caller.step.is_none());
            calls.map(|(_, caller)| (caller, upstream.name.as_str()))
        });
        let goals = self.goals.callers().map(|(_, caller)| caller);
        let runs = self.run_callers().chain(goals).map(|caller| (caller, hub::NAME));
        let held = self.wishes.held.values().flatten();
        let held = held.filter(|promise| !promise.ends && promise.exchange == exchange);
        let mut answers = Answers::default();
        answers.ids.extend(held.map(|promise| promise.id.clone()));
        for (caller, server) in
            all.chain(waiting).chain(runs).filter(|(caller, _)| caller.exchange == exchange)
        {
            answers.ids.push(caller.id.clone());
            answers.server = server.into();
        }
        answers
    }

    /// The session, purpose and revision of an exchange that can become a stream with event ids.
    fn resumable(&mut self, exchange: ExchangeId) -> Option<(SessionId, Kind, Revision)> {
        let (session, kind) = match *self.exchanges.get(&exchange)? {
            Exchange::Batch => (self.batches.get(&exchange)?.session, Kind::Answer),
            Exchange::Call(..) | Exchange::Goal(_) | Exchange::Run(_) | Exchange::Waiter => {
                (self.answer_on(exchange)?.0.session?, Kind::Answer)
            }
            Exchange::Stream(session) => (session, Kind::Listen),
            Exchange::Listener | Exchange::Store => return None,
        };
        let session = self.sessions.get(session)?;
        let revision = session.revision.filter(|revision| revision.has_event_ids())?;
        (session.transport == Transport::Http).then_some((session.id, kind, revision))
    }

    /// The client of a stream is away. Its call goes on; a stream for what no request asked for waits for it.
    pub(super) fn on_reader_gone(&mut self, cx: &mut Cx<'_>, address: ExchangeId, kind: Kind) {
        if kind == Kind::Answer {
            return;
        }
        let Some(Exchange::Stream(session)) = self.exchanges.remove(&address) else { return };
        let most = cx.limits().session_streams;
        let Some(session) = self.sessions.get_mut(session) else { return };
        session.last_active = cx.now;
        session.streams.retain(|stream| *stream != address);
        session.away.push(address);
        if session.away.len() > most {
            let oldest = session.away.remove(0);
            self.streams.end(oldest, cx.now);
        }
    }

    /// GET with `Last-Event-ID`: the rest of that stream, and of no other. Whether it was taken up: what a stream for
    /// what no request asked for has said in an earlier life of the hub is gone, and its client listens anew.
    pub(super) fn resume_stream(
        &mut self,
        cx: &mut Cx<'_>,
        opened: &Opened,
        session: SessionId,
        cursor: &str,
    ) -> Result<bool, Fault> {
        let cursor = Cursor::parse(cursor).filter(|cursor| cursor.is_of(session));
        let cursor = cursor.ok_or(Rejection::UnknownEvent)?;
        let since = self.sessions.get(session).map(|session| session.since);
        if cursor.kind == Kind::Listen && since.is_some_and(|since| cursor.is_older_than(since)) {
            return Ok(false);
        }
        let (exchange, limits) = (opened.exchange, cx.snapshot.limits());
        let resumed = self.streams.resume(session, cursor, exchange, cx.now, limits)?;
        if resumed.ended && resumed.later.is_empty() {
            // An event stream that ends at once would be opened again and again; 204 ends that (HTML, event streams).
            cx.answer(exchange, 204, None);
            return Ok(true);
        }
        self.replay(cx, exchange, session, resumed);
        Ok(true)
    }

    fn replay(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId, session: SessionId, resumed: Resumed) {
        if let Some(before) = resumed.before {
            cx.effect(Effect::Finish { exchange: before });
        }
        cx.effect(Effect::OpenStream { exchange });
        for (id, data) in resumed.later {
            let event = Event::Message { id: Some(id.to_string()), data };
            cx.effect(Effect::Emit { exchange, event });
        }
        if resumed.ended {
            cx.effect(Effect::Finish { exchange });
        } else if resumed.kind == Kind::Listen {
            self.exchanges.insert(resumed.address, Exchange::Stream(session));
            self.listen_on(cx, session, resumed.address);
        }
    }

    /// A stream is the newest one of its session; the oldest may have to give way.
    pub(super) fn listen_on(&mut self, cx: &mut Cx<'_>, session: SessionId, address: ExchangeId) {
        let most = cx.limits().session_streams;
        let Some(session) = self.sessions.get_mut(session) else { return };
        if session.stream() == Some(address) {
            // What went unsaid was said on this stream while its client was away.
            session.unsaid = Unsaid::default();
        }
        session.away.retain(|stream| *stream != address);
        session.streams.retain(|stream| *stream != address);
        session.streams.push(address);
        let oldest = (session.streams.len() > most).then(|| session.streams.remove(0));
        if let Some(oldest) = oldest {
            self.exchanges.remove(&oldest);
            self.finish(cx, oldest);
        }
    }
}
