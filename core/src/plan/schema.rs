//! The tools for plans, as a model is shown them. The schema teaches as much as it describes: a model writes what its
//! examples show.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::step::PARALLEL;
use crate::Limits;

/// The names of the tools. None of them can be a step.
pub const TOOLS: [&str; 5] = ["batch_execute", "batch_status", "batch_cancel", "batch_retry", "read_result"];

/// `inputSchema` of `batch_execute`, with the bounds that this hub has.
pub fn input_schema(limits: &Limits) -> String {
    let deadline = format!("{}", limits.run_deadline.as_millis());
    let bounds = [
        ("<plan_steps>", format!("{}", limits.plan_steps)),
        ("<step_backoff>", format!("{}", limits.step_backoff.as_millis())),
        ("<step_attempts>", format!("{}", limits.step_attempts)),
        ("<run_deadline>", deadline),
        ("<plan_parallel>", format!("{}", limits.plan_parallel)),
        ("<parallel>", format!("{}", PARALLEL.min(limits.plan_parallel))),
    ];
    bounds.iter().fold(INPUT_SCHEMA.to_owned(), |schema, (name, bound)| schema.replace(name, bound))
}

const INPUT_SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{"goal":{"type":"string","description":"Instead of steps: what is to be achieved, in words; the hub's planner makes the steps. With dry_run they come back, to be edited and sent."},"steps":{"type":"array","minItems":1,"maxItems":<plan_steps>,"description":"The calls to make. A step runs as soon as the steps that it refers to have ended; steps that do not refer to each other run side by side.","items":{"type":"object","additionalProperties":false,"required":["id","tool"],"properties":{"id":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,64}$","description":"Name of the step, for references."},"tool":{"type":"string","description":"Name of the tool, as listed."},"arguments":{"type":"object","description":"The tool's arguments. Anywhere in them {\"$from\":\"STEP\",\"path\":\"/json/pointer\"} stands for a value of an earlier step's result, and \"text {{STEP#/json/pointer}}\" puts one into a string. The pointer starts at structuredContent, or at the text of the result; a text that is JSON is read as such where the pointer goes on within it. {\"$from\":...,\"of\":\"result\"} starts at the whole result, \"default\" stands in for what is not there, {\"$literal\":VALUE} is VALUE as written."},"depends_on":{"type":"array","items":{"type":"string"},"description":"Steps to wait for without using their results."},"for_each":{"description":"Run the step once for each element of this array: an array, {\"$from\":...}, or {\"in\":ARRAY,\"width\":N}. In arguments {\"$item\":\"/pointer\"} or {{item#/pointer}} is the element, {\"$index\":true} or {{index}} its place. The step's value is the array of results.","anyOf":[{"type":"array"},{"type":"object"}]},"when":{"type":"object","description":"Run the step only if this holds: {\"exists\":REF}, {\"equals\":[A,B]}, not_equals, gt, gte, lt, lte, {\"and\":[...]}, {\"or\":[...]}, {\"not\":...}. A and B are values or references."},"retry":{"type":"object","additionalProperties":false,"properties":{"attempts":{"type":"integer","minimum":1,"maximum":<step_attempts>},"backoff_ms":{"type":"integer","minimum":1,"maximum":<step_backoff>}},"description":"Try again after a failure, if nothing has happened or the tool is idempotent."},"timeout_ms":{"type":"integer","minimum":1,"maximum":<run_deadline>,"description":"For one try."},"on_error":{"enum":["fail","skip","continue"],"description":"fail (default): begin nothing more. skip: skip what refers to this step without a default. continue: go on; the error is its result."}}}},"output":{"description":"What to give back: a reference, or an object or array of references. Default: the values of the last steps. Ask for little: the rest can be read later with read_result."},"max_parallel":{"type":"integer","minimum":1,"maximum":<plan_parallel>,"description":"Calls at the same time (default <parallel>)."},"deadline_ms":{"type":"integer","minimum":1,"maximum":<run_deadline>,"description":"For the whole plan."},"dry_run":{"type":"boolean","description":"Only check the plan and say what would run."},"background":{"type":"boolean","description":"Return a handle as soon as the run begins (with goal: when it is planned); batch_status tells how it goes."}},"examples":[{"steps":[{"id":"issues","tool":"github__list_issues","arguments":{"repo":"acme/app","state":"open"}},{"id":"report","tool":"notion__create_page","arguments":{"title":"Open issues","body":"First: {{issues#/items/0/title}}","all":{"$from":"issues","path":"/items"}}}],"output":{"$from":"report","path":"/url"}},{"steps":[{"id":"files","tool":"fs__list","arguments":{"path":"docs"}},{"id":"read","tool":"fs__read","for_each":{"in":{"$from":"files","path":"/names"},"width":4},"arguments":{"path":"docs/{{item}}"},"on_error":"continue"}],"output":{"$from":"read"}}]}"#;
