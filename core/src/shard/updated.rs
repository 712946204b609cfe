//! `notifications/resources/updated`: on their way from a server to those who have subscribed, under the names that they use.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use super::listen::SUBSCRIPTION;
use super::{Cx, Shard, Subscriber};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, write};
use crate::{LinkId, ServerId};

const METHOD: &str = "notifications/resources/updated";

/// Who hears of a change.
#[derive(Clone, Debug)]
pub(super) struct Hearing {
    pub who: Subscriber,
    /// What has changed, and what they have subscribed to, under the names that they use.
    pub changed: String,
    pub subscribed: String,
}

impl Shard {
    /// A resource has changed: each subscriber hears of it under the name that it uses.
    pub(super) fn on_resource_updated(&mut self, cx: &mut Cx<'_>, link: LinkId, frame: &Envelope) {
        let Some(changed) = frame.text(Field::Uri) else { return };
        let Some(seat) = self.upstream_of(link).map(|upstream| upstream.seat()) else { return };
        for mut hearing in self.hearing(&seat, &changed) {
            self.make_readable(cx, seat.server, &mut hearing, &changed);
            self.tell_updated(cx, hearing, frame);
        }
    }

    /// Gives what has changed a name under which somebody can read it: a part of what they have subscribed to may be in no
    /// list. `changed` is the server's own.
    fn make_readable(&mut self, cx: &Cx<'_>, server: ServerId, hearing: &mut Hearing, changed: &str) {
        let subscribed = |(_, _, name): (&_, &_, &str)| name == hearing.changed;
        let target = match hearing.who {
            Subscriber::Listener(exchange) => self.listeners.get(&exchange).map(|it| &it.target),
            Subscriber::Session(session) => self.sessions.get(session).map(|it| &it.target),
        };
        let unified = target == Some(&Target::Unified);
        if unified && hearing.changed == changed && !self.subscriptions.names_of(hearing.who).any(subscribed)
        {
            hearing.changed = self.shown_as(cx, server, changed).unwrap_or_else(|| changed.to_owned());
        }
    }

    /// Tells somebody of a change, as its server has said it, under the name that they use.
    pub(super) fn tell_updated(&mut self, cx: &mut Cx<'_>, hearing: Hearing, frame: &Envelope) {
        let mut uri = Vec::new();
        write::string(&mut uri, &hearing.changed);
        let uri = (Field::Uri, Cow::Owned(uri));
        match hearing.who {
            Subscriber::Listener(exchange) => {
                if let Some(listener) = self.listeners.get(&exchange) {
                    let params = listener.tagged(frame, [uri].into());
                    self.tell_listener(cx, exchange, write::request(None, METHOD, Some(&params)).into());
                }
            }
            Subscriber::Session(session) => {
                let Some(session) = self.sessions.get_mut(session) else { return };
                if session.is_deaf() {
                    session.unsaid.resources.insert(hearing.subscribed);
                }
                if let Some(stream) = session.stream() {
                    let params = frame.spliced(Field::Params, &mut [uri, untagged(frame)]);
                    self.emit(cx, stream, write::request(None, METHOD, Some(&params)).into());
                }
            }
        }
    }
}

/// `_meta` of a notification without the number of the hub's own subscription; one that is no object as it is.
pub(super) fn untagged(frame: &Envelope) -> (Field, Cow<'_, [u8]>) {
    let raw = frame.raw(Field::Meta).unwrap_or_default();
    let kept = Members::read(raw).map(|members| members.without(|name| name == SUBSCRIPTION));
    (Field::Meta, kept.map_or(Cow::Borrowed(raw), Cow::Owned))
}

/// The news that a resource has changed.
pub(super) fn updated(uri: &str) -> Bytes {
    let mut params = Vec::from(b"{\"uri\":");
    write::string(&mut params, uri);
    params.push(b'}');
    write::request(None, METHOD, Some(&params)).into()
}
