//! The project under simulation: its bounds, its keys, its servers, and the snapshot that follows from them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use orch_core::key::{Pepper, Token as Secret};
use orch_core::record::{
    Definitions, Key, Mode, Origin, Project, RemoteKind, Server, ServerSpec, Sharing, Transport,
};
use orch_core::shard::{Input, Order};
use orch_core::snapshot::{Draft, Instance, Snapshot, diff};
use orch_core::{Entropy, KeyId, Limits, ProjectId, ServerId, Timestamp};

use crate::books::{Exchange, Kind};
use crate::hub::Hub;

pub(crate) const SERVERS: [&str; 5] = ["a", "b", "c", "d", "e"];
pub(crate) const KEYS: usize = 3;
pub(crate) const PROJECTS: usize = 2;

/// The bounds within which fakes read.
pub(crate) static USUAL: LazyLock<Limits> = LazyLock::new(Limits::default);

/// Small bounds, so that they are hit.
pub(crate) fn limits() -> Limits {
    Limits {
        session_in_flight: 5,
        project_in_flight: 24,
        link_in_flight_bytes: 3_000,
        remote_in_flight: 2,
        project_sessions: 10,
        session_streams: 2,
        starting: 2,
        page_entries: 3,
        replay_events: 8,
        replay_bytes: 1_200,
        replay_project_bytes: 2_400,
        shown_uris: 4,
        call: Duration::from_secs(5),
        call_hard: Duration::from_secs(20),
        session_idle: Duration::from_mins(1),
        drain: Duration::from_secs(6),
        parked: Duration::from_secs(8),
        private_processes: 2,
        idle: Duration::from_secs(30),
        session_questions: 3,
        run_deadline: Duration::from_secs(30),
        run_kept: Duration::from_secs(40),
        project_runs: 6,
        project_run_calls: 4,
        crash_failures: 3,
        crash_probe: Duration::from_secs(40),
        ..Limits::default()
    }
}

/// Some servers are reached over HTTP.
pub(crate) fn is_remote(server: usize) -> bool {
    server >= 2
}

impl Hub {
    fn new_transport(&mut self, name: &str) -> Transport {
        let command = self.number().to_string();
        if SERVERS.iter().position(|it| *it == name).is_some_and(is_remote) {
            let url = format!("https://{name}.example/{command}");
            return Transport::Remote { kind: RemoteKind::Http, url, headers: BTreeMap::new() };
        }
        Transport::Stdio { command, args: Vec::new(), env: BTreeMap::new(), cwd: None }
    }

    fn sharing(&mut self) -> Sharing {
        let all = [(Sharing::Auto, 6), (Sharing::Shared, 2), (Sharing::PerSession, 1), (Sharing::PerUser, 1)];
        self.dice.weighted(&all)
    }

    pub(crate) fn new_server(&mut self, name: &str) -> Server {
        Server {
            id: ServerId::mint(self.now, &mut self.entropy),
            project: self.project.id,
            name: name.to_owned(),
            origin: Origin::ConfigFile,
            spec: ServerSpec {
                timeout_s: 4,
                sharing: self.sharing(),
                ..ServerSpec::new(self.new_transport(name))
            },
        }
    }

    /// Builds the snapshot anew and lets the shard follow.
    pub(crate) fn rebuild(&mut self) {
        let servers: Vec<Server> = self.servers.iter().flatten().cloned().collect();
        self.definitions.retain(|known| servers.iter().any(|server| server.id == known.server));
        let draft = draft(&self.project, &servers, &self.definitions, &self.instance);
        let new = Snapshot::build(draft, Some(&self.snapshot));
        let changes = diff(&self.snapshot, &new);
        for link in self.links.all.values_mut() {
            let now = self.servers[link.server].as_ref().filter(|server| !server.spec.disabled);
            if now != Some(&link.spec) {
                link.unwanted_since.get_or_insert(self.now);
            }
        }
        self.snapshot = new;
        self.feed(Input::SnapshotReplaced(changes));
    }

    /// Keys for everybody.
    pub(crate) fn mint_keys(&mut self, pepper: &Pepper) {
        for _ in 0..KEYS {
            let (key, secret) = self.mint_key(pepper);
            self.keys.push(key);
            self.secrets.push(secret);
        }
    }

