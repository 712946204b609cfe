//! Questions of 2025 servers to 2026 clients: the request is answered with `input_required`, the call stays with its
//! server, and the client's next try takes it up again (2026-07-28, multi round-trip requests).

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use bytes::Bytes;

use super::answer::{Speaker, demand};
use super::gather::{Gathering, Question, TOO_MANY, refuse, refuse_all, refuse_params, say_all};
use super::keyed::Known;
use super::misshapen::{misshapen, unfit};
use super::named::name_of;
use super::state::{Names, State, check_input, difference};
use super::{Cx, Effect, Exchange, Shard};
use crate::mcp::{Abilities, Asking, Lifetime, Revision, related_task};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, Message, write};
use crate::upstream::{Caller, Purpose, Request};
use crate::{CallId, Exceeded, KeyId, Limit, LinkId, Rejection, ServerId, Timestamp, UpstreamFault};

/// A call that waits for its client's next try.
#[derive(Debug)]
pub(super) struct Parked {
    link: LinkId,
    server: ServerId,
    call: CallId,
    lifetime: Lifetime,
    key: KeyId,
    target: Target,
    /// The first try; no next one may differ.
    request: Envelope,
    abilities: Abilities,
    /// What the server was not told yet.
    questions: Vec<Question>,
    /// Whether it was told anything.
    told: bool,
    /// The refusals of requests that the client cannot answer; said when all else is answered.
    lacking: Vec<Bytes>,
    until: Timestamp,
    /// The answer, if the server gave it without waiting for the client.
    answer: Option<Envelope>,
}

/// Why a call does not wait for its client any more. Which of these it was, nobody remembers.
const GONE: &str = "an earlier try has taken it up, or its server or the hub has ended since";

/// The same when the state is too old.
const LATE: &str = "its client did not come back in time (limit parked)";

impl Shard {
    /// Adds a question of a server that has asked before, of the call on whose stream it came or the only one that it
    /// can be of. Whether there is such a call, and its client can answer; if that has enough to answer, the server is told.
    pub(super) fn gather_more(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) -> bool {
        // What is asked because of a task is not of a call that is in flight by chance.
        let only = || self.upstream_at(link).filter(|_| related_task(frame).is_none())?.calls.only_parked();
        let call = within.or_else(only);
        let number = self.mint_question(cx);
        let Message::Request { id, method } = frame.message() else { return false };
        let asking = Asking::of(method, frame, Revision::V2026_07_28);
        let mut parked = self.parked.values_mut().filter(|parked| parked.link == link);
        let Some(parked) = call.and_then(|call| parked.find(|parked| parked.call == call)) else {
            return false;
        };
        if !asking.is_some_and(|asking| parked.abilities.can(asking)) {
            return false;
        }
        if let Some(wrong) = unfit(frame, Revision::LAST_WITH_HANDSHAKE) {
            refuse_params(cx, link, id, &wrong);
        } else if parked.questions.len() < cx.limits().session_questions {
            // What the client has said under a name may come once more, and is no answer to another question.
            let name = name_of(frame, cx.limits()).filter(|_| !parked.told);
            parked.questions.extend(Question::of(frame, name, number, &parked.questions));
        } else {
            refuse(cx, link, id, TOO_MANY);
        }
        true
    }

    /// Whether the client of a parked call said that it can answer.
    pub(super) fn parked_can(&self, link: LinkId, method: &str, frame: &Envelope) -> bool {
        let asking = Asking::of(method, frame, Revision::V2026_07_28);
        let mut parked = self.parked.values().filter(|parked| parked.link == link);
        asking.is_some_and(|asking| parked.any(|parked| parked.abilities.can(asking)))
    }

    /// Whether the client of such a call lacks only a part of what is asked for.
    pub(super) fn parked_lacks_part(&self, link: LinkId, within: Option<CallId>, asking: Asking) -> bool {
        let meant = |parked: &&Parked| parked.link == link && within.is_none_or(|call| call == parked.call);
        let mut meant = self.parked.values().filter(meant);
        meant.any(|parked| parked.abilities.lacks_part(asking, Revision::V2026_07_28))
    }

