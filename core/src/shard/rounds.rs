//! Calls of the 2025 eras to servers of the stateless era: where the server answers that it needs more input, its
//! questions are put to the client as requests, and the call is made again with the answers (2026-07-28, multi round-trip
//! requests). The client sees one call.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::demand::{demanded, demands_input};
use super::forward::{repeated, send};
use super::misshapen::asking_of;
use super::named::{shown, with_name};
use super::passing::elicitation_id;
use super::reverse::{Asked, Origin, Whom};
use super::seal::state;
use super::{Cx, Shard};
use crate::mcp::{Abilities, Asking, Revision};
use crate::rpc::{Envelope, Field, Message, Sender, write};
use crate::upstream::{Call, Caller, Purpose, Round, say, with_members};
use crate::{CallId, Exceeded, Fault, Limit, LinkId, UpstreamFault};

/// Whether an answer of a server of this revision is a demand for more input that its client cannot read.
pub(super) fn wants_input(call: &Call, server: Revision, response: &Envelope) -> bool {
    let Purpose::Client(caller, _) = &call.purpose else { return false };
    server.is_modern() && !caller.revision.is_modern() && demands_input(response)
}

impl Shard {
    /// Puts a server's questions to the client of a call.
    pub(super) fn begin_round(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        (id, mut call): (CallId, Call),
        response: &Envelope,
    ) {
        let Purpose::Client(caller, _) = &call.purpose else { return };
        let caller = caller.clone();
        let number = call.round.take().map_or(0, |round| round.number).saturating_add(1);
        let questions = match self.questions(cx, link, &caller, number, response) {
            Ok(questions) => questions,
            Err(fault) => {
                self.settle(caller.session);
                return self.fail(cx, &caller, &fault);
            }
        };
        let state = state(response).map(Into::into);
        let answers = questions.iter().map(|(name, _)| (name.clone(), None)).collect();
        call.round = Some(Box::new(Round { number, state, answers }));
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.calls.insert(id, call);
        if questions.is_empty() {
            return self.end_round(cx, link, id);
        }
        for (name, question) in questions {
            let (call, waits, asking) = (Some(id), [id].into(), asking_of(&question));
            match (caller.session, caller.step) {
                (Some(session), _) => {
                    let to = Whom::Session(session, caller.exchange);
                    let question = with_elicitation_id(cx, question);
                    let (question, origin) = (with_name(cx, &name, question), Origin::Round(name));
                    self.put_to_client(cx, Asked { link, call, waits, asking, origin, to }, &question);
                }
                (None, Some((run, _))) => {
                    let (to, origin) = (Whom::Run(run, shown(&question).into()), Origin::Round(name));
                    self.consult(cx, run, Asked { link, call, waits, asking, origin, to });
                }
                (None, None) => {}
            }
        }
    }

    /// The questions of an answer, if there may be more and the client can answer them.
    fn questions(
        &mut self,
        cx: &Cx<'_>,
        link: LinkId,
        caller: &Caller,
        number: u32,
        response: &Envelope,
    ) -> Result<Vec<(String, Envelope)>, Fault> {
        let limits = cx.limits();
        if number > limits.input_rounds {
            let (limit, value) = (Limit::InputRounds, u64::from(limits.input_rounds));
            let hint = "the server asks for input again and again; nothing comes of this call";
            return Err(Exceeded { limit, value, hint }.into());
        }
        let server = self.name_of(link).unwrap_or_default().to_owned();
        let unreadable = |cause: String| UpstreamFault::Unreadable { server: server.clone(), cause };
        let questions = demanded(response, limits).map_err(unreadable)?;
        let what = lacks(&questions, caller);
        if what.any() {
            return Err(UpstreamFault::NeedsClient { server, what }.into());
        }
        let of_run = |(run, _)| self.asked.values().filter(|asked| asked.is_of_run(run)).count();
        let open = match caller.session {
            Some(session) => self.questions_of(session),
            None => caller.step.map_or(0, of_run),
        };
        if open.saturating_add(questions.len()) > limits.session_questions {
            let (limit, value) = (Limit::SessionQuestions, limits.session_questions as u64);
            let hint = "the server asks for more at once than may wait for one client's answer";
            return Err(Exceeded { limit, value, hint }.into());
        }
        Ok(questions)
    }

    /// A client has answered one of the questions.
    pub(super) fn on_round_answer(&mut self, cx: &mut Cx<'_>, asked: &Asked, name: &str, result: &[u8]) {
        let (link, Some(id)) = (asked.link, asked.call) else { return };
        let Some(upstream) = self.upstream_of(link) else { return };
        let round = upstream.calls.get_mut(id).and_then(|call| call.round.as_mut());
        let Some(round) = round else { return };
        round.answers.insert(name.to_owned(), Some(result.into()));
        if round.answers.values().all(Option::is_some) {
            self.end_round(cx, link, id);
        }
    }

