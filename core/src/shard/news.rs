//! What servers of the stateless era tell unasked: the hub holds one `subscriptions/listen` open to each that has
//! something to tell, for the lists and for the resources that its clients have subscribed to.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Deserialize;

use super::answer::Speaker;
use super::cancel::cancellation;
use super::forward::silence;
use super::link::internal_call;
use super::listen::SUBSCRIPTION;
use super::{Cx, Effect, Shard, Subscriber};
use crate::mcp::{Lifetime, Revision};
use crate::record::ServerSpec;
use crate::rpc::{Envelope, Field, Members, number_of};
use crate::snapshot::{Capabilities, Entry};
use crate::upstream::{Call, Caller, Draft, News, Purpose, Seat, Subscribes, own_params};
use crate::{CallId, LinkId, Rejection, UpstreamFault};

/// A stream for news has no end of its own.
const FOR_EVER: Duration = Duration::MAX;

/// Streams of one server that wait for another to take their place.
const MOST_BEFORE: usize = 8;

impl Shard {
    /// Opens the stream with what is wanted now. The one that was open before ends when this one is, so that nothing is
    /// missed between them.
    pub(super) fn open_news(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let (server, seat) = (upstream.id, upstream.seat());
        upstream.news.before.extend(upstream.news.call.take());
        upstream.news.open = false;
        if upstream.news.again_at.take().is_some() {
            // What has changed since the one before ended nobody has told.
            upstream.relearn_at.get_or_insert(cx.now);
            upstream.news.read_at = None;
        }
        let learnt = upstream.draft.as_ref().map(Draft::capabilities);
        let known = || cx.snapshot.entry(server)?.offer.as_ref().map(|offer| offer.capabilities);
        let capabilities = learnt.or_else(known).unwrap_or_default();
        let uris = [self.subscriptions.at(&seat), self.followed(&seat)].concat();
        if let Some(filter) = filter(capabilities, &uris) {
            let params = ["{\"notifications\":", &filter, "}"].concat();
            let params = own_params(Revision::V2026_07_28, Some(params.as_bytes()));
            let method = "subscriptions/listen";
            let call = self.send_own(cx, link, Purpose::Listen, method, params.as_deref(), FOR_EVER);
            if let Some(upstream) = self.upstream_of(link) {
                upstream.news.call = call;
            }
        }
        // A server that never says that a stream is open has no more than so many.
        let over = |news: &News| news.call.is_none() || news.before.len() > MOST_BEFORE;
        if self.upstream_of(link).is_some_and(|upstream| over(&upstream.news)) {
            self.end_older_news(cx, link);
        }
    }

    /// Opens the streams of servers of which other things are wanted than before.
    pub(super) fn open_stale_news(&mut self, cx: &mut Cx<'_>) {
        for link in core::mem::take(&mut self.stale_news) {
            self.open_news(cx, link);
        }
    }

    fn end_older_news(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_of(link) else { return };
        for before in core::mem::take(&mut upstream.news.before) {
            if upstream.calls.remove(before).is_some() {
                let frame = cancellation(before, "another one takes its place");
                cx.effect(Effect::SendFrame { link, frame });
            }
        }
    }

    /// Subscribes a session to a resource of a server. The yes waits until the server says that the stream is open for it:
    /// what changes from then on is told.
    pub(super) fn subscribe_to_news(
        &mut self,
        cx: &mut Cx<'_>,
        caller: Caller,
        entry: &Arc<Entry>,
        subscribes: Subscribes,
    ) {
        let Some(session) = caller.session else { return };
        let owner = self.owner(cx, entry, &caller);
        let seat = match self.admit_call(cx, entry, owner, 0) {
            Ok(seat) => seat,
            Err(fault) => return self.fail(cx, &caller, &fault),
        };
        let who = Subscriber::Session(session);
        if self.subscriptions.add(&seat, &subscribes.uri, who, &subscribes.known_as) {
            self.want_news(cx, &seat);
        }
        let Some(upstream) = self.upstreams.get(&seat) else { return };
        if upstream.news.open {
            return self.answer_subscriber(cx, &caller, &seat, Some(&subscribes.uri));
        }
        let runs = upstream.process.ready_link().is_some();
        let start = entry.config.as_ref().map_or(ServerSpec::TIMEOUT_S, |server| server.spec.timeout_s);
        let spare = if runs { Duration::ZERO } else { Duration::from_secs(u64::from(start)) };
        let id = self.begin_call(&caller, entry.id);
        let purpose = Purpose::Client(caller, Lifetime::Unsaid);
        let patience = silence(cx, entry.id);
        let call = internal_call(cx, purpose, patience.saturating_add(spare));
        let subscribes = Some(Box::new(subscribes));
        if let Some(upstream) = self.upstreams.get_mut(&seat) {
            upstream.calls.insert(id, Call { patience, sent: runs, subscribes, awaits_news: true, ..call });
        }
    }

