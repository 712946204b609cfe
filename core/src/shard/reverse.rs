//! Requests of servers to clients: sampling, elicitation, roots. One of which nobody can say whose it is is refused.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::meant::Meant;
use super::misshapen::{asking_of, misshapen, unfit};
use super::named::shown;
use super::seating::sharing;
use super::session::Session;
use super::{Cx, Effect, Shard, Token, gather};
use crate::mcp::{Asking, Revision, Row, related_task, shape, without_wish};
use crate::record::Sharing;
use crate::rpc::{Envelope, Field, Message, write};
use crate::{CallId, ExchangeId, LinkId, RunId, SessionId};

/// What a client was asked and has not answered.
#[derive(Debug)]
pub(super) struct Asked {
    pub link: LinkId,
    /// The call that it is of, where there is one.
    pub call: Option<CallId>,
    /// The calls that wait for what people say.
    pub waits: Vec<CallId>,
    /// What it asks for, where that says of which shape the answer is.
    pub asking: Option<Asking>,
    pub origin: Origin,
    pub to: Whom,
}

/// Who was asked.
#[derive(Debug)]
pub(super) enum Whom {
    /// Whoever waits for a run, in the stateless era: raw JSON of the question, as it is shown there.
    Run(RunId, Box<[u8]>),
    /// A session, on this exchange.
    Session(SessionId, ExchangeId),
}

impl Asked {
    /// Whether it is for whoever waits for this run.
    pub(super) fn is_of_run(&self, run: RunId) -> bool {
        matches!(self.to, Whom::Run(own, _) if own == run)
    }

    fn is_of_session(&self, session: SessionId) -> bool {
        matches!(self.to, Whom::Session(own, _) if own == session)
    }
}

/// In which way a server has asked.
#[derive(Debug)]
pub(super) enum Origin {
    /// By a request: raw JSON of its id, and of its progress token.
    Request { id: Box<str>, progress: Option<Box<str>> },
    /// By an answer that demands input under this name.
    Round(String),
    /// Not a server: a goal in words that is being planned.
    Goal(Token),
}

