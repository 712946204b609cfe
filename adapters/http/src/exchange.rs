//! One exchange, from a head to a response, in the order in which a request is judged.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use orch_core::ports::gateway::{Gateway, Head, Reply, Verb};
use orch_core::{Bug, Exceeded, Fault, Limit, Limits, Rejection};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crate::hosts::HostPolicy;
use crate::pace::Pacer;
use crate::reply::{self, Body, Exchange};
use crate::route::Route;
use crate::{Ready, body, head, media};

/// What every exchange needs to know.
pub(crate) struct Face<G: ?Sized> {
    pub(crate) gateway: Arc<G>,
    pub(crate) hosts: HostPolicy,
    pub(crate) limits: Arc<Limits>,
    pub(crate) ready: Ready,
}

/// A head that may be shown to the gateway.
struct Judged {
    head: Head,
    /// The methods that the endpoint has, when this is none of them.
    allow: Option<&'static str>,
}

/// Why an exchange ends before the gateway has answered.
struct Refusal {
    fault: Fault,
    /// The `Allow` header of a 405.
    allow: Option<&'static str>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, allow: None }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Fault::from(rejection).into()
    }
}

impl<G: Gateway + ?Sized> Face<G> {
    /// Answers a request that came to the listener `bound`; one that meets a bug of ours with 500, and no other notices.
    pub(crate) async fn answer(
        &self,
        bound: SocketAddr,
        pacer: Arc<Pacer>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let mut answer = pin!(self.try_answer(bound, Arc::clone(&pacer), request));
        poll_fn(|cx| {
            catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))).unwrap_or_else(|_| {
                tracing::error!("a panic while a request was answered: it is answered with 500");
                let fault = Bug::Invariant("this request could not be answered").into();
                Poll::Ready(reply::refuse(&fault, None, Exchange::new(Arc::clone(&pacer))))
            })
        })
        .await
    }

    async fn try_answer(
        &self,
        bound: SocketAddr,
        pacer: Arc<Pacer>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        pacer.request_began(request.body().is_end_stream());
        let exchange = Exchange::new(pacer);
        let (parts, body) = request.into_parts();
        let route = Route::parse(parts.uri.path());
        let mut listens = false;
        let outcome = match route {
            Ok(Route::Alive) => return reply::probe(&parts.method, true, exchange),
            Ok(Route::Ready) => return reply::probe(&parts.method, (self.ready)(), exchange),
            Ok(Route::Api(place)) => return self.answer_api(bound, exchange, place, (&parts, body)).await,
            Ok(Route::Description) => {
                return match self.check_target(bound, &parts) {
                    Ok(()) => reply::describe(&parts.method, exchange),
                    Err(fault) => reply::refuse(&fault, None, exchange),
                };
            }
            Ok(Route::Mcp(_)) | Err(_) => match self.judge(bound, &parts, route) {
                Ok(judged) => {
                    listens = matches!(judged.head.verb, Verb::Listen | Verb::OpenSse)
                        && parts.version == Version::HTTP_11;
                    self.carry(exchange.pacer(), judged, parts.headers, body).await
                }
                Err(refusal) => Err(refusal),
            },
        };
        match outcome {
            Ok(reply) => reply::respond(reply, exchange, self.limits.sse_comment, listens),
            Err(Refusal { fault, allow }) => reply::refuse(&fault, allow, exchange),
        }
    }

    /// Judges the length of the target, Host and Origin.
    pub(crate) fn check_target(&self, bound: SocketAddr, parts: &Parts) -> Result<(), Fault> {
        let target_bytes = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target_bytes > self.limits.uri_bytes {
            let value = u64::try_from(self.limits.uri_bytes).unwrap_or(u64::MAX);
            let hint = "no endpoint has a longer URL";
            return Err(Exceeded { limit: Limit::UriBytes, value, hint }.into());
        }
        self.hosts.check(bound, &parts.uri, &parts.headers)?;
        Ok(())
    }

    /// What can be said of the head alone: who is meant, who asks, what for.
    fn judge(
        &self,
        bound: SocketAddr,
        parts: &Parts,
        route: Result<Route<'_>, Fault>,
    ) -> Result<Judged, Refusal> {
        self.check_target(bound, parts)?;
        let Route::Mcp(endpoint) = route? else { return Err(Rejection::NoSuchPath.into()) };
        // Who has no key learns nothing of an endpoint, not even its methods: they are refused after admission.
        let (verb, allow) = match head::verb(endpoint.door, &parts.method) {
            Ok(verb) => (verb, None),
            Err(allow) => (Verb::Listen, Some(allow)),
        };
        let head = head::read(verb, &endpoint, &parts.uri, &parts.headers)?;
        Ok(Judged { head, allow })
    }

    /// Asks the gateway, before and after the body is read.
    async fn carry(
        &self,
        pacer: &Pacer,
        judged: Judged,
        headers: HeaderMap,
        body: Incoming,
    ) -> Result<Reply, Refusal> {
        let Judged { head, allow } = judged;
        let verb = head.verb;
        let admission = match self.gateway.admit(&head).await {
            Ok(admission) => admission,
            Err(reply) => return Ok(reply),
        };
        if let Some(allow) = allow {
            return Err(Refusal { fault: Rejection::VerbNotAllowed.into(), allow: Some(allow) });
        }
        let bodiless = matches!(verb, Verb::Listen | Verb::Delete | Verb::OpenSse);
        if bodiless && !body.is_end_stream() {
            return Err(Rejection::Malformed("a body where none belongs").into());
        }
        agree_on_media(verb, &headers)?;
        // The headers are slices of the connection's read buffer, which is used again once they are gone.
        drop(headers);
        let bytes =
            if body.is_end_stream() { Bytes::new() } else { body::read(body, &self.limits, pacer).await? };
        Ok(self.gateway.submit(admission, head, bytes).await)
    }
}

/// Whether this hub reads what comes with the verb, and the client what is answered.
fn agree_on_media(verb: Verb, headers: &HeaderMap) -> Result<(), Rejection> {
    match verb {
        Verb::Post => media::sends_json(headers).and_then(|()| media::takes_an_answer(headers)),
        Verb::PostMessage => media::sends_json(headers),
        Verb::Listen | Verb::OpenSse => media::takes_events(headers),
        Verb::Delete => Ok(()),
    }
}
