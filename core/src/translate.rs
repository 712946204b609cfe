//! What is said differently in another era, as functions of one message: nothing is sent here. The shard uses the same
//! functions; this is the door for whoever wants to hold them against their laws. What is done to results is in
//! [`complete`](crate::mcp::complete) and [`plain`](crate::mcp::plain).

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::mcp::{Abilities, Extensions, Revision};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Message};
use crate::upstream::{Caller, own_params, say};
use crate::{CallId, ExchangeId, Limits};

/// The request of a client of `from`, as a server of `to` gets it under the id `call`: one line. `None` for what is no
/// request.
pub fn request(call: CallId, body: &Envelope, from: Revision, to: Revision) -> Option<Bytes> {
    let Message::Request { id, method } = body.message() else { return None };
    let caller = Caller {
        exchange: ExchangeId(0),
        ends: true,
        id: id.into(),
        revision: from,
        session: None,
        target: Target::Unified,
        progress: body.raw_str(Field::MetaProgressToken).map(Into::into),
        log_level: None,
        abilities: Abilities::ALL,
        extensions: Extensions::default(),
        key: None,
        idempotency: None,
        step: None,
        task: false,
    };
    Some(say(call, to, &caller, (method, body), Vec::new(), Vec::new()))
}

/// The params of a request of the hub's own, as a server of `to` gets them.
pub fn params(to: Revision, params: Option<&[u8]>) -> Option<Vec<u8>> {
    own_params(to, params)
}

/// The `inputRequests` of an answer of 2026-07-28 as the requests that they stand for, by the server's names for them.
/// `None` if they are none.
pub fn questions(response: &Envelope, limits: &Limits) -> Option<Vec<(String, Envelope)>> {
    crate::shard::questions(response, limits)
}