/// Why a request is refused that somebody could answer, if it were known of which call it is.
fn unclear(sharing: Sharing) -> String {
    let next = match sharing {
        Sharing::Auto | Sharing::PerSession => {
            "call again, since from now on who can answer has a process of its own, as far as limit private_processes allows"
        }
        Sharing::PerUser | Sharing::Shared => "set \"sharing\" of this server to auto or per-session",
    };
    format!(
        "several calls are in flight in the process that they share, and it does not say which it asks for: {next}"
    )
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
        // Whoever is meant this time, the next one who can answer shall have a process of its own: also where the server says
        // of which call it asks, if the answer holds for all calls.
        let asking = asking_of(frame);
        if Asking::is_named(method) && (within.is_none() || asking == Some(Asking::Roots)) {
            self.mark_interactive(cx, link);
        }
        let most = cx.limits().session_questions;
        let mut meant = self.meant(cx, link, within, (method, frame));
        if let Meant::Call(call, None, _) | Meant::Unable(call, _) = meant
            && !self.may_demand(link, call)
        {
            meant = Meant::Nobody;
        }
        if meant.is_somebody()
            && let Some(wrong) = unfit(frame, Revision::LAST_WITH_HANDSHAKE)
        {
            return gather::refuse_params(cx, link, id, &wrong);
        }
        let (call, session, exchange) = match meant {
            Meant::Call(call, None, _) => return self.gather(cx, link, call, frame),
            // A task goes on when nobody waits for its result any more, and so does what it has asked.
            Meant::Call(call, Some(session), exchange) => {
                (Some(call).filter(|_| related_task(frame).is_none()), session, exchange)
            }
            Meant::Session(session, exchange) => (None, session, exchange),
            Meant::Step(call, run) => {
                let to = Whom::Run(run, shown(frame).into());
                let origin = Origin::Request { id: id.into(), progress: None };
                let (call, waits) = (Some(call), [call].into());
                return self.consult(cx, run, Asked { link, call, waits, asking, origin, to });
            }
            Meant::Unable(call, asking) => return self.gather_lack(cx, link, call, asking, frame),
            Meant::Nobody if self.gather_more(cx, link, within, frame) => return,
            Meant::Unclear => {
                let entry = self.upstream_at(link).and_then(|upstream| cx.snapshot.entry(upstream.id));
                let words = unclear(entry.map_or(Sharing::Shared, |entry| sharing(entry)));
                let frame = write::error(Some(id), -32_601, &words, None).into();
                return cx.effect(Effect::SendFrame { link, frame });
            }
            Meant::Nobody => {
                let frame = self.refusal(link, within, (id, method), frame);
                return cx.effect(Effect::SendFrame { link, frame });
            }
        };
        if self.questions_of(session) >= most {
            return gather::refuse(cx, link, id, gather::TOO_MANY);
        }
        let progress = frame.raw_str(Field::MetaProgressToken).map(Into::into);
        let origin = Origin::Request { id: id.into(), progress };
        let waits = self.wait_for(cx, link, within.or(call), (session, frame));
        let to = Whom::Session(session, exchange);
        self.put_to_client(cx, Asked { link, call, waits, asking, origin, to }, frame);
    }

    /// Whether the client of a call can be asked in its answer: of few methods it expects that.
    fn may_demand(&mut self, link: LinkId, call: CallId) -> bool {
        let call = self.upstream_of(link).and_then(|upstream| upstream.calls.get_mut(call));
        let request = call.and_then(|call| call.request.as_ref());
        request.is_none_or(|request| Row::takes_demands(&request.method))
    }

    /// The calls that wait for what a session is asked: the one that it is of, those for the result of the task that it is of, or, in
    /// a process that does not say of which it is, all of the session.
    fn wait_for(
        &self,
        cx: &Cx<'_>,
        link: LinkId,
        call: Option<CallId>,
        (session, frame): (SessionId, &Envelope),
    ) -> Vec<CallId> {
        let Some(upstream) = self.upstream_at(link) else { return Vec::new() };
        let task = || self.begun.at(&upstream.seat(), link, &related_task(frame)?, cx.now);
        match (call, task()) {
            (Some(call), _) => [call].into(),
            (None, Some(task)) => task.awaited.clone(),
            (None, None) => upstream.calls.of_session(session, None),
        }
    }

    /// What a server is told whose request nobody who calls can answer, with what the client lacks: the method, or if it answers
    /// that in another mode or with fewer parts, what stands in `params` (2025-11-25, elicitation, error handling).
    pub(super) fn refusal(
        &self,
        link: LinkId,
        within: Option<CallId>,
        (id, method): (&str, &str),
        frame: &Envelope,
    ) -> Bytes {
        let asking = Asking::of(method, frame, Revision::V2026_07_28);
        let part = asking.is_some_and(|asking| self.lacks_part(link, within, asking));
        let needs = asking.map_or_else(String::new, |it| format!(": it needs the capability {it}"));
        let why = match related_task(frame).filter(|_| within.is_none()) {
            Some(_) => {
                "nobody who can do this listens for this task now, or waits for its result: ask again when somebody does"
            }
            None => "no client that can do this is calling",
        };
        let words = format!("{why}{needs}");
        write::error(Some(id), if part { -32_602 } else { -32_601 }, &words, None).into()
    }

    /// Whether a client that a request can be for lacks only a part of what is asked for.
    fn lacks_part(&self, link: LinkId, within: Option<CallId>, asking: Asking) -> bool {
        let upstream = self.upstream_at(link).filter(|upstream| !upstream.revision.is_modern());
        let Some(upstream) = upstream else { return false };
        let mut callers = upstream.calls.clients().filter(|(id, _)| within.is_none_or(|call| call == *id));
        let session = self.only_served(upstream).filter(|_| within.is_none());
        let in_session = |session: &Session| {
            session.revision.is_some_and(|revision| session.abilities.lacks_part(asking, revision))
        };
        callers.any(|(_, caller)| caller.abilities.lacks_part(asking, caller.revision))
            || session.is_some_and(in_session)
            || self.parked_lacks_part(link, within, asking)
    }

    /// Sends a question to a client, under an id and a progress token of ours.
    pub(super) fn put_to_client(&mut self, cx: &mut Cx<'_>, asked: Asked, question: &Envelope) {
        let (Message::Request { method, .. }, Whom::Session(session, exchange)) =
            (question.message(), &asked.to)
        else {
            return;
        };
        let (number, exchange) = (self.mint_question(cx), *exchange);
        self.note_visit(cx, asked.link, *session, question);
        let token = (Field::MetaProgressToken, Cow::Owned(format!("{number}").into_bytes()));
        let params = question.has(Field::Params).then(|| question.spliced(Field::Params, &mut [token]));
        // No server is told that a client has tasks.
        let wishes = question.has(Field::Task) && Asking::is_named(method);
        let params = params.map(|params| if wishes { without_wish(params) } else { params });
        self.emit(cx, exchange, write::request(Some(number), method, params.as_deref()).into());
        self.wait_for_people(number, asked);
    }

    /// While people think about what its server has asked, a call has all the time that a call may have.
    pub(super) fn wait_for_people(&mut self, number: u64, asked: Asked) {
        if let Some(upstream) = self.upstream_of(asked.link) {
            for call in &asked.waits {
                upstream.calls.pause(*call);
            }
        }
        self.asked.insert(number, asked);
    }

    /// Its server has got what it has asked, or has taken it back. A call of which nothing is open that was asked has as long from
    /// now on as one that was just sent.
    pub(super) fn go_on(&mut self, cx: &Cx<'_>, asked: &Asked) {
        let is_open = |call: &CallId| self.asked.values().any(|other| other.waits.contains(call));
        let goes_on: Vec<CallId> = asked.waits.iter().filter(|call| !is_open(call)).copied().collect();
        if let Some(upstream) = self.upstream_of(asked.link) {
            for call in goes_on {
                upstream.calls.go_on(call, cx.now);
            }
        }
    }

    /// How much a session has to answer.
    pub(super) fn questions_of(&self, session: SessionId) -> usize {
        self.asked.values().filter(|asked| asked.is_of_session(session)).count()
    }

    /// A client answers what a server has asked; an answer to anything else is dropped.
    pub(super) fn on_client_answer(&mut self, cx: &mut Cx<'_>, session: SessionId, body: &Envelope) {
        let Message::Response { id, .. } = body.message() else { return };
        let Some(number) = id.parse().ok().filter(|number| self.is_asked(*number, session)) else { return };
        let Some(asked) = self.asked.remove(&number) else { return };
        let older = Revision::LAST_WITH_HANDSHAKE;
        let unfit = || shape::asked::answer(asked.asking?, "result", body.raw_str(Field::Result)?);
        let unusable = misshapen(body, older, older, cx.limits()).or_else(unfit);
        let id = match &asked.origin {
            Origin::Request { id, .. } => id,
            Origin::Round(name) => {
                return match (body.raw(Field::Result), unusable) {
                    (Some(result), None) => self.on_round_answer(cx, &asked, name, result),
                    (_, Some(cause)) => self.give_up_round(cx, &asked, cause),
                    (None, None) => {
                        let cause = body.text(Field::ErrorMessage).unwrap_or_default().into_owned();
                        self.give_up_round(cx, &asked, cause);
                    }
                };
            }
            Origin::Goal(token) => return self.on_goal_answered(cx, *token, body, unusable),
        };
        self.go_on(cx, &asked);
        if let Some(cause) = unusable {
            return gather::refuse(cx, asked.link, id, &format!("the client's answer is unusable: {cause}"));
        }
        let frame = match (body.raw(Field::Result), body.raw(Field::Error)) {
            (Some(result), _) => write::result(id, result),
            (None, error) => write::raw_error(id, error.unwrap_or(b"{}")),
        };
        cx.effect(Effect::SendFrame { link: asked.link, frame: write::one_line(frame).into() });
    }

    /// A client reports progress on what a server has asked.
    pub(super) fn on_client_progress(&mut self, cx: &mut Cx<'_>, session: SessionId, body: &Envelope) {
        let number = body.raw_str(Field::ProgressToken).and_then(|raw| raw.parse().ok());
        let Some(number) = number.filter(|number| self.is_asked(*number, session)) else { return };
        let Some(asked) = self.asked.get(&number) else { return };
        let Origin::Request { progress: Some(token), .. } = &asked.origin else { return };
        let edit = (Field::ProgressToken, Cow::Borrowed(token.as_bytes()));
        let params = body.spliced(Field::Params, &mut [edit]);
        let frame = write::request(None, "notifications/progress", Some(&params));
        cx.effect(Effect::SendFrame { link: asked.link, frame: write::one_line(frame).into() });
    }

    fn is_asked(&self, number: u64, session: SessionId) -> bool {
        self.asked.get(&number).is_some_and(|asked| asked.is_of_session(session))
    }

    /// A server takes back what it has asked, or ends a stream.
    pub(super) fn on_asked_cancelled(&mut self, cx: &mut Cx<'_>, link: LinkId, frame: &Envelope) {
        if self.on_stream_cancelled(cx, link, frame) {
            return;
        }
        let Some(id) = frame.raw_str(Field::RequestId).map(ToOwned::to_owned) else { return };
        let is_it = |asked: &Asked| matches!(&asked.origin, Origin::Request { id: own, .. } if **own == *id);
        for (number, asked) in self.take_asked(|asked| asked.link == link && is_it(asked)) {
            self.go_on(cx, &asked);
            self.withdraw(cx, number, &asked, Some(frame));
        }
    }

    /// A link is gone: its questions need no answer.
    pub(super) fn forget_questions(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        self.take_back(cx, |asked| asked.link == link);
        self.gathering.retain(|_, gathering| gathering.link != link);
        self.drop_parked(cx, Some(link));
    }

    pub(super) fn take_back(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Asked) -> bool) {
        for (number, asked) in self.take_asked(which) {
            self.go_on(cx, &asked);
            self.withdraw(cx, number, &asked, None);
        }
    }

    /// Tells a client that is still there that it need not answer: in the words of the server, if it was that which has said so.
    fn withdraw(&mut self, cx: &mut Cx<'_>, number: u64, asked: &Asked, notice: Option<&Envelope>) {
        let Whom::Session(_, exchange) = asked.to else { return };
        let own = || format!("{{\"requestId\":{number}}}").into_bytes();
        let id = || (Field::RequestId, Cow::Owned(format!("{number}").into_bytes()));
        let params = notice.map_or_else(own, |notice| notice.spliced(Field::Params, &mut [id()]));
        let message = write::request(None, "notifications/cancelled", Some(&params));
        if self.exchanges.contains_key(&exchange) {
            self.emit(cx, exchange, message.into());
        }
    }

    /// A call has ended, one way or another: what was asked because of it is moot on both sides.
    pub(super) fn end_questions(&mut self, cx: &mut Cx<'_>, call: CallId) {
        self.end_gathering(cx, call, "the call has ended");
        for (number, asked) in self.take_asked(|asked| asked.call == Some(call)) {
            refuse(cx, &asked, "the call has ended");
            self.withdraw(cx, number, &asked, None);
        }
    }

    /// A session has ended: its servers wait for nothing.
    pub(super) fn refuse_questions(&mut self, cx: &mut Cx<'_>, session: SessionId) {
        for (_, asked) in self.take_asked(|asked| asked.is_of_session(session)) {
            refuse(cx, &asked, "the client has gone");
        }
    }

    fn take_asked(&mut self, which: impl Fn(&Asked) -> bool) -> Vec<(u64, Asked)> {
        let numbers: Vec<u64> =
            self.asked.iter().filter(|(_, asked)| which(asked)).map(|(number, _)| *number).collect();
        numbers.into_iter().filter_map(|number| Some((number, self.asked.remove(&number)?))).collect()
    }
}

/// Tells a server that waits for an answer that there will be none.
fn refuse(cx: &mut Cx<'_>, asked: &Asked, why: &str) {
    if let Origin::Request { id, .. } = &asked.origin {
        let frame = write::error(Some(id), -32_603, why, None);
        cx.effect(Effect::SendFrame { link: asked.link, frame: frame.into() });
    }
}
