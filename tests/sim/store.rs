//! The store under simulation: what is on its way, what is durable, what was promised, and what a crash leaves of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use orch_core::ports::store::Change;
use orch_core::record::{Record, RecordId};
use orch_core::shard::{Input, Shard, Token};
use orch_core::{ExchangeId, KeyId, RunId, SessionId, Timestamp, Unstored};

use crate::books::{Exchange, Kind};
use crate::clients::Era;
use crate::dice::Dice;
use crate::hub::Hub;
use crate::runs::Told;
use crate::tally::Fault;

#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Whether nothing more fits.
    pub full: bool,
    /// Whether a commit has failed in this life of the hub.
    has_failed: bool,
    /// Commits on their way.
    pending: VecDeque<(Option<Token>, Vec<Change>)>,
    durable: BTreeMap<RecordId, Record>,
    /// Sessions that clients were told of, and the hub has not given up.
    promised: BTreeSet<SessionId>,
}

impl Disk {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn promises(&self, session: SessionId) -> bool {
        self.promised.contains(&session)
    }

    /// Whether anything of a run is durable.
    pub(crate) fn has_runs(&self) -> bool {
        self.durable.values().any(|record| {
            matches!(
                record,
                Record::Run(_) | Record::RunCall(_) | Record::RunElement(..) | Record::RunStep(_)
            )
        })
    }

    fn has_run(&self, id: RunId) -> bool {
        self.durable.values().any(|record| matches!(record, Record::Run(run) if run.id == id))
    }

    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put(record, _) => drop(self.durable.insert(record.id(), record)),
                Change::Remove(id) => drop(self.durable.remove(&id)),
            }
        }
    }

    /// The sessions that are durable.
    fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.durable.values().filter_map(|record| match record {
            Record::Session(session) => Some(session.id),
            Record::Definitions(_)
            | Record::Key(_)
            | Record::Lease(_)
            | Record::Calls(_)
            | Record::Log(_)
            | Record::Owed(_)
            | Record::Project(_)
            | Record::Run(_)
            | Record::RunCall(_)
            | Record::RunElement(..)
            | Record::RunStep(_)
            | Record::Server(_)
            | Record::Task(_)
            | Record::Wishes(_) => None,
        })
    }

    /// The power fails. What nobody was told of is lost, or is there all the same; whether such a commit is there
    /// without one before it.
    fn crash(&mut self, mut torn: Option<Dice>) -> bool {
        let (mut lost, mut is_torn) = (false, false);
        for (_, changes) in std::mem::take(&mut self.pending) {
            if torn.as_mut().is_some_and(|dice| dice.chance(50)) {
                self.apply(changes);
                is_torn |= lost;
            } else {
                lost = true;
            }
        }
        let stored: BTreeSet<SessionId> = self.sessions().collect();
        let lost = self.promised.difference(&stored).next();
        assert!(lost.is_none(), "a session was promised and is not stored: {lost:?}");
        // Whatever was given up and is there all the same is there again.
        self.promised = stored;
        (self.full, self.has_failed) = (false, false);
        is_torn
    }
}

impl Hub {
    pub(crate) fn persist(&mut self, token: Option<Token>, changes: Vec<Change>) {
        for change in &changes {
            if let Change::Remove(RecordId::Run(_, run)) = change {
                self.runs.promised.remove(run);
                self.runs.forgotten.insert(*run);
            }
            if let Change::Remove(RecordId::Session(project, session)) = change {
                assert_eq!(*project, self.project.id, "a session of another project");
                self.check_removal(*session);
                self.disk.promised.remove(session);
            }
        }
        self.disk.pending.push_back((token, changes));
    }

    /// The hub gives up a session: its client has, or its key is revoked, or it was idle, or had to make room.
    fn check_removal(&self, session: SessionId) {
        let words = session.to_string();
        let of = |client: &&crate::clients::Client| {
            client.era == Era::Http && !client.strays && client.session.as_ref() == Some(&words)
        };
        let Some(client) = self.clients.iter().find(of) else { return };
        let listens = |it: &Exchange| it.kind == Kind::Stream && it.principal == client.principal;
        let idle = self.now.since(client.asked_at) >= self.limits().session_idle
            && !self.finished.contains(&client.principal)
            && !self.books.exchanges.values().any(listens);
        let full = self.shard.session_count() + 1 >= self.limits().project_sessions;
        let homeless = !self.snapshot.has(client.admission.target());
        assert!(
            client.barred || idle || full || homeless || !self.disk.promises(session),
            "a session is given up that its client uses"
        );
    }

