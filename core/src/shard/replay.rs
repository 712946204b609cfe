//! What one stream has said, for a client that comes back: numbered from one, and bounded in events, bytes and age.
//!
//! Pure. A reader is given everything after its cursor, in order, or is told which bound has made that impossible:
//! there are no gaps.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::{Limit, Limits, Timestamp};

/// The later events of a stream.
#[derive(Debug, Default)]
pub(super) struct Replay {
    kept: VecDeque<Kept>,
    bytes: usize,
    /// The number of the event that was said last.
    last: u64,
    /// The number of the event that was evicted last, and the bound that it gave way to.
    lost: Option<(u64, Limit)>,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    at: Timestamp,
    data: Bytes,
}

/// Why a reader cannot go on from its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// What followed was evicted.
    Lost(Limit),
    /// The stream has never come this far.
    Unsaid,
}

impl Replay {
    /// What an earlier life of the hub has said, by number, the oldest first. Nothing is what was all evicted: then
    /// nobody knows how much it was.
    pub(super) fn restored(said: Vec<(u64, Bytes)>, now: Timestamp) -> Self {
        let last = said.last().map_or(u64::MAX, |(number, _)| *number);
        let bytes = said.iter().map(|(_, data)| data.len()).sum();
        let first = said.first().map_or(u64::MAX, |(number, _)| *number);
        let evicted = Some(first.saturating_sub(1)).filter(|before| *before > 0);
        let kept = said.into_iter().map(|(number, data)| Kept { number, at: now, data }).collect();
        Self { kept, bytes, last, lost: evicted.map(|number| (number, Limit::ReplayEvents)) }
    }

    /// Nobody knows how much of a stream was read, and all that follows is this.
    pub(super) fn last_words(words: Vec<Bytes>, now: Timestamp) -> Self {
        let numbers = (0..=u64::MAX).rev().take(words.len());
        let mut said: Vec<(u64, Bytes)> = numbers.zip(words.into_iter().rev()).collect();
        said.reverse();
        Self { lost: None, ..Self::restored(said, now) }
    }

    /// Whether nothing was ever said.
    pub(super) fn is_unsaid(&self) -> bool {
        self.last == 0
    }

    /// All that is kept, by number.
    pub(super) fn kept(&self) -> impl Iterator<Item = (u64, &Bytes)> {
        self.kept.iter().map(|kept| (kept.number, &kept.data))
    }

    /// Keeps an event. Returns its number.
    pub(super) fn push(&mut self, data: Bytes, now: Timestamp, limits: &Limits) -> u64 {
        self.last = self.last.saturating_add(1);
        self.bytes = self.bytes.saturating_add(data.len());
        self.kept.push_back(Kept { number: self.last, at: now, data });
        while self.kept.len() > limits.replay_events {
            self.evict(Limit::ReplayEvents);
        }
        while self.bytes > limits.replay_bytes {
            self.evict(Limit::ReplayBytes);
        }
        self.last
    }

    /// Lets go of what is older than its time.
    pub(super) fn expire(&mut self, now: Timestamp, limits: &Limits) {
        while self.kept.front().is_some_and(|oldest| now.since(oldest.at) >= limits.replay_age) {
            self.evict(Limit::ReplayAge);
        }
    }

    /// Lets go of the oldest event. Whether there was one.
    pub(super) fn evict(&mut self, limit: Limit) -> bool {
        let Some(oldest) = self.kept.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(oldest.data.len());
        self.lost = Some((oldest.number, limit));
        true
    }