    fn mint_key(&mut self, pepper: &Pepper) -> (Key, Secret) {
        let secret = Secret::mint(&mut self.entropy);
        let key = Key {
            id: KeyId(secret.id().into()),
            project: self.project.id,
            name: "k".into(),
            mac: secret.mac(pepper),
            created_at: self.now,
            expires_at: None,
            revoked_at: None,
        };
        (key, secret)
    }

    /// Another key takes the place of one, which is revoked: its clients are let in no more.
    pub(crate) fn replace_key(&mut self, at: usize, pepper: &Pepper) -> KeyId {
        let (key, secret) = self.mint_key(pepper);
        let mut old = std::mem::replace(&mut self.keys[at], key);
        old.revoked_at = Some(self.now);
        self.revoked.push(std::mem::replace(&mut self.secrets[at], secret));
        let id = old.id.clone();
        // The directory knows it for as long as its clients are likely to show it.
        self.keys.push(old);
        if self.keys.len() > KEYS + 16 {
            self.keys.remove(KEYS);
            self.revoked.remove(0);
        }
        self.clients.iter_mut().filter(|client| client.key == id).for_each(|client| client.barred = true);
        self.admissions.retain(|(key, _)| *key != at);
        self.books.revoked.insert(id.clone());
        id
    }

    /// What a key has opened ends, but for calls that are under way.
    pub(crate) fn end_key(&mut self, key: &KeyId) {
        self.feed(Input::KeyRevoked(key.clone()));
        let barred = |it: &&Exchange| self.books.principals[it.principal as usize].key == *key;
        let open = self
            .books
            .exchanges
            .values()
            .filter(barred)
            .find(|it| it.kind != Kind::Post && it.kind != Kind::Delete);
        assert!(open.is_none() || self.is_dead, "a stream of a revoked key goes on: {open:?}");
        self.lost.retain(|lost| !self.clients[lost.client].barred);
    }

    /// An operator orders something of a server.
    pub(crate) fn order(&mut self) {
        let at = self.dice.below(SERVERS.len());
        let order = *self.dice.pick(&[Order::Restart, Order::Start, Order::Stop]).expect("some");
        let Some(server) = self.servers[at].as_ref().filter(|server| !server.spec.disabled) else { return };
        let id = server.id;
        if order != Order::Start {
            for link in self.links.all.values_mut().filter(|link| link.spec.id == id) {
                link.unwanted_since.get_or_insert(self.now);
            }
        }
        self.feed(Input::Ordered { server: id, order });
    }

    /// A configuration in which every server is there and enabled.
    pub(crate) fn enable_all(&mut self) {
        for (at, name) in SERVERS.iter().enumerate() {
            let fresh = self.new_server(name);
            self.servers[at].get_or_insert(fresh).spec.disabled = false;
        }
        self.rebuild();
    }

    /// One server is taken away, put back, changed, disabled or enabled.
    pub(crate) fn configure(&mut self) {
        let at = self.dice.below(SERVERS.len());
        let fresh = self.new_server(SERVERS[at]);
        let way = self.dice.below(4);
        match &mut self.servers[at] {
            None => self.servers[at] = Some(fresh),
            Some(_) if way == 0 => self.servers[at] = None,
            Some(server) if way == 1 => server.spec.transport = fresh.spec.transport,
            Some(server) => server.spec.disabled ^= true,
        }
        self.rebuild();
    }
}

pub(crate) fn new_project(number: usize, now: Timestamp, entropy: &mut Entropy) -> Project {
    Project {
        id: ProjectId::mint(now, entropy),
        slug: format!("project-{number}"),
        name: "A project".into(),
        separator: "__".into(),
        mode: Mode::Proxy,
        created_at: now,
    }
}

pub(crate) fn draft(
    project: &Project,
    servers: &[Server],
    definitions: &[Arc<Definitions>],
    instance: &Arc<Instance>,
) -> Draft {
    Draft {
        project: project.clone(),
        servers: servers.to_vec(),
        definitions: definitions.to_vec(),
        instance: Arc::clone(instance),
        planner: None,
    }
}
