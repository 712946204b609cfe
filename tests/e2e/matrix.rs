//! Every client, in every revision that it speaks, over both transports, at both kinds of endpoint.
//!
//! What is not in the table: TypeScript SDK v1 and Python SDK v1 know nothing after 2025-11-25, no SDK offers
//! 2024-11-05 over Streamable HTTP, which came a revision later, nor 2026-07-28 over HTTP+SSE, which has no place
//! for it, and rmcp has no HTTP+SSE at all.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;

use crate::hub::Hub;
use crate::peers::{self, Server};
use crate::process::{run, text};
use crate::rmcp_client;

const DEADLINE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    PythonV1,
    PythonV2,
    Rmcp,
    TypescriptV1,
    TypescriptV2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Sse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Server,
    Unified,
}

/// What a client is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What a server asks of its client, and what becomes of a client whose hub, this process, ends.
    Asking { hub: u32 },
    /// Every feature that a client uses of its own accord.
    Everything,
}

/// How a client comes to a revision: by shaking hands, by taking it for granted, or by asking first.
pub(crate) type Negotiation = (&'static str, &'static str);

const SSE: &[Negotiation] = &[("legacy", "2024-11-05"), ("legacy", "2025-11-25")];
const LEGACY: &[Negotiation] =
    &[("legacy", "2025-03-26"), ("legacy", "2025-06-18"), ("legacy", "2025-11-25")];
const BOTH: &[Negotiation] = &[
    ("legacy", "2025-03-26"),
    ("legacy", "2025-06-18"),
    ("legacy", "2025-11-25"),
    ("modern", "2026-07-28"),
    ("auto", "2026-07-28"),
];

macro_rules! matrix {
    ($($row:ident: $client:ident, $transport:ident, $negotiations:ident;)*) => {$(
        mod $row {
            use super::{Client, Endpoint, Transport};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn uses_every_feature_of_everything() {
                super::check(Client::$client, Transport::$transport, Endpoint::Server, super::$negotiations).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn uses_every_feature_of_everything_at_the_unified_endpoint() {
                super::check(Client::$client, Transport::$transport, Endpoint::Unified, super::$negotiations).await;
            }
        }
    )*};
}

matrix! {
    typescript_sdk_v1_over_streamable_http: TypescriptV1, Http, LEGACY;
    typescript_sdk_v1_over_http_and_sse: TypescriptV1, Sse, SSE;
    typescript_sdk_v2_over_streamable_http: TypescriptV2, Http, BOTH;
    typescript_sdk_v2_over_http_and_sse: TypescriptV2, Sse, SSE;
    python_sdk_v1_over_streamable_http: PythonV1, Http, LEGACY;
    python_sdk_v1_over_http_and_sse: PythonV1, Sse, SSE;
    python_sdk_v2_over_streamable_http: PythonV2, Http, BOTH;
    python_sdk_v2_over_http_and_sse: PythonV2, Sse, SSE;
    rmcp_over_streamable_http: Rmcp, Http, BOTH;
}

/// One hub, and a client in each of the revisions, all at the same time.
async fn check(
    client: Client,
    transport: Transport,
    endpoint: Endpoint,
    negotiations: &'static [Negotiation],
) {
    let servers =
        [("everything", Server::everything()), ("thinking", Server::node("server-sequential-thinking"))];
    let (hub, key) = Hub::with(&servers).await;
    let prefix = match endpoint {
        Endpoint::Server => "/servers/everything",
        Endpoint::Unified => "",
    };
    let path = match transport {
        Transport::Http => format!("{prefix}/mcp"),
        Transport::Sse => format!("{prefix}/sse"),
    };
    let mut clients = JoinSet::new();
    for (era, version) in negotiations {
        let (url, key, profile) = (hub.at(&path), key.clone(), Profile::Everything);
        let visit = Visit { url, key, transport, endpoint, profile, era, version };
        clients.spawn(async move { (era, version, visit.by(client).await) });
    }
    let mut broken = Vec::new();
    while let Some(visited) = clients.join_next().await {
        let (era, version, verdict) = visited.expect("a verdict");
        if !verdict.ok {
            broken.push(format!("{client:?} at {path}, {era} {version}: {verdict:#?}"));
        }
    }
    assert!(broken.is_empty(), "{}\n{}", broken.join("\n"), hub.log());
}

/// What a client is asked to do.
pub(crate) struct Visit {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) transport: Transport,
    pub(crate) endpoint: Endpoint,
    pub(crate) profile: Profile,
    pub(crate) era: &'static str,
    pub(crate) version: &'static str,
}

impl Visit {
    pub(crate) async fn by(&self, client: Client) -> Verdict {
        let program = match client {
            Client::PythonV1 => peers::python_client("mcp1", "py_v1.py"),
            Client::PythonV2 => peers::python_client("mcp2", "py_v2.py"),
            Client::Rmcp => return rmcp_client::visit(self).await,
            Client::TypescriptV1 => peers::node_client("ts_v1.mjs"),
            Client::TypescriptV2 => peers::node_client("ts_v2.mjs"),
        };
        Verdict::of(self.told(program, client)).await
    }

    fn told(&self, mut program: Command, client: Client) -> Command {
        // The largest ids that a language can count by one: they must not lose a digit on the way.
        let first_id = match client {
            Client::PythonV1 | Client::PythonV2 => "9223372036854770000",
            Client::Rmcp | Client::TypescriptV1 | Client::TypescriptV2 => "9007199254730000",
        };
        let transport = match self.transport {
            Transport::Http => "http",
            Transport::Sse => "sse",
        };
        let profile = match (self.profile, self.endpoint) {
            (Profile::Asking { .. }, _) => "asking",
            (Profile::Everything, Endpoint::Server) => "everything",
            (Profile::Everything, Endpoint::Unified) => "unified",
        };
        if let Profile::Asking { hub } = self.profile {
            program.args(["--hub", &hub.to_string()]);
        }
        program.args(["--url", &self.url, "--key", &self.key, "--transport", transport]);
        program.args(["--era", self.era, "--version", self.version, "--profile", profile]);
        program.args(["--first-id", first_id]);
        program
    }
}

/// What became of a visit.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) ok: bool,
    #[expect(dead_code, reason = "shown when a test fails")]
    pub(crate) failures: Vec<String>,
    #[expect(dead_code, reason = "shown when a test fails")]
    pub(crate) said: String,
}

impl Verdict {
    /// Runs a client program, and reads the one line that it prints.
    pub(crate) async fn of(program: Command) -> Self {
        let output = run(program, DEADLINE).await;
        let (printed, complaints) = (text(&output.stdout), text(&output.stderr));
        let verdict = printed.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let verdict: Value = verdict.unwrap_or_default();
        let failures = verdict["failures"].as_array().cloned().unwrap_or_default();
        let failures: Vec<String> = failures.iter().map(Value::to_string).collect();
        let ok = verdict["ok"] == true;
        let last = complaints.len().saturating_sub(4000);
        let said = complaints.get(last..).unwrap_or(&complaints).to_owned();
        Self { ok, said: if ok || !failures.is_empty() { said } else { printed + &said }, failures }
    }
}

/// Fails the test unless every rule was kept.
pub(crate) fn expect_kept(hub: &Hub, road: &str, verdict: &Verdict) {
    assert!(verdict.ok, "{road}: {verdict:#?}\n{}", hub.log());
}
