//! What the values of a plan may take, and what becomes of a step whose values are not there.

use alloc::format;
use alloc::string::String;
use bytes::Bytes;

use super::step::{Element, Ended};
use super::tests::{Stage, key, runs};
use super::{Event, Happened, Run, Runs, Status};
use crate::ids::RunId;
use crate::{Limits, Timestamp};

const SMALL: usize = 1_000;

/// Bounds that a result of a few hundred bytes can reach.
fn small() -> Limits {
    Limits { body_bytes: SMALL, message_bytes: 2 * SMALL, step_read_bytes: 4 * SMALL, ..Limits::default() }
}

fn many(element: &str, times: usize) -> String {
    alloc::vec![element; times].join(",")
}

/// Why the second step of a plan has failed, of which the first says 100 bytes.
fn why(second: &str) -> Option<String> {
    let text = format!(r#"{{"steps":[{{"id":"a","tool":"t"}},{{"id":"b","tool":"t",{second}}}]}}"#);
    let mut stage = Stage::within(&text, &small());
    stage.says("a", &format!("\"{}\"", "x".repeat(98)));
    let mut report = stage.run.report(stage.now, 0);
    (report.steps[1].status == "failed").then(|| report.steps.remove(1).why.unwrap())
}

#[test]
fn no_value_is_made_beyond_its_bound_wherever_it_is_wanted() {
    let from = r#"{"$from":"a"}"#;
    let arguments = Some("limit body_bytes reached (1000) by the arguments");
    assert_eq!(why(&format!(r#""arguments":{{"v":[{}]}}"#, many(from, 9))), None);
    assert_eq!(why(&format!(r#""arguments":{{"v":[{}]}}"#, many(from, 2_000))).as_deref(), arguments);
    assert_eq!(why(&format!(r#""arguments":{{"v":"{}"}}"#, "{{a}}".repeat(2_000))).as_deref(), arguments);
    let each = Some("limit message_bytes reached (2000) by for_each");
    assert_eq!(why(&format!(r#""for_each":[{}]"#, many(from, 19))), None);
    assert_eq!(why(&format!(r#""for_each":[{}]"#, many(from, 2_000))).as_deref(), each);
    let when = Some("limit body_bytes reached (1000) by its condition");
    let words = "{{a}}".repeat(2_000);
    assert_eq!(why(&format!(r#""when":{{"equals":["{words}","x"]}}"#)).as_deref(), when);
    assert_eq!(why(&format!(r#""when":{{"equals":[{from},"x"]}}"#)), None);
}

#[test]
fn what_a_template_escapes_counts_as_it_is_written() {
    let text = r#"{"steps":[{"id":"a","tool":"t"},{"id":"b","tool":"t","arguments":{"v":"{{a}}"}}]}"#;
    let says = |quotes: usize| {
        let mut stage = Stage::within(text, &small());
        stage.says("a", &format!("[{}]", many(r#""\"""#, quotes)));
        stage.stand()
    };
    assert_eq!(says(99), "a done, b running", "eight bytes and a comma for each");
    assert_eq!(says(120), "a done, b failed", "it is 600 bytes long, and 1080 within a text");
}

#[test]
fn so_much_is_read_for_a_step_and_no_more() {
    let reads = Some("limit step_read_bytes reached (4000) by the arguments");
    let item = r#"{"$from":"a","path":"/0","default":1}"#;
    let text = |times| {
        format!(
            r#"{{"steps":[{{"id":"a","tool":"t"}},{{"id":"b","tool":"t","arguments":{{"v":[{}]}}}}]}}"#,
            many(item, times)
        )
    };
    for (times, expected) in [(39, None), (41, reads)] {
        let mut stage = Stage::within(&text(times), &small());
        stage.says("a", &format!("[1,{}2]", " ".repeat(95)));
        let report = stage.run.report(stage.now, 0);
        assert_eq!(report.steps[1].why.as_deref(), expected, "a default is not for what is too much");
    }
}

#[test]
fn an_output_beyond_its_bound_is_not_made_and_says_so() {
    for (output, bound) in [
        (format!("[{}]", many(r#"{"$from":"a"}"#, 2_000)), Some("limit message_bytes reached (2000)")),
        (format!("\"{}\"", "{{a}}".repeat(2_000)), Some("limit message_bytes reached (2000)")),
        (
            format!("[{}]", many(r#"{"$from":"a","path":"/1","default":1}"#, 2_000)),
            Some("limit step_read_bytes reached (4000)"),
        ),
        (format!("[{}]", many(r#"{"$from":"a"}"#, 19)), None),
    ] {
        let mut stage =
            Stage::within(&format!(r#"{{"steps":[{{"id":"a","tool":"t"}}],"output":{output}}}"#), &small());
        stage.says("a", &format!("[\"{}\"]", "x".repeat(96)));
        let said = stage.run.output();
        assert_eq!(said.err().map(|it| format!("{it}")).as_deref(), bound);
        let kept = stage.run.value(Some("a"), &crate::plan::Pointer::default()).unwrap();
        assert_eq!(kept.len(), 100, "what its steps said can be read");
    }
}

#[test]
fn arrays_that_are_made_of_texts_count_among_what_a_run_keeps_while_their_steps_last() {
    let each =
        |id: &str| format!(r#"{{"id":"{id}","tool":"t","for_each":{{"$from":"a"}},"on_error":"skip"}}"#);
    let text = format!(r#"{{"steps":[{{"id":"a","tool":"t"}},{},{}]}}"#, each("b"), each("c"));
    let mut stage = Stage::within(&text, &Limits { run_bytes: 500, ..Limits::default() });
    stage.says("a", &format!(r#""[1{}]""#, " ".repeat(200)));
    assert_eq!(stage.stand(), "a done, b running, c failed");
    let why = stage.run.report(stage.now, 0).steps[2].why.clone();
    assert_eq!(why.as_deref(), Some("limit run_bytes reached (500) by for_each"));
    stage.says("b", "1");
    assert_eq!(stage.run.status(), Status::Done);
    assert_eq!(stage.run.held, 0);
}

#[test]
fn what_is_the_same_for_all_elements_is_read_once() {
    let limits = Limits { step_read_bytes: 20_000, ..Limits::default() };
    let text = r#"{"steps":[{"id":"a","tool":"t"},
        {"id":"b","tool":"t","for_each":{"in":[1,2,3,4,5,6,7,8],"width":1},
         "when":{"exists":{"$from":"a","path":"/v"}},"arguments":{"x":{"$from":"a","path":"/v"}}}]}"#;
    let now = Timestamp(0);
    let mut run = Run::new(super::tests::plan(text, &limits), now, &limits);
    let mut worked = alloc::vec::Vec::new();
    while let Some(start) = run.next(now) {
        worked.push(run.worked());
        let result = format!(r#"{{"structuredContent":{{"v":1,"w":"{}"}}}}"#, "x".repeat(5_000));
        run.handle(now, Event::StepAnswered(start.unit, Bytes::from(result)));
    }
    assert_eq!(worked.len(), 9);
    assert!((5_000..6_000).contains(&worked[1]), "once, for the condition and for the arguments: {worked:?}");
    assert!(worked[2..].iter().all(|worked| *worked < 1_000), "it was read again: {worked:?}");
}

#[test]
fn of_what_was_lost_nobody_can_say_whether_it_is_there() {
    let limits = Limits::default();
    let now = Timestamp(0);
    for (when, starts) in [
        (r#"{"exists":{"$from":"a"}}"#, false),
        (r#"{"not":{"exists":{"$from":"a"}}}"#, false),
        (r#"{"not":{"equals":[{"$from":"a","default":1},2]}}"#, true),
    ] {
        let text = format!(r#"{{"steps":[{{"id":"a","tool":"t"}},{{"id":"b","tool":"t","when":{when}}}]}}"#);
        let mut run = Run::new(super::tests::plan(&text, &limits), now, &limits);
        let unit = run.next(now).expect("the first step").unit;
        run.handle(now, Event::StepAnswered(unit, Bytes::from(r#"{"structuredContent":1}"#)));
        run.steps[0].elements[0] = Element::Lost;
        assert_eq!(run.next(now).is_some(), starts, "{when}");
        assert_eq!(run.steps[1].ended == Some(Ended::Failed), !starts, "{when}");
    }
}

/// Carries out what may start, in turns; returns how many starts there were in each.
fn turns(runs: &mut Runs, limits: &Limits) -> alloc::vec::Vec<usize> {
    let mut turns = alloc::vec::Vec::new();
    loop {
        runs.begin_turn();
        turns.push(core::iter::from_fn(|| runs.next(Timestamp(0), limits, |_| true)).count());
        if !runs.are_behind() {
            return turns;
        }
    }
}

#[test]
fn what_is_long_is_done_in_turns_and_all_of_it_is_done() {
    let limits = Limits { run_turn_bytes: 3_000, ..Limits::default() };
    let text = format!(
        r#"{{"max_parallel":32,"steps":[{{"id":"a","tool":"t","for_each":[1,2,3,4,5,6],"arguments":{{"x":"{}"}}}}]}}"#,
        "x".repeat(700)
    );
    let mut all = Runs::default();
    all.insert(RunId(1), key("k"), Run::new(super::tests::plan(&text, &limits), Timestamp(0), &limits));
    assert_eq!(turns(&mut all, &limits), [3, 3]);
    let mut short = runs(2, 3, &limits);
    assert_eq!(turns(&mut short, &limits), [6]);
}

#[test]
fn elements_that_are_left_out_and_arrays_take_turns_too() {
    let limits = Limits { run_turn_bytes: 3_000, ..Limits::default() };
    let long = "x".repeat(1_000);
    let each = |id: usize| {
        format!(
            r#"{{"id":"s{id}","tool":"t","for_each":["{long}","{long}"],"when":{{"equals":[{{"$item":""}},"{long}y"]}}}}"#
        )
    };
    let steps = [each(0), each(1), each(2)].join(",");
    let mut all = Runs::default();
    let plan = super::tests::plan(&format!(r#"{{"steps":[{steps}]}}"#), &limits);
    all.insert(RunId(1), key("k"), Run::new(plan, Timestamp(0), &limits));
    assert!(turns(&mut all, &limits).len() > 3);
    assert_eq!(all.get(RunId(1)).unwrap().status(), Status::Done);
}

const FALLBACK: &str = r#"{"id":"a","tool":"t","on_error":"skip"},{"id":"b","tool":"t","depends_on":["a"]},
    {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}},
    {"id":"d","tool":"t","arguments":{"x":{"$from":"a","default":0},"y":{"$from":"b","default":1},"z":{"$from":"c","default":2}}},
    {"id":"e","tool":"t","when":{"not":{"exists":{"$from":"a"}}}},
    {"id":"f","tool":"t","when":{"exists":{"$from":"b","path":"/x"}}},
    {"id":"g","tool":"t","depends_on":["b"],"arguments":{"x":{"$from":"b","default":1}}},
    {"id":"h","tool":"t","for_each":{"in":{"$from":"c","default":[7]}},"arguments":{"x":{"$item":""}}},
    {"id":"i","tool":"t","when":{"not_equals":[{"$from":"a"},1]}}"#;

#[test]
fn a_default_stands_in_for_what_failed_or_was_skipped_and_exists_asks_for_it() {
    let mut stage = Stage::of(FALLBACK);
    stage.fails("a", Happened::Failed);
    assert_eq!(stage.calls(), ["e({})", r#"d({"x":0,"y":1,"z":2})"#, r#"h({"x":7})"#]);
    for id in ["d", "e", "h"] {
        stage.says(id, "1");
    }
    let stand = "a failed, b skipped, c skipped, d done, e done, f skipped, g skipped, h done, i skipped";
    assert_eq!((stage.run.status(), &*stage.stand()), (Status::Done, stand));
    let mut stage = Stage::of(FALLBACK);
    stage.says("a", "1");
    stage.says("b", r#"{"x":1}"#);
    stage.says("c", "[8]");
    let calls = ["f({})", r#"g({"x":{"x":1}})"#, r#"d({"x":1,"y":{"x":1},"z":[8]})"#, r#"h({"x":8})"#];
    assert_eq!(stage.calls(), calls);
}

#[test]
fn a_default_stands_in_for_what_a_condition_skipped_and_for_what_that_skipped() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","when":{"equals":[{"$from":"a"},2]}},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}},
           {"id":"d","tool":"t","arguments":{"y":{"$from":"b","default":1},"z":{"$from":"c","default":2}}}"#,
    );
    stage.says("a", "1");
    assert_eq!(stage.calls(), [r#"d({"y":1,"z":2})"#]);
}

#[test]
fn text_that_is_json_is_read_wherever_a_pointer_goes_on_within_it() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","arguments":{"x":{"$from":"a","path":"/content/k/1"},"y":{"$from":"a","of":"result","path":"/content/0/text/k/0"},"z":"{{a#/content/k}}"}},
           {"id":"c","tool":"t","for_each":{"$from":"a","path":"/content/k"},"arguments":{"x":{"$item":"/n"}}}"#,
    );
    let unit = stage.take("a");
    let text = r#""{\"k\":[1,\"{\\\"n\\\":2}\"]}""#;
    let result = format!(
        r#"{{"content":[{{"type":"text","text":{text}}}],"structuredContent":{{"content":{text}}}}}"#
    );
    stage.feed(Event::StepAnswered(unit, Bytes::from(result)));
    let b = r#"b({"x":"{\"n\":2}","y":1,"z":"[1,\"{\\\"n\\\":2}\"]"})"#;
    assert_eq!(stage.calls(), [b], "1 has no n");
    assert_eq!(stage.stand(), "a done, b running, c failed");
}

#[test]
fn a_step_that_waits_for_another_try_when_its_run_ends_has_failed_as_it_did() {
    for (text, ends) in [(r#""deadline_ms":500"#, None), (r#""deadline_ms":50000"#, Some(Event::Cancelled))] {
        let steps = r#"{"id":"a","tool":"safe","retry":{"attempts":5,"backoff_ms":60000}},{"id":"b","tool":"t","depends_on":["a"]}"#;
        let mut stage = Stage::within(&format!(r#"{{{text},"steps":[{steps}]}}"#), &Limits::default());
        let unit = stage.take("a");
        let result = Bytes::from_static(br#"{"isError":true,"content":[{"type":"text","text":"busy"}]}"#);
        stage.feed(Event::StepAnswered(unit, result.clone()));
        match ends {
            Some(event) => stage.feed(event),
            None => stage.advance(500),
        }
        assert_ne!(stage.run.status(), Status::Running);
        assert_eq!(stage.stand(), "a failed, b skipped");
        let step = stage.run.report(stage.now, 0).steps.remove(0);
        assert_eq!((step.why.as_deref(), step.bytes, step.calls), (Some("busy"), result.len(), 1));
        assert!(stage.run.take_marks().calls.iter().any(|mark| mark.unit == unit && mark.tries == 1));
    }
}

#[test]
fn a_failure_elsewhere_ends_the_pause_of_a_step_too() {
    let mut stage = Stage::of(
        r#"{"id":"a","tool":"safe","retry":{"attempts":5}},{"id":"b","tool":"t"},{"id":"c","tool":"t"}"#,
    );
    stage.fails("a", Happened::Unknown);
    stage.fails("b", Happened::Failed);
    stage.says("c", "1");
    assert_eq!((stage.run.status(), &*stage.stand()), (Status::Failed, "a unknown, b failed, c done"));
}
