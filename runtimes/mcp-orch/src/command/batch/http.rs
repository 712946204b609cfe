//! The REST interface of a hub, from its client's side.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use orch_config::cli::HubArgs;
use serde_json::Value;
use tokio_util::task::TaskTracker;

use super::way::Way;

/// A hub, and the key for it.
pub(crate) struct Hub {
    way: Way,
    key: HeaderValue,
    /// The path of its runs.
    runs: String,
    connections: TaskTracker,
}

impl Hub {
    pub(crate) fn of(args: &HubArgs) -> anyhow::Result<Self> {
        let way = Way::to(&args.url, args.ca.as_deref())?;
        let key = match &args.key_file {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                text.trim().lines().next_back().unwrap_or_default().trim().to_owned()
            }
            None => orch_config::environment::lookup("MCP_ORCH_KEY").filter(|key| !key.is_empty()).context(
                "a key is needed: export MCP_ORCH_KEY=$(mcp-orch keys create --name batch | tail -n 1), or --key-file",
            )?,
        };
        let mut key = HeaderValue::try_from(format!("Bearer {key}"))
            .context("the key has characters that no key has")?;
        key.set_sensitive(true);
        let runs = format!("{}/api/projects/{}/batches", way.path(), args.project);
        Ok(Self { way, key, runs, connections: TaskTracker::new() })
    }

    /// Asks for something below the runs, and reads the answer. What went wrong is an error in the hub's words.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Value> {
        let response = self.send(method, path, body).await?;
        read(response).await
    }

    /// Opens the stream of a run. Nothing where no hub answers, or one that is about to stop.
    pub(crate) async fn follow(&self, run: &str) -> anyhow::Result<Option<Incoming>> {
        let Ok(response) = self.send(Method::GET, &format!("/{run}/events"), None).await else {
            return Ok(None);
        };
        if response.status().is_success() {
            return Ok(Some(response.into_body()));
        }
        if response.status().is_server_error() {
            return Ok(None);
        }
        read(response).await?;
        bail!("the hub does not tell of the run")
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> anyhow::Result<Response<Incoming>> {
        let stream = self.way.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.connections.spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.runs))
            .header(HOST, self.way.authority())
            .header(AUTHORIZATION, &self.key)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let ended = || format!("{} has ended the connection: is it the address of a hub?", self.way);
        sender.send_request(request).await.with_context(ended)
    }
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Value> {
    let status = response.status();
    let bytes = response.into_body().collect().await.context("the answer breaks off")?.to_bytes();
    let answer: Value =
        serde_json::from_slice(&bytes).with_context(|| format!("the answer ({status}) is not JSON"))?;
    if status.is_success() {
        return Ok(answer);
    }
    let detail = answer.get("detail").and_then(Value::as_str).unwrap_or("the hub refuses that");
    let fault = |fault: &Value| {
        let text = |name| fault.get(name).and_then(Value::as_str).unwrap_or_default();
        format!("\n  {}: {}", text("at"), text("problem"))
    };
    let faults: String =
        answer.get("faults").and_then(Value::as_array).into_iter().flatten().map(fault).collect();
    bail!("{detail}{faults}")
}
