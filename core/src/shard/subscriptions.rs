//! Who wants to hear of which resources of which process.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use super::updated::Hearing;
use crate::upstream::Seat;
use crate::{ExchangeId, SessionId};

/// Who wants to hear of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subscriber {
    /// A stream of the 2026 era.
    Listener(ExchangeId),
    /// A session of the 2025 eras.
    Session(SessionId),
}

/// Where a resource is, and the server's own name for it.
type Place = (Seat, String);

/// What one takes beside its names.
const COST: usize = 128;

/// What one takes, in bytes.
pub(super) fn cost(uri: &str, known_as: &str) -> usize {
    COST.saturating_add(uri.len()).saturating_add(known_as.len())
}

/// What somebody has subscribed to.
#[derive(Debug, Default)]
struct Held {
    names: BTreeSet<(Place, String)>,
    bytes: usize,
}

/// Who wants to hear of what, with the names that the clients use: one resource may have several.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    table: BTreeMap<Place, BTreeSet<(Subscriber, String)>>,
    /// The same, by who wants it.
    held: BTreeMap<Subscriber, Held>,
    /// What all of them take.
    bytes: usize,
    /// Sessions whose subscriptions are others than they were when this was last looked at.
    pub(super) changed: BTreeSet<SessionId>,
    /// What somebody has wanted who has gone before its turn came, last of all: whether to subscribe.
    left: BTreeMap<(Place, Subscriber, String), bool>,
    /// Whether a server has heard of one, and what is to be said next of it may be waiting for that.
    pub(super) turns_over: bool,
}

impl Subscriptions {
    /// Whether this is the first subscription to the resource.
    pub(super) fn add(&mut self, seat: &Seat, uri: &str, who: Subscriber, known_as: &str) -> bool {
        self.note(who);
        let place = (seat.clone(), uri.to_owned());
        let (held, cost) = (self.held.entry(who).or_default(), cost(uri, known_as));
        if held.names.insert((place.clone(), known_as.to_owned())) {
            held.bytes = held.bytes.saturating_add(cost);
            self.bytes = self.bytes.saturating_add(cost);
        }
        let subscribers = self.table.entry(place).or_default();
        let first = subscribers.is_empty();
        subscribers.insert((who, known_as.to_owned()));
        first
    }

    /// Ends what somebody has of a resource, under whatever names. Whether this was the last subscription to it.
    pub(super) fn remove(&mut self, seat: &Seat, uri: &str, who: Subscriber) -> bool {
        self.remove_where(seat, uri, |it, _| it == who)
    }

    /// The same, of one name.
    pub(super) fn remove_name(&mut self, (seat, uri): &Place, who: Subscriber, known_as: &str) -> bool {
        self.remove_where(seat, uri, |it, name| it == who && name == known_as)
    }

    /// Somebody has gone whose turn it is after what the server is being told of this resource.
    pub(super) fn leave(&mut self, place: Place, who: Subscriber, known_as: &str, subscribes: bool) {
        self.left.insert((place, who, known_as.to_owned()), subscribes);
    }

    /// The turn has come of those who have gone.
    pub(super) fn take_up(&mut self, seat: &Seat, uri: &str) {
        let theirs = self.left.extract_if(.., |((at, own), ..), _| at == seat && own == uri);
        for (((seat, uri), who, known_as), subscribes) in theirs.collect::<Vec<_>>() {
            if subscribes {
                self.add(&seat, &uri, who, &known_as);
            } else {
                self.remove_name(&(seat, uri), who, &known_as);
            }
        }
    }

    /// Nobody is left who had gone: a subscriber is no more, or a process.
    pub(super) fn forget_left(&mut self, which: impl Fn(&Seat, Subscriber) -> bool) {
        self.left.retain(|((seat, _), who, _), _| !which(seat, *who));
    }

    /// A server does not tell of a resource, and no stream waits for that any more. Sessions have its yes to requests of their own.
    pub(super) fn drop_streams(&mut self, seat: &Seat, uri: &str) {
        self.remove_where(seat, uri, |who, _| matches!(who, Subscriber::Listener(_)));
    }

    fn remove_where(&mut self, seat: &Seat, uri: &str, which: impl Fn(Subscriber, &str) -> bool) -> bool {
        let place = (seat.clone(), uri.to_owned());
        let Some(subscribers) = self.table.get_mut(&place) else { return false };
        let gone: Vec<_> = subscribers.extract_if(.., |(who, name)| which(*who, name)).collect();
        let last = subscribers.is_empty();
        if last {
            self.table.remove(&place);
        }
        for (who, name) in gone {
            self.note(who);
            let Some(held) = self.held.get_mut(&who) else { continue };
            let cost = cost(uri, &name);
            held.names.remove(&(place.clone(), name));
            held.bytes = held.bytes.saturating_sub(cost);
            self.bytes = self.bytes.saturating_sub(cost);
            if held.names.is_empty() {
                self.held.remove(&who);
            }
        }
        last
    }

