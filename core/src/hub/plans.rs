//! The tools for plans: `batch_execute` and what belongs to it. They are of the unified endpoint, whatever server a step is
//! for; a project's mode says whether they are listed there.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;
use serde_json::value::RawValue;

use super::content;
use crate::plan::{Outline, PlanFault, input_schema};
use crate::record::Definition;
use crate::run::{Gap, Report, Status, StepReport};
use crate::{Limits, RunId};

/// A tool for plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlanTool {
    Cancel,
    Execute,
    Read,
    Retry,
    Status,
}

const RUN: &str = r#""run":{"type":"string","description":"The run, as batch_execute names it."}"#;
const READ_PROPERTIES: &str = r#","step":{"type":"string","description":"The id of a step; the output of the run when absent."},"path":{"type":"string","description":"JSON Pointer into it."},"offset":{"type":"integer","minimum":0,"description":"Where to begin, in bytes."},"length":{"type":"integer","minimum":1,"description":"Bytes of the answer, at most (default 8192)."},"search":{"type":"string","description":"Only the places that hold this text."}"#;
const STATUS_PROPERTIES: &str = r#","wait":{"type":"boolean","description":"Answer when it has ended."},"limit":{"type":"integer","minimum":1,"description":"Runs in one answer."},"cursor":{"type":"string","description":"next_cursor of the answer before."}"#;

impl PlanTool {
    const ALL: [Self; 5] = [Self::Execute, Self::Status, Self::Cancel, Self::Retry, Self::Read];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "batch_cancel",
            Self::Execute => "batch_execute",
            Self::Read => "read_result",
            Self::Retry => "batch_retry",
            Self::Status => "batch_status",
        }
    }

    /// The tool of a name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// Its `inputSchema`, with the bounds that this hub has.
    pub(crate) fn schema(self, limits: &Limits) -> String {
        let properties = match self {
            Self::Execute => return input_schema(limits),
            Self::Cancel => "",
            Self::Read => READ_PROPERTIES,
            Self::Retry => r#","background":{"type":"boolean","description":"Do not wait for its end."}"#,
            Self::Status => STATUS_PROPERTIES,
        };
        let required = if self == Self::Status { "" } else { r#""required":["run"],"# };
        format!(
            r#"{{"type":"object","properties":{{{RUN}{properties}}},{required}"additionalProperties":false}}"#
        )
    }

    fn definition(self, limits: &Limits) -> Definition {
        let (title, description, read_only) = match self {
            Self::Cancel => (
                "Cancel a run",
                "Begins nothing more of a run of batch_execute and gives up what is under way.",
                false,
            ),
            Self::Execute => (
                "Run many tool calls at once",
                "Runs a whole graph of tool calls, of any servers, in one turn: results flow from step to step inside the hub, independent steps run side by side, and only `output` comes back. Use it when a task takes three calls or more, or passes long results from one call to the next. The plan is checked before anything runs; all faults come back at once.",
                false,
            ),
            Self::Read => (
                "Read a kept result",
                "Reads a part of what a run of batch_execute has kept: of its output, or of a step's result. Without `search` it is a range of the text. `next_offset` says where there is more.",
                true,
            ),
            Self::Retry => (
                "Begin a run once more",
                "Begins once more what has failed of a run of batch_execute that has ended, is unknown or was skipped. What was done stays done. Use it only when its effects may happen: a step that is unknown may have had them already.",
                false,
            ),
            Self::Status => (
                "Status of a run",
                "How the steps of a run of batch_execute stand, and its output when it has ended; all runs of this key without `run`.",
                true,
            ),
        };
        let hints = if read_only { r#"{"readOnlyHint":true,"openWorldHint":false}"# } else { "{}" };
        let (name, schema) = (self.name(), self.schema(limits));
        let tasks = if self == Self::Execute { r#","execution":{"taskSupport":"optional"}"# } else { "" };
        let json = format!(
            r#"{{"name":"{name}","title":"{title}","description":"{description}","inputSchema":{schema},"annotations":{hints}{tasks}}}"#
        );
        Definition { name: name.to_owned(), json }
    }
}

/// The tools, in the order in which they are listed.
pub(crate) fn definitions(limits: &Limits) -> [Definition; 5] {
    PlanTool::ALL.map(|tool| tool.definition(limits))
}

#[derive(Serialize)]
struct Faults<'a> {
    /// What was wrong.
    faults: Vec<Fault<'a>>,
}

#[derive(Serialize)]
pub(super) struct Fault<'a> {
    at: String,
    problem: &'a str,
}

impl<'a> Fault<'a> {
    pub(super) fn all(faults: &'a [PlanFault]) -> Vec<Self> {
        let fault = |fault: &'a PlanFault| Self { at: format!("{}", fault.at), problem: &fault.problem };
        faults.iter().map(fault).collect()
    }
}

/// A plan was refused.
pub(crate) fn refused(faults: &[PlanFault]) -> Vec<u8> {
    told(&Faults { faults: Fault::all(faults) }, true)
}

