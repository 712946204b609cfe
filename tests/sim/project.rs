//! The project under simulation: its bounds, its keys, its servers, and the snapshot that follows from them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_core::key::{Pepper, Token as Secret};
use orch_core::record::{
    Definitions, Key, Origin, Project, RemoteKind, Server, ServerSpec, Sharing, Transport,
};
use orch_core::shard::Input;
use orch_core::snapshot::{Directory, Draft, Instance, Snapshot, diff};
use orch_core::{Entropy, Limits, ServerId, Timestamp};

use crate::hub::Hub;

pub(crate) const SERVERS: [&str; 5] = ["a", "b", "c", "d", "e"];
pub(crate) const KEYS: usize = 3;

/// Small bounds, so that they are hit.
pub(crate) fn limits() -> Limits {
    Limits {
        session_in_flight: 5,
        project_in_flight: 24,
        link_in_flight_bytes: 3_000,
        project_sessions: 10,
        session_streams: 2,
        starting: 2,
        page_entries: 3,
        call: Duration::from_secs(5),
        call_hard: Duration::from_secs(20),
        session_idle: Duration::from_mins(1),
        drain: Duration::from_secs(6),
        parked: Duration::from_secs(8),
        private_processes: 2,
        idle: Duration::from_secs(30),
        session_questions: 3,
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
        let ended = |name: &str| self.snapshot.named(name).is_some_and(|old| changes.ended.contains(&old.id));
        for link in self.links.all.values_mut() {
            link.retired |= ended(SERVERS[link.server]);
        }
        self.snapshot = new;
        self.feed(Input::SnapshotReplaced(changes));
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

pub(crate) fn directory(
    project: &Project,
    now: Timestamp,
    entropy: &mut Entropy,
) -> (Directory, Vec<Secret>) {
    let pepper = Pepper::derive(&[3; 32]);
    let secrets: Vec<Secret> = (0..KEYS).map(|_| Secret::mint(entropy)).collect();
    let keys = secrets.iter().map(|secret| Key {
        id: secret.id(),
        project: project.id,
        name: "k".into(),
        mac: secret.mac(&pepper),
        created_at: now,
        expires_at: None,
        revoked_at: None,
    });
    (Directory::build([project.clone()], keys.collect::<Vec<_>>(), pepper.clone()), secrets)
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
    }
}
