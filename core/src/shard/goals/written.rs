//! What models write: a plan, which is checked as any plan is, or why there is none. One that has faults goes back to be mended, once.

use alloc::format;
use alloc::vec::Vec;

use super::{Draft, Planning, Stage, Wish, arguments};
use crate::hub;
use crate::plan::{Plan, PlanFault};
use crate::planner::{Answer, Goal};
use crate::ports::planner::{PlannerFault, Written};
use crate::shard::planning::Offered;
use crate::shard::{Cx, Shard, Token};

impl Shard {
    /// A provider has answered, or come to nothing.
    pub(in crate::shard) fn on_planner_answered(
        &mut self,
        cx: &mut Cx<'_>,
        token: Token,
        outcome: Result<Written, PlannerFault>,
    ) {
        let Some(Planning { mut wish, stage, .. }) = self.goals.open.remove(&token) else { return };
        wish.spent.questions = wish.spent.questions.saturating_add(1);
        match outcome {
            Ok(written) => {
                let (input, output) = (&mut wish.spent.input_tokens, &mut wish.spent.output_tokens);
                *input = input.saturating_add(written.usage.input);
                *output = output.saturating_add(written.usage.output);
                self.on_text(cx, wish, &stage, &written);
            }
            Err(fault) => self.end_goal(cx, &wish, &wish.unplanned(&format!("{fault}"))),
        }
    }

    /// A plan that a model has written before; checked like any other.
    pub(super) fn checked(
        &self,
        cx: &Cx<'_>,
        goal: &Goal<'_>,
        written: &str,
    ) -> Result<Plan, Vec<PlanFault>> {
        Answer::check(goal, written, &Offered(cx.snapshot, &self.upstreams), cx.limits())
    }

    /// A model has written something: in the project as its caller sees it.
    pub(super) fn on_text(&mut self, cx: &mut Cx<'_>, wish: Wish, stage: &Stage, written: &Written) {
        let name = wish.name;
        match self.seen_by(cx, &wish.caller) {
            Some(seen) => self.on_text_in(&mut cx.within(&seen), wish, stage, written),
            None => self.on_text_in(cx, wish, stage, written),
        }
        self.go_on_with_plan(cx, name);
    }

    fn on_text_in(&mut self, cx: &mut Cx<'_>, mut wish: Wish, stage: &Stage, written: &Written) {
        let limits = cx.limits();
        let body = wish.body.clone();
        let Ok(goal) = Goal::read(arguments(&body), limits) else { return };
        match (Answer::read(&goal, written, &Offered(cx.snapshot, &self.upstreams), limits), stage) {
            (Answer::Plan(plan, text), _) => {
                if let Some(name) = self.name(cx, &wish.caller, &goal) {
                    self.goals.kept.insert(name, text.clone(), limits);
                }
                self.on_plan(cx, wish, &goal, plan, &text);
            }
            (Answer::Impossible(why), _) => {
                let words = format!("the planner says that the tools cannot do it: {why}");
                self.end_goal(cx, &wish, &wish.unplanned(&words));
            }
            (Answer::Faults(faults, found), Stage::First) => {
                let stage = Stage::Mended(found.clone().unwrap_or_default());
                let prompt = Self::prompt(cx, &goal, None).repair(&written.text, &faults, limits);
                wish.draft = Some(Draft { plan: found, faults });
                if let Err(refused) = self.ask_planner(cx, wish, prompt, stage) {
                    let (wish, exceeded) = *refused;
                    self.end_goal(cx, &wish, &wish.unplanned(&format!("{exceeded}")));
                }
            }
            (Answer::Faults(faults, None), _) if wish.draft.is_some() => {
                let why = faults.first().map_or("", |fault| &*fault.problem);
                self.end_goal(cx, &wish, &wish.unplanned(why));
            }
            (Answer::Faults(faults, found), Stage::Agreed(_) | Stage::Mended(_)) => {
                let told = hub::unplanned(found.as_deref(), &faults, &wish.spent, None);
                self.end_goal(cx, &wish, &told);
            }
        }
    }
}
