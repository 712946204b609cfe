//! The REST interface of a hub, from its client's side.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Builder;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use orch_config::cli::HubArgs;
use serde_json::value::RawValue;
use tokio_util::task::TaskTracker;

use super::way::{Connection, Way};
use crate::json::{Look, pretty};
use crate::terminal;

/// How to find out what has become of a plan.
pub(crate) const BEGUN: &str = "whether the run was begun: mcp-orch batch list";

/// A hub, and the key for it.
pub(crate) struct Hub {
    way: Way,
    key: HeaderValue,
    /// The path of its runs.
    runs: String,
    connections: TaskTracker,
    /// Whether a refusal is shown as JSON.
    json: bool,
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
        Ok(Self { way, key, runs, connections: TaskTracker::new(), json: args.json })
    }

    /// Asks for something below the runs, and reads the answer. What went wrong is an error in the hub's words.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> anyhow::Result<Box<RawValue>> {
        Whole::of(self.send(method, path).await?).await?.read(self.json)
    }

    /// Begins a run. A hub that stops, or ends before it has answered, is asked again when it is back, under the same key, so that
    /// the run is begun once; one that was never there is not waited for, and neither is one that says nothing a second time.
    pub(crate) async fn begin(&self, plan: &str, pauses_ms: &[u64]) -> anyhow::Result<Box<RawValue>> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let key = HeaderValue::try_from(format!("{:032x}", u128::from_be_bytes(key)))?;
        let ask = async |stream| {
            let request = Request::builder().method(Method::POST).header("idempotency-key", &key);
            let response = self.send_on(stream, request, "", plan.to_owned()).await?;
            Whole::of(response).await
        };
        let mut stream = Ok(self.way.connect().await?);
        let (mut refused, mut is_broken) = (None, false);
        for pause in pauses_ms {
            if let Ok(stream) = stream {
                match ask(stream).await {
                    Ok(stops) if stops.0 == StatusCode::SERVICE_UNAVAILABLE => refused = Some(stops),
                    Ok(answer) => return answer.read(self.json),
                    Err(error) if is_broken => return Err(error),
                    Err(_) => is_broken = true,
                }
            }
            tokio::time::sleep(Duration::from_millis(*pause)).await;
            stream = self.way.connect().await;
        }
        match refused {
            Some(answer) => answer.read(self.json),
            None => bail!("the hub ended before it answered, and is gone; {BEGUN}"),
        }
    }

    /// Opens the stream of a run. Nothing where no hub answers, or one that is about to stop.
    pub(crate) async fn follow(&self, run: &str) -> anyhow::Result<Option<Incoming>> {
        let Ok(response) = self.send(Method::GET, &format!("/{run}/events")).await else {
            return Ok(None);
        };
        if response.status().is_success() {
            return Ok(Some(response.into_body()));
        }
        if response.status().is_server_error() {
            return Ok(None);
        }
        Whole::of(response).await?.read(self.json)?;
        bail!("the hub does not tell of the run")
    }

    async fn send(&self, method: Method, path: &str) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder().method(method);
        self.send_on(self.way.connect().await?, request, path, String::new()).await
    }

    async fn send_on(
        &self,
        stream: Box<dyn Connection>,
        request: Builder,
        path: &str,
        body: String,
    ) -> anyhow::Result<Response<Incoming>> {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.connections.spawn(connection);
        let request = request
            .uri(format!("{}{path}", self.runs))
            .header(HOST, self.way.authority())
            .header(AUTHORIZATION, &self.key)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let ended = || format!("{} has ended the connection: is it the address of a hub?", self.way);
        sender.send_request(request).await.with_context(ended)
    }
}

/// An answer that has come whole.
struct Whole(StatusCode, Bytes);

impl Whole {
    async fn of(response: Response<Incoming>) -> anyhow::Result<Self> {
        let status = response.status();
        Ok(Self(status, response.into_body().collect().await.context("the answer breaks off")?.to_bytes()))
    }

    /// The answer; a refusal is shown as JSON, too, where that is wanted.
    fn read(&self, json: bool) -> anyhow::Result<Box<RawValue>> {
        let Self(status, bytes) = self;
        let answer: Box<RawValue> =
            serde_json::from_slice(bytes).with_context(|| format!("the answer ({status}) is not JSON"))?;
        if status.is_success() {
            return Ok(answer);
        }
        if json {
            terminal::line(&pretty(&answer));
        }
        Err(refusal(&answer))
    }
}

/// What the hub says that it refuses something: with what is wrong with a plan, and with the plan where a model has written it.
fn refusal(answer: &RawValue) -> anyhow::Error {
    let detail =
        answer.member("detail").and_then(Look::text).unwrap_or_else(|| "the hub refuses that".into());
    let faults = answer.member("faults").map_or_else(Vec::new, Look::elements);
    let fault = |fault: &RawValue| format!("\n  {}: {}", fault.text_of("at"), fault.text_of("problem"));
    let mut words: String = faults.into_iter().map(fault).collect();
    if let Some(note) = answer.member("note").and_then(Look::text) {
        words.extend(["\n", &*note]);
    }
    if let Some(planned) = answer.member("planned") {
        words.extend(["\nthe plan that the planner made:\n", &*pretty(planned)]);
    }
    anyhow!("{detail}{words}")
}
