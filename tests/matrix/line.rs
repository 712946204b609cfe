//! A client on the wire, in any revision and over any transport, and what it hears.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::answers::{Manner, answer};
use crate::client::Client;
use crate::events::Events;
use crate::hub::Hub;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(10);

/// The resources that a stateless client listens for from its beginning.
pub(crate) const WATCHED: [&str; 2] = ["test://watched-resource", "test://static-text"];

/// An initialized client.
pub(crate) struct Line {
    pub(crate) client: Client,
    http: reqwest::Client,
    /// Where messages are posted to.
    url: String,
    key: String,
    session: Option<String>,
    /// The answer to `initialize`, or the first message of `subscriptions/listen`.
    pub(crate) hello: Value,
    /// What came on the standing stream: that of HTTP+SSE, of GET, or of `subscriptions/listen`.
    heard: watch::Sender<Vec<Value>>,
    last_id: AtomicU64,
    reader: JoinSet<()>,
}

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    pub(crate) status: u16,
    /// The questions that the client was asked because of it.
    pub(crate) asked: Vec<Value>,
    /// The notifications that came before the answer, where the answer came.
    pub(crate) told: Vec<Value>,
    /// The whole message.
    pub(crate) answer: Value,
}

impl Talk {
    /// The first text of the result.
    pub(crate) fn text(&self) -> &str {
        self.answer["result"]["content"][0]["text"].as_str().unwrap_or_default()
    }

    /// Whether the answer is an error, or the result of a tool that failed.
    pub(crate) fn failed(&self) -> bool {
        self.answer.get("error").is_some() || self.answer["result"]["isError"] == true
    }
}

impl Line {
    pub(crate) async fn open(hub: &Hub, key: &str, client: Client) -> Result<Self, String> {
        let http = reqwest::Client::builder().timeout(Duration::from_mins(2)).build();
        let mut line = Self {
            client,
            http: http.map_err(|error| error.to_string())?,
            url: hub.at(client.path()),
            key: key.to_owned(),
            session: None,
            hello: Value::Null,
            heard: watch::Sender::new(Vec::new()),
            last_id: AtomicU64::new(0),
            reader: JoinSet::new(),
        };
        timeout(2 * PATIENCE, line.begin(hub)).await.map_err(|_| "no beginning in time".to_owned())??;
        Ok(line)
    }

    async fn begin(&mut self, hub: &Hub) -> Result<(), String> {
        match self.client {
            Client::Sse => {
                let mut stream = Events::of(self.get().await?);
                let endpoint = stream.next_event().await?;
                let (_, path) = endpoint.filter(|(name, _)| name == "endpoint").ok_or("no endpoint event")?;
                self.url = hub.at(&path);
                self.follow(stream);
                self.initialize().await
            }
            Client::Session(_) => {
                self.initialize().await?;
                let stream = self.get().await?;
                self.follow(Events::of(stream));
                Ok(())
            }
            Client::Stateless => {
                let filter = json!({
                    "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true,
                    "resourceSubscriptions": WATCHED,
                });
                let params = json!({ "notifications": filter });
                let listen = self.request(&json!("listen"), "subscriptions/listen", params);
                let mut stream = Events::of(self.post(&listen).await?);
                self.hello = stream.next().await?.unwrap_or_default();
                self.follow(stream);
                Ok(())
            }
        }
    }

    async fn initialize(&mut self) -> Result<(), String> {
        let params = json!({
            "protocolVersion": self.client.revision().date(),
            "capabilities": abilities(),
            "clientInfo": { "name": "matrix", "version": "1" },
        });
        let message = self.request(&json!("hello"), "initialize", params);
        let mut talk = Talk::default();
        if self.client == Client::Sse {
            self.exchange(&message, Manner::Answers, &mut talk).await?;
        } else {
            let response = self.post(&message).await?;
            let session = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
            self.session = session.map(ToOwned::to_owned);
            talk.answer = Events::of(response).next().await?.unwrap_or_default();
        }
        self.hello = talk.answer["result"].take();
        match self.tell("notifications/initialized", json!({})).await? {
            202 => Ok(()),
            status => Err(format!("notifications/initialized: {status}")),
        }
    }

    /// Collects what comes on the standing stream.
    fn follow(&mut self, mut stream: Events) {
        let heard = self.heard.clone();
        self.reader.spawn(async move {
            while let Ok(Some(message)) = stream.next().await {
                heard.send_modify(|all| all.push(message));
            }
        });
    }

