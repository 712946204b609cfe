//! HTTP to one server: pooled connections, the headers of every request, and how a request fails.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::client::legacy;
use hyper_util::rt::TokioTimer;
use orch_core::ports::passes::NoPass;
use tokio_util::task::TaskTracker;

use crate::connect::{Connector, NotConnected};
use crate::door::{Door, Shut, header};
use crate::guard::Destination;
use crate::queue::{Held, Parcel};

/// Idle connections that are kept.
const IDLE_CONNECTIONS: usize = 8;

/// A client of one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: legacy::Client<Connector, Outgoing>,
    /// The operator's headers, and the hub's own.
    common: HeaderMap,
    /// Where the server lets in who has logged in.
    door: Option<Door>,
    to: Destination,
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Nothing was sent.
    NotSent(String),
    /// Some or all of it was.
    Unknown(String),
}

impl Unanswered {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::NotSent(words) | Self::Unknown(words) => words,
        }
    }
}

impl Client {
    /// A client whose connections live on `tasks`.
    pub(crate) fn new(
        connector: Connector,
        mut common: HeaderMap,
        door: Option<Door>,
        tasks: TaskTracker,
    ) -> Self {
        let agent = HeaderValue::from_static(concat!("mcp-orch/", env!("CARGO_PKG_VERSION")));
        common.insert(header::USER_AGENT, agent);
        common.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (to, idle) = (connector.to.clone(), connector.limits.remote_idle);
        let http = legacy::Client::builder(Tracked(tasks))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self { http, common, door, to }
    }

    /// The server.
    pub(crate) fn to(&self) -> &Destination {
        &self.to
    }

    /// Sends a request, and waits for the head of its answer. Where the server wants a login for it, [`Shut`] goes with the
    /// answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        uri: Uri,
        mut own: HeaderMap,
        body: Outgoing,
    ) -> Result<Response<Incoming>, Unanswered> {
        let Some(door) = &self.door else { return self.once(method, uri, own, body).await };
        let mut shown = door.pass().await;
        let mut again = false;
        loop {
            own.extend(shown.as_ref().and_then(header));
            let mut response = self.once(method.clone(), uri.clone(), own.clone(), body.clone()).await?;
            match door.again(shown, &response).await {
                None => return Ok(response),
                Some(Ok(_)) if again => return Ok(response),
                Some(Ok(pass)) => shown = Some(pass),
                Some(Err(NoPass::LoginRequired(words))) => {
                    response.extensions_mut().insert(Shut(words));
                    return Ok(response);
                }
                Some(Err(NoPass::Unavailable(words))) => return Err(Unanswered::NotSent(words)),
            }
            again = true;
        }
    }

    async fn once(
        &self,
        method: Method,
        uri: Uri,
        own: HeaderMap,
        body: Outgoing,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(&self.common);
        for (name, value) in &own {
            request.headers_mut().insert(name, value.clone());
        }
        self.http.request(request).await.map_err(|error| self.unanswered(&error))
    }

    fn unanswered(&self, error: &legacy::Error) -> Unanswered {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(inner) = cause {
            if let Some(NotConnected(words)) = inner.downcast_ref() {
                return Unanswered::NotSent(words.clone());
            }
            if inner.downcast_ref().is_some_and(hyper::Error::is_canceled) {
                return Unanswered::NotSent(format!("{} closed the connection", self.to));
            }
            if inner.downcast_ref().is_some_and(hyper::Error::is_parse) {
                return Unanswered::Unknown(format!("{} does not answer in HTTP/1.1", self.to));
            }
            cause = inner.source();
        }
        Unanswered::Unknown(format!("{} closed the connection without an answer", self.to))
    }
}

/// Spawns what hyper runs beside a request, where the end of the adapter sees it.
#[derive(Clone, Debug)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// The body of a request: a whole message or nothing. The message's place in the queue is given back when it is
/// handed to the connection, and will not be sent again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing(Option<(Bytes, Option<Arc<Held>>)>);

impl From<Parcel> for Outgoing {
    fn from(parcel: Parcel) -> Self {
        Self(Some((parcel.bytes, Some(Arc::new(parcel.held)))))
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self(Some((bytes, None)))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.take().map(|(bytes, _)| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |(bytes, _)| bytes.len() as u64))
    }
}
