//! Calls that are sent to one process after another: nobody knows what became of them, and they may be repeated.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Call, Calls, Purpose};
use crate::{CallId, Timestamp};

impl Call {
    /// Whether nobody knows what became of it, should it not be answered.
    pub(crate) fn is_begun(&self) -> bool {
        self.sent || self.repeated
    }

    /// Whether it is still wanted at `at`, and can be said again as it was said.
    fn may_repeat(&self, at: Timestamp) -> bool {
        let wanted = matches!(self.purpose, Purpose::Client(..)) && self.deadline > at;
        wanted && self.request.is_some() && self.round.is_none()
    }
}

impl Calls {
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

    /// All calls but those that are to be sent again.
    pub(crate) fn drain_but_repeated(&mut self) -> Vec<Call> {
        let gone = self.table.iter().filter(|(_, call)| call.sent || !call.repeated).map(|(id, _)| *id);
        let gone: Vec<CallId> = gone.collect();
        gone.into_iter().filter_map(|id| self.remove(id)).collect()
    }
}
