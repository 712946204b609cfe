//! `requestState` of the hub, signed and bound to the key, the endpoint and its expiry. Whoever else presents it, or
//! presents another, or presents it with another request than the one that it is of, is refused.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Cx;
use super::goals::Stage;
use crate::key::derive;
use crate::mcp::{Asking, shape};
use crate::planner::Spent;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, canonical};
use crate::upstream::Caller;
use crate::{KeyId, Rejection, RunId, ServerId, Timestamp};

/// What `requestState` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// When it expires, in milliseconds since 1970.
    pub until: Timestamp,
    pub names: Names,
}

/// What a `requestState` leads back to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// A run whose steps have asked for something.
    Consulted(Consulted),
    /// A parked call, by its number.
    Parked(u64),
    /// What a server of the stateless era has said to a request.
    Sealed(Sealed),
    /// What the hub has asked for, for the plan of a goal.
    Wanted(Wanted),
}

/// What the hub has asked for itself. All that it has to know comes back with the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub stage: Stage,
    /// What the goal has cost until then.
    pub spent: Spent,
    /// What the run is called that comes of it: however often the answer is brought, it is one run.
    pub run: RunId,
    /// Of the request that it is of; see [`digest`].
    pub request: [u8; 32],
}

/// What steps have asked for. Which questions these are the run knows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Consulted {
    pub run: RunId,
    /// Of the request that it is of; see [`digest`].
    pub request: [u8; 32],
}

/// A server's own `requestState`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed {
    pub server: ServerId,
    /// Of the request that it is of; see [`digest`].
    pub request: [u8; 32],
    /// Raw JSON, as the server spelt it.
    pub own: Vec<u8>,
}

impl State {
    /// The state of a request, if it is one that the hub has made for this caller.
    pub(super) fn of(cx: &Cx<'_>, caller: &Caller, body: &Envelope) -> Option<Self> {
        Self::open(cx, &body.text(Field::RequestState)?, caller.key.as_ref()?, &caller.target)
    }

    pub(super) fn sign(&self, cx: &Cx<'_>, key: &KeyId, target: &Target) -> String {
        let mut bytes = self.encode();
        let tag = tag(cx, key, target, &bytes);
        bytes.extend_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(cx: &Cx<'_>, text: &str, key: &KeyId, target: &Target) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (said, signed) = bytes.split_last_chunk::<32>()?;
        let same: bool = tag(cx, key, target, said).ct_eq(signed).into();
        if same { Self::decode(said) } else { None }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from(self.until.0.to_be_bytes());
        match &self.names {
            Names::Consulted(Consulted { run, request }) => {
                out.push(3);
                out.extend_from_slice(&run.0.to_be_bytes());
                out.extend_from_slice(request);
            }
            Names::Parked(number) => {
                out.push(0);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Names::Sealed(Sealed { server, request, own }) => {
                out.push(1);
                out.extend_from_slice(server.0.as_bytes());
                out.extend_from_slice(request);
                out.extend_from_slice(own);
            }
            Names::Wanted(Wanted { stage, spent, run, request }) => {
                let (number, plan) = match stage {
                    Stage::First => (0, ""),
                    Stage::Mended(plan) => (1, plan.as_str()),
                    Stage::Agreed(plan) => (2, plan.as_str()),
                };
                out.extend_from_slice(&[5, number]);
                out.extend_from_slice(&spent.questions.to_be_bytes());
                out.extend_from_slice(&spent.input_tokens.to_be_bytes());
                out.extend_from_slice(&spent.output_tokens.to_be_bytes());
                out.extend_from_slice(&run.0.to_be_bytes());
                out.extend_from_slice(request);
                out.extend_from_slice(plan.as_bytes());
            }
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (until, rest) = bytes.split_first_chunk()?;
        let names = match rest.split_first()? {
            (0, number) => Names::Parked(u64::from_be_bytes(number.try_into().ok()?)),
            (1, rest) => {
                let (server, rest) = rest.split_first_chunk()?;
                let (request, own) = rest.split_first_chunk()?;
                let server = ServerId(Uuid::from_bytes(*server));
                Names::Sealed(Sealed { server, request: *request, own: own.to_vec() })
            }
            // What 2 or 4 begins is of a hub before this one, and says less.
            (5, rest) => Names::Wanted(Wanted::decode(rest)?),
            (3, rest) => {
                let (run, request) = rest.split_first_chunk()?;
                let run = RunId(u64::from_be_bytes(*run));
                Names::Consulted(Consulted { run, request: request.try_into().ok()? })
            }
            (_, _) => return None,
        };
        Some(Self { until: Timestamp(u64::from_be_bytes(*until)), names })
    }
}

impl Wanted {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first()?;
        let (questions, rest) = rest.split_first_chunk()?;
        let (input, rest) = rest.split_first_chunk()?;
        let (output, rest) = rest.split_first_chunk()?;
        let (run, rest) = rest.split_first_chunk()?;
        let (request, plan) = rest.split_first_chunk()?;
        let plan = String::from_utf8(plan.to_vec()).ok()?;
        let stage = match number {
            0 => Stage::First,
            1 => Stage::Mended(plan),
            _ => Stage::Agreed(plan),
        };
        let spent = Spent {
            questions: u32::from_be_bytes(*questions),
            input_tokens: u64::from_be_bytes(*input),
            output_tokens: u64::from_be_bytes(*output),
        };
        Some(Self { stage, spent, run: RunId(u64::from_be_bytes(*run)), request: *request })
    }
}

fn tag(cx: &Cx<'_>, key: &KeyId, target: &Target, said: &[u8]) -> [u8; 32] {
    let secret = derive(&cx.snapshot.instance.cursor_key, b"request-state/v2");
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret) else { return [0; 32] };
    let endpoint = match target {
        Target::Server(name) => &**name,
        Target::Unified => "",
    };
    mac.update(cx.snapshot.project.id.0.as_bytes());
    // Neither a key's id nor a name can hold a NUL, so the parts cannot run into each other.
    for part in [&*key.0, endpoint] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.update(said);
    mac.finalize().into_bytes().into()
}

/// In what a next try differs from the first one: `method`, or the name of a member of `params` that is not of the try
/// itself. `None` where both are one request (2026-07-28, multi round-trip requests).
pub(super) fn difference(first: &Envelope, next: &Envelope) -> Option<String> {
    if first.raw(Field::Method) != next.raw(Field::Method) {
        return Some("method".to_owned());
    }
    let (first, next) = (lasting(first), lasting(next));
    let differs = |name: &&Cow<'_, str>| match (first.get(*name), next.get(*name)) {
        (Some(first), Some(next)) => first != next && canonical(first) != canonical(next),
        (None | Some(_), _) => true,
    };
    first.keys().chain(next.keys()).find(differs).map(|name| name.clone().into_owned())
}

