//! Questions of 2025 servers to 2026 clients, before they are shown. A server may ask several things at once, each in a request
//! of its own: they are gathered for a moment, so that the client is shown all of them in one answer.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::misshapen::asking_of;
use super::named::{name_of, shown};
use super::{Cx, Effect, Shard};
use crate::mcp::Asking;
use crate::rpc::{Envelope, Message, write};
use crate::{CallId, LinkId, Timestamp};

/// What a server wants to know.
#[derive(Debug)]
pub(super) struct Question {
    /// Its name in `inputRequests`.
    pub name: String,
    /// Raw JSON of the id of the server's request.
    pub id: Box<str>,
    /// Raw JSON, as a client is shown it.
    pub shown: Vec<u8>,
    /// What it asks for.
    pub asking: Option<Asking>,
}

/// A call whose server has begun to ask.
#[derive(Debug)]
pub(super) struct Gathering {
    pub link: LinkId,
    pub questions: Vec<Question>,
    /// The refusals of requests that the client cannot answer.
    pub lacking: Vec<Bytes>,
    /// When they are shown.
    pub at: Timestamp,
}

/// Why a request is refused when a client has too much to answer already.
pub(super) const TOO_MANY: &str = "too many questions to this client wait for an answer (limit session_questions): ask again \
                                   when some are answered";

impl Question {
    /// A request of a server, under the name that it bears, or else one that is made of `number`. No two of an answer have the
    /// same.
    pub(super) fn of(frame: &Envelope, name: Option<String>, number: u64, beside: &[Self]) -> Option<Self> {
        let Message::Request { id, .. } = frame.message() else { return None };
        let taken = |name: &String| beside.iter().any(|other| other.name == *name);
        let name = name.filter(|name| !taken(name)).unwrap_or_else(|| {
            let mut made = format!("q{number}");
            while taken(&made) {
                made.push('_');
            }
            made
        });
        Some(Self { name, id: id.into(), shown: shown(frame), asking: asking_of(frame) })
    }
}

impl Gathering {
    fn refuse(self, cx: &mut Cx<'_>, why: &str) {
        refuse_all(cx, self.link, &self.questions, self.lacking, why);
    }
}

impl Shard {
    /// Keeps a question of a server for a moment; others may follow.
    pub(super) fn gather(&mut self, cx: &mut Cx<'_>, link: LinkId, call: CallId, frame: &Envelope) {
        let (number, at) = (self.mint_question(cx), cx.now.after(cx.limits().gather));
        let gathering = self.gathering(link, call, at);
        let name = name_of(frame, cx.limits());
        let Some(question) = Question::of(frame, name, number, &gathering.questions) else { return };
        if gathering.questions.len() < cx.limits().session_questions {
            gathering.questions.push(question);
        } else {
            refuse(cx, link, &question.id, TOO_MANY);
        }
    }

    /// A server has asked for what a client of the stateless era did not say it can do. If the call fails for that, the
    /// client is told what is missing.
    pub(super) fn gather_lack(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        call: CallId,
        asking: Asking,
        frame: &Envelope,
    ) {
        let Message::Request { id, method } = frame.message() else { return };
        let at = cx.now.after(cx.limits().gather);
        let most = cx.limits().session_questions;
        let refusal = self.refusal(link, Some(call), (id, method), frame);
        let gathering = self.gathering(link, call, at);
        if gathering.lacking.len() >= most {
            return refuse(cx, link, id, TOO_MANY);
        }
        gathering.lacking.push(refusal);
        if let Some(call) = self.upstream_of(link).and_then(|upstream| upstream.calls.get_mut(call)) {
            call.lacks = call.lacks.with(asking);
        }
    }

    fn gathering(&mut self, link: LinkId, call: CallId, at: Timestamp) -> &mut Gathering {
        let new = || Gathering { link, questions: Vec::new(), lacking: Vec::new(), at };
        self.gathering.entry(call).or_insert_with(new)
    }

    /// Shows clients what their servers have asked for, where it is time.
    pub(super) fn show_gathered(&mut self, cx: &mut Cx<'_>) {
        let due = |(_, gathering): &(&CallId, &Gathering)| gathering.at <= cx.now;
        let due: Vec<CallId> = self.gathering.iter().filter(due).map(|(call, _)| *call).collect();
        for call in due {
            match self.gathering.remove(&call) {
                Some(gathering) if gathering.questions.is_empty() => {
                    say_all(cx, gathering.link, gathering.lacking);
                }
                Some(gathering) => self.park(cx, call, gathering),
                None => {}
            }
        }
    }

    /// A call has ended while its server still asked.
    pub(super) fn end_gathering(&mut self, cx: &mut Cx<'_>, call: CallId, why: &str) {
        if let Some(gathering) = self.gathering.remove(&call) {
            gathering.refuse(cx, why);
        }
    }
}

/// Tells a server that none of this will be answered: what its client could have, and what it could not.
pub(super) fn refuse_all(
    cx: &mut Cx<'_>,
    link: LinkId,
    questions: &[Question],
    lacking: Vec<Bytes>,
    why: &str,
) {
    for question in questions {
        refuse(cx, link, &question.id, why);
    }
    say_all(cx, link, lacking);
}

pub(super) fn say_all(cx: &mut Cx<'_>, link: LinkId, frames: Vec<Bytes>) {
    for frame in frames {
        cx.effect(Effect::SendFrame { link, frame });
    }
}

/// Tells a server that a question will not be answered.
pub(super) fn refuse(cx: &mut Cx<'_>, link: LinkId, id: &str, why: &str) {
    let refusal = write::error(Some(id), -32_603, why, None);
    cx.effect(Effect::SendFrame { link, frame: refusal.into() });
}

/// Tells a server what is wrong with the params of its request, which nobody is shown.
pub(super) fn refuse_params(cx: &mut Cx<'_>, link: LinkId, id: &str, wrong: &str) {
    let refusal = write::error(Some(id), -32_602, &format!("invalid params: {wrong}"), None);
    cx.effect(Effect::SendFrame { link, frame: refusal.into() });
}
