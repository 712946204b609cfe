//! Learning what a server offers: its handshake, then each list, page by page.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::aside::aside;
use super::ill_shaped::IllShaped;
use crate::mcp::shape::{self, Shaped};
use crate::mcp::{ListKind, Revision, mirrors, without_mirrors};
use crate::record::{Definition, Definitions, HANDSHAKE};
use crate::rpc::{Envelope, Field, Members, Sender, without_deep, write};
use crate::snapshot::{Capabilities, entries};
use crate::{Limits, ProjectId, ServerId, Timestamp};

/// What is known so far, and what is still to be asked.
#[derive(Debug)]
pub(crate) struct Draft {
    definitions: Definitions,
    /// What the server offered when it was last asked: stays where it does not answer now.
    before: Option<Arc<Definitions>>,
    /// The lists that are not complete, in the order in which they are asked for.
    pending: Vec<ListKind>,
    /// Those that did not come this time, and why.
    failed: BTreeMap<ListKind, String>,
    /// The hubs that its lists have come through.
    pub via: BTreeSet<String>,
    /// Whether all of them were asked for, and not one after the other.
    at_once: bool,
    /// When somebody has waited long enough for one of them.
    late_at: Timestamp,
    /// Pages of each.
    pages: BTreeMap<ListKind, usize>,
    /// The limits at which something was left out.
    cut_at: BTreeSet<&'static str>,
    /// Whether it is a server of the stateless era that is reached over HTTP: its clients must not use tools whose
    /// `x-mcp-header` breaks the rules (2026-07-28, Streamable HTTP). Over other transports the annotation means nothing to the
    /// server, so there such a tool is as good as any, and shown without it: whoever reaches it through the hub does so over HTTP.
    over_http: bool,
    /// Such tools.
    unusable: Vec<String>,
    /// What was not of the shape that clients want.
    ill_shaped: IllShaped,
    /// The lists that had such entries.
    misshapen: BTreeSet<ListKind>,
}

/// The next request of a survey.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NextPage {
    pub kind: ListKind,
    /// Raw JSON of the params; none for a first page.
    pub params: Option<Vec<u8>>,
}

impl Draft {
    /// Begins with what a server said in its handshake, or of itself where there is none; at most so many bytes of each thing that
    /// nobody knows.
    pub(crate) fn begin(
        response: &Envelope,
        revision: Revision,
        server: ServerId,
        project: ProjectId,
        (name, spec_digest): (&str, [u8; 32]),
        (now, most): (Timestamp, usize),
    ) -> Self {
        let info = if revision.is_modern() { Field::MetaServerInfo } else { Field::ServerInfo };
        let object = |field| response.raw_str(field).filter(|raw| raw.starts_with('{')).unwrap_or("{}");
        let instructions = response.raw_str(Field::Instructions).filter(|raw| raw.starts_with('"'));
        let shaped = shape::capabilities(object(Field::Capabilities));
        let capabilities = shaped.json.into_owned();
        let mut ill_shaped = IllShaped::default();
        ill_shaped.note("capabilities", shaped.left_out);
        let abilities = Capabilities::parse(&capabilities);
        let definitions = Definitions {
            server,
            project,
            spec_digest,
            fetched_at: now,
            revision: revision.date().to_owned(),
            server_info: known_as(object(info), name),
            capabilities,
            instructions: instructions.map(ToOwned::to_owned),
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            interactive: false,
            untold: BTreeMap::new(),
            aside: aside(response, most).map(|aside| (HANDSHAKE.into(), aside)).into_iter().collect(),
        };
        Self { ill_shaped, ..Self::of(definitions, abilities, None) }
    }

    /// Keeps what was known, for lists that the server does not answer this time.
    pub(crate) fn after(mut self, before: Option<&Arc<Definitions>>) -> Self {
        self.definitions.interactive = before.is_some_and(|before| before.interactive);
        Self { before: before.cloned(), ..self }
    }

    /// Of a server that is reached over HTTP, or not.
    pub(crate) fn remote(mut self, remote: bool) -> Self {
        let revision = Revision::parse(&self.definitions.revision);
        self.over_http = remote && revision.is_some_and(Revision::is_modern);
        self
    }

    /// Begins again with a handshake that is known.
    pub(crate) fn again(known: &Arc<Definitions>, now: Timestamp) -> Self {
        let abilities = Capabilities::parse(&known.capabilities);
        let mut definitions = Definitions { fetched_at: now, ..(**known).clone() };
        definitions.aside.retain(|of, _| of == HANDSHAKE);
        definitions.untold.clear();
        for kind in ListKind::ALL {
            list(&mut definitions, kind).clear();
        }
        Self::of(definitions, abilities, Some(Arc::clone(known)))
    }

