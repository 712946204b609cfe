//! A provider for one test: keeps the requests that it gets, and answers them one after the other.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orch_core::limits::PlannerLimits;
use orch_core::planner::{PlannerSpec, Prompt, Provider, Role, Turn};
use orch_core::ports::planner::{Planner, PlannerFault, Question, Written};
use orch_core::{Limits, Timestamp};
use orch_planner::HttpPlanner;
use serde_json::Value;
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) verb: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name}: {self:?}")).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What it does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers: status, headers, body.
    Say(u16, Vec<(&'static str, String)>, String),
    /// Says nothing.
    Hang,
}

pub(crate) fn say(status: u16, body: &str) -> Act {
    Act::Say(status, Vec::new(), body.to_owned())
}

#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl Peer {
    /// Answers with these, and with the last one from then on.
    pub(crate) async fn acting(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, acts) = (Arc::default(), Arc::new(Mutex::new(acts.into_iter().collect::<VecDeque<_>>())));
        let peer = Self { url, seen: Arc::clone(&seen) };
        let runtime = tokio::runtime::Handle::current();
        let handle = runtime.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, acts) = (Arc::clone(&seen), Arc::clone(&acts));
                let serve = service_fn(move |request| answer(request, Arc::clone(&seen), Arc::clone(&acts)));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
                handle.spawn(connection);
            }
        });
        peer
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that came.
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        let [only] = seen.as_slice() else { panic!("one request is expected: {seen:?}") };
        only.clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
    acts: Arc<Mutex<VecDeque<Act>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let it =
        Seen { verb: head.method.to_string(), target: head.uri.to_string(), headers: head.headers, body };
    seen.lock().unwrap().push(it);
    let act = {
        let mut acts = acts.lock().unwrap();
        if acts.len() > 1 { acts.pop_front() } else { acts.front().cloned() }
    };
    match act {
        Some(Act::Say(status, headers, body)) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(Full::new(body.into())).unwrap())
        }
        Some(Act::Hang) | None => std::future::pending().await,
    }
}

/// Limits with which no test waits for long.
pub(crate) fn limits() -> Limits {
    let planner = PlannerLimits {
        retry_first: Duration::from_millis(5),
        retry_last: Duration::from_millis(1500),
        answer_bytes: 4096,
        ..PlannerLimits::default()
    };
    Limits { planner, ..Limits::default() }
}

/// 28 July 2026, 12:00:01 UTC.
pub(crate) const AT: Timestamp = Timestamp(1_785_240_001_000);

pub(crate) fn question(provider: Provider) -> Question {
    let turn = |role, text: &str| Turn { role, text: text.to_owned() };
    let turns =
        vec![turn(Role::User, "Goal: \"x\" – é"), turn(Role::Assistant, "{}"), turn(Role::User, "mend it")];
    Question {
        spec: Arc::new(PlannerSpec::new(provider, "the-model")),
        model: "the-model".to_owned(),
        prompt: Prompt { system: "rules".to_owned(), turns },
        max_tokens: 300,
        timeout: Duration::from_secs(20),
        at: AT,
    }
}

pub(crate) async fn ask(question: Question) -> Result<Written, PlannerFault> {
    HttpPlanner::new(None, limits()).unwrap().ask(question).await
}