    /// A client is told of a session.
    pub(crate) fn promise(&mut self, at: usize, session: SessionId) {
        assert!(self.disk.sessions().any(|id| id == session), "a session was promised and is not stored");
        assert!(!self.clients[at].barred, "a session is opened with a key that is revoked");
        self.disk.promised.insert(session);
        let client = &mut self.clients[at];
        if client.session.is_none() {
            (client.session, client.asked_at) = (Some(session.to_string()), Timestamp(0));
        }
    }

    /// A client is told how a run stands. If it goes on without its client, the next life of the hub has to know it.
    pub(crate) fn told(&mut self, at: usize, told: &Told) {
        let key = self.clients[at].key.clone();
        let id = RunId::parse(&told.run).expect("the name of a run");
        self.runs.check(&key, told, !self.disk.has_failed);
        if self.disk.has_run(id) && !self.runs.forgotten.contains(&id) {
            self.runs.promised.insert(id);
        }
    }

    /// The oldest commit is durable, or has failed.
    pub(crate) fn stored(&mut self, ok: bool) {
        let Some((token, changes)) = self.disk.pending.pop_front() else { return };
        if !ok || self.disk.full {
            self.tally.add(if ok { Fault::DiskFull } else { Fault::StoreFails });
        }
        let ok = ok && !self.disk.full;
        self.disk.has_failed |= !ok;
        if ok {
            self.disk.apply(changes);
        }
        if let Some(token) = token {
            let outcome = if ok { Ok(()) } else { Err(Unstored::Full.into()) };
            self.feed(Input::Stored { token, outcome });
        }
    }

    /// Another life of the hub, which begins at `now`.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        let torn = self.faults.torn.then(|| self.dice.split());
        if self.disk.crash(torn) {
            self.tally.add(Fault::TornWrite);
        }
        self.is_dead = false;
        self.broken.clear();
        self.now = now;
        // Who has a session comes back to it in the new life.
        self.clients.iter_mut().for_each(|client| client.asked_at = now);
        self.shard = Shard::restore(self.disk.durable.values().cloned(), now);
        self.links.end_all();
        self.publishing.clear();
        let open: Vec<ExchangeId> = self.books.exchanges.keys().copied().collect();
        for exchange in open {
            let client = self.books.exchanges[&exchange].client;
            self.books.close(exchange);
            self.clients[client].finished(exchange);
        }
        // Runs go on with the rights that their keys have now, also those of keys that the directory has long forgotten.
        let of_run =
            |record: &Record| if let Record::Run(run) = record { Some(run.key.clone()) } else { None };
        let of_runs = self.disk.durable.values().filter_map(of_run);
        let of_runs = of_runs.filter(|key| self.books.revoked.contains(key));
        let known = self.keys.iter().filter(|key| key.revoked_at.is_some()).map(|key| key.id.clone());
        for key in known.chain(of_runs).collect::<BTreeSet<KeyId>>() {
            self.feed(Input::KeyRevoked(key));
        }
        self.feed(Input::SurveyAsked);
    }

    /// The hub is told to stop, and does so in good order.
    pub(crate) fn retire(&mut self) {
        self.feed(Input::Draining);
        if self.dice.chance(50) {
            self.do_all_that_waits();
        }
        self.feed(Input::Stopping);
        if self.is_dead {
            return;
        }
        let waiting = self.books.open_requests();
        assert!(
            waiting <= self.shard.gauges().storing,
            "the hub stops, and {waiting} requests wait for nothing"
        );
        self.do_all_that_waits();
        if self.is_dead {
            return;
        }
        assert!(self.shard.is_quiet(), "the hub stops, and a process does not");
        assert_eq!(self.books.open_requests(), 0, "the hub has stopped, and a request is open");
    }
}