    /// Nobody will answer what was asked of a call. One that waits for that with its server comes to nothing.
    pub(super) fn leave_questions(&mut self, cx: &mut Cx<'_>, call: CallId) {
        let is_round = |asked: &&Asked| asked.call == Some(call) && matches!(asked.origin, Origin::Round(_));
        let round = self.asked.iter().find(|(_, asked)| is_round(asked)).map(|(number, _)| *number);
        match round.and_then(|number| self.asked.remove(&number)) {
            Some(asked) => self.give_up_round(cx, &asked, "nobody is there to answer".to_owned()),
            None => self.end_questions(cx, call),
        }
    }

    /// A client refuses to answer. In the server's era there is no way to say so: the call ends.
    pub(super) fn give_up_round(&mut self, cx: &mut Cx<'_>, asked: &Asked, cause: String) {
        let (link, Some(id)) = (asked.link, asked.call) else { return };
        let Some(upstream) = self.upstream_of(link) else { return };
        let server = upstream.name.clone();
        let Some(Purpose::Client(caller, _)) = upstream.calls.remove(id).map(|call| call.purpose) else {
            return;
        };
        self.settle(caller.session);
        self.end_questions(cx, id);
        self.fail(cx, &caller, &UpstreamFault::InputRefused { server, cause }.into());
        self.end_if_drained(cx, link);
    }

    /// All answers are there: the call is made again, under a new id.
    fn end_round(&mut self, cx: &mut Cx<'_>, link: LinkId, old: CallId) {
        let id = self.mint_call();
        self.keyed.moved(old, id);
        let Some(upstream) = self.upstream_of(link) else { return };
        let (server, revision) = (upstream.id, upstream.revision);
        let Some(call) = upstream.calls.remove(old) else { return };
        let (Purpose::Client(caller, _), Some(request), Some(round)) =
            (&call.purpose, &call.request, &call.round)
        else {
            return;
        };
        let mut added = Vec::new();
        if !round.answers.is_empty() {
            added.push(("inputResponses", Cow::Owned(responses(&round.answers))));
        }
        added.extend(round.state.as_ref().map(|state| ("requestState", Cow::Borrowed(state.as_bytes()))));
        let params = repeated(cx, server, revision, request, &request.edits);
        let body = (&*request.method, &request.body);
        let frame = say(id, revision, caller, body, request.edits.clone(), added);
        self.lead_to(caller, server, id);
        if let Some(upstream) = self.upstream_of(link) {
            upstream.calls.insert(id, call);
            upstream.calls.go_on(id, cx.now);
        }
        send(cx, link, frame, params);
    }
}

/// What a client lacks to answer all of these.
pub(super) fn lacks(questions: &[(String, Envelope)], caller: &Caller) -> Abilities {
    let asked = questions.iter().filter_map(|(_, question)| {
        let Message::Request { method, .. } = question.message() else { return None };
        let known = Asking::of(method, question, caller.revision);
        let can = known.is_some_and(|asking| caller.abilities.can(asking));
        if can { None } else { Asking::of(method, question, Revision::V2026_07_28) }
    });
    asked.fold(Abilities::default(), Abilities::with)
}

/// A question with an address to open, as a client of 2025-11-25 expects it: with an id, which the stateless era does not
/// have.
fn with_elicitation_id(cx: &mut Cx<'_>, question: Envelope) -> Envelope {
    let url = question.text(Field::Mode).as_deref() == Some("url");
    let params = question.raw(Field::Params).filter(|_| url);
    let Some(params) = params.filter(|_| elicitation_id(&question).is_none()) else { return question };
    let id = format!("\"{}\"", cx.entropy.uuid_v7(cx.now)).into_bytes();
    let params = with_members(Some(params), &[("elicitationId", Cow::Owned(id))]);
    let frame = write::request(Some(0), "elicitation/create", Some(&params));
    Envelope::parse(frame.into(), Sender::Upstream, cx.limits()).unwrap_or(question)
}

fn responses(answers: &BTreeMap<String, Option<Box<[u8]>>>) -> Vec<u8> {
    let raw = |answer: &'_ Option<Box<[u8]>>| Cow::Owned(answer.as_deref().unwrap_or(b"null").to_vec());
    let all: Vec<_> = answers.iter().map(|(name, answer)| (name.as_str(), raw(answer))).collect();
    with_members(None, &all)
}
