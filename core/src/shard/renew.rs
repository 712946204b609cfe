//! A remote server that has forgotten its session gets another at once, and its clients do not notice.
//!
//! What it refused because of that was not begun, so it is sent again. Beside it, only a call that may be repeated ever is
//! (`call_repeats`).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Cx, Shard};
use crate::record::{LogCategory, LogLevel};
use crate::upstream::{Call, Failure, Purpose, State};
use crate::{CallId, Fault, LinkId, ServerId, UpstreamFault};

impl Shard {
    /// The calls with these raw ids count as not sent any more: nothing was done for them.
    pub(super) fn take_back_refused(&mut self, link: LinkId, refused: &[String]) {
        let Some(upstream) = self.upstream_of(link) else { return };
        for id in refused.iter().filter_map(|id| id.parse().ok()) {
            upstream.calls.unsend(CallId(id));
        }
    }

    /// Opens another link in place of one whose session has expired. What was sent and not refused has an unknown
    /// outcome. `Err` is the cause for a failure, where there is one: nothing has changed then.
    pub(super) fn renew(&mut self, cx: &mut Cx<'_>, link: LinkId) -> Result<(), String> {
        const CAUSE: &str = "it no longer knows its session";
        let (limits, stopping) = (cx.snapshot.limits(), self.stopping);
        let Some(upstream) = self.upstream_of(link) else { return Ok(()) };
        if stopping || !matches!(upstream.process.state, State::Running { .. }) {
            return Err(CAUSE.to_owned());
        }
        if !upstream.renew(cx.now, limits) {
            let span = limits.renewal_span.as_secs();
            return Err(format!(
                "{CAUSE}, more than {} times within {span} s (limit renewals)",
                limits.renewals
            ));
        }
        let (id, server) = (upstream.id, upstream.name.clone());
        let again = upstream.calls.take_back(cx.now);
        let lost = upstream.calls.keep_unsent();
        cx.report(&server, LogLevel::Info, LogCategory::StatusCheck, format!("{CAUSE}: it gets another"));
        cx.report_repeats(&server, &again);
        self.answer_lost(cx, (id, &server), &Failure::passing(CAUSE), lost);
        Ok(())
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
