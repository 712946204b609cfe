//! A remote server that has forgotten its session, or speaks otherwise than it did, gets another link at once, and its
//! clients do not notice.
//!
//! What it refused because of that was not begun, so it is sent again, once: what is refused in the next session too is not
//! refused for its session. What else it works on is answered where it was asked, on streams that need no session; the link of
//! old lives until then.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::{Cx, Shard};
use crate::record::{LogCategory, LogLevel};
use crate::rpc::{Envelope, Message, number_of};
use crate::upstream::{Call, Failure, Purpose, State};
use crate::{CallId, Fault, LinkId, ServerId, UpstreamFault};

/// What has become of a session.
const CAUSE: &str = "it no longer knows its session";

impl Shard {
    /// A server has refused a message because it does not know the session any more. `refusal` is its answer to the
    /// request that this was, if it was one.
    pub(super) fn on_link_expired(&mut self, cx: &mut Cx<'_>, link: LinkId, refusal: Option<Envelope>) {
        let Some(refusal) = refusal else {
            self.renew(cx, link, None, CAUSE);
            return;
        };
        let Message::Response { id, .. } = refusal.message() else { return };
        let refused = number_of(id).map(CallId);
        let taken = refused
            .filter(|call| self.may_renew(link, *call))
            .is_some_and(|call| self.anew(cx, link, call, CAUSE));
        if !taken {
            self.on_frames(cx, link, refused, [Ok(refusal)].into());
        }
    }

    /// Has a call that was refused sent over another link, which takes the place of this one or has already. Returns
    /// whether it is.
    pub(super) fn anew(&mut self, cx: &mut Cx<'_>, link: LinkId, refused: CallId, cause: &str) -> bool {
        if self.retired.contains_key(&link) {
            self.move_on(cx, link, refused)
        } else {
            self.renew(cx, link, Some(refused), cause)
        }
    }

    /// Whether another session is of use to what was refused: one of the hub's own is asked anew there, and a client's is
    /// sent again if it was not already.
    fn may_renew(&mut self, link: LinkId, call: CallId) -> bool {
        let call = self.upstream_of(link).and_then(|upstream| upstream.calls.get_mut(call));
        call.is_none_or(|call| call.may_renew() || !matches!(call.purpose, Purpose::Client(..)))
    }

    /// Opens another link in place of one whose session has expired, or whose server is another. What was refused is sent over it. Returns whether
    /// it does; nothing has changed otherwise.
    fn renew(&mut self, cx: &mut Cx<'_>, link: LinkId, refused: Option<CallId>, cause: &str) -> bool {
        let (limits, stopping) = (cx.snapshot.limits(), self.stopping);
        if stopping || self.retired.contains_key(&link) {
            return false;
        }
        let Some(upstream) = self.upstream_of(link) else { return false };
        if !matches!(upstream.process.state, State::Running { .. }) {
            return false;
        }
        let server = upstream.name.clone();
        let Some(left) = upstream.renew(refused, cx.now, limits) else {
            let (most, span) = (limits.renewals, limits.renewal_span.as_secs());
            let words = format!("{cause}, more than {most} times within {span} s (limit renewals)");
            cx.report(&server, LogLevel::Warning, LogCategory::StatusCheck, words);
            return false;
        };
        if let Some(call) = refused {
            // It was begun nowhere, so it has asked for nothing.
            self.end_questions(cx, call);
        }
        self.subscriptions.turns_over = true;
        let until = left.calls.last_deadline().unwrap_or(cx.now);
        self.retired.insert(link, (left, until));
        cx.report(
            &server,
            LogLevel::Info,
            LogCategory::StatusCheck,
            format!("{cause}: it gets another link"),
        );
        self.end_if_drained(cx, link);
        true
    }

    /// A call was refused in a session that has another in its place already: it is sent in that. Returns whether it is.
    fn move_on(&mut self, cx: &mut Cx<'_>, link: LinkId, refused: CallId) -> bool {
        let Some(seat) = self.links.get(&link).filter(|_| !self.stopping) else { return false };
        let Some((left, _)) = self.retired.get_mut(&link).filter(|(left, _)| left.expired) else {
            return false;
        };
        let Some(current) = self.upstreams.get_mut(seat).filter(|it| it.digest == left.digest) else {
            return false;
        };
        if let Some(call) = left.calls.remove(refused) {
            current.calls.insert(refused, call);
            current.calls.renew(refused);
            current.process.want(cx.now);
        }
        let next = current.process.ready_link();
        self.subscriptions.turns_over = true;
        self.end_questions(cx, refused);
        if let Some(next) = next {
            self.send_waiting(cx, next);
        }
        self.end_if_drained(cx, link);
        true
    }

    /// Answers calls that their server will not answer: with what is known of them.
    pub(super) fn answer_lost(
        &mut self,
        cx: &mut Cx<'_>,
        (id, server): (ServerId, &str),
        failure: &Failure,
        lost: Vec<Call>,
    ) {
        for mut call in lost {
            if let Some(stream) = call.purpose.task_stream() {
                self.end_listener(cx, stream);
            }
            if call.purpose.client().is_none() {
                continue;
            }
            let fault = if call.is_begun() {
                UpstreamFault::OutcomeUnknown { server: server.to_owned(), cause: failure.cause.clone() }
            } else {
                failure.fault(server)
            };
            let fault = fault.into();
            self.record_fault(cx, (id, server), &mut call, &fault);
            self.answer_fault(cx, call, &fault);
        }
    }

    /// Answers the client of a call that is not open any more.
    pub(super) fn answer_fault(&mut self, cx: &mut Cx<'_>, call: Call, fault: &Fault) {
        if let Purpose::Client(caller, _) = call.purpose {
            self.settle(caller.session);
            self.fail(cx, &caller, fault);
        }
    }
}
