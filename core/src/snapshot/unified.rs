//! All servers of a project behind one endpoint: merged lists, and where each name leads.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::face;
use super::listing::Lists;
use super::names::{marked_name, spellings, wire_name};
use super::uris::Uris;
use super::{Capabilities, Entry, Instance, Listing};
use crate::hub;
use crate::mcp::{ListKind, Revision, TASKS_EXTENSION};
use crate::record::{Definition, Mode, Project};
use crate::rpc::{Members, write};
use crate::{Limits, ServerId};

/// The unified endpoint of a project.
#[derive(Debug)]
pub struct Unified {
    lists: Lists,
    tools: BTreeMap<String, Place>,
    prompts: BTreeMap<String, Place>,
    uris: Uris,
    has_tasks: bool,
    /// The extensions that one of them has, by name, with the settings of the first as raw JSON.
    extensions: BTreeMap<String, String>,
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
            has_tasks: project.mode == Mode::Batch,
            max: instance.limits.unified_name_bytes,
            tools: Merged::default(),
            prompts: Merged::default(),
            uris: Uris::default(),
            resources: Vec::new(),
            templates: Vec::new(),
            extensions: BTreeMap::new(),
            capabilities: Capabilities::default(),
        };
        merge.tools.add_plan_tools(merge.has_tasks, &instance.limits);
        let servers: Vec<&Arc<Entry>> = servers.filter(|entry| entry.enabled()).collect();
        for entry in &servers {
            merge.add(entry);
        }
        // Where the URIs of tools lead depends on the resources of all.
        for entry in servers {
            merge.add_tools(entry);
        }
        let entries = |kind| match kind {
            ListKind::Prompts => &*merge.prompts.entries,
            ListKind::Resources => &*merge.resources,
            ListKind::Templates => &*merge.templates,
            ListKind::Tools => &*merge.tools.entries,
        };
        Self {
            lists: Lists::build(entries, instance),
            tools: merge.tools.places,
            prompts: merge.prompts.places,
            uris: merge.uris,
            has_tasks: merge.has_tasks,
            extensions: merge.extensions,
            capabilities: merge.capabilities,
        }
    }

    /// A list, ready to be sent.
    pub fn listing(&self, kind: ListKind) -> &Listing {
        self.lists.of(kind)
    }

    /// Where a tool is, by any of its spellings that mean no other.
    pub fn tool(&self, name: &str) -> Option<&Place> {
        self.tools.get(name)
    }

    /// What people and plans call a tool: `server.tool`, or another spelling where that may mean another tool.
    pub fn called(&self, entry: &Entry, tool: &str) -> String {
        let leads = |name: &&String| {
            self.tool(name).is_some_and(|place| place.server == entry.id && place.name == tool)
        };
        let all = spellings(&entry.name, ".", tool);
        all.iter().find(leads).or_else(|| all.first()).cloned().unwrap_or_default()
    }

    /// Where a prompt is, by any of its spellings.
    pub fn prompt(&self, name: &str) -> Option<&Place> {
        self.prompts.get(name)
    }

    /// Where a resource is: listed under this URI, wrapped in it, or matched by a template.
    pub fn resource(&self, uri: &str) -> Option<Place> {
        self.uris.find(uri)
    }

    /// The server that lists this very URI template.
    pub fn template(&self, template: &str) -> Option<&Place> {
        self.uris.template(template)
    }

    /// The `capabilities` that the endpoint shows to a client: raw JSON. While a server behind it is `unseen`, it may be able
    /// to do anything.
    pub fn face(&self, unseen: bool, client: Revision) -> String {
        let union = if unseen { Capabilities::ALL } else { self.capabilities };
        face::of_all(union, &self.extensions, self.has_tasks.then_some(client))
    }

    /// Whether runs of plans are tasks here: where the tools for plans are listed.
    pub fn has_tasks(&self) -> bool {
        self.has_tasks
    }

    /// Whether a server has resources, listed or not.
    pub fn has_resources(&self, server: ServerId) -> bool {
        self.uris.servers().any(|able| able == server)
    }

    /// The only server that has resources, if there is exactly one.
    pub fn only_with_resources(&self) -> Option<ServerId> {
        let mut servers = self.uris.servers();
        servers.next().filter(|_| servers.next().is_none())
    }
}

