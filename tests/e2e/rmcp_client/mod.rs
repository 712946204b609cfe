//! rmcp in front of the hub. What the programs under `tests/peers/clients` are for the other SDKs, this is for Rust's.
#![expect(deprecated, reason = "what later revisions dropped is still spoken, and tested")]

mod asking;
mod connection;
mod context;
mod subject;
mod tools;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, Implementation, ListRootsResult, LoggingMessageNotificationParam,
    ProgressNotificationParam, ProgressToken, ProtocolVersion, ResourceUpdatedNotificationParam,
};
use rmcp::service::{
    ClientLifecycleMode, ClientServiceExt, NotificationContext, RequestContext, RunningService,
};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ErrorData, RoleClient};
use tokio::task::JoinError;
use tokio::time::timeout;

use self::subject::Subject;
use crate::matrix::{Endpoint, Profile, Verdict, Visit};

const CONNECT: Duration = Duration::from_secs(30);
const RULE: Duration = Duration::from_secs(20);

type Rule = fn(Arc<Subject>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the server said without being asked, or while it was working.
#[derive(Debug, Default)]
struct Heard {
    list_changes: usize,
    log_messages: Vec<serde_json::Value>,
    progress: Vec<(ProgressToken, f64)>,
    updates: Vec<String>,
}

#[derive(Debug, Clone)]
struct Ears {
    heard: Arc<Mutex<Heard>>,
    capabilities: ClientCapabilities,
    version: ProtocolVersion,
}

impl ClientHandler for Ears {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(self.capabilities.clone(), Implementation::new("rmcp", "3"))
            .with_protocol_version(self.version.clone())
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Ok(asking::sample(&params))
    }

    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(asking::elicit())
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(asking::list_roots())
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.heard.lock().expect("what was heard").updates.push(params.uri);
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let mut heard = self.heard.lock().expect("what was heard");
        heard.progress.push((params.progress_token, params.progress));
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.heard.lock().expect("what was heard").log_messages.push(params.data);
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.heard.lock().expect("what was heard").list_changes += 1;
    }
}

/// Connects, keeps every rule, takes leave.
pub(crate) async fn visit(visit: &Visit) -> Verdict {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let client = match timeout(CONNECT, connect(visit, Arc::clone(&heard))).await {
        Ok(Ok(client)) => client,
        Ok(Err(error)) => return verdict(vec![format!("connect: {error}")]),
        Err(_) => return verdict(vec![format!("connect: longer than {CONNECT:?}")]),
    };
    let subject = Arc::new(Subject {
        peer: client.peer().clone(),
        client,
        heard,
        prefix: if visit.endpoint == Endpoint::Unified { "everything__" } else { "" },
        version: visit.version,
        hub: match visit.profile {
            Profile::Asking { hub } => hub,
            Profile::Everything => 0,
        },
    });
    let mut failures = Vec::new();
    for (name, rule) in rules_of(visit) {
        // In a task of its own, so that a rule may fail by panicking.
        let kept =
            timeout(RULE, tokio::task::JoinSet::from_iter([rule(Arc::clone(&subject))]).join_next()).await;
        match kept {
            Ok(Some(Err(error))) => failures.push(format!("{name}: {}", reason(error))),
            Ok(_) => {}
            Err(_) => failures.push(format!("{name}: longer than {RULE:?}")),
        }
    }
    // A rule that hangs still holds it.
    if let Ok(subject) = Arc::try_unwrap(subject)
        && let Err(error) = subject.client.cancel().await
    {
        failures.push(format!("close: {error}"));
    }
    verdict(failures)
}

async fn connect(
    visit: &Visit,
    heard: Arc<Mutex<Heard>>,
) -> Result<RunningService<RoleClient, Ears>, String> {
    let version = ProtocolVersion::KNOWN_VERSIONS.iter().find(|version| version.as_str() == visit.version);
    let version = version.expect("a revision that rmcp knows").clone();
    let lifecycle = match visit.era {
        "legacy" => ClientLifecycleMode::Initialize,
        "modern" => ClientLifecycleMode::Discover { preferred_versions: vec![version.clone()] },
        _ => ClientLifecycleMode::Auto { preferred_versions: vec![version.clone()], legacy_version: None },
    };
    let config = StreamableHttpClientTransportConfig::with_uri(visit.url.as_str()).auth_header(&visit.key);
    let transport = StreamableHttpClientTransport::from_config(config);
    let capabilities = match visit.profile {
        Profile::Asking { .. } => asking::capabilities(),
        Profile::Everything => ClientCapabilities::default(),
    };
    let client = Ears { heard, capabilities, version }.serve_with_lifecycle(transport, lifecycle).await;
    client.map_err(|error| error.to_string())
}

fn verdict(failures: Vec<String>) -> Verdict {
    Verdict { ok: failures.is_empty(), failures, said: String::new() }
}

fn reason(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else { return "cancelled".to_owned() };
    let said = panic.downcast_ref::<String>().cloned();
    said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap_or_default()
}

macro_rules! rules {
    ($($of:ident::$rule:ident),* $(,)?) => {
        [$((stringify!($rule), (|subject| Box::pin($of::$rule(subject))) as Rule)),*]
    };
}

/// The rules for a visit, in the order in which they run.
fn rules_of(visit: &Visit) -> Vec<(&'static str, Rule)> {
    if visit.profile != Profile::Everything {
        let updates = match visit.era {
            "legacy" => rules![asking::legacy_resource_updates],
            _ => rules![asking::modern_resource_updates],
        };
        let asked = rules![asking::sampling, asking::elicitation, asking::roots];
        return [&asked[..], &updates[..], &rules![asking::restart][..]].concat();
    }
    let mut rules = rules![
        connection::initialize,
        tools::tools,
        tools::echo,
        tools::structured_content,
        tools::progress,
        tools::cancellation,
        context::resources,
        context::resource_templates,
        context::resource_links,
        context::prompts,
        context::completion,
        tools::big_argument,
        tools::parallel_calls,
        tools::unknown_tool,
    ]
    .to_vec();
    if visit.era == "legacy" {
        rules.extend(rules![connection::legacy_list_changed, connection::ping, connection::logging]);
    } else {
        rules.extend(rules![connection::modern_list_changed]);
    }
    if visit.endpoint == Endpoint::Unified {
        rules.extend(rules![tools::dotted_tool_name]);
    }
    rules
}
