//! Subscriptions that stand while their server is lost, or only the stream on which it tells: it is started again for them, and
//! whoever has subscribed is told that what they have subscribed to may have changed meanwhile.
//!
//! A server with subscriptions is needed like one with calls: it does not idle, and comes back after the pauses of its
//! failures.

use alloc::vec::Vec;

use super::updated::{Hearing, updated};
use super::{Cx, Shard, Subscriber};
use crate::LinkId;
use crate::rpc::{Envelope, Sender};
use crate::upstream::{Owner, Seat, Upstream};

impl Shard {
    /// Whether anybody has subscribed to what a process tells.
    pub(super) fn is_watched(&self, seat: &Seat) -> bool {
        !self.subscriptions.at(seat).is_empty() || !self.followed(seat).is_empty()
    }

    /// Somebody has subscribed at a server that may not run.
    pub(super) fn want_heard(&mut self, cx: &Cx<'_>, seat: &Seat) {
        let Some(entry) = cx.snapshot.entry(seat.server).filter(|_| seat.owner == Owner::Project) else {
            return;
        };
        let upstream = self.shared(cx, entry);
        upstream.unheard |= upstream.process.pauses_until().is_some();
        upstream.process.want(cx.now);
    }

    /// What a server has told is lost, and what it tells is heard from now on: its lists may be others, and what is subscribed to
    /// may have changed. Its session knows of its subscriptions.
    pub(super) fn on_link_missed(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        if self.retired.contains_key(&link) {
            return;
        }
        self.on_lists_changed(cx, link);
        if let Some(upstream) = self.upstream_of(link) {
            upstream.unheard = true;
        }
        self.tell_missed(cx, link);
    }

    /// A server that was lost is back, and knows of its subscriptions again; or what it tells is heard again.
    pub(super) fn tell_missed(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_of(link).filter(|upstream| upstream.unheard) else { return };
        upstream.unheard = false;
        let Some(seat) = self.upstream_at(link).map(Upstream::seat) else { return };
        let shared = Seat::shared(seat.server);
        let mut missed = Vec::new();
        for uri in self.subscriptions.at(&seat) {
            let told = self.subscriptions.to(&seat, &uri);
            missed.extend(told.into_iter().map(|(who, known_as)| (uri.clone(), who, known_as)));
        }
        if seat != shared {
            for uri in self.followed(&seat) {
                let told = self.subscriptions.to(&shared, &uri);
                let told = told.into_iter().filter(|(who, _)| self.serves_alone(&seat.owner, *who));
                missed.extend(told.map(|(who, known_as)| (uri.clone(), who, known_as)));
            }
        }
        // A stream that is not open yet has been promised nothing.
        let opens = |who| matches!(who, Subscriber::Listener(stream) if self.granting.contains_key(&stream));
        missed.retain(|(_, who, _)| !opens(*who));
        for (uri, who, known_as) in missed {
            if let Ok(news) = Envelope::parse(updated(&uri), Sender::Upstream, cx.limits()) {
                let hearing = Hearing { who, changed: known_as.clone(), subscribed: known_as };
                self.tell_updated(cx, hearing, &news);
            }
        }
    }
}
