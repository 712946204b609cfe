//! The built-in server `hub`: tools about the hub itself, so that there is something to call from the first start.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::mcp::{ListKind, Revision};
use crate::ports::gateway::Target;
use crate::record::{Definition, Definitions};
use crate::snapshot::{Entry, Instance, Offer, Snapshot};
use crate::{ProjectId, ServerId, Timestamp};

mod goals;
mod guide;
mod plans;

pub(crate) use goals::{planned, unplanned};
pub(crate) use plans::{
    Cannot, Kept, Part, PlanTool, Reading, RunLine, Told, cannot, definitions as plan_tools, outlined,
    read as read_parts, refused, run_in_short, run_list, run_news, run_told,
};

/// The name of the built-in server. Reserved: no configured server may have it.
pub const NAME: &str = "hub";

/// The id of the built-in server.
pub const ID: ServerId = ServerId(Uuid::nil());

/// `serverInfo` of the built-in server and of the unified endpoint.
pub const SERVER_INFO: &str =
    concat!("{\"name\":\"mcp-orch\",\"title\":\"mcp-orch\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}");

const TOOLS: [(&str, &str); 5] = [
    (
        "list_servers",
        r#"{"name":"list_servers","title":"List servers","description":"The MCP servers of this project: whether each is enabled, its running state, its health with the cause of a failure, and how many tools it has.","inputSchema":{"type":"object","properties":{},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
    ),
    (
        "list_tools",
        r#"{"name":"list_tools","title":"List tools","description":"Names and one-line descriptions of the tools of this project, of one server or of all.","inputSchema":{"type":"object","properties":{"server":{"type":"string","description":"Only the tools of this server."}},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
    ),
    (
        "describe_tool",
        r#"{"name":"describe_tool","title":"Describe a tool","description":"The whole definition of one tool, with its input schema.","inputSchema":{"type":"object","properties":{"name":{"type":"string","description":"As list_tools names it, for example github.create_issue."}},"required":["name"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
    ),
    (
        "connect_client",
        r#"{"name":"connect_client","title":"Connect a client","description":"How to connect an MCP client (Claude Code, Cline, Cursor, VS Code, any other) to this project.","inputSchema":{"type":"object","properties":{"server":{"type":"string","description":"Only this server; all servers when absent."}},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
    ),
    (
        "add_server",
        r#"{"name":"add_server","title":"How to add a server","description":"Says how to add an MCP server to this project. It changes nothing itself.","inputSchema":{"type":"object","properties":{},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}}"#,
    ),
];

const INSTRUCTIONS: &str =
    "\"Tools about the hub itself: which servers there are, what they can do, how to connect and add more.\"";

/// The built-in server as an entry of a snapshot.
pub fn entry(instance: &Instance) -> Entry {
    let tools = TOOLS.iter().map(|(name, json)| Definition { name: (*name).into(), json: (*json).into() });
    let definitions = Definitions {
        server: ID,
        project: ProjectId(Uuid::nil()),
        spec_digest: [0; 32],
        fetched_at: Timestamp(0),
        revision: Revision::LAST_WITH_HANDSHAKE.date().into(),
        server_info: SERVER_INFO.into(),
        capabilities: "{\"tools\":{}}".into(),
        instructions: Some(INSTRUCTIONS.into()),
        tools: tools.collect(),
        prompts: vec![],
        resources: vec![],
        templates: vec![],
        interactive: false,
        aside: BTreeMap::new(),
        untold: BTreeMap::new(),
    };
    let offer = Offer::build(Arc::new(definitions), instance);
    let (name, endpoint) = (NAME.into(), Target::Server(NAME.into()));
    Entry { id: ID, name, endpoint, config: None, digest: [0; 32], offer: Some(Arc::new(offer)) }
}

/// What the hub knows of one server: three separate facts (configuration, running state, health) and counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerView {
    /// Its name.
    pub name: String,
    /// `enabled` or `disabled`.
    pub configured: String,
    /// `built-in`, `stopped`, `queued`, `starting`, `running`, `idle` (ended because nobody used it), `backing-off`,
    /// `crashed`, `needs-login` (it lets nobody in) or `stopping`.
    pub state: String,
    /// `ok`, `degraded` (it answers, and does not offer what it says), `failed`, or `unknown` while the server was never
    /// heard of.
    pub health: String,
    /// Why its health is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// What an operator can do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next_step: Option<String>,
    /// When it answered last, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answered_at: Option<u64>,
    /// When it failed last, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failed_at: Option<u64>,
    /// Why it failed then, also when it is well again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_failure: Option<String>,
    /// What it wrote to its error output before it failed. Shown to operators, never to clients.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_output: Option<String>,
    /// The process, while there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<u32>,
    /// The revision that it is spoken to in, as it was found out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<String>,
    /// When that was, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learnt_at: Option<u64>,
    /// Its processes, or its sessions where it is remote: one for everybody, and those that serve one session or key.
    #[serde(default)]
    pub processes: usize,
    /// Whether it is reached over the network; it has sessions then and no processes.
    #[serde(default)]
    pub remote: bool,
    /// How far its processes are walled off, and what of that cannot be had here; absent where it has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub isolation: Option<String>,
    /// Whether it was seen to ask its clients for something: each that can answer has a process of its own, unless the
    /// server's `sharing` says otherwise.
    #[serde(default)]
    pub interactive: bool,
    /// Its `sharing`: `auto`, `shared`, `per-session` or `per-user`.
    #[serde(default)]
    pub sharing: String,
    /// Tools, prompts, resources and resource templates; absent while the server was never seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub counts: Option<Counts>,
}

