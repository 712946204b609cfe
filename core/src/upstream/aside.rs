//! What a server says in its handshake and with its lists beside what these are for: `_meta`, and members that no revision has. Its own
//! endpoint repeats it.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::record::Aside;
use crate::rpc::{Envelope, Field, Members};

/// Members that the hub acts on, or makes itself.
const OWN: [&str; 14] = [
    "_meta",
    "cacheScope",
    "capabilities",
    "instructions",
    "nextCursor",
    "prompts",
    "protocolVersion",
    "resources",
    "resourceTemplates",
    "resultType",
    "serverInfo",
    "supportedVersions",
    "tools",
    "ttlMs",
];

/// The same of `_meta`.
const OWN_META: [&str; 3] = ["io.modelcontextprotocol/serverInfo", "mcp-orch/unavailable", "mcp-orch/via"];

/// What a result holds aside; nothing of what would be longer than `most` bytes.
pub(crate) fn aside(response: &Envelope, most: usize) -> Option<Aside> {
    let result = response.raw(Field::Result).and_then(Members::read)?;
    let meta = response.raw(Field::Meta).and_then(Members::read);
    let aside = Aside {
        members: rest(&result, &OWN, most),
        meta: meta.map(|meta| rest(&meta, &OWN_META, most)).unwrap_or_default(),
    };
    (aside != Aside::default()).then_some(aside)
}

/// The members but some, without the braces around them.
fn rest(members: &Members<'_>, own: &[&str], most: usize) -> String {
    let object = members.with(|name, raw| (!own.contains(&name)).then_some(Cow::Borrowed(raw)));
    let inside = object.get(1..object.len().saturating_sub(1)).unwrap_or_default();
    String::from_utf8(Vec::from(inside)).ok().filter(|text| text.len() <= most).unwrap_or_default()
}
