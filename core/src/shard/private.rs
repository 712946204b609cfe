//! What a process that serves somebody alone offers: its lists are theirs, and nobody else's.
//!
//! A server's lists may depend on what was done in its process (tools that appear after a login). So whoever has a
//! process of their own sees the project as it is, with the lists of that process in it; all others see those of the
//! process that everybody shares.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::seating::sharing;
use super::{Cx, Shard};
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::record::{Definitions, Sharing};
use crate::snapshot::{Changes, Entry, Offer, Snapshot, differing, entries};
use crate::upstream::{Caller, Owner, Seat, Upstream};
use crate::{KeyId, LinkId, ServerId, SessionId};

/// What processes offer that serve somebody alone, and the project as it looks with that in it.
#[derive(Debug, Default)]
pub(super) struct Private {
    offers: BTreeMap<Owner, BTreeMap<ServerId, Arc<Offer>>>,
    /// Prepared when they are asked for, by the endpoint and the processes whose lists are in them.
    snapshots: BTreeMap<(Target, Vec<Seat>), Arc<Snapshot>>,
}

impl Private {
    /// What the process of a seat offers.
    pub(super) fn get(&self, seat: &Seat) -> Option<&Arc<Offer>> {
        self.offers.get(&seat.owner)?.get(&seat.server)
    }

    fn put(&mut self, seat: &Seat, offer: Arc<Offer>) {
        self.snapshots.clear();
        self.offers.entry(seat.owner.clone()).or_default().insert(seat.server, offer);
    }

    fn take(&mut self, seat: &Seat) {
        let Some(offers) = self.offers.get_mut(&seat.owner) else { return };
        offers.remove(&seat.server);
        if offers.is_empty() {
            self.offers.remove(&seat.owner);
        }
        self.snapshots.clear();
    }
}

/// Whether the lists of a process are asked for. Of several that serve one key, they are those of the first.
pub(super) fn has_lists(owner: &Owner) -> bool {
    match owner {
        Owner::Key(_, slot) => *slot == 0,
        Owner::Project | Owner::Session(_) => true,
    }
}

impl Shard {
    /// The project as a caller sees it, where that is not as it is for everybody.
    pub(super) fn seen_by(&mut self, cx: &Cx<'_>, caller: &Caller) -> Option<Arc<Snapshot>> {
        if self.private.offers.is_empty() {
            return None;
        }
        let owners =
            [caller.session.map(Owner::Session), self.key_of(caller).map(|key| Owner::Key(key.clone(), 0))];
        let mut offers = BTreeMap::new();
        for owner in owners.into_iter().flatten() {
            for (server, offer) in self.private.offers.get(&owner).into_iter().flatten() {
                let Some(entry) = cx.snapshot.entry(*server) else { continue };
                let is_shared = entry.offer.as_ref().is_some_and(|shared| Arc::ptr_eq(shared, offer));
                if !is_shared && caller.target.sees(&entry.name) && self.is_of(cx, caller, entry, &owner) {
                    offers.insert(Seat { server: *server, owner: owner.clone() }, Arc::clone(offer));
                }
            }
        }
        if offers.is_empty() {
            return None;
        }
        let key = (caller.target.clone(), offers.keys().cloned().collect());
        let make = || {
            let offers = offers.into_iter().map(|(seat, offer)| (seat.server, offer)).collect();
            Arc::new(cx.snapshot.offering(&offers, caller.target == Target::Unified))
        };
        Some(Arc::clone(self.private.snapshots.entry(key).or_insert_with(make)))
    }

    /// Whether a caller's requests go to the processes of this owner.
    fn is_of(&self, cx: &Cx<'_>, caller: &Caller, entry: &Entry, owner: &Owner) -> bool {
        match (self.owner(cx, entry, caller), owner) {
            (Owner::Key(its, _), Owner::Key(own, _)) => its == *own,
            (its, own) => its == *own,
        }
    }