/// How many of each a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tools.
    pub tools: usize,
    /// Prompts.
    pub prompts: usize,
    /// Resources.
    pub resources: usize,
    /// Resource templates.
    pub templates: usize,
}

impl Counts {
    /// The counts of an offer.
    pub fn of(offer: &Offer) -> Self {
        let count = |kind| offer.entries(kind).len();
        Self {
            tools: count(ListKind::Tools),
            prompts: count(ListKind::Prompts),
            resources: count(ListKind::Resources),
            templates: count(ListKind::Templates),
        }
    }
}

#[derive(Deserialize, Default)]
struct Arguments {
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

/// Calls a tool of the built-in server. The result is the raw JSON of a `CallToolResult`; `None` for a tool that
/// it does not have.
pub fn call(snapshot: &Snapshot, tool: &str, arguments: &[u8], servers: &[ServerView]) -> Option<Vec<u8>> {
    let Ok(arguments) = serde_json::from_slice::<Arguments>(arguments) else {
        return Some(failed("the arguments do not fit the input schema of the tool"));
    };
    Some(match tool {
        "list_servers" => answer(&ServerList { servers }),
        "list_tools" => list_tools(snapshot, arguments.server.as_deref()),
        "describe_tool" => describe_tool(snapshot, arguments.name.as_deref()),
        "connect_client" => text(&guide::connect(snapshot, arguments.server.as_deref())),
        "add_server" => text(&guide::add_server(&snapshot.instance)),
        _ => return None,
    })
}

#[derive(Serialize)]
struct ServerList<'a> {
    servers: &'a [ServerView],
}

#[derive(Serialize)]
struct ToolList {
    tools: Vec<ToolLine>,
}

/// One tool in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolLine {
    /// `server.tool`: what people see.
    pub name: String,
    /// The server.
    pub server: String,
    /// The first line of its description.
    pub description: String,
}

/// The tools of one server, or of all.
pub fn tool_lines(snapshot: &Snapshot, server: Option<&str>) -> Vec<ToolLine> {
    let servers = snapshot.servers().filter(|entry| entry.enabled());
    let wanted = servers.filter(|entry| server.is_none_or(|name| name == entry.name));
    wanted
        .flat_map(|entry| {
            let tools = entry.offer.as_ref().map_or(&[][..], |offer| offer.entries(ListKind::Tools));
            tools.iter().map(|tool| ToolLine {
                name: snapshot.unified.called(entry, &tool.name),
                server: entry.name.clone(),
                description: first_line(&tool.json),
            })
        })
        .collect()
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    description: Option<String>,
}

fn first_line(json: &str) -> String {
    let described = serde_json::from_str::<Described>(json).ok().and_then(|tool| tool.description);
    described.and_then(|text| text.lines().next().map(ToOwned::to_owned)).unwrap_or_default()
}

fn list_tools(snapshot: &Snapshot, server: Option<&str>) -> Vec<u8> {
    match server {
        Some(name) if snapshot.named(name).is_none() => {
            failed(&format!("there is no server {name}: list_servers names them"))
        }
        server => answer(&ToolList { tools: tool_lines(snapshot, server) }),
    }
}

fn describe_tool(snapshot: &Snapshot, name: Option<&str>) -> Vec<u8> {
    let place = name.and_then(|name| snapshot.unified.tool(name));
    let definition = place.and_then(|place| {
        let offer = snapshot.entry(place.server)?.offer.as_ref()?;
        offer.entries(ListKind::Tools).iter().find(|tool| tool.name == place.name)
    });
    match definition {
        Some(definition) => text(&definition.json),
        None => failed("there is no such tool: list_tools names them"),
    }
}

fn answer(value: &impl Serialize) -> Vec<u8> {
    // These types are plain structures, which always have a JSON form.
    let json = serde_json::to_string(value).unwrap_or_default();
    format!("{{\"content\":[{}],\"structuredContent\":{json}}}", content(&json)).into_bytes()
}

fn text(text: &str) -> Vec<u8> {
    format!("{{\"content\":[{}]}}", content(text)).into_bytes()
}

fn failed(why: &str) -> Vec<u8> {
    format!("{{\"content\":[{}],\"isError\":true}}", content(why)).into_bytes()
}

fn content(text: &str) -> String {
    let mut out = Vec::from(b"{\"type\":\"text\",\"text\":");
    crate::rpc::write::string(&mut out, text);
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}
