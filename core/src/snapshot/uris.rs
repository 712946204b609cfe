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
        let named = ["resourceUri", "outputTemplate"].into_iter().any(|member| tool.json.contains(member));
        if !named || !self.servers.contains_key(&entry.name) {
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

/// Whether a URI may come from a template (RFC 6570, taken loosely): its literal parts stand in the URI in order, the first at
/// the start and the last at the end. An expression stands for at least one character; one that begins with a mark of its own
/// (`{?x,y}`) for that and whatever follows, or for nothing, as it does where its variables are left out.
fn template_matches(template: &str, uri: &str) -> bool {
    let mut parts = template.split('{');
    let mut reached = Reached { uri, ends: Vec::from([0]), from: None };
    reached.literal(parts.next().unwrap_or_default());
    for part in parts {
        let Some((expression, literal)) = part.split_once('}') else { return false };
        reached.expression(expression);
        reached.literal(literal);
    }
    reached.ends.contains(&uri.len()) || reached.from.is_some_and(|from| from <= uri.len())
}

/// Where in a URI a part of a template may end: at these places, and anywhere from one on.
struct Reached<'a> {
    uri: &'a str,
    ends: Vec<usize>,
    from: Option<usize>,
}

impl Reached<'_> {
    /// How many places are looked at. More of them are of no template that people write.
    const PLACES: usize = 64;

    fn literal(&mut self, literal: &str) {
        if literal.is_empty() {
            return;
        }
        let after = |at: usize| at.saturating_add(literal.len());
        let rest = |at: usize| self.uri.get(at..).unwrap_or_default();
        let from = self.from.unwrap_or(self.uri.len());
        // The last literal has to stand at the end, however often it stands before.
        let last = rest(from).ends_with(literal).then_some(self.uri.len());
        let known = self.ends.iter().copied().filter(|at| rest(*at).starts_with(literal)).map(after);
        let found = rest(from).match_indices(literal).map(|(at, _)| after(from.saturating_add(at)));
        let ends = last.into_iter().chain(known).chain(found).take(Self::PLACES).collect();
        (self.ends, self.from) = (ends, None);
    }

    fn expression(&mut self, expression: &str) {
        let Some(mark) = expression.chars().next().filter(|mark| "?&/;.#".contains(*mark)) else {
            let places = self.ends.iter().copied().chain(self.from);
            self.from = places.filter_map(|at| self.next(at)).min();
            return self.ends.clear();
        };
        let rest = |at: usize| self.uri.get(at..).unwrap_or_default();
        let later = self.from.and_then(|from| Some(from.saturating_add(rest(from).find(mark)?)));
        let marked = self.ends.iter().copied().filter(|at| rest(*at).starts_with(mark)).chain(later).min();
        let opened = marked.map(|at| at.saturating_add(1));
        self.from = self.from.into_iter().chain(opened).min();
    }

    /// The place after the character at a place.
    fn next(&self, at: usize) -> Option<usize> {
        let first = self.uri.get(at..)?.chars().next()?;
        Some(at.saturating_add(first.len_utf8()))
    }
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

    #[test]
    fn what_a_template_leaves_out_with_its_variables_may_be_left_out_of_its_uris() {
        for (template, uris) in [
            ("q://s{?x,y}", &["q://s", "q://s?x=1", "q://s?y=2", "q://s?y=2&x=1"][..]),
            ("q://s?fix=1{&x}", &["q://s?fix=1", "q://s?fix=1&x=2"]),
            ("m://p{/seg*}", &["m://p", "m://p/a/b"]),
            ("m://p{/seg*}{?q}", &["m://p", "m://p/a", "m://p?q=1", "m://p/a?q=1"]),
            ("m://{id}{?q}", &["m://1", "m://1?q=1"]),
            ("s://p{;a,b}", &["s://p", "s://p;b=2", "s://p;a=1;b=2"]),
            ("f://d{#part}", &["f://d", "f://d#top"]),
            ("l://h{.ext}/raw", &["l://h/raw", "l://h.tar.gz/raw"]),
            ("e://{a}.json", &["e://a.json", "e://a.json.json", "e://\u{e9}.json"]),
        ] {
            for uri in uris {
                assert!(template_matches(template, uri), "{template} makes {uri}");
            }
        }
        for (template, uri) in [
            ("q://s{?x,y}", "q://sx=1"),
            ("q://s{?x,y}", "q://"),
            ("m://p{/seg*}", "m://pa"),
            ("m://{id}{?q}", "m://"),
            ("l://h{.ext}/raw", "l://h.gz"),
            ("l://h{.ext}/raw", "l://hgz/raw"),
            ("q://s{?x", "q://s"),
        ] {
            assert!(!template_matches(template, uri), "{template} does not make {uri}");
        }
    }
}
