//! Whose turn it is, where several want more than can be done at once: in each round everybody goes a few times, one after the
//! other, and then the next round begins. So whoever wants little never waits for all that somebody else wants.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// Who wants what, and who has had a turn in this round. `K` says who, `T` is what is wanted.
#[derive(Debug)]
pub struct Turns<K, T> {
    lanes: BTreeMap<K, Lane<T>>,
    /// How often one goes in a round.
    portion: usize,
}

/// What one of them wants.
#[derive(Debug)]
struct Lane<T> {
    /// How often it went in this round.
    gone: usize,
    /// What waits for a later one, in its order.
    waiting: VecDeque<T>,
}

impl<K: Clone + Ord, T> Turns<K, T> {
    /// Nobody wants anything yet. In each round one goes `portion` times, once at least.
    pub fn new(portion: usize) -> Self {
        Self { lanes: BTreeMap::new(), portion: portion.max(1) }
    }

    /// Returns what `who` wants if its turn is now; else it waits.
    pub fn take(&mut self, who: &K, wanted: T) -> Option<T> {
        let Some(lane) = self.lanes.get_mut(who) else {
            self.lanes.insert(who.clone(), Lane { gone: 1, waiting: VecDeque::new() });
            return Some(wanted);
        };
        if lane.gone < self.portion && lane.waiting.is_empty() {
            lane.gone = lane.gone.saturating_add(1);
            return Some(wanted);
        }
        lane.waiting.push_back(wanted);
        None
    }

    /// Begins the next round. Returns what goes at once, one of each and then the next of each. Whoever waits for nothing is
    /// forgotten.
    pub fn next_round(&mut self) -> Vec<T> {
        self.lanes.retain(|_, lane| !lane.waiting.is_empty());
        self.lanes.values_mut().for_each(|lane| lane.gone = 0);
        let mut now = Vec::new();
        for _ in 0..self.portion {
            for lane in self.lanes.values_mut() {
                if let Some(wanted) = lane.waiting.pop_front() {
                    lane.gone = lane.gone.saturating_add(1);
                    now.push(wanted);
                }
            }
        }
        now
    }

    /// Whether anything waits.
    pub fn wait(&self) -> bool {
        self.lanes.values().any(|lane| !lane.waiting.is_empty())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.lanes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_a_quiet_one_goes_before_the_hundredth_of_a_busy_one() {
        let mut turns = Turns::new(4);
        let mut order: Vec<_> = (1..=100).filter_map(|number| turns.take(&'b', ('b', number))).collect();
        assert_eq!(order.len(), 4, "the others wait");
        order.extend([1, 2].into_iter().filter_map(|number| turns.take(&'q', ('q', number))));
        assert_eq!(order.split_off(4), [('q', 1), ('q', 2)], "it has not gone yet in this round");
        order.extend((3..=6).filter_map(|number| turns.take(&'q', ('q', number))));
        assert_eq!(order.split_off(4), [('q', 3), ('q', 4)]);
        let alternate = [('b', 5), ('q', 5), ('b', 6), ('q', 6), ('b', 7), ('b', 8)];
        assert_eq!(turns.next_round(), alternate, "in their turns");
        while turns.wait() {
            let round = turns.next_round();
            assert!(round.len() <= 4);
            order.extend(round);
        }
        order.splice(4..4, [5, 6, 7, 8].map(|number| ('b', number)));
        assert_eq!(order, (1..=100).map(|number| ('b', number)).collect::<Vec<_>>(), "each in its order");
    }

    #[test]
    fn what_comes_while_others_of_the_same_wait_does_not_go_before_them() {
        let mut turns = Turns::new(1);
        assert_eq!([1, 2, 3].map(|number| turns.take(&(), number)), [Some(1), None, None]);
        assert_eq!(turns.next_round(), [2]);
        assert_eq!(turns.take(&(), 4), None);
        assert_eq!(
            (turns.next_round(), turns.next_round(), turns.wait()),
            (Vec::from([3]), Vec::from([4]), false)
        );
    }

    #[test]
    fn whoever_wants_nothing_any_more_is_forgotten() {
        let mut turns = Turns::new(2);
        for who in 0..100 {
            turns.take(&who, ());
        }
        assert_eq!((turns.next_round().len(), turns.lanes.len()), (0, 0));
    }
}
