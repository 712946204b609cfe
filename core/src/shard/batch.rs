//! JSON-RPC batches of 2025-03-26: several messages in one body, and their answers in one, or as the events of one
//! stream once there is one (2025-03-26, transports, sending messages to the server).

use alloc::vec::Vec;
use bytes::Bytes;

use super::legacy::{caller, check_version, not_found};
use super::session::Transport;
use super::wait::Patience;
use super::{BatchPosted, Cx, Exchange, Shard};
use crate::mcp::{Revision, Row};
use crate::rpc::{Envelope, Message, Unread};
use crate::{CallId, Exceeded, ExchangeId, Fault, Limit, Rejection, ServerId, SessionId};

/// A batch that is not answered yet.
#[derive(Debug)]
pub(super) struct Batch {
    pub session: SessionId,
    /// Requests without an answer.
    pub open: usize,
    /// Answers that wait for the others.
    answers: Vec<Bytes>,
    /// Whether nothing waits any more: it is a stream.
    streams: bool,
}

impl Shard {
    /// An array of messages of a client.
    pub(super) fn on_batch_posted(&mut self, cx: &mut Cx<'_>, posted: BatchPosted) {
        let exchange = posted.exchange;
        if let Err(fault) = self.take_batch(cx, posted) {
            cx.answer(exchange, fault.wire().status, Some(fault.frame(None)));
        }
    }

    fn take_batch(&mut self, cx: &mut Cx<'_>, posted: BatchPosted) -> Result<(), Fault> {
        let BatchPosted { exchange, admission, head, members } = posted;
        let (now, most) = (cx.now, cx.limits().session_in_flight);
        let version = head.headers.version.as_deref();
        let modern = version.and_then(Revision::parse).is_some_and(Revision::is_modern);
        let id = head.session.as_deref().filter(|_| !modern).ok_or(Rejection::Batch)?;
        let session = self.sessions.of(id, &admission, head.verb).ok_or_else(|| not_found(head.verb))?;
        check_version(version, session.revision)?;
        session.last_active = now;
        let revision = session.revision.filter(|revision| revision.has_batches()).ok_or(Rejection::Batch)?;
        let answered = expected(&members)?;
        if session.in_flight.saturating_add(answered) > most {
            let hint = "wait for answers before sending more";
            return Err(Exceeded { limit: Limit::SessionInFlight, value: most as u64, hint }.into());
        }
        let (session, transport) = (session.id, session.transport);
        let on = match transport {
            Transport::Http if answered > 0 => {
                let batch = Batch { session, open: answered, answers: Vec::new(), streams: false };
                self.exchanges.insert(exchange, Exchange::Batch);
                self.batches.insert(exchange, batch);
                exchange
            }
            Transport::Http => {
                cx.answer(exchange, 202, None);
                exchange
            }
            Transport::Sse(stream) => {
                cx.answer(exchange, 202, None);
                stream
            }
        };
        for member in members {
            self.on_member(cx, on, session, revision, member);
        }
        Ok(())
    }

    fn on_member(
        &mut self,
        cx: &mut Cx<'_>,
        exchange: ExchangeId,
        session: SessionId,
        revision: Revision,
        member: Result<Envelope, Unread>,
    ) {
        let body = match member {
            Ok(body) => body,
            Err(unread) => return self.hand_over(cx, exchange, unread.frame().into()),
        };
        match body.message() {
            Message::Request { id, .. } => {
                let Some(session) = self.sessions.get(session) else { return };
                let caller = caller(&body, (exchange, false), session, id, revision);
                self.dispatch(cx, caller, body, Patience::Waits);
            }
            Message::Notification { method } => {
                self.on_notification(cx, session, Row::find(method, revision), &body);
            }
            Message::Response { .. } => self.on_client_answer(cx, session, &body),
        }
    }

    /// Takes an answer that does not end its exchange: of a batch, or one of many on an HTTP+SSE stream.
    pub(super) fn hand_over(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId, answer: Bytes) {
        match self.batches.get_mut(&exchange).filter(|batch| !batch.streams) {
            Some(batch) => batch.answers.push(answer),
            None => self.emit(cx, exchange, answer),
        }
        self.count_down(cx, exchange);
    }

    /// A request of a batch is answered, or will never be. The last one ends the batch.
    pub(super) fn count_down(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        let Some(batch) = self.batches.get_mut(&exchange) else { return };
        batch.open = batch.open.saturating_sub(1);
        if batch.open > 0 {
            return;
        }
        let batch = self.batches.remove(&exchange);
        self.exchanges.remove(&exchange);
        match batch.filter(|batch| !batch.streams && !batch.answers.is_empty()) {
            Some(batch) => cx.answer(exchange, 200, Some(array(&batch.answers))),
            None => self.finish(cx, exchange),
        }
    }

    /// A batch becomes a stream: what has waited for the others goes first.
    pub(super) fn release(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        let Some(batch) = self.batches.get_mut(&exchange).filter(|batch| !batch.streams) else { return };
        batch.streams = true;
        for answer in core::mem::take(&mut batch.answers) {
            self.emit(cx, exchange, answer);
        }
    }

    /// The client of a batch has gone, and cannot come back for it: its calls go on, and their answers are dropped.
    pub(super) fn on_batch_gone(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        self.batches.remove(&exchange);
        self.detach_runs(cx, exchange);
        self.drop_goals_on(cx, exchange);
        let retired = self.retired.values().map(|(upstream, _)| upstream);
        let calls = retired.chain(self.upstreams.values()).flat_map(|upstream| {
            let own = upstream.calls.clients().filter(|(_, caller)| caller.exchange == exchange);
            own.map(|(call, _)| (upstream.id, call))
        });
        let calls: Vec<(ServerId, CallId)> = calls.collect();
        for (server, call) in calls {
            self.on_caller_gone(cx, server, call);
        }
        self.on_waiter_gone(cx, exchange);
    }
}

/// How many answers a batch has. One that means nothing, or opens a session, is refused whole.
fn expected(members: &[Result<Envelope, Unread>]) -> Result<usize, Rejection> {
    if members.is_empty() {
        return Err(Rejection::NotRpc("a batch has at least one message"));
    }
    let mut answered = 0_usize;
    for member in members {
        answered = answered.saturating_add(1);
        match member.as_ref().map(Envelope::message) {
            Ok(Message::Request { method: "initialize", .. }) => {
                return Err(Rejection::OutOfOrder("initialize is never part of a batch"));
            }
            Ok(Message::Request { .. }) | Err(_) => {}
            Ok(Message::Notification { .. } | Message::Response { .. }) => {
                answered = answered.saturating_sub(1);
            }
        }
    }
    Ok(answered)
}

fn array(answers: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::from(b"[");
    for (index, answer) in answers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(answer);
    }
    out.push(b']');
    out
}
