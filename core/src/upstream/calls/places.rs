//! The places of a remote server, which is asked so much at the same time and no more. Nobody takes more of them than are left for
//! others, so one key alone has half of them. Who comes later waits, and as places become free one of each key goes after the
//! other: whoever asks little never waits for all that somebody else asks.

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Bound;

use super::Calls;
use crate::{CallId, KeyId};

/// Whose a call is.
type Whose = Option<KeyId>;

/// Who has a place, and who waits for one.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: BTreeMap<CallId, Whose>,
    waiting: BTreeMap<Whose, BTreeSet<CallId>>,
    /// Whose call went last.
    last: Whose,
}

impl Places {
    pub(super) fn remove(&mut self, id: CallId) {
        self.taken.remove(&id);
        self.waiting.retain(|_, lane| {
            lane.remove(&id);
            !lane.is_empty()
        });
    }

    pub(super) fn clear(&mut self) {
        self.taken.clear();
        self.waiting.clear();
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = CallId> {
        self.waiting.values().flatten().copied()
    }

    /// Whether one more call of a key may have a place, of `most`.
    fn has_room(&self, whose: &Whose, most: usize) -> bool {
        let own = self.taken.values().filter(|it| *it == whose).count();
        own < most.saturating_sub(self.taken.len())
    }

    /// Takes the call that goes next: of the keys that have room, of the one after that whose call went last, the oldest.
    fn next(&mut self, most: usize) -> Option<CallId> {
        let after = (Bound::Excluded(&self.last), Bound::Unbounded);
        let up_to = (Bound::Unbounded, Bound::Included(&self.last));
        let mut lanes = self.waiting.range(after).chain(self.waiting.range(up_to));
        let (whose, lane) = lanes.find(|(whose, _)| self.has_room(whose, most))?;
        let (whose, id) = (whose.clone(), lane.first().copied()?);
        self.remove(id);
        self.taken.insert(id, whose.clone());
        self.last = whose;
        Some(id)
    }
}

impl Calls {
    /// Takes a place for a call, of `most`, or has it wait for one. Returns whether it has one.
    pub(crate) fn take_place(&mut self, id: CallId, whose: Option<KeyId>, most: usize) -> bool {
        self.places.remove(id);
        let has_room = self.places.has_room(&whose, most);
        if has_room {
            self.places.taken.insert(id, whose);
        } else {
            self.places.waiting.entry(whose).or_default().insert(id);
        }
        has_room
    }

    /// The call that goes next, if there is a place for it.
    pub(crate) fn next_in_place(&mut self, most: usize) -> Option<CallId> {
        self.places.next(most)
    }

    /// Whether any waits for a place.
    pub(crate) fn await_places(&self) -> bool {
        !self.places.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn key(name: &str) -> KeyId {
        KeyId(name.into())
    }

    #[test]
    fn one_of_each_key_goes_after_the_other() {
        let mut places = Places::default();
        for (name, ids) in [("a", 1..=4), ("b", 5..=6), ("c", 7..=7)] {
            places.waiting.insert(Some(key(name)), ids.map(CallId).collect());
        }
        places.remove(CallId(2));
        let order: Vec<u64> = core::iter::from_fn(|| places.next(100)).map(|id| id.0).collect();
        assert_eq!(order, [1, 5, 7, 3, 6, 4]);
        places.waiting.insert(Some(key("a")), [CallId(8)].into());
        places.waiting.insert(Some(key("b")), [CallId(9)].into());
        assert_eq!(places.next(100), Some(CallId(9)), "a went last");
    }

    #[test]
    fn nobody_takes_more_than_is_left_for_others() {
        let mut calls = Calls::default();
        let mut take = |name, ids: core::ops::Range<u64>| {
            ids.filter(|id| calls.take_place(CallId(*id), Some(key(name)), 16)).count()
        };
        assert_eq!((take("a", 0..20), take("b", 20..40), take("c", 40..60)), (8, 4, 2));
        assert_eq!(take("quiet", 60..61), 1, "there is always one more");
        calls.places.remove(CallId(60));
        calls.places.remove(CallId(40));
        let next = calls.next_in_place(16);
        assert!(next.is_some_and(|id| id.0 >= 40), "a and b have as much as is left: {next:?}");
    }
}
