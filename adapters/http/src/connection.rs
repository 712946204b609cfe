//! One connection: hyper's HTTP/1 machine under our own deadlines.
//!
//! hyper's `header_read_timeout` is not used: it starts as soon as a head is waited for, so it would also close a
//! connection that is kept alive between two requests.

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use orch_core::Limits;
use orch_core::ports::gateway::Gateway;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::exchange::Face;
use crate::gate::Gate;
use crate::guarded::{Guarded, Refused};
use crate::listening::{self, Listening};
use crate::pace::{Lapse, Pacer};
use crate::reply::{self, Exchange};
use crate::sse::Events;

/// The most that is read ahead of a body, and written ahead of a client that reads slowly. It grows to that only
/// for a connection with large bodies.
const BUFFER_BYTES: usize = 64 * 1024;

/// The least that hyper accepts for its buffer.
const LEAST_BUFFER_BYTES: usize = 8 * 1024;

/// How connections are served under these limits. The bounds of a head are held before, by the [`Gate`]: what hyper
/// refuses for them it refuses without words.
pub(crate) fn protocol(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None)
        .half_close(false)
        .max_header_size(limits.head_bytes.saturating_add(1))
        .max_headers(limits.header_fields.saturating_add(1))
        .max_buf_size(BUFFER_BYTES.max(limits.head_bytes).max(LEAST_BUFFER_BYTES));
    http
}

/// The same for a connection that is good for one request.
pub(crate) fn last(limits: &Limits) -> http1::Builder {
    let mut http = protocol(limits);
    http.keep_alive(false);
    http
}

/// Serves a connection that came to the listener `bound`, until it ends or `stop` has ended it.
pub(crate) async fn serve<G: Gateway + ?Sized>(
    http: &http1::Builder,
    face: Arc<Face<G>>,
    stream: TcpStream,
    bound: SocketAddr,
    stop: CancellationToken,
) {
    let pacer = Arc::new(Pacer::new(Instant::now()));
    let limits = Arc::clone(&face.limits);
    let refused = Arc::new(Refused::default());
    let (begun, first, listens) = (AtomicBool::new(false), Notify::new(), OnceLock::new());
    let service = service_fn(|request| {
        if !begun.swap(true, Relaxed) {
            first.notify_one();
        }
        let (face, pacer) = (Arc::clone(&face), Arc::clone(&pacer));
        let (fault, listens) = (refused.take(&request), &listens);
        async move {
            Ok::<_, Infallible>(match fault {
                Some(fault) => {
                    pacer.request_began(false);
                    reply::refuse(&fault, None, Exchange::new(pacer))
                }
                None => {
                    let response = face.answer(bound, pacer, request).await;
                    if let Some(listening) = response.body().listening() {
                        let _the_connections_last = listens.set(Arc::clone(listening));
                    }
                    response
                }
            })
        }
    });
    let guarded = Guarded::new(stream, Arc::clone(&pacer), Gate::new(&limits), Arc::clone(&refused));
    let socket = TokioIo::new(guarded);
    // In a place of its own, which a stream that is carried on without it does not take.
    let mut connection = Box::new(http.serve_connection(socket, service));
    let mut stopped = pin!(async {
        stop.cancelled().await;
        // hyper closes a connection at once that has brought nothing, though its first request may be on its way.
        if !begun.load(Relaxed) {
            let _none_came = timeout(limits.first_request, first.notified()).await;
        }
    });
    let mut timer = pin!(sleep_until(Instant::now() + limits.head));
    let mut closing = false;
    let end = poll_fn(|cx| {
        if !closing && stopped.as_mut().poll(cx).is_ready() {
            closing = true;
            Pin::new(&mut *connection).graceful_shutdown();
        }
        loop {
            if let Poll::Ready(end) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(end.map(|()| End::Over));
            }
            if listens.get().is_some_and(|it: &Arc<Listening>| it.is_silent() && !pacer.is_stalled()) {
                return Poll::Ready(Ok(End::Listens));
            }
            match ready!(poll_lapse(timer.as_mut(), &pacer, &limits, cx)) {
                Lapse::Close => return Poll::Ready(Ok(End::Over)),
                Lapse::Late => pacer.lapsed(),
                Lapse::Reset => return Poll::Ready(Ok(End::Reset)),
            }
        }
    })
    .await;
    match end {
        Ok(End::Over) => {}
        Ok(End::Listens) => {
            let socket = connection.into_parts().io.into_inner();
            if let Some(events) = listens.get().and_then(|it| it.take()) {
                carry_on(socket, events, timer.as_mut(), &pacer, &limits).await;
            }
        }
        Ok(End::Reset) => connection.into_parts().io.into_inner().reset(),
        Err(error) => tracing::debug!(%error, "connection ended"),
    }
}

/// What becomes of a connection.
enum End {
    /// A stream is carried on over it, which has nothing to say at the moment.
    Listens,
    Over,
    /// Its client does not read.
    Reset,
}

/// Carries a stream on to its end, under the deadlines of its connection.
async fn carry_on(
    mut socket: Guarded,
    mut events: Events,
    mut timer: Pin<&mut Sleep>,
    pacer: &Pacer,
    limits: &Limits,
) {
    pacer.request_began(true);
    let lapse = {
        let mut told = pin!(listening::carry_on(&mut socket, &mut events));
        poll_fn(|cx| match told.as_mut().poll(cx) {
            Poll::Ready(end) => Poll::Ready(end.map(|()| None)),
            Poll::Pending => poll_lapse(timer.as_mut(), pacer, limits, cx).map(|lapse| Ok(Some(lapse))),
        })
        .await
    };
    match lapse {
        Ok(Some(Lapse::Reset)) => socket.reset(),
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "a stream has ended"),
    }
}

/// Waits for the connection's deadline, wherever it moves.
fn poll_lapse(
    mut timer: Pin<&mut Sleep>,
    pacer: &Pacer,
    limits: &Limits,
    cx: &mut Context<'_>,
) -> Poll<Lapse> {
    loop {
        let Some((at, lapse)) = pacer.deadline(limits) else { return Poll::Pending };
        if at < timer.deadline() || timer.is_elapsed() {
            timer.as_mut().reset(at);
        }
        ready!(timer.as_mut().poll(cx));
        if Instant::now() >= at {
            return Poll::Ready(lapse);
        }
    }
}
