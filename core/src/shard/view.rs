//! What people are shown of the servers.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Shard;
use crate::hub::{Counts, ServerView};
use crate::mcp::ListKind;
use crate::record::Sharing;
use crate::snapshot::{Entry, Instance, Offer, Snapshot};
use crate::upstream::{Process, State};

impl Shard {
    /// Three separate facts about every server: how it is configured, what its process does, how it was last
    /// heard of. For operators: what a server wrote before it failed is in it.
    pub fn views(&self, snapshot: &Snapshot) -> Vec<ServerView> {
        snapshot.servers().map(|entry| self.view(snapshot, entry)).collect()
    }

    fn view(&self, snapshot: &Snapshot, entry: &Entry) -> ServerView {
        let running = self.upstreams.of(entry.id).find(|it| it.process.ready_link().is_some());
        let upstream = running.or_else(|| self.upstreams.shared(entry.id));
        let process = upstream.map(|upstream| &upstream.process);
        let (state, health) = match (&entry.config, process) {
            (None, _) => ("built-in", "ok"),
            (Some(_), Some(process)) => (process.state_name(), process.health_name()),
            (Some(_), None) => ("stopped", "unknown"),
        };
        let offer = entry.offer.as_deref();
        let degraded = offer.and_then(lacking).filter(|_| health == "ok");
        let learnt = entry.config.as_ref().and(offer).map(Offer::definitions);
        let heard = process.map(|process| &process.health);
        let failure = heard.and_then(|health| health.failure.as_ref());
        ServerView {
            name: entry.name.clone(),
            configured: if entry.enabled() { "enabled" } else { "disabled" }.to_owned(),
            state: state.to_owned(),
            health: if degraded.is_some() { "degraded" } else { health }.to_owned(),
            cause: process.and_then(Process::cause).or(degraded).map(ToOwned::to_owned),
            next_step: process.and_then(|process| next_step(&entry.name, process)),
            answered_at: heard.and_then(|health| health.answered_at).map(|at| at.0),
            failed_at: failure.map(|(at, _)| at.0),
            last_failure: failure.map(|(_, cause)| cause.clone()),
            last_output: heard.and_then(|health| health.last_output.clone()),
            pid: process.and_then(|process| process.pid),
            revision: learnt.map(|known| known.revision.clone()),
            learnt_at: learnt.map(|known| known.fetched_at.0),
            processes: self.upstreams.of(entry.id).filter(|it| it.process.link().is_some()).count(),
            remote: entry.is_remote(),
            isolation: isolation(entry, &snapshot.instance),
            interactive: offer.is_some_and(|offer| offer.definitions().interactive),
            sharing: entry
                .config
                .as_ref()
                .map_or(Sharing::Shared, |config| config.spec.sharing)
                .name()
                .to_owned(),
            counts: offer.map(Counts::of),
        }
    }
}

/// What is missing of what a server says that it has. Many that have resources have no templates, and not all say so by -32601.
fn lacking(offer: &Offer) -> Option<&str> {
    let said = [ListKind::Tools, ListKind::Prompts, ListKind::Resources];
    let untold = said.into_iter().find_map(|list| offer.untold(list));
    let empty = offer.capabilities.tools && offer.entries(ListKind::Tools).is_empty();
    untold.or_else(|| empty.then_some("it says that it has tools, and lists none"))
}

/// The isolation of a server that runs here, in words.
fn isolation(entry: &Entry, instance: &Instance) -> Option<String> {
    let config = entry.config.as_ref().filter(|_| !entry.is_remote())?;
    let isolation = config.spec.confinement.isolation.unwrap_or(instance.premises.isolation);
    let missing = instance.premises.walls.missing(isolation);
    let name = isolation.name();
    Some(if missing.is_empty() {
        name.to_owned()
    } else {
        format!("{name}, degraded: nothing holds {}", missing.join(", nor "))
    })
}

fn next_step(server: &str, process: &Process) -> Option<String> {
    if process.needs_login() {
        return Some(format!("log in there: mcp-orch login {server}"));
    }
    let crashed = matches!(process.state, State::Crashed { .. });
    crashed.then(|| format!("mend that, then: mcp-orch start {server} (by itself it is tried once an hour)"))
}
