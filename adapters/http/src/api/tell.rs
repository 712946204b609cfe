//! From the answer of a tool of the hub to a response of the REST interface. Pure.

use orch_core::{Fault, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The hub's code for what was not begun, since somebody is away.
const UNAVAILABLE: i64 = -31_001;

/// A response: its status, and a JSON text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    /// Whether it says what went wrong (RFC 9457).
    pub(crate) is_problem: bool,
    pub(crate) body: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    result: Option<Outcome<'a>>,
    #[serde(borrow)]
    error: Option<Error<'a>>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(borrow, rename = "structuredContent")]
    structured: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Error<'a> {
    #[serde(default)]
    code: i64,
    message: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Params<'a> {
    /// It has a fraction where steps have changed and no more of them have ended.
    #[serde(borrow)]
    progress: &'a RawValue,
    total: u64,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "mcp-orch/steps")]
    steps: Option<&'a RawValue>,
}

/// What is looked at of what a tool says.
#[derive(Deserialize)]
struct Said {
    run: Option<String>,
    status: Option<String>,
    problem: Option<String>,
    message: Option<String>,
    faults: Option<Box<RawValue>>,
    /// What a model has written, where the plan is of one.
    planned: Option<Box<RawValue>>,
    /// What it took, where a model was asked.
    planner: Option<Box<RawValue>>,
    /// Why a plan that a model has written was left as it is.
    note: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    more: More<'a>,
}

/// What a problem says besides.
#[derive(Default, Serialize)]
struct More<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planned: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planner: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

impl Told {
    /// The response that stands for an answer, which came with this status.
    pub(crate) fn of(status: u16, answer: &[u8]) -> Self {
        let Ok(message) = serde_json::from_slice::<Message<'_>>(answer) else { return Self::bare(status) };
        if let Some(error) = message.error {
            let status = match error.code {
                _ if status >= 400 => status,
                // It may come again: a hub stops, or a server is away.
                UNAVAILABLE => 503,
                _ => 400,
            };
            return Self::problem(status, &error.message, More { data: error.data, ..More::default() });
        }
        let Some(structured) = message.result.and_then(|result| result.structured) else {
            return Self::bare(500);
        };
        let Ok(said) = serde_json::from_str::<Said>(structured.get()) else { return Self::bare(500) };
        if let Some(faults) = said.faults.as_deref() {
            let (status, words) = if said.planner.is_some() && said.planned.is_none() {
                (502, "the planner has made no plan, and nothing was run")
            } else {
                (422, "the plan has faults, and nothing of it was run")
            };
            let more = More {
                faults: Some(faults),
                planned: said.planned.as_deref(),
                planner: said.planner.as_deref(),
                note: said.note.as_deref(),
                data: None,
            };
            return Self::problem(status, words, more);
        }
        let status = match said.problem.as_deref() {
            None => return Self { status: 200, is_problem: false, body: structured.get().to_owned() },
            Some("unknown") => 404,
            Some("conflict" | "no_planner") => 409,
            Some("planner") => 502,
            Some(_) => 400,
        };
        Self::problem(status, said.message.as_deref().unwrap_or_default(), More::default())
    }

    /// The run that it tells of.
    pub(crate) fn run(&self) -> Option<String> {
        serde_json::from_str::<Said>(&self.body).ok().filter(|_| !self.is_problem)?.run
    }

    /// Whether it tells of a run that goes on.
    pub(crate) fn goes_on(&self) -> bool {
        let said = serde_json::from_str::<Said>(&self.body).ok().filter(|_| !self.is_problem);
        said.is_some_and(|said| said.status.as_deref() == Some("running"))
    }

    /// What a fault is in this interface. One that says that there is no such thing does not say which.
    pub(crate) fn of_fault(fault: &Fault) -> Self {
        Self::problem(fault.wire().status, &fault.to_string(), More::default())
    }

    /// A status that comes without words.
    pub(crate) fn bare(status: u16) -> Self {
        let words = match status {
            401 => "an API key is expected: Authorization: Bearer <key>",
            404 => "there is no such project, or it is not this key's",
            _ => "the hub could not answer",
        };
        Self::problem(if status < 400 { 500 } else { status }, words, More::default())
    }

    fn problem(status: u16, detail: &str, more: More<'_>) -> Self {
        let title = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let title = title.unwrap_or("Error");
        let problem = Problem { kind: "about:blank", title, status, detail, more };
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status, is_problem: true, body }
    }
}

