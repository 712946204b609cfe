//! What one project is at one moment: immutable, shared by all its sessions, replaced whole.
//!
//! Lists are prepared here, once per change, so that answering one copies a buffer and builds nothing.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::key::derive;
use crate::mcp::ListKind;
use crate::planner::PlannerSpec;
use crate::ports::gateway::Target;
use crate::record::{Definitions, Premises, Project, RemoteKind, Server, Transport};
use crate::{Limits, ServerId};

mod diff;
mod directory;
mod face;
mod listing;
mod names;
mod offer;
mod unified;
mod uris;

pub(crate) use diff::differing;
pub use diff::{Changes, diff};
pub use directory::Directory;
pub use listing::{Listing, Page};
pub(crate) use offer::entries;
pub use offer::{Capabilities, Offer, spec_digest};
pub use unified::{Place, Unified};
pub(crate) use uris::wrap;

/// One project at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The project.
    pub project: Project,
    /// What it is called among hubs: nobody learns from it whose it is.
    pub called: String,
    /// Its servers by name, the built-in one among them. The order of every unified list.
    servers: BTreeMap<String, Arc<Entry>>,
    by_id: BTreeMap<ServerId, Arc<Entry>>,
    /// All servers behind one endpoint.
    pub unified: Arc<Unified>,
    /// Whether any tool has arguments that are repeated in headers.
    pub mirrors: bool,
    /// The instance that the project is of.
    pub instance: Arc<Instance>,
    /// Who makes plans of goals, if its owner has said so.
    pub planner: Option<Arc<PlannerSpec>>,
}

/// What all projects of an instance share. It never changes while the instance runs.
#[derive(Debug)]
pub struct Instance {
    /// The bounds.
    pub limits: Limits,
    /// The key that cursors are signed with.
    pub cursor_key: [u8; 32],
    /// Where clients reach the hub: scheme, host and port, no path.
    pub base_url: String,
    /// Where servers are added.
    pub config_file: String,
    /// Where its servers run.
    pub premises: Premises,
}

/// A server of the project.
#[derive(Debug)]
pub struct Entry {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// The endpoint that it alone is behind.
    pub endpoint: Target,
    /// Its configuration; `None` for the built-in server.
    pub config: Option<Server>,
    /// The digest of its specification.
    pub digest: [u8; 32],
    /// What it offers, as far as it was ever seen with this specification.
    pub offer: Option<Arc<Offer>>,
}

impl Entry {
    /// Whether it may be started and listed.
    pub fn enabled(&self) -> bool {
        self.config.as_ref().is_none_or(|server| !server.spec.disabled)
    }

    /// Whether it is reached over HTTP.
    pub fn is_remote(&self) -> bool {
        let transport = self.config.as_ref().map(|server| &server.spec.transport);
        matches!(transport, Some(Transport::Remote { .. }))
    }

    /// Whether it was never asked what it offers, or has not told one of its lists when it was.
    pub(crate) fn owes(&self, list: Option<ListKind>) -> bool {
        self.offer.as_ref().is_none_or(|offer| list.is_some_and(|list| offer.untold(list).is_some()))
    }

    /// Whether nothing is known of it, or of a list that it owes.
    pub(crate) fn is_unseen(&self, list: Option<ListKind>) -> bool {
        let known = |offer: &Arc<Offer>| list.is_some_and(|list| !offer.entries(list).is_empty());
        self.owes(list) && !self.offer.as_ref().is_some_and(known)
    }

    /// Whether each call has a stream of its own: what comes on another is of none.
    pub fn has_streams(&self) -> bool {
        let transport = self.config.as_ref().map(|server| &server.spec.transport);
        matches!(transport, Some(Transport::Remote { kind: RemoteKind::Http, .. }))
    }
}

/// What a snapshot is made of.
#[derive(Debug)]
pub struct Draft {
    /// The project.
    pub project: Project,
    /// Its servers, in any order.
    pub servers: Vec<Server>,
    /// What is known of their offers; those of another specification are left out.
    pub definitions: Vec<Arc<Definitions>>,
    /// The instance.
    pub instance: Arc<Instance>,
    /// Who makes plans of goals, if its owner has said so.
    pub planner: Option<Arc<PlannerSpec>>,
}

