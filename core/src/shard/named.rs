//! The names of questions. In the stateless era a server gives each of its questions a name (`inputRequests`); a request of
//! the 2025 eras has none. So that none is lost where the one is said as the other and back, by hubs in a row, the request
//! carries it in `_meta`, as [`KEY`].

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::Cx;
use crate::Limits;
use crate::mcp::without_wish;
use crate::rpc::{Envelope, Field, Members, Message, Sender, write};
use crate::upstream::with_members;

/// The member of `_meta` that holds the name of a question.
const KEY: &str = "mcp-orch/input-key";

/// A question as the request that a client of the 2025 eras gets, with its name. One whose `_meta` is no object stays as it is.
pub(super) fn with_name(cx: &Cx<'_>, name: &str, question: Envelope) -> Envelope {
    let Message::Request { method, .. } = question.message() else { return question };
    let mut key = Vec::new();
    write::string(&mut key, name);
    let own = [(KEY, Cow::Owned(key))];
    let params = match question.raw(Field::Meta) {
        None => {
            let meta = with_members(None, &own);
            with_members(question.raw(Field::Params), &[("_meta", Cow::Owned(meta))])
        }
        Some(meta) => {
            let Some(others) = Members::read(meta).map(|meta| meta.without(|name| name == KEY)) else {
                return question;
            };
            let meta = (Field::Meta, Cow::Owned(with_members(Some(&others), &own)));
            question.spliced(Field::Params, &mut [meta])
        }
    };
    let frame = write::request(Some(0), method, Some(&params));
    Envelope::parse(frame.into(), Sender::Upstream, cx.limits()).unwrap_or(question)
}

/// The name that a request of a server bears, if it is one and not too long.
pub(super) fn name_of(request: &Envelope, limits: &Limits) -> Option<String> {
    let name = request.text(Field::MetaInputKey)?;
    (name.len() <= limits.idempotency_key_bytes).then(|| name.into_owned())
}

/// A request of a server as it is shown in `inputRequests`: its name stands there already.
pub(super) fn shown(request: &Envelope) -> Vec<u8> {
    let Message::Request { method, .. } = request.message() else { return Vec::new() };
    let mut shown = Vec::from(b"{\"method\":");
    write::string(&mut shown, method);
    shown.extend_from_slice(b",\"params\":");
    let params = unnamed(request);
    // The era that it is shown to has no such tasks.
    let params = if request.has(Field::Task) { without_wish(params.into_owned()).into() } else { params };
    shown.extend_from_slice(&params);
    shown.push(b'}');
    shown
}

/// The params of a request without its name. A `_meta` that held nothing else is left out.
fn unnamed(request: &Envelope) -> Cow<'_, [u8]> {
    let params = request.raw(Field::Params).unwrap_or(b"{}");
    let meta = request.raw(Field::Meta).filter(|_| request.has(Field::MetaInputKey)).and_then(Members::read);
    let Some(meta) = meta else { return Cow::Borrowed(params) };
    let others = meta.without(|name| name == KEY);
    if others != b"{}" {
        return Cow::Owned(request.spliced(Field::Params, &mut [(Field::Meta, Cow::Owned(others))]));
    }
    let without = Members::read(params).map(|params| params.without(|name| name == "_meta"));
    without.map_or(Cow::Borrowed(params), Cow::Owned)
}
