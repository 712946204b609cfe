//! Who has which process of a server: one for the whole project, or some for sessions and keys of their own.

use alloc::collections::BTreeMap;

use super::Upstream;
use crate::{KeyId, ServerId, SessionId};

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
#[derive(Debug, Default)]
pub(crate) struct Seats {
    table: BTreeMap<Seat, Upstream>,
}

impl Seats {
    pub(crate) fn get(&self, seat: &Seat) -> Option<&Upstream> {
        self.table.get(seat)
    }

    pub(crate) fn get_mut(&mut self, seat: &Seat) -> Option<&mut Upstream> {
        self.table.get_mut(seat)
    }

    /// The process that everybody shares.
    pub(crate) fn shared(&self, server: ServerId) -> Option<&Upstream> {
        self.table.get(&Seat::shared(server))
    }

    /// All processes of a server.
    pub(crate) fn of(&self, server: ServerId) -> impl Iterator<Item = &Upstream> {
        let all = self.table.range(Seat::shared(server)..);
        all.take_while(move |(seat, _)| seat.server == server).map(|(_, upstream)| upstream)
    }

    /// All processes of a server, to be changed.
    pub(crate) fn of_mut(&mut self, server: ServerId) -> impl Iterator<Item = &mut Upstream> {
        let all = self.table.range_mut(Seat::shared(server)..);
        all.take_while(move |(seat, _)| seat.server == server).map(|(_, upstream)| upstream)
    }

    pub(crate) fn contains(&self, seat: &Seat) -> bool {
        self.table.contains_key(seat)
    }

    /// The upstream of a seat, made when it is not there.
    pub(crate) fn get_or_insert(&mut self, seat: Seat, make: impl FnOnce() -> Upstream) -> &mut Upstream {
        self.table.entry(seat).or_insert_with(make)
    }

    pub(crate) fn remove(&mut self, seat: &Seat) -> Option<Upstream> {
        self.table.remove(seat)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Upstream> {
        self.table.values()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Upstream> {
        self.table.values_mut()
    }
}
