//! Notifications of servers on their way to the clients that they concern.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::Bytes;

use super::session::{Session, bare_notification};
use super::{Cx, Shard};
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, number_of, write};
use crate::snapshot::Changes;
use crate::upstream::{Level, Owner, Purpose};
use crate::{CallId, ExchangeId, LinkId, SessionId};

impl Shard {
    pub(super) fn on_news(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        method: &str,
        frame: &Envelope,
    ) {
        match method {
            "notifications/progress" => self.on_progress(cx, link, frame),
            "notifications/message" => self.on_message(cx, link, within, frame),
            "notifications/resources/updated" => self.on_resource_updated(cx, link, frame),
            "notifications/subscriptions/acknowledged" => self.on_news_opened(cx, link, within, frame),
            "notifications/tasks/status" => self.on_task_status(cx, link, within, frame),
            "notifications/tasks" => self.on_task_news(cx, link, within, frame),
            "notifications/cancelled" => self.on_asked_cancelled(cx, link, frame),
            changed if ListKind::ALL.iter().any(|kind| kind.changed() == changed) => {
                self.on_lists_changed(cx, link);
            }
            _ => self.on_unknown_news(cx, link, within, method, frame),
        }
    }

    /// Progress goes to the request it is of, or to whoever began a task with it, with the token that its client chose, and
    /// gives it more time.
    fn on_progress(&mut self, cx: &mut Cx<'_>, link: LinkId, frame: &Envelope) {
        let token = frame.raw_str(Field::ProgressToken).and_then(|raw| number_of(raw.trim_matches('"')));
        let Some(id) = token.map(CallId) else { return };
        let Some(upstream) = self.upstream_of(link) else { return };
        upstream.calls.hear(id, cx.now);
        let place = match upstream.calls.caller(id) {
            Some(caller) => caller.progress.clone().map(|token| (caller.exchange, token)),
            None => self.place_of_progress(cx, link, id),
        };
        let Some((exchange, token)) = place else { return };
        let edit = (Field::ProgressToken, Cow::Borrowed(token.as_bytes()));
        let params = frame.spliced(Field::Params, &mut [edit]);
        self.emit(cx, exchange, write::request(None, "notifications/progress", Some(&params)).into());
    }

    /// A log message names no request, but perhaps a task: then it concerns who began that. On a stream of a call it is of that
    /// call, and so it is with one call in flight; with several it is of nobody knows which, and dropped; with none it goes to the sessions that see the server and
    /// want its level.
    fn on_message(&mut self, cx: &mut Cx<'_>, link: LinkId, within: Option<CallId>, frame: &Envelope) {
        let level = frame.text(Field::Level).and_then(|text| Level::parse(&text)).unwrap_or(Level::Info);
        let message: Bytes = write::request(None, "notifications/message", frame.raw(Field::Params)).into();
        let Some(upstream) = self.upstream_at(link) else { return };
        cx.report_message(&upstream.name, level, frame);
        let spoken = || {
            let (_, caller) = upstream.calls.spoken_of(within)?;
            Some((caller.exchange, caller.session, caller.log_level))
        };
        let only = match self.places_by_task(cx, link, within, frame) {
            Some(places) => {
                let Some((session, exchange)) = places.first().copied() else { return };
                Some((exchange, Some(session), None))
            }
            None => spoken(),
        };
        if let Some((exchange, session, own)) = only {
            let wanted = match session {
                Some(session) => {
                    self.sessions.get(session).and_then(|session| session.level).unwrap_or(Level::Debug)
                }
                None => match own {
                    Some(level) => level,
                    None => return,
                },
            };
            if level >= wanted {
                self.emit(cx, exchange, message);
            }
            return;
        }
        // Also with a call whose client has gone, or has still to come back, and on the stream of one that has ended.
        if upstream.is_unsure(within, cx.now) {
            return;
        }
        let streams: Vec<ExchangeId> = self
            .served(upstream)
            .filter(|session| session.level.is_none_or(|wanted| level >= wanted))
            .filter_map(Session::stream)
            .collect();
        for stream in streams {
            self.emit(cx, stream, message.clone());
        }
    }

