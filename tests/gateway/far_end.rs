//! The hub's end: turns bytes into calls of the real gateway, and its replies and events into bytes.

use std::collections::HashMap;
use std::sync::Arc;

use orch_core::ports::gateway::{EventStream, Gateway, ReplyBody};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::AbortHandle;

use crate::link::{Down, Up, WireReply, bytes, value};

#[expect(clippy::disallowed_methods, reason = "a test's tasks end with its runtime")]
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(work).abort_handle()
}

pub(crate) fn serve(hub: Arc<dyn Gateway>, mut up: Receiver<Vec<u8>>, down: Sender<Vec<u8>>) {
    spawn(async move {
        let mut open: HashMap<u64, AbortHandle> = HashMap::new();
        while let Some(frame) = up.recv().await {
            let (hub, down) = (Arc::clone(&hub), down.clone());
            match value(&frame) {
                // Dropping the work drops the submit future or the stream, which is how a gateway is told.
                Up::Left { exchange } => open.remove(&exchange).iter().for_each(AbortHandle::abort),
                Up::Admit { exchange, head } => {
                    let work = async move {
                        let answer = match hub.admit(&head).await {
                            Ok(admission) => Down::Admitted { exchange, admission },
                            Err(reply) => Down::Replied { exchange, reply: WireReply::of(&reply) },
                        };
                        drop(down.send(bytes(&answer)).await);
                    };
                    open.insert(exchange, spawn(work));
                }
                Up::Submit { exchange, admission, head, body } => {
                    let work = async move {
                        let reply = hub.submit(admission, head, body.into()).await;
                        drop(
                            down.send(bytes(&Down::Replied { exchange, reply: WireReply::of(&reply) })).await,
                        );
                        if let ReplyBody::Events(stream) = reply.body {
                            forward(exchange, stream, &down).await;
                        }
                    };
                    open.insert(exchange, spawn(work));
                }
            }
        }
    });
}

async fn forward(exchange: u64, mut stream: Box<dyn EventStream>, down: &Sender<Vec<u8>>) {
    while let Some(event) = std::future::poll_fn(|cx| stream.poll_event(cx)).await {
        drop(down.send(bytes(&Down::Event { exchange, event })).await);
    }
    drop(down.send(bytes(&Down::Ended { exchange })).await);
}
