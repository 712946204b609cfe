//! What waits to be sent over a link: whole messages, bounded in bytes.
//!
//! A message counts until its last byte was handed to a connection, or it was given up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use orch_core::ports::upstream::QueueFull;
use tokio::sync::Notify;

/// What a message costs beside its bytes, so that many small ones are bounded too.
const OVERHEAD: usize = 64;

/// What comes after `Mcp-Param-` in the name of a header, and its value.
pub(crate) type Params = Vec<(String, String)>;

/// The queue between the senders of one link and its desk.
#[derive(Debug)]
pub(crate) struct Queue {
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Bytes, Params)>,
    /// The cost of all messages that wait here or elsewhere.
    held: usize,
    finished: bool,
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) bytes: Bytes,
    /// Arguments of it that are repeated in headers.
    pub(crate) params: Params,
    pub(crate) held: Held,
}

/// A message's place in the bound, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    queue: Arc<Queue>,
    cost: usize,
}

impl Queue {
    /// An empty queue for at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a message. A finished queue takes it and forgets it: the link's end is reported on its own.
    pub(crate) fn push(&self, message: Bytes, params: Params) -> Result<(), QueueFull> {
        let mut state = self.lock();
        if state.finished {
            return Ok(());
        }
        let held = state.held + message.len() + OVERHEAD;
        if held > self.limit {
            return Err(QueueFull);
        }
        state.held = held;
        state.waiting.push_back((message, params));
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes no more messages.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_one();
    }

    /// The next message; `None` when none will come.
    pub(crate) async fn next(self: &Arc<Self>) -> Option<Parcel> {
        loop {
            if let Some(parcel) = self.pop() {
                return Some(parcel);
            }
            if self.lock().finished {
                return None;
            }
            self.changed.notified().await;
        }
    }

    /// The next message, if it is there.
    pub(crate) fn pop(self: &Arc<Self>) -> Option<Parcel> {
        let (bytes, params) = self.lock().waiting.pop_front()?;
        let held = Held { queue: Arc::clone(self), cost: bytes.len() + OVERHEAD };
        Some(Parcel { bytes, params, held })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.queue.lock().held -= self.cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_out_in_order_and_then_the_end() {
        let queue = Arc::new(Queue::new(1000));
        for text in ["a", "b"] {
            queue.push(Bytes::from(text), Vec::new()).unwrap();
        }
        queue.finish();
        queue.push(Bytes::from("late"), Vec::new()).unwrap();
        let (first, second) = (queue.next().await.unwrap(), queue.next().await.unwrap());
        assert_eq!((&first.bytes[..], &second.bytes[..]), (&b"a"[..], &b"b"[..]));
        assert!(queue.next().await.is_none());
    }

    #[test]
    fn a_message_counts_until_it_is_let_go() {
        let queue = Arc::new(Queue::new(2 * OVERHEAD + 10));
        queue.push(Bytes::from("12345"), Vec::new()).unwrap();
        queue.push(Bytes::from("12345"), Vec::new()).unwrap();
        let parcel = queue.pop().unwrap();
        assert_eq!(queue.push(Bytes::from("1"), Vec::new()), Err(QueueFull), "it is still held");
        drop(parcel);
        assert_eq!(queue.push(Bytes::from("12345"), Vec::new()), Ok(()));
        assert_eq!(queue.push(Bytes::new(), Vec::new()), Err(QueueFull));
    }
}
