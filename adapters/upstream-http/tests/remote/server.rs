//! A small HTTP server that does as a test says, well or badly.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep};
use tokio_rustls::TlsAcceptor;

use crate::stage::PATIENCE;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) verb: String,
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The end of the connection, without an answer.
    Close,
    /// Nothing, for ever.
    Hang,
    /// An answer: status, headers, body.
    Say(u16, Vec<(&'static str, String)>, Vec<Step>),
}

/// What a body does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Break,
    Hold,
    Text(String),
    Wait(Duration),
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Receiver<Seen>,
    gone: Receiver<String>,
    connections: Arc<AtomicUsize>,
}

type Script = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

impl Server {
    pub(crate) fn start(runtime: &Handle, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::secure(runtime, None, script)
    }

    pub(crate) fn secure(
        runtime: &Handle,
        tls: Option<TlsAcceptor>,
        script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let ((seen, told), (gone, left)) = (channel(), channel());
        let connections = Arc::new(AtomicUsize::new(0));
        let stage = Performance { script: Arc::new(script), seen: Mutex::new(seen), gone: Mutex::new(gone) };
        let (stage, counter) = (Arc::new(stage), Arc::clone(&connections));
        let handle = runtime.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (stage, tls) = (Arc::clone(&stage), tls.clone());
                handle.spawn(async move {
                    match tls {
                        None => stage.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                stage.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen: told, gone: left, connections }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    #[track_caller]
    pub(crate) fn seen(&self) -> Seen {
        self.seen_within(PATIENCE).expect("a request comes")
    }

    pub(crate) fn seen_within(&self, wait: Duration) -> Option<Seen> {
        self.seen.recv_timeout(wait).ok()
    }

    /// The next request that is a POST of this method.
    #[track_caller]
    pub(crate) fn posted(&self, method: &str) -> Seen {
        loop {
            let seen = self.seen();
            if seen.verb == "POST" && seen.json()["method"] == method {
                return seen;
            }
        }
    }

    /// The next request with this verb.
    #[track_caller]
    pub(crate) fn verb(&self, verb: &str) -> Seen {
        loop {
            let seen = self.seen();
            if seen.verb == verb {
                return seen;
            }
        }
    }

    /// The next request body whose client left before its answer was over, as its method or verb.
    #[track_caller]
    pub(crate) fn left(&self) -> String {
        self.gone.recv_timeout(PATIENCE).expect("the client leaves")
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> String {
        self.json()["method"].as_str().map_or_else(|| self.verb.clone(), str::to_owned)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The result of this request, as JSON-RPC.
    pub(crate) fn result(&self, result: Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": self.json()["id"], "result": result })
    }
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Say(status, Vec::new(), Vec::new())
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let header = ("content-type", "application/json".to_owned());
        Self::Say(status, vec![header], vec![Step::Text(body.to_string())])
    }

    pub(crate) fn events(steps: impl IntoIterator<Item = Step>) -> Self {
        let header = ("content-type", "text/event-stream".to_owned());
        Self::Say(200, vec![header], steps.into_iter().collect())
    }

    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Say(status, mut headers, steps) => {
                headers.push((name, value.to_owned()));
                Self::Say(status, headers, steps)
            }
            other @ (Self::Close | Self::Hang) => other,
        }
    }
}

/// An event with a message.
pub(crate) fn event(message: &Value) -> Step {
    Step::Text(format!("event: message\ndata: {message}\n\n"))
}

pub(crate) fn text(text: &str) -> Step {
    Step::Text(text.to_owned())
}

pub(crate) fn wait(millis: u64) -> Step {
    Step::Wait(Duration::from_millis(millis))
}

/// A server with a session `s-1` and no stream of its own, which answers every request with its method.
pub(crate) fn plain(seen: &Seen) -> Reply {
    match (seen.verb.as_str(), seen.method().as_str()) {
        ("POST", "initialize") => {
            let result = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {} });
            Reply::json(200, &seen.result(result)).with("mcp-session-id", "s-1")
        }
        ("POST", _) if seen.json()["id"].is_null() || seen.json()["method"].is_null() => Reply::status(202),
        ("POST", method) => Reply::json(200, &seen.result(json!({ "method": method }))),
        ("GET", _) => Reply::status(405),
        _ => Reply::status(200),
    }
}

struct Performance {
    script: Script,
    seen: Mutex<Sender<Seen>>,
    gone: Mutex<Sender<String>>,
}

impl Performance {
    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let service = service_fn(|request| Arc::clone(&self).answer(request));
        let _end =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> io::Result<Response<Scripted>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let seen = Seen {
            verb: head.method.to_string(),
            target: head.uri.to_string(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        let _unheard = self.seen.lock().unwrap().send(seen.clone());
        let mut body = Scripted { steps: VecDeque::new(), wait: None, method: seen.method(), gone: None };
        body.gone = Some(self.gone.lock().unwrap().clone());
        match (self.script)(&seen) {
            Reply::Close => {
                body.gone = None;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Reply::Hang => {
                // Dropped with the connection, which is then told.
                body.steps.push_back(Step::Hold);
                let _held = body;
                std::future::pending().await
            }
            Reply::Say(status, headers, steps) => {
                body.steps = steps.into();
                let response = headers
                    .into_iter()
                    .fold(Response::builder().status(status), |response, (name, value)| {
                        response.header(name, value)
                    });
                Ok(response.body(body).unwrap())
            }
        }
    }
}

/// A body that does its steps, and tells when it is dropped before the last.
struct Scripted {
    steps: VecDeque<Step>,
    wait: Option<Pin<Box<Sleep>>>,
    method: String,
    gone: Option<Sender<String>>,
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(wait) = &mut self.wait {
                std::task::ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            match self.steps.pop_front() {
                None => {
                    self.gone = None;
                    return Poll::Ready(None);
                }
                Some(Step::Break) => {
                    self.gone = None;
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
                }
                Some(Step::Hold) => {
                    self.steps.push_front(Step::Hold);
                    return Poll::Pending;
                }
                Some(Step::Text(text)) => return Poll::Ready(Some(Ok(Frame::data(text.into())))),
                Some(Step::Wait(wait)) => self.wait = Some(Box::pin(sleep(wait))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.wait.is_none()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take().filter(|_| !self.steps.is_empty() || self.wait.is_some()) {
            let _unheard = gone.send(std::mem::take(&mut self.method));
        }
    }
}
