//! What people are shown of the servers.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::Shard;
use crate::hub::{Counts, ServerView};
use crate::snapshot::{Offer, Snapshot};
use crate::upstream::Process;

impl Shard {
    /// Three separate facts about every server: how it is configured, what its process does, how it was last
    /// heard of. For operators: what a server wrote before it failed is in it.
    pub fn views(&self, snapshot: &Snapshot) -> Vec<ServerView> {
        snapshot
            .servers()
            .map(|entry| {
                let running = self.upstreams.of(entry.id).find(|it| it.process.ready_link().is_some());
                let upstream = running.or_else(|| self.upstreams.shared(entry.id));
                let process = upstream.map(|upstream| &upstream.process);
                let (state, health) = match (&entry.config, process) {
                    (None, _) => ("built-in", "ok"),
                    (Some(_), Some(process)) => (process.state_name(), process.health_name()),
                    (Some(_), None) => ("stopped", "unknown"),
                };
                let learnt = entry.config.as_ref().and(entry.offer.as_deref()).map(Offer::definitions);
                ServerView {
                    name: entry.name.clone(),
                    configured: if entry.enabled() { "enabled" } else { "disabled" }.to_owned(),
                    state: state.to_owned(),
                    health: health.to_owned(),
                    cause: process.and_then(Process::cause).map(ToOwned::to_owned),
                    last_output: process.and_then(|process| process.last_output.clone()),
                    pid: process.and_then(|process| process.pid),
                    revision: learnt.map(|known| known.revision.clone()),
                    learnt_at: learnt.map(|known| known.fetched_at.0),
                    processes: self.upstreams.of(entry.id).filter(|it| it.process.link().is_some()).count(),
                    remote: entry.is_remote(),
                    interactive: entry.offer.as_ref().is_some_and(|offer| offer.definitions().interactive),
                    counts: entry.offer.as_deref().map(Counts::of),
                }
            })
            .collect()
    }
}
