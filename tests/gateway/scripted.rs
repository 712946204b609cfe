//! A driver on a store in memory, with one upstream that answers from a script.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::BoxFuture;
use orch_core::ports::planner::{Planner, PlannerFault, PlannerFaultKind, Question, Written};
use orch_core::ports::store::Store;
use orch_core::ports::upstream::{Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams};
use orch_core::ports::variables::Variables;
use orch_core::record::{Mode, Premises, ServerSpec, Transport};
use orch_driver::{Driver, Options, Parts};
use orch_store_memory::MemoryStore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A running driver, and a key for it.
pub(crate) struct Hub {
    pub driver: Driver,
    pub key: String,
}

pub(crate) async fn hub() -> Hub {
    let driver = driver(Arc::new(MemoryStore::new()), Arc::new(ScriptedUpstreams), Limits::default()).await;
    let key = driver.create_key("default", "test", None).await.unwrap();
    Hub { driver, key: key.token.reveal().to_owned() }
}

/// What comes of all of these, at the same time.
pub(crate) async fn together<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        for (one, done) in &mut waiting {
            if done.is_none()
                && let Poll::Ready(output) = one.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}

/// A driver with one server, `echo`.
pub(crate) async fn driver(store: Arc<dyn Store>, upstreams: Arc<dyn Upstreams>, limits: Limits) -> Driver {
    let parts = Parts {
        store,
        stdio: Arc::clone(&upstreams),
        remote: upstreams,
        variables: Arc::new(NoVariables),
        planner: Arc::new(NoPlanner),
    };
    driver_of(parts, limits).await
}

/// The same on other parts.
pub(crate) async fn driver_of(parts: Parts, limits: Limits) -> Driver {
    let options = Options {
        limits,
        instance_key: [7; 32],
        base_url: "http://127.0.0.1:8000".to_owned(),
        config_file: "mcp-config.json".to_owned(),
        premises: Premises::default(),
        mode: Mode::Proxy,
    };
    let driver = Driver::start(parts, options).await.unwrap();
    let spec = ServerSpec::new(Transport::Stdio {
        command: "scripted".to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
        cwd: None,
    });
    driver.apply_servers("default", BTreeMap::from([("echo".to_owned(), spec)])).await.unwrap();
    driver
}

struct NoPlanner;

impl Planner for NoPlanner {
    fn ask(&self, _: Question) -> BoxFuture<'_, Result<Written, PlannerFault>> {
        let words = "there is none".to_owned();
        let fault = PlannerFault { kind: PlannerFaultKind::Unavailable, words };
        Box::pin(std::future::ready(Err(fault)))
    }
}

struct NoVariables;

impl Variables for NoVariables {
    fn lookup(&self, _: &str) -> Option<String> {
        None
    }
}

pub(crate) struct ScriptedUpstreams;

impl Upstreams for ScriptedUpstreams {
    #[expect(clippy::disallowed_methods, reason = "a scripted peer of a test needs no bound")]
    fn open(&self, _: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink> {
        let (frames, mut sent) = unbounded_channel::<Bytes>();
        crate::far_end::spawn(async move {
            sink.opened(None);
            while let Some(frame) = sent.recv().await {
                let answers = answer(&serde_json::from_slice(&frame).unwrap());
                sink.received(None, answers.into_iter().map(Bytes::from).collect());
            }
        });
        Box::new(ScriptedLink(frames))
    }
}

struct ScriptedLink(UnboundedSender<Bytes>);

impl UpstreamLink for ScriptedLink {
    fn send(&self, frame: Bytes) -> Result<(), QueueFull> {
        self.0.send(frame).map_err(|_| QueueFull)
    }

    fn close(&self, _: Grace) {}
}

#[derive(serde::Deserialize)]
struct Request<'a> {
    id: Option<u64>,
    method: String,
    #[serde(borrow)]
    params: Option<&'a serde_json::value::RawValue>,
}

#[derive(serde::Deserialize)]
struct Call<'a> {
    name: &'a str,
    #[serde(borrow)]
    arguments: &'a serde_json::value::RawValue,
}

fn answer(request: &Request<'_>) -> Vec<String> {
    let Some(id) = request.id else { return Vec::new() };
    let result = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
    match request.method.as_str() {
        "initialize" => vec![result(
            r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}"#,
        )],
        "tools/list" => vec![result(r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#)],
        "tools/call" => {
            let call: Call<'_> = serde_json::from_str(request.params.unwrap().get()).unwrap();
            let progress = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
            );
            let result = result(&format!(r#"{{"content":[],"structuredContent":{}}}"#, call.arguments.get()));
            if call.name == "quiet" { vec![result] } else { vec![progress, result] }
        }
        _ => vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"no"}}}}"#)],
    }
}
