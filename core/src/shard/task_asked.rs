//! What clients ask about tasks, where that goes, and what answers say of them.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use serde_json::value::RawValue;

use super::begun::{Life, Said, Task};
use super::{Cx, Shard};
use crate::mcp::{
    Method, Revision, Row, TaskMethod, asks_for_task, is_of_tasks, knows_tasks, waits_for_task,
};
use crate::rpc::{Envelope, Field, Members, Sender, write};
use crate::upstream::{Caller, OfTasks, Owner, Request};
use crate::{CallId, LinkId, Rejection, ServerId, TaskId, UpstreamFault};

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

/// Whether a server of the 2025 eras has said that it has no tasks: then it has no methods for them either.
fn has_no_tasks(cx: &Cx<'_>, server: ServerId) -> bool {
    let known = cx.snapshot.entry(server).and_then(|entry| entry.offer.as_ref());
    known.is_some_and(|offer| !offer.has_core_tasks())
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
        let id = body.text(Field::TaskId);
        if id.as_ref().is_some_and(|id| self.own_task(cx, caller, server, id).is_some()) {
            return None;
        }
        Some(match id {
            // The extension has fewer methods than the core has, and says so before anything else.
            _ if caller.revision.is_modern()
                && !matches!(method, "tasks/get" | "tasks/update" | "tasks/cancel") =>
            {
                Rejection::UnknownMethod(method.into())
            }
            _ if caller.revision.is_modern() && !knows_tasks(body) => Rejection::MissingTasks,
            _ if !caller.revision.is_modern() && has_no_tasks(cx, server) => {
                Rejection::UnknownMethod(method.into())
            }
            None => Rejection::InvalidParams("params.taskId, a string, is required".into()),
            Some(_) => Rejection::InvalidParams("Task not found".into()),
        })
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
