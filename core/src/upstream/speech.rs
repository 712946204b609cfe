//! How a request is said to a server: with an id and a progress token of ours, and in the words of the server's era.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::{Caller, Level};
use crate::CallId;
use crate::mcp::{Abilities, Extensions, Method, Revision, is_envelope_key, without_tasks};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, write};

/// Members of a request that are replaced on the way.
pub(crate) type Edits<'a> = Vec<(Field, Cow<'a, [u8]>)>;

/// Members that a request gets beside its own, raw.
pub(crate) type Added<'a> = Vec<(&'a str, Cow<'a, [u8]>)>;

/// The message for a server of `revision`: the client's request, with the edits, and whatever its era needs.
pub(crate) fn say(
    id: CallId,
    revision: Revision,
    caller: &Caller,
    (method, body): (&str, &Envelope),
    mut edits: Edits<'_>,
    mut added: Added<'_>,
) -> Bytes {
    match (caller.revision.is_modern(), revision.is_modern()) {
        (_, false) => edits.extend(legacy_meta(id, body)),
        (true, true) => {
            edits.extend(token(id, body));
            edits.extend(untasked(caller, body));
        }
        (false, true) => {
            let meta = modern_meta(id, caller, body);
            if body.has(Field::Meta) {
                edits.push((Field::Meta, Cow::Owned(meta)));
            } else {
                added.push(("_meta", Cow::Owned(meta)));
            }
        }
    }
    let there = body.has(Field::Params).then(|| body.spliced(Field::Params, &mut edits));
    let there = there.map(|params| meant_for(revision, caller, (method, body), params));
    let params = if added.is_empty() { there } else { Some(with_members(there.as_deref(), &added)) };
    write::one_line(write::request(Some(id.0), method, params.as_deref())).into()
}

/// The params of a request of the hub's own, for a server of `revision`.
pub(crate) fn own_params(revision: Revision, params: Option<&[u8]>) -> Option<Vec<u8>> {
    if !revision.is_modern() {
        return params.map(<[u8]>::to_vec);
    }
    let meta = format!("{{{}}}", envelope(Abilities::default(), &Extensions::of_all(), None));
    Some(with_members(params, &[("_meta", Cow::Borrowed(meta.as_bytes()))]))
}

/// A notification of a client, in the words of a server of `revision`.
pub(crate) fn pass(revision: Revision, method: &str, notice: &Envelope) -> Bytes {
    let meta = match (notice.has(Field::MetaVersion), revision.is_modern()) {
        (true, true) | (false, false) => None,
        (true, false) => {
            notice.raw(Field::Meta).and_then(Members::read).map(|it| it.without(is_envelope_key))
        }
        (false, true) => {
            Some(enveloped(&envelope(Abilities::default(), &Extensions::of_all(), None), notice))
        }
    };
    let own = notice.raw(Field::Params);
    let params = match meta {
        None => own.map(Cow::Borrowed),
        Some(meta) if notice.has(Field::Meta) => {
            Some(Cow::Owned(notice.spliced(Field::Params, &mut Vec::from([(Field::Meta, Cow::Owned(meta))]))))
        }
        Some(meta) => Some(Cow::Owned(with_members(own, &[("_meta", Cow::Owned(meta))]))),
    };
    write::one_line(write::request(None, method, params.as_deref())).into()
}

/// The params of the `initialize` that the hub sends to a server of the 2025 eras.
pub(crate) fn handshake_params(abilities: Abilities, extensions: &Extensions) -> Vec<u8> {
    let revision = Revision::LAST_WITH_HANDSHAKE;
    let capabilities = extensions.added_to(abilities.json(revision));
    let info = client_info();
    format!("{{\"protocolVersion\":\"{revision}\",\"capabilities\":{capabilities},\"clientInfo\":{info}}}")
        .into_bytes()
}

fn client_info() -> &'static str {
    concat!("{\"name\":\"mcp-orch\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}")
}

/// What every request of the stateless era carries (2026-07-28, basic, `_meta`).
fn envelope(abilities: Abilities, extensions: &Extensions, level: Option<Level>) -> String {
    let revision = Revision::V2026_07_28;
    let level = level.map_or_else(String::new, |level| {
        format!(",\"io.modelcontextprotocol/logLevel\":\"{}\"", level.name())
    });
    format!(
        "\"io.modelcontextprotocol/protocolVersion\":\"{revision}\",\
         \"io.modelcontextprotocol/clientCapabilities\":{},\
         \"io.modelcontextprotocol/clientInfo\":{}{level}",
        extensions.added_to(abilities.json(revision)),
        client_info()
    )
}

