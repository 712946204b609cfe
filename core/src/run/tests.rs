//! What becomes of a plan, step by step.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::{Event, Failure, Happened, Run, Runs, Start, Status, Unit};
use crate::ids::RunId;
use crate::plan::{Plan, Pointer, Tools};
use crate::{KeyId, Limits, Timestamp};

/// Tools of any name; those that begin with `safe` may be called twice.
pub(super) struct Anything;

impl Tools for Anything {
    fn definition(&self, name: &str) -> Option<Cow<'_, str>> {
        let safe = name.starts_with("safe");
        Some(Cow::Borrowed(if safe { r#"{"annotations":{"idempotentHint":true}}"# } else { "{}" }))
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(super) fn plan(text: &str, limits: &Limits) -> Arc<Plan> {
    Arc::new(Plan::read(text.as_bytes(), &Anything, limits).unwrap())
}

/// A run, and the calls that it has started.
pub(super) struct Stage {
    pub run: Run,
    pub limits: Limits,
    pub now: Timestamp,
    pub under_way: Vec<(String, Start)>,
    given_up: Vec<Unit>,
}

impl Stage {
    pub(super) fn of(steps: &str) -> Self {
        Self::within(&format!(r#"{{"steps":[{steps}]}}"#), &Limits::default())
    }

    pub(super) fn within(text: &str, limits: &Limits) -> Self {
        let now = Timestamp(1_000);
        let run = Run::new(plan(text, limits), now, limits);
        let limits = limits.clone();
        let mut stage = Self { run, limits, now, under_way: Vec::new(), given_up: Vec::new() };
        stage.start();
        stage
    }

    pub(super) fn start(&mut self) {
        while let Some(start) = self.run.next(self.now) {
            let id = self.run.plan().steps[start.unit.step].id.clone();
            self.under_way.push((id, start));
        }
    }

    /// The calls under way, as `id(arguments)`.
    pub(super) fn calls(&self) -> Vec<String> {
        let call = |(id, start): &(String, Start)| {
            format!("{id}({})", core::str::from_utf8(&start.arguments).unwrap())
        };
        self.under_way.iter().map(call).collect()
    }

    pub(super) fn feed(&mut self, event: Event) {
        let given_up = self.run.handle(self.now, event);
        self.under_way.retain(|(_, start)| !given_up.contains(&start.unit));
        self.given_up.extend(given_up);
        self.start();
    }

    pub(super) fn take(&mut self, id: &str) -> Unit {
        let at = self.under_way.iter().position(|(own, _)| own == id).expect(id);
        self.under_way.remove(at).1.unit
    }

    /// The first call of a step under way is answered with this structure.
    pub(super) fn says(&mut self, id: &str, structured: &str) {
        let unit = self.take(id);
        self.says_at(unit, structured);
    }

    pub(super) fn says_at(&mut self, unit: Unit, structured: &str) {
        self.under_way.retain(|(_, start)| start.unit != unit);
        let result = format!(r#"{{"content":[],"structuredContent":{structured}}}"#);
        self.feed(Event::StepAnswered(unit, Bytes::from(result)));
    }

    pub(super) fn fails(&mut self, id: &str, happened: Happened) {
        let unit = self.take(id);
        self.fails_at(unit, happened);
    }

    pub(super) fn fails_at(&mut self, unit: Unit, happened: Happened) {
        self.under_way.retain(|(_, start)| start.unit != unit);
        self.feed(Event::StepFailed(unit, Failure { words: "broken".to_owned(), happened }));
    }

    pub(super) fn advance(&mut self, span: u64) {
        self.now = self.now.after(Duration::from_millis(span));
        self.feed(Event::TimerFired);
    }

    /// How the steps stand, as `id status`.
    pub(super) fn stand(&self) -> String {
        let report = self.run.report(self.now, 0);
        let steps: Vec<String> =
            report.steps.iter().map(|step| format!("{} {}", step.id, step.status)).collect();
        steps.join(", ")
    }

    pub(super) fn output(&self) -> String {
        String::from_utf8(self.run.output().unwrap().to_vec()).unwrap()
    }
}

#[test]
fn a_step_begins_when_what_it_refers_to_has_ended_and_gets_its_values() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"t"},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"a","path":"/v"},"s":"{{b#/v/0}}!"}}"#,
    );
    assert_eq!(stage.calls(), ["a({})", "b({})"]);
    stage.says("b", r#"{"v":["w"]}"#);
    assert_eq!(stage.calls(), ["a({})"]);
    stage.says("a", r#"{"v":[1]}"#);
    assert_eq!(stage.calls(), [r#"c({"x":[1],"s":"w!"})"#]);
    stage.says("c", "7");
    assert_eq!((stage.run.status(), &*stage.output()), (Status::Done, r#"{"c":7}"#));
}

#[test]
fn for_each_calls_once_for_each_element_no_wider_than_it_may() {
    let mut stage = Stage::of(
        r#"{"id":"l","tool":"t"},
           {"id":"e","tool":"t","for_each":{"in":{"$from":"l","path":"/all"},"width":2},
            "arguments":{"n":{"$item":"/n"},"i":{"$index":true},"s":"{{item}}"}},
           {"id":"z","tool":"t","arguments":{"all":{"$from":"e"},"second":{"$from":"e","path":"/1/r"}}}"#,
    );
    stage.says("l", r#"{"all":[{"n":1},{"n":2},{"n":3}]}"#);
    assert_eq!(stage.calls(), [r#"e({"n":1,"i":0,"s":"{\"n\":1}"})"#, r#"e({"n":2,"i":1,"s":"{\"n\":2}"})"#]);
    stage.says("e", r#"{"r":"one"}"#);
    stage.says("e", r#"{"r":"two"}"#);
    stage.says("e", r#"{"r":"three"}"#);
    assert_eq!(stage.calls(), [r#"z({"all":[{"r":"one"},{"r":"two"},{"r":"three"}],"second":"two"})"#]);
}

#[test]
fn a_list_in_a_text_can_be_gone_through() {
    let mut stage = Stage::of(
        r#"{"id":"l","tool":"t"},{"id":"e","tool":"t","for_each":{"$from":"l"},"arguments":{"x":{"$item":""}}}"#,
    );
    let unit = stage.take("l");
    let result = Bytes::from_static(br#"{"content":[{"type":"text","text":"[\"p\", \"q\"]"}]}"#);
    stage.feed(Event::StepAnswered(unit, result));
    assert_eq!(stage.calls(), [r#"e({"x":"p"})"#, r#"e({"x":"q"})"#]);
}

#[test]
fn nothing_to_go_through_is_done_at_once_and_what_is_no_array_fails() {
    let mut stage = Stage::of(
        r#"{"id":"l","tool":"t"},{"id":"e","tool":"t","for_each":{"$from":"l","path":"/none"}},
           {"id":"f","tool":"t","for_each":{"$from":"l","path":"/one"},"on_error":"skip"}"#,
    );
    stage.says("l", r#"{"none":[],"one":1}"#);
    assert_eq!(stage.stand(), "l done, e done, f failed");
    assert_eq!(stage.output(), r#"{"e":[],"f":null}"#);
}

#[test]
fn a_condition_that_does_not_hold_skips_a_step_and_what_refers_to_it_but_not_what_comes_after() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"t"},
           {"id":"b","tool":"t","when":{"gt":[{"$from":"a","path":"/n"},5]}},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}},
           {"id":"d","tool":"t","arguments":{"x":{"$from":"b","default":[0]}}},
           {"id":"e","tool":"t","depends_on":["b"]},
           {"id":"f","tool":"t","for_each":[1,7],"when":{"lt":[{"$item":""},5]},"arguments":{"x":{"$item":""}}}"#,
    );
    stage.says("a", r#"{"n":3}"#);
    assert_eq!(stage.calls(), [r#"f({"x":1})"#, r#"d({"x":[0]})"#, "e({})"]);
    for id in ["f", "d", "e"] {
        stage.says(id, "1");
    }
    assert_eq!(stage.stand(), "a done, b skipped, c skipped, d done, e done, f done");
    assert_eq!(
        (stage.run.status(), &*stage.output()),
        (Status::Done, r#"{"c":null,"d":1,"e":1,"f":[1,null]}"#)
    );
}

const THREE: &str = r#"{"id":"a","tool":"t","on_error":"ON"},{"id":"b","tool":"t"},
    {"id":"c","tool":"t","arguments":{"x":{"$from":"a"}}},{"id":"d","tool":"t","depends_on":["c"]},
    {"id":"e","tool":"t","depends_on":["b"]}"#;

#[test]
fn a_failure_ends_the_run_but_for_what_is_under_way() {
    let mut stage = Stage::of(&THREE.replace("ON", "fail"));
    stage.fails("a", Happened::Failed);
    assert_eq!(stage.run.status(), Status::Running);
    stage.says("b", "1");
    assert_eq!(stage.stand(), "a failed, b done, c skipped, d skipped, e skipped");
    assert_eq!(stage.run.status(), Status::Failed);
}

#[test]
fn a_failure_skips_what_waits_for_it_where_the_plan_says_so() {
    let mut stage = Stage::of(&THREE.replace("ON", "skip"));
    stage.fails("a", Happened::Failed);
    stage.says("b", "1");
    stage.says("e", "1");
    assert_eq!(stage.stand(), "a failed, b done, c skipped, d skipped, e done");
    assert_eq!(stage.run.status(), Status::Done);
}

#[test]
fn a_failure_is_a_result_where_the_plan_goes_on() {
    let mut stage = Stage::of(&THREE.replace("ON", "continue"));
    stage.fails("a", Happened::Unknown);
    assert_eq!(stage.calls(), ["b({})", r#"c({"x":"broken"})"#]);
    assert!(stage.stand().starts_with("a unknown, b running, c running"));
}

#[test]
fn a_tool_that_says_that_it_failed_has_failed() {
    let mut stage = Stage::of(r#"{"id":"a","tool":"t"}"#);
    let unit = stage.take("a");
    let result = Bytes::from_static(br#"{"isError":true,"content":[{"type":"text","text":"no such file"}]}"#);
    stage.feed(Event::StepAnswered(unit, result));
    let report = stage.run.report(stage.now, 0);
    assert_eq!((report.status, report.steps[0].why.as_deref()), ("failed", Some("no such file")));
}

#[test]
fn what_has_done_nothing_is_tried_again_and_so_is_what_may_be_done_twice() {
    for (tool, happened, again) in [
        ("t", Happened::Nothing, true),
        ("t", Happened::Unknown, false),
        ("t", Happened::Failed, false),
        ("safe", Happened::Unknown, true),
        ("safe", Happened::Failed, true),
    ] {
        let retry = r#""retry":{"attempts":3,"backoff_ms":100}"#;
        let mut stage = Stage::of(&format!(r#"{{"id":"a","tool":"{tool}",{retry}}}"#));
        stage.fails("a", happened);
        assert_eq!(stage.calls(), [""; 0]);
        stage.advance(99);
        assert_eq!(stage.calls(), [""; 0], "not before its pause is over");
        stage.advance(1);
        assert_eq!(!stage.calls().is_empty(), again, "{tool} {happened:?}");
        if again {
            stage.fails("a", happened);
            stage.advance(199);
            assert_eq!(stage.calls(), [""; 0], "the pause is doubled");
            stage.advance(1);
            stage.fails("a", happened);
            assert_eq!(stage.run.status(), Status::Failed, "three tries are three");
        }
    }
}

#[test]
fn a_step_that_takes_too_long_is_given_up_and_its_outcome_is_unknown() {
    let mut stage = Stage::of(r#"{"id":"a","tool":"t","timeout_ms":50},{"id":"b","tool":"t"}"#);
    stage.advance(49);
    assert!(stage.given_up.is_empty());
    stage.advance(1);
    assert_eq!(stage.given_up, [Unit { step: 0, element: 0 }]);
    stage.says("b", "1");
    assert_eq!((stage.run.status(), &*stage.stand()), (Status::Failed, "a unknown, b done"));
}

#[test]
fn a_run_whose_time_is_over_gives_up_what_is_under_way() {
    let text =
        r#"{"deadline_ms":100,"steps":[{"id":"a","tool":"t"},{"id":"b","tool":"t","depends_on":["a"]}]}"#;
    let mut stage = Stage::within(text, &Limits::default());
    assert_eq!(stage.run.deadline(), Some(Timestamp(1_100)));
    stage.advance(100);
    assert_eq!((stage.run.status(), &*stage.stand()), (Status::TimedOut, "a unknown, b skipped"));
    assert_eq!(stage.run.deadline(), None);
}

#[test]
fn a_cancelled_run_starts_nothing_more_and_a_late_answer_changes_nothing() {
    let mut stage = Stage::of(r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","depends_on":["a"]}"#);
    let unit = stage.under_way[0].1.unit;
    stage.feed(Event::Cancelled);
    assert_eq!((stage.run.status(), &*stage.stand()), (Status::Cancelled, "a unknown, b skipped"));
    stage.feed(Event::StepAnswered(unit, Bytes::from_static(b"{}")));
    assert_eq!((stage.calls().len(), &*stage.stand()), (0, "a unknown, b skipped"));
}

#[test]
fn limits_that_only_a_run_can_reach_are_named() {
    let limits = Limits { run_calls: 3, run_bytes: 60, ..Limits::default() };
    let text = r#"{"steps":[{"id":"a","tool":"t"},{"id":"b","tool":"t","for_each":{"$from":"a"},"on_error":"skip"},
        {"id":"c","tool":"t","depends_on":["a"]}]}"#;
    let mut stage = Stage::within(text, &limits);
    stage.says("a", "[1,2,3]");
    let why = |stage: &Stage, step: usize| stage.run.report(stage.now, 0).steps[step].why.clone().unwrap();
    assert_eq!(why(&stage, 1), "limit run_calls reached (3): it has 3 elements");
    stage.says("c", "[1,2,3]");
    assert_eq!(why(&stage, 2), "it was made, but its result is not kept: limit run_bytes reached (60)");
}

#[test]
fn a_report_says_what_was_saved() {
    let text =
        r#"{"steps":[{"id":"a","tool":"t"},{"id":"b","tool":"t"}],"output":{"$from":"a","path":"/x"}}"#;
    let mut stage = Stage::within(text, &Limits::default());
    stage.now = stage.now.after(Duration::from_millis(30));
    stage.says("a", r#"{"x":1,"more":"0123456789"}"#);
    stage.now = stage.now.after(Duration::from_millis(10));
    stage.says("b", "2");
    assert_eq!(stage.output(), "1");
    let report = stage.run.report(stage.now, 1);
    assert_eq!((report.timing.wall_ms, report.timing.calls_ms), (40, 70));
    let kept = stage.run.kept() - 1;
    assert_eq!((report.kept_out.bytes, report.kept_out.tokens_estimated), (kept, kept / 4));
}

#[test]
fn parts_of_what_stays_can_be_read() {
    use super::Extracts;
    let mut stage = Stage::of(r#"{"id":"a","tool":"t"}"#);
    stage.says("a", r#"{"text":"eins zwei drei zwei é"}"#);
    let value = stage.run.value(Some("a"), &Pointer::parse("/text").unwrap()).unwrap();
    let range = Extracts::of_range(&value, 5, 4);
    assert_eq!((&*range.parts[0].text, range.parts[0].offset, range.total), ("zwei", 5, 22));
    let found = Extracts::of_search(&value, "zwei", 0, (1, 10));
    assert_eq!(found.parts.iter().map(|found| &*found.text).collect::<Vec<_>>(), [" zwei ", " zwei "]);
    let words = stage.run.value(Some("b"), &Pointer::default()).unwrap_err();
    assert_eq!(words, "there is no step \"b\"; the steps are a");
    assert!(stage.run.value(None, &Pointer::parse("/a/none").unwrap()).is_err());
}

/// Runs of as many calls without an order.
pub(super) fn runs(runs: usize, calls: usize, limits: &Limits) -> Runs {
    let steps: Vec<String> = (0..calls).map(|n| format!(r#"{{"id":"s{n}","tool":"t"}}"#)).collect();
    let plan = plan(&format!(r#"{{"max_parallel":32,"steps":[{}]}}"#, steps.join(",")), limits);
    let mut all = Runs::default();
    for run in 0..runs as u64 {
        all.insert(RunId(run), key("k"), Run::new(Arc::clone(&plan), Timestamp(0), limits));
    }
    all
}

pub(super) fn key(name: &str) -> KeyId {
    KeyId(name.into())
}

#[test]
fn runs_take_turns() {
    let limits = Limits { project_run_calls: 14, ..Limits::default() };
    let mut runs = runs(3, 10, &limits);
    let started: Vec<(RunId, Start)> =
        core::iter::from_fn(|| runs.next(Timestamp(0), &limits, |_| true)).collect();
    let turns: Vec<u64> = started.iter().map(|(id, _)| id.0).collect();
    assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0], "one each, and half of what there may be at a time");
    let answer = Event::StepAnswered(started[0].1.unit, Bytes::from_static(b"{}"));
    runs.handle(RunId(0), Timestamp(0), &limits, answer);
    assert_eq!(
        runs.next(Timestamp(0), &limits, |_| true).unwrap().0,
        RunId(1),
        "the one that has waited longest"
    );
}

#[test]
fn what_has_ended_is_kept_for_a_while_and_the_oldest_makes_room() {
    let limits = Limits::default();
    let mut runs = runs(2, 1, &limits);
    let plan = runs.get(RunId(0)).unwrap().plan().bytes;
    for (at, id) in [(1, RunId(1)), (2, RunId(0))] {
        while let Some((_, start)) = runs.next(Timestamp(at), &limits, |_| true) {
            assert_eq!(start.unit.step, 0);
        }
        let unit = Unit { step: 0, element: 0 };
        let result = Bytes::from_static(br#"{"content":[],"structuredContent":[1]}"#);
        runs.handle(id, Timestamp(at), &limits, Event::StepAnswered(unit, result));
    }
    assert_eq!((runs.open(), runs.usage().bytes), (0, 2 * plan + 76));
    let limits = Limits { project_run_bytes: 2 * plan + 75, ..limits };
    assert_eq!(runs.expire(Timestamp(2), &limits), [RunId(1)]);
    assert!(runs.get(RunId(1)).is_none() && runs.get(RunId(0)).is_some());
    assert_eq!(
        runs.ended().map(|(id, status)| (id.to_string(), status)).collect::<Vec<_>>(),
        [("000000000000".to_owned(), Status::Done)]
    );
    assert_eq!(runs.expire(Timestamp(2).after(limits.run_kept), &limits), [RunId(0)]);
    assert_eq!(runs.usage().bytes, 0);
}
