//! A client's session at an endpoint, in the way of its era. Of the stateless era it is only a name.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use orch_core::sse::Parser;

use super::call::{Call, Verdict, response_id};
use super::connection::{Connection, body};
use super::events::Events;
use super::{Era, Plan};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// The longest event that is read: an answer is never longer.
pub(crate) const LONGEST: usize = 64 << 20;

const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) plan: Rc<Plan>,
    number: usize,
    /// Of every request.
    headers: HeaderMap,
    /// Where requests are posted to.
    path: String,
    /// Where answers come from, in HTTP+SSE.
    events: Option<Events>,
    next_id: Cell<u64>,
    /// For what belongs to no worker.
    spare: RefCell<Option<Connection>>,
}

impl Session {
    pub(crate) async fn open(plan: Rc<Plan>, number: usize) -> Result<Self, String> {
        let (headers, path) = (headers(&plan)?, plan.endpoint.clone());
        let (next_id, spare) = (Cell::new(1), RefCell::new(None));
        let mut session = Self { plan, number, headers, path, events: None, next_id, spare };
        match session.plan.shape.era {
            Era::Stateless => {}
            Era::Session => session.shake_hands().await?,
            Era::Sse => {
                let events = Events::open(session.plan.address, &session.path, &session.headers).await?;
                events.path().clone_into(&mut session.path);
                session.events = Some(events);
                session.shake_hands().await?;
            }
        }
        Ok(session)
    }

    async fn shake_hands(&mut self) -> Result<(), String> {
        let revision = if self.plan.shape.era == Era::Sse { "2024-11-05" } else { "2025-11-25" };
        let hello = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"1"}}}}}}"#
        );
        let mut connection = Connection::open(self.plan.address).await?;
        let answer = self.events.as_ref().map(|events| events.expect(0));
        let response = connection.send(Method::POST, &self.path, &self.headers, hello.into()).await?;
        let status = response.status();
        if let Some(id) = response.headers().get(&SESSION) {
            self.headers.insert(SESSION, id.clone());
        }
        let direct = body(response).await?;
        let answer = match answer {
            Some(answer) => answer.await.map_err(|_| "the stream has ended".to_owned())?,
            None => direct,
        };
        let agreed = format!("\"protocolVersion\":\"{revision}\"");
        if !status.is_success() || memchr::memmem::find(&answer, agreed.as_bytes()).is_none() {
            return Err(format!("initialize: {status} {}", String::from_utf8_lossy(&answer)));
        }
        if self.plan.shape.era == Era::Session {
            self.headers.insert(REVISION, HeaderValue::from_static("2025-11-25"));
        }
        let initialized = Bytes::from_static(INITIALIZED);
        let response = connection.send(Method::POST, &self.path, &self.headers, initialized).await?;
        let status = response.status();
        body(response).await?;
        self.spare.replace(Some(connection));
        if status == 202 { Ok(()) } else { Err(format!("notifications/initialized: {status}")) }
    }

    /// The next call of this session.
    pub(crate) fn next_call(&self) -> Call {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        Call::new(self.number, id, self.plan.shape.text_bytes, self.plan.shape.pad_bytes)
    }

    /// Makes one call, on a connection that it has already.
    pub(crate) async fn call_once(&self) -> Result<(), String> {
        let spare = self.spare.take();
        let mut connection = match spare {
            Some(connection) => connection,
            None => Connection::open(self.plan.address).await?,
        };
        let verdict = self.call(&mut connection, &self.next_call()).await;
        self.spare.replace(Some(connection));
        match verdict {
            Verdict::Right => Ok(()),
            Verdict::Missing(why) | Verdict::Wrong(why) => Err(why),
        }
    }

    /// Makes a call and judges its answer.
    pub(crate) async fn call(&self, connection: &mut Connection, call: &Call) -> Verdict {
        match self.ask(connection, call).await {
            Ok(answer) => call.judge(&answer),
            Err(why) => Verdict::Missing(why),
        }
    }

    async fn ask(&self, connection: &mut Connection, call: &Call) -> Result<Bytes, String> {
        let message = call.message(&self.plan.tool, self.plan.shape.era == Era::Stateless);
        let coming = self.events.as_ref().map(|events| events.expect(call.id));
        let response = connection.send(Method::POST, &self.path, &self.headers, message).await?;
        let status = response.status();
        let streamed = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let direct = body(response).await?;
        match coming {
            Some(coming) if status == 202 => coming.await.map_err(|_| "the stream has ended".to_owned()),
            None if status == 200 && streamed => {
                answer_in(&direct).ok_or_else(|| "a stream without an answer".to_owned())
            }
            None if status == 200 => Ok(direct),
            Some(_) | None => Err(format!("{status}: {}", String::from_utf8_lossy(&direct))),
        }
    }

    /// The first page of what is offered.
    pub(crate) async fn list(&self) -> Result<Bytes, String> {
        const LIST: &[u8] = br#"{"jsonrpc":"2.0","id":"l","method":"tools/list"}"#;
        let spare = self.spare.take();
        let mut connection = match spare {
            Some(connection) => connection,
            None => Connection::open(self.plan.address).await?,
        };
        let response =
            connection.send(Method::POST, &self.path, &self.headers, Bytes::from_static(LIST)).await?;
        let status = response.status();
        let page = body(response).await?;
        self.spare.replace(Some(connection));
        if status == 200 {
            Ok(page)
        } else {
            Err(format!("tools/list: {status} {}", String::from_utf8_lossy(&page)))
        }
    }

    /// Opens the stream that its server speaks on unasked. It stays open as long as what is returned.
    pub(crate) async fn listen(&self) -> Result<impl Sized + use<>, String> {
        let mut connection = Connection::open(self.plan.address).await?;
        let mut headers = self.headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = connection.send(Method::GET, &self.path, &headers, Bytes::new()).await?;
        if response.status() == 200 {
            Ok((connection, response))
        } else {
            Err(format!("GET: {}", response.status()))
        }
    }

    /// Lets its connection go; the session stays.
    pub(crate) fn rest(&self) {
        drop(self.spare.take());
    }

    /// Ends the session, where there is one.
    pub(crate) async fn close(&self) {
        let spare = self.spare.take();
        if let Some(mut connection) = spare.filter(|_| self.plan.shape.era == Era::Session) {
            let _ended_anyway =
                connection.send(Method::DELETE, &self.path, &self.headers, Bytes::new()).await;
        }
    }
}

/// The response among the events of a whole stream.
fn answer_in(stream: &[u8]) -> Option<Bytes> {
    let mut parser = Parser::new(LONGEST);
    parser.push(stream);
    while let Some(event) = parser.pop().ok()? {
        if response_id(&event.data).is_some() {
            return Some(event.data.into());
        }
    }
    None
}

fn headers(plan: &Plan) -> Result<HeaderMap, String> {
    let value = |text: &str| HeaderValue::try_from(text).map_err(|_| format!("no header value: {text}"));
    let mut headers = HeaderMap::new();
    headers.insert(HOST, value(&plan.address.to_string())?);
    headers.insert(AUTHORIZATION, value(&format!("Bearer {}", plan.key))?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    if plan.shape.era == Era::Stateless {
        headers.insert(REVISION, HeaderValue::from_static("2026-07-28"));
        headers.insert("mcp-method", HeaderValue::from_static("tools/call"));
        headers.insert("mcp-name", value(&plan.tool)?);
    }
    Ok(headers)
}
