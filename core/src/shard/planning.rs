//! The tools for plans: a plan is checked and begun, and what runs have kept is told.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::Deserialize;

use super::running::Running;
use super::{Cx, Exchange, Shard};
use crate::hub::{self, Part, PlanTool, RunLine};
use crate::mcp::{Abilities, ListKind, Revision};
use crate::plan::{Plan, Pointer, Tools};
use crate::planner::Goal;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field};
use crate::run::{Extract, Run};
use crate::snapshot::Snapshot;
use crate::upstream::Caller;
use crate::{Bug, Exceeded, ExchangeId, Limit, RunId};

/// Where nobody listens.
pub(super) const NOWHERE: ExchangeId = ExchangeId(u64::MAX);

/// What `read_result` gives when nobody says how much.
const READ_BYTES: usize = 8 * 1024;
/// What it shows around a place that was searched for, and of how many.
const AROUND_BYTES: usize = 200;
const PLACES: usize = 20;

#[derive(Deserialize)]
struct Asked {
    run: Option<String>,
    step: Option<String>,
    path: Option<String>,
    offset: Option<usize>,
    length: Option<usize>,
    search: Option<String>,
}

/// The tools of the unified endpoint, as a caller sees it.
pub(super) struct Offered<'a>(pub &'a Snapshot);

impl Tools for Offered<'_> {
    fn definition(&self, name: &str) -> Option<Cow<'_, str>> {
        let place = self.0.unified.tool(name)?;
        let offer = self.0.entry(place.server)?.offer.as_ref()?;
        let tool = offer.entries(ListKind::Tools).iter().find(|tool| tool.name == place.name)?;
        Some(Cow::Borrowed(&tool.json))
    }

    fn names(&self) -> Vec<String> {
        let entries = self.0.behind(&Target::Unified);
        let tools = entries.flat_map(|entry| {
            let tools = entry.offer.as_ref().map_or(&[][..], |offer| offer.entries(ListKind::Tools));
            tools.iter().map(|tool| format!("{}.{}", entry.name, tool.name))
        });
        tools.collect()
    }
}

impl Shard {
    /// Calls a tool for plans.
    pub(super) fn call_plan_tool(
        &mut self,
        cx: &mut Cx<'_>,
        caller: &Caller,
        tool: PlanTool,
        body: &Envelope,
    ) {
        if tool == PlanTool::Execute {
            return self.execute(cx, caller, body);
        }
        let arguments = body.raw(Field::Arguments).unwrap_or(b"{}");
        let result = match serde_json::from_slice::<Asked>(arguments) {
            Ok(asked) => self.tell(cx, caller, tool, &asked),
            Err(_) => hub::cannot("the arguments do not fit the input schema of the tool"),
        };
        self.answer_as_hub(cx, caller, &result);
    }

    fn execute(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) {
        let arguments = body.raw(Field::Arguments).unwrap_or(b"{}");
        if Goal::is_in(arguments) {
            return self.plan_goal(cx, caller, body);
        }
        match Plan::read(arguments, &Offered(cx.snapshot), cx.limits()) {
            // A tool may be of a server that was never seen: a plan waits for that as a call does.
            Err(_) if self.is_missing(cx, &caller.target) => self.wait(cx, caller.clone(), body.clone()),
            Err(faults) => self.answer_as_hub(cx, caller, &hub::refused(&faults)),
            Ok(plan) if plan.dry_run => self.answer_as_hub(cx, caller, &hub::outlined(&plan.outline())),
            Ok(plan) => self.begin_run(cx, caller, plan),
        }
    }

