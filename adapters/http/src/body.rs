//! The body of a request, read into one buffer within its limits.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use orch_core::{Exceeded, Fault, Limit, Limits, Rejection};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use crate::pace::Pacer;

/// Reads a body. One that says to be too long is refused before a byte of it is read.
pub(crate) async fn read(mut body: Incoming, limits: &Limits, pacer: &Pacer) -> Result<Bytes, Fault> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limits.body_bytes {
        return Err(too_long(limits));
    }
    let mut whole = BytesMut::with_capacity(announced);
    pacer.body_began();
    while let Some(part) = next(&mut body, pacer).await? {
        if part.len() > limits.body_bytes.saturating_sub(whole.len()) {
            return Err(too_long(limits));
        }
        whole.extend_from_slice(&part);
    }
    pacer.body_ended();
    Ok(whole.freeze())
}

/// The next bytes of the body; `None` at its end.
async fn next(body: &mut Incoming, pacer: &Pacer) -> Result<Option<Bytes>, Rejection> {
    poll_fn(|cx| {
        if pacer.is_late() {
            return Poll::Ready(Err(Rejection::TooSlow));
        }
        Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None => Ok(None),
            Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
            Some(Err(_)) => Err(Rejection::Malformed("the body is not framed as its head says")),
        })
    })
    .await
}

fn too_long(limits: &Limits) -> Fault {
    let hint =
        "nothing of it was passed on; send less in one message, for instance the address of the data instead";
    let value = u64::try_from(limits.body_bytes).unwrap_or(u64::MAX);
    Exceeded { limit: Limit::BodyBytes, value, hint }.into()
}
