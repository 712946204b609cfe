//! What comes over links: answers, progress, news, and ends.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::answer::Speaker;
use super::demand::misplaced;
use super::lists::server_info;
use super::misshapen::misshapen;
use super::rounds::wants_input;
use super::seal::{lacking, sealed};
use super::{Cx, Effect, Shard, grace};
use crate::mcp::{Abilities, Lifetime, Revision};
use crate::ports::upstream::CloseReason;
use crate::record::{LogCategory, LogLevel};
use crate::rpc::{Envelope, Field, Message, Sender, Unread, number_of};
use crate::upstream::{Call, Caller, Failure, News, OfTasks, Purpose, State, UNREADABLE, own_params};
use crate::{CallId, Fault, LinkId, Rejection, ServerId, UpstreamFault};

impl Shard {
    /// `within` is the call on whose own stream they came, where the link has such streams.
    pub(super) fn on_frames(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frames: Vec<Result<Envelope, Unread>>,
    ) {
        let mut unasked = 0_usize;
        for frame in frames {
            match frame {
                Ok(envelope) => {
                    if !self.on_frame(cx, link, within, &envelope) {
                        unasked = unasked.saturating_add(envelope.bytes().len());
                    }
                }
                Err(unread) => {
                    unasked = unasked.saturating_add(UNREADABLE);
                    self.on_unread(cx, link, within, &unread);
                }
            }
        }
        if unasked > 0 {
            self.on_unasked(cx, link, unasked);
        }
    }

    /// What is no message ends the request that it was meant to answer, for nobody else will, and is refused if it was meant
    /// for a request.
    fn on_unread(&mut self, cx: &mut Cx<'_>, link: LinkId, within: Option<CallId>, unread: &Unread) {
        if let Some(page) = self.page_of(cx, link, unread) {
            self.on_frame(cx, link, within, &page);
            return;
        }
        let Some(name) = self.name_of(link).map(ToOwned::to_owned) else { return };
        let cause = unread.fault.to_string();
        let shown = unread.beginning.as_ref().map_or_else(String::new, |text| format!(": {text}"));
        if unread.beginning.is_some()
            && let Some(upstream) = self.upstream_of(link)
        {
            upstream.strays = upstream.strays.saturating_add(1);
        }
        let words = format!("what it said is not a message and was dropped: {cause}{shown}");
        cx.report(&name, LogLevel::Warning, LogCategory::Error, words);
        // What can be read as both is an answer where one is waited for, and else a request.
        let is_open = |id: &str| {
            let call = number_of(id).map(CallId);
            self.upstream_at(link).zip(call).is_some_and(|(upstream, call)| upstream.calls.contains(call))
        };
        let replied = unread.replied.as_deref().filter(|id| unread.asked.is_none() || is_open(id));
        if let Some(id) = replied {
            let instead = Fault::from(UpstreamFault::Unreadable { server: name, cause }).frame(Some(id));
            if let Ok(instead) = Envelope::parse(instead.into(), Sender::Upstream, cx.limits()) {
                self.on_frame(cx, link, within, &instead);
            }
        } else if unread.asked.is_some() {
            cx.effect(Effect::SendFrame { link, frame: unread.frame().into() });
        }
    }

    /// A server has said so many bytes that nobody has asked for.
    fn on_unasked(&mut self, cx: &mut Cx<'_>, link: LinkId, bytes: usize) {
        let rate = cx.limits().unasked_rate_bytes;
        let Some(upstream) = self.upstream_of(link) else { return };
        let Some(flood) = upstream.unasked.spend(bytes, cx.now, rate) else { return };
        if flood.begins {
            let name = upstream.name.clone();
            let words = format!(
                "it says more unasked than unasked_rate_bytes ({rate}) a second, and is read no faster"
            );
            cx.report(&name, LogLevel::Warning, LogCategory::Connection, words);
        }
        cx.effect(Effect::RestLink { link, span: flood.rest });
    }