    /// Everything after `cursor`, oldest first, with its numbers. Zero is before the first event.
    pub(super) fn after(&self, cursor: u64) -> Result<impl Iterator<Item = (u64, &Bytes)>, Gap> {
        if cursor > self.last {
            return Err(Gap::Unsaid);
        }
        if let Some((lost, limit)) = self.lost
            && cursor < lost
        {
            return Err(Gap::Lost(limit));
        }
        let later = self.kept.iter().filter(move |kept| kept.number > cursor);
        Ok(later.map(|kept| (kept.number, &kept.data)))
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::time::Duration;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp(1_000);

    fn limits() -> Limits {
        Limits {
            replay_events: 4,
            replay_bytes: 20,
            replay_age: Duration::from_secs(10),
            ..Limits::default()
        }
    }

    /// The texts after a cursor.
    fn after(replay: &Replay, cursor: u64) -> Result<Vec<String>, Gap> {
        let later = replay.after(cursor)?;
        let text = |data: &Bytes| String::from_utf8(data.to_vec()).unwrap();
        Ok(later.map(|(number, data)| format!("{number}{}", text(data))).collect())
    }

    fn said(texts: &[&'static str]) -> Replay {
        let mut replay = Replay::default();
        for text in texts {
            replay.push(Bytes::from_static(text.as_bytes()), START, &limits());
        }
        replay
    }

    #[test]
    fn a_reader_gets_what_came_after_its_cursor() {
        let replay = said(&["a", "b", "c"]);
        assert_eq!(after(&replay, 0), Ok(["1a", "2b", "3c"].map(str::to_owned).to_vec()));
        assert_eq!(after(&replay, 2), Ok(["3c"].map(str::to_owned).to_vec()));
        assert_eq!(after(&replay, 3), Ok(Vec::new()));
        assert_eq!(after(&replay, 4), Err(Gap::Unsaid));
    }

    #[test]
    fn what_gave_way_to_a_bound_is_missed_by_those_alone_that_have_not_seen_it() {
        let many = said(&["a", "b", "c", "d", "e"]);
        assert_eq!(after(&many, 0), Err(Gap::Lost(Limit::ReplayEvents)));
        assert_eq!(after(&many, 1).unwrap().len(), 4);
        let large = said(&["0123456789", "0123456789", "x"]);
        assert_eq!(after(&large, 0), Err(Gap::Lost(Limit::ReplayBytes)));
        assert_eq!(after(&large, 1).unwrap().len(), 2);
        let mut old = said(&["a", "b"]);
        old.expire(START.after(Duration::from_secs(9)), &limits());
        assert_eq!(after(&old, 0).unwrap().len(), 2);
        old.expire(START.after(Duration::from_secs(10)), &limits());
        assert_eq!(after(&old, 1), Err(Gap::Lost(Limit::ReplayAge)));
        assert_eq!(after(&old, 2), Ok(Vec::new()));
    }

    #[test]
    fn what_was_evicted_before_a_restart_is_missed_after_it() {
        let restored = |replay: &Replay| {
            Replay::restored(replay.kept().map(|(number, data)| (number, data.clone())).collect(), START)
        };
        let part = restored(&said(&["a", "b", "c", "d", "e"]));
        assert_eq!(after(&part, 0), Err(Gap::Lost(Limit::ReplayEvents)));
        assert_eq!(after(&part, 1).unwrap().len(), 4);
        let all = restored(&said(&["012345678901234567890"]));
        assert_eq!(after(&all, 0), Err(Gap::Lost(Limit::ReplayEvents)));
    }

    #[test]
    fn an_event_over_the_bound_is_numbered_and_not_kept() {
        let replay = said(&["a", "012345678901234567890", "b"]);
        assert_eq!(after(&replay, 1), Err(Gap::Lost(Limit::ReplayBytes)));
        assert_eq!(after(&replay, 2), Ok(["3b"].map(str::to_owned).to_vec()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is said and forgotten, a reader at any cursor gets all that was said since, or an error.
        #[test]
        fn there_are_no_gaps(moves in vec((0_usize..8, 0_u64..4), 0..60), cursor in 0_u64..60) {
            let (mut replay, mut model, mut now) = (Replay::default(), Vec::new(), START);
            for (size, seconds) in moves {
                now = now.after(Duration::from_secs(seconds));
                replay.expire(now, &limits());
                let data = Bytes::from(format!("{}", model.len()).repeat(size));
                prop_assert_eq!(replay.push(data.clone(), now, &limits()), model.len() as u64 + 1);
                model.push(data);
                prop_assert!(replay.bytes() <= limits().replay_bytes);
                prop_assert!(replay.kept.len() <= limits().replay_events);
            }
            match replay.after(cursor) {
                Ok(later) => {
                    let later: Vec<Bytes> = later.map(|(_, data)| data.clone()).collect();
                    let all: Vec<Bytes> = model.into_iter().skip(usize::try_from(cursor).unwrap()).collect();
                    prop_assert_eq!(later, all);
                }
                Err(Gap::Unsaid) => prop_assert!(cursor > model.len() as u64),
                Err(Gap::Lost(_)) => prop_assert!(cursor < model.len() as u64),
            }
        }
    }
}