    pub(super) fn begin_run(&mut self, cx: &mut Cx<'_>, caller: &Caller, plan: Plan) {
        let most = cx.limits().project_runs;
        if self.runs.open() >= most {
            let hint = "try again when runs have ended; batch_cancel ends one";
            let exceeded = Exceeded { limit: Limit::ProjectRuns, value: most as u64, hint };
            return self.fail(cx, caller, &exceeded.into());
        }
        let Some(key) = self.key_of(caller).cloned() else {
            return self.fail(cx, caller, &Bug::Invariant("a run of nobody").into());
        };
        let (id, background) = (RunId::mint(cx.entropy), plan.background);
        let mut template = Caller {
            ends: false,
            id: "\"step\"".into(),
            revision: Revision::LAST_WITH_HANDSHAKE,
            progress: None,
            // A key is of the whole.
            idempotency: None,
            // In the era without sessions a question is an answer, which a run cannot give before its end.
            abilities: caller.session.map_or_else(Abilities::default, |_| caller.abilities),
            key: caller.session.is_none().then(|| key.clone()),
            ..caller.clone()
        };
        if background {
            template.key = Some(key.clone());
            (template.session, template.exchange) = (None, NOWHERE);
            (template.abilities, template.log_level) = (Abilities::default(), None);
        } else if caller.ends {
            self.exchanges.insert(caller.exchange, Exchange::Run(id));
        }
        let waiting = (!background).then(|| caller.clone());
        self.running.insert(id, Running { caller: waiting, template, key, said: 0 });
        self.runs.insert(id, Run::new(Arc::new(plan), cx.now, cx.limits()));
        if background {
            let told = self.told(cx, id);
            self.answer_as_hub(cx, caller, &told);
        }
    }

    fn tell(&mut self, cx: &mut Cx<'_>, caller: &Caller, tool: PlanTool, asked: &Asked) -> Vec<u8> {
        let Some(text) = &asked.run else { return hub::run_list(self.runs_of(caller)) };
        let own = |id: &RunId| {
            let key = self.running.get(id).map(|running| &running.key);
            key.is_some() && key == self.key_of(caller)
        };
        let Some(id) = RunId::parse(text).filter(own) else {
            return hub::cannot(&format!(
                "there is no run {text:?}: it is unknown, another's, or ended too long ago (limit run_kept)"
            ));
        };
        match tool {
            PlanTool::Cancel => {
                self.stop_run(cx, id);
                self.told(cx, id)
            }
            PlanTool::Execute | PlanTool::Status => self.told(cx, id),
            PlanTool::Read => match self.read(cx, id, asked) {
                Ok(parts) => hub::read_parts(parts),
                Err(why) => hub::cannot(&why),
            },
        }
    }

    /// The runs of a caller's key.
    fn runs_of(&self, caller: &Caller) -> Vec<RunLine> {
        let own = self.running.iter().filter(|(_, running)| Some(&running.key) == self.key_of(caller));
        let line = |(id, _): (&RunId, &Running)| {
            let run = self.runs.get(*id)?;
            let (steps_ended, steps) = run.progress();
            Some(RunLine { run: format!("{id}"), status: run.status().name(), steps_ended, steps })
        };
        own.filter_map(line).collect()
    }

    fn read(&self, cx: &Cx<'_>, id: RunId, asked: &Asked) -> Result<Vec<Part>, String> {
        let path = asked.path.as_deref().unwrap_or_default();
        let pointer = Pointer::parse(path).ok_or_else(|| format!("{path:?} is no JSON Pointer"))?;
        let run = self.runs.get(id).ok_or("the run is gone")?;
        let value = run.value(asked.step.as_deref(), &pointer)?;
        let parts = match &asked.search {
            Some(words) if words.is_empty() => return Err("search is empty".into()),
            Some(words) => Extract::of_search(&value, words, AROUND_BYTES, PLACES),
            None => {
                let length = asked.length.unwrap_or(READ_BYTES).min(cx.limits().run_output_bytes);
                Vec::from([Extract::of_range(&value, asked.offset.unwrap_or_default(), length)])
            }
        };
        let part = |it: Extract| Part { offset: it.offset, text: it.text, total_bytes: it.total };
        Ok(parts.into_iter().map(part).collect())
    }
}