/// What a message of a run says to whoever follows it: the steps that have changed, or how the run has ended. And whether
/// that is the end.
pub(crate) fn news(message: &[u8]) -> Option<(String, bool)> {
    let read = serde_json::from_slice::<Message<'_>>(message).ok()?;
    if let Some(Params { progress, total, meta }) = read.params {
        let steps = meta.and_then(|meta| meta.steps)?.get();
        let ended = progress.get().split('.').next().unwrap_or_default();
        return Some((
            format!(r#"{{"event":"steps","ended":{ended},"total":{total},"steps":{steps}}}"#),
            false,
        ));
    }
    let told = Told::of(200, message);
    let event = if told.is_problem { "problem" } else { "end" };
    Some((
        format!(
            r#"{{"event":"{event}","{}":{}}}"#,
            if told.is_problem { "problem" } else { "run" },
            told.body
        ),
        true,
    ))
}

/// A method that a place does not have.
pub(crate) fn no_method() -> Told {
    Told::of_fault(&Rejection::VerbNotAllowed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(answer: &str) -> (u16, bool) {
        let told = Told::of(200, answer.as_bytes());
        (told.status, told.is_problem)
    }

    #[test]
    fn what_a_tool_says_has_a_status() {
        let said = |structured: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"structuredContent":{structured}}}}}"#)
        };
        assert_eq!(status(&said(r#"{"run":"a","status":"failed"}"#)), (200, false));
        assert_eq!(status(&said(r#"{"faults":[]}"#)), (422, true));
        assert_eq!(status(&said(r#"{"faults":[],"planned":{},"planner":{"questions":2}}"#)), (422, true));
        assert_eq!(
            status(&said(r#"{"faults":[],"planner":{"questions":2}}"#)),
            (502, true),
            "there is no plan"
        );
        assert_eq!(status(&said(r#"{"problem":"unknown","message":"m"}"#)), (404, true));
        assert_eq!(status(&said(r#"{"problem":"conflict","message":"m"}"#)), (409, true));
        assert_eq!(status(&said(r#"{"problem":"no_planner","message":"m"}"#)), (409, true));
        assert_eq!(status(&said(r#"{"problem":"planner","message":"m"}"#)), (502, true));
        assert_eq!(status(&said(r#"{"problem":"arguments","message":"m"}"#)), (400, true));
        assert_eq!(status(r#"{"error":{"code":1,"message":"m"}}"#), (400, true));
        assert_eq!(status(r#"{"error":{"code":-31001,"message":"it stops"}}"#), (503, true));
        assert_eq!(status("{}"), (500, true));
        assert_eq!(Told::of(429, br#"{"error":{"code":1,"message":"m"}}"#).status, 429);
    }

    #[test]
    fn a_plan_of_a_model_comes_back_with_its_faults() {
        let said = r#""faults":[{"at":"/steps"}],"planned":{"steps":[1]},"planner":{"questions":1},"note":"it was not mended""#;
        let answer = format!(r#"{{"result":{{"structuredContent":{{{said}}}}}}}"#);
        let told = Told::of(200, answer.as_bytes());
        assert!(told.body.ends_with(&format!("{said}}}")), "{}", told.body);
    }

    #[test]
    fn steps_that_change_without_one_more_end_are_told_too() {
        let steps = r#"{"method":"notifications/progress","params":{"progress":1.500000000,"total":2,"_meta":{"mcp-orch/steps":[{"id":"a"}]}}}"#;
        let expected = r#"{"event":"steps","ended":1,"total":2,"steps":[{"id":"a"}]}"#;
        assert_eq!(news(steps.as_bytes()), Some((expected.to_owned(), false)));
    }

    #[test]
    fn a_run_is_followed_by_its_steps_and_its_end() {
        let steps = r#"{"method":"notifications/progress","params":{"progress":1,"total":2,"_meta":{"mcp-orch/steps":[{"id":"a"}]}}}"#;
        let expected = r#"{"event":"steps","ended":1,"total":2,"steps":[{"id":"a"}]}"#;
        assert_eq!(news(steps.as_bytes()), Some((expected.to_owned(), false)));
        let end = r#"{"result":{"structuredContent":{"run":"a"}}}"#;
        assert_eq!(news(end.as_bytes()), Some((r#"{"event":"end","run":{"run":"a"}}"#.to_owned(), true)));
    }
}
