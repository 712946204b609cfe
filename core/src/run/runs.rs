//! All runs of a project. They take turns: each starts one call, then it is the turn of the next key, and of its next run.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use hashbrown::HashMap;

use super::lanes::Lanes;
use super::machine::Room;
use super::{Event, Marks, Run, Start, Status, Unit};
use crate::ids::RunId;
use crate::plan::Bound;
use crate::{KeyId, Limit, Limits, Timestamp};

/// The runs of a project.
#[derive(Debug, Default)]
pub struct Runs {
    /// Those that go on, and whose each is.
    open: HashMap<RunId, (KeyId, Run)>,
    lanes: Lanes,
    deadlines: BTreeSet<(Timestamp, RunId)>,
    /// When each wants to be woken, as in `deadlines`.
    woken: HashMap<RunId, Timestamp>,
    /// Those that have ended and are kept, by their end, and whose each is.
    ended: BTreeMap<(Timestamp, RunId), (KeyId, Run)>,
    ended_at: BTreeMap<RunId, Timestamp>,
    /// Those that have ended since it was asked last.
    just_ended: Vec<RunId>,
    /// Those with which something has happened since it was asked last.
    changed: BTreeSet<RunId>,
    usage: Usage,
    /// Bytes that were read and written for values in this turn.
    worked: usize,
    /// Whether something is left for the next turn.
    behind: bool,
}

/// What all runs take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls under way.
    pub in_flight: usize,
    /// Bytes that are kept.
    pub bytes: usize,
}

impl Runs {
    /// Adds a run of a key.
    pub fn insert(&mut self, id: RunId, key: KeyId, run: Run) {
        self.usage.bytes = self.usage.bytes.saturating_add(run.bytes());
        self.lanes.on_begun(&key, run.bytes());
        self.open.insert(id, (key, run));
        self.changed.insert(id);
        self.follow(id);
    }

    /// Puts a run that goes on in the place of itself as it had ended.
    pub fn reopen(&mut self, id: RunId, key: KeyId, run: Run) {
        if let Some((_, ended)) = self.ended_at.remove(&id).and_then(|at| self.ended.remove(&(at, id))) {
            self.usage.bytes = self.usage.bytes.saturating_sub(ended.bytes());
        }
        self.insert(id, key, run);
    }

    /// Whether a key may begin one more: a key has no more of them than may still be begun by others.
    pub fn admit(&self, key: &KeyId, limits: &Limits) -> bool {
        self.lanes.admit(key, self.open.len(), limits.project_runs)
    }

    /// The same of the bytes that those which have not ended keep: nothing makes room for more.
    pub fn admit_bytes(&self, key: &KeyId, limits: &Limits) -> bool {
        self.lanes.admit_bytes(key, limits.project_run_bytes)
    }

    /// Whether something has happened with a run since it was asked last with which something has.
    pub fn has_changed(&self, id: RunId) -> bool {
        self.changed.contains(&id)
    }

    /// Those with which something has happened since this was asked last, and what has become of their calls.
    pub fn take_changed(&mut self) -> Vec<(RunId, Marks)> {
        let changed = core::mem::take(&mut self.changed);
        let marks = |id: RunId| {
            let ended = self.ended_at.get(&id).map(|at| (*at, id));
            let run = ended
                .and_then(|key| self.ended.get_mut(&key))
                .or_else(|| self.open.get_mut(&id))
                .map(|(_, run)| run)?;
            Some((id, run.take_marks()))
        };
        changed.into_iter().filter_map(marks).collect()
    }

    /// All that is to be remembered of a run is to be told once more.
    pub fn mark_all(&mut self, id: RunId, now: Timestamp) {
        let ended = self.ended_at.get(&id).map(|at| (*at, id));
        let ended = ended.and_then(|key| self.ended.get_mut(&key));
        if let Some((_, run)) = ended.or_else(|| self.open.get_mut(&id)) {
            run.mark_all(now);
            self.changed.insert(id);
        }
    }

    /// Those that have ended since this was asked last.
    pub fn take_ended(&mut self) -> Vec<RunId> {
        core::mem::take(&mut self.just_ended)
    }

    /// Whether the results of any are kept.
    pub fn are_kept(&self) -> bool {
        !self.ended.is_empty()
    }

    /// How many have not ended.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// What they take.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// A run, also one that has ended and is kept.
    pub fn get(&self, id: RunId) -> Option<&Run> {
        let ended = || self.ended_at.get(&id).and_then(|at| self.ended.get(&(*at, id)));
        self.open.get(&id).or_else(ended).map(|(_, run)| run)
    }

    /// Tells a run what has happened. Returns the calls that are to be given up.
    pub fn handle(&mut self, id: RunId, now: Timestamp, limits: &Limits, event: Event) -> Vec<Unit> {
        let given_up = self.change(id, limits, |run| run.handle(now, event));
        self.follow(id);
        given_up.unwrap_or_default()
    }

    /// Says of a run which of its calls under way have reached no server yet, for what is told of it next.
    pub fn note_unsent(&mut self, id: RunId, unsent: Vec<Unit>) {
        if let Some((_, run)) = self.open.get_mut(&id) {
            run.note_unsent(unsent);
        }
    }

