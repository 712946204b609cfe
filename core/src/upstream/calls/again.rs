//! Calls that are sent to one process or in one session after another: nobody knows what became of them and they may be
//! repeated, or nothing was done for them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Call, Calls, Purpose};
use crate::{CallId, Timestamp};

impl Call {
    /// Whether nobody knows what became of it, should it not be answered.
    pub(crate) fn is_begun(&self) -> bool {
        self.sent || self.repeated
    }

    /// Whether its client waits for it and it can be sent once more, because a session was gone.
    pub(crate) fn may_renew(&self) -> bool {
        matches!(self.purpose, Purpose::Client(..)) && self.request.is_some() && self.renewals == 0
    }

    /// Whether it is still wanted at `at`, and can be said again as it was said.
    fn may_repeat(&self, at: Timestamp) -> bool {
        let wanted = matches!(self.purpose, Purpose::Client(..)) && self.deadline > at;
        wanted && self.request.is_some() && self.round.is_none()
    }
}

impl Calls {
    /// A call was refused because a session was gone: it counts as not sent any more, or is over if nobody waits for it.
    pub(crate) fn renew(&mut self, id: CallId) {
        match self.table.get_mut(&id) {
            Some(call) if call.may_renew() => (call.sent, call.renewals) = (false, 1),
            Some(_) | None => {
                self.remove(id);
            }
        }
    }

    /// Calls that may be sent again count as not sent any more, if there will still be time for it at `at`. Returns their
    /// tools.
    pub(crate) fn take_back(&mut self, at: Timestamp) -> Vec<Box<str>> {
        let again =
            self.table.values_mut().filter(|call| call.sent && call.repeats > 0 && call.may_repeat(at));
        again
            .filter_map(|call| {
                (call.sent, call.repeated) = (false, true);
                call.repeats = call.repeats.saturating_sub(1);
                call.tool.clone()
            })
            .collect()
    }

    /// Takes the calls of clients that were sent, which may still be answered where they were. Those of the hub's own are
    /// forgotten.
    pub(crate) fn take_sent(&mut self) -> Self {
        let sent = self.table.iter().filter(|(_, call)| call.sent).map(|(id, _)| *id);
        let mut taken = Self::default();
        for id in sent.collect::<Vec<_>>() {
            if let Some(call) = self.remove(id).filter(Call::is_of_client) {
                taken.insert(id, call);
            }
        }
        taken
    }

    /// When the last of them is given up in any case.
    pub(crate) fn last_deadline(&self) -> Option<Timestamp> {
        self.table.values().map(|call| call.hard_deadline).max()
    }

    /// All calls but those that are to be sent again.
    pub(crate) fn drain_but_repeated(&mut self) -> Vec<Call> {
        let gone = self.table.iter().filter(|(_, call)| call.sent || !call.repeated).map(|(id, _)| *id);
        let gone: Vec<CallId> = gone.collect();
        gone.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}
