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

use super::begun_stored::Changed;
use super::{Cx, Shard};
use crate::mcp::{Method, Revision, Row, TaskMethod, asks_for_task, is_of_tasks, waits_for_task};
use crate::rpc::{Envelope, Field, Members, Sender, write};
use crate::upstream::{Caller, OfTasks, Owner, Request, Seat};
use crate::{
    CallId, KeyId, Limits, LinkId, Rejection, ServerId, SessionId, TaskId, Timestamp, UpstreamFault,
};

/// What a task takes beside its names.
const OVERHEAD: usize = 256;

/// One task.
#[derive(Debug)]
pub(super) struct Task {
    pub id: Box<str>,
    pub seat: Seat,
    /// The process that has it, by its link. The tasks of a remote server outlive links, and the hub.
    pub life: Life,
    /// In the stateless era there is none.
    pub session: Option<SessionId>,
    pub key: KeyId,
    /// Raw JSON of the token that its client chose.
    pub progress: Option<Box<str>>,
    pub ended: bool,
    /// Whether nobody has to come for its result any more.
    pub taken: bool,
    /// Each `tasks/result` that waits for it.
    pub awaited: Vec<CallId>,
    /// When its server may forget it.
    pub until: Timestamp,
}

/// How long a task may be there at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// As long as the process at this link.
    Process(LinkId),
    /// As long as its remote server remembers it, which no end of ours changes.
    Remote(TaskId),
}

impl Task {
    fn bytes(&self) -> usize {
        let names = self.id.len().saturating_add(self.progress.as_ref().map_or(0, |token| token.len()));
        names.saturating_add(OVERHEAD)
    }

    /// Whether it is what a server calls so over this link.
    fn is_at(&self, seat: &Seat, link: LinkId) -> bool {
        let there = match self.life {
            Life::Process(own) => own == link,
            Life::Remote(_) => true,
        };
        there && self.seat == *seat
    }
}

/// The tasks of a project, by the calls that began them. The oldest makes room.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub tasks: BTreeMap<CallId, Task>,
    bytes: usize,
    /// What the store does not know yet: tasks that have begun, and that are gone.
    pub changed: Changed,
}