    /// Parks a call and shows its client the questions.
    pub(super) fn park(&mut self, cx: &mut Cx<'_>, call: CallId, gathering: Gathering) {
        let Gathering { link, questions, lacking, .. } = gathering;
        let until = cx.now.after(cx.limits().parked);
        let Some(upstream) = self.upstream_of(link) else { return };
        let server = upstream.id;
        let request = upstream.calls.get_mut(call).and_then(|call| call.request.as_ref());
        let Some(request) = request.map(|request| request.body.clone()) else { return };
        let Some(Purpose::Client(caller, lifetime)) = upstream.calls.replace(call, Purpose::Parked) else {
            return;
        };
        upstream.calls.pause(call);
        self.settle(caller.session);
        let Some(key) = caller.key.clone() else { return };
        let (target, abilities) = (caller.target.clone(), caller.abilities);
        let (answer, told) = (None, false);
        let parked = Parked {
            link,
            server,
            call,
            lifetime,
            key,
            target,
            request,
            abilities,
            questions,
            told,
            lacking,
            until,
            answer,
        };
        let number = self.mint_question(cx);
        self.require_input(cx, &caller, number, &parked);
        self.parked.insert(number, parked);
    }

    fn require_input(&mut self, cx: &mut Cx<'_>, caller: &Caller, number: u64, parked: &Parked) {
        let state = State { until: parked.until, names: Names::Parked(number) };
        let state = state.sign(cx, &parked.key, &parked.target);
        let info = super::lists::server_info(cx.snapshot, &caller.target);
        let questions = parked.questions.iter().map(|question| (&*question.name, &*question.shown));
        let result = demand(Some(&state), questions, info);
        self.respond(cx, caller, &result);
    }

    /// A client's next try. Its input goes to the server, and when nothing is left to ask the call is its call again.
    pub(super) fn resume(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        body: &Envelope,
        (number, until): (u64, Timestamp),
    ) {
        // Numbers begin again with every life of the hub; an expiry is that of one parked call.
        let same = |parked: &Parked| parked.until == until && until > cx.now;
        let Some(parked) = self.parked.get(&number).filter(|parked| same(parked)) else {
            return self.miss(cx, &caller, body, if until > cx.now { GONE } else { LATE });
        };
        let asked = |name: &str| parked.questions.iter().find(|it| it.name == name)?.asking;
        if let Err(no_answer) = check_input(body, asked) {
            return self.fail(cx, &caller, &no_answer.into());
        }
        if let Some(what) = difference(&parked.request, body) {
            return self.fail(cx, &caller, &Rejection::OtherRequest(what).into());
        }
        let Some(mut parked) = self.parked.remove(&number) else { return };
        if let Some(answer) = parked.answer.take() {
            // Only servers of the older eras have calls that wait for a client to come back.
            let (revision, lifetime) = (Revision::LAST_WITH_HANDSHAKE, parked.lifetime);
            if let Some(cause) = misshapen(&answer, revision, caller.revision, cx.limits()) {
                let server = cx.snapshot.entry(parked.server).map(|entry| entry.name.clone());
                let server = server.unwrap_or_default();
                return self.fail(cx, &caller, &UpstreamFault::Unreadable { server, cause }.into());
            }
            let info = super::lists::server_info(cx.snapshot, &caller.target);
            let answer = self.readable(cx, &caller, parked.server, parked.lifetime, &answer);
            return self.relay(cx, &caller, &answer, Speaker { revision, lifetime, info });
        }
        let upstream = self.upstream_of(parked.link);
        if !upstream.is_some_and(|upstream| upstream.calls.contains(parked.call)) {
            return self.fail(cx, &caller, &UpstreamFault::NotParked(GONE).into());
        }
        let told = take_told(body, &mut parked.questions);
        if let Err(exceeded) = self.admit_again(cx, &parked) {
            parked.questions.extend(told.into_iter().map(|(question, _)| question));
            self.parked.insert(number, parked);
            return self.fail(cx, &caller, &exceeded.into());
        }
        parked.told |= !told.is_empty();
        for (question, input) in told {
            let frame = write::one_line(write::result(&question.id, &input));
            cx.effect(Effect::SendFrame { link: parked.link, frame: frame.into() });
        }
        if !parked.questions.is_empty() {
            self.require_input(cx, &caller, number, &parked);
            self.parked.insert(number, parked);
            return;
        }
        say_all(cx, parked.link, parked.lacking);
        self.exchanges.insert(caller.exchange, Exchange::Call(parked.server, parked.call));
        self.in_flight = self.in_flight.saturating_add(1);
        if let Some(upstream) = self.upstream_of(parked.link) {
            upstream.calls.replace(parked.call, Purpose::Client(caller, parked.lifetime));
            upstream.calls.go_on(parked.call, cx.now);
        }
    }

