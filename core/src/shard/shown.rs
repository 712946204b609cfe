//! URIs that results have shown on the unified endpoint: each must be readable, by the server that has shown it.
//!
//! One that leads there by itself stays as it is, and is remembered where no list and no template says so. One that leads
//! to another server is wrapped.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;

use super::{Cx, Shard};
use crate::mcp::{Lifetime, links, may_link, relinked};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Sender, write};
use crate::snapshot::{Entry, wrap};
use crate::upstream::Caller;
use crate::{Limits, ServerId};

/// URIs with the server that has shown each. What was used longest ago makes room.
#[derive(Debug, Default)]
pub(super) struct Shown {
    servers: BTreeMap<Arc<str>, (ServerId, u64)>,
    /// By the time of their last use.
    uses: BTreeMap<u64, Arc<str>>,
    bytes: usize,
    clock: u64,
}

impl Shown {
    /// The server that has shown a URI.
    pub(super) fn server_of(&mut self, uri: &str) -> Option<ServerId> {
        let (server, used) = self.servers.get_mut(uri)?;
        self.clock = self.clock.saturating_add(1);
        let name = self.uses.remove(used)?;
        *used = self.clock;
        self.uses.insert(self.clock, name);
        Some(*server)
    }

    fn remember(&mut self, uri: &str, server: ServerId, limits: &Limits) {
        if uri.len() > limits.shown_uri_bytes {
            return;
        }
        if let Some((_, used)) = self.servers.remove(uri) {
            self.uses.remove(&used);
            self.bytes = self.bytes.saturating_sub(uri.len());
        }
        self.clock = self.clock.saturating_add(1);
        let name: Arc<str> = uri.into();
        self.uses.insert(self.clock, Arc::clone(&name));
        self.servers.insert(name, (server, self.clock));
        self.bytes = self.bytes.saturating_add(uri.len());
        while self.servers.len() > limits.shown_uris || self.bytes > limits.shown_uri_bytes {
            let Some((_, oldest)) = self.uses.pop_first() else { return };
            self.servers.remove(&oldest);
            self.bytes = self.bytes.saturating_sub(oldest.len());
        }
    }

    /// Whether all of it agrees.
    pub(super) fn is_sound(&self) -> bool {
        let bytes: usize = self.servers.keys().map(|uri| uri.len()).sum();
        let used = |(uri, (_, used)): (&Arc<str>, &(ServerId, u64))| self.uses.get(used) == Some(uri);
        bytes == self.bytes && self.uses.len() == self.servers.len() && self.servers.iter().all(used)
    }
}

impl Shard {
    /// A server's result, with every URI in it written so that it leads to that server. Almost always as it came.
    pub(super) fn readable<'a>(
        &mut self,
        cx: &Cx<'_>,
        caller: &Caller,
        server: ServerId,
        lifetime: Lifetime,
        response: &'a Envelope,
    ) -> Cow<'a, Envelope> {
        let kept = Cow::Borrowed(response);
        if caller.target != Target::Unified || is_alone(cx, server) {
            return kept;
        }
        let Some(result) = response.raw(Field::Result) else { return kept };
        let read = matches!(lifetime, Lifetime::Private(_));
        let Some(entry) = cx.snapshot.entry(server).filter(|_| read || may_link(result)) else { return kept };
        let edited = relinked(result, &links(result), |uri| self.wrapping(cx, entry, uri));
        let Some(out) = edited else { return kept };
        // The id is the server's, and no client sees it.
        let message = write::result(response.raw_str(Field::Id).unwrap_or("null"), &out);
        Envelope::parse(message.into(), Sender::Upstream, cx.limits()).map_or(kept, Cow::Owned)
    }

    /// How a URI has to be written that a server has told somebody on the unified endpoint; `None` where it leads there as it
    /// is.
    pub(super) fn shown_as(&mut self, cx: &Cx<'_>, server: ServerId, uri: &str) -> Option<String> {
        let entry = cx.snapshot.entry(server).filter(|_| !is_alone(cx, server))?;
        self.wrapping(cx, entry, uri)
    }

    /// How a server's URI has to be written; `None` where it leads to the server as it is.
    fn wrapping(&mut self, cx: &Cx<'_>, entry: &Entry, uri: &str) -> Option<String> {
        let unified = &cx.snapshot.unified;
        let leads = match unified.resource(uri) {
            Some(place) => place.server == entry.id && place.name == uri,
            None => match self.shown.server_of(uri).filter(|shower| unified.has_resources(*shower)) {
                Some(shower) => shower == entry.id,
                None => {
                    self.shown.remember(uri, entry.id, cx.limits());
                    true
                }
            },
        };
        (!leads).then(|| wrap(&entry.name, uri))
    }
}

/// Whether the URIs of a server lead to it whatever they are, or are its own business.
fn is_alone(cx: &Cx<'_>, server: ServerId) -> bool {
    let unified = &cx.snapshot.unified;
    unified.only_with_resources().is_some() || !unified.has_resources(server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn server(n: u128) -> ServerId {
        ServerId(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let limits = Limits { shown_uris: 2, shown_uri_bytes: 100, ..Limits::default() };
        let mut shown = Shown::default();
        for (n, uri) in [(1, "a:1"), (2, "a:2")] {
            shown.remember(uri, server(n), &limits);
        }
        assert_eq!(shown.server_of("a:1"), Some(server(1)));
        shown.remember("a:3", server(3), &limits);
        assert_eq!(shown.server_of("a:2"), None);
        assert_eq!((shown.server_of("a:1"), shown.server_of("a:3")), (Some(server(1)), Some(server(3))));
        assert!(shown.is_sound());
    }

    #[test]
    fn the_bytes_of_what_is_remembered_are_bounded() {
        let limits = Limits { shown_uris: 100, shown_uri_bytes: 10, ..Limits::default() };
        let mut shown = Shown::default();
        for n in 10..20 {
            shown.remember(&format!("a:{n}"), server(n), &limits);
            shown.remember(&format!("a:{n}"), server(n), &limits);
            assert!(shown.is_sound());
        }
        assert_eq!((shown.server_of("a:17"), shown.server_of("a:18")), (None, Some(server(18))));
        shown.remember(&"x".repeat(11), server(1), &limits);
        assert_eq!(shown.server_of("a:19"), Some(server(19)), "one that is too long makes nobody else go");
    }
}
