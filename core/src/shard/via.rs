//! Hubs behind hubs. A list says which hubs its entries have come through, and a hub that finds itself among them takes none of it: two
//! hubs that list each other would else list what they list, for ever, under names that grow.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::{Cx, Shard};
use crate::LinkId;
use crate::plan::Raw;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field};
use crate::snapshot::Snapshot;
use crate::upstream::Failure;

/// The member of `_meta` of a list.
const VIA: &str = "mcp-orch/via";

/// Whoever says more names than this, or longer ones, is believed no further.
const NAMES: usize = 64;
const NAME_BYTES: usize = 64;

/// The hubs that a page of a list has come through.
fn via(page: &Envelope) -> BTreeSet<String> {
    let meta = page.raw(Field::Meta).map(Raw::of);
    let names = meta.and_then(|meta| meta.member(VIA));
    let names = names.and_then(|names| serde_json::from_slice::<BTreeSet<String>>(names.0).ok());
    let all = names.unwrap_or_default().into_iter();
    all.filter(|name| name.len() <= NAME_BYTES).take(NAMES).collect()
}

impl Shard {
    /// Notes which hubs a server's lists have come through. Whether this is one of them: then its link is broken, and what was known of
    /// it stays.
    pub(super) fn leads_back(&mut self, cx: &mut Cx<'_>, link: LinkId, page: &Envelope) -> bool {
        let via = via(page);
        if via.is_empty() {
            return false;
        }
        let leads_back = via.contains(&cx.snapshot.called);
        let upstream = self.upstream_of(link);
        if let Some(draft) = upstream.and_then(|upstream| upstream.draft.as_mut()) {
            draft.via.extend(via);
        }
        if leads_back {
            let words = "its lists hold those of this project: two hubs list each other; take one of them out of the other's servers";
            self.break_link(cx, link, &Failure::lasting(words.into()));
        }
        leads_back
    }

    /// The member of `_meta` that says which hubs a list has come through; none for a list of a server that is no hub.
    pub(super) fn via_mark(&self, snapshot: &Snapshot, target: &Target) -> Option<String> {
        let behind = snapshot.behind(target).filter_map(|entry| self.upstreams.shared(entry.id));
        let mut names: BTreeSet<&str> =
            behind.flat_map(|upstream| &upstream.via).map(String::as_str).collect();
        names.extend((*target == Target::Unified).then_some(&*snapshot.called));
        let names = serde_json::to_string(&names).ok().filter(|_| !names.is_empty())?;
        Some(format!("\"{VIA}\":{names}"))
    }
}
