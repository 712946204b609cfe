//! A stream that a client listens to, carried on without the HTTP machine.
//!
//! hyper has two buffers of 8 KiB for each connection, for as long as it serves it. Such streams are as many as sessions, and
//! silent nearly all the time: hyper writes the head, and what there is to say at once; when all of that is sent, the events go
//! on as chunks (RFC 9112, 7.1) from here.

use bytes::{Buf as _, Bytes};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::sse::{Events, Piece};

/// The last chunk.
const END: &[u8] = b"0\r\n\r\n";

/// The events of a stream, on their way from the machine to whoever carries them on. Both run in one task, so the lock is never
/// waited for.
pub(crate) struct Listening(Mutex<State>);

struct State {
    /// `None` when they are carried on elsewhere.
    events: Option<Events>,
    /// Whether there was nothing to say when somebody asked last.
    silent: bool,
}

impl Listening {
    pub(crate) fn new(events: Events) -> Self {
        Self(Mutex::new(State { events: Some(events), silent: false }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`Events::poll_piece`].
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let mut state = self.lock();
        let piece = state.events.as_mut().map_or(Poll::Ready(None), |events| events.poll_piece(cx));
        state.silent = piece.is_pending();
        piece
    }

    /// Whether there is nothing to say at the moment.
    pub(crate) fn is_silent(&self) -> bool {
        self.lock().silent
    }

    pub(crate) fn take(&self) -> Option<Events> {
        self.lock().events.take()
    }
}

/// Writes what is said as chunks until the stream ends, or its client is gone.
pub(crate) async fn carry_on(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    events: &mut Events,
) -> io::Result<()> {
    let mut hears = true;
    loop {
        let next = poll_fn(|cx| {
            if hears && let Poll::Ready(heard) = poll_heard(socket, cx) {
                // Nobody waits for an answer to what it says here. It is not read: only the first of it was.
                hears = false;
                if heard? == 0 {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
            }
            events.poll_piece(cx).map(Ok)
        });
        let Some(piece) = next.await? else { break };
        let length = piece.remaining();
        if length > 0 {
            let mut chunk = Bytes::from(format!("{length:x}\r\n")).chain(piece).chain(&b"\r\n"[..]);
            socket.write_all_buf(&mut chunk).await?;
        }
    }
    socket.write_all(END).await?;
    socket.shutdown().await
}

/// How many bytes the client says on; none when it is gone.
fn poll_heard(socket: &mut (impl AsyncRead + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut space = [0; 512];
    let mut buffer = ReadBuf::new(&mut space);
    Pin::new(socket).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_core::ports::gateway::{Event, EventStream};
    use std::collections::VecDeque;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, duplex};

    /// Says one event after the other, and then nothing more or the end.
    struct Script(VecDeque<Option<Event>>);

    impl EventStream for Script {
        fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Option<Event>> {
            self.0.pop_front().map_or(Poll::Pending, Poll::Ready)
        }
    }

    fn events(script: impl IntoIterator<Item = Option<&'static str>>) -> Events {
        let script = script.into_iter().map(|path| path.map(|path| Event::Endpoint(path.to_owned())));
        Events::new(Box::new(Script(script.collect())), Duration::from_secs(15))
    }

    #[tokio::test]
    async fn each_event_is_a_chunk_and_the_stream_ends_with_the_last_one() {
        let (mut near, mut far) = duplex(8);
        let mut events = events([Some("/a"), Some("/0123456789"), None]);
        let mut read = String::new();
        let (told, end) = tokio::join!(
            async {
                let told = carry_on(&mut near, &mut events).await;
                drop(near);
                told
            },
            far.read_to_string(&mut read)
        );
        told.unwrap();
        end.unwrap();
        let chunks = "1a\r\nevent: endpoint\ndata: /a\n\n\r\n23\r\nevent: endpoint\ndata: /0123456789\n\n\r\n0\r\n\r\n";
        assert_eq!(read, chunks);
    }

    #[tokio::test]
    async fn a_client_that_goes_ends_its_stream_and_one_that_says_on_does_not() {
        let (mut near, mut far) = duplex(1024);
        let mut silent = events([]);
        far.write_all(&[b'x'; 600]).await.unwrap();
        let carried = tokio::time::timeout(Duration::from_millis(1), carry_on(&mut near, &mut silent)).await;
        assert!(carried.is_err(), "it goes on");
        let (mut near, far) = duplex(1024);
        drop(far);
        let gone = carry_on(&mut near, &mut silent).await.unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn events_are_carried_on_when_the_machine_has_said_what_there_was() {
        let listening = Listening::new(events([Some("/a")]));
        assert!(!listening.is_silent(), "nobody has asked");
        assert!(poll_fn(|cx| Poll::Ready(listening.poll_piece(cx).is_ready())).await);
        assert!(!listening.is_silent());
        assert!(poll_fn(|cx| Poll::Ready(listening.poll_piece(cx).is_pending())).await);
        assert!(listening.is_silent() && listening.take().is_some());
    }
}