    /// Returns whether somebody had asked for it.
    fn on_frame(&mut self, cx: &mut Cx<'_>, link: LinkId, within: Option<CallId>, frame: &Envelope) -> bool {
        match frame.message() {
            Message::Response { id, .. } => {
                let Some(id) = number_of(id).map(CallId) else { return false };
                let Some(upstream) = self.upstream_of(link) else { return false };
                let server = upstream.id;
                // Other ids are late answers to calls that were given up, or the server's invention.
                let call = upstream.calls.take_answered(id);
                let asked = call.is_some();
                match call {
                    Some(call) => {
                        // A list that does not come is asked for again and again, and that keeps nobody awake.
                        if upstream.listless == 0 || !matches!(call.purpose, Purpose::Learn(_)) {
                            upstream.used_at = cx.now;
                        }
                        let login = UpstreamFault::login_required(&upstream.name, frame);
                        upstream.process.hear(login, cx.now);
                        upstream.process.health.answered_at = Some(cx.now);
                        self.on_response(cx, link, server, (id, call), frame);
                    }
                    None => self.note_late(link, frame),
                }
                self.end_if_drained(cx, link);
                return asked;
            }
            Message::Request { .. } => self.on_asked(cx, link, within, frame),
            Message::Notification { method } => self.on_news(cx, link, within, method, frame),
        }
        false
    }

    fn on_response(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        server: ServerId,
        (id, mut call): (CallId, Call),
        response: &Envelope,
    ) {
        let speaks = self.upstream_at(link).map(|upstream| upstream.revision);
        let misplaced = speaks.and_then(|speaks| misplaced(call.request.as_deref(), speaks, response));
        if misplaced.is_none() && speaks.is_some_and(|speaks| wants_input(&call, speaks, response)) {
            return self.begin_round(cx, link, (id, call), response);
        }
        if call.tool.is_some() && response.is_failure() {
            let name = self.name_of(link).unwrap_or_default();
            cx.report_answer(name, &call, response);
        }
        let (calls_tool, of_tasks) = (call.tool.is_some(), call.of_tasks);
        self.record_answer(cx, server, &mut call, response);
        match call.purpose {
            Purpose::Client(caller, lifetime) => {
                self.on_subscribed(cx, link, &caller, call.subscribes, response);
                self.settle(caller.session);
                self.end_questions(cx, id);
                if call.lacks.any() && response.is_failure() {
                    return self.fail(cx, &caller, &Rejection::MissingCapability(call.lacks).into());
                }
                let speaks = speaks.unwrap_or(caller.revision);
                let misshapen = || misshapen(response, speaks, caller.revision, cx.limits());
                if let Some(cause) = misplaced.or_else(misshapen) {
                    let server = self.name_of(link).unwrap_or_default().to_owned();
                    return self.fail(cx, &caller, &UpstreamFault::Unreadable { server, cause }.into());
                }
                self.keyed.answer(id, response, cx.now, cx.limits());
                self.note_task(cx, link, (id, &caller), calls_tool, response);
                let request = call.request.as_deref().filter(|_| speaks.is_modern());
                if let Some(lacks) = lacking(&caller, response, cx.limits()) {
                    return self.fail(cx, &caller, &Rejection::MissingCapability(lacks).into());
                }
                let response = sealed(cx, &caller, server, request, response);
                let response = match of_tasks {
                    OfTasks::Lists => self.own_tasks(cx, &caller, link, &response),
                    OfTasks::Begins | OfTasks::Nothing => response,
                };
                // What is said to have begun is still known when the hub is killed right after that.
                self.wishes.holds = !self.stopping && self.begun.changed.has_begun();
                self.relay_from(cx, &caller, (server, speaks, lifetime), &response);
                self.wishes.holds = false;
            }
            Purpose::Forgotten(caller) => {
                self.keyed.answer(id, response, cx.now, cx.limits());
                let Some(caller) = caller else { return };
                self.on_subscribed(cx, link, &caller, call.subscribes, response);
                if calls_tool {
                    self.note_task(cx, link, (id, &caller), calls_tool, response);
                }
            }
            Purpose::Housekeeping => {}
            Purpose::Subscribe(uri) => {
                self.on_heeded(cx, link, &uri, Some(response.has(Field::Result)));
            }
            Purpose::Unsubscribe(uri) => self.on_heeded(cx, link, &uri, None),
            Purpose::Parked => {
                self.keyed.answer(id, response, cx.now, cx.limits());
                self.keep_answer(link, id, response);
            }
            Purpose::Handshake => self.on_handshake(cx, link, response),
            Purpose::Listen => self.on_news_ended(cx, link, id, Some(response)),
            Purpose::Probe => self.on_discovered(cx, link, response),
            Purpose::Learn(kind) => self.on_page(cx, link, kind, Some(response)),
            Purpose::Tasks(exchange) => self.end_listener(cx, exchange),
        }
    }

