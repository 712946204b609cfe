//! Tasks that clients have begun at servers (2025-11-25, tasks; 2026-07-28, extension for tasks): which process has each, and whom
//! it concerns.
//!
//! What is asked about a task goes to the process that began it, also when its session has got another one meanwhile; to other
//! keys it does not exist. In 2025-11-25 its progress, which comes under the token of the call for as long as it goes on, its
//! status, and what is asked because of it concern the session that began it and nobody else.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::forward::patience;
use super::session::Session;
use super::{Cx, Shard};
use crate::mcp::{Method, Revision, TaskMethod, is_of_tasks, waits_for_task};
use crate::rpc::{Envelope, Field, Members, Sender, write};
use crate::upstream::{Caller, Owner, Request, Seat, Upstream};
use crate::{CallId, ExchangeId, KeyId, Limits, LinkId, ServerId, SessionId, Timestamp, UpstreamFault};

/// What a task takes beside its names.
const OVERHEAD: usize = 256;

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    id: Box<str>,
    seat: Seat,
    /// Over which it began: another one of this seat leads to another process.
    link: LinkId,
    /// In the stateless era there is none.
    session: Option<SessionId>,
    key: KeyId,
    /// Raw JSON of the token that its client chose.
    progress: Option<Box<str>>,
    ended: bool,
    /// The `tasks/result` that waits for it.
    awaited: Option<CallId>,
    /// When its server may forget it.
    until: Timestamp,
}

impl Task {
    fn bytes(&self) -> usize {
        let names = self.id.len().saturating_add(self.progress.as_ref().map_or(0, |token| token.len()));
        names.saturating_add(OVERHEAD)
    }
}

/// The tasks of a project, by the calls that began them. The oldest makes room.
#[derive(Debug, Default)]
pub(super) struct Begun {
    tasks: BTreeMap<CallId, Task>,
    bytes: usize,
}

impl Begun {
    fn insert(&mut self, call: CallId, task: Task, now: Timestamp, limits: &Limits) {
        self.tasks.retain(|_, task| task.until > now);
        self.tasks.insert(call, task);
        self.bytes = self.tasks.values().map(Task::bytes).sum();
        while self.bytes > limits.begun_task_bytes {
            let Some(oldest) = self.least_wanted().and_then(|call| self.tasks.remove(&call)) else { return };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// The oldest of the key that has most, and of its tasks one that has ended, if there is one: nobody makes those of others
    /// forgotten.
    fn least_wanted(&self) -> Option<CallId> {
        let mut had: BTreeMap<&KeyId, usize> = BTreeMap::new();
        for task in self.tasks.values() {
            let own = had.entry(&task.key).or_default();
            *own = own.saturating_add(task.bytes());
        }
        let (most, _) = had.into_iter().max_by_key(|(_, bytes)| *bytes)?;
        let own = || self.tasks.iter().filter(|(_, task)| task.key == *most);
        own().find(|(_, task)| task.ended).or_else(|| own().next()).map(|(call, _)| *call)
    }

    /// The tasks of this name at a server, the newest first: each of its processes may give it to one.
    fn named(&self, server: ServerId, id: &str) -> impl Iterator<Item = &Task> {
        self.tasks.values().rev().filter(move |task| task.seat.server == server && *task.id == *id)
    }

    fn at(&self, seat: &Seat, id: &str) -> Option<&Task> {
        self.named(seat.server, id).find(|task| task.seat == *seat)
    }

    fn at_mut(&mut self, seat: &Seat, id: &str) -> Option<&mut Task> {
        self.tasks.values_mut().rev().find(|task| task.seat == *seat && *task.id == *id)
    }

    /// A server says how a task stands.
    pub(super) fn hear(&mut self, seat: &Seat, said: Option<&[u8]>) {
        let Some(said) = Said::read(said).filter(Said::has_ended) else { return };
        if let Some(task) = self.at_mut(seat, &said.task_id) {
            task.ended = true;
        }
    }

    /// Whether a task that has not ended is at the process of a link.
    pub(super) fn holds(&self, link: LinkId, now: Timestamp) -> bool {
        self.tasks.values().any(|task| task.link == link && !task.ended && task.until > now)
    }

    /// Whether its bytes are those of the tasks.
    pub(super) fn is_sound(&self) -> bool {
        self.tasks.values().map(Task::bytes).sum::<usize>() == self.bytes
    }
}

/// What a server says of a task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said<'a> {
    #[serde(borrow)]
    task_id: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    /// In milliseconds: 2025-11-25, and 2026-07-28.
    #[serde(default)]
    ttl: Option<f64>,
    #[serde(default)]
    ttl_ms: Option<f64>,
}

impl<'a> Said<'a> {
    fn read(raw: Option<&'a [u8]>) -> Option<Self> {
        serde_json::from_slice(raw?).ok()
    }

