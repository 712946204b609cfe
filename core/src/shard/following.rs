//! Subscriptions follow their clients: who has subscribed at the process that everybody shares hears as well of the one
//! that serves them alone, which may be another when their calls begin to go there.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::updated::Hearing;
use super::{Cx, Shard, Subscriber};
use crate::mcp::Method;
use crate::upstream::{Owner, Seat, Upstream};
use crate::{KeyId, LinkId, ServerId};

impl Shard {
    /// Whether a process serves this subscriber alone.
    pub(super) fn serves_alone(&self, owner: &Owner, who: Subscriber) -> bool {
        match (owner, who) {
            (Owner::Session(session), Subscriber::Session(own)) => *session == own,
            (Owner::Key(key, _), Subscriber::Listener(exchange)) => {
                self.listeners.get(&exchange).is_some_and(|listener| listener.key == *key)
            }
            (Owner::Key(..), Subscriber::Session(_))
            | (Owner::Project, _)
            | (Owner::Session(_), Subscriber::Listener(_)) => false,
        }
    }

    /// Who hears of a change at a process: once, wherever and to whatever part they have subscribed.
    pub(super) fn hearing(&self, seat: &Seat, changed: &str) -> Vec<Hearing> {
        let mut hearing = self.subscriptions.hearing(seat, changed);
        if seat.owner != Owner::Project {
            let shared = self.subscriptions.hearing(&Seat::shared(seat.server), changed);
            hearing.extend(shared.into_iter().filter(|it| self.serves_alone(&seat.owner, it.who)));
        }
        let mut known = BTreeSet::new();
        hearing.retain(|it| known.insert((it.who, it.changed.clone())));
        hearing
    }

    /// Makes the subscriptions at a process of somebody's own that they have at the shared one.
    pub(super) fn follow(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(seat) = self.upstream_at(link).map(Upstream::seat) else { return };
        for uri in self.followed(&seat) {
            self.tell_server(cx, &seat, Method::ResourcesSubscribe, &uri);
        }
    }

    /// What those whom a process serves alone have subscribed to at the shared one.
    pub(super) fn followed(&self, seat: &Seat) -> Vec<String> {
        self.subscriptions.held_by(&Seat::shared(seat.server), |who| self.serves_alone(&seat.owner, who))
    }

    /// A stream of a key has subscribed at the shared process, or does no more: those that serve the key alone are told as well.
    pub(super) fn lead(&mut self, cx: &mut Cx<'_>, server: ServerId, key: &KeyId, uri: &str, method: Method) {
        let own = |upstream: &&Upstream| matches!(&upstream.owner, Owner::Key(its, _) if its == key);
        let seats: Vec<Seat> = self.upstreams.of(server).filter(own).map(Upstream::seat).collect();
        for seat in seats {
            if method == Method::ResourcesSubscribe || !self.is_wanted(&seat, uri) {
                self.tell_server(cx, &seat, method, uri);
            }
        }
    }
}