    /// Keeps what a process offers that serves somebody alone, and tells them what is new.
    pub(super) fn keep_offer(&mut self, cx: &mut Cx<'_>, link: LinkId, learnt: Definitions) {
        let Some(seat) = self.upstream_at(link).map(Upstream::seat) else { return };
        let shared = cx.snapshot.entry(seat.server).and_then(|entry| entry.offer.clone());
        let before = self.private.get(&seat).or(shared.as_ref());
        let changed = before.map_or_else(BTreeSet::new, |before| changed(before.definitions(), &learnt));
        // One that says what another says takes no place of its own.
        let same = |offer: &&Arc<Offer>| says_the_same(offer.definitions(), &learnt);
        let known = [shared.as_ref(), before].into_iter().flatten().find(same).cloned();
        let offer = known.unwrap_or_else(|| Arc::new(Offer::build(Arc::new(learnt), &cx.snapshot.instance)));
        self.private.put(&seat, offer);
        self.tell_owner(cx, &seat, changed);
    }

    /// A process that served somebody alone is no more: they see what everybody does.
    pub(super) fn drop_offer(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let shared = cx.snapshot.entry(seat.server).and_then(|entry| entry.offer.as_ref());
        let own = self.private.get(seat).zip(shared);
        let changed = own.map(|(own, shared)| changed(own.definitions(), shared.definitions()));
        self.tell_owner(cx, seat, changed.unwrap_or_default());
        self.private.take(seat);
    }

    /// Whether the lists of a server that a key's session sees, or a key without one, are those of this owner's process.
    pub(super) fn sees_lists_of(
        &self,
        cx: &Cx<'_>,
        owner: &Owner,
        server: &str,
        (key, session): (&KeyId, Option<SessionId>),
    ) -> bool {
        let of_key = || Owner::Key(key.clone(), 0);
        let Some(entry) = cx.snapshot.named(server) else { return *owner == Owner::Project };
        let own = match (sharing(entry), session) {
            (Sharing::Shared, _) => None,
            (Sharing::Auto | Sharing::PerSession, Some(session)) => Some(Owner::Session(session)),
            (Sharing::PerUser, _) | (Sharing::PerSession, None) => Some(of_key()),
            // Each request says anew whether its client can be asked, and may see the one or the other.
            (Sharing::Auto, None) => return *owner == Owner::Project || *owner == of_key(),
        };
        let is_known =
            |own: &Owner| self.private.get(&Seat { server: entry.id, owner: own.clone() }).is_some();
        own.filter(is_known).unwrap_or(Owner::Project) == *owner
    }

    /// The project is another one: what was prepared of it is out of date.
    pub(super) fn renew_offers(&mut self, cx: &Cx<'_>) {
        self.private.snapshots.clear();
        for (server, own) in self.private.offers.values_mut().flatten() {
            let shared = cx.snapshot.entry(*server).and_then(|entry| entry.offer.as_ref());
            let shared = shared.filter(|shared| says_the_same(shared.definitions(), own.definitions()));
            if let Some(shared) = shared {
                *own = Arc::clone(shared);
            }
        }
    }

    fn tell_owner(&mut self, cx: &mut Cx<'_>, seat: &Seat, changed: BTreeSet<ListKind>) {
        let Some(entry) = cx.snapshot.entry(seat.server).filter(|_| !changed.is_empty()) else { return };
        let lists = BTreeMap::from([(entry.name.clone(), changed)]);
        self.tell_changes(cx, &Changes { lists, ended: BTreeSet::new() }, &seat.owner);
    }
}

fn changed(before: &Definitions, after: &Definitions) -> BTreeSet<ListKind> {
    differing(|kind| entries(before, kind), |kind| entries(after, kind))
}

/// Whether clients see no difference.
fn says_the_same(one: &Definitions, other: &Definitions) -> bool {
    let face = |of: &Definitions| (of.capabilities.clone(), of.server_info.clone(), of.instructions.clone());
    changed(one, other).is_empty() && face(one) == face(other)
}
