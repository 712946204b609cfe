//! What servers of 2026-07-28 ask of clients of the same era: the answer passes if the client can do it, but for its
//! `requestState`. That is sealed by the hub, on every endpoint.
//!
//! Such a state says who may present it, and with which request (2026-07-28, multi round-trip requests). A server behind the
//! hub cannot tell one key from another, so only the hub can hold that; and on the unified endpoint a state has to come
//! back to the server that it is from.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::Cx;
use super::demand::{demands_input, questions, without_nulls};
use super::rounds::lacks;
use super::state::{Names, Sealed, State, digest};
use crate::mcp::{Abilities, Revision, Row};
use crate::rpc::{Envelope, Field, Sender, write};
use crate::upstream::{Caller, Request};
use crate::{Limits, Rejection, ServerId};

/// A server's answer, with its state sealed if it has one.
pub(super) fn sealed<'a>(
    cx: &Cx<'_>,
    caller: &Caller,
    server: ServerId,
    request: Option<&Request>,
    answer: &'a Envelope,
) -> Cow<'a, Envelope> {
    if !caller.revision.is_modern() || !demands_input(answer) {
        return Cow::Borrowed(answer);
    }
    let kept = without_nulls(answer, cx.limits());
    let Some(own) = state(&kept) else { return kept };
    let request = request
        .filter(|request| Row::find(&request.method, caller.revision).is_some_and(Row::may_demand_input));
    let (Some(request), Some(key)) = (request, &caller.key) else { return kept };
    let sealed = Sealed { server, request: digest(&request.body), own: own.into() };
    let until = cx.now.after(cx.limits().parked);
    let state = State { until, names: Names::Sealed(sealed) }.sign(cx, key, &caller.target);
    let mut raw = Vec::with_capacity(state.len().saturating_add(2));
    write::string(&mut raw, &state);
    let result = kept.spliced(Field::Result, &mut [(Field::RequestState, Cow::Owned(raw))]);
    // The id is the server's, and no client sees it.
    let message = write::result(kept.raw_str(Field::Id).unwrap_or("null"), &result);
    Envelope::parse(message.into(), Sender::Upstream, cx.limits()).map_or(kept, Cow::Owned)
}

/// What a client of the stateless era did not say that it can do, and a server's answer asks of it nevertheless.
pub(super) fn lacking(caller: &Caller, answer: &Envelope, limits: &Limits) -> Option<Abilities> {
    let demands = caller.revision.is_modern() && demands_input(answer);
    let questions = questions(answer, limits).filter(|_| demands)?;
    Some(lacks(&questions, caller)).filter(|lacks| lacks.any())
}

/// The state that a server has given to a client, as the server spelt it; `None` for a request that has none.
pub(super) fn unsealed(
    cx: &Cx<'_>,
    caller: &Caller,
    server: ServerId,
    body: &Envelope,
) -> Result<Option<Vec<u8>>, Rejection> {
    if state(body).is_none() || caller.revision < Revision::V2026_07_28 {
        return Ok(None);
    }
    let state = State::of(cx, caller, body).filter(|state| state.until > cx.now);
    let Some(State { names: Names::Sealed(sealed), .. }) = state else {
        return Err(Rejection::BadRequestState);
    };
    if sealed.server != server {
        return Err(Rejection::BadRequestState);
    }
    if sealed.request != digest(body) {
        return Err(Rejection::OtherRequest("its method or a member of its params".into()));
    }
    Ok(Some(sealed.own))
}

/// The raw `requestState` of a message, if it has one: it is a string.
pub(super) fn state(message: &Envelope) -> Option<&str> {
    message.raw_str(Field::RequestState).filter(|raw| raw.starts_with('"'))
}
