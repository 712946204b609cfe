//! What one server offers, checked and prepared.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::face;
use super::listing::Lists;
use super::{Instance, Listing};
use crate::mcp::{ListKind, Mirror, Revision, TASKS_EXTENSION, is_idempotent, mirrors};
use crate::record::{Definition, Definitions, ServerSpec};
use crate::rpc::Members;

/// What a server offers, with its lists prepared.
#[derive(Debug)]
pub struct Offer {
    definitions: Arc<Definitions>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it says of each of its lists that it tells when that changes.
    pub tells_changes: bool,
    lists: Lists,
    /// Arguments that are repeated in headers, by the tool's name. Few tools have any.
    mirrors: BTreeMap<String, Vec<Mirror>>,
    /// Tools that may be called again.
    idempotent: BTreeSet<String>,
}

impl Offer {
    /// Prepares the lists.
    pub fn build(definitions: Arc<Definitions>, instance: &Instance) -> Self {
        let lists = Lists::build(|kind| entries(&definitions, kind), instance);
        let capabilities = Capabilities::parse(&definitions.capabilities);
        let mirrors = definitions.tools.iter().filter_map(|tool| {
            let found = mirrors(&tool.json).ok().filter(|found| !found.is_empty())?;
            Some((tool.name.clone(), found))
        });
        let mirrors = mirrors.collect();
        let idempotent = definitions.tools.iter().filter(|tool| is_idempotent(&tool.json));
        let idempotent = idempotent.map(|tool| tool.name.clone()).collect();
        let tells_changes = tells_changes(&definitions.capabilities);
        Self { definitions, capabilities, tells_changes, lists, mirrors, idempotent }
    }

    /// Why a list that the server says it has was not told when it was last asked.
    pub fn untold(&self, list: ListKind) -> Option<&str> {
        self.definitions.untold.get(list.method()).map(String::as_str)
    }

    /// What was learnt from the server.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }

    /// The entries of a list, in the server's order.
    pub fn entries(&self, kind: ListKind) -> &[Definition] {
        entries(&self.definitions, kind)
    }

    /// A list, ready to be sent.
    pub fn listing(&self, kind: ListKind) -> &Listing {
        self.lists.of(kind)
    }

    /// The arguments of a tool that are repeated in headers.
    pub fn mirrors(&self, tool: &str) -> &[Mirror] {
        self.mirrors.get(tool).map_or(&[], Vec::as_slice)
    }

    /// Whether a tool declares that calling it again changes nothing more.
    pub fn is_idempotent(&self, tool: &str) -> bool {
        self.idempotent.contains(tool)
    }

    /// Whether any tool has arguments that are repeated in headers.
    pub fn has_mirrors(&self) -> bool {
        !self.mirrors.is_empty()
    }

    /// The `capabilities` that the server's own endpoint shows to a client of a revision: raw JSON.
    pub fn face(&self, client: Revision) -> String {
        face::of_server(&self.definitions.capabilities, self.capabilities, self.revision(), client)
    }

    /// Whether it has the tasks of the stateless era.
    pub fn has_tasks(&self) -> bool {
        let extensions = face::extensions(&self.definitions.capabilities);
        self.revision().is_modern() && extensions.iter().any(|(name, _)| name == TASKS_EXTENSION)
    }

    /// Whether it has the tasks of 2025-11-25.
    pub fn has_core_tasks(&self) -> bool {
        let members = Members::read(self.definitions.capabilities.as_bytes());
        let tasks = |members: Members<'_>| {
            members.0.iter().any(|(name, settings)| name == "tasks" && settings.get() != "null")
        };
        !self.revision().is_modern() && members.is_some_and(tasks)
    }

    /// The revision that was agreed with the server.
    pub fn revision(&self) -> Revision {
        Revision::parse(&self.definitions.revision).unwrap_or(Revision::LAST_WITH_HANDSHAKE)
    }
}