    fn has_ended(&self) -> bool {
        matches!(&*self.status, "cancelled" | "completed" | "failed")
    }

    fn lives(&self, limits: &Limits) -> Duration {
        let own = self.ttl.or(self.ttl_ms).and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
        own.map_or(limits.begun_task_age, |own| own.min(limits.begun_task_age))
    }
}

/// Whether a request is for the tasks that a server has.
pub(super) fn lists_tasks(request: &Request) -> bool {
    request.method == Method::Tasks(TaskMethod::List).name()
}

/// Whether a result says that a task has begun (2026-07-28, extension for tasks).
fn is_task(response: &Envelope) -> bool {
    response.raw(Field::ResultType) == Some(b"\"task\"")
}

impl Shard {
    /// Whose process has the task that a request is about: of its session, or of another one of its key. All tasks of a session
    /// are asked for where it began the last of them.
    pub(super) fn owner_of_task(
        &self,
        cx: &Cx<'_>,
        caller: &Caller,
        server: ServerId,
        request: &Request,
    ) -> Option<Owner> {
        let task = if lists_tasks(request) {
            let session = caller.session?;
            let own = |task: &&Task| task.seat.server == server && task.session == Some(session);
            self.begun.tasks.values().rev().find(own)?
        } else if is_of_tasks(&request.method) {
            self.own_task(caller, server, &request.body.text(Field::TaskId)?)?
        } else {
            return None;
        };
        let there = task.until > cx.now && self.upstreams.contains(&task.seat);
        there.then(|| task.seat.owner.clone())
    }

    /// The task of this name that was begun with the key of a caller.
    fn own_task(&self, caller: &Caller, server: ServerId, id: &str) -> Option<&Task> {
        let key = self.key_of(caller)?;
        self.begun.named(server, id).find(|task| task.key == *key)
    }

    /// Whether a task was begun with other keys alone: to this one it does not exist (2025-11-25, tasks, security considerations).
    pub(super) fn is_anothers_task(&self, caller: &Caller, server: ServerId, id: &str) -> bool {
        self.begun.named(server, id).next().is_some() && self.own_task(caller, server, id).is_none()
    }