/// Whether what a next try says of itself is of its type (2026-07-28, multi round-trip requests).
pub(super) fn check_try(next: &Envelope) -> Result<(), Rejection> {
    let other = |field, first: &[u8]| next.raw(field).is_some_and(|raw| !raw.starts_with(first));
    let words = if other(Field::RequestState, b"\"") {
        "requestState is to be a string"
    } else if other(Field::InputResponses, b"{") {
        "inputResponses is to be an object"
    } else {
        return Ok(());
    };
    Err(Rejection::InvalidParams(words.into()))
}

/// Whether each of `inputResponses` is an answer to some question, where only the server knows which it has asked.
pub(super) fn check_any_input(next: &Envelope) -> Result<(), Rejection> {
    each_input(next, |name, input| shape::asked::any_answer(&input_of(name), input))
}

/// Whether each of `inputResponses` is the answer to what was asked under its name. Refused before anything is done with one of
/// them: the questions stay. What has another name means nothing.
pub(super) fn check_input(next: &Envelope, asked: impl Fn(&str) -> Option<Asking>) -> Result<(), Rejection> {
    each_input(next, |name, input| shape::asked::answer(asked(name)?, &input_of(name), input))
}

fn each_input(next: &Envelope, wrong: impl Fn(&str, &str) -> Option<String>) -> Result<(), Rejection> {
    let brought = next.raw(Field::InputResponses).and_then(Members::read);
    let mut all = brought.into_iter().flat_map(|members| members.0);
    match all.find_map(|(name, input)| wrong(&name, input.get())) {
        Some(wrong) => Err(Rejection::InvalidParams(wrong)),
        None => Ok(()),
    }
}

/// What an input is called where something is wrong with it.
fn input_of(name: &str) -> String {
    format!("inputResponses[{name:?}]")
}

/// What two tries share that are one request, and no two others.
pub(super) fn digest(request: &Envelope) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(request.raw(Field::Method).unwrap_or_default());
    for (name, value) in lasting(request) {
        part(name.as_bytes());
        part(&canonical(value));
    }
    hash.finalize().into()
}

/// The members of `params` that are the same in every try.
fn lasting(request: &Envelope) -> BTreeMap<Cow<'_, str>, &[u8]> {
    let params = request.raw(Field::Params).and_then(Members::read);
    let all = params.into_iter().flat_map(|params| params.0);
    let lasting = all.filter(|(name, _)| !matches!(&**name, "_meta" | "inputResponses" | "requestState"));
    lasting.map(|(name, value)| (name, value.get().as_bytes())).collect()
}
