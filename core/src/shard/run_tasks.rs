//! Runs of plans as tasks, at the unified endpoint of a project that lists the tools for plans: in the words of the core of
//! 2025-11-25, and in those of the extension of 2026-07-28.
//!
//! A task is a run, and its id is the run's name: what began in one way can be asked for in the other.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::legacy::stopping;
use super::{Cx, Shard};
use crate::hub::PlanTool;
use crate::mcp::{Revision, TaskMethod, asks_for_task, knows_tasks};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members};
use crate::run::{Run, Status};
use crate::snapshot::Entry;
use crate::upstream::Caller;
use crate::{Fault, Limits, Rejection, RunId, Timestamp};

/// How long a client may wait before it asks again, in milliseconds.
const POLL_MS: u32 = 1_000;

/// Whether the answer to a request for a run may be a task; in 2025-11-25 it has to be.
pub(super) fn may_be_task(cx: &Cx<'_>, caller: &Caller, body: &Envelope) -> bool {
    let asked =
        if caller.revision.is_modern() { knows_tasks(body) } else { asks_for_task(caller.revision, body) };
    asked && cx.snapshot.unified.has_tasks()
}

/// Why a tool cannot be called as a task, if it was: only runs are tasks.
pub(super) fn no_task(
    cx: &Cx<'_>,
    caller: &Caller,
    (entry, name): (&Entry, Option<&str>),
    body: &Envelope,
) -> Option<Rejection> {
    let here = caller.target == Target::Unified && cx.snapshot.unified.has_tasks();
    if !here || !asks_for_task(caller.revision, body) {
        return None;
    }
    let own = body.text(Field::Name)?;
    let runs =
        entry.config.is_none() && name.or(Some(&own)).and_then(PlanTool::find) == Some(PlanTool::Execute);
    (!runs).then(|| Rejection::NotATask(own.into_owned()))
}

impl Shard {
    /// Answers what is asked about tasks at the unified endpoint.
    pub(super) fn on_task_asked(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        body: &Envelope,
        asked: TaskMethod,
    ) {
        if let Err(fault) = self.answer_task(cx, caller, body, asked) {
            self.fail(cx, caller, &fault);
        }
    }

    fn answer_task(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        body: &Envelope,
        asked: TaskMethod,
    ) -> Result<(), Fault> {
        let modern = caller.revision.is_modern();
        if !cx.snapshot.unified.has_tasks() {
            let method = body.text(Field::Method).unwrap_or_default().into_owned();
            return Err(Rejection::UnknownMethod(method).into());
        }
        if modern && !knows_tasks(body) {
            return Err(Rejection::MissingTasks.into());
        }
        if asked == TaskMethod::List {
            return self.list_tasks(cx, caller, body);
        }
        let name = body.text(Field::TaskId);
        let name =
            name.ok_or_else(|| Rejection::InvalidParams("params.taskId, a string, is required".into()))?;
        let id = self.own_run(caller, &name).ok_or_else(|| no_such_task(&name))?;
        match asked {
            TaskMethod::Result if self.is_open(id) => self.watch_as(caller, id, true),
            TaskMethod::Result => self.tell_task_result(cx, caller, id, &self.told(cx, id)),
            TaskMethod::Cancel if !modern && !self.is_open(id) => {
                return Err(Rejection::InvalidParams(format!("the task {id} has ended already")).into());
            }
            TaskMethod::Cancel => {
                self.stop_run(cx, id);
                self.tell_task(cx, caller, id, asked);
            }
            TaskMethod::Get | TaskMethod::List | TaskMethod::Update => self.tell_task(cx, caller, id, asked),
        }
        Ok(())
    }

    fn tell_task(&mut self, cx: &mut Cx<'_>, caller: &Caller, id: RunId, asked: TaskMethod) {
        // In the extension, what changes a task is acknowledged. There is nothing to take: a run in the background asks for
        // nothing.
        let acknowledged = caller.revision.is_modern() && asked != TaskMethod::Get;
        let result =
            if acknowledged { "{}".to_owned() } else { format!("{{{}}}", self.detailed(cx, caller, id)) };
        self.answer_of(cx, caller, &[id], result.as_bytes());
    }

    /// The members of a task; in the extension with its result, once it has one.
    fn detailed(&self, cx: &Cx<'_>, caller: &Caller, id: RunId) -> String {
        let Some(run) = self.runs.get(id) else { return String::new() };
        let mut task = members((id, run), caller.revision, cx.now, cx.limits());
        let has_result = !matches!(run.status(), Status::Running | Status::Cancelled);
        if caller.revision.is_modern() && has_result {
            let result = String::from_utf8(self.told(cx, id)).unwrap_or_default();
            task.extend([",\"result\":", &result]);
        }
        task
    }

