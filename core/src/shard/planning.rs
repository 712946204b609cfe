//! The tools for plans: a plan is checked and begun, and what runs have kept is told.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::legacy::stopping;
use super::outliving::Stored;
use super::run_tasks::may_be_task;
use super::running::Running;
use super::{Cx, Shard, seal};
use crate::hub::{self, Cannot, Part, PlanTool, Reading, RunLine};
use crate::mcp::ListKind;
use crate::plan::{self, Plan, Pointer, Tools};
use crate::planner::{Goal, Name};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field, Members};
use crate::run::{Extract, Extracts, Run, Status};
use crate::snapshot::Snapshot;
use crate::upstream::{Caller, Seats};
use crate::{Bug, Exceeded, ExchangeId, Fault, KeyId, Limit, Limits, Rejection, RunId};

/// Where nobody listens.
pub(super) const NOWHERE: ExchangeId = ExchangeId(u64::MAX);

/// What `read_result` gives when nobody says how much.
const READ_BYTES: usize = 8 * 1024;
/// What it shows around a place that was searched for, and of how many.
const AROUND_BYTES: usize = 200;
const PLACES: usize = 20;
/// A cursor of lists of runs: the age of a run and its name, in hexadecimal digits.
const CURSOR: usize = 28;

#[derive(Deserialize)]
struct Asked {
    run: Option<String>,
    step: Option<String>,
    path: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    offset: Option<usize>,
    #[serde(default, deserialize_with = "whole")]
    length: Option<usize>,
    search: Option<String>,
    #[serde(default)]
    wait: bool,
    #[serde(default)]
    background: bool,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A whole number: `1.0` is one, too.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<usize>, D::Error> {
    let text = format!("{}", serde_json::Number::deserialize(from)?);
    text.strip_suffix(".0").unwrap_or(&text).parse().map(Some).map_err(D::Error::custom)
}

/// Some runs of a list, and the cursor of the next ones.
pub(super) type Page<'a> = (Vec<(RunId, &'a Run)>, Option<String>);

/// A plan that is to run.
pub(super) struct Beginning {
    pub id: RunId,
    pub plan: Plan,
    pub stored: Stored,
    /// Under which name it is kept, if it was made of a goal.
    pub goal: Option<Name>,
}

