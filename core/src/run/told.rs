//! What is said of runs: how steps have ended, what a run took, and how its results begin.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

use super::tests::Stage;
use super::{Became, Event, Happened, Mark, Marks, Run, Status, Unit};
use crate::plan::Pointer;
use crate::{Limits, Timestamp};

impl Stage {
    fn wall_ms(&self) -> u64 {
        self.run.report(self.now, 0).timing.wall_ms
    }

    fn why(&self, step: usize) -> String {
        self.run.report(self.now, 0).steps[step].why.clone().unwrap_or_default()
    }

    fn preview(&self, step: usize) -> Option<String> {
        let mut report = self.run.report(self.now, 0);
        self.run.add_previews(&mut report);
        report.steps[step].preview.clone()
    }
}

#[test]
fn a_call_that_was_made_and_whose_result_is_not_kept_is_unknown_unless_it_may_be_made_twice() {
    let limits = Limits { run_bytes: 60, ..Limits::default() };
    let long = format!("\"{}\"", "x".repeat(60));
    for (tool, status) in [("t", "a unknown"), ("safe", "a failed")] {
        let text = format!(r#"{{"steps":[{{"id":"a","tool":"{tool}"}}]}}"#);
        let mut stage = Stage::within(&text, &limits);
        stage.says("a", &long);
        assert_eq!(stage.stand(), status);
        assert_eq!(stage.why(0), "it was made, but its result is not kept: limit run_bytes reached (60)");
    }
    let mut stage = Stage::within(r#"{"steps":[{"id":"a","tool":"t"}]}"#, &limits);
    let unit = stage.take("a");
    let refused = format!(r#"{{"content":[{{"type":"text","text":{long}}}],"isError":true}}"#);
    stage.feed(Event::StepAnswered(unit, refused.into()));
    assert_eq!(stage.stand(), "a failed", "its server says that it has not done it");
}

#[test]
fn a_step_is_unknown_if_any_of_its_elements_is() {
    for (on_error, after) in [("continue", "z running"), ("fail", "z skipped")] {
        let mut stage = Stage::of(&format!(
            r#"{{"id":"a","tool":"t","for_each":{{"in":[1,2],"width":2}},"on_error":"{on_error}"}},
               {{"id":"z","tool":"t","arguments":{{"x":{{"$from":"a"}}}}}}"#
        ));
        stage.fails("a", Happened::Failed);
        stage.fails("a", Happened::Unknown);
        assert_eq!(stage.stand(), format!("a unknown, {after}"));
    }
    let mut stage = Stage::of(r#"{"id":"a","tool":"t","for_each":[1],"on_error":"continue"}"#);
    stage.fails("a", Happened::Failed);
    assert_eq!(stage.stand(), "a done", "what has become of it is known");
}

#[test]
fn the_time_between_an_end_and_another_beginning_is_not_the_time_of_a_run() {
    let mut stage =
        Stage::of(r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","arguments":{"x":{"$from":"a"}}}"#);
    stage.advance(30);
    stage.says("a", "1");
    stage.advance(10);
    stage.fails("b", Happened::Failed);
    assert_eq!((stage.run.status(), stage.wall_ms()), (Status::Failed, 40));
    stage.now = stage.now.after(Duration::from_mins(1));
    assert_eq!(stage.wall_ms(), 40);
    stage.run = stage.run.again(stage.now, &Limits::default()).expect("it has ended");
    stage.start();
    stage.advance(5);
    stage.says("b", "2");
    assert_eq!((stage.run.status(), stage.wall_ms()), (Status::Done, 45));
    // Another life knows of the first time only when its last call ended that is done.
    let (plan, life) = (Arc::clone(stage.run.plan()), stage.run.life());
    let (unit, since, at) = (Unit { step: 0, element: 0 }, Timestamp(1_000), Timestamp(1_030));
    let mark =
        Mark { unit, array: None, tries: 1, since, at, became: Became::Answered(Bytes::from_static(b"{}")) };
    let marks = Marks { calls: [mark].into(), ends: Vec::new() };
    stage.run = Run::restore(plan, life, marks, stage.now, &Limits::default());
    assert_eq!(stage.wall_ms(), 35);
}

#[test]
fn what_was_done_of_a_step_that_was_stopped_half_way_is_told_and_can_be_read_and_nothing_is_made_of_it() {
    let mut stage = Stage::within(
        r#"{"steps":[{"id":"a","tool":"t","for_each":{"in":[1,2,3],"width":1}},{"id":"b","tool":"t","on_error":"fail"}],
            "output":[{"$from":"a"},{"$from":"a","path":"/0","default":0}]}"#,
        &Limits::default(),
    );
    stage.says("a", "7");
    stage.fails("b", Happened::Failed);
    stage.says("a", "8");
    assert_eq!(stage.stand(), "a skipped, b failed");
    assert_eq!(stage.why(0), "another step has failed when 2 of its 3 elements were done");
    let read = |path: &str| stage.run.value(Some("a"), &Pointer::parse(path).unwrap());
    assert_eq!((read("").unwrap(), read("/1").unwrap()), ("[7,8,null]".into(), "8".into()));
    assert_eq!(read("/2").unwrap_err(), r#"step a has nothing at "/2""#);
    assert_eq!(stage.output(), "[null,0]");
}

#[test]
fn a_run_of_which_all_is_done_has_nothing_to_begin_once_more() {
    let skipped = r#"{"id":"b","tool":"t","when":{"equals":[1,2]}},{"id":"c","tool":"t","for_each":[]}"#;
    let mut stage = Stage::of(&format!(r#"{{"id":"a","tool":"t"}},{skipped}"#));
    assert!(!stage.run.is_done_whole(), "it goes on");
    stage.says("a", "1");
    assert!(stage.run.is_done_whole());
    for on_error in ["continue", "skip"] {
        let mut stage = Stage::of(&format!(r#"{{"id":"a","tool":"t","on_error":"{on_error}"}}"#));
        stage.fails("a", Happened::Failed);
        assert_eq!(stage.run.status(), Status::Done);
        assert!(!stage.run.is_done_whole(), "{on_error}: that has failed");
    }
}

#[test]
fn places_of_the_output_that_lead_to_nothing_are_named() {
    let mut stage = Stage::within(
        r#"{"steps":[{"id":"a","tool":"t"},{"id":"b","tool":"t","when":{"equals":[1,2]}}],"output":[{"$from":"a","path":"/v"},{"$from":"a","path":"/w"},{"$from":"b","path":"/v"},{"$from":"a","path":"/w","default":0}]}"#,
        &Limits::default(),
    );
    stage.says("a", r#"{"v":1}"#);
    let (output, gaps) = stage.run.output_and_gaps().unwrap();
    assert_eq!(&*output, b"[1,null,null,0]");
    let [gap] = &*gaps else { panic!("{gaps:?}") };
    assert_eq!((&*gap.step, &*gap.path, &*gap.why), ("a", "/w", r#"step a has nothing at "/w""#));
}

#[test]
fn what_a_plan_goes_on_with_is_in_its_output_as_its_steps_see_it() {
    for (on_error, output) in
        [("continue", r#"[[1,"broken"],"broken",0,null]"#), ("skip", "[null,null,0,null]")]
    {
        let mut stage = Stage::within(
            &format!(
                r#"{{"steps":[
                    {{"id":"a","tool":"t","for_each":[1,2],"on_error":"{on_error}"}},
                    {{"id":"b","tool":"t","on_error":"{on_error}"}}],
                "output":[{{"$from":"a"}},{{"$from":"b"}},{{"$from":"b","default":0}},{{"$from":"b","path":"/v"}}]}}"#
            ),
            &Limits::default(),
        );
        stage.says("a", "1");
        stage.fails("a", Happened::Failed);
        stage.fails("b", Happened::Failed);
        assert_eq!(stage.output(), output, "{on_error}");
        let gaps = stage.run.output_and_gaps().unwrap().1;
        assert_eq!(gaps.len(), usize::from(on_error == "continue"), "{on_error}");
    }
}

#[test]
fn a_preview_shows_how_a_value_begins() {
    let mut stage =
        Stage::of(r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","for_each":[1,2]},{"id":"c","tool":"t"}"#);
    stage.says("a", &format!("\"{}\"", "\u{e9}".repeat(100)));
    stage.says("b", "7");
    assert_eq!(stage.preview(0), Some(format!("\"{}\u{2026}", "\u{e9}".repeat(79))));
    assert_eq!(stage.preview(1).as_deref(), Some("7"));
    assert_eq!(stage.preview(2), None);
    stage.says("b", "8");
    assert_eq!(stage.preview(1).as_deref(), Some("7\u{2026}"));
}

#[test]
fn an_element_whose_reference_leads_nowhere_was_planned_badly_also_after_others_were_called() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"t","for_each":{"in":[{"n":1},{}],"width":1},"arguments":{"x":{"$item":"/n"}}}"#,
    );
    assert!(!stage.run.was_planned_badly());
    stage.says("a", "1");
    assert_eq!(stage.stand(), "a failed");
    assert!(stage.run.was_planned_badly());
    let mut stage = Stage::of(r#"{"id":"a","tool":"t","for_each":{"in":[1,2],"width":1}}"#);
    stage.says("a", "1");
    stage.fails("a", Happened::Nothing);
    assert!(stage.run.status() == Status::Failed && !stage.run.was_planned_badly(), "its server was away");
}

#[test]
fn a_step_that_has_failed_tries_nothing_again_and_ends() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"t","for_each":{"in":[1,2],"width":2},"on_error":"skip","retry":{"attempts":2}}"#,
    );
    let last = stage.under_way[1].1.unit;
    stage.fails("a", Happened::Failed);
    stage.fails_at(last, Happened::Nothing);
    assert_eq!((stage.run.status(), &*stage.stand()), (Status::Done, "a failed"));
}

#[test]
fn what_waits_for_another_try_has_failed_when_its_step_has() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"safe","for_each":{"in":[1,2],"width":2},"on_error":"skip","retry":{"attempts":2}},
           {"id":"z","tool":"t"}"#,
    );
    stage.fails("a", Happened::Failed);
    stage.advance(500);
    stage.fails("a", Happened::Unknown);
    stage.fails("a", Happened::Failed);
    let before = stage.stand();
    stage.feed(Event::Cancelled);
    assert_eq!((&*before, &*stage.stand()), ("a unknown, z running", "a unknown, z unknown"));
}

#[test]
fn a_tool_that_says_nothing_of_its_failure_has_said_nothing() {
    let mut stage = Stage::of(r#"{"id":"a","tool":"t","on_error":"continue"}"#);
    let unit = stage.take("a");
    let error = Bytes::from_static(br#"{"content":[{"type":"text","text":""}],"isError":true}"#);
    stage.feed(Event::StepAnswered(unit, error.clone()));
    assert_eq!(stage.run.report(stage.now, 0).steps[0].why.as_deref(), Some(""));
    assert_eq!(stage.run.kept(), error.len());
}