    /// A draft for which every list that the server has is still to be asked for.
    fn of(definitions: Definitions, abilities: Capabilities, before: Option<Arc<Definitions>>) -> Self {
        let pending = ListKind::ALL.into_iter().filter(|kind| abilities.has(*kind)).collect();
        Self {
            definitions,
            before,
            pending,
            failed: BTreeMap::new(),
            via: BTreeSet::new(),
            at_once: false,
            late_at: Timestamp::NEVER,
            pages: BTreeMap::new(),
            cut_at: BTreeSet::new(),
            over_http: false,
            unusable: Vec::new(),
            ill_shaped: IllShaped::default(),
            misshapen: BTreeSet::new(),
        }
    }

    /// What to ask first; `None` when there is nothing to ask.
    pub(crate) fn first(&self) -> Option<NextPage> {
        self.pending.first().map(|kind| NextPage { kind: *kind, params: None })
    }

    /// Takes one page. `None` when there is nothing more to ask. A list that the server does not have after all ends where it is.
    pub(crate) fn page(&mut self, kind: ListKind, response: &Envelope, limits: &Limits) -> Option<NextPage> {
        let field = match kind {
            ListKind::Prompts => Field::Prompts,
            ListKind::Resources => Field::Resources,
            ListKind::Templates => Field::Templates,
            ListKind::Tools => Field::Tools,
        };
        let listed = response.raw(field).and_then(|raw| serde_json::from_slice::<Vec<&RawValue>>(raw).ok());
        if listed.is_none() && !response.has(Field::Error) {
            let words = format!("what it answered to {} holds no list {}", kind.method(), kind.member());
            return self.fail(kind, words);
        }
        let pages = self.pages.entry(kind).or_default();
        *pages = pages.saturating_add(1);
        let is_within = *pages < limits.list_pages;
        if let Some(aside) = aside(response, limits.definition_bytes) {
            self.definitions.aside.insert(kind.method().to_owned(), aside);
        }
        for raw in listed.unwrap_or_default() {
            self.add(kind, raw.get(), limits);
        }
        let cursor = response.raw_str(Field::NextCursor).filter(|raw| raw.starts_with('"'));
        match cursor {
            Some(cursor) if is_within => {
                let params = [b"{\"cursor\":", cursor.as_bytes(), b"}"].concat();
                Some(NextPage { kind, params: Some(params) })
            }
            Some(_) => {
                self.cut_at.insert("list_pages");
                self.next(kind)
            }
            None if self.misshapen.contains(&kind) && entries(&self.definitions, kind).is_empty() => {
                let words =
                    format!("nothing that it answered to {} has the shape of an entry", kind.method());
                self.fail(kind, words)
            }
            None => self.next(kind),
        }
    }

    /// A page that could not be read for the depth of some of its entries, without these.
    pub(crate) fn without_deep(&mut self, kind: ListKind, page: &[u8], limits: &Limits) -> Option<Envelope> {
        let members = (kind.member(), naming(kind));
        let (page, left_out) = without_deep(page, members, limits.json_depth)?;
        let page = Envelope::parse(page.into(), Sender::Upstream, limits).ok()?;
        for name in left_out {
            self.ill_shaped.leave_out(Some(name), "deeper than json_depth");
        }
        Some(page)
    }

    /// A list cannot be had now: what was known of it stays.
    pub(crate) fn fail(&mut self, kind: ListKind, why: String) -> Option<NextPage> {
        keep(&mut self.definitions, self.before.as_deref(), kind, &why);
        self.failed.insert(kind, why);
        self.next(kind)
    }

    /// The lists that did not come this time, and why.
    pub(crate) fn failed(&self) -> &BTreeMap<ListKind, String> {
        &self.failed
    }

    fn next(&mut self, kind: ListKind) -> Option<NextPage> {
        self.pending.retain(|pending| *pending != kind);
        if self.at_once { None } else { self.first() }
    }

    /// The lists that are not complete.
    pub(crate) fn pending(&self) -> &[ListKind] {
        &self.pending
    }

    /// Whether nothing more is to come.
    pub(crate) fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// From when on others do not wait for a list that has not come.
    pub(crate) fn patient_until(self, late_at: Timestamp) -> Self {
        Self { late_at, ..self }
    }