/// The tools of the unified endpoint, as a caller sees it, and what is known of servers that were never seen.
pub(super) struct Offered<'a>(pub &'a Snapshot, pub &'a Seats);

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
            tools.iter().map(|tool| self.0.unified.called(entry, &tool.name))
        });
        tools.collect()
    }

    fn why_unknown(&self, name: &str) -> Option<String> {
        self.1.unseen(self.0, ListKind::Tools, name).map(|fault| format!("{}", Fault::from(fault)))
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
            let caller = Caller { task: may_be_task(cx, caller, body), ..caller.clone() };
            return self.execute(cx, &caller, body);
        }
        if tool == PlanTool::Retry {
            if self.came_back_to_run(cx, caller, body) {
                return;
            }
            // What was begun once more is not begun again by a state that is not understood.
            if caller.revision.is_modern() && seal::state(body).is_some() {
                return self.fail(cx, caller, &Rejection::BadRequestState.into());
            }
        }
        let arguments = body.given(Field::Arguments).unwrap_or(b"{}");
        let asked = match asked(tool, arguments, cx.limits()) {
            Ok(asked) => asked,
            Err(why) => return self.answer_as_hub(cx, caller, &hub::cannot(Cannot::Arguments, &why)),
        };
        if let Some(result) = self.tell(cx, (caller, body), tool, &asked) {
            let own = self.running.iter().filter(|(_, it)| Some(&it.key) == self.key_of(caller));
            let named = asked.run.as_deref().map(RunId::parse);
            let meant = own.map(|(id, _)| *id).filter(|id| named.is_none_or(|it| it == Some(*id)));
            let meant: Vec<RunId> = meant.collect();
            self.answer_of(cx, caller, &meant, &result);
        }
    }

    fn execute(&mut self, cx: &mut Cx<'_>, caller: &Caller, body: &Envelope) {
        if self.came_back_to_run(cx, caller, body) {
            return;
        }
        let arguments = &*said(body.given(Field::Arguments).unwrap_or(b"{}"));
        if Goal::is_in(arguments) {
            return self.plan_goal(cx, caller, body);
        }
        // A plan whose state is not understood has been begun by an earlier try.
        if caller.revision.is_modern() && seal::state(body).is_some() {
            return self.fail(cx, caller, &Rejection::BadRequestState.into());
        }
        match Plan::read(arguments, &Offered(cx.snapshot, &self.upstreams), cx.limits()) {
            // A tool may be of a server that was never seen: a plan waits for that as a call does.
            Err(_) if self.is_missing(cx, caller, body) => self.wait(cx, caller.clone(), body.clone()),
            Err(faults) => self.answer_without_run(cx, caller, &hub::refused(&faults)),
            Ok(plan) if plan.dry_run => self.answer_without_run(cx, caller, &hub::outlined(&plan.outline())),
            Ok(plan) => {
                let key = Self::run_key(cx, caller, body);
                let known =
                    key.and_then(|key| Ok((self.run_under(cx, caller, key.as_deref(), arguments)?, key)));
                match known {
                    Ok((None, key)) => {
                        let (id, stored) = (RunId::mint(cx.entropy), Stored::new(arguments, key));
                        self.begin_run(cx, (caller, body), Beginning { id, plan, stored, goal: None });
                    }
                    Ok((Some(id), _)) => self.join_run(cx, caller, id, plan.background),
                    Err(fault) => self.fail(cx, caller, &fault),
                }
            }
        }
    }

    pub(super) fn is_open(&self, id: RunId) -> bool {
        self.runs.get(id).is_some_and(|run| run.status() == Status::Running)
    }

    pub(super) fn begin_run(
        &mut self,
        cx: &mut Cx<'_>,
        (caller, body): (&Caller, &Envelope),
        beginning: Beginning,
    ) {
        let Beginning { id, plan, stored, goal } = beginning;
        let Some(key) = self.key_of(caller).cloned() else {
            return self.fail(cx, caller, &Bug::Invariant("a run of nobody").into());
        };
        if let Err(fault) = self.admit_run(cx, &key) {
            return self.fail(cx, caller, &fault);
        }
        let background = plan.background || caller.must_get_task();
        self.runs.insert(id, key.clone(), Run::new(Arc::new(plan), cx.now, cx.limits()));
        self.running.insert(id, Running { goal, ..Running::of_nobody(key, stored) });
        if background {
            self.tell_begun(cx, caller, id, background);
        } else {
            self.give_run_to(id, caller, body);
        }
    }

    /// Whether a key may begin one more run, or one once more.
    pub(super) fn admit_run(&self, cx: &Cx<'_>, key: &KeyId) -> Result<(), Fault> {
        if self.stopping {
            return Err(stopping());
        }
        let limits = cx.limits();
        let (limit, most) = if !self.runs.admit(key, limits) {
            (Limit::ProjectRuns, limits.project_runs)
        } else if !self.runs.admit_bytes(key, limits) {
            (Limit::ProjectRunBytes, limits.project_run_bytes)
        } else {
            return Ok(());
        };
        let hint = "the runs of one key have at most as much as is left for others: try again when some have ended; batch_cancel ends one";
        Err(Exceeded { limit, value: most as u64, hint }.into())
    }

    /// What a tool answers; nothing if its caller waits.
    fn tell(
        &mut self,
        cx: &mut Cx<'_>,
        (caller, body): (&Caller, &Envelope),
        tool: PlanTool,
        asked: &Asked,
    ) -> Option<Vec<u8>> {
        let Some(text) = &asked.run else { return Some(self.runs_of(cx, caller, asked)) };
        let Some(id) = self.own_run(caller, text) else {
            let why = "it is unknown, another's, or ended too long ago (limit run_kept)";
            return Some(hub::cannot(Cannot::Unknown, &format!("there is no run {text:?}: {why}")));
        };
        Some(match tool {
            PlanTool::Cancel => {
                self.stop_run(cx, id);
                self.told(cx, id)
            }
            PlanTool::Status if asked.wait && self.is_open(id) => {
                self.watch(caller, id);
                return None;
            }
            PlanTool::Retry => return self.retry_run(cx, (caller, body), id, asked.background),
            PlanTool::Execute => self.told(cx, id),
            PlanTool::Status => self.told_of(cx, id, !asked.wait),
            PlanTool::Read => match self.read(cx, id, asked) {
                Ok(parts) => hub::read_parts(&parts),
                Err((cannot, why)) => hub::cannot(cannot, &why),
            },
        })
    }

    /// The run of a name, if the caller's key has begun it.
    pub(super) fn own_run(&self, caller: &Caller, name: &str) -> Option<RunId> {
        RunId::parse(name).filter(|id| {
            let key = self.running.get(id).map(|running| &running.key);
            key.is_some() && key == self.key_of(caller)
        })
    }

    fn runs_of(&self, cx: &Cx<'_>, caller: &Caller, asked: &Asked) -> Vec<u8> {
        let page = self.page_of_runs(cx, caller, asked.cursor.as_deref(), asked.limit);
        let (runs, next) = match page {
            Ok(page) => page,
            Err(why) => return hub::cannot(Cannot::Arguments, &format!("{why}")),
        };
        let line = |(id, run): (RunId, &Run)| {
            let (steps_ended, steps) = run.progress();
            let (status, began_at) = (run.status().name(), run.life().began.0);
            RunLine { run: format!("{id}"), status, began_at, steps_ended, steps }
        };
        hub::run_list(runs.into_iter().map(line).collect(), next)
    }

    /// The runs of a caller's key, the newest first, from where its cursor stands; and the next cursor.
    pub(super) fn page_of_runs(
        &self,
        cx: &Cx<'_>,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Page<'_>, Rejection> {
        let is_cursor = |text: &str| {
            text.len() == CURSOR && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !cursor.is_none_or(is_cursor) {
            return Err(Rejection::InvalidCursor);
        }
        let own = self.running.iter().filter(|(_, running)| Some(&running.key) == self.key_of(caller));
        let mut runs: Vec<(u64, RunId, &Run)> = own
            .filter_map(|(id, _)| {
                self.runs.get(*id).map(|run| (u64::MAX.abs_diff(run.life().began.0), *id, run))
            })
            .collect();
        runs.sort_unstable_by_key(|(age, id, _)| (*age, *id));
        let place = |(age, id, _): &(u64, RunId, &Run)| format!("{age:016x}{id}");
        if let Some(cursor) = cursor {
            runs.retain(|run| *place(run) > *cursor);
        }
        let most = cx.limits().page_entries;
        let most = limit.unwrap_or(most).clamp(1, most);
        let next = runs.get(most).and_then(|_| runs.get(most.saturating_sub(1))).map(place);
        Ok((runs.into_iter().take(most).map(|(_, id, run)| (id, run)).collect(), next))
    }

    fn read(&self, cx: &Cx<'_>, id: RunId, asked: &Asked) -> Result<Reading, (Cannot, String)> {
        let unknown = |why: String| (Cannot::Unknown, why);
        let path = asked.path.as_deref().unwrap_or_default();
        let pointer = Pointer::parse(path).ok_or_else(|| {
            (Cannot::Arguments, format!("path is a JSON Pointer, as /items/0; {path:?} is none"))
        })?;
        let run = self.runs.get(id).ok_or_else(|| unknown("the run is gone".into()))?;
        let value = run.value(asked.step.as_deref(), &pointer).map_err(unknown)?;
        let offset = asked.offset.unwrap_or_default();
        let length = asked.length.unwrap_or(READ_BYTES).min(cx.limits().run_output_bytes);
        let extracts = match &asked.search {
            Some(words) if words.is_empty() => {
                return Err((Cannot::Arguments, "search is the text to look for, and it is empty".into()));
            }
            Some(words) => {
                let around = AROUND_BYTES.min(length.saturating_sub(words.len()) / 2);
                let place = around.saturating_mul(2).saturating_add(words.len()).max(1);
                Extracts::of_search(&value, words, offset, (around, (length / place).clamp(1, PLACES)))
            }
            None => Extracts::of_range(&value, offset, length),
        };
        let Extracts { parts, total: total_bytes, next: next_offset } = extracts;
        let part = |Extract { offset, text }| Part { offset, text, total_bytes };
        let note = run.is_cut_at(asked.step.as_deref(), &pointer);
        Ok(Reading { parts: parts.into_iter().map(part).collect(), next_offset, note })
    }
}

/// Arguments without what is `null`: models write that for what they leave out.
fn said(arguments: &[u8]) -> Cow<'_, [u8]> {
    let members = Members::read(arguments);
    match members.filter(|members| members.0.iter().any(|(_, value)| value.get() == "null")) {
        Some(members) => Cow::Owned(members.with(|_, raw| (raw != "null").then_some(Cow::Borrowed(raw)))),
        None => Cow::Borrowed(arguments),
    }
}

/// What a tool is asked, if that fits its schema; else why not.
fn asked(tool: PlanTool, arguments: &[u8], limits: &Limits) -> Result<Asked, String> {
    let arguments = said(arguments);
    match plan::misfit(&tool.schema(limits), &arguments, limits) {
        Some(why) => Err(format!("the arguments do not fit the input schema of {}: {why}", tool.name())),
        None => serde_json::from_slice(&arguments).map_err(|error| {
            format!("the arguments do not fit the input schema of {}: {error}", tool.name())
        }),
    }
}
