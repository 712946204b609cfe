//! Who shares a server's process with whom (see [`Sharing`]).
//!
//! What a server asks of its client on stdio names no call. As long as one process serves everybody, nobody can say for
//! certain whom it means; a session with a process of its own is always meant.

use alloc::vec::Vec;

use super::session::Session;
use super::{Cx, Shard};
use crate::mcp::{Abilities, Extensions};
use crate::record::{Definitions, Sharing};
use crate::snapshot::Entry;
use crate::upstream::{Caller, Owner, Seat, Upstream};
use crate::{Exceeded, Fault, KeyId, Limit, LinkId, ServerId, SessionId, Timestamp};

impl Shard {
    /// Whose process a caller's requests to a server go to.
    pub(super) fn owner(&self, cx: &Cx<'_>, entry: &Entry, caller: &Caller) -> Owner {
        let session = || caller.session.map(Owner::Session);
        let asks = || caller.abilities.any() && self.is_interactive(cx, entry);
        let of_key = |key: &KeyId| {
            let further = || self.free_of_key(cx, entry, key);
            // A session counts on what its process knows of it; a request without one stands alone.
            let further = (caller.session.is_none() && asks()).then(further);
            further
                .filter(|owner| self.may_spread(cx, entry, owner))
                .unwrap_or_else(|| Owner::Key(key.clone(), 0))
        };
        let private = match sharing(entry) {
            Sharing::PerSession => session().or_else(|| caller.key.as_ref().map(of_key)),
            Sharing::PerUser => self.key_of(caller).map(of_key),
            Sharing::Auto if asks() => {
                let own = session().or_else(|| Some(self.free_of_key(cx, entry, caller.key.as_ref()?)));
                // Where there are too many already, who shares is served all the same.
                own.filter(|owner| {
                    let seat = Seat { server: entry.id, owner: owner.clone() };
                    self.has_room(cx, &seat) || self.spare(cx, entry.id).is_some()
                })
            }
            Sharing::Auto | Sharing::Shared => None,
        };
        private.unwrap_or(Owner::Project)
    }

    /// In the era without sessions a server that asks works on one call at a time, so that it is certain of which it
    /// speaks; also while a client has still to come back with its input.
    fn free_of_key(&self, cx: &Cx<'_>, entry: &Entry, key: &KeyId) -> Owner {
        let slots = u16::try_from(cx.limits().private_processes).unwrap_or(u16::MAX);
        let owner = |slot: u16| Owner::Key(key.clone(), slot);
        let is_free = |owner: &Owner| {
            let seat = Seat { server: entry.id, owner: owner.clone() };
            self.upstreams.get(&seat).is_none_or(|upstream| upstream.calls.is_free())
        };
        (0..slots).map(owner).find(is_free).unwrap_or_else(|| owner(0))
    }

    pub(super) fn key_of<'a>(&'a self, caller: &'a Caller) -> Option<&'a KeyId> {
        let session = caller.session.and_then(|session| self.sessions.get(session));
        session.map(|session| &session.key).or(caller.key.as_ref())
    }

    /// Whether a server was seen to ask its clients for something that one session alone can answer. In the stateless era it asks
    /// in its answers.
    fn is_interactive(&self, cx: &Cx<'_>, entry: &Entry) -> bool {
        let known = cx.snapshot.entry(entry.id).and_then(|entry| entry.offer.as_ref());
        let known = known.is_some_and(|offer| offer.definitions().interactive);
        let seen = || self.upstreams.of(entry.id).any(|upstream| upstream.interactive);
        !self.speaks(entry).is_modern() && (known || seen())
    }

    /// The process that everybody shares, made when it is not there.
    pub(super) fn shared(&mut self, cx: &Cx<'_>, entry: &Entry) -> &mut Upstream {
        let make = || Upstream::new(entry, Owner::Project, Abilities::ALL, cx.now);
        self.upstreams.get_or_insert(Seat::shared(entry.id), make)
    }

    /// Where an owner's requests to a server go to. Fails when there are too many processes of it.
    pub(super) fn seat(&mut self, cx: &mut Cx<'_>, entry: &Entry, owner: Owner) -> Result<Seat, Fault> {
        let seat = Seat { server: entry.id, owner };
        if self.upstreams.contains(&seat) {
            return Ok(seat);
        }
        self.make_room_for(cx, &seat);
        if !self.has_room(cx, &seat) {
            let most = cx.limits().private_processes;
            let hint = "end sessions that are not needed, or let the server be shared";
            return Err(Exceeded { limit: Limit::PrivateProcesses, value: most as u64, hint }.into());
        }
        let session = match &seat.owner {
            Owner::Session(session) => self.sessions.get(*session),
            Owner::Project | Owner::Key(..) => None,
        };
        let abilities = session.map_or(Abilities::ALL, |session| session.abilities);
        let extensions = session.map_or_else(Extensions::of_all, |session| session.extensions.clone());
        let owner = seat.owner.clone();
        let upstream =
            self.upstreams.get_or_insert(seat.clone(), || Upstream::new(entry, owner, abilities, cx.now));
        upstream.extensions = extensions;
        Ok(seat)
    }

