//! `subscriptions/listen`: the stateless era's stream for what no request asked for.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::cancel::cancellation;
use super::granting::Granting;
use super::notify::changed_lists;
use super::wait::Patience;
use super::{Cx, Effect, Exchange, Shard, Subscriber};
use crate::mcp::Method;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members, write};
use crate::snapshot::Changes;
use crate::upstream::{Caller, Edits, Owner, with_members};
use crate::{CallId, ExchangeId, KeyId, Rejection, ServerId};

/// The member of `_meta` that says which stream a notification is of.
pub(super) const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// An open stream, and what it was opened for.
#[derive(Debug)]
pub(super) struct Listener {
    pub key: KeyId,
    /// Raw JSON of the request's id, which names the subscription.
    id: Box<str>,
    pub target: Target,
    filter: Filter,
    /// The call on which a server tells of the tasks.
    tasks: Option<(ServerId, CallId)>,
}

impl Listener {
    /// Whether it has asked for this task.
    pub(super) fn wants_task(&self, id: &str) -> bool {
        self.filter.task_ids.iter().any(|wanted| wanted == id)
    }

    /// It will not hear of a resource.
    pub(super) fn refuse(&mut self, uri: &str) {
        self.filter.resource_subscriptions.retain(|wanted| wanted != uri);
    }

    /// The first message: of what it tells.
    pub(super) fn acknowledgement(&self) -> Bytes {
        let (filter, id) = (self.filter.json(), &self.id);
        let params = format!("{{\"notifications\":{filter},\"_meta\":{{\"{SUBSCRIPTION}\":{id}}}}}");
        write::request(None, "notifications/subscriptions/acknowledged", Some(params.as_bytes())).into()
    }

    /// The params of a server's notification, with these members replaced, as one of this stream.
    pub(super) fn tagged(&self, notice: &Envelope, mut edits: Edits<'_>) -> Vec<u8> {
        let others = notice.raw(Field::Meta).and_then(Members::read);
        let others = others.map(|members| members.without(|name| name == SUBSCRIPTION));
        let tag = [(SUBSCRIPTION, Cow::Borrowed(self.id.as_bytes()))];
        let meta = Cow::Owned(with_members(others.as_deref(), &tag));
        if notice.has(Field::Meta) {
            edits.push((Field::Meta, meta));
            return notice.spliced(Field::Params, &mut edits);
        }
        let params = notice.spliced(Field::Params, &mut edits);
        with_members(Some(&params), &[("_meta", meta)])
    }
}

/// What a client wants to hear of.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resources_list_changed: bool,
    resource_subscriptions: Vec<String>,
    /// Of the extension for tasks.
    pub task_ids: Vec<String>,
}

impl Filter {
    /// Reads `notifications` of a request. Members that nobody knows mean nothing; a known one of another type is named.
    fn read(raw: Option<&[u8]>) -> Result<Self, Rejection> {
        let invalid = |words: String| Rejection::InvalidParams(words);
        let raw = raw.ok_or_else(|| invalid("notifications, the filter, is required".into()))?;
        let all = Members::read(raw)
            .ok_or_else(|| invalid("notifications, the filter, is to be an object".into()))?;
        let mut filter = Self::default();
        for (name, value) in &all.0 {
            let value = value.get();
            let (is_well, kind) = match &**name {
                "toolsListChanged" => (set(&mut filter.tools_list_changed, value), "a boolean"),
                "promptsListChanged" => (set(&mut filter.prompts_list_changed, value), "a boolean"),
                "resourcesListChanged" => (set(&mut filter.resources_list_changed, value), "a boolean"),
                "resourceSubscriptions" => {
                    (set(&mut filter.resource_subscriptions, value), "an array of strings")
                }
                "taskIds" => (set(&mut filter.task_ids, value), "an array of strings"),
                _ => (true, ""),
            };
            if !is_well {
                return Err(invalid(format!("notifications.{name} is to be {kind}")));
            }
        }
        Ok(filter)
    }

    fn wants(&self, method: &str) -> bool {
        match method {
            "notifications/tools/list_changed" => self.tools_list_changed,
            "notifications/prompts/list_changed" => self.prompts_list_changed,
            "notifications/resources/list_changed" => self.resources_list_changed,
            _ => false,
        }
    }

    fn json(&self) -> String {
        let members = [
            (self.tools_list_changed, "\"toolsListChanged\":true"),
            (self.prompts_list_changed, "\"promptsListChanged\":true"),
            (self.resources_list_changed, "\"resourcesListChanged\":true"),
        ];
        let there = members.into_iter().filter(|(there, _)| *there).map(|(_, text)| text.into());
        let mut there: Vec<String> = there.collect();
        let lists = [("resourceSubscriptions", &self.resource_subscriptions), ("taskIds", &self.task_ids)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            // A list of strings always has a JSON form.
            let list = serde_json::to_string(list).unwrap_or_default();
            there.push(format!("\"{name}\":{list}"));
        }
        format!("{{{}}}", there.join(","))
    }
}

