//! What the runs of several keys have of what they share.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

use super::tests::{key, plan};
use super::{Event, Failure, Happened, Run, Runs, Start, Status};
use crate::ids::RunId;
use crate::plan::Pointer;
use crate::{Limits, Timestamp};

const NOW: Timestamp = Timestamp(0);

/// Begins runs, each of calls without an order.
fn begin(runs: &mut Runs, whose: &str, ids: core::ops::Range<u64>, limits: &Limits) {
    let steps: Vec<String> = (0..10).map(|n| format!(r#"{{"id":"s{n}","tool":"t"}}"#)).collect();
    let plan = plan(&format!(r#"{{"steps":[{}]}}"#, steps.join(",")), limits);
    for id in ids {
        runs.insert(RunId(id), key(whose), Run::new(Arc::clone(&plan), NOW, limits));
    }
}

fn start(runs: &mut Runs, limits: &Limits) -> Vec<(u64, Start)> {
    core::iter::from_fn(|| runs.next(NOW, limits, |_| true)).map(|(id, start)| (id.0, start)).collect()
}

fn end(runs: &mut Runs, (id, start): &(u64, Start)) {
    runs.handle(
        RunId(*id),
        NOW,
        &Limits::default(),
        Event::StepAnswered(start.unit, Bytes::from_static(b"{}")),
    );
}

#[test]
fn a_key_with_a_thousand_runs_of_slow_calls_leaves_others_room_to_begin_and_to_go_on() {
    let limits = Limits::default();
    let mut runs = Runs::default();
    for id in 0..1_000 {
        if runs.admit(&key("busy"), &limits) {
            begin(&mut runs, "busy", id..id + 1, &limits);
        }
    }
    assert_eq!(runs.open(), limits.project_runs / 2);
    assert_eq!(start(&mut runs, &limits).len(), limits.project_run_calls / 2);
    for (id, name) in (1_000..).zip(["a", "b", "c", "d"]) {
        assert!(runs.admit(&key(name), &limits), "{name}");
        begin(&mut runs, name, id..id + 1, &limits);
        let mut under_way = start(&mut runs, &limits);
        assert_eq!(under_way.len(), 8, "as many as its plan makes at a time: {name}");
        while let Some(call) = under_way.pop() {
            assert_eq!(call.0, id);
            end(&mut runs, &call);
            under_way.extend(start(&mut runs, &limits));
        }
        assert_eq!(runs.get(RunId(id)).unwrap().status(), Status::Done);
    }
}

#[test]
fn what_is_free_comes_to_those_who_have_least_until_all_have_the_same() {
    let limits = Limits { project_run_calls: 12, ..Limits::default() };
    let mut runs = Runs::default();
    begin(&mut runs, "a", 0..3, &limits);
    let mut first = start(&mut runs, &limits);
    assert_eq!(first.len(), 6);
    begin(&mut runs, "b", 3..6, &limits);
    let mut second = start(&mut runs, &limits);
    assert_eq!(second.iter().filter(|(id, _)| *id >= 3).count(), 3);
    for _ in 0..9 {
        end(&mut runs, &first.remove(0));
        for call in start(&mut runs, &limits) {
            if call.0 < 3 { first.push(call) } else { second.push(call) }
        }
    }
    let each = [first.len(), second.len()];
    assert!(each.iter().all(|own| [4, 5].contains(own)), "a third each, and one more at most: {each:?}");
    assert!(runs.usage().in_flight < limits.project_run_calls, "something is left for whoever comes");
}

#[test]
fn keys_take_turns_whatever_runs_they_have() {
    let limits = Limits::default();
    let mut runs = Runs::default();
    begin(&mut runs, "many", 0..3, &limits);
    begin(&mut runs, "one", 3..4, &limits);
    let turns: Vec<u64> = start(&mut runs, &limits).into_iter().map(|(id, _)| id).take(6).collect();
    assert_eq!(turns, [0, 3, 1, 3, 2, 3]);
}

#[test]
fn a_key_whose_runs_have_ended_has_all_its_share_again() {
    let limits = Limits { project_runs: 2, ..Limits::default() };
    let mut runs = Runs::default();
    for id in 0..3 {
        assert!(runs.admit(&key("a"), &limits));
        begin(&mut runs, "a", id..id + 1, &limits);
        assert!(!runs.admit(&key("a"), &limits));
        assert!(!start(&mut runs, &limits).is_empty());
        runs.handle(RunId(id), NOW, &limits, Event::Cancelled);
        assert_eq!((runs.open(), runs.usage().in_flight), (0, 0));
    }
}

#[test]
fn results_of_open_runs_are_kept_while_their_key_leaves_as_much_to_others() {
    let limits = Limits { project_run_bytes: 100_000, ..Limits::default() };
    let mut runs = Runs::default();
    let answer = |runs: &mut Runs, (id, call): &(u64, Start), length: usize| {
        let result = Bytes::from(format!(r#"{{"structuredContent":"{}"}}"#, "x".repeat(length - 24)));
        runs.handle(RunId(*id), NOW, &limits, Event::StepAnswered(call.unit, result));
        runs.expire(NOW, &limits)
    };
    let report = |runs: &Runs, id: u64| runs.get(RunId(id)).unwrap().report(NOW, 0);
    begin(&mut runs, "quiet", 0..1, &limits);
    for _ in 0..2 {
        for call in start(&mut runs, &limits) {
            answer(&mut runs, &call, 2_000);
        }
    }
    let plan = runs.get(RunId(0)).unwrap().plan().bytes;
    assert_eq!((runs.open(), runs.usage().bytes), (0, plan + 20_000));

    begin(&mut runs, "busy", 1..3, &limits);
    let (first, second): (Vec<_>, Vec<_>) =
        start(&mut runs, &limits).into_iter().partition(|(id, _)| *id == 1);
    for call in second.iter().take(2).chain(first.iter().take(4)) {
        answer(&mut runs, call, 10_000);
    }
    let steps = report(&runs, 1).steps;
    assert_eq!((steps[2].status, steps[3].status), ("done", "unknown"), "half of all, and no more");
    let words = "it was made, but its result is not kept: limit project_run_bytes reached (100000)";
    assert_eq!(steps[3].why.as_deref(), Some(words));

    begin(&mut runs, "other", 3..4, &limits);
    let other: Vec<_> = start(&mut runs, &limits).into_iter().filter(|(id, _)| *id == 3).collect();
    assert!(answer(&mut runs, &other[0], 25_000).is_empty(), "there is room for all");
    for call in first.iter().skip(4) {
        answer(&mut runs, call, 10_000);
    }
    assert_eq!(runs.get(RunId(1)).map(Run::status), Some(Status::Failed));
    assert_eq!(answer(&mut runs, &other[1], 10_000), [RunId(1)], "of the key that has most one makes room");
    assert_eq!(report(&runs, 3).steps[1].status, "done");
}

#[test]
fn a_key_whose_results_are_many_makes_room_itself() {
    let limits = Limits::default();
    let mut runs = Runs::default();
    begin(&mut runs, "quiet", 0..1, &limits);
    begin(&mut runs, "busy", 1..4, &limits);
    let mut under_way = start(&mut runs, &limits);
    for (id, result) in [(0, "{}"), (1, "{}"), (2, r#"{"structuredContent":"0123456789"}"#), (3, "{}")] {
        while let Some(at) = under_way.iter().position(|(whose, _)| *whose == id) {
            let (_, call) = under_way.remove(at);
            runs.handle(
                RunId(id),
                Timestamp(id),
                &limits,
                Event::StepAnswered(call.unit, Bytes::from(result)),
            );
            under_way.extend(start(&mut runs, &limits));
        }
        assert_eq!(runs.get(RunId(id)).map(Run::status), Some(Status::Done));
    }
    let plan = runs.get(RunId(0)).unwrap().plan().bytes;
    assert_eq!(runs.usage().bytes, 4 * plan + 400);
    let limits = Limits { project_run_bytes: 4 * plan + 399, ..limits };
    assert_eq!(runs.expire(Timestamp(9), &limits), [RunId(1)], "the other key's is older");
    let limits = Limits { project_runs: 2, ..limits };
    assert_eq!(runs.expire(Timestamp(9), &limits), [RunId(2)]);
}

#[test]
fn errors_take_no_more_room_than_results_and_are_cut_where_there_is_none() {
    let limits = Limits { project_run_bytes: 100_000, ..Limits::default() };
    let mut runs = Runs::default();
    let text = r#"{"max_parallel":16,"steps":[{"id":"a","tool":"t","for_each":[1,2,3,4,5,6,7,8],"on_error":"continue"},{"id":"b","tool":"safe","retry":{"attempts":2}}]}"#;
    runs.insert(RunId(1), key("a"), Run::new(plan(text, &limits), NOW, &limits));
    for (id, call) in start(&mut runs, &limits) {
        let words = "\u{e9}".repeat(10_000);
        let error = format!(r#"{{"content":[{{"type":"text","text":"{words}"}}],"isError":true}}"#);
        runs.handle(RunId(id), NOW, &limits, Event::StepAnswered(call.unit, error.into()));
    }
    let run = runs.get(RunId(1)).unwrap();
    assert_eq!((runs.usage().bytes, run.bytes()), (run.bytes(), run.bytes()));
    let bytes = run.report(NOW, 0).steps[0].bytes;
    assert!((60_000..80_000).contains(&bytes), "three whole ones, half of what there may be: {bytes}");
    let first = run.value(Some("a"), &Pointer::parse("/0").unwrap()).unwrap();
    let last = run.value(Some("a"), &Pointer::parse("/7").unwrap()).unwrap();
    assert!(first.len() > 20_000 && last.len() < 2_100 && last.ends_with("\u{2026}\"".as_bytes()));
    runs.handle(RunId(1), NOW, &limits, Event::Cancelled);
    let steps = runs.get(RunId(1)).unwrap().report(NOW, 0).steps;
    let words = |step: usize| steps[step].why.as_deref().unwrap().chars().count();
    assert_eq!((words(0), words(1)), (1_025, 1_025), "also of what was to be tried again");
}

#[test]
fn what_steps_are_done_for_takes_room_until_they_end() {
    let limits = Limits { project_run_bytes: 30_000, ..Limits::default() };
    let steps = r#"{"id":"o","tool":"t"},{"id":"l","tool":"t"},{"id":"a","tool":"t","for_each":{"in":{"$from":"l"},"width":1}},{"id":"b","tool":"t","for_each":{"$from":"l"},"on_error":"skip"}"#;
    let mut runs = Runs::default();
    let plan = plan(&format!(r#"{{"steps":[{steps}]}}"#), &limits);
    runs.insert(RunId(1), key("a"), Run::new(plan, NOW, &limits));
    let text = format!(r#"[\"{}\",2]"#, "x".repeat(10_000));
    let list = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#);
    let mut first = start(&mut runs, &limits);
    end(&mut runs, &first.remove(0));
    runs.handle(RunId(1), NOW, &limits, Event::StepAnswered(first[0].1.unit, list.clone().into()));
    let array = 10_006;
    let failed = runs.get(RunId(1)).unwrap().report(NOW, 0).steps.remove(3);
    let plan = runs.get(RunId(1)).unwrap().plan().bytes;
    assert_eq!(runs.usage().bytes, plan + 2 + list.len() + array + failed.bytes);
    let why = failed.why.as_deref();
    assert_eq!(why, Some("limit project_run_bytes reached (30000) by for_each"));
    for _ in 0..2 {
        let call = start(&mut runs, &limits).remove(0);
        end(&mut runs, &call);
    }
    assert_eq!(runs.usage().bytes, plan + 2 + list.len() + failed.bytes + 4);
}

#[test]
fn a_plan_takes_room_as_long_as_its_run_is_kept() {
    let limits = Limits { project_run_bytes: 10_000, ..Limits::default() };
    let words = "x".repeat(2_000);
    let plan =
        plan(&format!(r#"{{"steps":[{{"id":"a","tool":"t","arguments":{{"say":"{words}"}}}}]}}"#), &limits);
    let mut runs = Runs::default();
    for id in 0..3 {
        assert!(runs.admit_bytes(&key("a"), &limits), "{id}");
        runs.insert(RunId(id), key("a"), Run::new(Arc::clone(&plan), NOW, &limits));
    }
    assert_eq!(runs.usage().bytes, 3 * plan.bytes);
    assert!(!runs.admit_bytes(&key("a"), &limits), "as much is left for others");
    assert!(runs.admit_bytes(&key("b"), &limits));
    for id in 0..3 {
        runs.handle(RunId(id), NOW, &limits, Event::Cancelled);
    }
    assert!(runs.admit_bytes(&key("a"), &limits), "what has ended makes room");
    let limits = Limits { project_run_bytes: 2 * plan.bytes, ..limits };
    assert_eq!(runs.expire(NOW, &limits), [RunId(0)]);
}

#[test]
fn words_of_failures_take_no_room_of_others_however_many_they_are() {
    let limits = Limits { project_run_bytes: 1_000_000, run_words_bytes: 10_000, ..Limits::default() };
    let mut runs = Runs::default();
    let text = r#"{"max_parallel":32,"steps":[{"id":"a","tool":"t","for_each":{"in":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32],"width":32},"on_error":"continue","retry":{"attempts":2}}]}"#;
    let plan = plan(text, &limits);
    for id in 0..4 {
        runs.insert(RunId(id), key("a"), Run::new(Arc::clone(&plan), NOW, &limits));
    }
    let words = "\u{1}".repeat(3_000);
    for happened in [Happened::Nothing, Happened::Failed] {
        for (id, call) in start(&mut runs, &limits) {
            let failure = Failure { words: words.clone(), happened };
            runs.handle(RunId(id), NOW, &limits, Event::StepFailed(call.unit, failure));
        }
        assert!(runs.usage().bytes < 700_000, "{happened:?}: half, and a little: {}", runs.usage().bytes);
        for id in 0..4 {
            runs.handle(RunId(id), NOW.after(limits.step_backoff), &limits, Event::TimerFired);
        }
    }
    let words = runs.get(RunId(3)).unwrap().value(Some("a"), &Pointer::default()).unwrap();
    let unkept = "it failed, and there was no room to keep what it said";
    assert!(core::str::from_utf8(&words).unwrap().matches(unkept).count() > 20);
    begin(&mut runs, "b", 20..21, &limits);
    let other: Vec<_> = start(&mut runs, &limits).into_iter().filter(|(id, _)| *id == 20).collect();
    for call in &other {
        end(&mut runs, call);
    }
    assert!(
        runs.get(RunId(20)).unwrap().report(NOW, 0).steps.iter().take(8).all(|step| step.status == "done")
    );
}
