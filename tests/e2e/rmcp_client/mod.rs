//! rmcp in front of the hub. What the programs under `tests/peers/clients` are for the other SDKs, this is for Rust's.
#![expect(deprecated, reason = "what later revisions dropped is still spoken, and tested")]

mod connection;
mod context;
mod subject;
mod tools;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmcp::model::{
    ClientCapabilities, ClientConfig, Implementation, LoggingMessageNotificationParam,
    ProgressNotificationParam, ProgressToken, ProtocolVersion,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, RoleClient};
use tokio::task::JoinError;
use tokio::time::timeout;

use self::subject::Subject;
use crate::matrix::{Endpoint, Verdict, Visit};

const CONNECT: Duration = Duration::from_secs(30);
const RULE: Duration = Duration::from_secs(20);

type Rule = fn(Arc<Subject>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the server said without being asked, or while it was working.
#[derive(Debug, Default)]
struct Heard {
    list_changes: usize,
    log_messages: Vec<serde_json::Value>,
    progress: Vec<(ProgressToken, f64)>,
}

#[derive(Debug, Clone)]
struct Ears {
    heard: Arc<Mutex<Heard>>,
    version: ProtocolVersion,
}

impl ClientHandler for Ears {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("rmcp", "3"))
            .with_protocol_version(self.version.clone())
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
        heard,
        prefix: if visit.endpoint == Endpoint::Unified { "everything__" } else { "" },
        version: visit.version,
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
    if let Err(error) = client.cancel().await {
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
    let client = Ears { heard, version }.serve_with_lifecycle(transport, lifecycle).await;
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
