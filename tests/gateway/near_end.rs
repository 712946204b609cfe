//! The front's end: a [`Gateway`] that knows nothing but bytes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use orch_core::ports::BoxFuture;
use orch_core::ports::gateway::{Admission, Event, EventStream, Gateway, Head, Reply, ReplyBody};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::far_end;
use crate::link::{Down, Up, WireBody, bytes, value};

type Waiting = Arc<Mutex<HashMap<u64, Sender<Down>>>>;

/// A gateway at the far end of a link.
pub(crate) struct LinkedGateway {
    up: Sender<Vec<u8>>,
    waiting: Waiting,
    next: AtomicU64,
}

impl LinkedGateway {
    /// Lays a link to `hub`, with both ends in this process.
    pub(crate) fn connect(hub: Arc<dyn Gateway>) -> Self {
        let (up, from_front) = channel(64);
        let (down, mut from_hub) = channel::<Vec<u8>>(64);
        let waiting = Waiting::default();
        let table = Arc::clone(&waiting);
        far_end::serve(hub, from_front, down);
        far_end::spawn(async move {
            while let Some(frame) = from_hub.recv().await {
                let message: Down = value(&frame);
                let exchange = match &message {
                    Down::Admitted { exchange, .. }
                    | Down::Replied { exchange, .. }
                    | Down::Event { exchange, .. }
                    | Down::Ended { exchange } => *exchange,
                };
                let sender = table.lock().unwrap().get(&exchange).cloned();
                if let Some(sender) = sender {
                    drop(sender.send(message).await);
                }
            }
        });
        Self { up, waiting, next: AtomicU64::new(1) }
    }

    fn open(&self) -> Open {
        let exchange = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = channel(64);
        self.waiting.lock().unwrap().insert(exchange, sender);
        Open { exchange, receiver, up: self.up.clone(), waiting: Arc::clone(&self.waiting) }
    }
}

impl Gateway for LinkedGateway {
    fn admit<'a>(&'a self, head: &'a Head) -> BoxFuture<'a, Result<Admission, Reply>> {
        Box::pin(async move {
            let mut open = self.open();
            open.send(&Up::Admit { exchange: open.exchange, head: head.clone() }).await;
            match open.receiver.recv().await {
                Some(Down::Admitted { admission, .. }) => Ok(admission),
                Some(Down::Replied { reply, .. }) => Err(open.reply(reply)),
                other => panic!("the far end answered {other:?}"),
            }
        })
    }

    fn submit(&self, admission: Admission, head: Head, body: Bytes) -> BoxFuture<'_, Reply> {
        Box::pin(async move {
            let mut open = self.open();
            let exchange = open.exchange;
            open.send(&Up::Submit { exchange, admission, head, body: body.to_vec() }).await;
            match open.receiver.recv().await {
                Some(Down::Replied { reply, .. }) => open.reply(reply),
                other => panic!("the far end answered {other:?}"),
            }
        })
    }
}

/// An exchange at the near end. Dropped, it tells the far end that the client has gone.
struct Open {
    exchange: u64,
    receiver: Receiver<Down>,
    up: Sender<Vec<u8>>,
    waiting: Waiting,
}

impl Open {
    async fn send(&self, message: &Up) {
        self.up.send(bytes(message)).await.expect("the far end is there");
    }

    fn reply(self, reply: crate::link::WireReply) -> Reply {
        let body = match reply.body {
            WireBody::Empty => ReplyBody::Empty,
            WireBody::Json(json) => ReplyBody::Json(json.into()),
            WireBody::Events => ReplyBody::Events(Box::new(self)),
        };
        Reply { status: reply.status, session: reply.session, body }
    }
}

impl EventStream for Open {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(Down::Event { event, .. })) => Poll::Ready(Some(event)),
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.waiting.lock().unwrap().remove(&self.exchange);
        drop(self.up.try_send(bytes(&Up::Left { exchange: self.exchange })));
    }
}
