//! Goals in words: a language model is asked for a plan, which is checked as any plan is. One that has faults goes back to be
//! mended, once. What is good runs, is shown (`dry_run`), or waits for somebody to agree to it (`confirm`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::reverse::Origin;
use super::{Cx, Effect, Exchange, Shard, Token};
use crate::hub::{self, Cannot};
use crate::mcp::Asking;
use crate::mcp::ListKind;
use crate::plan::PlanFault;
use crate::planner::{Catalogue, Goal, Kept, Name, PlannerSpec, Prompt, Provider, Spent, Tool, name};
use crate::ports::gateway::Target;
use crate::ports::planner::Question;
use crate::rpc::{Envelope, Field};
use crate::snapshot::Snapshot;
use crate::upstream::Caller;
use crate::{Bug, Exceeded, Limit, RunId, Timestamp};

mod asking;
mod begin;
mod leaving;
mod same;
mod written;

/// The goals of a project that are being planned, and the plans that were made.
#[derive(Debug, Default)]
pub(super) struct Goals {
    open: BTreeMap<Token, Planning>,
    kept: Kept,
    /// A day since 1970, and the questions of that day.
    asked: (u64, u32),
}

/// A goal whose model, or whose caller, was asked.
#[derive(Debug)]
struct Planning {
    wish: Wish,
    stage: Stage,
    until: Timestamp,
    by: By,
}

/// A call that wants a goal to be planned.
#[derive(Clone, Debug)]
struct Wish {
    caller: Caller,
    body: Envelope,
    spent: Spent,
    /// What its run will be called.
    run: RunId,
    /// What its plan will be kept under, where a provider makes it: others who want the same wait for it.
    name: Option<Name>,
    /// What was made of it, and is being mended.
    draft: Option<Draft>,
}

/// A plan that a model has written, if it can be read, and what is wrong with it.
#[derive(Clone, Debug)]
struct Draft {
    plan: Option<String>,
    faults: Vec<PlanFault>,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A plan.
    First,
    /// A plan that is mended, in the place of this one: nothing where none could be read.
    Mended(String),
    /// Somebody's yes to this plan.
    Agreed(String),
}

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Client,
    /// Nobody: the provider was asked for the same already.
    Nobody,
    Provider,
}

const MS_A_DAY: u64 = 24 * 60 * 60 * 1000;

/// Why there is no plan where nobody can be asked.
const NOBODY: &str = "no planner is configured, and this client offers no sampling: add \"planner\" to the configuration file \
                      (docs/planners.md), or send `steps` instead of `goal`";

impl Goals {
    /// When something has waited for too long.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|planning| planning.until).min()
    }

    /// Who waits for plans.
    pub(super) fn callers(&self) -> impl Iterator<Item = (Token, &Caller)> + Clone {
        self.open.iter().map(|(token, planning)| (*token, &planning.wish.caller))
    }

    /// A plan has turned out not to be good.
    pub(super) fn forget(&mut self, name: &Name) {
        self.kept.remove(name);
    }

    /// Whether an answer is waited for.
    pub(super) fn has(&self, token: Token) -> bool {
        self.open.contains_key(&token)
    }

    /// Counts one more question of this day, if there may be one.
    fn count_question(&mut self, now: Timestamp, most: u32) -> Result<(), Exceeded> {
        let day = now.0 / MS_A_DAY;
        let asked = if self.asked.0 == day { self.asked.1 } else { 0 };
        if asked >= most {
            let hint = "the project's planner was asked often enough for today (UTC); `questionsPerDay` of \"planner\" says how often";
            return Err(Exceeded { limit: Limit::PlannerQuestions, value: most.into(), hint });
        }
        self.asked = (day, asked.saturating_add(1));
        Ok(())
    }
}

