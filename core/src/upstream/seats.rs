//! Who has which process of a server: one for the whole project, or some for sessions and keys of their own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Failure, State, Upstream};
use crate::mcp::ListKind;
use crate::snapshot::{Entry, Snapshot};
use crate::{KeyId, ServerId, SessionId, Timestamp, UpstreamFault};

/// Whom a process (or a remote session) serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// Everybody in the project.
    Project,
    /// Whoever uses this key. There may be several, where it must be certain which call a server speaks of.
    Key(KeyId, u16),
    /// One session.
    Session(SessionId),
}

/// A server, and whom its process serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seat {
    pub server: ServerId,
    pub owner: Owner,
}

impl Seat {
    /// The one that everybody shares.
    pub(crate) fn shared(server: ServerId) -> Self {
        Self { server, owner: Owner::Project }
    }
}

/// The servers that are or were wanted, by whom they serve.
///
/// What is asked after every input (who waits to be started, whose time is up next) is noted, so that it costs the same with one
/// server and with hundreds: whoever is handed out to be changed is looked at again, and nobody else.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    table: BTreeMap<Seat, Taken>,
    /// Those that may have changed since they were looked at.
    touched: Vec<Seat>,
    queued: BTreeSet<Seat>,
    starting: usize,
    deadlines: BTreeSet<(Timestamp, Seat)>,
}

#[derive(Debug)]
struct Taken {
    upstream: Upstream,
    noted: Noted,
    /// Whether it is among those that may have changed.
    touched: bool,
}

impl Taken {
    fn touch(&mut self, seat: &Seat, touched: &mut Vec<Seat>) -> &mut Upstream {
        if !core::mem::replace(&mut self.touched, true) {
            touched.push(seat.clone());
        }
        &mut self.upstream
    }
}

/// What was seen of an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Noted {
    queued: bool,
    starting: bool,
    deadline: Option<Timestamp>,
}

impl Noted {
    fn of(upstream: &Upstream) -> Self {
        let process = &upstream.process;
        let queued = process.state == State::Queued;
        Self { queued, starting: process.is_starting(), deadline: upstream.deadline() }
    }
}

impl Seats {
    pub(crate) fn get(&self, seat: &Seat) -> Option<&Upstream> {
        self.table.get(seat).map(|taken| &taken.upstream)
    }

    pub(crate) fn get_mut(&mut self, seat: &Seat) -> Option<&mut Upstream> {
        Some(self.table.get_mut(seat)?.touch(seat, &mut self.touched))
    }

    /// A name that begins with that of a server that is disabled, or has not told this list: not unknown, but out of reach, and
    /// here is why.
    pub(crate) fn unseen(&self, snapshot: &Snapshot, list: ListKind, name: &str) -> Option<UpstreamFault> {
        let mut named = snapshot.servers().filter(|entry| {
            let rest = name.strip_prefix(&entry.name);
            rest.is_some_and(|rest| rest.starts_with(['.', '/', ':', '_']))
        });
        named.find_map(|entry| self.why_unseen(entry, list))
    }

    /// Why nothing is known of one of a server's lists, or nothing new, where that is so.
    pub(crate) fn why_unseen(&self, entry: &Entry, list: ListKind) -> Option<UpstreamFault> {
        if !entry.enabled() {
            return Some(UpstreamFault::Disabled { server: entry.name.clone() });
        }
        let upstream = self.shared(entry.id);
        match entry.offer.as_ref().map(|offer| offer.untold(list)) {
            Some(Some(why)) if upstream.is_none_or(|upstream| upstream.process.failure.is_none()) => {
                Some(Failure::passing(why).fault(&entry.name))
            }
            Some(None) => None,
            Some(Some(_)) | None => upstream.map(Upstream::unavailable),
        }
    }

    /// The process that everybody shares.
    pub(crate) fn shared(&self, server: ServerId) -> Option<&Upstream> {
        self.get(&Seat::shared(server))
    }

    /// All processes of a server.
    pub(crate) fn of(&self, server: ServerId) -> impl Iterator<Item = &Upstream> {
        let all = self.table.range(Seat::shared(server)..);
        all.take_while(move |(seat, _)| seat.server == server).map(|(_, taken)| &taken.upstream)
    }

    /// All processes of a server, to be changed.
    pub(crate) fn of_mut(&mut self, server: ServerId) -> impl Iterator<Item = &mut Upstream> {
        let Self { table, touched, .. } = self;
        let all = table.range_mut(Seat::shared(server)..);
        all.take_while(move |(seat, _)| seat.server == server).map(|(seat, taken)| taken.touch(seat, touched))
    }

    pub(crate) fn contains(&self, seat: &Seat) -> bool {
        self.table.contains_key(seat)
    }

    /// The upstream of a seat, made when it is not there.
    pub(crate) fn get_or_insert(&mut self, seat: Seat, make: impl FnOnce() -> Upstream) -> &mut Upstream {
        let (Self { table, touched, .. }, its) = (self, seat.clone());
        let new = || Taken { upstream: make(), noted: Noted::default(), touched: false };
        table.entry(seat).or_insert_with(new).touch(&its, touched)
    }

    pub(crate) fn remove(&mut self, seat: &Seat) -> Option<Upstream> {
        let Taken { upstream, noted, .. } = self.table.remove(seat)?;
        self.change(seat, noted, Noted::default());
        Some(upstream)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Upstream> {
        self.table.values().map(|taken| &taken.upstream)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Upstream> {
        let Self { table, touched, .. } = self;
        table.iter_mut().map(|(seat, taken)| taken.touch(seat, touched))
    }

    /// Looks again at those that may have changed.
    pub(crate) fn note(&mut self) {
        while let Some(seat) = self.touched.pop() {
            let Some(Taken { upstream, noted, touched }) = self.table.get_mut(&seat) else { continue };
            *touched = false;
            let now = Noted::of(upstream);
            let before = core::mem::replace(noted, now);
            self.change(&seat, before, now);
        }
    }

    fn change(&mut self, seat: &Seat, before: Noted, now: Noted) {
        if before.queued != now.queued {
            if now.queued {
                self.queued.insert(seat.clone())
            } else {
                self.queued.remove(seat)
            };
        }
        if before.deadline != now.deadline {
            if let Some(at) = before.deadline {
                self.deadlines.remove(&(at, seat.clone()));
            }
            self.deadlines.extend(now.deadline.map(|at| (at, seat.clone())));
        }
        let others = self.starting.saturating_sub(before.starting.into());
        self.starting = others.saturating_add(now.starting.into());
    }

    /// Those that wait for their turn to be started, as of the last [`Seats::note`].
    pub(crate) fn queued(&self) -> impl Iterator<Item = &Seat> {
        self.queued.iter()
    }

    /// How many are being started, as of the last [`Seats::note`].
    pub(crate) fn starting(&self) -> usize {
        self.starting
    }

    /// When the first of them needs attention, as of the last [`Seats::note`].
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Whether what was noted is so.
    pub(crate) fn is_sound(&self) -> bool {
        let noted = || self.table.values().map(|taken| taken.noted);
        let count = |which: fn(&Noted) -> bool| noted().filter(which).count();
        self.touched.is_empty()
            && self.table.values().all(|taken| taken.noted == Noted::of(&taken.upstream))
            && count(|noted| noted.starting) == self.starting
            && count(|noted| noted.queued) == self.queued.len()
            && noted().filter_map(|noted| noted.deadline).min() == self.deadline()
    }
}
