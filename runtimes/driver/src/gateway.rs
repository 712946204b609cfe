//! The driver as a gateway: from an HTTP exchange to an input of a shard, and back to a reply.

use std::sync::Arc;

use bytes::Bytes;
use orch_core::ports::BoxFuture;
use orch_core::ports::gateway::{Admission, Gateway, Head, Reply, Verb};
use orch_core::rpc::{Body, asked_id};
use orch_core::shard::{BatchPosted, Input, Opened, Posted};
use orch_core::{Bug, ExchangeId, Fault, Rejection};
use tokio::sync::oneshot;

use crate::cell::Cell;
use crate::exchange::{Guard, Sink};
use crate::registry::Driver;

impl Gateway for Driver {
    fn admit<'a>(&'a self, head: &'a Head) -> BoxFuture<'a, Result<Admission, Reply>> {
        let admission = self.admission(head);
        Box::pin(std::future::ready(admission.map_err(|fault| refusal(&fault))))
    }

    fn submit(&self, admission: Admission, head: Head, body: Bytes) -> BoxFuture<'_, Reply> {
        Box::pin(self.carry(admission, head, body))
    }
}

impl Driver {
    fn admission(&self, head: &Head) -> Result<Admission, Fault> {
        let admission = self.directory().admit(head, self.now())?;
        let cell = self.cell(admission.project());
        if cell.is_some_and(|cell| cell.snapshot().has(admission.target())) {
            Ok(admission)
        } else {
            Err(Rejection::NoSuchEndpoint.into())
        }
    }

    async fn carry(&self, admission: Admission, head: Head, body: Bytes) -> Reply {
        let Some(cell) = self.cell(admission.project()) else {
            return refusal(&Rejection::NoSuchEndpoint.into());
        };
        let exchange = self.mint_exchange();
        let patience = cell.limits().first_message;
        let input = match input(exchange, admission, head, &body, &cell) {
            Ok(input) => input,
            Err(reply) => return reply,
        };
        let (sender, mut receiver) = oneshot::channel();
        let mut guard = Guard::new(&cell, exchange);
        cell.begin(exchange, Sink::Undecided(sender), input);
        let first = tokio::time::timeout(patience, &mut receiver).await;
        let first = if let Ok(first) = first {
            first
        } else {
            // Nothing yet: a client that waits for the first byte may be shown one.
            cell.feed(Input::AnswerDelayed(exchange));
            receiver.await
        };
        guard.disarm();
        first.unwrap_or_else(|_| refusal(&Bug::Invariant("the exchange was dropped").into()))
    }
}

fn input(
    exchange: ExchangeId,
    admission: Admission,
    head: Head,
    body: &Bytes,
    cell: &Arc<Cell>,
) -> Result<Input, Reply> {
    Ok(match head.verb {
        Verb::Post | Verb::PostMessage => {
            let refused = |fault: Fault| Reply::json(fault.wire().status, fault.frame(asked_id(body)).into());
            match Body::parse(body.clone(), cell.limits()).map_err(refused)? {
                Body::Batch(members) => {
                    Input::BatchPosted(BatchPosted { exchange, admission, head, members })
                }
                Body::Message(body) => Input::Posted(Posted { exchange, admission, head, body }),
            }
        }
        Verb::Listen | Verb::OpenSse => Input::StreamOpened(Opened { exchange, admission, head }),
        Verb::Delete => Input::SessionDeleted(Opened { exchange, admission, head }),
    })
}

fn refusal(fault: &Fault) -> Reply {
    Reply::json(fault.wire().status, fault.frame(None).into())
}
