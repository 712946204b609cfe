//! Streams that outlive their connections: which connection carries each, and what each has said.
//!
//! A stream has the exchange that began it as its address for good, and at most one exchange that carries it: the same
//! one, a later one, or none while its client is away. Numbers are the time at which a stream was opened, or one more
//! than the last: no two streams of a session have the same, in whichever life of the hub they were opened.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

use super::cursor::{Cursor, Kind};
use super::replay::{Gap, Replay};
use crate::ports::store::{Change, Expect};
use crate::record::{self, Record, RecordId};
use crate::{Exceeded, ExchangeId, Fault, Limit, Limits, ProjectId, Rejection, SessionId, Timestamp};

type Key = (SessionId, u64);

/// The resumable streams of a project.
#[derive(Debug, Default)]
pub(super) struct Streams {
    table: BTreeMap<Key, Stream>,
    /// Streams that have not ended, by their addresses.
    addresses: BTreeMap<ExchangeId, Key>,
    /// Streams that are connected, by what carries them.
    carried: BTreeMap<ExchangeId, Key>,
    /// Streams that have ended, the first to end first.
    ended: BTreeSet<(Timestamp, Key)>,
    bytes: usize,
    last: u64,
    /// Answers whose record in the store may be another one by now.
    changed: BTreeSet<Key>,
    /// Answers that have a record in the store.
    stored: BTreeSet<Key>,
}

/// Whose answers come on a stream: the ids of the requests, raw JSON, and the server that was asked.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub ids: Vec<Box<str>>,
    pub server: String,
}

#[derive(Debug)]
struct Stream {
    answers: Answers,
    /// Whether its client has ever been away.
    left: bool,
    kind: Kind,
    address: ExchangeId,
    carrier: Option<ExchangeId>,
    replay: Replay,
    ended: Option<Timestamp>,
}

/// What the end of a connection means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// It carried the stream with this address, which goes on without it.
    Absent(ExchangeId, Kind),
    /// It began a stream that another connection carries by now.
    Superseded,
    /// It has no stream that could go on.
    Gone,
}

/// A message on its way to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub id: Cursor,
    /// Where it goes now; nowhere while the client is away.
    pub carrier: Option<ExchangeId>,
}

/// A stream that is taken up again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resumed {
    pub address: ExchangeId,
    pub kind: Kind,
    /// The connection that carried it until now, if nobody has noticed that it is gone.
    pub before: Option<ExchangeId>,
    /// Whether nothing will follow.
    pub ended: bool,
    /// What was said after the cursor.
    pub later: Vec<(Cursor, Bytes)>,
}

impl Streams {
    /// Makes a stream of an exchange. `None` when the session has as many as are kept: then it cannot be resumed.
    pub(super) fn begin(
        &mut self,
        session: SessionId,
        kind: Kind,
        (address, answers): (ExchangeId, Answers),
        now: Timestamp,
        limits: &Limits,
    ) -> Option<Cursor> {
        let own = self.of_session(session);
        if own.len() >= limits.replay_streams {
            let ended = |key: &Key| Some((self.table.get(key)?.ended?, *key));
            let oldest = own.iter().filter_map(ended).min()?;
            self.remove(oldest.1);
        }
        self.last = now.0.max(self.last.saturating_add(1));
        let key = (session, self.last);
        let (carrier, replay) = (Some(address), Replay::default());
        let stream = Stream { answers, left: false, kind, address, carrier, replay, ended: None };
        self.table.insert(key, stream);
        if kind == Kind::Answer {
            self.changed.insert(key);
        }
        self.addresses.insert(address, key);
        self.carried.insert(address, key);
        Some(Cursor::new(session, kind, self.last, 0))
    }

    /// Whether there is a stream with this address that has not ended.
    pub(super) fn has(&self, address: ExchangeId) -> bool {
        self.addresses.contains_key(&address)
    }

    /// Keeps a message of a stream; `None` when there is no such stream.
    pub(super) fn say(
        &mut self,
        address: ExchangeId,
        data: Bytes,
        now: Timestamp,
        limits: &Limits,
    ) -> Option<Said> {
        let key = *self.addresses.get(&address)?;
        let stream = self.table.get_mut(&key)?;
        let before = stream.replay.bytes();
        let event = stream.replay.push(data, now, limits);
        let said = Said { id: Cursor::new(key.0, stream.kind, key.1, event), carrier: stream.carrier };
        self.bytes = self.bytes.saturating_sub(before).saturating_add(stream.replay.bytes());
        self.make_room(key, limits);
        Some(said)
    }

