//! The requests of one link: what each HTTP verb means, and the headers that go with it.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use hyper::body::Incoming;

use crate::client::{Client, Outgoing, Unanswered};
use crate::guard::Destination;
use crate::message::Message;
use crate::outlet::Outlet;
use crate::session::Session;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// What the tasks of one link share.
pub(crate) struct Wires {
    pub(crate) client: Client,
    /// Where messages are posted.
    pub(crate) uri: Uri,
    /// Answers come on the one stream of the link, as in 2024-11-05.
    pub(crate) one_stream: bool,
    pub(crate) session: Session,
    pub(crate) outlet: Outlet,
    /// The longest message.
    pub(crate) limit: usize,
}

impl Wires {
    pub(crate) fn to(&self) -> &Destination {
        self.client.to()
    }

    /// Whether there is a session that the server can forget. In 2024-11-05 it is the stream, and its name is in `uri`.
    pub(crate) fn has_session(&self) -> bool {
        self.one_stream || self.session.has_id()
    }

    /// Sends a message.
    pub(crate) async fn post(&self, message: Message) -> Result<Response<Incoming>, Unanswered> {
        let opens = message.request().is_some_and(|request| request.opens);
        let mut headers = match message.repeated {
            Some(repeated) => repeated,
            None if opens => HeaderMap::new(),
            None => self.session.headers(),
        };
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, BOTH);
        self.client.send(Method::POST, self.uri.clone(), headers, message.parcel.into()).await
    }

    /// Asks for a stream: the session's own, or the rest of the one that `cursor` is an event of.
    pub(crate) async fn get(&self, cursor: Option<&str>) -> Result<Response<Incoming>, Unanswered> {
        let mut headers = self.session.headers();
        if let Some(cursor) = cursor.and_then(|cursor| HeaderValue::from_str(cursor).ok()) {
            headers.insert(LAST_EVENT_ID, cursor);
        }
        stream(&self.client, self.uri.clone(), headers).await
    }

    /// Ends the session. Whatever the server answers, it was told.
    pub(crate) async fn delete(&self) {
        if self.session.has_id() {
            let headers = self.session.headers();
            let _told =
                self.client.send(Method::DELETE, self.uri.clone(), headers, Outgoing::default()).await;
        }
    }
}

/// Asks for an event stream.
pub(crate) async fn stream(
    client: &Client,
    uri: Uri,
    mut headers: HeaderMap,
) -> Result<Response<Incoming>, Unanswered> {
    headers.insert(ACCEPT, EVENTS);
    client.send(Method::GET, uri, headers, Outgoing::default()).await
}
