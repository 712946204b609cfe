//! The `capabilities` object that an endpoint shows: what the hub does not know passes, and what it does is edited.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::Capabilities;
use crate::mcp::{ListKind, Revision, TASKS_EXTENSION};
use crate::rpc::{Members, write};

/// A server's own capabilities, for a client of a revision. Lists can always change: servers come and go.
///
/// Tasks are of one era each and do not cross: the core's (2025-11-25) are for clients of that revision in front of a server
/// with a handshake, the extension (2026-07-28) for clients and servers of the stateless era.
pub(super) fn of_server(own: &str, known: Capabilities, server: Revision, client: Revision) -> String {
    let members = Members::read(own.as_bytes()).map_or_else(Vec::new, |members| members.0);
    let mut face = Face::default();
    for (name, value) in &members {
        let value = value.get();
        match &**name {
            "tools" => face.add_if(known.has(ListKind::Tools), name, &changing(value)),
            "prompts" => face.add_if(known.has(ListKind::Prompts), name, &changing(value)),
            "resources" => face.add_if(known.has(ListKind::Resources), name, &changing(value)),
            "tasks" => {
                let there = client == Revision::V2025_11_25 && !server.is_modern();
                face.add_if(there, name, value.as_bytes());
            }
            "extensions" => {
                let tasks = client.is_modern() && server.is_modern();
                let shown = extensions(own).into_iter().filter(|(name, _)| tasks || name != TASKS_EXTENSION);
                let shown = object(shown);
                face.add_if(shown != b"{}" || value == "{}", name, &shown);
            }
            _ => face.add_if(value != "null", name, value.as_bytes()),
        }
    }
    face.finish()
}

/// Tasks of the core, all of them.
const CORE_TASKS: &str = r#"{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#;

/// What several servers can do, with their extensions. There are no tasks of theirs, whose ids do not say whose they are; the
/// hub's own are shown to a client that is `told_of_tasks`, in the way of its revision.
pub(super) fn of_all(
    union: Capabilities,
    extensions: &BTreeMap<String, String>,
    told_of_tasks: Option<Revision>,
) -> String {
    let mut all = union.json();
    let mut add = |name: &str, raw: &str| {
        all.pop();
        let comma = if all.len() > 1 { "," } else { "" };
        all.extend([comma, "\"", name, "\":", raw, "}"]);
    };
    if told_of_tasks == Some(Revision::V2025_11_25) {
        add("tasks", CORE_TASKS);
    }
    let own = told_of_tasks.filter(|client| client.is_modern()).map(|_| (TASKS_EXTENSION, "{}"));
    let others = extensions.iter().map(|(name, raw)| (&**name, &**raw));
    let raw = object(others.chain(own).map(|(name, raw)| (name.to_owned(), raw.to_owned())));
    if raw != b"{}" {
        add("extensions", &String::from_utf8(raw).unwrap_or_default());
    }
    all
}

/// The extensions that a server has, by name, with their settings as raw JSON.
pub(super) fn extensions(own: &str) -> Vec<(String, String)> {
    let members = Members::read(own.as_bytes()).map_or_else(Vec::new, |members| members.0);
    let raw = members.iter().find(|(name, _)| name == "extensions").map(|(_, raw)| raw.get().as_bytes());
    let members = raw.and_then(Members::read).map_or_else(Vec::new, |members| members.0);
    members.into_iter().map(|(name, raw)| (name.into_owned(), raw.get().to_owned())).collect()
}

/// The settings of a list, with the promise to say when it changes.
fn changing(settings: &str) -> Vec<u8> {
    let rest =
        Members::read(settings.as_bytes()).map(|members| members.without(|name| name == "listChanged"));
    let mut out = Vec::from(b"{\"listChanged\":true");
    match rest.as_deref() {
        Some([b'{', rest @ ..]) if rest != b"}" => {
            out.push(b',');
            out.extend_from_slice(rest);
        }
        Some(_) | None => out.push(b'}'),
    }
    out
}

fn object(members: impl Iterator<Item = (String, String)>) -> Vec<u8> {
    let mut face = Face::default();
    for (name, raw) in members {
        face.add_if(true, &name, raw.as_bytes());
    }
    face.finish().into_bytes()
}

/// An object that is being written.
#[derive(Default)]
struct Face(Vec<u8>);

impl Face {
    fn add_if(&mut self, there: bool, name: &str, raw: &[u8]) {
        if there {
            self.0.push(if self.0.is_empty() { b'{' } else { b',' });
            write::string(&mut self.0, name);
            self.0.push(b':');
            self.0.extend_from_slice(raw);
        }
    }

    fn finish(mut self) -> String {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_else(|_| "{}".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Revision::{V2025_06_18, V2025_11_25, V2026_07_28};

    fn shown(own: &str, server: Revision, client: Revision) -> String {
        of_server(own, Capabilities::parse(own), server, client)
    }

    #[test]
    fn what_the_hub_does_not_know_passes_and_lists_can_always_change() {
        let own = r#"{"x":[1e400],"tools":{"y":"\u0061","listChanged":false},"prompts":{},"resources":{"subscribe":true},"logging":{"z":1},"completions":{},"experimental":{"e":{}},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["a"]}},"n":null}"#;
        let expected = r#"{"x":[1e400],"tools":{"listChanged":true,"y":"\u0061"},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"logging":{"z":1},"completions":{},"experimental":{"e":{}},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["a"]}}}"#;
        for server in [V2025_11_25, V2026_07_28] {
            for client in Revision::ALL {
                assert_eq!(shown(own, server, client), expected);
            }
        }
    }

    #[test]
    fn tasks_are_shown_to_the_era_that_they_are_of_and_to_no_other() {
        let core = r#"{"tasks":{"list":{}}}"#;
        let extension = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        for server in [V2025_11_25, V2026_07_28] {
            for client in Revision::ALL {
                let both = (server, client);
                let expected = if both == (V2025_11_25, V2025_11_25) { core } else { "{}" };
                assert_eq!(shown(core, server, client), expected, "{both:?}");
                let expected = if both == (V2026_07_28, V2026_07_28) { extension } else { "{}" };
                assert_eq!(shown(extension, server, client), expected, "{both:?}");
            }
        }
    }

    #[test]
    fn what_is_no_capability_is_not_shown() {
        assert_eq!(shown(r#"{"tools":null,"extensions":7,"tasks":{}}"#, V2025_11_25, V2025_06_18), "{}");
        assert_eq!(
            shown(r#"{"tools":true,"extensions":{}}"#, V2025_11_25, V2025_06_18),
            r#"{"tools":{"listChanged":true},"extensions":{}}"#
        );
    }
}
