//! Sessions of the 2025 eras: what a stateless request carries by itself, kept for those that cannot.

use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::cmp::Reverse;

use super::passing::Visit;
use crate::mcp::{Abilities, Extensions, Revision};
use crate::ports::gateway::{Admission, Target, Verb};
use crate::record;
use crate::upstream::{Level, Owner};
use crate::{ExchangeId, KeyId, Limits, SessionId, Timestamp};

/// How a session's client is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Streamable HTTP: every request has an exchange of its own.
    Http,
    /// HTTP+SSE: all messages go on this one stream, and the session ends with it.
    Sse(ExchangeId),
}

impl Transport {
    /// Whether a client of this transport does this.
    fn has(self, verb: Verb) -> bool {
        match self {
            Self::Http => matches!(verb, Verb::Delete | Verb::Listen | Verb::Post),
            Self::Sse(_) => matches!(verb, Verb::OpenSse | Verb::PostMessage),
        }
    }
}

/// What a session is to be told when it listens again: each list and each resource once.
#[derive(Debug, Default)]
pub(crate) struct Unsaid {
    /// The notifications of lists that have changed.
    pub lists: BTreeSet<&'static str>,
    /// The resources that have changed, or of which a part has, by the names under which it has subscribed to them.
    pub resources: BTreeSet<String>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub id: SessionId,
    pub target: Target,
    pub key: KeyId,
    pub transport: Transport,
    /// `None` until `initialize`.
    pub revision: Option<Revision>,
    /// What its client can be asked for.
    pub abilities: Abilities,
    /// The extensions that it knows.
    pub extensions: Extensions,
    /// From which level on log messages are wanted.
    pub level: Option<Level>,
    /// Open streams for what no request asked for, the newest last.
    pub streams: Vec<ExchangeId>,
    /// Such streams whose clients may come back for them, the newest last.
    pub away: Vec<ExchangeId>,
    /// When it was opened, or loaded from the store.
    pub since: Timestamp,
    pub in_flight: usize,
    pub last_active: Timestamp,
    /// Changes that were noticed while no stream was open.
    pub unsaid: Unsaid,
    /// The addresses that its people were last asked to visit.
    pub visits: VecDeque<Visit>,
    /// Whether it is of an earlier life of the hub, and has not listened in this one.
    pub restored: bool,
}

impl Session {
    pub(crate) fn new(id: SessionId, admission: &Admission, transport: Transport, now: Timestamp) -> Self {
        let streams = match transport {
            Transport::Http => Vec::new(),
            Transport::Sse(stream) => Vec::from([stream]),
        };
        Self {
            id,
            target: admission.target.clone(),
            key: admission.key.clone(),
            transport,
            revision: None,
            abilities: Abilities::default(),
            extensions: Extensions::default(),
            level: None,
            streams,
            away: Vec::new(),
            since: now,
            in_flight: 0,
            last_active: now,
            unsaid: Unsaid::default(),
            visits: VecDeque::new(),
            restored: false,
        }
    }

    /// A session that another life of the hub has opened.
    pub(crate) fn restore(record: record::Session, now: Timestamp) -> Self {
        Self {
            id: record.id,
            target: record.target,
            key: record.key,
            transport: Transport::Http,
            revision: Some(Revision::agree(&record.revision)),
            abilities: Abilities::parse(&record.capabilities),
            extensions: Extensions::parse(&record.capabilities),
            level: None,
            streams: Vec::new(),
            away: Vec::new(),
            since: now,
            in_flight: 0,
            last_active: now,
            unsaid: Unsaid::default(),
            visits: VecDeque::new(),
            restored: true,
        }
    }

    /// Where a message goes that no request asked for: one stream, the newest; better one that is connected.
    pub(crate) fn stream(&self) -> Option<ExchangeId> {
        self.streams.last().or_else(|| self.away.last()).copied()
    }

    /// Whether it hears nothing now, but may listen later.
    pub(crate) fn is_deaf(&self) -> bool {
        self.streams.is_empty() && self.transport == Transport::Http
    }

    /// Whether nothing keeps it alive.
    fn is_idle(&self, now: Timestamp, limits: &Limits) -> bool {
        self.streams.is_empty() && self.in_flight == 0 && now.since(self.last_active) >= limits.session_idle
    }

    /// Whether a process is there for it.
    pub(crate) fn is_served_by(&self, owner: &Owner) -> bool {
        match owner {
            Owner::Project => true,
            Owner::Key(key, _) => self.key == *key,
            Owner::Session(id) => self.id == *id,
        }
    }

    /// Whether a server's messages concern it.
    pub(crate) fn sees(&self, server: &str) -> bool {
        self.target.sees(server)
    }
}

/// The sessions of a project.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: BTreeMap<SessionId, Session>,
    /// How many each key has.
    of_key: BTreeMap<KeyId, usize>,
}

impl Sessions {
    pub(crate) fn insert(&mut self, session: Session) {
        self.remove(session.id);
        let own = self.of_key.entry(session.key.clone()).or_default();
        *own = own.saturating_add(1);
        self.table.insert(session.id, session);
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.table.remove(&id)?;
        if let Entry::Occupied(mut own) = self.of_key.entry(session.key.clone()) {
            let others = own.get().saturating_sub(1);
            if others == 0 {
                own.remove()
            } else {
                own.insert(others)
            };
        }
        Some(session)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.table.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.table.get_mut(&id)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.table.values_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.table.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// The session that a caller may use: it exists, and was opened at this endpoint, with this key, over this
    /// transport.
    pub(crate) fn of(&mut self, id: &str, admission: &Admission, verb: Verb) -> Option<&mut Session> {
        let session = self.table.get_mut(&SessionId::parse(id)?)?;
        let same = session.key == admission.key && session.target == admission.target;
        (same && session.transport.has(verb)).then_some(session)
    }

    /// The sessions whose time is up.
    pub(crate) fn idle(&self, now: Timestamp, limits: &Limits) -> Vec<SessionId> {
        self.table.values().filter(|session| session.is_idle(now, limits)).map(|session| session.id).collect()
    }

    /// The session that makes room for a new one: of those that do nothing and have no open stream, the one that has been quiet
    /// longest of the key that has most. Who opens one after the other loses their own, and nobody else's.
    pub(crate) fn quietest(&self) -> Option<SessionId> {
        let free = self.table.values().filter(|session| session.streams.is_empty() && session.in_flight == 0);
        let free: Vec<&Session> = free.collect();
        let mut keys: Vec<(&KeyId, usize)> = self.of_key.iter().map(|(key, own)| (key, *own)).collect();
        keys.sort_by_key(|(_, own)| Reverse(*own));
        let quietest = |key: &KeyId| {
            let own = free.iter().filter(|session| session.key == *key);
            own.min_by_key(|session| session.last_active).map(|session| session.id)
        };
        keys.into_iter().filter(|_| !free.is_empty()).find_map(|(key, _)| quietest(key))
    }
}

/// A notification without parameters.
pub(crate) fn bare_notification(method: &str) -> Bytes {
    crate::rpc::write::request(None, method, None).into()
}
