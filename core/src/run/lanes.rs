//! What the keys of a project have of what its runs share, and whose turn it is: first the keys take turns, then the runs of
//! each.
//!
//! A key has no more than what is free besides: alone at most half, and of several none much more than another. So whoever
//! comes later finds something free, however long the others' calls take.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{KeyId, RunId};

/// The keys that have runs which have not ended.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    of: BTreeMap<KeyId, Lane>,
    /// Those with runs that have something to start, in the order of their turns; a key is there once at most.
    order: VecDeque<KeyId>,
    /// The runs that wait for a turn.
    queued: BTreeSet<RunId>,
    /// Bytes that the open runs of all keys keep.
    bytes: usize,
}

/// What one key has.
#[derive(Debug, Default)]
struct Lane {
    /// Runs that have not ended.
    open: usize,
    /// Calls under way.
    in_flight: usize,
    /// Bytes that those runs keep.
    bytes: usize,
    /// Its runs that have something to start, in the order of their turns.
    waiting: VecDeque<RunId>,
}

/// Where a run waits: the place of its key, and its own among those of the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(usize, usize);

/// Whether one who has `own` of what all have `taken` may have one more, where there are `most`.
fn may_have_more(own: usize, taken: usize, most: usize) -> bool {
    own < most.saturating_sub(taken)
}

impl Lanes {
    /// Whether a key may begin one more run, where `open` of `most` have not ended.
    pub(super) fn admit(&self, key: &KeyId, open: usize, most: usize) -> bool {
        may_have_more(self.of.get(key).map_or(0, |lane| lane.open), open, most)
    }

    /// The same of the bytes of `most` that all of their results may have.
    pub(super) fn admit_bytes(&self, key: &KeyId, most: usize) -> bool {
        may_have_more(self.bytes_of(key), self.bytes, most)
    }

    /// How many bytes a key's open runs may keep more: none once what it has reaches its share, and all is within the bound.
    pub(super) fn room(&self, key: &KeyId, most: usize) -> usize {
        if self.admit_bytes(key, most) { most.saturating_sub(self.bytes) } else { 0 }
    }

    /// Bytes that the open runs of a key keep.
    pub(super) fn bytes_of(&self, key: &KeyId) -> usize {
        self.of.get(key).map_or(0, |lane| lane.bytes)
    }

    /// A run of a key begins, which keeps results already if it goes on.
    pub(super) fn on_begun(&mut self, key: &KeyId, bytes: usize) {
        let lane = self.of.entry(key.clone()).or_default();
        lane.open = lane.open.saturating_add(1);
        lane.bytes = lane.bytes.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// A run of a key has ended. Nothing is kept of a key without one.
    pub(super) fn on_ended(&mut self, key: &KeyId, bytes: usize) {
        let Some(lane) = self.of.get_mut(key) else { return };
        lane.open = lane.open.saturating_sub(1);
        lane.bytes = lane.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        if lane.open == 0 {
            for id in &lane.waiting {
                self.queued.remove(id);
            }
            self.order.retain(|other| other != key);
            self.of.remove(key);
        }
    }

    /// Instead of `before` calls of a key's run there are `after` under way.
    pub(super) fn on_changed(&mut self, key: &KeyId, before: usize, after: usize) {
        if let Some(lane) = self.of.get_mut(key).filter(|_| before != after) {
            lane.in_flight = lane.in_flight.saturating_add(after).saturating_sub(before);
        }
    }

    /// Instead of `before` bytes a key's run keeps `after`.
    pub(super) fn on_kept(&mut self, key: &KeyId, before: usize, after: usize) {
        if let Some(lane) = self.of.get_mut(key).filter(|_| before != after) {
            lane.bytes = lane.bytes.saturating_add(after).saturating_sub(before);
            self.bytes = self.bytes.saturating_add(after).saturating_sub(before);
        }
    }

    /// A run has something to start, and waits for its turn.
    pub(super) fn queue(&mut self, key: &KeyId, id: RunId) {
        let Some(lane) = self.of.get_mut(key) else { return };
        if self.queued.insert(id) {
            if lane.waiting.is_empty() {
                self.order.push_back(key.clone());
            }
            lane.waiting.push_back(id);
        }
    }

    /// Whose turn it is, where `taken` of `most` calls are under way.
    pub(super) fn first(
        &self,
        taken: usize,
        most: usize,
        may_begin: impl Fn(RunId) -> bool,
    ) -> Option<Place> {
        let place = |(at, key): (usize, &KeyId)| {
            let lane = self.of.get(key).filter(|lane| may_have_more(lane.in_flight, taken, most))?;
            Some(Place(at, lane.waiting.iter().position(|id| may_begin(*id))?))
        };
        self.order.iter().enumerate().find_map(place)
    }

    /// Takes the run whose turn it is. The next turn is another key's.
    pub(super) fn take(&mut self, Place(at, within): Place) -> Option<RunId> {
        let key = self.order.remove(at)?;
        let lane = self.of.get_mut(&key)?;
        let id = lane.waiting.remove(within)?;
        self.queued.remove(&id);
        if !lane.waiting.is_empty() {
            self.order.push_back(key);
        }
        Some(id)
    }
}