    /// When it is late.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        Some(self.late_at).filter(|at| *at != Timestamp::NEVER)
    }

    /// A list is late. The first time all others are asked for beside it, and have as long as it had; nothing is left to be asked the
    /// second time.
    pub(crate) fn hurry(&mut self, again_at: Timestamp) -> Option<Vec<NextPage>> {
        if core::mem::replace(&mut self.at_once, true) {
            self.late_at = Timestamp::NEVER;
            return None;
        }
        self.late_at = again_at;
        let others = self.pending.iter().skip(1);
        Some(others.map(|kind| NextPage { kind: *kind, params: None }).collect())
    }

    /// What is known by now, dated.
    pub(crate) fn so_far(&mut self, date: Timestamp) -> Definitions {
        self.definitions.fetched_at = date;
        let mut known = self.definitions.clone();
        for kind in &self.pending {
            list(&mut known, *kind).clear();
            let why = format!("it has not answered {} yet", kind.method());
            keep(&mut known, self.before.as_deref(), *kind, &why);
        }
        known
    }

    /// The limits at which something was left out.
    pub(crate) fn cut_at(&self) -> &BTreeSet<&'static str> {
        &self.cut_at
    }

    /// What the server can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        Capabilities::parse(&self.definitions.capabilities)
    }

    /// Tools that were left out because no client over HTTP may use them.
    pub(crate) fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// What was left out because of its shape.
    pub(crate) fn ill_shaped(&self) -> &IllShaped {
        &self.ill_shaped
    }

    /// What was learnt.
    pub(crate) fn finish(self) -> Definitions {
        self.definitions
    }

    fn add(&mut self, kind: ListKind, json: &str, limits: &Limits) {
        let later = Revision::parse(&self.definitions.revision).is_some_and(Revision::is_modern);
        let json = match shape::entry(kind, json, later) {
            Ok(Shaped { json, left_out }) => {
                self.ill_shaped.note(&named(kind, &json).unwrap_or_default(), left_out);
                json
            }
            Err(member) => {
                self.misshapen.insert(kind);
                return self.ill_shaped.leave_out(named(kind, json), member);
            }
        };
        let Some(name) = named(kind, &json) else { return };
        let breaks_rules = kind == ListKind::Tools && mirrors(&json).is_err();
        let json = if breaks_rules && !self.over_http {
            self.ill_shaped.members.add(format!("x-mcp-header of {name}"));
            without_mirrors(&json).into()
        } else {
            json
        };
        let list = list(&mut self.definitions, kind);
        if breaks_rules && self.over_http {
            self.unusable.push(name);
        } else if list.len() >= limits.definitions {
            self.cut_at.insert("definitions");
        } else if json.len() > limits.definition_bytes {
            self.cut_at.insert("definition_bytes");
        } else if !name.is_empty() && !list.iter().any(|known| known.name == name) {
            list.push(Definition { name, json: json.into_owned() });
        }
    }
}

/// `serverInfo` with the two members that every client expects. A server of the stateless era need not say it.
fn known_as(info: &str, name: &str) -> String {
    #[derive(Deserialize)]
    struct Info {
        name: Option<String>,
        version: Option<String>,
    }
    match serde_json::from_str::<Info>(info) {
        Ok(Info { name: Some(_), version: Some(_) }) => info.to_owned(),
        Ok(Info { name: own, .. }) => {
            let mut out = Vec::from(b"{\"name\":");
            write::string(&mut out, own.as_deref().unwrap_or(name));
            out.extend_from_slice(b",\"version\":\"unknown\"}");
            String::from_utf8(out).unwrap_or_default()
        }
        Err(_) => known_as("{}", name),
    }
}

/// Why a list was not told in full, and what is known of it: what was known before, unless more has come now.
fn keep(definitions: &mut Definitions, before: Option<&Definitions>, kind: ListKind, why: &str) {
    definitions.untold.insert(kind.method().to_owned(), why.to_owned());
    let come = entries(definitions, kind).len();
    let Some(before) = before.filter(|before| entries(before, kind).len() >= come) else { return };
    *list(definitions, kind) = entries(before, kind).to_vec();
    if let Some(aside) = before.aside.get(kind.method()) {
        definitions.aside.insert(kind.method().to_owned(), aside.clone());
    }
}

fn list(definitions: &mut Definitions, kind: ListKind) -> &mut Vec<Definition> {
    match kind {
        ListKind::Prompts => &mut definitions.prompts,
        ListKind::Resources => &mut definitions.resources,
        ListKind::Templates => &mut definitions.templates,
        ListKind::Tools => &mut definitions.tools,
    }
}

/// The member that an entry of a list is called by.
fn naming(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Prompts | ListKind::Tools => "name",
        ListKind::Resources => "uri",
        ListKind::Templates => "uriTemplate",
    }
}

/// What an entry of a list is called by.
fn named(kind: ListKind, json: &str) -> Option<String> {
    let member = naming(kind);
    let members = Members::read(json.as_bytes())?;
    let (_, raw) = members.0.into_iter().find(|(name, _)| name == member)?;
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests;
