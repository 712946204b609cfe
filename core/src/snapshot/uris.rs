//! Where a URI leads on the unified endpoint, and how one is written that leads to a certain server.
//!
//! Resources keep their URIs, which results and people refer to. A URI that leads to another server first is written
//! `mcp-orch://SERVER/URI`, which no server can claim for itself; one of an MCP App, which has to begin with `ui://`,
//! `ui://mcp-orch/SERVER/REST`.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::unified::renamed;
use super::{Entry, Place};
use crate::ServerId;
use crate::mcp::{relinked, ui_links};
use crate::record::Definition;

/// What a wrapped URI begins with.
const WRAPPED: &str = "mcp-orch://";

/// What the URIs of MCP Apps begin with: clients show no others.
const APP: &str = "ui://";

/// What a wrapped one of these begins with.
const WRAPPED_APP: &str = "ui://mcp-orch/";

/// The URI under which the unified endpoint has a server's resource that is not found under its own.
pub(crate) fn wrap(server: &str, uri: &str) -> String {
    match uri.strip_prefix(APP) {
        Some(rest) => format!("{WRAPPED_APP}{server}/{rest}"),
        None => format!("{WRAPPED}{server}/{uri}"),
    }
}

fn is_wrapped(uri: &str) -> bool {
    uri.starts_with(WRAPPED) || uri.starts_with(WRAPPED_APP)
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
        if self.listed.contains_key(uri) || is_wrapped(uri) {
            return wrapped(entry, definition, "uri");
        }
        self.listed.insert(uri.clone(), Place { server: entry.id, name: uri.clone() });
        Some(definition.clone())
    }

    /// The entry of the merged list for a server's template.
    pub(super) fn add_template(&mut self, entry: &Entry, definition: &Definition) -> Option<Definition> {
        let template = &definition.name;
        if self.template(template).is_some() || is_wrapped(template) {
            return wrapped(entry, definition, "uriTemplate");
        }
        self.templates.push(Place { server: entry.id, name: template.clone() });
        Some(definition.clone())
    }

    /// A tool's definition, with URIs of what it is shown with that lead to its own server; `None` where it stays as it is.
    /// Servers need not list these resources, so naming one is as good as listing it, once all lists are known.
    pub(super) fn add_tool(&mut self, entry: &Entry, tool: &Definition) -> Option<Definition> {
        if !tool.json.contains("resourceUri") || !self.servers.contains_key(&entry.name) {
            return None;
        }
        let own = tool.json.as_bytes();
        let json = relinked(own, &ui_links(own), |uri| {
            if is_wrapped(uri) {
                return Some(wrap(&entry.name, uri));
            }
            let place = || Place { server: entry.id, name: uri.to_owned() };
            let leads = self.listed.entry(uri.to_owned()).or_insert_with(place);
            (leads.server != entry.id).then(|| wrap(&entry.name, uri))
        });
        Some(Definition { name: tool.name.clone(), json: String::from_utf8(json?).ok()? })
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
        let (rest, scheme) = match uri.strip_prefix(WRAPPED_APP) {
            Some(rest) => (rest, APP),
            None => (uri.strip_prefix(WRAPPED)?, ""),
        };
        let (server, own) = rest.split_once('/')?;
        Some(Place { server: *self.servers.get(server)?, name: [scheme, own].concat() })
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