/// Whether the raw JSON is of the type of the member.
fn set<T: DeserializeOwned>(member: &mut T, raw: &str) -> bool {
    serde_json::from_str(raw).map(|value| *member = value).is_ok()
}

impl Shard {
    /// Opens the stream; the first message says which part of the filter is honoured, when the servers have said so.
    pub(super) fn listen(&mut self, cx: &mut Cx<'_>, caller: Caller, body: Envelope, patience: Patience) {
        let filter = match Filter::read(body.raw(Field::Notifications)) {
            Ok(filter) => filter,
            Err(rejection) => return self.fail(cx, &caller, &rejection.into()),
        };
        // Which server has a resource, or tasks, is known when the servers were seen.
        let asks = !filter.resource_subscriptions.is_empty() || !filter.task_ids.is_empty();
        if asks && patience == Patience::Waits && self.is_missing(cx, &caller, &body) {
            return self.wait(cx, caller, body);
        }
        if filter.task_ids.is_empty() {
            self.open_listener(cx, &caller, filter, None);
        } else {
            self.listen_for_tasks(cx, caller, body, filter);
        }
    }

    /// `tasks` is the call on which a server tells of the tasks of the filter.
    pub(super) fn open_listener(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        mut filter: Filter,
        tasks: Option<(ServerId, CallId)>,
    ) {
        let Some(key) = caller.key.clone() else { return };
        let exchange = caller.exchange;
        let wanted = core::mem::take(&mut filter.resource_subscriptions);
        let (heard, asked) = self.subscribe_listener(cx, caller, &wanted);
        filter.resource_subscriptions = heard;
        let listener = Listener { key, id: caller.id.clone(), target: caller.target.clone(), filter, tasks };
        self.listeners.insert(exchange, listener);
        self.exchanges.insert(exchange, Exchange::Listener);
        if asked.is_empty() {
            return self.acknowledge(cx, exchange);
        }
        let until = cx.now.after(cx.limits().discover_wait);
        self.granting.insert(exchange, Granting { asked, until });
    }

    /// `owner` is whom the lists are of that have changed.
    pub(super) fn tell_listeners(&mut self, cx: &mut Cx<'_>, changes: &Changes, owner: &Owner) {
        let mut news = Vec::new();
        for (exchange, listener) in &self.listeners {
            let whose = (&listener.key, None);
            let sees =
                |server: &str| listener.target.sees(server) && self.sees_lists_of(cx, owner, server, whose);
            let methods = changed_lists(changes, sees);
            for method in methods.into_iter().filter(|method| listener.filter.wants(method)) {
                let params = format!("{{\"_meta\":{{\"{SUBSCRIPTION}\":{}}}}}", listener.id);
                news.push((*exchange, write::request(None, method, Some(params.as_bytes()))));
            }
        }
        for (exchange, message) in news {
            self.tell_listener(cx, exchange, message.into());
        }
    }

    /// Ends streams in order: each gets the result of its request.
    pub(super) fn end_listeners(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Listener) -> bool) {
        let ended: Vec<ExchangeId> = self
            .listeners
            .iter()
            .filter(|(_, listener)| which(listener))
            .map(|(exchange, _)| *exchange)
            .collect();
        for exchange in ended {
            self.end_listener(cx, exchange);
        }
    }

    pub(super) fn end_listener(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        if self.granting.contains_key(&exchange) {
            self.acknowledge(cx, exchange);
        }
        let Some(listener) = self.drop_listener(cx, exchange) else { return };
        self.exchanges.remove(&exchange);
        let result =
            format!("{{\"resultType\":\"complete\",\"_meta\":{{\"{SUBSCRIPTION}\":{}}}}}", listener.id);
        let body = write::result(&listener.id, result.as_bytes());
        cx.effect(Effect::Answer { exchange, status: 200, session: None, body: Some(body.into()) });
    }

    /// A stream is no more: its servers stop to tell what nobody hears.
    pub(super) fn drop_listener(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) -> Option<Listener> {
        let listener = self.listeners.remove(&exchange)?;
        self.granting.remove(&exchange);
        let heard = self.subscriptions.of(Subscriber::Listener(exchange));
        self.drop_subscriber(cx, Subscriber::Listener(exchange));
        for (seat, uri) in heard {
            self.lead(cx, seat.server, &listener.key, &uri, Method::ResourcesUnsubscribe);
        }
        if let Some((server, call)) = listener.tasks {
            self.abandon(cx, server, call, |call| cancellation(call, "the client's stream has ended"));
        }
        Some(listener)
    }
}