/// Entries on the wire, and where every spelling leads.
#[derive(Default)]
struct Merged {
    entries: Vec<Definition>,
    places: BTreeMap<String, Place>,
    wire: BTreeSet<String>,
    /// Spellings of several (`a` + `b.c` and `a.b` + `c`), which lead to none.
    ambiguous: BTreeSet<String>,
}

struct Merge<'a> {
    separator: &'a str,
    has_tasks: bool,
    max: usize,
    tools: Merged,
    prompts: Merged,
    uris: Uris,
    resources: Vec<Definition>,
    templates: Vec<Definition>,
    extensions: BTreeMap<String, String>,
    capabilities: Capabilities,
}

impl Merge<'_> {
    fn add(&mut self, entry: &Entry) {
        let Some(offer) = &entry.offer else { return };
        self.capabilities = self.capabilities.union(offer.capabilities);
        let extensions = face::extensions(&offer.definitions().capabilities);
        for (name, settings) in extensions.into_iter().filter(|(name, _)| name != TASKS_EXTENSION) {
            self.extensions.entry(name).or_insert(settings);
        }
        let (separator, max) = (self.separator, self.max);
        for prompt in offer.entries(ListKind::Prompts) {
            self.prompts.add_named(entry, prompt, separator, max);
        }
        if offer.capabilities.resources {
            self.uris.add_server(entry);
        }
        for resource in offer.entries(ListKind::Resources) {
            self.resources.extend(self.uris.add_resource(entry, resource));
        }
        for template in offer.entries(ListKind::Templates) {
            self.templates.extend(self.uris.add_template(entry, template));
        }
    }

    fn add_tools(&mut self, entry: &Entry) {
        let Some(offer) = &entry.offer else { return };
        for tool in offer.entries(ListKind::Tools) {
            let linked = self.uris.add_tool(entry, tool);
            let tool = linked.as_ref().unwrap_or(tool);
            let plain = never_a_task(tool);
            self.tools.add_named(entry, plain.as_ref().unwrap_or(tool), self.separator, self.max);
        }
    }
}

impl Merged {
    /// The tools for plans are of no server. They can always be called; a project's mode says whether they are listed.
    fn add_plan_tools(&mut self, listed: bool, limits: &Limits) {
        for tool in hub::plan_tools(limits) {
            let place = Place { server: hub::ID, name: tool.name.clone() };
            self.wire.insert(tool.name.clone());
            for name in spellings(hub::NAME, "__", &tool.name).into_iter().chain([tool.name.clone()]) {
                self.places.insert(name, place.clone());
            }
            self.entries.extend(listed.then_some(tool));
        }
    }

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
            self.add_spelling(spelling, &place);
        }
    }

    fn add_spelling(&mut self, spelling: String, place: &Place) {
        if self.wire.contains(&spelling) || self.ambiguous.contains(&spelling) {
            return;
        }
        if self.places.get(&spelling).is_some_and(|before| before != place) {
            self.places.remove(&spelling);
            self.ambiguous.insert(spelling);
        } else {
            self.places.insert(spelling, place.clone());
        }
    }
}

/// A tool of a server without what it says of tasks: here its calls cannot be any. `None` where it says nothing of them.
fn never_a_task(tool: &Definition) -> Option<Definition> {
    if !tool.json.contains("\"execution\"") {
        return None;
    }
    let json = Members::read(tool.json.as_bytes())?.without(|name| name == "execution");
    Some(Definition { name: tool.name.clone(), json: String::from_utf8(json).ok()? })
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, rename = "uriTemplate")]
    uri_template: Option<&'a RawValue>,
}

/// A definition's JSON with another `name`, `uri` or `uriTemplate`, everything else as it was.
pub(super) fn renamed(json: &str, member: &str, to: &str) -> Option<String> {
    let named: Named<'_> = serde_json::from_str(json).ok()?;
    let value = match member {
        "uri" => named.uri,
        "uriTemplate" => named.uri_template,
        _ => named.name,
    };
    let value = value?.get();
    // The raw value borrows from `json`, so its place is the distance of the two.
    let start = (value.as_ptr() as usize).checked_sub(json.as_ptr() as usize)?;
    let (before, after) = (json.get(..start)?, json.get(start.checked_add(value.len())?..)?);
    let mut out = Vec::with_capacity(json.len().saturating_add(to.len()));
    out.extend_from_slice(before.as_bytes());
    write::string(&mut out, to);
    out.extend_from_slice(after.as_bytes());
    String::from_utf8(out).ok()
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
}
