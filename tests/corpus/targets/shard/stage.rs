//! Where a run of the shard plays: one project with three servers, of which one was never seen, and two keys. The
//! bounds are so small that a short run meets them.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use orch_core::key::{Pepper, Token};
use orch_core::ports::gateway::{Admission, Bearer, Head, ProtocolHeaders, Target, Verb};
use orch_core::record::{
    Definition, Definitions, Key, Mode, Origin, Premises, Project, Server, ServerSpec, Transport,
};
use orch_core::snapshot::{Directory, Draft, Instance, Snapshot, spec_digest};
use orch_core::{Entropy, KeyId, Limits, ProjectId, ServerId, Timestamp};

pub(super) const START: Timestamp = Timestamp(1_000_000);

/// The servers' names, the built-in one among them.
const SERVERS: [&str; 4] = ["alpha", "beta", "gamma", "hub"];

/// What never changes in a run.
pub(super) struct Stage {
    pub(super) project: Project,
    /// By key, then by target: the unified endpoint and that of each server.
    pub(super) admissions: [Vec<Admission>; 2],
    pub(super) instance: Arc<Instance>,
    pub(super) servers: Vec<Server>,
    pub(super) definitions: Vec<Arc<Definitions>>,
    /// The project as it is at the start.
    pub(super) snapshot: Arc<Snapshot>,
}

pub(super) static STAGE: LazyLock<Stage> = LazyLock::new(Stage::new);

impl Stage {
    fn new() -> Self {
        let mut entropy = Entropy::from_seed([1; 32]);
        let project = Project {
            id: ProjectId::mint(START, &mut entropy),
            slug: Directory::DEFAULT_SLUG.to_owned(),
            name: "Default".to_owned(),
            separator: "__".to_owned(),
            mode: Mode::Proxy,
            created_at: START,
        };
        let instance = Arc::new(Instance {
            limits: limits(),
            cursor_key: [0; 32],
            base_url: "http://127.0.0.1:8000".to_owned(),
            config_file: "mcp-config.json".to_owned(),
            premises: Premises::default(),
        });
        let servers: Vec<Server> =
            SERVERS.iter().take(3).map(|name| server(name, &project, &mut entropy)).collect();
        let definitions: Vec<_> =
            servers.iter().take(2).map(|server| Arc::new(definitions(server))).collect();
        let snapshot = snapshot(&project, &instance, servers.clone(), definitions.clone());
        let admissions = [0, 1].map(|_| admissions(&project, &mut entropy));
        Self { project, admissions, instance, servers, definitions, snapshot }
    }

    /// The project with these servers.
    pub(super) fn snapshot_of(
        &self,
        servers: Vec<Server>,
        definitions: Vec<Arc<Definitions>>,
    ) -> Arc<Snapshot> {
        snapshot(&self.project, &self.instance, servers, definitions)
    }
}

fn snapshot(
    project: &Project,
    instance: &Arc<Instance>,
    servers: Vec<Server>,
    definitions: Vec<Arc<Definitions>>,
) -> Arc<Snapshot> {
    let (project, instance) = (project.clone(), Arc::clone(instance));
    Arc::new(Snapshot::build(Draft { project, servers, definitions, instance, planner: None }, None))
}

fn limits() -> Limits {
    Limits {
        session_in_flight: 3,
        project_in_flight: 8,
        project_sessions: 3,
        session_streams: 2,
        page_entries: 2,
        starting: 1,
        link_in_flight_bytes: 2_000,
        call_hard: Duration::from_secs(150),
        ..Limits::default()
    }
}

fn server(name: &str, project: &Project, entropy: &mut Entropy) -> Server {
    Server {
        id: ServerId::mint(START, entropy),
        project: project.id,
        name: name.to_owned(),
        origin: Origin::ConfigFile,
        spec: ServerSpec {
            timeout_s: 5,
            ..ServerSpec::new(Transport::Stdio {
                command: name.to_owned(),
                args: Vec::new(),
                env: BTreeMap::new(),
                cwd: None,
            })
        },
    }
}

/// What a server offers; each name of a tool, prompt or resource is one that both known servers have.
pub(super) fn definitions(server: &Server) -> Definitions {
    let definition = |name: &str, json: &str| Definition { name: name.to_owned(), json: json.to_owned() };
    let tools = ["echo", "slow", "third"];
    Definitions {
        server: server.id,
        project: server.project,
        spec_digest: spec_digest(&server.spec),
        fetched_at: START,
        revision: "2025-11-25".to_owned(),
        server_info: r#"{"name":"s"}"#.to_owned(),
        capabilities: r#"{"tools":{},"prompts":{},"resources":{},"completions":{},"logging":{}}"#.to_owned(),
        instructions: None,
        tools: tools.map(|name| definition(name, &format!(r#"{{"name":"{name}"}}"#))).to_vec(),
        prompts: vec![definition("greet", r#"{"name":"greet"}"#)],
        resources: vec![definition("file:///a", r#"{"uri":"file:///a","name":"a"}"#)],
        templates: vec![definition("file:///{name}", r#"{"uriTemplate":"file:///{name}","name":"any"}"#)],
        interactive: false,
        aside: BTreeMap::new(),
        untold: BTreeMap::new(),
    }
}

/// What a key of its own admits to: the unified endpoint and each server's.
fn admissions(project: &Project, entropy: &mut Entropy) -> Vec<Admission> {
    let (pepper, token) = (Pepper::derive(&[2; 32]), Token::mint(entropy));
    let key = Key {
        id: KeyId(token.id().into()),
        project: project.id,
        name: "key".to_owned(),
        mac: token.mac(&pepper),
        created_at: START,
        expires_at: None,
        revoked_at: None,
    };
    let directory = Directory::build([project.clone()], [key], pepper);
    let servers = SERVERS.map(|name| Target::Server(name.into()));
    let targets = std::iter::once(Target::Unified).chain(servers);
    let admitted = targets.map(|target| {
        let bearer = Some(Bearer(token.reveal().to_owned()));
        let head = Head { bearer, ..head(Verb::Post, target, None, ProtocolHeaders::default()) };
        directory.admit(&head, START).expect("the key is good")
    });
    admitted.collect()
}

/// The head of an exchange.
pub(super) fn head(verb: Verb, target: Target, session: Option<String>, headers: ProtocolHeaders) -> Head {
    Head {
        verb,
        project: None,
        target,
        bearer: None,
        session,
        headers,
        messages_path: "/messages".to_owned(),
    }
}
