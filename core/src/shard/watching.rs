//! Those who watch runs that they do not own: who asks for a run's end, or for its request once more.
//!
//! A watcher that gave a progress token hears of each step that changes; whoever leaves changes nothing.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::cancel::EndsWait;
use super::keyed::key_of;
use super::outliving::nobody;
use super::watchers::{Portion, Watcher};
use super::{Cx, Exchange, Shard};
use crate::hub::{self, Cannot};
use crate::planner::Goal;
use crate::rpc::{Envelope, Field, canonical};
use crate::run::{Run, Status};
use crate::upstream::Caller;
use crate::{Fault, Rejection, RunId};

impl Shard {
    /// Lets somebody wait for the end of a run.
    pub(super) fn watch(&mut self, caller: &Caller, run: RunId) {
        self.watch_as(caller, run, false);
    }

    pub(super) fn watch_as(&mut self, caller: &Caller, run: RunId, task: bool) {
        if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Run(run));
        }
        let token = self.mint_token();
        self.watchers.add(run, token, caller.clone(), task);
    }

    /// Tells watchers what has changed, and those whose runs have ended, or are put aside, how they stand. A hub that stops has no
    /// time for a second portion: it tells the others in short.
    pub(super) fn tell_watchers(&mut self, cx: &mut Cx<'_>) {
        let mut last = Portion::of(cx.limits());
        for id in self.watchers.runs() {
            if self.stopping {
                self.tell_watchers_of(cx, id, &mut last);
                self.tell_in_short(cx, id);
                continue;
            }
            let mut portion = self.watchers.portion(id, cx.now, cx.limits());
            let rests = portion.is_spent();
            // What changes meanwhile is noted all the same.
            if !rests || self.runs.has_changed(id) {
                self.tell_watchers_of(cx, id, &mut portion);
            }
            if portion.is_spent() && !rests {
                self.watchers.rest(id, cx.now);
            }
        }
    }

    fn tell_watchers_of(&mut self, cx: &mut Cx<'_>, id: RunId, portion: &mut Portion) {
        if let Some(end) = self.watchers.end(id).map(<[u8]>::to_vec) {
            return self.tell_end(cx, id, &end, portion);
        }
        let run = self.runs.get(id).filter(|run| run.status() == Status::Running);
        let Some(run) = run.filter(|_| !self.stopping) else {
            let end = self.told(cx, id);
            return self.tell_end(cx, id, &end, portion);
        };
        if !self.watchers.are_curious(id, self.runs.has_changed(id)) {
            return;
        }
        let (steps, progress) = (run.report(cx.now, 0).steps, run.progress());
        for (caller, news) in self.watchers.news(id, (&steps, progress), portion) {
            self.emit_of(cx, id, &caller, news.into());
        }
    }

    /// What is left of those who wait for a run.
    fn tell_in_short(&mut self, cx: &mut Cx<'_>, id: RunId) {
        let kept = || self.watchers.end(id).unwrap_or_default().to_vec();
        let status = self.runs.get(id).map(Run::status);
        let end = status.map_or_else(kept, |status| hub::run_in_short(id, status));
        self.tell_end(cx, id, &end, &mut Portion::whole());
    }

    fn tell_end(&mut self, cx: &mut Cx<'_>, run: RunId, end: &[u8], portion: &mut Portion) {
        for Watcher { caller, task, .. } in self.watchers.take(run, end, portion) {
            if task {
                self.tell_task_result(cx, &caller, run, end);
            } else {
                self.answer_of(cx, &caller, &[run], end);
            }
        }
    }

    /// Watchers that want no answer any more. Their runs go on.
    pub(super) fn drop_watchers(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Caller) -> bool, end: EndsWait) {
        for Watcher { caller, .. } in self.watchers.take_where(which) {
            end(self, cx, &caller);
        }
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
            (running.template, running.consulting) = (nobody(key.clone()), None);
            running.said.retain(|step| run.has_ended(*step));
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
