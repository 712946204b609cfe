//! The only door out of a machine: what it may know, and where its effects go.

use alloc::vec::Vec;
use bytes::Bytes;

use super::{Effect, Effects};
use crate::ports::gateway::Event;
use crate::snapshot::Snapshot;
use crate::{Entropy, ExchangeId, Limits, Timestamp};

/// The context of one input.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The time, read once for the whole input.
    pub now: Timestamp,
    /// The project, one snapshot for the whole input.
    pub snapshot: &'a Snapshot,
    /// Where ids come from.
    pub entropy: &'a mut Entropy,
    /// Where effects go.
    pub out: &'a mut Effects,
}

impl Cx<'_> {
    /// The bounds.
    pub fn limits(&self) -> &Limits {
        self.snapshot.limits()
    }

    /// The same, in another view of the project.
    pub(crate) fn within<'b>(&'b mut self, snapshot: &'b Snapshot) -> Cx<'b> {
        Cx { now: self.now, snapshot, entropy: &mut *self.entropy, out: &mut *self.out }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.out.push(effect);
    }

    /// Ends an exchange with a message or, without one, with a bare status.
    pub(crate) fn answer(&mut self, exchange: ExchangeId, status: u16, body: Option<Vec<u8>>) {
        self.effect(Effect::Answer { exchange, status, session: None, body: body.map(Bytes::from) });
    }

    pub(crate) fn emit(&mut self, exchange: ExchangeId, message: Bytes) {
        self.effect(Effect::Emit { exchange, event: Event::Message { id: None, data: message } });
    }
}