    /// Of the tasks that a process lists which serves several, those that were begun with the key of a caller.
    pub(super) fn own_tasks<'a>(
        &self,
        cx: &Cx<'_>,
        caller: &Caller,
        link: LinkId,
        response: &'a Envelope,
    ) -> Cow<'a, Envelope> {
        let kept = Cow::Borrowed(response);
        let shared = self.upstream_at(link).filter(|upstream| upstream.owner == Owner::Project);
        let (Some(upstream), Some(result)) = (shared, response.raw(Field::Result)) else { return kept };
        let Some(members) = Members::read(result) else { return kept };
        let is_own = |task: &&RawValue| {
            let said = Said::read(Some(task.get().as_bytes()));
            said.is_some_and(|said| self.own_task(caller, upstream.id, &said.task_id).is_some())
        };
        let own = members.with(|name, value| {
            let listed =
                (name == "tasks").then(|| serde_json::from_str::<Vec<&RawValue>>(value).ok()).flatten();
            let Some(listed) = listed else { return Some(Cow::Borrowed(value)) };
            let own: Vec<&str> = listed.iter().filter(|task| is_own(task)).map(|task| task.get()).collect();
            Some(Cow::Owned(["[", &own.join(","), "]"].concat()))
        });
        // The id is the server's, and no client sees it.
        let message = write::result("0", &own);
        Envelope::parse(message.into(), Sender::Upstream, cx.limits()).map_or(kept, Cow::Owned)
    }

    /// A request waits for the result of a task: while it does, its stream is the best place for what is said of the task.
    pub(super) fn await_task(&mut self, call: CallId, caller: &Caller, server: ServerId, request: &Request) {
        let Some(id) = request.body.text(Field::TaskId).filter(|_| waits_for_task(&request.method)) else {
            return;
        };
        let seat = self.own_task(caller, server, &id).map(|task| task.seat.clone());
        if let Some(task) = seat.and_then(|seat| self.begun.at_mut(&seat, &id)) {
            task.awaited = Some(call);
        }
    }

    /// Notes what an answer says of tasks: that one has begun, or has ended.
    pub(super) fn note_task(
        &mut self,
        cx: &Cx<'_>,
        link: LinkId,
        (id, caller): (CallId, &Caller),
        calls_tool: bool,
        response: &Envelope,
    ) {
        let (Some(upstream), Some(key)) = (self.upstream_at(link), self.key_of(caller)) else { return };
        let (seat, key, speaks) = (upstream.seat(), key.clone(), upstream.revision);
        if calls_tool {
            let in_core = speaks == Revision::V2025_11_25 && caller.revision == speaks;
            let in_extension = speaks.is_modern() && is_task(response);
            let said = response.raw(if in_extension { Field::Result } else { Field::Task });
            let Some(said) = Said::read(said.filter(|_| in_core || in_extension)) else { return };
            let (ended, until) = (said.has_ended(), cx.now.after(said.lives(cx.limits())));
            let (name, session, progress) = ((*said.task_id).into(), caller.session, caller.progress.clone());
            let task = Task { id: name, seat, link, session, key, progress, ended, awaited: None, until };
            return self.begun.insert(id, task, cx.now, cx.limits());
        }
        if response.has(Field::TaskId) {
            self.begun.hear(&seat, response.raw(Field::Result));
        } else if !UpstreamFault::is_answer_of_hub(response)
            && let Some(task) = self.begun.tasks.values_mut().find(|task| task.awaited == Some(id))
        {
            (task.ended, task.awaited) = (true, None);
        }
    }

    /// A server says how a task stands: who began it is told, and where that is not known, who made the call that it speaks of.
    pub(super) fn on_task_status(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) {
        let (Some(upstream), Some(id)) = (self.upstream_at(link), frame.text(Field::TaskId)) else { return };
        let seat = upstream.seat();
        let exchange = match self.begun.at(&seat, &id) {
            Some(task) => self.told_at(upstream, task, within),
            None => self.told_of_unknown(cx, upstream, within),
        };
        if let Some(exchange) = exchange {
            let message = write::request(None, "notifications/tasks/status", frame.raw(Field::Params));
            self.emit(cx, exchange, message.into());
        }
        self.begun.hear(&seat, frame.raw(Field::Params));
    }

    /// The exchange on which what is said of a task is told that may be just beginning.
    fn told_of_unknown(
        &self,
        cx: &Cx<'_>,
        upstream: &Upstream,
        within: Option<CallId>,
    ) -> Option<ExchangeId> {
        if let Owner::Session(session) = upstream.owner {
            return self.sessions.get(session)?.stream();
        }
        let has_streams = cx.snapshot.entry(upstream.id).is_some_and(|entry| entry.has_streams());
        let spoken = upstream.calls.spoken_of(within).filter(|_| within.is_some() || !has_streams);
        spoken.map(|(_, caller)| caller.exchange)
    }

    /// Where a log message of a task goes that is known, and to which session.
    pub(super) fn told_of_task(&self, upstream: &Upstream, task: &str) -> Option<(SessionId, ExchangeId)> {
        let (_, session, exchange) = self.asked_for_task(upstream, task)?;
        Some((session.id, exchange?))
    }

    /// Where progress goes whose call has been answered: to who began a task with it, with the token that they chose. It gives a
    /// `tasks/result` that waits for the task more time.
    pub(super) fn place_of_progress(
        &mut self,
        cx: &Cx<'_>,
        link: LinkId,
        call: CallId,
    ) -> Option<(ExchangeId, Box<str>)> {
        let upstream = self.upstream_at(link)?;
        let task = self.begun.tasks.get(&call)?;
        if task.ended || task.until <= cx.now || task.seat != upstream.seat() {
            return None;
        }
        let token = task.progress.clone()?;
        let place = self.told_at(upstream, task, None);
        let (awaited, server) = (task.awaited, upstream.id);
        if let (Some(awaited), Some(upstream)) = (awaited, self.upstream_of(link)) {
            let result = Method::Tasks(TaskMethod::Result).name();
            upstream.calls.extend(awaited, cx.now.after(patience(cx, server, result)));
        }
        Some((place?, token))
    }

    /// The session to be asked because of a task, with the request that waits for its result and the exchange to ask on. That is the
    /// one of who waits, and else of who began it.
    pub(super) fn asked_for_task(
        &self,
        upstream: &Upstream,
        task: &str,
    ) -> Option<(Option<CallId>, &Session, Option<ExchangeId>)> {
        let task = self.begun.at(&upstream.seat(), task)?;
        let awaited = task.awaited.and_then(|call| Some((call, upstream.calls.caller(call)?)));
        let waits = awaited.and_then(|(_, caller)| caller.session);
        let session = self.sessions.get(waits.or(task.session)?)?;
        Some((awaited.map(|(call, _)| call), session, self.told_at(upstream, task, None)))
    }

    /// The exchange on which what is said of a task is told: of the request that waits for its result, the one on which the session
    /// listens that began it, or that of a call of its own that the server speaks of.
    fn told_at(&self, upstream: &Upstream, task: &Task, within: Option<CallId>) -> Option<ExchangeId> {
        let awaited = task.awaited.and_then(|call| upstream.calls.caller(call));
        let session = || self.sessions.get(task.session?);
        let own = |caller: &&Caller| caller.session == task.session;
        let spoken = || upstream.calls.spoken_of(within).map(|(_, caller)| caller).filter(own);
        let waits = awaited.map(|caller| caller.exchange);
        waits
            .or_else(|| session()?.stream())
            .or_else(|| session().and_then(|_| spoken()).map(|caller| caller.exchange))
    }
}
