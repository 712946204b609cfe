//! The places of a remote server, which is asked so much at the same time and no more. Who comes later waits, and as places
//! become free one of each key goes after the other: whoever asks little never waits for all that somebody else asks.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

use super::{Call, Calls};
use crate::{CallId, KeyId};

/// Calls that wait for a place, by the key of whoever has made them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: BTreeMap<Option<KeyId>, BTreeSet<CallId>>,
    /// Whose call went last.
    last: Option<KeyId>,
}

impl Queue {
    pub(super) fn remove(&mut self, id: CallId) {
        self.lanes.retain(|_, lane| {
            lane.remove(&id);
            !lane.is_empty()
        });
    }

    pub(super) fn clear(&mut self) {
        self.lanes.clear();
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = CallId> {
        self.lanes.values().flatten().copied()
    }

    fn len(&self) -> usize {
        self.lanes.values().map(BTreeSet::len).sum()
    }

    /// Of the key after the one whose call went last, the call that has waited longest.
    fn next(&mut self) -> Option<CallId> {
        let after = (Bound::Excluded(&self.last), Bound::Unbounded);
        let next = self.lanes.range(after).next().or_else(|| self.lanes.first_key_value());
        let (key, lane) = next?;
        let (key, id) = (key.clone(), lane.first().copied()?);
        self.remove(id);
        self.last = key;
        Some(id)
    }
}

impl Call {
    /// Whether its server works on it. While its client is asked for more, in the stateless era, it does not.
    fn takes_place(&self) -> bool {
        let asks = self.round.as_ref().is_some_and(|round| !round.is_answered());
        self.is_under_way() && self.is_of_client() && !asks
    }
}

impl Calls {
    /// Whether fewer than `most` calls of clients are under way.
    pub(crate) fn have_place(&self, most: usize) -> bool {
        // Those that wait are not looked at: there may be thousands.
        let others = self.table.len().saturating_sub(self.queue.len());
        let mut taken = self.table.values().filter(|call| call.takes_place());
        others < most || taken.nth(most.saturating_sub(1)).is_none()
    }

    /// A call that was not sent waits until it has a place.
    pub(crate) fn wait_for_place(&mut self, id: CallId, key: Option<KeyId>) {
        self.queue.lanes.entry(key).or_default().insert(id);
    }

    /// The call that goes next, should there be a place for one more.
    pub(crate) fn next_in_place(&mut self, most: usize) -> Option<CallId> {
        if self.have_place(most) { self.queue.next() } else { None }
    }

    /// Whether any waits for a place.
    pub(crate) fn are_queued(&self) -> bool {
        !self.queue.lanes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn one_of_each_key_goes_after_the_other() {
        let key = |name: &str| Some(KeyId(name.into()));
        let mut queue = Queue::default();
        for (name, ids) in [("a", 1..=4), ("b", 5..=6), ("c", 7..=7)] {
            queue.lanes.insert(key(name), ids.map(CallId).collect());
        }
        queue.remove(CallId(2));
        let order: Vec<u64> = core::iter::from_fn(|| queue.next()).map(|id| id.0).collect();
        assert_eq!(order, [1, 5, 7, 3, 6, 4]);
        queue.lanes.insert(key("a"), [CallId(8)].into());
        queue.lanes.insert(key("b"), [CallId(9)].into());
        assert_eq!(queue.next(), Some(CallId(9)), "a went last");
    }
}