/// What a plan would do.
pub(crate) fn outlined(outline: &Outline) -> Vec<u8> {
    told(outline, false)
}

/// What is told of a run.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    /// Its id.
    pub run: String,
    /// What its plan wants to be told, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<&'a RawValue>,
    /// The beginning of that, where it is long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_kept: Option<Kept>,
    /// Why there is none, although it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_missing: Option<String>,
    /// Which places that its plan wants to be told lead to nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Gap>,
    /// How it stands.
    #[serde(flatten)]
    pub report: Report,
    /// For how many seconds more its results can be read; for whoever looks after it, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// Something long that stays in the hub.
#[derive(Serialize)]
pub(crate) struct Kept {
    /// How long it is.
    pub bytes: usize,
    /// How it begins.
    pub preview: String,
    /// The tool that reads the rest.
    pub read_with: &'static str,
    /// For how many seconds more it can be read.
    pub expires_in_s: u64,
}

/// How a run stands, or has ended.
pub(crate) fn run_told(run: &Told<'_>, status: Status) -> Vec<u8> {
    told(run, status.is_bad())
}

#[derive(Serialize)]
struct InShort {
    run: String,
    status: &'static str,
    note: &'static str,
}

/// How a run stands, for one of many to whom the whole cannot be told.
pub(crate) fn run_in_short(run: RunId, status: Status) -> Vec<u8> {
    let note = "the hub stops, and many wait for runs: batch_status tells the whole";
    told(&InShort { run: format!("{run}"), status: status.name(), note }, status.is_bad())
}

#[derive(Serialize)]
pub(crate) struct RunLine {
    pub run: String,
    pub status: &'static str,
    pub began_at: u64,
    pub steps_ended: usize,
    pub steps: usize,
}

#[derive(Serialize)]
struct RunList {
    runs: Vec<RunLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Runs of a key, and where the next ones begin.
pub(crate) fn run_list(runs: Vec<RunLine>, next_cursor: Option<String>) -> Vec<u8> {
    told(&RunList { runs, next_cursor }, false)
}

/// The `params` of a progress notification that says which steps have changed; `progress` is a JSON number.
pub(crate) fn run_news(token: &str, (progress, all): (&str, usize), steps: &[&StepReport]) -> Vec<u8> {
    let steps = serde_json::to_string(steps).unwrap_or_default();
    format!(
        r#"{{"progressToken":{token},"progress":{progress},"total":{all},"_meta":{{"mcp-orch/steps":{steps}}}}}"#
    )
    .into_bytes()
}

/// Why a tool for plans cannot do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cannot {
    /// The arguments make no sense.
    Arguments,
    /// There is nobody who could be asked for a plan.
    Ask,
    /// Not while the run goes on.
    Now,
    /// No plan came of a goal.
    Plan,
    /// There is no such run, or nothing at that place of it.
    Unknown,
}

#[derive(Serialize)]
struct Problem<'a> {
    problem: &'static str,
    message: &'a str,
}

/// A part of what is kept, or the places where it holds what is looked for.
#[derive(Serialize)]
pub(crate) struct Part {
    pub offset: usize,
    pub text: String,
    pub total_bytes: usize,
}

/// Parts of what is kept.
#[derive(Serialize)]
pub(crate) struct Reading {
    pub parts: Vec<Part>,
    /// From where on there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<usize>,
    /// That there was more of it, and why that is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Tells parts of what is kept.
pub(crate) fn read(reading: &Reading) -> Vec<u8> {
    told(reading, false)
}

/// A tool for plans cannot do what it was asked.
pub(crate) fn cannot(cannot: Cannot, message: &str) -> Vec<u8> {
    let problem = match cannot {
        Cannot::Arguments => "arguments",
        Cannot::Ask => "no_planner",
        Cannot::Now => "conflict",
        Cannot::Plan => "planner",
        Cannot::Unknown => "unknown",
    };
    told(&Problem { problem, message }, true)
}

pub(super) fn told(value: &impl Serialize, is_error: bool) -> Vec<u8> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let error = if is_error { ",\"isError\":true" } else { "" };
    format!("{{\"content\":[{}],\"structuredContent\":{json}{error}}}", content(&json)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;
    use crate::rpc::{JsonLimits, scan};

    #[test]
    fn every_definition_is_json_and_short_enough_to_be_read() {
        for tool in definitions(&Limits::default()) {
            assert!(scan(tool.json.as_bytes(), JsonLimits::of_clients(&Limits::default()), false).is_ok());
            assert!(
                tool.json.len() < 6_000,
                "{} takes {} bytes of every context",
                tool.name,
                tool.json.len()
            );
            assert_eq!(PlanTool::find(&tool.name).map(PlanTool::name), Some(&*tool.name));
            assert!(plan::TOOLS.contains(&&*tool.name), "{} could be a step", tool.name);
        }
    }

    #[test]
    fn the_tool_is_listed_with_the_bounds_of_this_hub() {
        let [execute, ..] = definitions(&Limits { plan_steps: 3, ..Limits::default() });
        assert!(execute.json.contains(r#""maxItems":3,"#), "{}", execute.json);
    }
}
