//! Which processes there are: written when one was started, and removed when nothing is left of it, so that a next life of the
//! hub knows what a killed one has left.

use alloc::vec::Vec;

use super::{Cx, Effect, Shard};
use crate::LinkId;
use crate::ports::store::{Change, Expect};
use crate::ports::upstream::Launched;
use crate::record::{Lease, Record, RecordId};

impl Shard {
    pub(super) fn on_launched(&mut self, cx: &mut Cx<'_>, link: LinkId, launched: Launched) {
        let Some(seat) = self.links.get(&link) else { return };
        let Launched { launch, boot, shim, process } = launched;
        let (project, server, at) = (cx.snapshot.project.id, seat.server, cx.now);
        self.leases.insert(link, launch.clone());
        let lease = Record::Lease(Lease { launch, project, server, boot, shim, process, at });
        let changes = Vec::from([Change::Put(lease, Expect::Anything)]);
        cx.effect(Effect::Persist { token: None, changes });
    }

    /// Nothing is left of a link.
    pub(super) fn end_lease(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(launch) = self.leases.remove(&link) else { return };
        let changes = Vec::from([Change::Remove(RecordId::Lease(cx.snapshot.project.id, launch))]);
        cx.effect(Effect::Persist { token: None, changes });
    }
}