    /// Others have had their turn since anything started.
    pub fn begin_turn(&mut self) {
        (self.worked, self.behind) = (0, false);
    }

    /// Whether what may start was left for the next turn.
    pub fn are_behind(&self) -> bool {
        self.behind
    }

    /// The next call that may start: of the run whose turn it is, among those that may begin something. A key has no more calls
    /// under way than others may still begin.
    pub fn next(
        &mut self,
        now: Timestamp,
        limits: &Limits,
        may_begin: impl Fn(RunId) -> bool,
    ) -> Option<(RunId, Start)> {
        loop {
            let place = self.lanes.first(self.usage.in_flight, limits.project_run_calls, &may_begin)?;
            self.behind = self.worked >= limits.run_turn_bytes;
            if self.behind {
                return None;
            }
            let id = self.lanes.take(place)?;
            let start = self.change(id, limits, |run| run.next(now)).flatten();
            self.follow(id);
            if let Some(start) = start {
                return Some((id, start));
            }
        }
    }

    /// When [`Runs::due`] has something to say next.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A run whose time has come: it is to be told so.
    pub fn due(&self, now: Timestamp) -> Option<RunId> {
        self.deadlines.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    /// Forgets what has ended long ago, and when there is too much of it, what ended first of the key that has most.
    pub fn expire(&mut self, now: Timestamp, limits: &Limits) -> Vec<RunId> {
        let mut forgotten = Vec::new();
        loop {
            let next = if self.usage.bytes > limits.project_run_bytes {
                self.first_of_most(|key| self.lanes.bytes_of(key), Run::bytes)
            } else if self.ended.len() > limits.project_runs {
                self.first_of_most(|_| 0, |_| 1)
            } else {
                let first = self.ended.keys().next().copied();
                first.filter(|(at, _)| at.after(limits.run_kept) <= now)
            };
            let Some((at, id)) = next else { return forgotten };
            if let Some((_, run)) = self.ended.remove(&(at, id)) {
                self.usage.bytes = self.usage.bytes.saturating_sub(run.bytes());
            }
            self.ended_at.remove(&id);
            self.changed.remove(&id);
            forgotten.push(id);
        }
    }

    /// What ended first of the key whose runs that are kept come to most, with what it has besides.
    fn first_of_most(
        &self,
        besides: impl Fn(&KeyId) -> usize,
        count: impl Fn(&Run) -> usize,
    ) -> Option<(Timestamp, RunId)> {
        let mut kept: BTreeMap<&KeyId, usize> = BTreeMap::new();
        for (key, run) in self.ended.values() {
            let own = kept.entry(key).or_insert_with(|| besides(key));
            *own = own.saturating_add(count(run));
        }
        let (most, _) = kept.into_iter().max_by_key(|(_, kept)| *kept)?;
        self.ended.iter().find(|(_, (key, _))| key == most).map(|(at, _)| *at)
    }

    /// Changes a run, which may keep what is left to its key, and counts what that changes.
    fn change<T>(&mut self, id: RunId, limits: &Limits, change: impl FnOnce(&mut Run) -> T) -> Option<T> {
        let (key, run) = self.open.get_mut(&id)?;
        let bound = Bound { limit: Limit::ProjectRunBytes, most: limits.project_run_bytes };
        run.room = Room { left: self.lanes.room(key, bound.most), bound };
        let (in_flight, bytes) = (run.in_flight(), run.bytes());
        self.changed.insert(id);
        let changed = change(run);
        self.worked = self.worked.saturating_add(run.worked());
        let Usage { in_flight: all, bytes: kept } = &mut self.usage;
        *all = all.saturating_add(run.in_flight()).saturating_sub(in_flight);
        *kept = kept.saturating_add(run.bytes()).saturating_sub(bytes);
        self.lanes.on_changed(key, in_flight, run.in_flight());
        self.lanes.on_kept(key, bytes, run.bytes());
        Some(changed)
    }

    /// Puts a run where it is found again: among those that may start something, that are to be woken, or that have ended.
    fn follow(&mut self, id: RunId) {
        let Some((key, run)) = self.open.get(&id) else { return };
        let (deadline, ended) = (run.deadline(), run.ended_at());
        if run.can_start() {
            self.lanes.queue(key, id);
        }
        let before = self.woken.get(&id).copied();
        if before != deadline {
            if let Some(before) = before {
                self.deadlines.remove(&(before, id));
                self.woken.remove(&id);
            }
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, id));
                self.woken.insert(id, deadline);
            }
        }
        if let Some(at) = ended
            && let Some((key, run)) = self.open.remove(&id)
        {
            self.lanes.on_ended(&key, run.bytes());
            self.ended.insert((at, id), (key, run));
            self.ended_at.insert(id, at);
            self.just_ended.push(id);
        }
    }

    /// Those that have ended and are kept, and how; the first one first.
    pub fn ended(&self) -> impl Iterator<Item = (RunId, Status)> {
        self.ended.iter().map(|((_, id), (_, run))| (*id, run.status()))
    }
}
