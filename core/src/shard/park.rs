//! Questions of 2025 servers to 2026 clients: the request is answered with `input_required`, the call stays with its
//! server, and the client's next try takes it up again (2026-07-28, multi round-trip requests).
//!
//! `requestState` names the parked call. It is signed and bound to the key, the endpoint and its expiry: whoever else
//! presents it, or presents another, is refused.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Cx, Effect, Exchange, Shard};
use crate::key::derive;
use crate::mcp::Lifetime;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, write};
use crate::upstream::{Caller, Purpose};
use crate::{CallId, Exceeded, Fault, KeyId, Limit, LinkId, Rejection, ServerId, Timestamp};

/// A call that waits for its client's next try.
#[derive(Debug)]
pub(super) struct Parked {
    link: LinkId,
    server: ServerId,
    call: CallId,
    lifetime: Lifetime,
    key: KeyId,
    target: Target,
    /// Raw JSON of the id of the server's question.
    id: Box<str>,
    /// Raw JSON: the question, as a client is shown it.
    question: Vec<u8>,
    until: Timestamp,
    /// The answer, if the server gave it without waiting for the client.
    answer: Option<Envelope>,
}

impl Shard {
    /// Parks a call and shows its client the question.
    pub(super) fn park(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        call: CallId,
        id: &str,
        method: &str,
        params: &[u8],
    ) {
        let until = cx.now.after(cx.limits().parked);
        let Some(upstream) = self.upstream_of(link) else { return };
        let server = upstream.id;
        let Some(Purpose::Client(caller, lifetime)) = upstream.calls.replace(call, Purpose::Parked) else {
            return;
        };
        upstream.calls.extend_fully(call);
        self.settle(caller.session);
        let Some(key) = caller.key.clone() else { return };
        let mut question = Vec::from(b"{\"method\":");
        write::string(&mut question, method);
        question.extend_from_slice(b",\"params\":");
        question.extend_from_slice(params);
        question.push(b'}');
        let target = caller.target.clone();
        let parked = Parked {
            link,
            server,
            call,
            lifetime,
            key,
            target,
            id: id.into(),
            question,
            until,
            answer: None,
        };
        let number = self.mint_call().0;
        self.require_input(cx, &caller, number, &parked);
        self.parked.insert(number, parked);
    }

    fn require_input(&mut self, cx: &mut Cx<'_>, caller: &Caller, number: u64, parked: &Parked) {
        let state = State { number, until: parked.until }.sign(cx, &parked.key, &parked.target);
        let info = super::lists::server_info(cx.snapshot, &caller.target);
        let mut result =
            format!("{{\"resultType\":\"input_required\",\"requestState\":\"{state}\",").into_bytes();
        result.extend_from_slice(format!("\"inputRequests\":{{\"q{number}\":").as_bytes());
        result.extend_from_slice(&parked.question);
        let meta = format!("}},\"_meta\":{{\"io.modelcontextprotocol/serverInfo\":{info}}}}}");
        result.extend_from_slice(meta.as_bytes());
        self.respond(cx, caller, &result);
    }

    /// A client's next try. Its input goes to the server, and the call is its call again.
    pub(super) fn resume(&mut self, cx: &mut Cx<'_>, caller: Caller, body: &Envelope, state: State) {
        // Numbers begin again with every life of the hub; an expiry is that of one parked call.
        let same = |state: &State| self.parked.get(&state.number).is_some_and(|it| it.until == state.until);
        let found = Some(state).filter(|state| state.until > cx.now && same(state));
        let Some(mut parked) = found.as_ref().and_then(|state| self.parked.remove(&state.number)) else {
            let fault: Fault = Rejection::BadRequestState.into();
            return self.fail(cx, &caller, &fault);
        };
        let number = found.map_or(0, |state| state.number);
        if let Some(answer) = parked.answer.take() {
            let info = super::lists::server_info(cx.snapshot, &caller.target);
            let answer = self.readable(cx, &caller, parked.server, parked.lifetime, &answer);
            return self.relay(cx, &caller, &answer, parked.lifetime, info);
        }
        let Some(input) = input(body, number) else {
            self.require_input(cx, &caller, number, &parked);
            self.parked.insert(number, parked);
            return;
        };
        let most = cx.limits().project_in_flight;
        if self.in_flight >= most {
            let hint = "come back when calls have ended";
            let fault = Exceeded { limit: Limit::ProjectInFlight, value: most as u64, hint }.into();
            self.parked.insert(number, parked);
            return self.fail(cx, &caller, &fault);
        }
        let (exchange, lifetime) = (caller.exchange, parked.lifetime);
        let upstream = self.upstream_of(parked.link).filter(|upstream| upstream.calls.contains(parked.call));
        let Some(upstream) = upstream else {
            return self.fail(cx, &caller, &Rejection::BadRequestState.into());
        };
        upstream.calls.replace(parked.call, Purpose::Client(caller, lifetime));
        self.in_flight = self.in_flight.saturating_add(1);
        self.exchanges.insert(exchange, Exchange::Call(parked.server, parked.call));
        let frame = write::one_line(write::result(&parked.id, &input));
        cx.effect(Effect::SendFrame { link: parked.link, frame: frame.into() });
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
                let refusal = write::error(Some(&parked.id), -32_603, "the client did not come back", None);
                cx.effect(Effect::SendFrame { link: parked.link, frame: refusal.into() });
            }
        }
    }

    pub(super) fn parked_deadline(&self) -> Option<Timestamp> {
        self.parked.values().map(|parked| parked.until).min()
    }
}

/// What a client says to a question. Input for other questions means nothing.
fn input(body: &Envelope, number: u64) -> Option<Vec<u8>> {
    let members = Members::read(body.raw(Field::InputResponses)?)?;
    let name = format!("q{number}");
    members.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.get().as_bytes().to_vec())
}

/// What `requestState` says.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    number: u64,
    until: Timestamp,
}

impl State {
    /// The state of a request, if it is one that the hub has made for this caller. Any other is its server's own.
    pub(super) fn of(cx: &Cx<'_>, caller: &Caller, body: &Envelope) -> Option<Self> {
        Self::open(cx, &body.text(Field::RequestState)?, caller.key.as_ref()?, &caller.target)
    }

    fn sign(self, cx: &Cx<'_>, key: &KeyId, target: &Target) -> String {
        let mut bytes = [self.number.to_be_bytes(), self.until.0.to_be_bytes()].concat();
        let tag = self.tag(cx, key, target);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(cx: &Cx<'_>, text: &str, key: &KeyId, target: &Target) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let (until, tag) = rest.split_first_chunk::<8>()?;
        let state =
            Self { number: u64::from_be_bytes(*number), until: Timestamp(u64::from_be_bytes(*until)) };
        let same: bool = state.tag(cx, key, target).ct_eq(tag).into();
        same.then_some(state)
    }

    fn tag(self, cx: &Cx<'_>, key: &KeyId, target: &Target) -> [u8; 32] {
        let secret = derive(&cx.snapshot.instance.cursor_key, b"request-state/v1");
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret) else { return [0; 32] };
        mac.update(&self.number.to_be_bytes());
        mac.update(&self.until.0.to_be_bytes());
        mac.update(cx.snapshot.project.id.0.as_bytes());
        mac.update(key.0.as_bytes());
        // Names cannot hold a NUL, so the parts cannot run into each other.
        mac.update(&[0]);
        if let Target::Server(name) = target {
            mac.update(name.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}