impl Shard {
    /// `batch_execute` with a goal.
    pub(super) fn plan_goal(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) {
        let goal = match Goal::read(arguments(body), cx.limits()) {
            Ok(goal) => goal,
            Err(faults) => return self.answer_without_run(cx, caller, &hub::refused(&faults)),
        };
        match self.run_for(cx, caller, body, &goal) {
            Ok((Some(id), _)) => return self.join_run(cx, caller, id, goal.wants("background")),
            Ok((None, _)) => {}
            Err(fault) => return self.fail(cx, caller, &fault),
        }
        // A plan can use only tools that were seen.
        if self.is_missing(cx, caller, body) {
            return self.wait(cx, caller.clone(), body.clone());
        }
        let back = match asking::came_back(cx, caller, body) {
            Ok(back) => back,
            Err(rejection) => return self.fail(cx, caller, &rejection.into()),
        };
        let run = back.as_ref().map_or_else(|| RunId::mint(cx.entropy), |back| back.run);
        let name = self.name(cx, caller, &goal);
        let spent = back.as_ref().map_or_else(Spent::default, |back| back.spent);
        let (caller, body) = (caller.clone(), body.clone());
        let mut wish = Wish { caller, body, spent, run, name: None, draft: None };
        if let Some(asking::Back { stage, input, .. }) = back {
            return match self.runs.get(run) {
                None => self.on_input(cx, wish, stage, input),
                Some(_) if goal.wants("background") => self.join_run(cx, &wish.caller, run, true),
                Some(_) => self.take_up_run(cx, run, &wish.caller),
            };
        }
        let kept = name.and_then(|name| self.goals.kept.get(&name).map(String::from));
        if let Some(written) = kept
            && let Ok(plan) = self.checked(cx, &goal, &written)
        {
            return self.on_plan(cx, wish, &goal, plan, &written);
        }
        wish.name = name.filter(|_| provider(cx).is_some());
        if wish.name.is_some_and(|name| self.goals.is_asked_for(&name)) {
            return self.wait_for_plan(cx, wish);
        }
        let prompt = Self::prompt(cx, &goal, None);
        self.ask_for_plan(cx, wish, prompt, Stage::First);
    }

    /// What a model is told that shall make a plan, or mend one.
    fn prompt(cx: &Cx<'_>, goal: &Goal<'_>, draft: Option<&Draft>) -> Prompt {
        let limits = cx.limits();
        let prompt = with_catalogue(cx.snapshot, |catalogue| Prompt::new(&goal.text, catalogue, limits));
        match draft {
            Some(Draft { plan, faults }) => {
                prompt.repair(plan.as_deref().unwrap_or_default(), faults, limits)
            }
            None => prompt,
        }
    }

    /// Under which name the plan of a goal is kept.
    fn name(&self, cx: &Cx<'_>, caller: &Caller, goal: &Goal<'_>) -> Option<Name> {
        let provider = provider(cx);
        let by = match &provider {
            Some(spec) => Ok(&**spec),
            None => Err(self.key_of(caller)?),
        };
        Some(with_catalogue(cx.snapshot, |catalogue| name(&goal.text, catalogue, by)))
    }

    /// Asks whoever makes plans in this project.
    fn ask_for_plan(&mut self, cx: &mut Cx<'_>, wish: Wish, prompt: Prompt, stage: Stage) {
        if let Err(refused) = self.ask_planner(cx, wish, prompt, stage) {
            let (wish, exceeded) = *refused;
            self.refuse_goal(cx, &wish, &exceeded.into());
        }
    }

    /// The same; the error is why the provider may not be asked.
    fn ask_planner(
        &mut self,
        cx: &mut Cx<'_>,
        wish: Wish,
        prompt: Prompt,
        stage: Stage,
    ) -> Result<(), Box<(Wish, Exceeded)>> {
        let Some(spec) = provider(cx) else {
            if wish.caller.abilities.can(Asking::Sampling) {
                self.ask_client_for_plan(cx, wish, &prompt, stage);
            } else {
                self.answer_without_run(cx, &wish.caller, &hub::cannot(Cannot::Ask, NOBODY));
            }
            return Ok(());
        };
        let limits = cx.limits();
        let (max_tokens, timeout) = (spec.max_tokens(limits), spec.timeout(limits));
        let [first, other] = match Goal::read(arguments(&wish.body), limits) {
            Ok(goal) => spec.models(&goal.text, limits).map(String::from),
            Err(_) => [spec.model.clone(), spec.model.clone()],
        };
        let model = if stage == Stage::First { first } else { other };
        if let Err(exceeded) = self.admit_question(cx, &wish, &spec) {
            return Err(Box::new((wish, exceeded)));
        }
        let token = self.mint_token();
        self.open_goal(token, wish, Planning::of(stage, By::Provider, cx.now.after(timeout)));
        let question = Question { spec, model, prompt, max_tokens, timeout, at: cx.now };
        cx.effect(Effect::AskPlanner { token, question: question.into() });
        Ok(())
    }

