//! Requests in, answers out.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::spawn_local;

use super::Floor;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

pub(super) async fn accept(listener: TcpListener, floor: Rc<Floor>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let floor = Rc::clone(&floor);
        spawn_local(async move {
            let service = service_fn(|request| {
                let floor = Rc::clone(&floor);
                async move { Ok::<_, Infallible>(serve(&floor, request).await) }
            });
            // A client that goes is no event.
            let _gone = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(floor: &Floor, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    if !is_allowed(floor, &head.headers) {
        return empty(StatusCode::UNAUTHORIZED);
    }
    let session = head.headers.get(&SESSION).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let is_known = || floor.sessions.borrow().contains(session);
    if head.method == Method::DELETE {
        let ended = floor.sessions.borrow_mut().remove(session);
        return empty(if ended { StatusCode::OK } else { StatusCode::NOT_FOUND });
    }
    let Ok(body) = body.collect().await else { return empty(StatusCode::BAD_REQUEST) };
    let body = body.to_bytes();
    let opens = session.is_empty() && memmem::find(&body, b"\"method\":\"initialize\"").is_some();
    let stateless = || head.headers.get(&REVISION).is_some_and(|revision| revision == "2026-07-28");
    if !opens && !is_known() && !stateless() {
        return empty(StatusCode::NOT_FOUND);
    }
    let since = Instant::now();
    let Some(answer) = floor.bridge.request(&body) else { return empty(StatusCode::ACCEPTED) };
    let Ok(answer) = answer.await else { return empty(StatusCode::BAD_GATEWAY) };
    floor.record.call(session, answer.len(), since.elapsed());
    let mut response = Response::new(Full::new(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if opens {
        response.headers_mut().extend(open(floor));
    }
    response
}

fn is_allowed(floor: &Floor, headers: &HeaderMap) -> bool {
    let key = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    key.is_some_and(|key| Sha256::digest(key).as_slice() == floor.key)
}

/// A new session, as a header.
fn open(floor: &Floor) -> Option<(HeaderName, HeaderValue)> {
    let number = floor.next_session.replace(floor.next_session.get() + 1);
    let id = format!("{number:032x}");
    let header = HeaderValue::try_from(&id).ok()?;
    floor.sessions.borrow_mut().insert(id);
    Some((SESSION, header))
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