    /// Tells the sessions and streams that lists have changed: each list once, however many servers it is of. `owner`
    /// is whom the lists are of; who sees those of another process is not told.
    pub(super) fn tell_changes(&mut self, cx: &mut Cx<'_>, changes: &Changes, owner: &Owner) {
        let mut said = Vec::new();
        for session in self.sessions.iter().filter(|session| session.revision.is_some()) {
            let whose = (&session.key, Some(session.id));
            let sees = |server: &str| session.sees(server) && self.sees_lists_of(cx, owner, server, whose);
            let methods = changed_lists(changes, sees);
            if !methods.is_empty() {
                said.push((session.id, methods));
            }
        }
        for (session, methods) in said {
            let Some(session) = self.sessions.get_mut(session) else { continue };
            // A stream whose client is away keeps them for it; a client that opens another one is told all the same.
            if session.is_deaf() {
                session.unsaid.lists.extend(methods.iter().copied());
            }
            let Some(stream) = session.stream() else { continue };
            for method in methods {
                self.emit(cx, stream, bare_notification(method));
            }
        }
        self.tell_listeners(cx, changes, owner);
    }

    /// Makes the servers behind an endpoint that a session uses log from `level` on.
    pub(super) fn lower_levels(
        &mut self,
        cx: &mut Cx<'_>,
        target: &Target,
        session: SessionId,
        level: Level,
    ) {
        let running = cx.snapshot.behind(target).flat_map(|entry| self.upstreams.of(entry.id));
        let used = running.filter(|upstream| self.served(upstream).any(|served| served.id == session));
        let links: Vec<LinkId> = used.filter_map(|upstream| upstream.process.ready_link()).collect();
        for link in links {
            self.lower_level(cx, link, level);
        }
    }

    /// Gives a server that has just started the level that its sessions want, and the calls that wait for it. Who wants none gets
    /// everything, as long as nobody has told the server another.
    pub(super) fn restore_level(&mut self, cx: &mut Cx<'_>, link: LinkId) {
        let Some(upstream) = self.upstream_at(link) else { return };
        let of_sessions = self.served(upstream).filter_map(|session| session.level);
        let of_calls = upstream.calls.clients().filter_map(|(_, caller)| caller.log_level);
        if let Some(level) = of_sessions.chain(of_calls).min() {
            self.lower_level(cx, link, level);
        }
    }

    /// Has a server that was told a level log everything, for a session that wants none.
    pub(super) fn lift_level(&mut self, cx: &mut Cx<'_>, link: LinkId, session: SessionId) {
        let told = self.upstream_at(link).is_some_and(|upstream| upstream.level > Some(Level::Debug));
        if told && self.sessions.get(session).is_some_and(|session| session.level.is_none()) {
            self.lower_level(cx, link, Level::Debug);
        }
    }

    /// Has a server of the 2025 eras log from a level on, if it does not yet: from the lowest, if a session wants none, which
    /// would get less than before else.
    pub(super) fn lower_level(&mut self, cx: &mut Cx<'_>, link: LinkId, level: Level) {
        let Some(upstream) = self.upstream_at(link) else { return };
        let unset = self.served(upstream).any(|session| session.level.is_none());
        let level = if unset { Level::Debug } else { level };
        let Some(upstream) = self.upstream_of(link) else { return };
        if upstream.revision.is_modern() || upstream.level.is_some_and(|told| told <= level) {
            return;
        }
        let known = || cx.snapshot.entry(upstream.id).and_then(|entry| entry.offer.as_ref());
        let logs = match &upstream.draft {
            Some(draft) => draft.capabilities().logging,
            None => known().is_some_and(|offer| offer.capabilities.logging),
        };
        if logs {
            upstream.level = Some(level);
            let params = ["{\"level\":\"", level.name(), "\"}"].concat();
            self.send_internal(cx, link, Purpose::Housekeeping, "logging/setLevel", Some(params.as_bytes()));
        }
    }
}

/// The notifications that an endpoint hears, of the servers that it sees.
pub(super) fn changed_lists(changes: &Changes, sees: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
    let lists = changes.lists.iter().filter(|(server, _)| sees(server));
    lists.flat_map(|(_, lists)| lists.iter().map(|kind| kind.changed())).collect()
}
