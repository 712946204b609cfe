//! Demands for more input (2026-07-28, multi round-trip requests): what is one, and whether it is whole. Clients of every era
//! are spared those that are not.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::misshapen::{asking_of, unfit};
use super::seal::state;
use crate::Limits;
use crate::mcp::{Revision, Row};
use crate::rpc::{Envelope, Field, Members, Message, Sender, write};
use crate::upstream::Request;

/// Whether an answer is a demand for more input.
pub(super) fn demands_input(response: &Envelope) -> bool {
    response.text(Field::ResultType).as_deref() == Some("input_required")
}

/// What is wrong with an answer that demands more input where no request is answered so. What no revision has is something
/// between its client and its server.
pub(super) fn misplaced(request: Option<&Request>, server: Revision, answer: &Envelope) -> Option<String> {
    let method = &request.filter(|_| server.is_modern() && demands_input(answer))?.method;
    let misplaced = Row::is_known(method) && !Row::takes_demands(method);
    misplaced.then(|| format!("it demands more input in answer to {method}, which is not answered so"))
}

/// What a demand asks for, each question by the server's name for it, or what is wrong with the demand.
pub(super) fn demanded(response: &Envelope, limits: &Limits) -> Result<Vec<(String, Envelope)>, String> {
    let form = || "it asks for input in a form that the protocol does not have".to_owned();
    let questions = questions(response, limits).ok_or_else(form)?;
    if response.given(Field::RequestState).is_some() && state(response).is_none() {
        return Err("the requestState of its demand for input is no string".to_owned());
    }
    // Its client would come back as it was, and be answered the same again.
    if questions.is_empty() && state(response).is_none() {
        return Err(
            "it asks for more input and says neither for which nor with which state to come back".to_owned()
        );
    }
    match questions.iter().find_map(|(name, question)| unfit_as(name, question)) {
        Some(cause) => Err(cause),
        None => Ok(questions),
    }
}

/// What is wrong with a question.
fn unfit_as(name: &str, question: &Envelope) -> Option<String> {
    let Message::Request { method, .. } = question.message() else { return None };
    if asking_of(question).is_none() {
        return Some(format!("it asks its client for {method}, which the protocol does not have"));
    }
    let wrong = unfit(question, Revision::V2026_07_28)?;
    Some(format!("what it asks for as {name:?} is not of its form: {wrong}"))
}

/// `inputRequests` as requests, by the server's names for them. `None` if they are none.
pub(crate) fn questions(response: &Envelope, limits: &Limits) -> Option<Vec<(String, Envelope)>> {
    let Some(raw) = response.given(Field::InputRequests) else { return Some(Vec::new()) };
    let mut questions = Vec::new();
    for (name, question) in Members::read(raw)?.0 {
        let set = |_: &str, raw| (raw != "null").then_some(Cow::Borrowed(raw));
        let question = Members::read(question.get().as_bytes())?.with(set);
        let text = [b"{\"jsonrpc\":\"2.0\",\"id\":0,", question.strip_prefix(b"{")?].concat();
        let question = Envelope::parse(text.into(), Sender::Upstream, limits).ok()?;
        if !matches!(question.message(), Message::Request { .. }) {
            return None;
        }
        questions.push((name.into_owned(), question));
    }
    Some(questions)
}

/// A demand without those of its members that are `null`: they are not there, and its client would bring a state of that kind
/// back.
pub(super) fn without_nulls<'a>(demand: &'a Envelope, limits: &Limits) -> Cow<'a, Envelope> {
    let is_null = |field| demand.raw(field) == Some(b"null");
    let kept = Cow::Borrowed(demand);
    if !is_null(Field::RequestState) && !is_null(Field::InputRequests) {
        return kept;
    }
    let Some(members) = demand.raw(Field::Result).and_then(Members::read) else { return kept };
    let drop = |name: &str, raw: &str| raw == "null" && matches!(name, "requestState" | "inputRequests");
    let result = members.with(|name, raw| (!drop(name, raw)).then_some(Cow::Borrowed(raw)));
    let message = write::result(demand.raw_str(Field::Id).unwrap_or("null"), &result);
    Envelope::parse(message.into(), Sender::Upstream, limits).map_or(kept, Cow::Owned)
}
