//! From the gateway's [`Reply`], or a fault, to an HTTP response.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, LOCATION, REFERRER_POLICY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body::{Frame, SizeHint};
use orch_core::ports::gateway::{Reply, ReplyBody};
use orch_core::{Fault, Limit, Rejection};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::api::DESCRIPTION;
use crate::head::SESSION;
use crate::listening::Listening;
use crate::pace::Pacer;
use crate::sse::{Events, Piece, piece};

/// Proxies that buffer (nginx) are told not to.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// No page of another origin may use what is answered here.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An exchange under way; dropped when its answer has been handed over, or will never be.
pub(crate) struct Exchange {
    pacer: Arc<Pacer>,
}

impl Exchange {
    pub(crate) fn new(pacer: Arc<Pacer>) -> Self {
        Self { pacer }
    }

    pub(crate) fn pacer(&self) -> &Pacer {
        &self.pacer
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.pacer.request_ended();
    }
}

/// The body of a response. It holds the exchange open until it is sent or dropped.
pub(crate) struct Body {
    content: Content,
    _exchange: Exchange,
}

enum Content {
    Nothing,
    Whole(Bytes),
    Events(Events),
    /// The same, until somebody else carries them on.
    Listening(Arc<Listening>),
}

impl Body {
    /// The events that a client listens to for as long as it is there.
    pub(crate) fn listening(&self) -> Option<&Arc<Listening>> {
        if let Content::Listening(listening) = &self.content { Some(listening) } else { None }
    }
}

impl http_body::Body for Body {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        let next = match &mut self.content {
            Content::Nothing => Poll::Ready(None),
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Nothing;
                Poll::Ready(Some(piece(bytes)))
            }
            Content::Events(events) => events.poll_piece(cx),
            Content::Listening(listening) => listening.poll_piece(cx),
        };
        next.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing => SizeHint::with_exact(0),
            Content::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Content::Events(_) | Content::Listening(_) => SizeHint::default(),
        }
    }
}

/// The response that carries a reply. `pause` is that between two comments on a silent stream; who `listens` came for a stream, on
/// a connection that is good for nothing else.
pub(crate) fn respond(reply: Reply, exchange: Exchange, pause: Duration, listens: bool) -> Response<Body> {
    let Reply { status, session, body } = reply;
    let mut headers = common(10);
    let content = match body {
        ReplyBody::Empty => Content::Nothing,
        ReplyBody::Json(bytes) => {
            json(&mut headers);
            Content::Whole(bytes)
        }
        ReplyBody::Events(stream) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, no-transform"));
            headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
            let events = Events::new(stream, pause);
            if listens {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
                Content::Listening(Arc::new(Listening::new(events)))
            } else {
                Content::Events(events)
            }
        }
    };
    if let Some(Ok(session)) = session.map(HeaderValue::try_from) {
        headers.insert(SESSION, session);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST"));
    }
    build(status, headers, content, exchange)
}

/// The response that tells of a fault, as a JSON-RPC error: a client that finds none would take the endpoint for
/// one of another transport. `allow` is for 405.
pub(crate) fn refuse(fault: &Fault, allow: Option<&'static str>, exchange: Exchange) -> Response<Body> {
    let mut headers = common(8);
    json(&mut headers);
    if let Some(allow) = allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if ends_the_connection(fault) {
        // Where one request was not understood, nobody knows where the next one begins.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let status = StatusCode::from_u16(fault.wire().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    build(status, headers, Content::Whole(Bytes::from(fault.frame(None))), exchange)
}

/// A response of the REST interface. `location` is that of what was begun, `allow` is for 405.
pub(crate) fn tell(
    status: u16,
    is_problem: bool,
    (location, allow): (Option<&str>, &'static str),
    body: String,
    exchange: Exchange,
) -> Response<Body> {
    let mut headers = common(10);
    let media = if is_problem { "application/problem+json" } else { "application/json" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if let Some(Ok(location)) = location.map(HeaderValue::try_from) {
        headers.insert(LOCATION, location);
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    build(status, headers, Content::Whole(Bytes::from(body)), exchange)
}

/// The description of the REST interface.
pub(crate) fn describe(method: &Method, exchange: Exchange) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return refuse(&Rejection::VerbNotAllowed.into(), Some("GET, HEAD"), exchange);
    }
    let mut headers = common(8);
    json(&mut headers);
    build(StatusCode::OK, headers, Content::Whole(Bytes::from_static(DESCRIPTION)), exchange)
}

/// Whether a fault is one of the head, or of how the body is framed.
fn ends_the_connection(fault: &Fault) -> bool {
    match fault {
        Fault::Rejected(rejection) => {
            matches!(rejection, Rejection::Expectation | Rejection::Malformed(_) | Rejection::TooSlow)
        }
        Fault::Exceeded(exceeded) => matches!(exceeded.limit, Limit::HeadBytes | Limit::HeaderFields),
        Fault::Bug(_) | Fault::Denied(_) | Fault::Unstored(_) | Fault::Upstream(_) => false,
    }
}

/// The answer of a probe: 200 or 503.
pub(crate) fn probe(method: &Method, well: bool, exchange: Exchange) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return refuse(&Rejection::VerbNotAllowed.into(), Some("GET, HEAD"), exchange);
    }
    let (status, words): (_, &'static [u8]) =
        if well { (StatusCode::OK, b"ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, b"not ready\n") };
    let mut headers = common(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    build(status, headers, Content::Whole(Bytes::from_static(words)), exchange)
}

/// What every response says to a browser: whose it is, and that nobody keeps it.
fn common(capacity: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(capacity);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

fn json(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
}

fn build(status: StatusCode, headers: HeaderMap, content: Content, exchange: Exchange) -> Response<Body> {
    let mut response = Response::new(Body { content, _exchange: exchange });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
