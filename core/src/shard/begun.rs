//! Tasks that sessions have begun at servers of the 2025 eras (2025-11-25, tasks): which process has each, and whom it concerns.
//!
//! What is asked about a task goes to the process that began it, also when its session has got another one meanwhile. Its
//! progress, which comes under the token of the call for as long as it goes on, its status, and what is asked because of it
//! concern the session that began it and nobody else.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;
use serde::Deserialize;

use super::forward::patience;
use super::session::Session;
use super::{Cx, Shard};
use crate::mcp::{Method, Revision, TaskMethod, is_of_tasks, related_task, waits_for_task};
use crate::rpc::{Envelope, Field, write};
use crate::upstream::{Caller, Owner, Request, Seat, Upstream};
use crate::{CallId, ExchangeId, KeyId, Limits, LinkId, ServerId, SessionId, Timestamp};

/// What a task takes beside its names.
const OVERHEAD: usize = 256;

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    id: Box<str>,
    seat: Seat,
    /// Over which it began: another one of this seat leads to another process.
    link: LinkId,
    session: SessionId,
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

    fn find(&self, server: ServerId, id: &str) -> Option<&Task> {
        self.tasks.values().rev().find(|task| task.seat.server == server && *task.id == *id)
    }

    fn find_mut(&mut self, server: ServerId, id: &str) -> Option<&mut Task> {
        self.tasks.values_mut().rev().find(|task| task.seat.server == server && *task.id == *id)
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
    task_id: alloc::borrow::Cow<'a, str>,
    #[serde(borrow)]
    status: alloc::borrow::Cow<'a, str>,
    /// In milliseconds.
    #[serde(default)]
    ttl: Option<f64>,
}

impl<'a> Said<'a> {
    fn read(raw: Option<&'a [u8]>) -> Option<Self> {
        serde_json::from_slice(raw?).ok()
    }

    fn has_ended(&self) -> bool {
        matches!(&*self.status, "cancelled" | "completed" | "failed")
    }

    fn lives(&self, limits: &Limits) -> Duration {
        let own = self.ttl.and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
        own.map_or(limits.begun_task_age, |own| own.min(limits.begun_task_age))
    }
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
        if !is_of_tasks(&request.method) || caller.session.is_none() {
            return None;
        }
        let task = if request.method == Method::Tasks(TaskMethod::List).name() {
            let own = |task: &&Task| task.seat.server == server && Some(task.session) == caller.session;
            self.begun.tasks.values().rev().find(own)?
        } else {
            let key = self.key_of(caller);
            let task = self.begun.find(server, &request.body.text(Field::TaskId)?)?;
            Some(task).filter(|task| Some(&task.key) == key)?
        };
        let there = task.until > cx.now && self.upstreams.contains(&task.seat);
        there.then(|| task.seat.owner.clone())
    }

    /// Whether a request is about a task that was begun with another key: to this one it does not exist (2025-11-25, tasks,
    /// security considerations).
    pub(super) fn is_anothers_task(&self, caller: &Caller, server: ServerId, request: &Request) -> bool {
        let id = is_of_tasks(&request.method).then(|| request.body.text(Field::TaskId)).flatten();
        let task = id.and_then(|id| self.begun.find(server, &id));
        task.is_some_and(|task| Some(&task.key) != self.key_of(caller))
    }

    /// A request waits for the result of a task: while it does, its stream is the best place for what is said of the task.
    pub(super) fn await_task(&mut self, call: CallId, caller: &Caller, server: ServerId, request: &Request) {
        let id = request.body.text(Field::TaskId).filter(|_| waits_for_task(&request.method));
        let task = id.and_then(|id| self.begun.find_mut(server, &id));
        if let Some(task) = task.filter(|task| Some(task.session) == caller.session) {
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
        let Some(session) = caller.session.filter(|_| caller.revision == Revision::V2025_11_25) else {
            return;
        };
        let Some(upstream) = self.upstream_at(link).filter(|upstream| !upstream.revision.is_modern()) else {
            return;
        };
        let seat = upstream.seat();
        if calls_tool {
            let said = Said::read(response.raw(Field::Task));
            let key = self.key_of(caller).cloned();
            let (Some(said), Some(key)) = (said, key) else { return };
            let (ended, until) = (said.has_ended(), cx.now.after(said.lives(cx.limits())));
            let (name, progress) = ((*said.task_id).into(), caller.progress.clone());
            let task = Task { id: name, seat, link, session, key, progress, ended, awaited: None, until };
            return self.begun.insert(id, task, cx.now, cx.limits());
        }
        if response.has(Field::TaskId) {
            self.on_status(seat.server, response.raw(Field::Result));
        } else if let Some(task) = self.begun.tasks.values_mut().find(|task| task.awaited == Some(id)) {
            (task.ended, task.awaited) = (true, None);
        }
    }

    fn on_status(&mut self, server: ServerId, said: Option<&[u8]>) {
        let Some(said) = Said::read(said).filter(Said::has_ended) else { return };
        if let Some(task) = self.begun.find_mut(server, &said.task_id) {
            task.ended = true;
        }
    }

    /// A server says how a task stands. Returns whether it is one that a session has begun: it alone is told.
    pub(super) fn on_task_status(
        &mut self,
        cx: &mut Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        frame: &Envelope,
    ) -> bool {
        let Some(upstream) = self.upstream_at(link) else { return false };
        let (server, id) = (upstream.id, frame.text(Field::TaskId));
        let Some(task) = id.and_then(|id| self.begun.find(server, &id)) else { return false };
        if let Some(exchange) = self.told_at(upstream, task, within) {
            let message = write::request(None, "notifications/tasks/status", frame.raw(Field::Params));
            self.emit(cx, exchange, message.into());
        }
        self.on_status(server, frame.raw(Field::Params));
        true
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

    /// The session that began the task which a request is because of, with the call and the exchange to ask it on.
    pub(super) fn asked_for_task(
        &self,
        upstream: &Upstream,
        frame: &Envelope,
    ) -> Option<(Option<CallId>, &Session, Option<ExchangeId>)> {
        let task = self.begun.find(upstream.id, &related_task(frame)?)?;
        let session = self.sessions.get(task.session)?;
        let awaited = task.awaited.filter(|call| upstream.calls.caller(*call).is_some());
        Some((awaited, session, self.told_at(upstream, task, None)))
    }

    /// The exchange on which a session is told of its task: of the request that waits for the result, the one that it listens on, or
    /// that of a call of its own that the server speaks of.
    fn told_at(&self, upstream: &Upstream, task: &Task, within: Option<CallId>) -> Option<ExchangeId> {
        let own = |caller: &&Caller| caller.session == Some(task.session);
        let awaited = task.awaited.and_then(|call| upstream.calls.caller(call)).filter(own);
        let spoken = || upstream.calls.spoken_of(within).map(|(_, caller)| caller).filter(own);
        let listens = self.sessions.get(task.session)?.stream();
        awaited.map(|caller| caller.exchange).or(listens).or_else(|| Some(spoken()?.exchange))
    }
}
