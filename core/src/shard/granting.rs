//! Streams of the stateless era whose servers have not said yet whether they will tell of the resources that are asked for. The
//! first message of a stream says of which it will (2026-07-28, subscriptions), so it waits for them; not for long, and not when
//! there is news already.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::{Cx, Shard, Subscriber};
use crate::upstream::Seat;
use crate::{ExchangeId, LinkId, Timestamp};

/// What a stream waits for, and how long.
#[derive(Debug)]
pub(super) struct Granting {
    pub asked: Vec<Grant>,
    pub until: Timestamp,
}

/// A resource of which a server is to say whether it tells of it.
#[derive(Debug)]
pub(super) struct Grant {
    pub seat: Seat,
    /// The resource, as the server names it.
    pub uri: String,
    /// The resource, as the client names it.
    pub known_as: String,
}

impl Shard {
    /// Whether a server tells of a resource that it was asked for; `None` while nobody knows.
    pub(super) fn tells_of(&self, seat: &Seat, uri: &str) -> Option<bool> {
        let upstream = self.upstreams.get(seat)?;
        upstream.process.ready_link()?;
        if upstream.revision.is_modern() {
            return upstream.news.open.then(|| upstream.news.ungranted.iter().all(|it| it != uri));
        }
        (!upstream.calls.are_about(uri)).then_some(true)
    }

    /// A server has said of resources whether it tells of them: `said` of each what, or nothing.
    pub(super) fn on_granted(&mut self, cx: &mut Cx<'_>, link: LinkId, said: impl Fn(&str) -> Option<bool>) {
        let Some(seat) = self.links.get(&link).cloned() else { return };
        let streams: Vec<ExchangeId> = self.granting.keys().copied().collect();
        for stream in streams {
            let Some(granting) = self.granting.get_mut(&stream) else { continue };
            let is_said = |grant: &mut Grant| grant.seat == seat && said(&grant.uri).is_some();
            let answered: Vec<Grant> = granting.asked.extract_if(.., is_said).collect();
            let whole = granting.asked.is_empty();
            for grant in answered.iter().filter(|grant| said(&grant.uri) == Some(false)) {
                self.subscriptions.remove(&seat, &grant.uri, Subscriber::Listener(stream));
                if let Some(listener) = self.listeners.get_mut(&stream) {
                    listener.refuse(&grant.known_as);
                }
            }
            if whole {
                self.acknowledge(cx, stream);
            }
        }
    }

    /// Opens a stream: the first message says of what it will tell.
    pub(super) fn acknowledge(&mut self, cx: &mut Cx<'_>, stream: ExchangeId) {
        self.granting.remove(&stream);
        if let Some(listener) = self.listeners.get(&stream) {
            cx.emit(stream, listener.acknowledgement());
        }
    }

    /// Tells a stream something. One that is not open yet opens for it, with all that it may hear of.
    pub(super) fn tell_listener(&mut self, cx: &mut Cx<'_>, stream: ExchangeId, news: Bytes) {
        if self.granting.contains_key(&stream) {
            self.acknowledge(cx, stream);
        }
        cx.emit(stream, news);
    }

    pub(super) fn granting_deadline(&self) -> Option<Timestamp> {
        self.granting.values().map(|granting| granting.until).min()
    }

    /// Opens the streams that have waited long enough.
    pub(super) fn open_ungranted(&mut self, cx: &mut Cx<'_>) {
        let late = self.granting.iter().filter(|(_, granting)| granting.until <= cx.now);
        let late: Vec<ExchangeId> = late.map(|(stream, _)| *stream).collect();
        for stream in late {
            self.acknowledge(cx, stream);
        }
    }
}
