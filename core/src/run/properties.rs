//! Laws of runs, for any plan and any order in which its calls end.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::plan;
use super::{Event, Failure, Happened, Run, Start, Status};
use crate::plan::Plan;
use crate::{Limits, Timestamp};

fn config() -> ProptestConfig {
    ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }
}

/// A step: which earlier ones it refers to, how many elements it has (0: no `for_each`), and what a failure does.
type Drawn = (Vec<bool>, usize, u8, bool);

fn steps(on_error: core::ops::Range<u8>) -> impl Strategy<Value = Vec<Drawn>> {
    vec((vec(any::<bool>(), 8), 0..5_usize, on_error, any::<bool>()), 1..9)
}

fn text(steps: &[Drawn], width: usize) -> String {
    let step = |(index, (after, elements, on_error, guarded)): (usize, &Drawn)| {
        let earlier: Vec<usize> = (0..index).filter(|n| after[*n]).collect();
        let refs: Vec<String> =
            earlier.iter().map(|n| format!(r#"{{"$from":"s{n}","default":null}}"#)).collect();
        let each: Vec<String> = (0..*elements).map(|n| n.to_string()).collect();
        let each = if *elements > 0 {
            format!(r#","for_each":{{"in":[{}],"width":2}}"#, each.join(","))
        } else {
            String::new()
        };
        let when = match earlier.first().filter(|_| *guarded) {
            Some(n) => format!(r#","when":{{"exists":{{"$from":"s{n}"}}}}"#),
            None => String::new(),
        };
        let on_error = ["skip", "continue", "fail"][usize::from(*on_error)];
        format!(
            r#"{{"id":"s{index}","tool":"t","arguments":{{"x":[{}]}},"on_error":"{on_error}"{each}{when}}}"#,
            refs.join(",")
        )
    };
    let steps: Vec<String> = steps.iter().enumerate().map(step).collect();
    format!(r#"{{"max_parallel":{width},"steps":[{}]}}"#, steps.join(","))
}

/// Whether a call fails: by which it is, not by when it ends.
fn fails(start: &Start, failing: &[bool]) -> bool {
    failing[(start.unit.step * 3 + start.unit.element) % failing.len()]
}

/// Carries a plan out, ending calls in the order that `order` picks, and checks each start. Returns the run.
fn carried_out(plan: &Arc<Plan>, order: &[usize], failing: &[bool], cancel_after: Option<usize>) -> Run {
    let now = Timestamp(0);
    let mut run = Run::new(Arc::clone(plan), now, &Limits::default());
    let mut under_way: Vec<Start> = Vec::new();
    let mut over: BTreeSet<usize> = BTreeSet::new();
    let (mut ended, mut turn) = (0, 0);
    loop {
        while let Some(start) = run.next(now) {
            let step = &plan.steps[start.unit.step];
            assert!(!over.contains(&start.unit.step), "a call of a step that has ended");
            let waits = |state: &usize| {
                let report = &run.report(now, 0).steps[*state];
                matches!(report.status, "waiting" | "running")
            };
            assert!(!step.after.iter().any(waits), "a step before what it waits for");
            assert!(!under_way.iter().any(|other| other.unit == start.unit), "a call twice");
            under_way.push(start);
            let own = under_way.iter().filter(|other| other.unit.step == under_way.last().unwrap().unit.step);
            assert!(own.count() <= step.for_each.as_ref().map_or(1, |each| each.width), "too wide a step");
            assert!(under_way.len() <= plan.max_parallel, "too wide a run");
        }
        assert_eq!(run.in_flight(), under_way.len());
        for (index, step) in run.report(now, 0).steps.iter().enumerate() {
            if !matches!(step.status, "waiting" | "running") {
                over.insert(index);
            }
        }
        if under_way.is_empty() {
            break;
        }
        let start = under_way.remove(order[turn % order.len()] % under_way.len());
        turn += 1;
        let event = if fails(&start, failing) {
            Event::StepFailed(start.unit, Failure { words: "no".into(), happened: Happened::Failed })
        } else {
            let (step, element) = (start.unit.step, start.unit.element);
            let result = format!(r#"{{"structuredContent":["{step}.{element}",{}]}}"#, start.arguments.len());
            Event::StepAnswered(start.unit, Bytes::from(result))
        };
        assert!(run.handle(now, event).is_empty());
        ended += 1;
        if cancel_after == Some(ended) {
            let given_up: BTreeSet<_> = run.handle(now, Event::Cancelled).into_iter().collect();
            assert_eq!(given_up, under_way.iter().map(|start| start.unit).collect());
            under_way.clear();
            assert!(run.next(now).is_none(), "a start after the end");
        }
    }
    run
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_run_ends_and_keeps_its_order_and_its_width(
        steps in steps(0..3), width in 1..5_usize, order in vec(0..100_usize, 1..20), failing in vec(any::<bool>(), 1..7),
    ) {
        let plan = plan(&text(&steps, width), &Limits::default());
        let run = carried_out(&plan, &order, &failing, None);
        prop_assert_ne!(run.status(), Status::Running);
        prop_assert!(run.deadline().is_none());
        prop_assert_eq!(run.progress(), (steps.len(), steps.len()));
    }

    #[test]
    fn the_order_in_which_calls_end_changes_nothing_but_the_times(
        steps in steps(0..2),
        widths in (1..5_usize, 1..5_usize),
        orders in (vec(0..100_usize, 1..20), vec(0..100_usize, 1..20)),
        failing in vec(prop::bool::weighted(0.2), 1..7),
    ) {
        // A failure that ends its step, or the run, meets others sooner or later; so those of elements go on here.
        let steps: Vec<Drawn> = steps
            .into_iter()
            .map(|(after, elements, on_error, guarded)| (after, elements, if elements > 0 { 1 } else { on_error }, guarded))
            .collect();
        let run = |width, order: &[usize]| {
            let plan = plan(&text(&steps, width), &Limits::default());
            carried_out(&plan, order, &failing, None)
        };
        let (one, other) = (run(widths.0, &orders.0), run(widths.1, &orders.1));
        prop_assert_eq!(one.output(), other.output());
        prop_assert_eq!(one.report(Timestamp(0), 0), other.report(Timestamp(0), 0));
    }

    #[test]
    fn nothing_starts_once_a_run_is_cancelled(
        steps in steps(0..3), order in vec(0..100_usize, 1..20), failing in vec(any::<bool>(), 1..7), after in 1..6_usize,
    ) {
        let plan = plan(&text(&steps, 3), &Limits::default());
        let run = carried_out(&plan, &order, &failing, Some(after));
        prop_assert_ne!(run.status(), Status::Running);
    }
}