    /// Answers those whose subscriptions wait for the stream: with a yes, or with why it is not open.
    pub(super) fn answer_subscribers(&mut self, cx: &mut Cx<'_>, link: LinkId, refusal: Option<&Envelope>) {
        let Some(upstream) = self.upstream_of(link) else { return };
        let seat = upstream.seat();
        for call in upstream.calls.take_awaiting_news() {
            let Purpose::Client(caller, lifetime) = call.purpose else { continue };
            self.settle(caller.session);
            let Some(refusal) = refusal else {
                self.answer_subscriber(cx, &caller, &seat, call.subscribes.as_ref().map(|it| &*it.uri));
                continue;
            };
            if let (Some(session), Some(it)) = (caller.session, call.subscribes) {
                self.subscriptions.remove(&seat, &it.uri, Subscriber::Session(session));
            }
            self.relay(cx, &caller, refusal, Speaker { lifetime, ..Speaker::HUB });
        }
        self.end_if_drained(cx, link);
    }

    /// Answers one when the stream is open: the server may not tell of every resource that it was asked for.
    fn answer_subscriber(&mut self, cx: &mut Cx<'_>, caller: &Caller, seat: &Seat, uri: Option<&str>) {
        let is_refused = |uri: &&str| {
            self.upstreams
                .get(seat)
                .is_some_and(|upstream| upstream.news.ungranted.iter().any(|it| it == uri))
        };
        let Some(uri) = uri.filter(is_refused) else { return self.respond(cx, caller, b"{}") };
        if let Some(session) = caller.session {
            self.subscriptions.remove(seat, uri, Subscriber::Session(session));
        }
        let words = "the server does not tell of changes of this resource".into();
        self.fail(cx, caller, &Rejection::InvalidParams(words).into());
    }

    /// A subscription was made at a server that may not run.
    pub(super) fn want_news(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        upstream.process.want(cx.now);
        if let Some(link) = upstream.process.ready_link() {
            self.open_news(cx, link);
        }
    }

    /// The stream has ended: it is opened again, at once or after a pause, unless the server does not have it.
    pub(super) fn on_news_ended(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        call: CallId,
        end: Option<&Envelope>,
    ) {
        let limits = cx.snapshot.limits();
        let Some(upstream) = self.upstream_of(link) else { return };
        if upstream.news.call != Some(call) {
            return;
        }
        upstream.news.call = None;
        upstream.news.open = false;
        let refusal = end.filter(|end| end.has(Field::Error));
        if refusal.is_some() {
            self.answer_subscribers(cx, link, refusal);
            self.on_granted(cx, link, |_| Some(false));
        }
        let Some(upstream) = self.upstream_of(link) else { return };
        if end.is_some_and(|end| end.raw(Field::Code) == Some(b"-32601")) {
            return;
        }
        upstream.news.again_at = Some(cx.now.after(limits.backoff(upstream.news.failures)));
        upstream.news.failures = upstream.news.failures.saturating_add(1);
        let watched = self.links.get(&link).is_some_and(|seat| self.is_watched(seat));
        if let Some(upstream) = self.upstream_of(link) {
            upstream.unheard |= watched;
        }
    }

