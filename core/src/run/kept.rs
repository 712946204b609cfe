//! What a step has come to is known in every life, however its results are kept.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::lives::{Lives, stands};
use super::{Event, Happened, Status, Unit};
use crate::Limits;

/// `a` may be called twice, and its result is too long to be stored.
const FETCHED: &str = r#"{"id":"a","tool":"safe"},
    {"id":"b","tool":"t","arguments":{"x":{"$from":"a"}},"on_error":"skip"},
    {"id":"each","tool":"t","for_each":{"in":{"$from":"a"},"width":1},"on_error":"continue"},
    {"id":"w","tool":"safe"}"#;

fn why(lives: &Lives, step: usize) -> String {
    lives.stage.run.report(lives.stage.now, 0).steps[step].why.clone().unwrap_or_default()
}

#[test]
fn nothing_is_asked_for_once_more_that_nothing_needs() {
    let mut lives = Lives::of(FETCHED);
    lives.stage.says("a", "[1,2]");
    lives.stage.says("b", "7");
    lives.stage.says("each", "8");
    lives.stage.says("each", "9");
    lives.restart(&["a"]);
    assert_eq!(lives.stage.calls(), ["w({})"]);
    lives.stage.says("w", "1");
    for _ in 0..2 {
        assert_eq!(lives.stands(), stands(Status::Done, "a done, b done, each done, w done"));
        assert!(why(&lives, 0).contains("run_stored_bytes") && lives.stage.run.is_done_whole());
        lives.restart(&["a"]);
    }
}

#[test]
fn what_cannot_be_asked_for_once_more_was_done_all_the_same_and_what_is_made_of_it_fails() {
    let mut lives = Lives::of(FETCHED);
    lives.stage.says("a", "[1,2,3]");
    lives.stage.says("each", "8");
    lives.stage.fails("b", Happened::Failed);
    lives.restart(&["a"]);
    assert_eq!(lives.stage.calls(), ["a({})", "w({})"]);
    lives.stage.fails("a", Happened::Failed);
    assert_eq!(lives.stage.calls(), ["w({})"]);
    lives.stage.says("w", "1");
    let after = stands(Status::Done, "a done, b failed, each unknown, w done");
    for _ in 0..2 {
        assert_eq!(lives.stands(), after);
        lives.restart(&["a"]);
    }
    // What has failed is made of it: it is asked for once more with each retry.
    lives.again();
    assert_eq!(lives.stage.calls(), ["a({})"]);
    assert_eq!(lives.stage.stand(), "a done, b waiting, each running, w done");
    lives.stage.says("a", "[1,2,3]");
    assert_eq!(lives.stage.calls(), [r#"b({"x":[1,2,3]})"#, "each({})"]);
    lives.stage.says("b", "7");
    lives.stage.says("each", "9");
    lives.stage.says("each", "9");
    assert_eq!(lives.stands(), stands(Status::Done, "a done, b done, each done, w done"));
}

#[test]
fn what_was_done_was_done_also_where_its_condition_would_not_hold_any_more() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"safe"},{"id":"b","tool":"safe","when":{"equals":[{"$from":"a"},1]}},
           {"id":"w","tool":"safe"},{"id":"c","tool":"t","arguments":{"x":{"$from":"b"}},"depends_on":["w"]}"#,
    );
    lives.stage.says("a", "1");
    lives.stage.says("b", "2");
    lives.restart(&["a", "b"]);
    assert_eq!(
        lives.stage.calls(),
        ["b({})", "w({})"],
        "nothing that is still to be done asks for the other one"
    );
    lives.stage.says("b", "3");
    lives.stage.says("w", "1");
    assert_eq!(lives.stage.calls(), [r#"c({"x":3})"#]);
}

#[test]
fn what_was_made_of_something_that_is_lost_is_not_made_once_more() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"safe","arguments":{"x":{"$from":"a"}}},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}},{"id":"w","tool":"safe"}"#,
    );
    lives.stage.says("a", "1");
    lives.stage.says("b", "2");
    lives.stage.says("c", "3");
    for _ in 0..2 {
        lives.restart(&["a", "b"]);
        assert_eq!(lives.stage.calls(), ["w({})"]);
        assert_eq!(lives.stage.stand(), "a done, b done, c done, w running");
    }
    lives.stage.fails("w", Happened::Failed);
    lives.again();
    assert_eq!(lives.stage.calls(), ["w({})"]);
    lives.stage.says("w", "1");
    assert_eq!(lives.stands(), stands(Status::Done, "a done, b done, c done, w done"));
}

