//! The stream of an HTTP+SSE session: it names the path to post to, then brings every answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue};
use orch_core::sse::{Parsed, Parser};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local};

use super::call::response_id;
use super::connection::Connection;
use super::session::LONGEST;

/// Who waits for which answer.
type Waiting = Rc<RefCell<HashMap<u64, oneshot::Sender<Bytes>>>>;

#[derive(Debug)]
pub(crate) struct Events {
    path: String,
    waiting: Waiting,
    reader: AbortHandle,
}

impl Events {
    /// Opens a stream and waits for its first event.
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &HeaderMap) -> Result<Self, String> {
        let mut connection = Connection::open(address).await?;
        let mut headers = headers.clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = connection.send(Method::GET, path, &headers, Bytes::new()).await?;
        if response.status() != 200 {
            return Err(format!("{path}: {}", response.status()));
        }
        let mut stream = Stream { body: response.into_body(), parser: Parser::new(LONGEST) };
        let first = stream.next().await.ok_or("the stream ended before its first event")?;
        let path = String::from_utf8(first.data).ok().filter(|_| first.event == "endpoint");
        let path = path.ok_or("the first event names no endpoint")?;
        let waiting = Waiting::default();
        let told = Rc::clone(&waiting);
        let reader = spawn_local(async move {
            // Without its sender the connection would end.
            let _connection = connection;
            while let Some(event) = stream.next().await {
                let waits = response_id(&event.data).and_then(|id| told.borrow_mut().remove(&id));
                // An answer that nobody waits for is one too many: the call that it was taken from misses it.
                let _gone = waits.map(|waits| waits.send(event.data.into()));
            }
            told.borrow_mut().clear();
        });
        Ok(Self { path, waiting, reader: reader.abort_handle() })
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The answer to a request that is about to be posted.
    pub(crate) fn expect(&self, id: u64) -> oneshot::Receiver<Bytes> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(id, sender);
        receiver
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct Stream {
    body: Incoming,
    parser: Parser,
}

impl Stream {
    async fn next(&mut self) -> Option<Parsed> {
        loop {
            if let Some(event) = self.parser.pop().ok()? {
                return Some(event);
            }
            let frame = self.body.frame().await?.ok()?;
            self.parser.push(frame.data_ref()?);
        }
    }
}
