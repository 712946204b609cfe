//! Those who watch runs that they do not own: who asks for a run's end, or for its request once more.
//!
//! A watcher that gave a progress token hears of each step that changes; whoever leaves changes nothing.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem::take;

use super::keyed::key_of;
use super::outliving::nobody;
use super::{Cx, Exchange, Shard};
use crate::hub::{self, Cannot};
use crate::mcp::Method;
use crate::planner::Goal;
use crate::rpc::{Envelope, Field, canonical, write};
use crate::run::{Run, Status, StepReport};
use crate::upstream::Caller;
use crate::{ExchangeId, Fault, Rejection, RunId};

/// Somebody who waits for the end of a run.
#[derive(Debug)]
pub(super) struct Watcher {
    pub caller: Caller,
    pub run: RunId,
    /// Whether it is a task to whoever waits.
    pub task: bool,
    /// How the steps stood when it was told last.
    seen: Vec<(&'static str, usize, usize)>,
    /// How many of them had ended then, and how often it was told so.
    told: (usize, u64),
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
        self.watchers.push(Watcher { caller: caller.clone(), run, task, seen: Vec::new(), told: (0, 0) });
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
                        self.emit_of(cx, watcher.run, &watcher.caller, message.into());
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
            self.unsettled.unsay(caller.exchange, &caller.id);
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
        &mut self,
        cx: &Cx<'_>,
        caller: &Caller,
        key: Option<&str>,
        request: &[u8],
    ) -> Result<Option<RunId>, Fault> {
        let Some(key) = key else { return Ok(None) };
        // One that is over is not found any more a moment later.
        self.forget_runs(cx);
        let own = self.running.iter().find(|(_, running)| {
            running.stored.idempotency.as_deref() == Some(key) && Some(&running.key) == self.key_of(caller)
        });
        let Some((id, running)) = own else { return Ok(None) };
        if canonical(&Goal::request_for(running.stored.plan.as_bytes()))
            == canonical(&Goal::request_for(request))
        {
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
        (caller, body): (&Caller, &Envelope),
        id: RunId,
        background: bool,
    ) -> Option<Vec<u8>> {
        let before = self.runs.get(id)?;
        if before.is_done_whole() {
            return Some(self.told(cx, id));
        }
        let Some(run) = before.again(cx.now, cx.limits()) else {
            let why = "the run goes on: only one that has ended is begun once more; batch_cancel ends it";
            return Some(hub::cannot(Cannot::Now, why));
        };
        let key = self.running.get(&id)?.key.clone();
        if let Err(fault) = self.admit_run(cx, &key) {
            self.fail(cx, caller, &fault);
            return None;
        }
        if let Some(running) = self.running.get_mut(&id) {
            (running.template, running.said, running.consulting) = (nobody(key.clone()), 0, None);
            self.outliving.forget_undone(cx.snapshot.project.id, (id, &run), &mut running.stored);
        }
        self.runs.reopen(id, key, run);
        if background {
            return Some(self.told(cx, id));
        }
        self.give_run_to(id, caller, body);
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
        let (ended, all) = run.progress();
        self.told = (ended, if ended > self.told.0 { 1 } else { self.told.1.saturating_add(1) });
        let params = hub::run_news(token, (&growing(self.told), all), &changed);
        self.seen = steps.iter().map(how).collect();
        Some(write::request(None, Method::Progress.name(), Some(&params)))
    }
}

/// A number that is greater with each time that as many steps have ended, and less than with one step more: progress has to
/// increase with every notification (2025-11-25, progress).
fn growing((ended, times): (usize, u64)) -> String {
    const WHOLE: u64 = 1_000_000_000;
    match times.saturating_sub(1) {
        0 => format!("{ended}"),
        again => format!("{ended}.{:09}", again.saturating_mul(WHOLE) / again.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::growing;

    #[test]
    fn progress_is_told_in_numbers_that_grow() {
        let told = (0..3).flat_map(|ended| (1..5_000).map(move |times| (ended, times)));
        let numbers: alloc::vec::Vec<f64> = told.map(|told| growing(told).parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|before, after| before < after));
        assert_eq!((growing((0, 1)), growing((2, 2))), ("0".into(), "2.500000000".into()));
    }
}