    /// Whether both tables say the same.
    pub(super) fn is_sound(&self) -> bool {
        let all = self.table.iter().flat_map(|(place, names)| names.iter().map(move |name| (place, name)));
        let known = |(place, (who, name)): (&Place, &(Subscriber, String))| {
            self.held.get(who).is_some_and(|held| held.names.contains(&(place.clone(), name.clone())))
        };
        let names: usize = self.held.values().map(|held| held.names.len()).sum();
        let bytes: usize = all.clone().map(|((_, uri), (_, name))| cost(uri, name)).sum();
        let counted = bytes == self.bytes && bytes == self.bytes_of(|_| true);
        counted && names == all.clone().count() && all.into_iter().all(known)
    }

    /// What all subscriptions take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What those of some subscribers take.
    pub(super) fn bytes_of(&self, which: impl Fn(Subscriber) -> bool) -> usize {
        self.held.iter().filter(|(who, _)| which(**who)).map(|(_, held)| held.bytes).sum()
    }

    fn names(&self, who: Subscriber) -> impl Iterator<Item = &(Place, String)> {
        self.held.get(&who).into_iter().flat_map(|held| &held.names)
    }

    fn note(&mut self, who: Subscriber) {
        if let Subscriber::Session(session) = who {
            self.changed.insert(session);
        }
    }

    /// What somebody has subscribed to, once.
    pub(super) fn of(&self, who: Subscriber) -> BTreeSet<Place> {
        self.names(who).map(|(place, _)| place.clone()).collect()
    }

    /// What somebody has subscribed to: where, and by the server's name and their own.
    pub(super) fn names_of(&self, who: Subscriber) -> impl Iterator<Item = (&Seat, &str, &str)> {
        self.names(who).map(|((seat, uri), known_as)| (seat, uri.as_str(), known_as.as_str()))
    }

    /// What somebody has subscribed to under a name: at one process, or at several, one after the other.
    pub(super) fn named(&self, who: Subscriber, known_as: &str) -> Vec<Place> {
        self.names(who).filter(|(_, name)| name == known_as).map(|(place, _)| place.clone()).collect()
    }

    /// Whether anybody has subscribed to this very resource.
    pub(super) fn is_held(&self, seat: &Seat, uri: &str) -> bool {
        self.table.contains_key(&(seat.clone(), uri.to_owned()))
    }

    /// What is subscribed to at a server, by its own names.
    pub(super) fn at(&self, seat: &Seat) -> Vec<String> {
        self.held_by(seat, |_| true)
    }

    /// What some of the subscribers have at a server, by its own names.
    pub(super) fn held_by(&self, seat: &Seat, which: impl Fn(Subscriber) -> bool) -> Vec<String> {
        let held =
            self.places(seat).filter(|(_, subscribers)| subscribers.iter().any(|(who, _)| which(*who)));
        held.map(|(uri, _)| uri.to_owned()).collect()
    }

    fn places(&self, seat: &Seat) -> impl Iterator<Item = (&str, &BTreeSet<(Subscriber, String)>)> {
        let from = self.table.range((seat.clone(), String::new())..);
        let here = from.take_while(move |((at, _), _)| at == seat);
        here.map(|((_, uri), subscribers)| (uri.as_str(), subscribers))
    }

    /// Who has subscribed to this very resource, under the name that each uses.
    pub(super) fn to(&self, seat: &Seat, uri: &str) -> Vec<(Subscriber, String)> {
        let subscribers = self.table.get(&(seat.clone(), uri.to_owned()));
        subscribers.into_iter().flatten().cloned().collect()
    }

    /// Who hears of a change. A change can be of a part of what was subscribed to (2025-11-25, resources).
    pub(super) fn hearing(&self, seat: &Seat, changed: &str) -> Vec<Hearing> {
        let is_part = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?', '#']);
        let concerns =
            |uri: &str| changed.strip_prefix(uri).is_some_and(|rest| uri.ends_with('/') || is_part(rest));
        self.places(seat)
            .filter(|(uri, _)| concerns(uri))
            .flat_map(|(uri, subscribers)| {
                // A name that is the server's own, wrapped, stays so for the part.
                let part = changed.strip_prefix(uri).unwrap_or_default();
                let hearing = move |(who, known_as): &(Subscriber, String)| {
                    let changed = [known_as, part].concat();
                    Hearing { who: *who, changed, subscribed: known_as.clone() }
                };
                subscribers.iter().map(hearing)
            })
            .collect()
    }
}
