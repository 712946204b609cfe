//! What the benchmarks of decisions play on: a project, a key to it, and servers with what they offer.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::key::{Pepper, Token};
use orch_core::ports::gateway::{Bearer, Head, ProtocolHeaders, Target, Verb};
use orch_core::record::{
    Definition, Definitions, Key, Mode, Origin, Premises, Project, Server, ServerSpec, Transport,
};
use orch_core::snapshot::{Directory, Draft, Instance, Snapshot, spec_digest};
use orch_core::{Entropy, KeyId, Limits, ProjectId, ServerId, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp(1_000_000);

/// One project, and the one key that opens it.
pub(crate) struct Stage {
    pub(crate) project: Project,
    pub(crate) instance: Arc<Instance>,
    pub(crate) directory: Directory,
    pub(crate) token: Token,
    entropy: Entropy,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let mut entropy = Entropy::from_seed([1; 32]);
        let project = Project {
            id: ProjectId::mint(NOW, &mut entropy),
            slug: Directory::DEFAULT_SLUG.to_owned(),
            name: "Default".to_owned(),
            separator: "__".to_owned(),
            mode: Mode::Proxy,
            created_at: NOW,
        };
        let instance = Arc::new(Instance {
            limits: Limits::default(),
            cursor_key: [0; 32],
            base_url: "http://127.0.0.1:8000".to_owned(),
            config_file: "mcp-config.json".to_owned(),
            premises: Premises::default(),
        });
        let (token, pepper) = (Token::mint(&mut entropy), Pepper::derive(&[2; 32]));
        let key = Key {
            id: KeyId(token.id().into()),
            project: project.id,
            name: "bench".to_owned(),
            mac: token.mac(&pepper),
            created_at: NOW,
            expires_at: None,
            revoked_at: None,
        };
        let directory = Directory::build([project.clone()], [key], pepper);
        Self { project, instance, directory, token, entropy }
    }

    /// The project with servers that offer so many tools each.
    pub(crate) fn snapshot(&mut self, servers: usize, tools: usize) -> Snapshot {
        let servers: Vec<Server> = (0..servers).map(|number| self.server(number)).collect();
        let definitions = servers.iter().map(|server| Arc::new(definitions(server, tools))).collect();
        let (project, instance) = (self.project.clone(), Arc::clone(&self.instance));
        Snapshot::build(Draft { project, servers, definitions, instance, planner: None }, None)
    }

    fn server(&mut self, number: usize) -> Server {
        let (args, env) = (Vec::new(), BTreeMap::new());
        Server {
            id: ServerId::mint(NOW, &mut self.entropy),
            project: self.project.id,
            name: format!("server{number}"),
            origin: Origin::ConfigFile,
            spec: ServerSpec::new(Transport::Stdio { command: "echo".to_owned(), args, env, cwd: None }),
        }
    }

    /// The head of a client's message to a server, with the key.
    pub(crate) fn head(&self, server: &str, session: Option<String>) -> Head {
        Head {
            verb: Verb::Post,
            project: None,
            target: Target::Server(server.into()),
            bearer: Some(Bearer(self.token.reveal().to_owned())),
            session,
            headers: ProtocolHeaders::default(),
            messages_path: String::new(),
        }
    }
}

/// So many tools, each of the size that tools have: about 400 bytes.
pub(crate) fn tools(count: usize) -> Vec<Definition> {
    let padding = "words that tell a model what the tool does ".repeat(5);
    let tool = |number| {
        let name = format!("tool{number}");
        let json = format!(
            r#"{{"name":"{name}","description":"{padding}","inputSchema":{{"type":"object","properties":{{"path":{{"type":"string"}},"limit":{{"type":"integer"}}}}}}}}"#
        );
        Definition { name, json }
    };
    (0..count).map(tool).collect()
}

fn definitions(server: &Server, count: usize) -> Definitions {
    Definitions {
        server: server.id,
        project: server.project,
        spec_digest: spec_digest(&server.spec),
        fetched_at: NOW,
        revision: "2025-11-25".to_owned(),
        server_info: r#"{"name":"echo","version":"1.0.0"}"#.to_owned(),
        capabilities: r#"{"tools":{}}"#.to_owned(),
        instructions: None,
        tools: tools(count),
        prompts: Vec::new(),
        resources: Vec::new(),
        templates: Vec::new(),
        interactive: false,
        aside: BTreeMap::new(),
        untold: BTreeMap::new(),
    }
}