    /// Asks, and answers what is asked meanwhile.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> Result<Talk, String> {
        let id = json!(self.last_id.fetch_add(1, Ordering::Relaxed) + 1);
        self.ask_as(&id, method, params, Manner::Answers).await
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Talk, String> {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Asks under an id, and does something else about questions.
    pub(crate) async fn ask_as(
        &self,
        id: &Value,
        method: &str,
        params: Value,
        manner: Manner,
    ) -> Result<Talk, String> {
        let mut talk = Talk::default();
        let rounds = self.ask_in_rounds(id, method, params, manner, &mut talk);
        match timeout(PATIENCE, rounds).await {
            Ok(ended) => ended.map(|()| talk),
            Err(_) => Err(format!("{method} has no answer after {PATIENCE:?}: {talk:?}")),
        }
    }

    async fn ask_in_rounds(
        &self,
        id: &Value,
        method: &str,
        mut params: Value,
        manner: Manner,
        talk: &mut Talk,
    ) -> Result<(), String> {
        loop {
            let message = self.request(id, method, params.clone());
            self.exchange(&message, manner, talk).await?;
            let result = &talk.answer["result"];
            if result["resultType"] != "input_required" {
                return Ok(());
            }
            if let Some(state) = result.get("requestState") {
                params["requestState"] = state.clone();
            }
            let questions = result["inputRequests"].as_object().cloned().unwrap_or_default();
            if manner == Manner::Waits {
                sleep(PAUSE).await;
            } else {
                let named = questions.iter().map(|(name, question)| (name.clone(), answer(question)));
                params["inputResponses"] = named.collect();
            }
            talk.asked.extend(questions.into_iter().map(|(_, question)| question));
        }
    }

    /// Posts a request, and reads until its answer.
    async fn exchange(&self, message: &Value, manner: Manner, talk: &mut Talk) -> Result<(), String> {
        let mut next = self.mark();
        let response = self.post(message).await?;
        talk.status = response.status().as_u16();
        let mut events = Events::of(response);
        let on_stream = self.client == Client::Sse && talk.status == 202;
        loop {
            let said = if on_stream {
                next += 1;
                self.hear_from(next - 1, |_| true).await?
            } else {
                events.next().await?.ok_or_else(|| format!("no answer with status {}", talk.status))?
            };
            match (said.get("method"), said.get("id")) {
                (Some(_), Some(_)) => {
                    self.on_question(&said, manner).await?;
                    talk.asked.push(said);
                }
                (Some(_), None) => talk.told.push(said),
                (None, id) if !on_stream || id == message.get("id") => {
                    talk.answer = said;
                    return Ok(());
                }
                (None, _) => {}
            }
        }
    }

    async fn on_question(&self, question: &Value, manner: Manner) -> Result<(), String> {
        let status = match manner {
            Manner::Answers => {
                let said = json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer(question) });
                self.post(&said).await?.status().as_u16()
            }
            Manner::Reports => {
                let token = &question["params"]["_meta"]["progressToken"];
                self.tell("notifications/progress", json!({ "progressToken": token, "progress": 1 })).await?
            }
            Manner::Waits => return Ok(()),
        };
        match status {
            202 => Ok(()),
            status => Err(format!("an answer to {question}: {status}")),
        }
    }

    /// Sends a notification. Returns the status.
    pub(crate) async fn tell(&self, method: &str, params: Value) -> Result<u16, String> {
        let mut message = self.request(&Value::Null, method, params);
        message.as_object_mut().map(|message| message.remove("id"));
        Ok(self.post(&message).await?.status().as_u16())
    }

    /// Ends the session, where there is one that does not end with its stream.
    pub(crate) async fn close(self) -> Result<(), String> {
        let Some(session) = &self.session else { return Ok(()) };
        let delete = self.http.delete(&self.url).bearer_auth(&self.key).header("mcp-session-id", session);
        match delete.send().await.map_err(|error| error.to_string())?.status().as_u16() {
            204 => Ok(()),
            status => Err(format!("the end of a session: {status}")),
        }
    }

    /// The end of what was heard so far.
    pub(crate) fn mark(&self) -> usize {
        self.heard.borrow().len()
    }

    /// What was heard since a mark.
    pub(crate) fn since(&self, mark: usize) -> Vec<Value> {
        self.heard.borrow().iter().skip(mark).cloned().collect()
    }

    /// Waits for a message on the standing stream.
    pub(crate) async fn hear_from(
        &self,
        mark: usize,
        wanted: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Result<Value, String> {
        let mut heard = self.heard.subscribe();
        let find = |all: &Vec<Value>| all.iter().skip(mark).find(|message| wanted(message)).cloned();
        let there = timeout(PATIENCE, heard.wait_for(|all| find(all).is_some())).await;
        let found = there.ok().and_then(Result::ok).and_then(|all| find(&all));
        found.ok_or_else(|| format!("not heard within {PATIENCE:?}; heard were {:?}", self.since(mark)))
    }

    /// A request as its revision has it.
    fn request(&self, id: &Value, method: &str, mut params: Value) -> Value {
        if self.client == Client::Stateless {
            let meta = &mut params["_meta"];
            meta["io.modelcontextprotocol/protocolVersion"] = json!(self.client.revision().date());
            meta["io.modelcontextprotocol/clientCapabilities"] = abilities();
        }
        json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
    }

    async fn post(&self, message: &Value) -> Result<Response, String> {
        let mut post = self.http.post(&self.url).bearer_auth(&self.key);
        post = post.header("content-type", "application/json");
        post = post.header("accept", "application/json, text/event-stream");
        let begins = message["method"] == "initialize" && self.client != Client::Stateless;
        if self.client.names_revision() && !begins {
            post = post.header("mcp-protocol-version", self.client.revision().date());
        }
        if let Some(session) = &self.session {
            post = post.header("mcp-session-id", session);
        }
        if self.client == Client::Stateless {
            post = post.header("mcp-method", message["method"].as_str().unwrap_or_default());
            let subject = message["params"].get("name").or_else(|| message["params"].get("uri"));
            if let Some(subject) = subject.and_then(Value::as_str) {
                post = post.header("mcp-name", subject);
            }
        }
        post.body(message.to_string()).send().await.map_err(|error| format!("not sent: {error}"))
    }

    async fn get(&self) -> Result<Response, String> {
        let mut get = self.http.get(&self.url).bearer_auth(&self.key).header("accept", "text/event-stream");
        if self.client.names_revision() {
            get = get.header("mcp-protocol-version", self.client.revision().date());
        }
        if let Some(session) = &self.session {
            get = get.header("mcp-session-id", session);
        }
        let response = get.send().await.map_err(|error| error.to_string())?;
        match response.status().as_u16() {
            200 => Ok(response),
            status => Err(format!("a stream is refused with {status}")),
        }
    }
}

/// All that a client of any revision can say that it can do.
fn abilities() -> Value {
    json!({ "roots": { "listChanged": true }, "sampling": { "tools": {} }, "elicitation": { "form": {}, "url": {} } })
}