    /// What is kept of a project is bounded: streams that have ended give way first, the first to end first.
    fn make_room(&mut self, latest: Key, limits: &Limits) {
        while self.bytes > limits.replay_project_bytes
            && let Some((_, oldest)) = self.ended.first().copied()
        {
            self.remove(oldest);
        }
        let Some(stream) = self.table.get_mut(&latest) else { return };
        while self.bytes > limits.replay_project_bytes {
            let before = stream.replay.bytes();
            if !stream.replay.evict(Limit::ReplayProjectBytes) {
                return;
            }
            self.bytes = self.bytes.saturating_sub(before.saturating_sub(stream.replay.bytes()));
        }
    }

    /// Ends a stream. One that was an answer can still be read for a while. Returns what carries it.
    pub(super) fn end(&mut self, address: ExchangeId, now: Timestamp) -> Option<ExchangeId> {
        let key = self.addresses.remove(&address)?;
        let stream = self.table.get_mut(&key)?;
        let carrier = stream.carrier.take();
        if let Some(carrier) = carrier {
            self.carried.remove(&carrier);
        }
        match stream.kind {
            Kind::Answer => {
                self.changed.insert(key);
                stream.ended = Some(now);
                self.ended.insert((now, key));
            }
            Kind::Listen => self.remove(key),
        }
        carrier
    }

    /// A connection is gone.
    pub(super) fn leave(&mut self, exchange: ExchangeId) -> Departure {
        if let Some(key) = self.carried.remove(&exchange)
            && let Some(stream) = self.table.get_mut(&key)
        {
            (stream.carrier, stream.left) = (None, true);
            return Departure::Absent(stream.address, stream.kind);
        }
        if self.has(exchange) { Departure::Superseded } else { Departure::Gone }
    }

    /// A client has come back on `carrier` and shows how far it has read.
    pub(super) fn resume(
        &mut self,
        session: SessionId,
        cursor: Cursor,
        carrier: ExchangeId,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<Resumed, Fault> {
        self.expire_ended(now, limits);
        let key = (session, cursor.stream);
        self.expire_events(key, now, limits);
        let stream = self.table.get_mut(&key).filter(|stream| stream.kind == cursor.kind);
        let stream = stream.filter(|_| cursor.is_of(session)).ok_or(Rejection::UnknownEvent)?;
        let later = stream.replay.after(cursor.event).map_err(|gap| fault(gap, limits))?;
        let id = |event| Cursor::new(session, cursor.kind, cursor.stream, event);
        let later = later.map(|(event, data)| (id(event), data.clone())).collect();
        let ended = stream.ended.is_some();
        let before = if ended { None } else { stream.carrier.replace(carrier) };
        let resumed = Resumed { address: stream.address, kind: stream.kind, before, ended, later };
        if let Some(before) = before {
            self.carried.remove(&before);
        }
        if !ended {
            self.carried.insert(carrier, key);
        }
        Ok(resumed)
    }

    /// Lets go of what is older than its time.
    pub(super) fn expire(&mut self, now: Timestamp, limits: &Limits) {
        self.expire_ended(now, limits);
        let all: Vec<Key> = self.table.keys().copied().collect();
        for key in all {
            self.expire_events(key, now, limits);
        }
    }

    fn expire_ended(&mut self, now: Timestamp, limits: &Limits) {
        while let Some((at, key)) = self.ended.first().copied()
            && now.since(at) >= limits.replay_age
        {
            self.remove(key);
        }
    }

    fn expire_events(&mut self, key: Key, now: Timestamp, limits: &Limits) {
        let Some(stream) = self.table.get_mut(&key) else { return };
        let before = stream.replay.bytes();
        stream.replay.expire(now, limits);
        self.bytes = self.bytes.saturating_sub(before.saturating_sub(stream.replay.bytes()));
    }

    /// An answer that an earlier life of the hub has owed. What it has not said it will not say any more: `lost` is that.
    pub(super) fn restore(&mut self, owed: record::Owed, lost: impl Fn(&str) -> Vec<u8>, now: Timestamp) {
        let key = (owed.session, owed.stream);
        self.last = self.last.max(owed.stream);
        let replay = match owed.said {
            Some(said) => {
                Replay::restored(said.into_iter().map(|(number, data)| (number, data.into())).collect(), now)
            }
            None => Replay::last_words(owed.ids.iter().map(|id| lost(id).into()).collect(), now),
        };
        self.bytes = self.bytes.saturating_add(replay.bytes());
        let answers = Answers { ids: owed.ids.into_iter().map(Into::into).collect(), server: owed.server };
        let (kind, address, carrier, ended) = (Kind::Answer, ExchangeId(0), None, Some(now));
        self.table.insert(key, Stream { answers, left: true, kind, address, carrier, replay, ended });
        self.ended.insert((now, key));
        self.stored.insert(key);
    }

    /// What is to change in the store.
    pub(super) fn take_changes(&mut self, project: ProjectId) -> Vec<Change> {
        let changed = core::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|key| self.change(project, key)).collect()
    }

