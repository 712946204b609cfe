//! Requests of servers to clients: sampling, elicitation, roots.
//!
//! Over Streamable HTTP a server's request comes on the stream of the call that caused it. On stdio it names no parent
//! (2025-11-25, transports), so it is of the only call in flight, if there is exactly one; otherwise nobody can say whose
//! it is, and it is refused.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::{Cx, Effect, Shard};
use crate::mcp::Asking;
use crate::rpc::{Envelope, Field, Message, write};
use crate::{CallId, ExchangeId, LinkId, SessionId};

/// A server's request that a client has not answered.
#[derive(Debug)]
pub(super) struct Asked {
    link: LinkId,
    pub call: CallId,
    /// Raw JSON of the server's own id.
    id: Box<str>,
    /// Raw JSON of the server's own progress token.
    progress: Option<Box<str>>,
    session: SessionId,
    exchange: ExchangeId,
}

impl Shard {
    /// A server asks. Its request goes out on the stream of the call that caused it, under an id of ours.
    pub(super) fn on_asked(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) {
        let Message::Request { id, method } = frame.message() else { return };
        if method == "ping" {
            let pong = write::result(id, b"{}");
            return cx.effect(Effect::SendFrame { link, frame: pong.into() });
        }
        let Some((call, session, exchange)) = self.asked_client(link, within, method) else {
            let refusal = write::error(Some(id), -32_601, "no client that can do this is calling", None);
            return cx.effect(Effect::SendFrame { link, frame: refusal.into() });
        };
        let Some(session) = session else {
            return self.park(cx, link, call, id, method, frame.raw(Field::Params).unwrap_or(b"{}"));
        };
        let number = self.mint_call().0;
        let asked = Asked {
            link,
            call,
            id: id.into(),
            progress: frame.raw_str(Field::MetaProgressToken).map(Into::into),
            session,
            exchange,
        };
        self.asked.insert(number, asked);
        let token = (Field::MetaProgressToken, Cow::Owned(format!("{number}").into_bytes()));
        let params = frame.has(Field::Params).then(|| frame.spliced(Field::Params, &mut [token]));
        self.emit(cx, exchange, write::request(Some(number), method, params.as_deref()).into());
    }

    /// The call that a request is of, if its client said that it can answer; with the session, in the eras that have them.
    /// The call may wait for it.
    fn asked_client(
        &mut self,
        link: LinkId,
        within: Option<CallId>,
        method: &str,
    ) -> Option<(CallId, Option<SessionId>, ExchangeId)> {
        let upstream = self.upstream_of(link)?;
        let (call, caller) = upstream.calls.spoken_of(within)?;
        let asking = Asking::find(method, caller.revision).filter(|asking| caller.abilities.can(*asking));
        let (session, exchange) = (caller.session, caller.exchange);
        asking?;
        upstream.calls.extend_fully(call);
        Some((call, session, exchange))
    }

    /// A client answers what a server has asked; an answer to anything else is dropped.
    pub(super) fn on_client_answer(&mut self, cx: &mut Cx<'_>, session: SessionId, body: &Envelope) {
        let Message::Response { id, .. } = body.message() else { return };
        let Some(number) = id.parse().ok().filter(|number| self.is_asked(*number, session)) else { return };
        let Some(asked) = self.asked.remove(&number) else { return };
        let frame = match (body.raw(Field::Result), body.raw(Field::Error)) {
            (Some(result), _) => write::result(&asked.id, result),
            (None, error) => write::raw_error(&asked.id, error.unwrap_or(b"{}")),
        };
        cx.effect(Effect::SendFrame { link: asked.link, frame: write::one_line(frame).into() });
    }

    /// A client reports progress on what a server has asked.
    pub(super) fn on_client_progress(&mut self, cx: &mut Cx<'_>, session: SessionId, body: &Envelope) {
        let number = body.raw_str(Field::ProgressToken).and_then(|raw| raw.parse().ok());
        let Some(number) = number.filter(|number| self.is_asked(*number, session)) else { return };
        let Some(asked) = self.asked.get(&number) else { return };
        let Some(token) = &asked.progress else { return };
        let edit = (Field::ProgressToken, Cow::Borrowed(token.as_bytes()));
        let params = body.spliced(Field::Params, &mut [edit]);
        let frame = write::request(None, "notifications/progress", Some(&params));
        cx.effect(Effect::SendFrame { link: asked.link, frame: write::one_line(frame).into() });
    }

    fn is_asked(&self, number: u64, session: SessionId) -> bool {
        self.asked.get(&number).is_some_and(|asked| asked.session == session)
    }

    /// A server takes back what it has asked.
    pub(super) fn on_asked_cancelled(&mut self, cx: &mut Cx<'_>, link: LinkId, frame: &Envelope) {
        let Some(id) = frame.raw_str(Field::RequestId).map(ToOwned::to_owned) else { return };
        self.take_back(cx, |asked| asked.link == link && *asked.id == *id);
    }

    /// A link is gone: its questions need no answer.
    pub(super) fn forget_questions(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        self.take_back(cx, |asked| asked.link == link);
        self.drop_parked(cx, Some(link));
    }

    fn take_back(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Asked) -> bool) {
        for (number, asked) in self.take_asked(which) {
            self.withdraw(cx, number, &asked);
        }
    }

    /// Tells a client that is still there that it need not answer.
    fn withdraw(&mut self, cx: &mut Cx<'_>, number: u64, asked: &Asked) {
        let params = format!("{{\"requestId\":{number}}}");
        let message = write::request(None, "notifications/cancelled", Some(params.as_bytes()));
        if self.exchanges.contains_key(&asked.exchange) {
            self.emit(cx, asked.exchange, message.into());
        }
    }

    /// A call has ended, one way or another: what was asked because of it is moot on both sides.
    pub(super) fn end_questions(&mut self, cx: &mut Cx<'_>, call: CallId) {
        for (number, asked) in self.take_asked(|asked| asked.call == call) {
            let refusal = write::error(Some(&asked.id), -32_603, "the call has ended", None);
            cx.effect(Effect::SendFrame { link: asked.link, frame: refusal.into() });
            self.withdraw(cx, number, &asked);
        }
    }

    /// A session has ended: its servers wait for nothing.
    pub(super) fn refuse_questions(&mut self, cx: &mut Cx<'_>, session: SessionId) {
        for (_, asked) in self.take_asked(|asked| asked.session == session) {
            let frame = write::error(Some(&asked.id), -32_603, "the client has gone", None);
            cx.effect(Effect::SendFrame { link: asked.link, frame: frame.into() });
        }
    }

    fn take_asked(&mut self, which: impl Fn(&Asked) -> bool) -> Vec<(u64, Asked)> {
        let numbers: Vec<u64> =
            self.asked.iter().filter(|(_, asked)| which(asked)).map(|(number, _)| *number).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.asked.remove(&number)?))).collect()
    }
}
