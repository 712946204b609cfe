//! Administration of an instance: the same requests, whether a hub runs or not.
//!
//! A running hub answers them on a Unix socket in its data directory, one JSON object on a line each way. When none
//! runs, a command opens the instance itself and answers them in its own process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orch_core::hub::{ServerView, ToolLine};
use orch_core::record::LogEntry;
use orch_core::shard::Order;
use orch_driver::{
    AdminError, CallLine, CallQuery, CallSummary, Driver, KeyView, LogQuery, LogSummary, Meter,
};
use orch_oauth::Logins;
use serde::{Deserialize, Serialize};

mod client;
mod login;
mod server;

pub(crate) use client::{ask, is_running};
pub(crate) use server::serve;

/// What a command asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    BeginLogin { project: String, server: String, redirect: String },
    Call { project: String, tool: String, arguments: String, timeout_s: u32 },
    Calls { project: String, query: CallQuery },
    CallSummary { project: String, query: CallQuery },
    CleanLogs { project: String, older_than: Duration },
    CreateKey { project: String, name: String, days: Option<u16> },
    FinishLogin { project: String, server: String, redirected: String },
    Keys { project: String },
    Logout { project: String, server: String },
    Logs { project: String, query: LogQuery },
    LogSummary { project: String, server: Option<String> },
    Meters { project: String },
    Order { project: String, server: String, order: Order },
    RevokeKey { id: String },
    Servers { project: String },
    Status,
    Tools { project: String, server: Option<String> },
}

/// What an instance answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The raw JSON-RPC response.
    Called(String),
    Calls(Vec<CallLine>),
    CallSummary(Vec<CallSummary>),
    Done,
    Failed(String),
    /// The listening sockets come with it.
    HandedOver {
        /// How long this hub may still take to end.
        patience: Duration,
    },
    KeyCreated {
        id: String,
        key: String,
    },
    Keys(Vec<KeyView>),
    LoginBegun(LoginBegun),
    Logs(Vec<LogEntry>),
    LogsCleaned(usize),
    LogSummary(Box<LogSummary>),
    Meters(Vec<(String, Meter)>),
    Server(Box<ServerView>),
    Servers(Vec<ServerView>),
    Status(Status),
    Tools(Vec<ToolLine>),
}

/// What a login has come to at its beginning.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LoginBegun {
    /// The hub has logged in with rights of its own; how the server does with them.
    Done(Box<ServerView>),
    /// The address where somebody has to log in.
    Page(String),
}

/// What a running hub says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub version: String,
    pub pid: u32,
    pub base_url: String,
    pub config_file: String,
}

/// How long a list waits for servers that were never seen.
const SURVEY: Duration = Duration::from_mins(1);

/// Whoever carries out requests.
#[derive(Clone)]
pub(crate) struct Office {
    pub driver: Driver,
    pub logins: Arc<Logins>,
}

/// Carries out one request.
pub(crate) async fn answer(office: &Office, request: Request) -> Answer {
    carry_out(office, request).await.unwrap_or_else(|error| Answer::Failed(error.to_string()))
}

async fn carry_out(office: &Office, request: Request) -> Result<Answer, AdminError> {
    let driver = &office.driver;
    Ok(match request {
        Request::BeginLogin { project, server, redirect } => {
            login::begin(office, &project, &server, &redirect).await?
        }
        Request::Call { project, tool, arguments, timeout_s } => {
            driver.seen(&project, SURVEY).await?;
            let call = driver.call(&project, &tool, &arguments);
            match tokio::time::timeout(Duration::from_secs(u64::from(timeout_s)), call).await {
                Ok(response) => Answer::Called(String::from_utf8_lossy(&response?).into_owned()),
                Err(_) => {
                    Answer::Failed(format!("{tool} did not answer within {timeout_s} s; it was cancelled"))
                }
            }
        }
        Request::Calls { project, query } => Answer::Calls(driver.calls(&project, &query).await?),
        Request::CallSummary { project, query } => {
            Answer::CallSummary(driver.call_summary(&project, &query).await?)
        }
        Request::CleanLogs { project, older_than } => {
            Answer::LogsCleaned(driver.clean_logs(&project, older_than).await?)
        }
        Request::CreateKey { project, name, days } => {
            let valid_for = days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60));
            let made = driver.create_key(&project, &name, valid_for).await?;
            Answer::KeyCreated { id: made.id.to_string(), key: made.token.reveal().to_owned() }
        }
        Request::FinishLogin { project, server, redirected } => {
            login::finish(office, &project, &server, &redirected).await?
        }
        Request::Keys { project } => {
            // A project that is not there has no keys, but that is not what was asked.
            driver.servers(&project)?;
            Answer::Keys(driver.keys().into_iter().filter(|key| key.project == project).collect())
        }
        Request::Logout { project, server } => login::forget(office, &project, &server).await?,
        Request::Logs { project, query } => Answer::Logs(driver.logs(&project, &query).await?),
        Request::LogSummary { project, server } => {
            Answer::LogSummary(Box::new(driver.log_summary(&project, server.as_deref()).await?))
        }
        Request::Meters { project } => Answer::Meters(driver.meters(&project)?),
        Request::Order { project, server, order } => {
            Answer::Server(Box::new(driver.order(&project, &server, order).await?))
        }
        Request::RevokeKey { id } => {
            driver.revoke_key(&id).await?;
            Answer::Done
        }
        Request::Servers { project } => Answer::Servers(driver.servers(&project)?),
        Request::Status => Answer::Status(status(driver)),
        Request::Tools { project, server } => {
            driver.seen(&project, SURVEY).await?;
            Answer::Tools(driver.tools(&project, server.as_deref())?)
        }
    })
}

fn status(driver: &Driver) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        base_url: driver.instance().base_url.clone(),
        config_file: driver.instance().config_file.clone(),
    }
}

/// Where a hub of this data directory would listen.
pub(crate) fn socket(data_dir: &Path) -> std::path::PathBuf {
    crate::instance::socket_path(data_dir)
}
