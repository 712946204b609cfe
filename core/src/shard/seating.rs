//! Who shares a server's process with whom (see [`Sharing`]).
//!
//! What a server asks of its client on stdio names no call. As long as one process serves everybody, nobody can say for
//! certain whom it means; a session with a process of its own is always meant.

use alloc::vec::Vec;

use super::session::Session;
use super::{Cx, Shard};
use crate::mcp::Abilities;
use crate::record::{Definitions, Sharing};
use crate::snapshot::Entry;
use crate::upstream::{Caller, Owner, Seat, Upstream};
use crate::{Exceeded, Fault, KeyId, Limit, LinkId, SessionId};

impl Shard {
    /// Whose process a caller's requests to a server go to.
    pub(super) fn owner(&self, cx: &Cx<'_>, entry: &Entry, caller: &Caller) -> Owner {
        let own = || caller.session.map(Owner::Session).or_else(|| caller.key.clone().map(Owner::Key));
        let private = match sharing(entry) {
            Sharing::PerSession => own(),
            Sharing::PerUser => self.key_of(caller).map(Owner::Key),
            Sharing::Auto if caller.abilities.any() && self.is_interactive(cx, entry) => own(),
            Sharing::Auto | Sharing::Shared => None,
        };
        private.unwrap_or(Owner::Project)
    }

    fn key_of(&self, caller: &Caller) -> Option<KeyId> {
        let session = caller.session.and_then(|session| self.sessions.get(session));
        session.map(|session| session.key.clone()).or_else(|| caller.key.clone())
    }

    /// Whether a server was seen to ask its clients for something. One that is remote says for which call it asks, and
    /// one of the stateless era asks in its answers.
    fn is_interactive(&self, cx: &Cx<'_>, entry: &Entry) -> bool {
        let known = cx.snapshot.entry(entry.id).and_then(|entry| entry.offer.as_ref());
        let known = known.is_some_and(|offer| offer.definitions().interactive);
        let seen = || self.upstreams.of(entry.id).any(|upstream| upstream.interactive);
        !entry.is_remote() && !self.speaks(entry).is_modern() && (known || seen())
    }

    /// The process that everybody shares, made when it is not there.
    pub(super) fn shared(&mut self, cx: &Cx<'_>, entry: &Entry) -> &mut Upstream {
        let make = || Upstream::new(entry, Owner::Project, Abilities::ALL, cx.now);
        self.upstreams.get_or_insert(Seat::shared(entry.id), make)
    }

    /// Where an owner's requests to a server go to. Fails when there are too many processes of it.
    pub(super) fn seat(&mut self, cx: &Cx<'_>, entry: &Entry, owner: Owner) -> Result<Seat, Fault> {
        let seat = Seat { server: entry.id, owner };
        if self.upstreams.contains(&seat) {
            return Ok(seat);
        }
        let most = cx.limits().private_processes;
        let private = self.upstreams.of(entry.id).filter(|upstream| upstream.owner != Owner::Project).count();
        if seat.owner != Owner::Project && private >= most {
            let hint = "end sessions that are not needed, or let the server be shared";
            return Err(Exceeded { limit: Limit::PrivateProcesses, value: most as u64, hint }.into());
        }
        let abilities = match &seat.owner {
            Owner::Session(session) => self.sessions.get(*session).map(|session| session.abilities),
            Owner::Project | Owner::Key(_) => None,
        };
        let (owner, abilities) = (seat.owner.clone(), abilities.unwrap_or(Abilities::ALL));
        self.upstreams.get_or_insert(seat.clone(), || Upstream::new(entry, owner, abilities, cx.now));
        Ok(seat)
    }

    /// The sessions that a process serves.
    pub(super) fn served(&self, upstream: &Upstream) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| {
            session.revision.is_some()
                && session.sees(&upstream.name)
                && match &upstream.owner {
                    Owner::Project => true,
                    Owner::Key(key) => session.key == *key,
                    Owner::Session(id) => session.id == *id,
                }
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
        let (id, learns) = (upstream.id, upstream.draft.is_some());
        let offer = cx.snapshot.entry(id).and_then(|entry| entry.offer.as_ref());
        let known = offer.map(|offer| offer.definitions()).filter(|known| !known.interactive);
        // What is being learnt, or published right now, will say it, or the next start will.
        if let Some(known) = known.filter(|_| !learns && !self.publishes(id)) {
            self.publish_as(cx, Definitions { interactive: true, fetched_at: cx.now, ..(**known).clone() });
        }
    }

    /// A session has ended: the processes that served it alone end.
    pub(super) fn vacate_session(&mut self, cx: &mut Cx<'_>, session: SessionId) {
        self.vacate_all(cx, |upstream| upstream.owner == Owner::Session(session));
    }

    /// A key was revoked: the processes that served it alone end.
    pub(super) fn vacate_key(&mut self, cx: &mut Cx<'_>, key: &KeyId) {
        self.vacate_all(cx, |upstream| upstream.owner == Owner::Key(key.clone()));
    }

    /// Ends processes that serve few and were not used for long.
    pub(super) fn vacate_idle(&mut self, cx: &mut Cx<'_>) {
        let (now, idle) = (cx.now, cx.limits().private_idle);
        let snapshot = cx.snapshot;
        let private = |upstream: &Upstream| {
            let kept = snapshot.entry(upstream.id).map_or(Sharing::Shared, |entry| sharing(entry));
            upstream.owner != Owner::Project || matches!(kept, Sharing::PerSession | Sharing::PerUser)
        };
        let idle = |upstream: &Upstream| {
            private(upstream) && !upstream.is_busy() && now.since(upstream.used_at) >= idle
        };
        // What is known of a server's health stays with the seat that everybody sees.
        let seen = |upstream: &&Upstream| upstream.owner == Owner::Project && idle(upstream);
        let seen: Vec<_> =
            self.upstreams.values().filter(seen).map(|it| (it.id, it.process.answered)).collect();
        self.vacate_all(cx, idle);
        for (server, answered) in seen {
            if let Some(entry) = snapshot.entry(server) {
                self.shared(cx, entry).process.answered = answered;
            }
        }
    }

    fn vacate_all(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Upstream) -> bool) {
        let seats: Vec<Seat> =
            self.upstreams.values().filter(|upstream| which(upstream)).map(Upstream::seat).collect();
        for seat in seats {
            self.vacate(cx, &seat);
        }
    }
}

fn sharing(entry: &Entry) -> Sharing {
    entry.config.as_ref().map_or(Sharing::Shared, |config| config.spec.sharing)
}
