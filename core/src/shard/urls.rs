//! Addresses that a server of 2025-11-25 wants to have been visited before it does what it was asked (`-32042`). Clients of
//! 2026-07-28 know no such error: they are asked to open the addresses, and try again.
//!
//! Nothing waits meanwhile: the server has answered. What the client says with its next try is for nobody, so it has no
//! `requestState`, and its input ends here.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::demand;
use super::{Cx, Shard};
use crate::Rejection;
use crate::mcp::{Abilities, Asking, shape};
use crate::rpc::{Envelope, Field, write};
use crate::upstream::Caller;

/// Whether an answer says that addresses have to be visited first.
pub(super) fn wants_visits(response: &Envelope) -> bool {
    response.raw(Field::Code) == Some(b"-32042")
}

impl Shard {
    /// Asks a client of the stateless era to open the addresses of an answer.
    pub(super) fn ask_for_visits(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        response: &Envelope,
        server_info: &str,
    ) {
        if !caller.abilities.can(Asking::Url) {
            return self.fail(
                cx,
                caller,
                &Rejection::MissingCapability(Abilities::default().with(Asking::Url)).into(),
            );
        }
        let visits = visits(response);
        if visits.is_empty() {
            // It names no address, so there is nothing to ask for; but the code has no meaning for this client.
            let code = (Field::Code, Cow::Borrowed(b"-32603".as_slice()));
            let error = response.spliced(Field::Error, &mut [code]);
            return self.deliver(cx, caller, 200, write::raw_error(&caller.id, &error));
        }
        let shown = |(number, visit): (usize, &RawValue)| {
            let question = format!("{{\"method\":\"elicitation/create\",\"params\":{}}}", visit.get());
            (format!("url{number}"), question)
        };
        let questions: Vec<_> = visits.into_iter().enumerate().map(shown).collect();
        let questions = questions.iter().map(|(name, question)| (&**name, question.as_bytes()));
        let result = demand(None, questions, server_info);
        self.respond(cx, caller, &result);
    }
}

#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    elicitations: Vec<&'a RawValue>,
}

/// The params of each elicitation that a server's error lists.
fn visits(response: &Envelope) -> Vec<&RawValue> {
    let refusal = response.raw(Field::Error).and_then(|raw| serde_json::from_slice::<Refusal<'_>>(raw).ok());
    refusal.map_or_else(Vec::new, |refusal| refusal.data.elicitations)
}

/// The message of such an answer with the addresses, raw JSON, for the call of a step: whoever wants its run to go on has to open
/// them.
pub(super) fn visits_in_words(response: &Envelope) -> Option<Cow<'static, [u8]>> {
    #[derive(Deserialize)]
    struct Visit {
        url: String,
    }
    let listed = if wants_visits(response) { visits(response) } else { return None };
    let url = |visit: &RawValue| serde_json::from_str::<Visit>(visit.get()).ok().map(|visit| visit.url);
    let urls: Vec<String> = listed.into_iter().filter_map(url).collect();
    let said = response.text(Field::ErrorMessage).unwrap_or_default();
    let words = format!("{said} (open {}, and begin the run once more with batch_retry)", urls.join(" and "));
    let mut message = Vec::new();
    write::string(&mut message, &words);
    (!urls.is_empty()).then_some(Cow::Owned(message))
}

/// What is wrong with an answer that lists something else than addresses.
pub(super) fn unfit_visit(response: &Envelope) -> Option<String> {
    let listed = if wants_visits(response) { visits(response) } else { Vec::new() };
    let wrong = |(at, visit): (usize, &&RawValue)| {
        shape::asked::visit(&format!("data.elicitations[{at}]"), visit.get())
    };
    let wrong = listed.iter().enumerate().find_map(wrong)?;
    Some(format!("it wants addresses to be visited, and lists what is none: {wrong}"))
}
