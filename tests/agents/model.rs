//! What stands in for a model: a server on the loopback interface that follows two rules, in every dialect.
//!
//! It calls the first tool that it is offered whose name ends as it is told, and repeats what the tool answered. Whatever
//! else it is asked (the title of a conversation, say), it answers `ok`. It remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::dialect::{Answer, Dialect, Prompt};

/// A model that answers until it goes out of scope.
pub(crate) struct Model {
    /// `http://127.0.0.1:<port>`
    pub(crate) url: String,
    mind: Arc<Mind>,
    _serving: JoinSet<()>,
}

struct Mind {
    /// The end of the tool's name.
    tool: &'static str,
    /// What it tells the tool.
    arguments: Value,
    /// What it was asked and answered, a line each.
    memory: Mutex<Vec<String>>,
}

impl Model {
    pub(crate) async fn that_calls(tool: &'static str, arguments: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let mind = Arc::new(Mind { tool, arguments, memory: Mutex::default() });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&mind)));
        Self { url, mind, _serving: serving }
    }

    /// What it was asked and answered, for a message.
    pub(crate) fn memory(&self) -> String {
        self.mind.memory.lock().expect("the memory").join("\n")
    }
}

async fn serve(listener: TcpListener, mind: Arc<Mind>) {
    let mut connections = JoinSet::new();
    loop {
        let (connection, _) = listener.accept().await.expect("a connection");
        connections.spawn(converse(connection, Arc::clone(&mind)));
        // Whoever has hung up need not be remembered.
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(connection: TcpStream, mind: Arc<Mind>) {
    let answer = service_fn(|request| {
        let mind = Arc::clone(&mind);
        async move { Ok::<_, Infallible>(mind.answer(request).await) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), answer);
    // An agent may leave at any time.
    let _left = connection.await;
}

impl Mind {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let asked = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let dialect = Dialect::of(head.uri.path()).filter(|_| head.method == Method::POST);
        let (status, kind, answer, what) = match dialect {
            Some(dialect) => {
                let prompt = dialect.read(&asked);
                let answer = self.decide(&prompt);
                let names: Vec<&str> = prompt.tools.iter().map(|tool| tool.name.as_str()).collect();
                let what = format!("tools {names:?}, result {:?}: {answer:?}", prompt.result);
                (200, "text/event-stream", dialect.write(&answer), what)
            }
            None => {
                let start = String::from_utf8_lossy(&body).chars().take(500).collect::<String>();
                let error = json!({ "error": { "type": "not_found_error", "message": "not here" } });
                (404, "application/json", error.to_string(), format!("not understood: {start}"))
            }
        };
        self.memory.lock().expect("the memory").push(format!("{} {}: {what}", head.method, head.uri));
        let response = Response::builder().status(status).header("content-type", kind);
        response.body(answer.into()).expect("a response")
    }

    fn decide(&self, prompt: &Prompt) -> Answer {
        let wanted = prompt.tools.iter().find(|tool| tool.name.ends_with(self.tool));
        match (&prompt.result, wanted) {
            (Some(result), _) => Answer::Say(format!("The tool answered {result}")),
            (None, Some(tool)) => Answer::Call { tool: tool.clone(), arguments: self.arguments.clone() },
            (None, None) => Answer::Say("ok".to_owned()),
        }
    }
}
