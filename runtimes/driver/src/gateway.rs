//! The driver as a gateway: from an HTTP exchange to an input of a shard, and back to a reply.

use std::sync::Arc;

use bytes::Bytes;
use orch_core::ports::BoxFuture;
use orch_core::ports::gateway::{Admission, Gateway, Head, Reply, Verb};
use orch_core::rpc::{Body, Message, asked_id};
use orch_core::shard::{BatchPosted, Input, Opened, Posted};
use orch_core::{Bug, ExchangeId, Fault, Rejection};
use tokio::sync::oneshot;

use crate::cell::{Cell, Client};
use crate::exchange::Guard;
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
        let body = match cell.world.held.take(body.clone()) {
            Ok(counted) => counted,
            Err(exceeded) => return refused(&exceeded.into(), &body),
        };
        let key = admission.key().clone();
        let input = match input(exchange, admission, head, &body, &cell) {
            Ok(input) => input,
            Err(reply) => return reply,
        };
        let (waits, mut receiver) = oneshot::channel();
        let client = Client { key: &key, asks: asks(&input), waits };
        let mut guard = Guard::new(&cell, exchange);
        if let Err(exceeded) = cell.begin(exchange, client, input) {
            guard.disarm();
            return refused(&exceeded.into(), &body);
        }
        drop(body);
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
            match Body::parse(body.clone(), cell.limits()).map_err(|fault| refused(&fault, body))? {
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

/// Whether an input is a request that somebody waits for the answer to.
fn asks(input: &Input) -> bool {
    let single = |posted: &Posted| matches!(posted.body.message(), Message::Request { .. });
    matches!(input, Input::BatchPosted(_)) || matches!(input, Input::Posted(posted) if single(posted))
}

/// The refusal of a message, under its id.
fn refused(fault: &Fault, body: &[u8]) -> Reply {
    Reply::json(fault.wire().status, fault.frame(asked_id(body)).into())
}

fn refusal(fault: &Fault) -> Reply {
    Reply::json(fault.wire().status, fault.frame(None).into())
}
