//! What waits to be written to a child: one buffer, bounded in bytes.
//!
//! Senders append; the writer takes all of it at once, so batches form by themselves while it is busy. Neither
//! ever waits for the other: a full buffer is the sender's error.

use std::sync::{Mutex, MutexGuard, PoisonError};

use orch_core::ports::upstream::QueueFull;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// An emptied buffer larger than this is given back.
const KEEP: usize = 64 * 1024;

/// The queue between the senders of one link and its writer.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
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

    /// Adds a message and its line end. A finished queue takes it and forgets it: the link's end is reported
    /// on its own.
    pub(crate) fn push(&self, frame: &[u8]) -> Result<(), QueueFull> {
        let mut state = self.lock();
        if state.finished {
            return Ok(());
        }
        if state.taken + state.waiting.len() + frame.len() >= self.limit {
            return Err(QueueFull);
        }
        state.waiting.extend_from_slice(frame);
        state.waiting.push(b'\n');
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
        let mut batch = Vec::new();
        while self.take(&mut batch).await {
            if out.write_all(&batch).await.is_err() {
                self.finish();
                break;
            }
        }
        drop(out);
        let mut state = self.lock();
        state.waiting = Vec::new();
        state.taken = 0;
    }

    /// Exchanges the written `batch` for what waits. `false` when nothing will come any more.
    async fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        if batch.capacity() > KEEP {
            *batch = Vec::new();
        }
        loop {
            {
                let mut state = self.lock();
                std::mem::swap(batch, &mut state.waiting);
                state.taken = batch.len();
                if !batch.is_empty() || state.finished {
                    return !batch.is_empty();
                }
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn messages_come_out_in_order_and_the_output_is_closed_at_the_end() {
        let (outbox, (near, mut far)) = (Outbox::new(100), tokio::io::duplex(4));
        for frame in ["a", "bc", "def"] {
            outbox.push(frame.as_bytes()).unwrap();
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
        assert_eq!(
            [outbox.push(b"ab"), outbox.push(b"cd"), outbox.push(b"")],
            [Ok(()), Ok(()), Err(QueueFull)]
        );
        let mut batch = Vec::new();
        assert!(outbox.take(&mut batch).await);
        assert_eq!(batch, b"ab\ncd\n");
        assert_eq!(outbox.push(b""), Err(QueueFull));
        outbox.finish();
        assert!(!outbox.take(&mut batch).await);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_ends_the_writer_and_later_messages_are_forgotten() {
        let (outbox, (near, far)) = (Outbox::new(6), tokio::io::duplex(1));
        drop(far);
        outbox.push(b"ab").unwrap();
        outbox.write_to(near).await;
        assert_eq!([outbox.push(b"abcd"), outbox.push(b"abcd")], [Ok(()), Ok(())]);
    }
}
