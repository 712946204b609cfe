//! A good plan of a goal: it is shown, waits for somebody's yes, or runs; under an idempotency key once.

use alloc::boxed::Box;

use super::{Wish, arguments};
use crate::hub;
use crate::mcp::Asking;
use crate::plan::Plan;
use crate::planner::Goal;
use crate::rpc::Envelope;
use crate::shard::outliving::Stored;
use crate::shard::planning::Beginning;
use crate::shard::{Cx, Shard};
use crate::upstream::Caller;
use crate::{Fault, RunId};

/// What is said with a plan that nobody could agree to.
const UNASKED: &str = "this project wants every planned goal to be confirmed, and this client cannot be asked (it offers no \
                       elicitation): show the plan to whoever decides, and send it with `steps` to run it";

impl Shard {
    /// A plan is good.
    pub(super) fn on_plan(
        &mut self,
        cx: &mut Cx<'_>,
        wish: Wish,
        goal: &Goal<'_>,
        plan: Plan,
        written: &str,
    ) {
        let confirm = cx.snapshot.planner.as_ref().is_some_and(|spec| spec.confirm);
        let asks = confirm && !plan.dry_run;
        if asks && wish.caller.abilities.can(Asking::Form) {
            return self.ask_to_agree(cx, wish, &plan, written);
        }
        if asks || plan.dry_run {
            return self.show_plan(cx, &wish, (&plan, written), asks.then_some(UNASKED));
        }
        self.begin_goal(cx, &wish, goal, plan, written);
    }

    /// A plan does not run, and its caller sees it.
    pub(super) fn show_plan(
        &mut self,
        cx: &mut Cx<'_>,
        wish: &Wish,
        (plan, written): (&Plan, &str),
        note: Option<&str>,
    ) {
        let shown = Goal::read(arguments(&wish.body), cx.limits()).map(|goal| goal.shown(written));
        let shown = shown.as_deref().unwrap_or(written);
        let told = hub::planned(shown, &plan.outline(), &wish.spent, note);
        self.answer_without_run(cx, &wish.caller, &told);
    }

    /// Begins the run of a goal, unless the same request has come twice under its key and the other was planned sooner.
    pub(super) fn begin_goal(
        &mut self,
        cx: &mut Cx<'_>,
        wish: &Wish,
        goal: &Goal<'_>,
        plan: Plan,
        written: &str,
    ) {
        let Wish { caller, body, .. } = wish;
        match self.run_for(cx, caller, body, goal) {
            Ok((Some(id), _)) => self.join_run(cx, caller, id, plan.background),
            Ok((None, key)) => {
                let stored = Stored::new(&goal.plan_for(written), key);
                let goal = self.name(cx, caller, goal);
                self.begin_run(cx, (caller, body), Beginning { id: wish.run, plan, stored, goal });
            }
            Err(fault) => self.fail(cx, caller, &fault),
        }
    }

    /// The run that was begun for a goal under its idempotency key, and the key.
    pub(super) fn run_for(
        &mut self,
        cx: &Cx<'_>,
        caller: &Caller,
        body: &Envelope,
        goal: &Goal<'_>,
    ) -> Result<(Option<RunId>, Option<Box<str>>), Fault> {
        if goal.wants("dry_run") {
            return Ok((None, None));
        }
        let key = Self::run_key(cx, caller, body)?;
        Ok((self.run_under(cx, caller, key.as_deref(), arguments(body))?, key))
    }
}