#[test]
fn what_was_done_stays_so_when_its_run_is_stopped_while_it_is_asked_for_once_more() {
    for event in [Event::Cancelled, Event::TimerFired] {
        let mut lives = Lives::of(FETCHED);
        lives.stage.says("a", "[1,2,3]");
        lives.stage.says("each", "8");
        lives.stage.says("b", "7");
        lives.restart(&["a"]);
        assert_eq!(lives.stage.calls(), ["a({})", "w({})"]);
        lives.stage.now = lives.stage.now.after(Limits::default().run_deadline);
        lives.stage.feed(event.clone());
        for _ in 0..2 {
            assert!(lives.stage.stand().starts_with("a done, b done, each "), "{}", lives.stage.stand());
            lives.restart(&["a"]);
        }
    }
}

#[test]
fn a_step_without_calls_is_done_in_every_life_until_something_before_it_begins_anew() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},{"id":"none","tool":"t","for_each":{"$from":"a","path":"/none"}},
           {"id":"out","tool":"t","for_each":{"$from":"a","path":"/two"},"when":{"equals":[1,2]}},
           {"id":"off","tool":"t","when":{"equals":[{"$from":"a","path":"/n"},2]}},
           {"id":"after","tool":"t","arguments":{"x":{"$from":"off"}}},
           {"id":"z","tool":"t"}"#,
    );
    lives.stage.says("a", r#"{"none":[],"two":[1,2],"n":1}"#);
    lives.stage.fails("z", Happened::Failed);
    for _ in 0..3 {
        let steps = "a done, none done, out done, off skipped, after skipped";
        assert_eq!(lives.stands(), stands(Status::Failed, &format!("{steps}, z failed")));
        lives.restart(&["a"]);
        lives.again();
        assert_eq!(
            (lives.stage.calls(), lives.stage.stand()),
            (["z({})".into()].into(), format!("{steps}, z running"))
        );
        lives.stage.fails("z", Happened::Failed);
    }
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t","on_error":"continue"},{"id":"b","tool":"t","when":{"equals":[{"$from":"a"},1]}}"#,
    );
    lives.stage.fails("a", Happened::Failed);
    assert_eq!(lives.stands(), stands(Status::Done, "a failed, b skipped"));
    lives.again();
    lives.stage.says("a", "1");
    assert_eq!(lives.stage.calls(), ["b({})"]);
}

#[test]
fn a_step_that_failed_before_it_had_elements_makes_no_calls_in_another_life() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"safe"},
           {"id":"b","tool":"t","for_each":{"$from":"a"},"on_error":"skip"},{"id":"w","tool":"safe"},
           {"id":"c","tool":"t","depends_on":["w"],"arguments":{"x":{"$from":"a"}}}"#,
    );
    lives.stage.says("a", "7");
    assert_eq!(lives.stage.stand(), "a done, b failed, w running, c waiting");
    lives.restart(&["a"]);
    lives.stage.says("a", "[1,2]");
    assert_eq!(
        (lives.stage.calls(), lives.stage.stand()),
        (["w({})".into()].into(), "a done, b failed, w running, c waiting".into())
    );
}

