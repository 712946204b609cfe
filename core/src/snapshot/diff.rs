//! What changed between two snapshots of a project.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;

use super::{Entry, Snapshot};
use crate::ServerId;
use crate::mcp::ListKind;
use crate::record::Definition;

/// The difference that sessions and links have to follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The lists that changed, by server name.
    pub lists: BTreeMap<String, BTreeSet<ListKind>>,
    /// Servers that are gone, disabled, or have another specification: their links end.
    pub ended: BTreeSet<ServerId>,
}

/// The difference from `old` to `new`.
pub fn diff(old: &Snapshot, new: &Snapshot) -> Changes {
    let mut changes = Changes::default();
    for entry in old.servers() {
        let goes_on = |now: &Arc<Entry>| now.enabled() || !entry.enabled();
        if !new.entry(entry.id).is_some_and(|now| goes_on(now) && now.digest == entry.digest) {
            changes.ended.insert(entry.id);
        }
    }
    let names: BTreeSet<&String> = old.servers.keys().chain(new.servers.keys()).collect();
    for name in names {
        let lists =
            differing(|kind| listed(old.servers.get(name), kind), |kind| listed(new.servers.get(name), kind));
        if !lists.is_empty() {
            changes.lists.insert(name.clone(), lists);
        }
    }
    if old.project.mode != new.project.mode {
        // The tools for plans are listed, or are not any more.
        changes.lists.entry(crate::hub::NAME.into()).or_default().insert(ListKind::Tools);
    }
    changes
}

/// The lists that are not the same before and after.
pub(crate) fn differing<'a>(
    old: impl Fn(ListKind) -> &'a [Definition],
    new: impl Fn(ListKind) -> &'a [Definition],
) -> BTreeSet<ListKind> {
    ListKind::ALL.into_iter().filter(|kind| old(*kind) != new(*kind)).collect()
}

fn listed(entry: Option<&Arc<Entry>>, kind: ListKind) -> &[Definition] {
    entry
        .filter(|entry| entry.enabled())
        .and_then(|entry| entry.offer.as_ref())
        .map_or(&[], |offer| offer.entries(kind))
}