    fn admit_question(&mut self, cx: &Cx<'_>, wish: &Wish, spec: &PlannerSpec) -> Result<(), Exceeded> {
        self.admit_goal(cx, wish)?;
        self.goals.count_question(cx.now, spec.questions_a_day(cx.limits()))
    }

    fn admit_goal(&self, cx: &Cx<'_>, wish: &Wish) -> Result<(), Exceeded> {
        let most = cx.limits().planner.goals;
        // What clients were asked takes nothing of the provider, and may take them long; each session has few questions.
        let open = self.goals.open.values().filter(|planning| planning.by != By::Client);
        let is_own = |it: &&Planning| self.key_of(&it.wish.caller) == self.key_of(&wish.caller);
        if open.clone().filter(is_own).count() >= most.saturating_sub(open.count()) {
            let hint = "a key has at most as many as are free besides; try again in a moment";
            return Err(Exceeded { limit: Limit::Goals, value: most as u64, hint });
        }
        Ok(())
    }

    fn open_goal(&mut self, token: Token, wish: Wish, planning: impl FnOnce(Wish) -> Planning) {
        if wish.caller.ends {
            self.exchanges.insert(wish.caller.exchange, Exchange::Goal(token));
        }
        self.goals.open.insert(token, planning(wish));
    }

    /// Whether each question of a goal is of one, and each goal's exchange leads to it.
    pub(super) fn audit_goals(&self) -> Result<(), Bug> {
        let led = |(token, caller): (Token, &Caller)| {
            !caller.ends || self.exchanges.get(&caller.exchange) == Some(&Exchange::Goal(token))
        };
        super::audit::hold(self.goals.callers().all(led), "a goal's exchange does not lead to it")?;
        super::audit::hold(self.goals.all_are_asked_for(), "a goal waits for a plan that nobody makes")?;
        let known = |origin: &Origin| match origin {
            Origin::Goal(token) => self.goals.has(*token),
            Origin::Request { .. } | Origin::Round(_) => true,
        };
        super::audit::hold(
            self.asked.values().all(|asked| known(&asked.origin)),
            "a question outlives its goal",
        )
    }
}

impl Wish {
    /// That there is no plan, and why: with what was made until then.
    fn unplanned(&self, why: &str) -> Vec<u8> {
        match &self.draft {
            Some(Draft { plan, faults }) => {
                let note = format!("it was not mended: {why}");
                hub::unplanned(plan.as_deref(), faults, &self.spent, Some(&note))
            }
            None => hub::cannot(Cannot::Plan, why),
        }
    }
}

impl Planning {
    fn of(stage: Stage, by: By, until: Timestamp) -> impl FnOnce(Wish) -> Self {
        move |wish| Self { wish, stage, until, by }
    }
}

/// The provider that the project's owner has configured.
fn provider(cx: &Cx<'_>) -> Option<Arc<PlannerSpec>> {
    cx.snapshot.planner.clone().filter(|spec| spec.provider != Provider::Client)
}

fn arguments(body: &Envelope) -> &[u8] {
    body.given(Field::Arguments).unwrap_or(b"{}")
}

/// Lends the catalogue of the tools behind all servers.
fn with_catalogue<T>(snapshot: &Snapshot, with: impl FnOnce(&Catalogue<'_>) -> T) -> T {
    let tools = snapshot.behind(&Target::Unified).flat_map(|entry| {
        let tools = entry.offer.as_ref().map_or(&[][..], |offer| offer.entries(ListKind::Tools));
        tools.iter().map(|tool| (snapshot.unified.called(entry, &tool.name), &*tool.json))
    });
    let tools: Vec<(String, &str)> = tools.collect();
    let tools = tools.iter().map(|(name, definition)| Tool { name, definition });
    with(&Catalogue::new(tools.collect()))
}
