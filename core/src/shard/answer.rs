//! Answers to clients, in the shape of their revision and transport.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::urls::{visits_in_words, wants_visits};
use super::{Cx, Shard};
use crate::hub;
use crate::mcp::{Lifetime, Revision, complete, plain};
use crate::rpc::{Envelope, Field, Sender, write};
use crate::upstream::Caller;
use crate::{ExchangeId, Fault};

/// Whose words an answer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    /// The revision that they are of.
    pub revision: Revision,
    /// How long they may be kept.
    pub lifetime: Lifetime,
    /// `serverInfo`, raw JSON.
    pub info: &'a str,
}

impl Speaker<'_> {
    /// The hub.
    pub(super) const HUB: Speaker<'static> = Speaker {
        revision: Revision::LAST_WITH_HANDSHAKE,
        lifetime: Lifetime::Unsaid,
        info: hub::SERVER_INFO,
    };
}

impl Shard {
    /// Answers with a result of the hub's own, written for the caller's revision already.
    pub(super) fn respond(&mut self, cx: &mut Cx<'_>, caller: &Caller, result: &[u8]) {
        self.deliver(cx, caller, 200, write::result(&caller.id, result));
    }

    /// Answers with a fault.
    pub(super) fn fail(&mut self, cx: &mut Cx<'_>, caller: &Caller, fault: &Fault) {
        let status = fault.wire().status;
        // Within a session an error is an ordinary answer: a client takes any other status for a broken transport.
        let status = if caller.session.is_some() && status != 429 { 200 } else { status };
        self.deliver(cx, caller, status, fault.frame(Some(&caller.id)));
    }

    /// Passes on what a server answered, with the client's own id.
    pub(super) fn relay(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        response: &Envelope,
        speaker: Speaker<'_>,
    ) {
        let modern = caller.revision.is_modern();
        if let Some(words) = caller.step.and_then(|_| visits_in_words(response)) {
            let error = response.spliced(Field::Error, &mut [(Field::ErrorMessage, words)]);
            return self.deliver(cx, caller, 200, write::raw_error(&caller.id, &error));
        }
        if modern && wants_visits(response) {
            return self.ask_for_visits(cx, caller, response, speaker.info);
        }
        if let Some(error) = response.raw(Field::Error) {
            let error = if modern { modern_error(response, speaker.revision) } else { Cow::Borrowed(error) };
            let status = match response.raw(Field::Code) {
                Some(b"-32601") if modern => 404,
                Some(b"-32021") if modern && speaker.revision.is_modern() => 400,
                Some(_) | None => 200,
            };
            return self.deliver(cx, caller, status, write::raw_error(&caller.id, &error));
        }
        let older = !speaker.revision.is_modern();
        let body = if modern {
            let response = if older { untyped(cx, response) } else { Cow::Borrowed(response) };
            write::result(&caller.id, &complete(&response, speaker.lifetime, speaker.info))
        } else if older || caller.step.is_some() {
            // In the client's own words, or read by no client: references lead into it as it came.
            write::result(&caller.id, response.raw(Field::Result).unwrap_or(b"{}"))
        } else {
            write::result(&caller.id, &plain(response))
        };
        self.deliver(cx, caller, 200, body);
    }

    pub(super) fn deliver(&mut self, cx: &mut Cx<'_>, caller: &Caller, status: u16, body: Vec<u8>) {
        if let Some((run, unit)) = caller.step {
            return self.on_step_answered(cx, run, unit, body);
        }
        if self.open_without_tasks(cx, caller) {
            return;
        }
        if self.promises(caller) {
            return self.hold(caller, status, body);
        }
        if !caller.ends {
            return self.hand_over(cx, caller.exchange, Bytes::from(body));
        }
        self.exchanges.remove(&caller.exchange);
        self.end_with(cx, caller.exchange, status, body);
    }

    /// Ends an exchange, or the stream that it has become, with its answer.
    pub(super) fn end_with(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId, status: u16, body: Vec<u8>) {
        if self.streams.has(exchange) {
            self.emit(cx, exchange, Bytes::from(body));
            self.finish(cx, exchange);
        } else {
            cx.answer(exchange, status, Some(body));
        }
    }
}

/// A result of a server that has no `resultType`: what it calls so means nothing to a client that has.
fn untyped<'a>(cx: &Cx<'_>, response: &'a Envelope) -> Cow<'a, Envelope> {
    if !response.has(Field::ResultType) {
        return Cow::Borrowed(response);
    }
    let typed = (Field::ResultType, Cow::Borrowed(b"\"complete\"".as_slice()));
    let message = write::result("0", &response.spliced(Field::Result, &mut [typed]));
    Envelope::parse(message.into(), Sender::Upstream, cx.limits()).map_or(Cow::Borrowed(response), Cow::Owned)
}

/// A result that demands input, each question by its name (2026-07-28, multi round-trip requests). `state` is what the next
/// try brings back.
pub(super) fn demand<'a>(
    state: Option<&str>,
    questions: impl Iterator<Item = (&'a str, &'a [u8])>,
    server_info: &str,
) -> Vec<u8> {
    let state = state.map_or_else(String::new, |state| format!("\"requestState\":\"{state}\","));
    let mut result = format!("{{\"resultType\":\"input_required\",{state}\"inputRequests\":{{").into_bytes();
    for (at, (name, question)) in questions.enumerate() {
        if at > 0 {
            result.push(b',');
        }
        write::string(&mut result, name);
        result.push(b':');
        result.extend_from_slice(question);
    }
    let meta = format!("}},\"_meta\":{{\"io.modelcontextprotocol/serverInfo\":{server_info}}}}}");
    result.extend_from_slice(meta.as_bytes());
    result
}

/// An error for a client of 2026-07-28, from a server of any revision. The code for a resource that is not there has changed.
/// Codes that this revision gives a meaning to say it alone (base protocol, error codes): of a server before it they meant
/// something else, and what a server has against the revision or the headers of a request concerns the hub's.
fn modern_error(response: &Envelope, server: Revision) -> Cow<'_, [u8]> {
    let code = response.raw_str(Field::Code).and_then(|raw| raw.parse::<i32>().ok());
    let (instead, words) = match code {
        Some(-32_002) => ("-32602", None),
        Some(-32_020 | -32_022) => ("-32603", code),
        // What a client lacks it lacks for servers of every revision.
        Some(code) if code != -32_021 && (-32_099..=-32_020).contains(&code) && !server.is_modern() => {
            ("-32603", Some(code))
        }
        Some(_) | None => return Cow::Borrowed(response.raw(Field::Error).unwrap_or(b"{}")),
    };
    let mut edits = Vec::from([(Field::Code, Cow::Borrowed(instead.as_bytes()))]);
    if let Some(code) = words {
        let said = response.text(Field::ErrorMessage).unwrap_or_default();
        let mut message = Vec::new();
        write::string(&mut message, &format!("{said} (the server's code: {code})"));
        edits.push((Field::ErrorMessage, Cow::Owned(message)));
    }
    Cow::Owned(response.spliced(Field::Error, &mut edits))
}