    /// A client has come back with a good state, so there was a call that its server was sent, and it is not parked. What is
    /// known of it is an answer that is kept under its key, if anything.
    fn miss(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope, why: &'static str) {
        let Message::Request { method, .. } = body.message() else { return };
        let request = Request::new(method.to_owned().into(), body.clone(), Vec::new());
        match self.known(cx, caller, &request) {
            Ok(Known::Answered(server, answer)) => self.answer_again(cx, caller, server, &answer),
            Ok(Known::New(_) | Known::Running) => {
                self.fail(cx, caller, &UpstreamFault::NotParked(why).into());
            }
            Err(fault) => self.fail(cx, caller, &fault),
        }
    }

    /// Whether a call whose questions are all answered may be in flight again.
    fn admit_again(&self, cx: &Cx<'_>, parked: &Parked) -> Result<(), Exceeded> {
        let most = cx.limits().project_in_flight;
        if parked.questions.is_empty() && self.in_flight >= most {
            let hint = "come back when calls have ended";
            return Err(Exceeded { limit: Limit::ProjectInFlight, value: most as u64, hint });
        }
        Ok(())
    }

    /// A server answered a parked call without its client; the next try gets the answer.
    pub(super) fn keep_answer(&mut self, link: LinkId, call: CallId, answer: &Envelope) {
        let mut all = self.parked.values_mut();
        if let Some(parked) = all.find(|parked| parked.link == link && parked.call == call) {
            parked.answer = Some(answer.clone());
        }
    }

    /// Parked calls whose server is gone, or whose client has not come back in time.
    pub(super) fn drop_parked(&mut self, cx: &mut Cx<'_>, lost: Option<LinkId>) {
        let now = cx.now;
        let over = |parked: &Parked| match lost {
            // An answer that came before the end is still good.
            Some(link) => parked.link == link && parked.answer.is_none(),
            None => parked.until <= now,
        };
        let numbers: Vec<u64> =
            self.parked.iter().filter(|(_, parked)| over(parked)).map(|(number, _)| *number).collect();
        for number in numbers {
            let Some(parked) = self.parked.remove(&number) else { continue };
            if parked.answer.is_none() && lost.is_none() {
                let Parked { link, questions, lacking, .. } = parked;
                refuse_all(cx, link, &questions, lacking, "the client did not come back");
            }
        }
    }

    pub(super) fn parked_deadline(&self) -> Option<Timestamp> {
        let gathered = self.gathering.values().map(|gathering| gathering.at);
        self.parked.values().map(|parked| parked.until).chain(gathered).min()
    }
}

/// Takes the questions that a client's input answers. Input for other questions means nothing.
fn take_told(body: &Envelope, questions: &mut Vec<Question>) -> Vec<(Question, Vec<u8>)> {
    let Some(input) = body.raw(Field::InputResponses).and_then(Members::read) else { return Vec::new() };
    let told = |question: &Question| input.0.iter().find(|(name, _)| *name == question.name);
    let answered: Vec<Question> = questions.extract_if(.., |question| told(question).is_some()).collect();
    let with_input = |question: Question| {
        let value = told(&question).map(|(_, value)| value.get().as_bytes().to_vec())?;
        Some((question, value))
    };
    answered.into_iter().filter_map(with_input).collect()
}