    /// An answer is owed until it is said, and then for as long as it is kept for a client that was away.
    fn change(&mut self, project: ProjectId, key: Key) -> Option<Change> {
        let (session, number) = key;
        let is_owed =
            |stream: &&Stream| stream.ended.is_none() || (stream.left && !stream.replay.is_unsaid());
        let Some(stream) = self.table.get(&key).filter(is_owed) else {
            let id = RecordId::Owed(project, session, number);
            return self.stored.remove(&key).then_some(Change::Remove(id));
        };
        self.stored.insert(key);
        let said = stream.replay.kept().map(|(number, data)| (number, data.to_vec()));
        let record = Record::Owed(record::Owed {
            session,
            project,
            stream: number,
            server: stream.answers.server.clone(),
            ids: stream.answers.ids.iter().map(ToString::to_string).collect(),
            said: stream.ended.is_some().then(|| said.collect()),
        });
        Some(Change::Put(record, Expect::Anything))
    }

    /// A session has ended, and all of its streams with it.
    pub(super) fn forget(&mut self, session: SessionId) {
        for key in self.of_session(session) {
            self.remove(key);
        }
    }

    fn of_session(&self, session: SessionId) -> Vec<Key> {
        self.table.range((session, 0)..=(session, u64::MAX)).map(|(key, _)| *key).collect()
    }

    fn remove(&mut self, key: Key) {
        let Some(stream) = self.table.remove(&key) else { return };
        self.bytes = self.bytes.saturating_sub(stream.replay.bytes());
        if self.stored.contains(&key) {
            self.changed.insert(key);
        }
        if self.addresses.get(&stream.address) == Some(&key) {
            self.addresses.remove(&stream.address);
        }
        if let Some(carrier) = stream.carrier {
            self.carried.remove(&carrier);
        }
        if let Some(at) = stream.ended {
            self.ended.remove(&(at, key));
        }
    }

    /// The sessions that have streams.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.table.keys().map(|(session, _)| *session)
    }

    /// Answers that go on though nothing carries them.
    pub(super) fn away(&self) -> impl Iterator<Item = ExchangeId> {
        let away = |stream: &&Stream| {
            stream.kind == Kind::Answer && stream.carrier.is_none() && stream.ended.is_none()
        };
        self.table.values().filter(away).map(|stream| stream.address)
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the indexes are those of the streams.
    pub(super) fn is_sound(&self) -> bool {
        let indexed = |(key, stream): (&Key, &Stream)| {
            let open = stream.ended.is_none();
            let carried = stream.carrier.is_none_or(|carrier| self.carried.get(&carrier) == Some(key));
            carried && (self.addresses.get(&stream.address) == Some(key)) == open
        };
        let all = || self.table.values();
        let bytes: usize = all().map(|stream| stream.replay.bytes()).sum();
        self.table.iter().all(indexed)
            && self.addresses.len() == all().filter(|stream| stream.ended.is_none()).count()
            && self.carried.len() == all().filter(|stream| stream.carrier.is_some()).count()
            && self.ended.len() == all().filter(|stream| stream.ended.is_some()).count()
            && self.bytes == bytes
    }
}

fn fault(gap: Gap, limits: &Limits) -> Fault {
    let Gap::Lost(limit) = gap else { return Rejection::UnknownEvent.into() };
    let value = if limit == Limit::ReplayAge {
        limits.replay_age.as_secs()
    } else if limit == Limit::ReplayEvents {
        limits.replay_events as u64
    } else if limit == Limit::ReplayBytes {
        limits.replay_bytes as u64
    } else {
        limits.replay_project_bytes as u64
    };
    let hint = "what followed this Last-Event-ID is not kept any more; open a stream without it";
    Exceeded { limit, value, hint }.into()
}
