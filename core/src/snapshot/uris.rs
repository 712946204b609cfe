//! Where a URI leads on the unified endpoint, and how one is written that leads to a certain server.
//!
//! Resources keep their URIs, which results and people refer to. A URI that leads to another server first is written
//! `mcp-orch://SERVER/URI`, which no server can claim for itself.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::unified::renamed;
use super::{Entry, Place};
use crate::ServerId;
use crate::record::Definition;

/// What a wrapped URI begins with.
const WRAPPED: &str = "mcp-orch://";

/// The URI under which the unified endpoint has a server's resource that is not found under its own.
pub(crate) fn wrap(server: &str, uri: &str) -> String {
    format!("{WRAPPED}{server}/{uri}")
}

/// Resources and templates of all servers, with the servers that have any.
#[derive(Debug, Default)]
pub(super) struct Uris {
    listed: BTreeMap<String, Place>,
    templates: Vec<Place>,
    servers: BTreeMap<String, ServerId>,
}

impl Uris {
    /// A server that has resources, listed or not.
    pub(super) fn add_server(&mut self, entry: &Entry) {
        self.servers.insert(entry.name.clone(), entry.id);
    }

    /// The entry of the merged list for a server's resource.
    pub(super) fn add_resource(&mut self, entry: &Entry, definition: &Definition) -> Option<Definition> {
        let uri = &definition.name;
        if self.listed.contains_key(uri) || uri.starts_with(WRAPPED) {
            return wrapped(entry, definition, "uri");
        }
        self.listed.insert(uri.clone(), Place { server: entry.id, name: uri.clone() });
        Some(definition.clone())
    }

    /// The entry of the merged list for a server's template.
    pub(super) fn add_template(&mut self, entry: &Entry, definition: &Definition) -> Option<Definition> {
        let template = &definition.name;
        if self.template(template).is_some() || template.starts_with(WRAPPED) {
            return wrapped(entry, definition, "uriTemplate");
        }
        self.templates.push(Place { server: entry.id, name: template.clone() });
        Some(definition.clone())
    }

    /// Where a URI leads: listed, wrapped, or made by a template.
    pub(super) fn find(&self, uri: &str) -> Option<Place> {
        let templated = || {
            let place = self.templates.iter().find(|place| template_matches(&place.name, uri))?;
            Some(Place { server: place.server, name: uri.to_owned() })
        };
        self.listed.get(uri).cloned().or_else(|| self.unwrap(uri)).or_else(templated)
    }

    /// The first server that lists this very template.
    pub(super) fn template(&self, template: &str) -> Option<&Place> {
        self.templates.iter().find(|place| place.name == template)
    }

    /// The servers that have resources.
    pub(super) fn servers(&self) -> impl Iterator<Item = ServerId> {
        self.servers.values().copied()
    }

    fn unwrap(&self, uri: &str) -> Option<Place> {
        let (server, own) = uri.strip_prefix(WRAPPED)?.split_once('/')?;
        Some(Place { server: *self.servers.get(server)?, name: own.to_owned() })
    }
}

fn wrapped(entry: &Entry, definition: &Definition, member: &str) -> Option<Definition> {
    let name = wrap(&entry.name, &definition.name);
    let json = renamed(&definition.json, member, &name)?;
    Some(Definition { name, json })
}

/// Whether a URI may come from a template (RFC 6570, taken loosely): its literal parts stand in the URI in order,
/// the first at the start and the last at the end, and every expression stands for at least one character.
fn template_matches(template: &str, uri: &str) -> bool {
    let mut rest = uri;
    let mut parts = template.split('{');
    let Some(head) = parts.next() else { return false };
    let Some(after) = rest.strip_prefix(head) else { return false };
    rest = after;
    let mut open = false;
    for part in parts {
        let Some((_, literal)) = part.split_once('}') else { return false };
        if literal.is_empty() {
            open = true;
            continue;
        }
        let Some(found) = rest.get(1..).and_then(|tail| tail.find(literal)) else { return false };
        rest = rest.get(found.saturating_add(1).saturating_add(literal.len())..).unwrap_or_default();
        open = false;
    }
    if open { !rest.is_empty() } else { rest.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_the_uris_that_they_make() {
        assert!(template_matches("demo://resource/dynamic/text/{id}", "demo://resource/dynamic/text/7"));
        assert!(template_matches("test://template/{id}/data", "test://template/a b/data"));
        assert!(!template_matches("test://template/{id}/data", "test://template//data"));
        assert!(!template_matches("test://template/{id}/data", "test://template/1/data/more"));
        assert!(!template_matches("demo://text/{id}", "demo://text/"));
        assert!(!template_matches("demo://text/{id}", "demo://blob/1"));
    }
}
