//! Calls that wait for a place at a remote server that works on as many as it is asked at the same time.

use alloc::vec::Vec;

use super::forward::{longest, repeated, send};
use super::greet::keeps_request;
use super::{Cx, Shard};
use crate::upstream::{Purpose, say};
use crate::{CallId, Exceeded, Fault, Limit, LinkId};

impl Shard {
    /// Gives the places that have become free to those who wait.
    pub(super) fn fill_places(&mut self, cx: &mut Cx<'_>) {
        let most = cx.limits().remote_in_flight;
        for link in core::mem::take(&mut self.crowded) {
            let next = |shard: &mut Self| shard.upstream_of(link)?.calls.next_in_place(most);
            while let Some(id) = next(self) {
                self.send_off(cx, link, id);
            }
            if self.upstream_of(link).is_some_and(|upstream| upstream.calls.await_places()) {
                self.crowded.insert(link);
            }
        }
    }

    /// Whether a call may be sent over a link now; else it is when there is a place for it. It is in the table of calls already.
    pub(super) fn has_place(&mut self, cx: &Cx<'_>, link: LinkId, id: CallId) -> bool {
        let Some(upstream) = self.upstream_at(link) else { return true };
        if !cx.snapshot.entry(upstream.id).is_some_and(|entry| entry.is_remote()) {
            return true;
        }
        let whose = upstream.calls.caller(id).and_then(|caller| self.key_of(caller)).cloned();
        let Some(upstream) = self.upstream_of(link) else { return true };
        let has_place = upstream.calls.take_place(id, whose, cx.limits().remote_in_flight);
        if !has_place {
            self.crowded.insert(link);
        }
        has_place
    }

    /// Sends a call that was not sent yet.
    pub(super) fn send_off(&mut self, cx: &mut Cx<'_>, link: LinkId, id: CallId) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let entry = cx.snapshot.entry(upstream.id);
        let Some(call) = upstream.calls.get_mut(id) else { return };
        let (Purpose::Client(caller, _), Some(request)) = (&call.purpose, call.request.take()) else {
            upstream.calls.remove(id);
            self.subscriptions.turns_over = true;
            return;
        };
        let params = repeated(cx, upstream.id, upstream.revision, &request, &request.edits);
        let (body, edits) = ((&*request.method, &request.body), request.edits.clone());
        let frame = say(id, upstream.revision, caller, body, edits, Vec::new());
        let longest = longest(cx, &request.method);
        let keeps = entry.is_some_and(|entry| keeps_request(entry, upstream.revision, caller.revision));
        call.request = (keeps || call.repeats > 0).then_some(request);
        upstream.calls.set_off(id, cx.now, longest);
        send(cx, link, frame, params);
    }
}

/// The fault of a call for which there was no place in its time.
pub(super) fn no_place(cx: &Cx<'_>) -> Fault {
    let value = cx.limits().remote_in_flight as u64;
    let hint = "the server is asked as much as it may be at the same time, and one key at most half of that; try again later";
    Exceeded { limit: Limit::RemoteInFlight, value, hint }.into()
}
