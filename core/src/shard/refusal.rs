//! Why a server that was reached was not greeted, and what to do about it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

use super::Cx;
use super::greet::protocol;
use crate::ServerId;
use crate::mcp::ListKind;
use crate::record::{Protocol, ServerSpec};
use crate::rpc::{Envelope, Field};
use crate::upstream::{Failure, State, Upstream};

/// The longest name of a revision that is taken for one, in bytes.
const REVISION: usize = 32;

/// How many of them are told.
const SHOWN: usize = 8;

/// How much of the reason for which a list is not told is kept, in characters.
const REASON: usize = 300;

/// The link's own cause where nobody was reached, or what was refused and how. A server that has let nobody in has said
/// nothing else that counts.
pub(super) fn refusal(upstream: &Upstream, protocol: Protocol, what: &str, response: &Envelope) -> Failure {
    if let Some(login) = upstream.process.failure.as_ref().filter(|failure| failure.login) {
        return login.clone();
    }
    let said = response.text(Field::ErrorMessage).unwrap_or_default();
    match own_cause(&upstream.name, &said) {
        Some(cause) => {
            let cause = cause.to_owned();
            if is_refused(response) { Failure::lasting(cause) } else { Failure::passing(cause) }
        }
        None => {
            let offers = offered(response);
            let offers = if offers.is_empty() {
                String::new()
            } else {
                format!("; it says that it speaks {}", offers.join(", "))
            };
            let said = if said.is_empty() { unfit(response).into() } else { said };
            let cause = format!("{what}: {said}{offers}{}", advice(protocol));
            let lasts = protocol != Protocol::Auto && is_of_protocol(response);
            if lasts { Failure::lasting(cause) } else { Failure::passing(cause) }
        }
    }
}

/// The link's own cause, in what is said to clients in the place of an answer.
fn own_cause<'a>(server: &str, said: &'a str) -> Option<&'a str> {
    let ways = ["is not available", "did not take the request", "ended before it answered"];
    let cause = ways.iter().find_map(|way| said.strip_prefix(&*format!("server {server} {way}: ")))?;
    Some(cause.trim_end_matches("; the outcome is unknown"))
}

/// Why a server does not tell a list; `None` where it does, or says that it has none.
pub(super) fn why_untold(server: &str, list: ListKind, page: Option<&Envelope>) -> Option<String> {
    let method = list.method();
    let Some(page) = page else { return Some(format!("it has not answered {method} in time")) };
    if !page.has(Field::Error) || page.raw(Field::Code) == Some(b"-32601") {
        return None;
    }
    let said = page.text(Field::ErrorMessage).unwrap_or_default();
    let said: String = own_cause(server, &said).unwrap_or(&said).chars().take(REASON).collect();
    Some(format!(
        "it answered {method} with an error: {}",
        if said.is_empty() { "no message" } else { &said }
    ))
}

/// What is wrong with an answer that gives no reason.
fn unfit(response: &Envelope) -> String {
    if response.has(Field::Error) {
        return "its error has no message".to_owned();
    }
    match response.raw_str(Field::ProtocolVersion).filter(|raw| *raw != "null") {
        Some(raw) => {
            let shown: String = raw.chars().take(REVISION).collect();
            format!("its protocolVersion is {shown}, which is no revision")
        }
        None => "its answer names no revision that the hub speaks".to_owned(),
    }
}

/// The revisions that a server offers instead of one that it refuses (2026-07-28, -32022), or by itself
/// (`server/discover`), as far as they can be ones.
pub(super) fn offered(response: &Envelope) -> Vec<String> {
    #[derive(Deserialize)]
    struct Refusal {
        code: i64,
        data: Option<Offered>,
    }
    #[derive(Deserialize)]
    struct Offered {
        supported: Vec<String>,
    }
    let refusal = response.raw(Field::Error).and_then(|raw| serde_json::from_slice::<Refusal>(raw).ok());
    let refusal = refusal.filter(|refusal| refusal.code == -32_022).and_then(|refusal| refusal.data);
    let offered = match refusal {
        Some(Offered { supported }) => Some(supported),
        None => response.raw(Field::SupportedVersions).and_then(|raw| serde_json::from_slice(raw).ok()),
    };
    let is_revision = |text: &String| {
        text.len() <= REVISION && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    offered.unwrap_or_default().into_iter().filter(is_revision).take(SHOWN).collect()
}

/// A server that was started or reached did not answer in time.
pub(super) fn unanswered(cx: &Cx<'_>, server: ServerId, state: State) -> Failure {
    let config = cx.snapshot.entry(server).and_then(|entry| entry.config.as_ref());
    let seconds = config.map_or(ServerSpec::TIMEOUT_S, |config| config.spec.timeout_s);
    let protocol = protocol(cx, server);
    let method = if protocol == Protocol::Modern { "server/discover" } else { "initialize" };
    let advice = if matches!(state, State::Handshaking { .. }) { advice(protocol) } else { "" };
    Failure::passing(format!("it did not answer {method} within {seconds} s (its timeout){advice}"))
}

/// What else could be wrong where a server was spoken to in one era alone.
fn advice(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Auto => "",
        Protocol::Legacy => {
            "; \"protocol\" of this server is set to legacy: if it speaks 2026-07-28 alone, set it to auto or modern"
        }
        Protocol::Modern => {
            "; \"protocol\" of this server is set to modern: if it does not speak 2026-07-28, set it to auto or legacy"
        }
    }
}

/// Whether an error is one of the protocol's own and not of a fault within the server: it does not know what was said.
fn is_of_protocol(response: &Envelope) -> bool {
    let code = response.raw_str(Field::Code).and_then(|code| code.parse().ok());
    code.is_some_and(|code: i64| (-32_768..=-32_000).contains(&code) && code != -32_603)
}

/// Whether the link's own error says that no retry helps: a remote server has refused the request, and will again.
fn is_refused(response: &Envelope) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        data: Refused,
    }
    #[derive(Deserialize)]
    struct Refused {
        retryable: bool,
        /// Of those who were reached and refused alone.
        #[serde(rename = "status")]
        _status: u16,
    }
    let refusal = response.raw(Field::Error).and_then(|raw| serde_json::from_slice::<Refusal>(raw).ok());
    refusal.is_some_and(|refusal| !refusal.data.retryable)
}