impl Begun {
    fn insert(&mut self, call: CallId, task: Task, now: Timestamp, limits: &Limits) {
        self.expire(now);
        self.changed.begin(&task, call);
        self.restore(call, task);
        while self.bytes > limits.begun_task_bytes {
            let Some(oldest) = self.least_wanted().and_then(|call| self.tasks.remove(&call)) else { return };
            self.changed.end(&oldest);
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// Takes up a task that the store knows already.
    pub(super) fn restore(&mut self, call: CallId, task: Task) {
        self.bytes = self.bytes.saturating_add(task.bytes());
        self.tasks.insert(call, task);
    }

    fn drop_where(&mut self, is_gone: impl Fn(&Task) -> bool) {
        for (_, task) in self.tasks.extract_if(.., |_, task| is_gone(task)) {
            self.bytes = self.bytes.saturating_sub(task.bytes());
            self.changed.end(&task);
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
    fn named(&self, server: ServerId, id: &str, now: Timestamp) -> impl Iterator<Item = &Task> {
        let is_it = move |task: &&Task| task.seat.server == server && *task.id == *id && task.until > now;
        self.tasks.values().rev().filter(is_it)
    }

    /// What a server calls so over a link.
    pub(super) fn at(&self, seat: &Seat, link: LinkId, id: &str, now: Timestamp) -> Option<&Task> {
        self.named(seat.server, id, now).find(|task| task.is_at(seat, link))
    }

    fn at_mut(&mut self, seat: &Seat, link: LinkId, id: &str) -> Option<&mut Task> {
        self.tasks.values_mut().rev().find(|task| task.is_at(seat, link) && *task.id == *id)
    }

    /// The task that was begun with a call, as long as it goes on.
    pub(super) fn of_call(&self, call: CallId, seat: &Seat, link: LinkId, now: Timestamp) -> Option<&Task> {
        self.tasks.get(&call).filter(|task| !task.ended && task.until > now && task.is_at(seat, link))
    }

    /// A server says how a task stands.
    pub(super) fn hear(&mut self, seat: &Seat, link: LinkId, said: Option<&[u8]>) -> Option<&mut Task> {
        let said = Said::read(said).filter(Said::has_ended)?;
        let task = self.at_mut(seat, link, &said.task_id)?;
        task.ended = true;
        task.taken |= said.status == "cancelled";
        Some(task)
    }

    /// Whether a process has a task that goes on, or whose result its client has still to come for.
    pub(super) fn holds(&self, seat: &Seat, link: LinkId, now: Timestamp) -> bool {
        self.tasks.values().any(|task| !task.taken && task.until > now && task.is_at(seat, link))
    }

    /// Whether a process has a task that goes on.
    pub(super) fn works(&self, seat: &Seat, link: LinkId, now: Timestamp) -> bool {
        self.tasks.values().any(|task| !task.ended && task.until > now && task.is_at(seat, link))
    }

    /// A server gives a name: whatever had it is no task any more. A remote server that counts anew does so for all of its links.
    fn rename(&mut self, seat: &Seat, link: LinkId, id: &str) {
        self.drop_where(|old| {
            let there = match old.life {
                Life::Process(own) => own == link,
                Life::Remote(_) => old.seat.server == seat.server,
            };
            there && *old.id == *id
        });
    }

    /// A process has ended, and its tasks with it.
    pub(super) fn end_life(&mut self, link: LinkId) {
        self.drop_where(|task| task.life == Life::Process(link));
    }

    /// A key was revoked: nobody may come for its tasks any more.
    pub(super) fn forget_key(&mut self, key: &KeyId) {
        self.drop_where(|task| task.key == *key);
    }

    /// Tasks that their servers may have forgotten go.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.drop_where(|task| task.until <= now);
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
    #[serde(borrow, default)]
    status: Cow<'a, str>,
    /// In milliseconds: 2025-11-25, and 2026-07-28. One that makes no sense makes no other task of it.
    #[serde(borrow, default)]
    ttl: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ttl_ms: Option<&'a RawValue>,
}

impl<'a> Said<'a> {
    fn read(raw: Option<&'a [u8]>) -> Option<Self> {
        serde_json::from_slice(raw?).ok()
    }

    fn has_ended(&self) -> bool {
        matches!(&*self.status, "cancelled" | "completed" | "failed")
    }

    fn lives(&self, limits: &Limits) -> Duration {
        let ms = self.ttl.or(self.ttl_ms).and_then(|raw| raw.get().parse::<f64>().ok());
        let own = ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1_000.0).ok());
        own.map_or(limits.begun_task_age, |own| own.min(limits.begun_task_age))
    }
}

/// What a request has to do with the tasks of a server.
pub(super) fn of_tasks(caller: &Caller, request: &Request) -> OfTasks {
    if request.method == Method::Tasks(TaskMethod::List).name() {
        OfTasks::Lists
    } else if request.method == Method::ToolsCall.name() && asks_for_task(caller.revision, &request.body) {
        OfTasks::Begins
    } else {
        OfTasks::Nothing
    }
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
        let task = if of_tasks(caller, request) == OfTasks::Lists {
            let session = caller.session?;
            let own = |task: &&Task| task.seat.server == server && task.session == Some(session);
            self.begun.tasks.values().rev().find(own).filter(|task| task.until > cx.now)?
        } else if is_of_tasks(&request.method) {
            self.own_task(cx, caller, server, &request.body.text(Field::TaskId)?)?
        } else {
            return None;
        };
        self.is_within_reach(task).then(|| task.seat.owner.clone())
    }

    /// Whether a task can be asked for where it was begun.
    fn is_within_reach(&self, task: &Task) -> bool {
        let current = || self.upstreams.get(&task.seat)?.process.link();
        match (task.life, &task.seat.owner) {
            (Life::Process(link), _) => current() == Some(link),
            (Life::Remote(_), Owner::Session(session)) => {
                self.upstreams.contains(&task.seat) || self.sessions.get(*session).is_some()
            }
            (Life::Remote(_), Owner::Key(..) | Owner::Project) => true,
        }
    }

    /// The task of this name that was begun with the key of a caller: better by its own session. To other keys it does not exist, nor
    /// does one of which nobody knows who began it (2025-11-25, tasks, security considerations).
    pub(super) fn own_task(&self, cx: &Cx<'_>, caller: &Caller, server: ServerId, id: &str) -> Option<&Task> {
        let key = self.key_of(caller)?;
        let is_own = |task: &&Task| task.key == *key && self.is_within_reach(task);
        let own = || self.begun.named(server, id, cx.now).filter(is_own);
        own().find(|task| task.session.is_some() && task.session == caller.session).or_else(|| own().next())
    }

    /// Why a request is refused that is about a task which does not exist for its caller.
    pub(super) fn lacks_task(
        &self,
        cx: &Cx<'_>,
        caller: &Caller,
        server: ServerId,
        request: &Request,
    ) -> Option<Rejection> {
        let (method, body) = (&*request.method, &request.body);
        let about_one = is_of_tasks(method) && of_tasks(caller, request) != OfTasks::Lists;
        if !about_one || !(body.has(Field::TaskId) || Row::is_known(method)) {
            return None;
        }
        let Some(id) = body.text(Field::TaskId) else {
            return Some(Rejection::InvalidParams("params.taskId, a string, is required".into()));
        };
        let unknown = || Rejection::InvalidParams("Task not found".into());
        self.own_task(cx, caller, server, &id).is_none().then(unknown)
    }

    /// Of the tasks that a server lists over a link, those that were begun over it with the key of a caller.
    pub(super) fn own_tasks<'a>(
        &self,
        cx: &Cx<'_>,
        caller: &Caller,
        link: LinkId,
        response: &'a Envelope,
    ) -> Cow<'a, Envelope> {
        let kept = Cow::Borrowed(response);
        let (Some(upstream), Some(result)) = (self.upstream_at(link), response.raw(Field::Result)) else {
            return kept;
        };
        let Some(members) = Members::read(result) else { return kept };
        let (seat, key) = (upstream.seat(), self.key_of(caller));
        let is_own = |task: &&RawValue| {
            let said = Said::read(Some(task.get().as_bytes()));
            let known = said.and_then(|said| self.begun.at(&seat, link, &said.task_id, cx.now));
            known.is_some_and(|task| Some(&task.key) == key)
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

    /// A request waits for the result of a task: while it does, its stream is a good place for what is said of the task.
    pub(super) fn await_task(
        &mut self,
        cx: &Cx<'_>,
        call: CallId,
        (caller, server): (&Caller, ServerId),
        request: &Request,
    ) {
        let Some(id) = request.body.text(Field::TaskId).filter(|_| waits_for_task(&request.method)) else {
            return;
        };
        let Some(task) = self.own_task(cx, caller, server, &id) else { return };
        let (seat, life) = (task.seat.clone(), task.life);
        let waits: Vec<CallId> = self.upstreams.get(&seat).map_or_else(Vec::new, |upstream| {
            task.awaited.iter().copied().filter(|call| upstream.calls.contains(*call)).collect()
        });
        let is_it = |task: &&mut Task| task.seat == seat && task.life == life && *task.id == *id;
        if let Some(task) = self.begun.tasks.values_mut().find(is_it) {
            task.awaited = waits;
            task.awaited.push(call);
        }
    }

    /// Notes what an answer says of tasks: that one has begun, or has ended.
    pub(super) fn note_task(
        &mut self,
        cx: &mut Cx<'_>,
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
            self.begun.rename(&seat, link, &said.task_id);
            let is_remote = cx.snapshot.entry(seat.server).is_some_and(|entry| entry.is_remote());
            let task = Task {
                id: (*said.task_id).into(),
                seat,
                life: if is_remote {
                    Life::Remote(TaskId::mint(cx.now, cx.entropy))
                } else {
                    Life::Process(link)
                },
                session: caller.session,
                key,
                progress: caller.progress.clone(),
                ended: said.has_ended(),
                taken: false,
                awaited: Vec::new(),
                until: cx.now.after(said.lives(cx.limits())),
            };
            return self.begun.insert(id, task, cx.now, cx.limits());
        }
        if response.has(Field::TaskId) {
            // In the extension, what says that a task has ended has its result.
            if let Some(task) = self.begun.hear(&seat, link, response.raw(Field::Result)) {
                task.taken |= speaks.is_modern();
            }
        } else if !UpstreamFault::is_answer_of_hub(response)
            && let Some(task) = self.begun.tasks.values_mut().find(|task| task.awaited.contains(&id))
        {
            (task.ended, task.taken) = (true, true);
        }
    }

    /// A server answers a call that was given up: if that has begun a task, it is nobody's.
    pub(super) fn note_late(&mut self, link: LinkId, response: &Envelope) {
        let raw = if is_task(response) { response.raw(Field::Result) } else { response.raw(Field::Task) };
        let (Some(said), Some(upstream)) = (Said::read(raw), self.upstream_at(link)) else { return };
        let seat = upstream.seat();
        self.begun.rename(&seat, link, &said.task_id);
    }
}