    /// Passes on what a server has said, in words that the client can read.
    pub(super) fn relay_from(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        (server, revision, lifetime): (ServerId, Revision, Lifetime),
        response: &Envelope,
    ) {
        let info = match cx.snapshot.entry(server) {
            Some(entry) if caller.revision.is_modern() => server_info(cx.snapshot, &entry.endpoint),
            Some(_) | None => crate::hub::SERVER_INFO,
        };
        let response = self.readable(cx, caller, server, lifetime, response);
        self.relay(cx, caller, &response, Speaker { revision, lifetime, info });
    }

    /// Ends a link that does not do what it must. Its server counts as failed from now on.
    pub(super) fn break_link(&mut self, cx: &mut Cx<'_>, link: LinkId, failure: &Failure) {
        cx.effect(Effect::CloseLink { link, grace: grace(cx.limits()) });
        self.lose(cx, link, failure);
    }

    pub(super) fn on_link_logged(&mut self, cx: &mut Cx<'_>, link: LinkId, words: String) {
        if let Some(upstream) = self.upstream_of(link) {
            upstream.log(words.clone());
        }
        let Some(name) = self.name_of(link).map(ToOwned::to_owned) else { return };
        if cx.snapshot.named(&name).is_some_and(|entry| entry.is_remote()) {
            // It has no error output: these are words of the link.
            return cx.report(&name, LogLevel::Info, LogCategory::Connection, words);
        }
        cx.report_output(&name, words);
    }

    pub(super) fn on_link_closed(&mut self, cx: &mut Cx<'_>, link: LinkId, reason: &CloseReason) {
        // First: nothing may be said over it any more, and what follows can end sessions that it has asked.
        self.forget_questions(cx, link);
        self.end_lease(cx, link);
        if let Some((upstream, _)) = self.retired.get(&link) {
            // Its end is no failure, but for those that still wait for it.
            if upstream.calls.has_clients() {
                let changed = || "it was removed or changed".to_owned();
                let cause = if upstream.expired { describe(reason) } else { changed() };
                self.lose(cx, link, &Failure::passing(cause));
            }
            self.retired.remove(&link);
            self.drop_homeless(cx);
        } else if self.is_shy(cx, link, reason) {
            // It is started again, and greeted in the old way.
        } else if self.upstream_of(link).is_some() {
            let failure = match reason {
                CloseReason::LoginRequired(why) => Failure::login_required(why.clone()),
                CloseReason::Misconfigured(why) => Failure::lasting(why.clone()),
                CloseReason::Exited(_)
                | CloseReason::Lost(_)
                | CloseReason::MessageTooLong
                | CloseReason::NotStarted(_)
                | CloseReason::OverLimit(_)
                | CloseReason::Signalled(_)
                | CloseReason::Stopped => Failure::passing(describe(reason)),
            };
            self.lose(cx, link, &failure);
        }
        self.links.remove(&link);
        self.begun.end_life(link);
        self.retry_waiters(cx);
    }