#[test]
fn calls_that_were_admitted_once_are_admitted_in_every_life_and_those_that_were_not_are_not() {
    let steps = r#"{"id":"late","tool":"t","for_each":{"in":[1,2,3,4,5,6],"width":1},"depends_on":["first"],"on_error":"skip"},
         {"id":"first","tool":"t"},{"id":"each","tool":"t","for_each":{"in":[1,2,3,4,5,6],"width":1}}"#;
    let mut lives = Lives::of(steps);
    lives.stage.limits.run_calls = 10;
    lives.stage.run = super::Run::new(lives.stage.run.plan().clone(), lives.stage.now, &lives.stage.limits);
    lives.stage.under_way.clear();
    lives.stage.start();
    lives.stage.says("first", "1");
    lives.stage.says("each", "1");
    let words = "limit run_calls reached (10): it has 6 elements";
    for _ in 0..3 {
        assert_eq!(why(&lives, 0), words);
        lives.stage.limits.run_calls = 3;
        lives.restart(&[]);
        assert_eq!(why(&lives, 0), words);
        assert_eq!(lives.stage.run.status(), Status::Failed, "what was under way is unknown");
        assert_eq!(lives.stage.stand(), "late failed, first done, each unknown");
    }
    lives.again();
    assert_eq!(lives.stage.calls(), ["each({})"], "what it had may go on");
    for _ in 0..5 {
        lives.stage.says("each", "1");
    }
    assert_eq!(lives.stage.stand(), "late failed, first done, each done");
}

#[test]
fn a_run_of_a_release_that_did_not_say_how_steps_end_goes_on() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","for_each":{"in":{"$from":"a"},"width":1}},{"id":"c","tool":"t","depends_on":["b"]}"#,
    );
    lives.stage.says("a", "[1,2]");
    lives.stage.says("b", "1");
    lives.stage.says("b", "2");
    lives.restart_without_ends(&["a"]);
    assert_eq!(lives.stands(), stands(Status::Failed, "a done, b done, c unknown"));
    let mut lives = Lives::of(r#"{"id":"a","tool":"t"},{"id":"b","tool":"t","when":{"equals":[1,2]}}"#);
    lives.stage.says("a", "1");
    lives.restart_without_ends(&[]);
    assert_eq!(lives.stands(), stands(Status::Done, "a done, b skipped"));
}

#[test]
fn an_array_that_has_changed_leaves_no_elements_of_both_behind() {
    let mut lives = Lives::of(
        r#"{"id":"l","tool":"safe"},{"id":"e","tool":"safe","for_each":{"in":{"$from":"l"},"width":9},"arguments":{"x":{"$item":""}}},
           {"id":"w","tool":"safe"},{"id":"z","tool":"t","depends_on":["w"],"arguments":{"x":{"$from":"e"}}}"#,
    );
    lives.stage.says("l", "[1,2,3]");
    (1..4).for_each(|n| lives.stage.says("e", &format!("{n}")));
    // One of them is not stored.
    lives.lose("l", 0);
    lives.lose("e", 1);
    lives.restart(&[]);
    lives.stage.says("l", "[10,20]");
    assert_eq!(lives.stage.calls(), ["w({})"], "it was done, for the array that there was");
    lives.stage.says("w", "1");
    for _ in 0..2 {
        assert_eq!(lives.stands(), stands(Status::Failed, "l done, e done, w done, z failed"));
        assert!(why(&lives, 3).contains(super::begin::CHANGED), "{}", why(&lives, 3));
        assert!(why(&lives, 1).contains(super::begin::CHANGED), "{}", why(&lives, 1));
        lives.restart(&[]);
    }
}

