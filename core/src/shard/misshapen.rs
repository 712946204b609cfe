//! What servers say that is JSON-RPC and not what MCP has: clients break on it in ways of their own. So whoever waits for an
//! answer is told instead, and a server whose request is such is.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::demand::{demanded, demands_input};
use super::urls::unfit_visit;
use crate::Limits;
use crate::mcp::{Asking, Revision, shape};
use crate::rpc::{Envelope, Field, Message};

/// What is wrong with an answer to a client's request; `None` when nothing is. A result of another type than those of the
/// older eras is none to a client that is of them.
pub(super) fn misshapen(
    answer: &Envelope,
    server: Revision,
    client: Revision,
    limits: &Limits,
) -> Option<String> {
    if let Some(error) = answer.raw(Field::Error) {
        let code = answer.raw_str(Field::Code).and_then(|raw| raw.parse::<i64>().ok());
        let whole = error.starts_with(b"{") && code.is_some() && answer.text(Field::ErrorMessage).is_some();
        if !whole {
            return Some("its error has no code and message".to_owned());
        }
        return if client.is_modern() { unfit_visit(answer) } else { None };
    }
    if answer.raw(Field::Result).is_none_or(|result| !result.starts_with(b"{")) {
        return Some("its result is no object".to_owned());
    }
    // What this means is of the stateless era: to a server before it nobody would come back.
    if !server.is_modern() && client.is_modern() && demands_input(answer) {
        return Some(format!("it demands more input in the way of 2026-07-28, and speaks {server}"));
    }
    if server.is_modern() && answer.raw(Field::ResultType).is_some_and(|kind| !kind.starts_with(b"\"")) {
        return Some("its resultType is no string".to_owned());
    }
    // A client of the older eras is asked, and what is asked is looked at then.
    if server.is_modern() && client.is_modern() && demands_input(answer) {
        return demanded(answer, limits).err();
    }
    let kind = answer.text(Field::ResultType).filter(|_| server.is_modern() && !client.is_modern())?;
    (kind != "complete").then(|| format!("its result is of the type {kind:?}, which {client} does not have"))
}

/// What a request asks for, if the protocol says how it is answered.
pub(super) fn asking_of(question: &Envelope) -> Option<Asking> {
    let Message::Request { method, .. } = question.message() else { return None };
    Asking::of(method, question, Revision::V2026_07_28)
}

/// What is wrong with the params of what a server of a revision asks for.
pub(super) fn unfit(question: &Envelope, server: Revision) -> Option<String> {
    shape::asked::question(asking_of(question)?, server, question.raw_str(Field::Params))
}