    /// A link's server has failed: its calls are answered with what is known of them, and it backs off.
    fn lose(&mut self, cx: &mut Cx<'_>, link: LinkId, failure: &Failure) {
        let limits = cx.snapshot.limits();
        // Of a server that was changed or removed there will be no other process.
        let repeats = !self.stopping && !self.retired.contains_key(&link);
        let watched = repeats && self.links.get(&link).is_some_and(|seat| self.is_watched(seat));
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.unheard |= watched;
        let last_output = upstream.take_last_output();
        let ran = matches!(upstream.process.state, State::Closing { .. } | State::Running { .. });
        let (id, server) = (upstream.id, upstream.name.clone());
        // A remote server is not started: that it cannot be reached is no reason not to try.
        let crashes = cx.snapshot.entry(upstream.id).is_none_or(|entry| !entry.is_remote());
        upstream.process.fail(failure.clone(), crashes, cx.now, limits, cx.entropy);
        upstream.process.health.last_output.clone_from(&last_output);
        (upstream.draft, upstream.relearn_at) = (None, None);
        upstream.news = News::default();
        let again_at = upstream.process.pauses_until().filter(|_| ran && repeats);
        let again = again_at.map_or_else(Vec::new, |at| upstream.calls.take_back(at));
        let calls =
            if again.is_empty() { upstream.calls.drain() } else { upstream.calls.drain_but_repeated() };
        self.forget_questions(cx, link);
        let level = if self.stopping { LogLevel::Info } else { LogLevel::Error };
        let what = if ran { "stopped" } else { "did not start" };
        let words = format!("{what}: {}{}", failure.cause, said(last_output));
        cx.report(&server, level, LogCategory::Connection, words);
        cx.report_repeats(&server, &again);
        self.answer_lost(cx, (id, &server), failure, calls);
        if let Some(seat) = self.links.get(&link).cloned() {
            self.fail_turns(cx, &seat, None, &failure.fault(&server).into());
        }
        self.retry_waiters(cx);
    }

    /// Asks a server for something that no client waits for.
    pub(super) fn send_internal(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        purpose: Purpose,
        method: &str,
        params: Option<&[u8]>,
    ) {
        let Some(revision) = self.upstream_of(link).map(|upstream| upstream.revision) else { return };
        let (params, patience) = (own_params(revision, params), cx.limits().call);
        self.send_own(cx, link, purpose, method, params.as_deref(), patience);
    }
}

pub(super) fn internal_call(cx: &Cx<'_>, purpose: Purpose, patience: Duration) -> Call {
    let deadline = cx.now.after(patience);
    Call {
        purpose,
        patience,
        deadline,
        hard_deadline: deadline,
        sent: true,
        request: None,
        repeats: 0,
        repeated: false,
        renewals: 0,
        round: None,
        subscribes: None,
        awaits_news: false,
        of_tasks: OfTasks::Nothing,
        lacks: Abilities::default(),
        tool: None,
        bytes: 0,
        since: cx.now,
    }
}

fn said(last_output: Option<String>) -> String {
    last_output.map_or_else(String::new, |words| format!("; its last output: {words}"))
}

/// A cause for people.
fn describe(reason: &CloseReason) -> String {
    match reason {
        CloseReason::Exited(code) => format!("its process ended with exit code {code}"),
        CloseReason::MessageTooLong => "it sent a message over the limit message_bytes".to_owned(),
        CloseReason::LoginRequired(why)
        | CloseReason::Lost(why)
        | CloseReason::Misconfigured(why)
        | CloseReason::NotStarted(why)
        | CloseReason::OverLimit(why) => why.clone(),
        CloseReason::Signalled(signal) => format!("its process was ended by signal {signal}"),
        CloseReason::Stopped => "it was stopped".to_owned(),
    }
}
