//! Answers of servers that are JSON-RPC and not what MCP has: clients break on them in ways of their own, so they are told
//! instead.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::rounds::{DEMANDS_NOTHING, NO_QUESTIONS, demands_input, demands_nothing, questions};
use crate::Limits;
use crate::mcp::Revision;
use crate::rpc::{Envelope, Field};

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
        return (!whole).then(|| "its error has no code and message".to_owned());
    }
    if answer.raw(Field::Result).is_none_or(|result| !result.starts_with(b"{")) {
        return Some("its result is no object".to_owned());
    }
    // What this means is of the stateless era: to a server before it nobody would come back.
    if !server.is_modern() && client.is_modern() && demands_input(answer) {
        return Some(format!("it demands more input in the way of 2026-07-28, and speaks {server}"));
    }
    // A client of the older eras is asked, and what is asked is looked at then.
    if server.is_modern() && client.is_modern() && demands_input(answer) {
        let malformed = questions(answer, limits).is_none().then_some(NO_QUESTIONS);
        return malformed
            .or_else(|| demands_nothing(answer).then_some(DEMANDS_NOTHING))
            .map(ToOwned::to_owned);
    }
    let kind = answer.text(Field::ResultType).filter(|_| server.is_modern() && !client.is_modern())?;
    (kind != "complete").then(|| format!("its result is of the type {kind:?}, which {client} does not have"))
}
