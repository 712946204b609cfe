//! Calls that wait for a place at a remote server that works on as many as it is asked at the same time.

use super::forward::{longest, repeated, send};
use super::greet::keeps_request;
use super::{Cx, Shard};
use crate::upstream::{Purpose, say};
use crate::{CallId, Exceeded, Fault, Limit, LinkId, ServerId};

impl Shard {
    /// Gives the places that have become free to those who wait.
    pub(super) fn fill_places(&mut self, cx: &mut Cx<'_>) {
        let most = cx.limits().remote_in_flight;
        for link in core::mem::take(&mut self.crowded) {
            let next = |shard: &mut Self| shard.upstream_of(link)?.calls.next_in_place(most);
            while let Some(id) = next(self) {
                self.send_off(cx, link, id);
            }
            if self.upstream_of(link).is_some_and(|upstream| upstream.calls.are_queued()) {
                self.crowded.insert(link);
            }
        }
    }

    /// Sends a call that was not sent yet, now or as soon as its server has a place for it.
    pub(super) fn send_in_place(&mut self, cx: &mut Cx<'_>, link: LinkId, id: CallId) {
        let most = cx.limits().remote_in_flight;
        let Some(upstream) = self.upstream_of(link) else { return };
        if !is_bounded(cx, upstream.id) || upstream.calls.have_place(most) {
            return self.send_off(cx, link, id);
        }
        self.wait_for_place(link, id);
    }

    /// Has a call wait for a place.
    pub(super) fn wait_for_place(&mut self, link: LinkId, id: CallId) {
        let caller = self.upstream_at(link).and_then(|upstream| upstream.calls.caller(id));
        let key = caller.and_then(|caller| self.key_of(caller)).cloned();
        if let Some(upstream) = self.upstream_of(link) {
            upstream.calls.wait_for_place(id, key);
            self.crowded.insert(link);
        }
    }

    fn send_off(&mut self, cx: &mut Cx<'_>, link: LinkId, id: CallId) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let entry = cx.snapshot.entry(upstream.id);
        let Some(call) = upstream.calls.get_mut(id) else { return };
        let (Purpose::Client(caller, _), Some(request)) = (&call.purpose, call.request.take()) else {
            upstream.calls.remove(id);
            return;
        };
        let params = repeated(cx, upstream.id, upstream.revision, &request, &request.edits);
        let (body, edits) = ((&*request.method, &request.body), request.edits.clone());
        let frame = say(id, upstream.revision, caller, body, edits, alloc::vec::Vec::new());
        let longest = longest(cx, &request.method);
        let keeps = entry.is_some_and(|entry| keeps_request(entry, upstream.revision, caller.revision));
        call.request = (keeps || call.repeats > 0).then_some(request);
        upstream.calls.set_off(id, cx.now, longest);
        send(cx, link, frame, params);
    }
}

/// Whether a server is asked no more than [`crate::Limits::remote_in_flight`] at the same time.
pub(super) fn is_bounded(cx: &Cx<'_>, server: ServerId) -> bool {
    cx.snapshot.entry(server).is_some_and(|entry| entry.is_remote())
}

/// The fault of a call for which there was no place in its time.
pub(super) fn no_place(cx: &Cx<'_>) -> Fault {
    let value = cx.limits().remote_in_flight as u64;
    let hint = "the server works on as many requests as it is asked at the same time; try again when it has answered";
    Exceeded { limit: Limit::RemoteInFlight, value, hint }.into()
}