#[test]
fn what_is_done_anew_for_another_array_leaves_nothing_of_the_first_one() {
    let mut lives = Lives::of(
        r#"{"id":"l","tool":"safe"},{"id":"e","tool":"safe","for_each":{"in":{"$from":"l"},"width":2},"arguments":{"x":{"$item":""}}}"#,
    );
    lives.stage.says("l", "[1,2,3,4]");
    (1..4).for_each(|n| lives.stage.says("e", &format!("{n}")));
    lives.lose("l", 0);
    lives.lose("e", 2);
    lives.restart(&[]);
    lives.stage.says("l", "[7]");
    lives.stage.says("e", "70");
    for _ in 0..2 {
        assert_eq!(
            (lives.stands(), &*lives.stage.output()),
            (stands(Status::Done, "l done, e done"), r#"{"e":[70]}"#)
        );
        lives.restart(&[]);
    }
}

#[test]
fn what_was_made_of_something_that_begins_anew_is_not_asked_for_once_more() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"safe","on_error":"continue"},{"id":"b","tool":"safe","arguments":{"x":{"$from":"a"}}},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}}"#,
    );
    lives.stage.fails("a", Happened::Failed);
    lives.stage.says("b", "2");
    lives.stage.fails("c", Happened::Failed);
    lives.restart(&["b"]);
    lives.again();
    lives.stage.says("a", "1");
    assert_eq!((lives.stage.calls().len(), lives.stage.stand()), (0, "a done, b done, c failed".into()));
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"safe","on_error":"continue"},
           {"id":"b","tool":"safe","when":{"not_equals":[{"$from":"a","path":"/ok","default":false},true]}},
           {"id":"c","tool":"t","arguments":{"x":{"$from":"b"}}}"#,
    );
    lives.stage.fails("a", Happened::Failed);
    lives.stage.says("b", "2");
    lives.stage.fails("c", Happened::Failed);
    lives.restart(&["b"]);
    lives.again();
    lives.stage.says("a", r#"{"ok":true}"#);
    lives.stage.says("b", "2");
    assert_eq!(lives.stage.calls(), [r#"c({"x":2})"#], "its condition held when it was done");
}

#[test]
fn of_a_failure_that_is_not_kept_whole_nothing_is_made() {
    let mut lives = Lives::of(
        r#"{"id":"a","tool":"t","on_error":"continue"},{"id":"w","tool":"safe"},
           {"id":"b","tool":"t","depends_on":["w"],"arguments":{"x":{"$from":"a","path":"/n"}}}"#,
    );
    let error = format!(r#"{{"structuredContent":{{"n":5,"long":"{}"}},"isError":true}}"#, "x".repeat(2_000));
    let unit = lives.stage.take("a");
    lives.stage.feed(Event::StepAnswered(unit, error.into()));
    let before = why(&lives, 0);
    lives.cut("a");
    lives.restart(&[]);
    assert_eq!((why(&lives, 0), before.chars().count()), (before, 1_025));
    lives.stage.says("w", "1");
    let words = "what step a said of its failure was not kept whole";
    assert!(why(&lives, 2).contains(words), "{}", why(&lives, 2));
    let shown = lives.stage.run.value(Some("a"), &crate::plan::Pointer::default()).unwrap();
    assert!(shown.len() > 1_000, "it can be read all the same");
    let said = |step| lives.stage.run.is_cut_at(Some(step), &crate::plan::Pointer::default());
    assert!(said("a").unwrap().contains(words) && said("w").is_none());
}

#[test]
fn a_call_that_may_be_made_twice_and_was_under_way_is_unknown_where_it_is_not_made_again() {
    let plan = r#"{"id":"pay","tool":"t"},{"id":"put","tool":"safe"},{"id":"each","tool":"safe","for_each":{"in":[1,2,3],"width":2}},
        {"id":"late","tool":"safe","depends_on":["put"]}"#;
    let mut lives = Lives::of(plan);
    for step in ["pay", "put"] {
        lives.stage.take(step);
    }
    lives.restart(&["pay"]);
    assert_eq!(
        lives.stands(),
        stands(Status::Failed, "pay unknown, put unknown, each unknown, late skipped")
    );
    assert!(
        why(&lives, 1).contains("another step has failed; it may have been under way"),
        "{}",
        why(&lives, 1)
    );
    lives.restart(&[]);
    assert_eq!(
        lives.stands(),
        stands(Status::Failed, "pay unknown, put unknown, each unknown, late skipped")
    );

    let mut lives =
        Lives::of(r#"{"id":"put","tool":"safe"},{"id":"late","tool":"safe","depends_on":["put"]}"#);
    lives.stage.take("put");
    lives.stage.now = lives.stage.now.after(Limits::default().run_deadline);
    lives.restart(&[]);
    let unsent: Vec<Unit> = lives.stage.run.running().collect();
    assert_eq!(unsent.len(), 1);
    lives.stage.run.note_unsent(unsent);
    lives.stage.feed(Event::TimerFired);
    assert_eq!(lives.stands(), stands(Status::TimedOut, "put unknown, late skipped"));
}