    /// On stdio a server ends a stream by a notification (2026-07-28, cancellation), which is as good as the answer. Returns
    /// whether it has ended one.
    pub(super) fn on_stream_cancelled(&mut self, cx: &mut Cx<'_>, link: LinkId, frame: &Envelope) -> bool {
        let Some(upstream) = self.upstream_at(link).filter(|it| it.revision.is_modern()) else {
            return false;
        };
        let Some(id) = frame.raw_str(Field::RequestId).and_then(number_of).map(CallId) else { return false };
        let opens = |caller: &Caller| self.opening.contains_key(&caller.exchange);
        if !upstream.calls.is_stream(id) && !upstream.calls.caller(id).is_some_and(opens) {
            return false;
        }
        let server = upstream.name.clone();
        let Some(call) = self.upstream_of(link).and_then(|it| it.calls.remove(id)) else { return false };
        if let Some(stream) = call.purpose.task_stream() {
            self.end_listener(cx, stream);
        } else if call.purpose.client().is_some() {
            let cause = "it has ended the stream".into();
            self.answer_fault(cx, call, &UpstreamFault::Unavailable { server, cause }.into());
        } else {
            self.on_news_ended(cx, link, id, None);
        }
        self.end_if_drained(cx, link);
        true
    }

    /// The server says that the stream is open.
    pub(super) fn on_news_opened(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) {
        let named = subscription(frame).or(within);
        if named.is_some_and(|call| self.on_tasks_granted(cx, link, call, frame)) {
            return;
        }
        let Some(seat) = self.upstream_of(link).map(|upstream| upstream.seat()) else { return };
        let uris = [self.subscriptions.at(&seat), self.followed(&seat)].concat();
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.news.failures = 0;
        if named.is_none() || named == upstream.news.call {
            upstream.news.open = upstream.news.call.is_some();
            upstream.news.was_open |= upstream.news.open;
            let ungranted = ungranted(frame, uris);
            upstream.news.ungranted.clone_from(&ungranted);
            // Lists and the stream are asked for side by side: what comes within a moment is of the same time.
            let read_at = upstream.news.read_at.take();
            if read_at.is_some_and(|at| cx.now.since(at) > cx.limits().debounce) {
                self.on_lists_changed(cx, link);
            }
            self.end_older_news(cx, link);
            self.answer_subscribers(cx, link, None);
            self.on_granted(cx, link, |uri| Some(ungranted.iter().all(|it| it != uri)));
            self.tell_missed(cx, link);
        }
    }

    /// Opens the stream again when its pause is over.
    pub(super) fn reopen_news(&mut self, cx: &mut Cx<'_>, seat: &Seat) {
        let now = cx.now;
        let Some(upstream) = self.upstreams.get_mut(seat) else { return };
        if upstream.news.again_at.is_none_or(|at| at > now) {
            return;
        }
        match upstream.process.ready_link() {
            Some(link) => self.open_news(cx, link),
            None => upstream.news.again_at = None,
        }
    }
}

/// The call on whose stream the server says this.
pub(super) fn subscription(frame: &Envelope) -> Option<CallId> {
    let meta = frame.raw(Field::Meta).and_then(Members::read)?;
    let (_, id) = meta.0.into_iter().find(|(name, _)| name == SUBSCRIPTION)?;
    number_of(id.get().trim_matches('"')).map(CallId)
}

/// The resources of those asked for that the server does not say it will tell of. One that says nothing of what it tells of
/// tells of all.
fn ungranted(frame: &Envelope, mut uris: Vec<String>) -> Vec<String> {
    #[derive(Deserialize)]
    struct Granted {
        #[serde(default, rename = "resourceSubscriptions")]
        uris: Vec<String>,
    }
    let granted = frame.raw(Field::Notifications).and_then(|raw| serde_json::from_slice::<Granted>(raw).ok());
    let Some(granted) = granted else { return Vec::new() };
    uris.retain(|uri| !granted.uris.contains(uri));
    uris
}

/// What to listen for, as JSON; `None` when there is nothing.
fn filter(capabilities: Capabilities, uris: &[String]) -> Option<String> {
    let lists = [
        (capabilities.tools, "\"toolsListChanged\":true"),
        (capabilities.prompts, "\"promptsListChanged\":true"),
        (capabilities.resources, "\"resourcesListChanged\":true"),
    ];
    let mut members: Vec<String> =
        lists.into_iter().filter(|(there, _)| *there).map(|(_, member)| member.into()).collect();
    if !uris.is_empty() {
        // A list of strings always has a JSON form.
        let uris = serde_json::to_string(uris).unwrap_or_default();
        members.push(["\"resourceSubscriptions\":", &uris].concat());
    }
    (!members.is_empty()).then(|| ["{", &members.join(","), "}"].concat())
}
