//! All servers of a project behind one endpoint: merged lists, and where each name leads.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::listing::Lists;
use super::names::{marked_name, spellings, wire_name};
use super::{Capabilities, Entry, Instance, Listing};
use crate::ServerId;
use crate::mcp::ListKind;
use crate::record::{Definition, Project};
use crate::rpc::write;

/// The unified endpoint of a project.
#[derive(Debug)]
pub struct Unified {
    lists: Lists,
    tools: BTreeMap<String, Place>,
    prompts: BTreeMap<String, Place>,
    resources: BTreeMap<String, Place>,
    templates: Vec<Place>,
    /// What the servers that were ever seen can do between them.
    pub capabilities: Capabilities,
}

/// A server, and the name of something within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The server.
    pub server: ServerId,
    /// The name that the server itself uses.
    pub name: String,
}

impl Unified {
    /// Merges what the servers offer, in their order, each in its own order.
    pub(super) fn build<'a>(
        project: &Project,
        servers: impl Iterator<Item = &'a Arc<Entry>>,
        instance: &Instance,
    ) -> Self {
        let mut merge = Merge {
            separator: &project.separator,
            max: instance.limits.unified_name_bytes,
            tools: Merged::default(),
            prompts: Merged::default(),
            resources: Merged::default(),
            templates: Vec::new(),
            template_entries: Vec::new(),
            capabilities: Capabilities::default(),
        };
        for entry in servers.filter(|entry| entry.enabled()) {
            merge.add(entry);
        }
        let entries = |kind| match kind {
            ListKind::Prompts => &*merge.prompts.entries,
            ListKind::Resources => &*merge.resources.entries,
            ListKind::Templates => &*merge.template_entries,
            ListKind::Tools => &*merge.tools.entries,
        };
        Self {
            lists: Lists::build(entries, instance),
            tools: merge.tools.places,
            prompts: merge.prompts.places,
            resources: merge.resources.places,
            templates: merge.templates,
            capabilities: merge.capabilities,
        }
    }

    /// A list, ready to be sent.
    pub fn listing(&self, kind: ListKind) -> &Listing {
        self.lists.of(kind)
    }

    /// Where a tool is, by any of its spellings.
    pub fn tool(&self, name: &str) -> Option<&Place> {
        self.tools.get(name)
    }

    /// Where a prompt is, by any of its spellings.
    pub fn prompt(&self, name: &str) -> Option<&Place> {
        self.prompts.get(name)
    }

    /// Where a resource is: listed under this URI, or matched by a template.
    pub fn resource(&self, uri: &str) -> Option<Place> {
        self.resources.get(uri).cloned().or_else(|| {
            let place = self.templates.iter().find(|place| template_matches(&place.name, uri))?;
            Some(Place { server: place.server, name: uri.to_owned() })
        })
    }

    /// The server that lists this very URI template.
    pub fn template(&self, template: &str) -> Option<&Place> {
        self.templates.iter().find(|place| place.name == template)
    }
}

/// Entries on the wire, and where every spelling leads.
#[derive(Default)]
struct Merged {
    entries: Vec<Definition>,
    places: BTreeMap<String, Place>,
    wire: BTreeSet<String>,
}

struct Merge<'a> {
    separator: &'a str,
    max: usize,
    tools: Merged,
    prompts: Merged,
    resources: Merged,
    templates: Vec<Place>,
    template_entries: Vec<Definition>,
    capabilities: Capabilities,
}

impl Merge<'_> {
    fn add(&mut self, entry: &Entry) {
        let Some(offer) = &entry.offer else { return };
        self.capabilities = self.capabilities.union(offer.capabilities);
        let (separator, max) = (self.separator, self.max);
        for tool in offer.entries(ListKind::Tools) {
            self.tools.add_named(entry, tool, separator, max);
        }
        for prompt in offer.entries(ListKind::Prompts) {
            self.prompts.add_named(entry, prompt, separator, max);
        }
        for resource in offer.entries(ListKind::Resources) {
            self.resources.add_uri(entry, resource);
        }
        for template in offer.entries(ListKind::Templates) {
            self.templates.push(Place { server: entry.id, name: template.name.clone() });
            self.template_entries.push(template.clone());
        }
    }
}

impl Merged {
    fn add_named(&mut self, entry: &Entry, definition: &Definition, separator: &str, max: usize) {
        let place = Place { server: entry.id, name: definition.name.clone() };
        let mut wire = wire_name(&entry.name, separator, &definition.name, max);
        if self.wire.contains(&wire) {
            wire = marked_name(&entry.name, separator, &definition.name, max);
        }
        if !self.wire.insert(wire.clone()) {
            return;
        }
        let Some(json) = renamed(&definition.json, "name", &wire) else { return };
        self.entries.push(Definition { name: wire.clone(), json });
        // A wire name always leads to its own tool, whatever other spellings collide with it.
        self.places.insert(wire, place.clone());
        for spelling in spellings(&entry.name, separator, &definition.name) {
            if !self.wire.contains(&spelling) {
                self.places.entry(spelling).or_insert_with(|| place.clone());
            }
        }
    }

    /// Resources keep their URIs, which results refer to; the same URI of a second server gets a name of its own.
    fn add_uri(&mut self, entry: &Entry, definition: &Definition) {
        let place = Place { server: entry.id, name: definition.name.clone() };
        if !self.places.contains_key(&definition.name) {
            self.places.insert(definition.name.clone(), place);
            self.entries.push(definition.clone());
            return;
        }
        let wrapped = format!("mcp-orch://{}/{}", entry.name, definition.name);
        if let Some(json) = renamed(&definition.json, "uri", &wrapped)
            && !self.places.contains_key(&wrapped)
        {
            self.entries.push(Definition { name: wrapped.clone(), json });
            self.places.insert(wrapped, place);
        }
    }
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
}

/// A definition's JSON with another `name` or `uri`, everything else as it was.
fn renamed(json: &str, member: &str, to: &str) -> Option<String> {
    let named: Named<'_> = serde_json::from_str(json).ok()?;
    let value = if member == "uri" { named.uri } else { named.name }?.get();
    // The raw value borrows from `json`, so its place is the distance of the two.
    let start = (value.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    let (before, after) = (json.get(..start)?, json.get(start.checked_add(value.len())?..)?);
    let mut out = Vec::with_capacity(json.len().saturating_add(to.len()));
    out.extend_from_slice(before.as_bytes());
    write::string(&mut out, to);
    out.extend_from_slice(after.as_bytes());
    String::from_utf8(out).ok()
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
    fn renaming_changes_the_name_alone() {
        let json = r#"{"title":"name","name":"echo" ,"inputSchema":{"properties":{"name":{}}},"x":1e400}"#;
        let expected =
            r#"{"title":"name","name":"s__echo" ,"inputSchema":{"properties":{"name":{}}},"x":1e400}"#;
        assert_eq!(renamed(json, "name", "s__echo").as_deref(), Some(expected));
    }

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
