//! Giving up calls: by their client, by the end of their session, by the clock.

use alloc::format;
use alloc::vec::Vec;
use bytes::Bytes;

use super::{Cx, Effect, Shard};
use crate::mcp::Method;
use crate::rpc::{Envelope, Field, write};
use crate::upstream::{Caller, Purpose, Upstream};
use crate::{CallId, Denied, ServerId, SessionId};

/// What becomes of somebody who waits for an answer that will not come.
pub(super) type EndsWait = fn(&mut Shard, &mut Cx<'_>, &Caller);

impl Shard {
    /// Cancels a session's request: the server is told, and its answer, should it still come, is dropped.
    /// The client's own words go along.
    pub(super) fn cancel(&mut self, cx: &mut Cx<'_>, session: SessionId, notice: &Envelope) {
        let Some(request) = notice.raw_str(Field::RequestId) else { return };
        let passed_on = |call: CallId| {
            let id = (Field::RequestId, format!("{call}").into_bytes().into());
            let params = notice.spliced(Field::Params, &mut [id]);
            write::one_line(write::request(None, Method::Cancelled.name(), Some(&params))).into()
        };
        let is_it = |caller: &Caller| caller.session == Some(session) && *caller.id == *request;
        self.cancel_runs(cx, is_it, Self::dismiss);
        self.cancel_goals(cx, is_it, Self::dismiss);
        self.cancel_calls(cx, session, Some(request), passed_on, Self::dismiss);
        self.drop_held(cx, session, Some(request));
        self.drop_waiters(cx, |waiter| {
            let caller = &waiter.caller;
            caller.session == Some(session) && caller.step.is_none() && *caller.id == *request
        });
    }

    /// Cancels all requests of a session; `end` is what becomes of those who wait for servers, runs and plans.
    pub(super) fn cancel_all(&mut self, cx: &mut Cx<'_>, session: SessionId, end: EndsWait) {
        self.cancel_runs(cx, |caller| caller.session == Some(session), end);
        self.cancel_goals(cx, |caller| caller.session == Some(session), end);
        let ended = |call| cancellation(call, "the session has ended");
        self.cancel_calls(cx, session, None, ended, end);
        self.drop_held(cx, session, None);
        self.drop_waiters(cx, |waiter| waiter.caller.session == Some(session));
    }

    /// Whoever waits for an answer is told that their key is good no more, but where the stream that it would come on has ended.
    pub(super) fn refuse(&mut self, cx: &mut Cx<'_>, caller: &Caller) {
        if caller.ends {
            self.fail(cx, caller, &Denied::Unauthenticated.into());
        } else {
            self.dismiss(cx, caller);
        }
    }

    fn cancel_calls(
        &mut self,
        cx: &mut Cx<'_>,
        session: SessionId,
        request: Option<&str>,
        notice: impl Fn(CallId) -> Bytes,
        end: EndsWait,
    ) {
        let retired = self.retired.values().map(|(upstream, _)| upstream);
        let calls: Vec<(ServerId, CallId)> = retired
            .chain(self.upstreams.values())
            .flat_map(|up| up.calls.of_session(session, request).into_iter().map(|id| (up.id, id)))
            .collect();
        for (server, call) in calls {
            if let Some(caller) = self.abandon(cx, server, call, &notice) {
                end(self, cx, &caller);
            }
        }
    }

    /// A client wants no answer to its request any more.
    pub(super) fn dismiss(&mut self, cx: &mut Cx<'_>, caller: &Caller) {
        self.unsettled.unsay(caller.exchange, &caller.id);
        if caller.ends {
            self.exchanges.remove(&caller.exchange);
            self.finish(cx, caller.exchange);
        } else {
            self.count_down(cx, caller.exchange);
        }
    }

    /// Forgets a call and tells its server to stop. Returns its caller.
    pub(super) fn abandon(
        &mut self,
        cx: &mut Cx<'_>,
        server: ServerId,
        call: CallId,
        notice: impl Fn(CallId) -> Bytes,
    ) -> Option<Caller> {
        let until = cx.now.after(cx.limits().call);
        let upstream = self.holder(server, call)?;
        if let Some(caller) = upstream.calls.part(call, until) {
            self.end_questions(cx, call);
            self.settle(caller.session);
            return Some(caller);
        }
        let mut taken = upstream.calls.remove(call)?;
        upstream.give_up(&taken, cx.now);
        let link = upstream.process.ready_link();
        if let Some(link) = link.filter(|_| taken.is_under_way()) {
            cx.effect(Effect::SendFrame { link, frame: notice(call) });
        }
        self.end_questions(cx, call);
        if let Some(link) = link {
            self.end_if_drained(cx, link);
        }
        self.subscriptions.turns_over |= taken.subscription().is_some();
        self.record_cancelled(cx, server, &mut taken);
        let Purpose::Client(caller, _) = taken.purpose else { return None };
        self.settle(caller.session);
        Some(caller)
    }

    /// A server may be there twice: as it is, and as it was before its configuration changed.
    pub(super) fn holder(&mut self, server: ServerId, call: CallId) -> Option<&mut Upstream> {
        let retired = self.retired.values_mut().map(|(upstream, _)| upstream);
        let mut all = retired.chain(self.upstreams.of_mut(server));
        all.find(|upstream| upstream.id == server && upstream.calls.contains(call))
    }
}

/// Tells a server to give up a call.
pub(super) fn cancellation(call: CallId, why: &str) -> Bytes {
    let params = format!("{{\"requestId\":{call},\"reason\":\"{why}\"}}");
    write::request(None, Method::Cancelled.name(), Some(params.as_bytes())).into()
}
