//! The waiting ends of exchanges: where an interpreter puts answers and events, and where a transport takes them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use orch_core::ports::gateway::{Event, EventStream, Reply, ReplyBody};
use orch_core::shard::Input;
use orch_core::{Exceeded, ExchangeId, Limit, SessionId};
use tokio::sync::oneshot;

use crate::cell::Cell;
use crate::held::Account;

/// Where the messages of an exchange go.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Nothing was sent yet: the first message decides between JSON and a stream.
    Undecided(oneshot::Sender<Reply>, Arc<Account>),
    /// It is a stream.
    Stream(Arc<Queue>),
}

impl Sink {
    /// The sink of an exchange that begins, for a client of this account.
    pub(crate) fn undecided(waits: oneshot::Sender<Reply>, account: Arc<Account>) -> Self {
        Self::Undecided(waits, account)
    }

    /// The whole answer, or the last message of a stream. In the place of one that finds no room goes an error.
    pub(crate) fn answer(self, status: u16, session: Option<SessionId>, body: Option<Bytes>) {
        match self {
            Self::Undecided(sender, account) => {
                let session = session.map(|id| id.to_string());
                let body = body.map_or(ReplyBody::Empty, |body| ReplyBody::Json(account.held_or_told(&body)));
                // A receiver that is gone has said so by its own drop.
                drop(sender.send(Reply { status, session, body }));
            }
            Self::Stream(queue) => {
                if let Some(data) = body {
                    queue.push(Event::Message { id: None, data });
                }
                queue.end();
            }
        }
    }

    /// Ends the exchange without a message: a stream that closes.
    pub(crate) fn finish(self, cell: &Arc<Cell>, exchange: ExchangeId) {
        self.into_stream(cell, exchange).end();
    }

    /// Ends the exchange because its shard is gone: what waits for a reply gets an error from its own half.
    pub(crate) fn cut(self) {
        if let Self::Stream(queue) = self {
            queue.end();
        }
    }

    /// Makes a stream of what is undecided.
    pub(crate) fn into_stream(self, cell: &Arc<Cell>, exchange: ExchangeId) -> Arc<Queue> {
        match self {
            Self::Stream(queue) => queue,
            Self::Undecided(sender, account) => {
                let queue = Arc::new(Queue::new(cell.limits().stream_bytes, account));
                let reader = Reader { queue: Arc::clone(&queue), guard: Guard::new(cell, exchange) };
                let reply = Reply { status: 200, session: None, body: ReplyBody::Events(Box::new(reader)) };
                if let Err(Reply { body: ReplyBody::Events(reader), .. }) = sender.send(reply) {
                    // The lock of the shard is held here, and dropping the reader would want it: the client has
                    // gone, and the pending half of the exchange has told so.
                    reader_forget(reader);
                }
                queue
            }
        }
    }
}

/// Drops a reader elsewhere than under the lock of its shard.
fn reader_forget(reader: Box<dyn EventStream>) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn_blocking(move || drop(reader));
    }
}

/// Events that wait for a client, bounded in bytes.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    bound: usize,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    bytes: usize,
    ended: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn new(bound: usize, account: Arc<Account>) -> Self {
        Self { state: Mutex::default(), bound, account }
    }

    /// Adds an event. A client that lets more than the bound wait loses its stream, never its neighbours' time;
    /// a single event may be larger than the bound.
    pub(crate) fn push(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.ended {
            return;
        }
        match self.admit(&state, event) {
            Ok(event) => {
                state.bytes = state.bytes.saturating_add(size(&event));
                state.events.push_back(event);
            }
            Err(exceeded) => {
                tracing::info!(limit = %exceeded.limit, "the stream of a client that does not read is cut");
                state.ended = true;
            }
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Counts an event, if there is room for it.
    fn admit(&self, state: &State, event: Event) -> Result<Event, Exceeded> {
        let next = state.events.is_empty();
        if !next && state.bytes.saturating_add(size(&event)) > self.bound {
            let hint = "read faster, or resume the stream";
            return Err(Exceeded { limit: Limit::StreamBytes, value: self.bound as u64, hint });
        }
        Ok(match event {
            Event::Message { id, data } if next => Event::Message { id, data: self.account.take_next(data)? },
            Event::Message { id, data } => Event::Message { id, data: self.account.take(data)? },
            event @ (Event::Endpoint(_) | Event::Primed { .. }) => event,
        })
    }

    /// Ends the stream after what is queued.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.events.pop_front() {
            Some(event) => {
                state.bytes = state.bytes.saturating_sub(size(&event));
                Poll::Ready(Some(event))
            }
            None if state.ended => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn size(event: &Event) -> usize {
    match event {
        Event::Endpoint(path) => path.len(),
        Event::Message { data, .. } => data.len(),
        Event::Primed { id, .. } => id.len(),
    }
}

/// The transport's end of a stream.
struct Reader {
    queue: Arc<Queue>,
    #[expect(dead_code, reason = "its drop is its purpose")]
    guard: Guard,
}

impl EventStream for Reader {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.queue.poll(cx)
    }
}

/// Tells the shard that the client has gone, when it is dropped before it is disarmed.
#[derive(Debug)]
pub(crate) struct Guard {
    cell: Weak<Cell>,
    exchange: ExchangeId,
    armed: bool,
}

impl Guard {
    pub(crate) fn new(cell: &Arc<Cell>, exchange: ExchangeId) -> Self {
        Self { cell: Arc::downgrade(cell), exchange, armed: true }
    }

    pub(crate) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.armed
            && let Some(cell) = self.cell.upgrade()
        {
            cell.close_exchange(self.exchange);
        }
    }
}

/// Feeds the input that ends an exchange.
pub(crate) fn closed(exchange: ExchangeId) -> Input {
    Input::ExchangeClosed(exchange)
}