impl Snapshot {
    /// Checks a draft and prepares its lists. Offers that `previous` has prepared already are taken from it.
    pub fn build(draft: Draft, previous: Option<&Self>) -> Self {
        let Draft { project, servers, definitions, instance, planner } = draft;
        let mut learnt: BTreeMap<ServerId, Arc<Definitions>> =
            definitions.into_iter().map(|it| (it.server, it)).collect();
        let mut by_name = BTreeMap::new();
        let hub = Arc::new(crate::hub::entry(&instance));
        by_name.insert(hub.name.clone(), hub);
        for server in servers {
            let digest = spec_digest(&server.spec);
            let known = learnt.remove(&server.id).filter(|it| it.spec_digest == digest);
            let offer = known.map(|definitions| {
                previous
                    .and_then(|old| old.entry(server.id)?.offer.clone())
                    .filter(|offer| Arc::ptr_eq(offer.definitions(), &definitions))
                    .unwrap_or_else(|| Arc::new(Offer::build(definitions, &instance)))
            });
            let (id, name) = (server.id, server.name.clone());
            let endpoint = Target::Server(name.as_str().into());
            let entry = Entry { id, name: name.clone(), endpoint, config: Some(server), digest, offer };
            by_name.insert(name, Arc::new(entry));
        }
        Self { planner, ..Self::of(project, by_name, instance, None) }
    }

    fn of(
        project: Project,
        servers: BTreeMap<String, Arc<Entry>>,
        instance: Arc<Instance>,
        unified: Option<Arc<Unified>>,
    ) -> Self {
        let by_id = servers.values().map(|entry| (entry.id, Arc::clone(entry))).collect();
        let unified =
            unified.unwrap_or_else(|| Arc::new(Unified::build(&project, servers.values(), &instance)));
        let mut offers = servers.values().filter_map(|entry| entry.offer.as_ref());
        let mirrors = offers.any(|offer| offer.has_mirrors());
        let called = derive(&instance.cursor_key, project.id.0.as_bytes());
        let called = format!("{:016x}", called.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)));
        Self { project, called, servers, by_id, unified, mirrors, instance, planner: None }
    }

    /// The same project, where some servers offer something else. Whoever does not use the unified endpoint needs no other
    /// one.
    pub(crate) fn offering(&self, offers: &BTreeMap<ServerId, Arc<Offer>>, unified: bool) -> Self {
        let offered = |entry: &Arc<Entry>| match offers.get(&entry.id) {
            Some(offer) => Arc::new(Entry {
                id: entry.id,
                name: entry.name.clone(),
                endpoint: entry.endpoint.clone(),
                config: entry.config.clone(),
                digest: entry.digest,
                offer: Some(Arc::clone(offer)),
            }),
            None => Arc::clone(entry),
        };
        let servers = self.servers.iter().map(|(name, entry)| (name.clone(), offered(entry)));
        let project = self.project.clone();
        let unified = (!unified).then(|| Arc::clone(&self.unified));
        let seen = Self::of(project, servers.collect(), Arc::clone(&self.instance), unified);
        Self { planner: self.planner.clone(), ..seen }
    }

    /// The bounds of the instance.
    pub fn limits(&self) -> &Limits {
        &self.instance.limits
    }

    /// The server with this id.
    pub fn entry(&self, id: ServerId) -> Option<&Arc<Entry>> {
        self.by_id.get(&id)
    }

    /// The server with this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Entry>> {
        self.servers.get(name)
    }

    /// All servers, in the order of every list.
    pub fn servers(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.servers.values()
    }

    /// The enabled servers behind an endpoint.
    pub fn behind(&self, target: &Target) -> impl Iterator<Item = &Arc<Entry>> {
        let only = match target {
            Target::Server(name) => Some(&**name),
            Target::Unified => None,
        };
        self.servers
            .values()
            .filter(move |entry| entry.enabled() && only.is_none_or(|name| name == entry.name))
    }

    /// The endpoint as it is written here: whoever keeps that shares its name with all others.
    pub(crate) fn endpoint(&self, target: &Target) -> Target {
        let known = match target {
            Target::Server(name) => self.named(name).map(|entry| &entry.endpoint),
            Target::Unified => None,
        };
        known.unwrap_or(target).clone()
    }

    /// Whether the endpoint exists.
    pub fn has(&self, target: &Target) -> bool {
        match target {
            Target::Server(name) => self.named(name).is_some_and(|entry| entry.enabled()),
            Target::Unified => true,
        }
    }

    /// A list of an endpoint; `None` while the one server behind it was never seen.
    pub fn listing(&self, target: &Target, kind: ListKind) -> Option<&Listing> {
        match target {
            Target::Server(name) => Some(self.named(name)?.offer.as_ref()?.listing(kind)),
            Target::Unified => Some(self.unified.listing(kind)),
        }
    }
}

#[cfg(test)]
mod properties;