/// `_meta` of a session's request, with what the session knows of its client.
fn modern_meta(id: CallId, caller: &Caller, body: &Envelope) -> Vec<u8> {
    // Before its client has chosen a level, a server of the 2025 eras chooses one; this one says nothing unasked.
    let level = caller.log_level.unwrap_or(Level::Info);
    let mut own = envelope(caller.abilities, &caller.extensions, Some(level));
    if body.has(Field::MetaProgressToken) {
        own = format!("{own},\"progressToken\":{id}");
    }
    enveloped(&own, body)
}

/// `_meta` of a message, with members of ours in the place of those that mean the same.
fn enveloped(own: &str, body: &Envelope) -> Vec<u8> {
    let theirs = body.raw(Field::Meta).and_then(Members::read);
    let theirs = theirs.map(|members| members.without(|key| is_envelope_key(key) || key == "progressToken"));
    match theirs.as_deref() {
        Some([b'{', rest @ ..]) if rest != b"}" => [b"{", own.as_bytes(), b",", rest].concat(),
        Some(_) | None => format!("{{{own}}}").into_bytes(),
    }
}

/// What changes in `_meta` for a server of the 2025 eras: the progress token is ours, and the envelope of the stateless
/// era ends here.
fn legacy_meta(id: CallId, body: &Envelope) -> Option<(Field, Cow<'static, [u8]>)> {
    if body.has(Field::MetaVersion)
        && let Some(members) = body.raw(Field::Meta).and_then(Members::read)
    {
        let own = body.has(Field::MetaProgressToken);
        let mut kept = members.without(|key| is_envelope_key(key) || key == "progressToken");
        if own {
            kept.pop();
            let comma = if kept.len() > 1 { "," } else { "" };
            kept.extend_from_slice(format!("{comma}\"progressToken\":{id}}}").as_bytes());
        }
        return Some((Field::Meta, Cow::Owned(kept)));
    }
    token(id, body)
}

fn token(id: CallId, body: &Envelope) -> Option<(Field, Cow<'static, [u8]>)> {
    let ours = || Cow::Owned(format!("{id}").into_bytes());
    body.has(Field::MetaProgressToken).then(|| (Field::MetaProgressToken, ours()))
}

/// The client's capabilities without tasks, where their ids would not say whose they are.
fn untasked(caller: &Caller, body: &Envelope) -> Option<(Field, Cow<'static, [u8]>)> {
    let raw = body.raw(Field::MetaCapabilities).filter(|_| caller.target == Target::Unified)?;
    Some((Field::MetaCapabilities, Cow::Owned(without_tasks(raw)?)))
}

/// Whether a wish for a task is none of a server of `revision`: its caller was not shown its tasks, which are those of the core at
/// the endpoint of one server. Between two of the stateless era the member means nothing, and passes.
fn is_no_task(caller: &Caller, revision: Revision) -> bool {
    match (caller.revision.is_modern(), revision.is_modern()) {
        (true, true) => false,
        (false, false) => caller.revision != Revision::V2025_11_25 || caller.target == Target::Unified,
        (true, false) | (false, true) => true,
    }
}

/// Params without what is not for a server: what a client of the stateless era adds to its next try, where one of the two has no
/// multi round-trip requests, so that it is none; and the wish for a task where there can be none: the call is one like any other
/// then (2025-11-25, tasks).
fn meant_for(
    revision: Revision,
    caller: &Caller,
    (method, body): (&str, &Envelope),
    params: Vec<u8>,
) -> Vec<u8> {
    let is_next_try = body.has(Field::InputResponses) || body.has(Field::RequestState);
    let next_try = is_next_try && caller.revision.is_modern() != revision.is_modern();
    let wishes = body.has(Field::Task) && method == Method::ToolsCall.name();
    let task = wishes && is_no_task(caller, revision);
    if !next_try && !task {
        return params;
    }
    let left_out = |name: &str| match name {
        "inputResponses" | "requestState" => next_try,
        name => name == "task" && task,
    };
    Members::read(&params).map(|members| members.without(left_out)).unwrap_or(params)
}

/// An object with some members before its own.
pub(crate) fn with_members(object: Option<&[u8]>, added: &[(&str, Cow<'_, [u8]>)]) -> Vec<u8> {
    let rest = object.and_then(|object| object.strip_prefix(b"{")).unwrap_or(b"}");
    let mut out = Vec::from(b"{");
    for (name, value) in added {
        if out.len() > 1 {
            out.push(b',');
        }
        write::string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    if !rest.trim_ascii_start().starts_with(b"}") && out.len() > 1 {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    out
}