    /// One that nobody has used for a while makes room: most clients never say that they have gone.
    fn make_room_for(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        if self.has_room(cx, seat) {
            return;
        }
        if let Some(oldest) = self.spare(cx, seat.server) {
            self.vacate(cx, &oldest, "it made room for another");
        }
    }

    /// The process of somebody's own that has been unused longest, if that is long enough.
    fn spare(&self, cx: &Cx<'_>, server: ServerId) -> Option<Seat> {
        let (now, spare) = (cx.now, cx.limits().private_spare);
        let private = self.upstreams.of(server).filter(|upstream| upstream.owner != Owner::Project);
        let unused = private.filter(|upstream| {
            let watched = || self.is_watched(&upstream.seat());
            // Results that nobody has come for, and tasks that nobody listens to, are the least of what would be lost.
            let link = upstream.process.link().filter(|_| !self.is_left(upstream));
            let works = link.is_some_and(|link| self.begun.works(&upstream.seat(), link, now));
            let busy = works || upstream.is_busy() || !upstream.calls.is_free() || watched();
            !busy && now.since(upstream.used_at) >= spare
        });
        unused.min_by_key(|upstream| upstream.used_at).map(Upstream::seat)
    }

    /// Whether a seat is there, or may be made.
    fn has_room(&self, cx: &Cx<'_>, seat: &Seat) -> bool {
        let may =
            || seat.owner == Owner::Project || self.privates(seat.server) < cx.limits().private_processes;
        self.upstreams.contains(seat) || may()
    }

    /// Whether a process is there, or may be made for a key that could do with one: half of them are left to those who
    /// have none.
    fn may_spread(&self, cx: &Cx<'_>, entry: &Entry, owner: &Owner) -> bool {
        let seat = Seat { server: entry.id, owner: owner.clone() };
        self.upstreams.contains(&seat) || self.privates(entry.id) < cx.limits().private_processes / 2
    }

    /// How many processes of a server serve somebody alone.
    fn privates(&self, server: ServerId) -> usize {
        self.upstreams.of(server).filter(|upstream| upstream.owner != Owner::Project).count()
    }

    /// The sessions that a process serves.
    pub(super) fn served(&self, upstream: &Upstream) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| {
            session.revision.is_some()
                && session.sees(&upstream.name)
                && session.is_served_by(&upstream.owner)
        })
    }

    /// The only session that a process serves, if there is exactly one.
    pub(super) fn only_served(&self, upstream: &Upstream) -> Option<&Session> {
        let mut served = self.served(upstream);
        served.next().filter(|_| served.next().is_none())
    }

    /// A server has asked its clients for something, which is remembered.
    pub(super) fn mark_interactive(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_of(link).filter(|upstream| !upstream.interactive) else { return };
        upstream.interactive = true;
        let (id, learns) = (upstream.id, upstream.draft.is_some() && upstream.owner == Owner::Project);
        let offer = cx.snapshot.entry(id).and_then(|entry| entry.offer.as_ref());
        let known = offer.map(|offer| offer.definitions()).filter(|known| !known.interactive);
        // What is being learnt, or published right now, will say it, or the next start will.
        if let Some(known) = known.filter(|_| !learns && !self.publishes(id)) {
            self.publish_as(cx, Definitions { interactive: true, fetched_at: cx.now, ..(**known).clone() });
        }
    }

    /// A session has ended: the processes that served it alone end, but for those with tasks that other sessions of its key may ask
    /// for.
    pub(super) fn vacate_session(&mut self, cx: &mut Cx<'_>, session: SessionId) {
        let now = cx.now;
        self.vacate_all(cx, "the session that it served has ended", |shard, upstream| {
            upstream.owner == Owner::Session(session) && !shard.has_tasks(upstream, now)
        });
    }

    /// Whether a process has tasks that go on, or whose results their clients have still to come for.
    pub(super) fn has_tasks(&self, upstream: &Upstream, now: Timestamp) -> bool {
        upstream.process.link().is_some_and(|link| self.begun.holds(&upstream.seat(), link, now))
    }

    /// Whether the session has ended that a process serves.
    pub(super) fn is_left(&self, upstream: &Upstream) -> bool {
        matches!(upstream.owner, Owner::Session(session) if self.sessions.get(session).is_none())
    }

    /// A key was revoked: the processes that served it alone end.
    pub(super) fn vacate_key(&mut self, cx: &mut Cx<'_>, key: &KeyId) {
        let now = cx.now;
        let is_of_key = |shard: &Self, upstream: &Upstream| match &upstream.owner {
            Owner::Key(own, _) => own == key,
            Owner::Session(_) => shard.is_left(upstream) && !shard.has_tasks(upstream, now),
            Owner::Project => false,
        };
        self.vacate_all(cx, "the key that it served was revoked", is_of_key);
    }

    fn vacate_all(&mut self, cx: &mut Cx<'_>, why: &str, which: impl Fn(&Self, &Upstream) -> bool) {
        let seats: Vec<Seat> =
            self.upstreams.values().filter(|upstream| which(self, upstream)).map(Upstream::seat).collect();
        for seat in seats {
            self.vacate(cx, &seat, why);
        }
    }
}

pub(super) fn sharing(entry: &Entry) -> Sharing {
    entry.config.as_ref().map_or(Sharing::Shared, |config| config.spec.sharing)
}
