//! What waits to be written to a child: whole messages, bounded in bytes.
//!
//! Senders append; the writer takes all that waits at once and puts short messages together, so batches form by
//! themselves while it is busy. Neither ever waits for the other: a full queue is the sender's error. A message is let go
//! of when it is written, for somebody may count those that are not.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use orch_core::ports::upstream::QueueFull;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// So much is written at once, and longer messages are not copied for it.
const BATCH: usize = 64 * 1024;

/// The queue between the senders of one link and its writer.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Bytes>,
    /// The bytes of those that wait, line ends included.
    bytes: usize,
    /// Bytes that the writer took and has not written yet.
    taken: usize,
    /// Nothing may be added any more.
    finished: bool,
}

impl Outbox {
    /// An empty queue for at most `limit` bytes, line ends included.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a message, which is written with a line end. A finished queue takes it and forgets it: the link's end is
    /// reported on its own.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), QueueFull> {
        let mut state = self.lock();
        if state.finished {
            return Ok(());
        }
        if state.taken + state.bytes + frame.len() >= self.limit {
            return Err(QueueFull);
        }
        state.bytes += frame.len() + 1;
        state.waiting.push(frame);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes no more messages; the writer ends when it has written those that wait.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_one();
    }

    /// Writes what comes until the queue is finished or nobody reads any more, then closes `out`.
    pub(crate) async fn write_to(&self, mut out: impl AsyncWrite + Unpin) {
        let (mut frames, mut batch) = (Vec::new(), Vec::new());
        while self.take(&mut frames).await {
            if write(&mut frames, &mut batch, &mut out).await.is_err() {
                self.finish();
                break;
            }
        }
        drop(out);
        let mut state = self.lock();
        state.waiting = Vec::new();
        (state.bytes, state.taken) = (0, 0);
    }

    /// Exchanges the written `frames` for those that wait. `false` when nothing will come any more.
    async fn take(&self, frames: &mut Vec<Bytes>) -> bool {
        frames.clear();
        loop {
            {
                let mut state = self.lock();
                mem::swap(frames, &mut state.waiting);
                state.taken = mem::take(&mut state.bytes);
                if !frames.is_empty() || state.finished {
                    return !frames.is_empty();
                }
            }
            self.changed.notified().await;
            // Whoever is ready to send does so first: woken by the first message, it would run at once, and write that alone.
            tokio::task::yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes these messages, short ones together and long ones as they are. `batch` is empty before and after.
async fn write(
    frames: &mut Vec<Bytes>,
    batch: &mut Vec<u8>,
    mut out: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    for frame in frames.drain(..) {
        if !batch.is_empty() && batch.len() + frame.len() >= BATCH {
            out.write_all(batch).await?;
            batch.clear();
        }
        if frame.len() < BATCH {
            batch.extend_from_slice(&frame);
        } else {
            out.write_all(&frame).await?;
        }
        batch.push(b'\n');
    }
    out.write_all(batch).await?;
    batch.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};
    use tokio::io::AsyncReadExt;
    use tokio_util::task::TaskTracker;

    #[tokio::test]
    async fn messages_come_out_in_order_and_the_output_is_closed_at_the_end() {
        let (outbox, (near, mut far)) = (Outbox::new(100), tokio::io::duplex(4));
        for frame in ["a", "bc", "def"] {
            outbox.push(frame.into()).unwrap();
        }
        outbox.finish();
        let mut read = String::new();
        let ((), end) = tokio::join!(outbox.write_to(near), far.read_to_string(&mut read));
        end.unwrap();
        assert_eq!(read, "a\nbc\ndef\n");
    }

    #[tokio::test]
    async fn the_bound_counts_line_ends_and_what_is_being_written() {
        let outbox = Outbox::new(6);
        assert_eq!(["ab", "cd", ""].map(|frame| outbox.push(frame.into())), [Ok(()), Ok(()), Err(QueueFull)]);
        let mut frames = Vec::new();
        assert!(outbox.take(&mut frames).await);
        assert_eq!(frames, ["ab", "cd"]);
        assert_eq!(outbox.push(Bytes::new()), Err(QueueFull));
        outbox.finish();
        assert!(!outbox.take(&mut frames).await);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_ends_the_writer_and_later_messages_are_forgotten() {
        let (outbox, (near, far)) = (Outbox::new(6), tokio::io::duplex(1));
        drop(far);
        outbox.push("ab".into()).unwrap();
        outbox.write_to(near).await;
        assert_eq!(["abcd", "abcd"].map(|frame| outbox.push(frame.into())), [Ok(()), Ok(())]);
    }

    /// Counts the writes to it.
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);

    impl AsyncWrite for Writes {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().push(buf.to_vec());
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn senders_that_are_ready_at_the_same_time_are_written_at_once() {
        let (tasks, outbox, written) = (TaskTracker::new(), Arc::new(Outbox::new(100)), Writes::default());
        let (own, out) = (Arc::clone(&outbox), written.clone());
        let writer = tasks.spawn(async move { own.write_to(out).await });
        let (own, spawner) = (Arc::clone(&outbox), tasks.clone());
        let senders = tasks.spawn(async move {
            // The writer waits by now.
            tokio::task::yield_now().await;
            for frame in ["a", "b", "c"] {
                let own = Arc::clone(&own);
                spawner.spawn(async move { own.push(frame.into()) });
            }
        });
        senders.await.unwrap();
        while written.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        outbox.finish();
        writer.await.unwrap();
        let mut lines: Vec<usize> = written.0.lock().unwrap().iter().map(Vec::len).collect();
        lines.retain(|length| *length > 0);
        assert_eq!(lines, [6]);
    }

    #[tokio::test]
    async fn short_and_long_messages_keep_their_order_and_are_let_go_of_when_they_are_written() {
        let (outbox, (near, mut far)) = (Outbox::new(1 << 20), tokio::io::duplex(1 << 20));
        let lengths = [0, 10, BATCH - 11, BATCH - 1, 3, BATCH, BATCH + 1, 0, 1, 2 * BATCH];
        let frames: Vec<Bytes> = lengths.iter().map(|length| vec![b'x'; *length].into()).collect();
        for frame in &frames {
            outbox.push(frame.clone()).unwrap();
        }
        outbox.finish();
        outbox.write_to(near).await;
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        let lines: Vec<usize> = read.split(|byte| *byte == b'\n').map(<[u8]>::len).collect();
        assert_eq!(lines[..lengths.len()], lengths);
        assert!(frames.iter().all(|frame| frame.is_empty() || frame.is_unique()), "nobody else has them");
    }
}
