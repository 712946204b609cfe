//! A response body made of events.

use bytes::Bytes;
use bytes::buf::{Buf as _, Chain};
use orch_core::ports::gateway::{Event, EventStream};
use orch_core::sse::{COMMENT, Written, written};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A piece of a body: what comes before the bytes of a message, these, and what comes after them. They are not copied, so
/// whoever gave them knows when they are sent.
pub(crate) type Piece = Chain<Bytes, Chain<Bytes, &'static [u8]>>;

/// A piece of these bytes alone.
pub(crate) fn piece(bytes: Bytes) -> Piece {
    bytes.chain(Bytes::new().chain(&b""[..]))
}

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
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        if let Some(event) = self.held.take() {
            return Poll::Ready(Some(self.said(event)));
        }
        match self.stream.poll_event(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(event)) if self.unflushed => {
                self.unflushed = false;
                self.held = Some(event);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(event)) => Poll::Ready(Some(self.said(event))),
            Poll::Pending => {
                self.unflushed = false;
                self.poll_comment(cx).map(|comment| Some(piece(comment)))
            }
        }
    }

    fn said(&mut self, event: Event) -> Piece {
        self.unflushed = true;
        self.comment_at = Instant::now() + self.pause;
        let Written { begin, data, end } = written(event);
        begin.chain(data.chain(end))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::future::poll_fn;

    /// Events and pauses, as scripted.
    struct Script(VecDeque<Poll<Option<Event>>>);

    impl EventStream for Script {
        fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<Event>> {
            self.0.pop_front().unwrap_or(Poll::Pending)
        }
    }

    /// What each poll gives: a piece by its length, `-` for pending, `.` for the end.
    async fn polls(script: impl IntoIterator<Item = Poll<Option<Event>>>, count: usize) -> String {
        let mut events = Events::new(Box::new(Script(script.into_iter().collect())), Duration::from_secs(15));
        let mut polls = Vec::new();
        for _ in 0..count {
            let poll = poll_fn(|cx| Poll::Ready(events.poll_piece(cx))).await;
            polls.push(match poll {
                Poll::Pending => "-".to_owned(),
                Poll::Ready(None) => ".".to_owned(),
                Poll::Ready(Some(piece)) => piece.remaining().to_string(),
            });
        }
        polls.join(" ")
    }

    fn event(path: &str) -> Poll<Option<Event>> {
        Poll::Ready(Some(Event::Endpoint(path.to_owned())))
    }

    #[tokio::test]
    async fn the_body_is_pending_once_between_two_events_so_that_the_first_is_flushed() {
        let script = [event("/"), event("/a"), event("/ab"), Poll::Ready(None)];
        assert_eq!(polls(script, 6).await, "25 - 26 - 27 .");
    }

    #[tokio::test]
    async fn a_body_that_was_pending_anyway_is_not_made_to_wait_again() {
        let script = [event("/"), Poll::Pending, event("/a"), Poll::Ready(None)];
        assert_eq!(polls(script, 4).await, "25 - 26 .");
    }

    #[tokio::test(start_paused = true)]
    async fn a_comment_comes_when_nothing_was_said_for_the_pause_and_not_sooner() {
        let mut events = Events::new(Box::new(Script([event("/")].into())), Duration::from_secs(15));
        let start = Instant::now();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let mut times = Vec::new();
        for _ in 0..3 {
            let piece = poll_fn(|cx| events.poll_piece(cx)).await.unwrap();
            times.push((start.elapsed().as_secs(), piece.chunk() == COMMENT));
        }
        assert_eq!(times, [(10, false), (25, true), (40, true)]);
    }
}
