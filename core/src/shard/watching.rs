//! Those who watch runs that they do not own: who asks for a run's end, or for its request once more.
//!
//! A watcher that gave a progress token hears of each step that changes; whoever leaves changes nothing.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::mem::take;

use super::keyed::key_of;
use super::outliving::nobody;
use super::{Cx, Exchange, Shard};
use crate::hub::{self, Cannot};
use crate::mcp::Method;
use crate::planner::Goal;
use crate::rpc::{Envelope, Field, canonical, write};
use crate::run::{Run, Status, StepReport, Unit};
use crate::upstream::Caller;
use crate::{Exceeded, ExchangeId, Fault, Limit, Rejection, RunId};

/// Somebody who waits for the end of a run.
#[derive(Debug)]
pub(super) struct Watcher {
    pub caller: Caller,
    pub run: RunId,
    /// Whether it is a task to whoever waits.
    pub task: bool,
    /// How the steps stood when it was told last.
    seen: Vec<(&'static str, usize, usize)>,
}

impl Shard {
    /// Lets somebody wait for the end of a run.
    pub(super) fn watch(&mut self, caller: &Caller, run: RunId) {
        self.watch_as(caller, run, false);
    }

    pub(super) fn watch_as(&mut self, caller: &Caller, run: RunId, task: bool) {
        if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Run(run));
        }
        self.watchers.push(Watcher { caller: caller.clone(), run, task, seen: Vec::new() });
    }

    /// Tells watchers what has changed, and those whose runs have ended, or are put aside, how they stand.
    pub(super) fn tell_watchers(&mut self, cx: &mut Cx<'_>) {
        for mut watcher in take(&mut self.watchers) {
            let run = self.runs.get(watcher.run).filter(|run| run.status() == Status::Running);
            match run.filter(|_| !self.stopping) {
                Some(run) => {
                    let news = self.runs.has_changed(watcher.run) || watcher.seen.is_empty();
                    let message = if news { watcher.news(run, cx) } else { None };
                    if let Some(message) = message {
                        self.emit_of(cx, watcher.run, watcher.caller.exchange, message.into());
                    }
                    self.watchers.push(watcher);
                }
                None if watcher.task => self.tell_task_result(cx, &watcher.caller, watcher.run),
                None => {
                    self.tell_how(cx, &watcher.caller, watcher.run);
                }
            }
        }
    }

    /// Watchers that want no answer any more. Their runs go on.
    pub(super) fn drop_watchers(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Caller) -> bool) {
        let gone: Vec<Watcher> = self.watchers.extract_if(.., |watcher| which(&watcher.caller)).collect();
        for Watcher { caller, .. } in gone {
            if !caller.ends {
                self.count_down(cx, caller.exchange);
            } else if self.exchanges.remove(&caller.exchange).is_some() {
                self.finish(cx, caller.exchange);
            }
        }
    }

    /// The client of an exchange has gone. Returns whether it was a watcher's.
    pub(super) fn on_watcher_gone(&mut self, exchange: ExchangeId) -> bool {
        let before = self.watchers.len();
        self.watchers.retain(|watcher| watcher.caller.exchange != exchange);
        self.watchers.len() < before
    }

    /// The key under which a request for a run is known when it comes again.
    pub(super) fn run_key(cx: &Cx<'_>, caller: &Caller, body: &Envelope) -> Result<Option<Box<str>>, Fault> {
        let carries = caller.idempotency.is_some() || body.has(Field::MetaIdempotencyKey);
        if carries { key_of(caller, body, cx.limits()).map(Some) } else { Ok(None) }
    }

    /// The run that was begun with a request under the same key. Another request under it is refused.
    pub(super) fn run_under(
        &self,
        caller: &Caller,
        key: Option<&str>,
        request: &[u8],
    ) -> Result<Option<RunId>, Fault> {
        let Some(key) = key else { return Ok(None) };
        let own = self.running.iter().find(|(_, running)| {
            running.stored.idempotency.as_deref() == Some(key) && Some(&running.key) == self.key_of(caller)
        });
        let Some((id, running)) = own else { return Ok(None) };
        if canonical(&Goal::request_for(running.stored.plan.as_bytes())) == canonical(request) {
            return Ok(Some(*id));
        }
        Err(Rejection::OtherUnderKey("the plan".to_owned()).into())
    }

    /// Answers a request that has come again with the run that it has begun.
    pub(super) fn join_run(&mut self, cx: &mut Cx<'_>, caller: &Caller, id: RunId, background: bool) {
        let background = background || caller.must_get_task();
        if !background && self.is_open(id) {
            return self.watch(caller, id);
        }
        self.tell_begun(cx, caller, id, background);
    }

    /// Begins what has failed of a run, is unknown or was skipped, once more. The answer, unless the caller waits for it.
    pub(super) fn retry_run(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        id: RunId,
        background: bool,
    ) -> Option<Vec<u8>> {
        let again = self.runs.get(id).and_then(|run| run.again(cx.now, cx.limits()));
        let Some(run) = again else {
            let why = "the run goes on: only one that has ended is begun once more; batch_cancel ends it";
            return Some(hub::cannot(Cannot::Now, why));
        };
        let most = cx.limits().project_runs;
        if self.runs.open() >= most {
            let hint = "try again when runs have ended; batch_cancel ends one";
            let exceeded = Exceeded { limit: Limit::ProjectRuns, value: most as u64, hint };
            self.fail(cx, caller, &exceeded.into());
            return None;
        }
        let done: BTreeSet<Unit> = run.done().collect();
        if let Some(running) = self.running.get_mut(&id) {
            (running.template, running.said) = (nobody(running.key.clone()), 0);
            running.consulting = None;
            self.outliving.forget_calls(
                cx.snapshot.project.id,
                id,
                (&mut running.stored, &done),
                run.bytes(),
            );
        }
        self.runs.reopen(id, run);
        if background {
            return Some(self.told(cx, id));
        }
        self.watch(caller, id);
        None
    }
}

impl Watcher {
    /// What has changed since it was told last: a progress notification, if it wants to know.
    fn news(&mut self, run: &Run, cx: &Cx<'_>) -> Option<Vec<u8>> {
        let token = self.caller.progress.as_ref()?;
        let steps = run.report(cx.now, 0).steps;
        let how = |step: &StepReport| (step.status, step.calls, step.failed);
        let changed = steps.iter().enumerate().filter(|(at, step)| self.seen.get(*at) != Some(&how(step)));
        let changed: Vec<&StepReport> = changed.map(|(_, step)| step).collect();
        if changed.is_empty() {
            return None;
        }
        let params = hub::run_news(token, run.progress(), &changed);
        self.seen = steps.iter().map(how).collect();
        Some(write::request(None, Method::Progress.name(), Some(&params)))
    }
}
