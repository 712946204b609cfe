//! MCP over HTTP without an SDK: for what an SDK hides, refuses to send, or would repair.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(30);
const MODERN: &str = "2026-07-28";

/// One client at one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    http: Client,
    pub(crate) url: String,
    key: String,
    revision: String,
    pub(crate) session: Option<String>,
}

impl Wire {
    /// Shakes hands in a revision of the 2025 era.
    pub(crate) async fn legacy(url: String, key: &str, revision: &str) -> Self {
        let mut wire = Self::new(url, key, revision);
        let params = json!({
            "protocolVersion": revision,
            "capabilities": {},
            "clientInfo": { "name": "wire", "version": "1" },
        });
        let response = wire.post(&request(&json!(0), "initialize", &params)).await;
        let session = response.headers().get("mcp-session-id").expect("a session");
        wire.session = Some(session.to_str().expect("visible characters").to_owned());
        let answer = messages(response).await.pop().expect("an answer");
        assert_eq!(answer["result"]["protocolVersion"], revision, "{answer}");
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(wire.post(&initialized).await.status(), StatusCode::ACCEPTED);
        wire
    }

    /// Speaks the stateless revision, in which there is nothing to shake hands about.
    pub(crate) fn modern(url: String, key: &str) -> Self {
        Self::new(url, key, MODERN)
    }

    /// Has not shaken hands yet.
    pub(crate) fn stranger(url: String, key: &str) -> Self {
        Self::new(url, key, "2025-11-25")
    }

    fn new(url: String, key: &str, revision: &str) -> Self {
        let http = Client::builder().timeout(DEADLINE).build().expect("a client");
        Self { http, url, key: key.to_owned(), revision: revision.to_owned(), session: None }
    }

    /// The same client, in a session that another has opened.
    pub(crate) fn within(self, session: &str) -> Self {
        Self { session: Some(session.to_owned()), ..self }
    }

    /// The same client, after the hub has moved.
    pub(crate) fn moved(&self, url: String) -> Self {
        Self { url, ..self.clone() }
    }

    /// The answer to a request.
    pub(crate) async fn ask(&self, id: &Value, method: &str, params: Value) -> Value {
        let mut messages = self.hear(id, method, params).await;
        let answer = messages.pop().expect("an answer");
        assert_eq!(answer["id"], *id, "{answer}");
        answer
    }

    /// The result of calling a tool, where a refusal is a failure of the test.
    pub(crate) async fn call(&self, id: &Value, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments });
        let mut answer = self.ask(id, "tools/call", params).await;
        assert!(answer.get("error").is_none(), "{answer}");
        answer["result"].take()
    }

    /// The text that a tool answers with.
    pub(crate) async fn call_for_text(&self, tool: &str, arguments: Value) -> String {
        let result = self.call(&json!("call"), tool, arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {result}")).to_owned()
    }

    /// The items of a list, whatever its pages.
    pub(crate) async fn list(&self, kind: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut params = json!({});
        loop {
            let mut answer = self.ask(&json!("list"), &format!("{kind}/list"), params).await;
            let page = answer["result"][kind].as_array_mut();
            items.append(page.unwrap_or_else(|| panic!("no list of {kind}")));
            match answer["result"].get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return items,
            }
        }
    }

    /// The names of the tools.
    pub(crate) async fn tools(&self) -> Vec<String> {
        let tools = self.list("tools").await;
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Every message of the answer to a request, the answer last.
    pub(crate) async fn hear(&self, id: &Value, method: &str, params: Value) -> Vec<Value> {
        let response = self.post(&request(id, method, &self.with_meta(params))).await;
        let status = response.status();
        let messages = messages(response).await;
        assert!(!messages.is_empty(), "no message in an answer with status {status}");
        messages
    }

    /// Posts a message as it is.
    pub(crate) async fn post(&self, message: &Value) -> Response {
        let mut post = self
            .http
            .post(&self.url)
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if message["method"] != "initialize" {
            post = post.header("mcp-protocol-version", &self.revision);
        }
        if let Some(session) = &self.session {
            post = post.header("mcp-session-id", session);
        }
        if self.revision == MODERN {
            post = post.header("mcp-method", message["method"].as_str().expect("a method"));
            let subject = message["params"].get("name").or_else(|| message["params"].get("uri"));
            if let Some(subject) = subject.and_then(Value::as_str) {
                post = post.header("mcp-name", subject);
            }
        }
        post.body(message.to_string()).send().await.expect("a response")
    }

    /// A request as this client writes it, with the id 1.
    pub(crate) fn request(&self, method: &str, params: Value) -> Value {
        request(&json!(1), method, &self.with_meta(params))
    }

    /// Opens a lost stream again, after the event with this id.
    pub(crate) async fn resume(&self, cursor: &str) -> Response {
        self.get().header("last-event-id", cursor).send().await.expect("a response")
    }

    /// Opens the stream for what no request asked for.
    pub(crate) async fn listen(&self) -> Response {
        self.get().send().await.expect("a response")
    }

    fn get(&self) -> RequestBuilder {
        let get = self.http.get(&self.url).bearer_auth(&self.key).header("accept", "text/event-stream");
        let session = self.session.as_deref().expect("a session");
        get.header("mcp-protocol-version", &self.revision).header("mcp-session-id", session)
    }

    fn with_meta(&self, mut params: Value) -> Value {
        if self.revision == MODERN {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        params
    }
}

fn request(id: &Value, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

/// The messages of a response, be it one of JSON or a stream of events.
pub(crate) async fn messages(response: Response) -> Vec<Value> {
    let status = response.status();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let stream = kind.starts_with("text/event-stream");
    let body = response.text().await.expect("a body");
    let parse = |text: &str| {
        serde_json::from_str(text)
            .unwrap_or_else(|error| panic!("{error} in an answer with {status}: {text}"))
    };
    if !stream {
        return vec![parse(&body)];
    }
    let data = body.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    data.filter(|data| !data.is_empty()).map(parse).collect()
}