/// The entries of a list, in the server's order.
pub(crate) fn entries(definitions: &Definitions, kind: ListKind) -> &[Definition] {
    match kind {
        ListKind::Tools => &definitions.tools,
        ListKind::Prompts => &definitions.prompts,
        ListKind::Resources => &definitions.resources,
        ListKind::Templates => &definitions.templates,
    }
}

/// The server capabilities that the hub acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each a member of the wire object")]
pub struct Capabilities {
    /// `tools`.
    pub tools: bool,
    /// `prompts`.
    pub prompts: bool,
    /// `resources`.
    pub resources: bool,
    /// `resources.subscribe`.
    pub subscribe: bool,
    /// `completions`.
    pub completions: bool,
    /// `logging`.
    pub logging: bool,
}

#[derive(Deserialize)]
struct Wire {
    tools: Option<IgnoredAny>,
    prompts: Option<IgnoredAny>,
    resources: Option<Resources>,
    completions: Option<IgnoredAny>,
    logging: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    subscribe: bool,
}

impl Capabilities {
    /// All of them: what the unified endpoint says while a server behind it was never seen.
    pub const ALL: Self = Self {
        tools: true,
        prompts: true,
        resources: true,
        subscribe: true,
        completions: true,
        logging: true,
    };

    /// Reads a `capabilities` object; what is not understood is not there.
    pub fn parse(json: &str) -> Self {
        serde_json::from_str::<Wire>(json).map_or_else(
            |_| Self::default(),
            |wire| Self {
                tools: wire.tools.is_some(),
                prompts: wire.prompts.is_some(),
                subscribe: wire.resources.as_ref().is_some_and(|resources| resources.subscribe),
                resources: wire.resources.is_some(),
                completions: wire.completions.is_some(),
                logging: wire.logging.is_some(),
            },
        )
    }

    /// What either of two servers can do.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            tools: self.tools || other.tools,
            prompts: self.prompts || other.prompts,
            resources: self.resources || other.resources,
            subscribe: self.subscribe || other.subscribe,
            completions: self.completions || other.completions,
            logging: self.logging || other.logging,
        }
    }

    /// Whether a list exists.
    pub fn has(self, kind: ListKind) -> bool {
        match kind {
            ListKind::Tools => self.tools,
            ListKind::Prompts => self.prompts,
            ListKind::Resources | ListKind::Templates => self.resources,
        }
    }

    /// The wire object. Lists can always change: servers come and go.
    pub fn json(self) -> String {
        let mut out = String::from("{");
        let mut member = |there: bool, text: &str| {
            if there {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(text);
            }
        };
        member(self.tools, "\"tools\":{\"listChanged\":true}");
        member(self.prompts, "\"prompts\":{\"listChanged\":true}");
        member(self.resources && !self.subscribe, "\"resources\":{\"listChanged\":true}");
        member(self.subscribe, "\"resources\":{\"listChanged\":true,\"subscribe\":true}");
        member(self.completions, "\"completions\":{}");
        member(self.logging, "\"logging\":{}");
        out.push('}');
        out
    }
}

fn tells_changes(capabilities: &str) -> bool {
    #[derive(Deserialize)]
    struct List {
        #[serde(default, rename = "listChanged")]
        changed: bool,
    }
    #[derive(Deserialize)]
    struct All {
        tools: Option<List>,
        prompts: Option<List>,
        resources: Option<List>,
    }
    serde_json::from_str::<All>(capabilities).is_ok_and(|All { tools, prompts, resources }| {
        [tools, prompts, resources].into_iter().flatten().all(|list| list.changed)
    })
}

/// The digest of a specification: what was learnt under one says nothing about another.
pub fn spec_digest(spec: &ServerSpec) -> [u8; 32] {
    // `disabled`, the patience with calls and the client's hints do not change what the server is.
    let ServerSpec { transport, timeout_s, protocol, sharing, confinement, .. } = spec;
    let text = format!("{transport:?}|{timeout_s}|{protocol:?}|{sharing:?}|{confinement:?}");
    Sha256::digest(text.as_bytes()).into()
}