    fn list_tasks(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) -> Result<(), Fault> {
        let cursor = body.text(Field::Cursor);
        if body.has(Field::Cursor) && cursor.is_none() {
            return Err(Rejection::InvalidCursor.into());
        }
        let (runs, next) = self.page_of_runs(cx, caller, cursor.as_deref(), None)?;
        let task = |run| format!("{{{}}}", members(run, caller.revision, cx.now, cx.limits()));
        let ids: Vec<RunId> = runs.iter().map(|(id, _)| *id).collect();
        let tasks: Vec<String> = runs.into_iter().map(task).collect();
        let next = next.map_or_else(String::new, |next| format!(",\"nextCursor\":\"{next}\""));
        let result = format!("{{\"tasks\":[{}]{next}}}", tasks.join(","));
        self.answer_of(cx, caller, &ids, result.as_bytes());
        Ok(())
    }

    /// Answers `tasks/result`: what the call would have been answered, and of which task that is (2025-11-25, tasks).
    pub(super) fn tell_task_result(&mut self, cx: &mut Cx<'_>, caller: &Caller, id: RunId, told: &[u8]) {
        if self.stopping && self.is_open(id) {
            // There is no result yet, and this life of the hub will have none.
            return self.fail(cx, caller, &stopping());
        }
        let mut result = told.to_vec();
        result.pop();
        let related =
            format!(",\"_meta\":{{\"io.modelcontextprotocol/related-task\":{{\"taskId\":\"{id}\"}}}}}}");
        result.extend_from_slice(related.as_bytes());
        self.answer_of(cx, caller, &[id], &result);
    }

    /// Answers a request that has begun a run, or has met the one that it began before: with a task, if its caller knows
    /// tasks and does not wait, and else with how the run stands.
    pub(super) fn tell_begun(&mut self, cx: &mut Cx<'_>, caller: &Caller, id: RunId, background: bool) {
        let run = self.runs.get(id).filter(|_| background && caller.task);
        let result = match run.map(|run| members((id, run), caller.revision, cx.now, cx.limits())) {
            Some(task) if caller.revision.is_modern() => {
                format!("{{\"resultType\":\"task\",{task}}}").into_bytes()
            }
            Some(task) => format!("{{\"task\":{{{task}}}}}").into_bytes(),
            None => self.told(cx, id),
        };
        self.answer_of(cx, caller, &[id], &result);
    }

    /// Answers a request for a run that has come to something else: faults, an outline, a plan. Who has to get a task gets
    /// that as an error, since no result can stand for it.
    pub(super) fn answer_without_run(&mut self, cx: &mut Cx<'_>, caller: &Caller, result: &[u8]) {
        if !caller.must_get_task() {
            return self.answer_as_hub(cx, caller, result);
        }
        let members = Members::read(result).map_or_else(Vec::new, |members| members.0);
        let said = members.into_iter().find(|(name, _)| name == "structuredContent");
        let said = said.map_or("", |(_, said)| said.get());
        self.fail(cx, caller, &Rejection::InvalidParams(format!("no task comes of this: {said}")).into());
    }
}

/// A run as a task: the members of the object.
fn members((id, run): (RunId, &Run), revision: Revision, now: Timestamp, limits: &Limits) -> String {
    let modern = revision.is_modern();
    let status = match run.status() {
        Status::Running => "working",
        Status::Done => "completed",
        // The extension calls it failed only where there is no result; the core also where the result says so.
        Status::Failed | Status::TimedOut if modern => "completed",
        Status::Failed | Status::TimedOut => "failed",
        Status::Cancelled => "cancelled",
    };
    let (life, (steps_ended, steps)) = (run.life(), run.progress());
    let words = format!("{}: {steps_ended} of {steps} steps have ended", run.status().name());
    let (created, updated) = (life.began.rfc3339(), life.ended.unwrap_or(life.began).rfc3339());
    // It counts from the beginning, and results are kept from the end on.
    let ttl = life.ended.unwrap_or(now).since(life.began).saturating_add(limits.run_kept).as_millis();
    let (ttl_name, poll_name) = if modern { ("ttlMs", "pollIntervalMs") } else { ("ttl", "pollInterval") };
    format!(
        "\"taskId\":\"{id}\",\"status\":\"{status}\",\"statusMessage\":\"{words}\",\"createdAt\":\"{created}\",\
         \"lastUpdatedAt\":\"{updated}\",\"{ttl_name}\":{ttl},\"{poll_name}\":{POLL_MS}"
    )
}

fn no_such_task(name: &str) -> Rejection {
    let why = "it is unknown, another's, or ended too long ago (limit run_kept)";
    Rejection::InvalidParams(format!("there is no task {name:?}: {why}"))
}
