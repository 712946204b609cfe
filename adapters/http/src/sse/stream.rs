//! A response body made of events.

use bytes::{Bytes, BytesMut};
use orch_core::ports::gateway::{Event, EventStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

use super::write::{COMMENT, write_event};

/// Polls the gateway's stream directly. Each event is one piece of the body.
pub(crate) struct Events {
    stream: Box<dyn EventStream>,
    /// An event that came right behind another one.
    held: Option<Event>,
    /// The last piece may not have been written to the socket yet.
    unflushed: bool,
    /// The pause after which a comment is due.
    pause: Duration,
    comment_at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Events {
    pub(crate) fn new(stream: Box<dyn EventStream>, pause: Duration) -> Self {
        let comment_at = Instant::now() + pause;
        let timer = Box::pin(sleep_until(comment_at));
        Self { stream, held: None, unflushed: false, pause, comment_at, timer }
    }

    /// The next piece; `None` ends the body.
    ///
    /// Between two events the body is pending once, so that the first is flushed before the second is taken:
    /// clients may lose a progress notification that shares a chunk with its response.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(event) = self.held.take() {
            return Poll::Ready(Some(self.piece(&event)));
        }
        match self.stream.poll_event(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(event)) if self.unflushed => {
                self.unflushed = false;
                self.held = Some(event);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(event)) => Poll::Ready(Some(self.piece(&event))),
            Poll::Pending => {
                self.unflushed = false;
                self.poll_comment(cx).map(Some)
            }
        }
    }

    fn piece(&mut self, event: &Event) -> Bytes {
        self.unflushed = true;
        self.comment_at = Instant::now() + self.pause;
        let mut out = BytesMut::new();
        write_event(&mut out, event);
        out.freeze()
    }

    /// A comment, when nothing was said for the pause. The timer is set again only when it fires.
    fn poll_comment(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let due = now >= self.comment_at;
            if due {
                self.comment_at = now + self.pause;
            }
            self.timer.as_mut().reset(self.comment_at);
            if due {
                return Poll::Ready(Bytes::from_static(COMMENT));
            }
        }
    }
}
