//! `requestState` of the hub: it names a parked call, signed and bound to the key, the endpoint and its expiry. Whoever
//! else presents it, or presents another, or presents it with another request than the one that it is of, is refused.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::BTreeMap;
use alloc::string::String;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Cx;
use crate::key::derive;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, same};
use crate::upstream::Caller;
use crate::{KeyId, Timestamp};

/// What `requestState` says.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// The parked call.
    pub number: u64,
    /// When it expires, in milliseconds since 1970.
    pub until: Timestamp,
}

impl State {
    /// The state of a request, if it is one that the hub has made for this caller. Any other is its server's own.
    pub(super) fn of(cx: &Cx<'_>, caller: &Caller, body: &Envelope) -> Option<Self> {
        Self::open(cx, &body.text(Field::RequestState)?, caller.key.as_ref()?, &caller.target)
    }

    pub(super) fn sign(self, cx: &Cx<'_>, key: &KeyId, target: &Target) -> String {
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

/// In what a next try differs from the first one: `method`, or the name of a member of `params` that is not of the try
/// itself. `None` where both are one request (2026-07-28, multi round-trip requests).
pub(super) fn difference(first: &Envelope, next: &Envelope) -> Option<String> {
    if first.raw(Field::Method) != next.raw(Field::Method) {
        return Some("method".to_owned());
    }
    let (first, next) = (lasting(first), lasting(next));
    let differs = |name: &&Cow<'_, str>| match (first.get(*name), next.get(*name)) {
        (Some(first), Some(next)) => !same(first, next),
        (None | Some(_), _) => true,
    };
    first.keys().chain(next.keys()).find(differs).map(|name| name.clone().into_owned())
}

/// The members of `params` that are the same in every try.
fn lasting(request: &Envelope) -> BTreeMap<Cow<'_, str>, &[u8]> {
    let params = request.raw(Field::Params).and_then(Members::read);
    let all = params.into_iter().flat_map(|params| params.0);
    let lasting = all.filter(|(name, _)| !matches!(&**name, "_meta" | "inputResponses" | "requestState"));
    lasting.map(|(name, value)| (name, value.get().as_bytes())).collect()
}
