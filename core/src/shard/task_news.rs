//! News of tasks, for streams at the endpoint of one server: the server is asked for them on a stream of its own, with the
//! client's own words, for those that its key has begun.
//!
//! The client's stream opens when the server has said of which tasks it will tell, or that it will of none. When the
//! server's stream ends, so does the client's: of a task that it was promised to hear of it must not just hear nothing.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use serde::Deserialize;

use super::listen::Filter;
use super::news::subscription;
use super::{Cx, Shard};
use crate::mcp::{Method, knows_tasks};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, write};
use crate::upstream::{Caller, Edits, Request, Upstream};
use crate::{CallId, Exceeded, KeyId, Limit, LinkId, Rejection, ServerId};

/// A stream that is about to open.
#[derive(Debug)]
pub(super) struct Opening {
    pub key: KeyId,
    server: ServerId,
    filter: Filter,
}

impl Shard {
    /// Asks the server of the endpoint for the tasks of a stream. Where it has none, nothing is promised of them.
    pub(super) fn listen_for_tasks(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        body: Envelope,
        mut filter: Filter,
    ) {
        let named = match &caller.target {
            Target::Server(name) => cx.snapshot.named(name),
            Target::Unified => None,
        };
        let able = named.filter(|entry| entry.offer.as_ref().is_some_and(|offer| offer.has_tasks())).cloned();
        let has_own = caller.target == Target::Unified && cx.snapshot.unified.has_tasks();
        if (able.is_some() || has_own) && !knows_tasks(&body) {
            return self.fail(cx, &caller, &Rejection::MissingTasks.into());
        }
        let (Some(entry), Some(key)) = (able, caller.key.clone()) else {
            filter.task_ids.clear();
            return self.open_listener(cx, &caller, filter, None);
        };
        if let Err(exceeded) = self.admit_task_stream(cx, entry.id) {
            return self.fail(cx, &caller, &exceeded.into());
        }
        filter.task_ids.retain(|task| self.own_task(cx, &caller, entry.id, task).is_some());
        filter.task_ids.truncate(cx.limits().subscriptions);
        // A list of strings always has a JSON form.
        let ids = serde_json::to_string(&filter.task_ids).unwrap_or_default();
        let wanted = format!("{{\"taskIds\":{ids}}}").into_bytes();
        self.opening.insert(caller.exchange, Opening { key, server: entry.id, filter });
        let edits = Vec::from([(Field::Notifications, Cow::Owned(wanted))]);
        self.forward(cx, caller, &entry, Request::new(Method::Listen.name().into(), body, edits));
    }

    /// Whether a server may be asked for one more stream.
    fn admit_task_stream(&self, cx: &Cx<'_>, server: ServerId) -> Result<(), Exceeded> {
        let open = self.upstreams.of(server).flat_map(|upstream| upstream.calls.task_streams()).count();
        let opening = self.opening.values().filter(|opening| opening.server == server).count();
        let most = cx.limits().task_streams;
        let hint = "name more tasks on one stream, or ask for them with tasks/get";
        let exceeded = Exceeded { limit: Limit::TaskStreams, value: most as u64, hint };
        if open.saturating_add(opening) < most { Ok(()) } else { Err(exceeded) }
    }

    /// The server says of which tasks it will tell. Returns whether it was asked for any on this call.
    pub(super) fn on_tasks_granted(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        call: CallId,
        frame: &Envelope,
    ) -> bool {
        #[derive(Deserialize)]
        struct Granted {
            #[serde(default, rename = "taskIds")]
            task_ids: Vec<alloc::string::String>,
        }
        let Some(upstream) = self.upstream_of(link) else { return false };
        let Some(caller) = upstream.calls.caller(call).cloned() else { return false };
        let server = upstream.id;
        let Some(Opening { mut filter, .. }) = self.opening.remove(&caller.exchange) else { return false };
        let granted = frame.raw(Field::Notifications).and_then(|raw| serde_json::from_slice(raw).ok());
        let Granted { task_ids } = granted.unwrap_or(Granted { task_ids: Vec::new() });
        filter.task_ids.retain(|wanted| task_ids.contains(wanted));
        if let Some(upstream) = self.upstream_of(link) {
            upstream.calls.hold_for_tasks(call, caller.exchange);
        }
        self.settle(caller.session);
        self.open_listener(cx, &caller, filter, Some((server, call)));
        true
    }

    /// A server does not open the stream of tasks that it was asked for: the client's opens for the rest. Returns whether
    /// it was one.
    pub(super) fn open_without_tasks(&mut self, cx: &mut Cx<'_>, caller: &Caller) -> bool {
        let Some(Opening { mut filter, .. }) = self.opening.remove(&caller.exchange) else { return false };
        if self.stopping || !cx.snapshot.has(&caller.target) {
            return false;
        }
        filter.task_ids.clear();
        self.open_listener(cx, caller, filter, None);
        true
    }

    /// A server tells of a task: whoever's stream it says this on hears it.
    pub(super) fn on_task_news(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) {
        let Some(call) = subscription(frame).or(within) else { return };
        let Some(seat) = self.upstream_at(link).map(Upstream::seat) else { return };
        self.begun.hear(&seat, link, frame.raw(Field::Params));
        let Some(upstream) = self.upstream_at(link) else { return };
        let Some((_, exchange)) = upstream.calls.task_streams().find(|(id, _)| *id == call) else { return };
        let (Some(listener), Some(task)) = (self.listeners.get(&exchange), frame.text(Field::TaskId)) else {
            return;
        };
        if !listener.wants_task(&task) {
            return;
        }
        let params = listener.tagged(frame, Edits::new());
        let news = write::request(None, "notifications/tasks", Some(&params));
        self.tell_listener(cx, exchange, news.into());
    }
}
