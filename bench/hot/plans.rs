//! The scheduler of plans, with ten thousand runs open: a call starts, and the one that started first is answered.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use orch_core::plan::{Plan, Tools};
use orch_core::run::{Event, Run, Runs, Unit};
use orch_core::{KeyId, Limits, RunId};

use crate::stage::NOW;

const OPEN: u64 = 10_000;

struct Anything;

impl Tools for Anything {
    fn definition(&self, _: &str) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("{}"))
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Twenty calls: fifteen side by side, and a chain of five that hand a value on.
fn text() -> String {
    let side: Vec<String> =
        (0..15).map(|n| format!(r#"{{"id":"s{n}","tool":"a.b","arguments":{{"n":{n}}}}}"#)).collect();
    let chain = |n: u32| {
        let before = n
            .checked_sub(1)
            .map(|n| format!(r#""x":{{"$from":"c{n}","path":"/v"}},"s":"<{{{{c{n}#/v}}}}>""#));
        format!(r#"{{"id":"c{n}","tool":"a.b","arguments":{{{}}}}}"#, before.unwrap_or_default())
    };
    let chain: Vec<String> = (0..5).map(chain).collect();
    format!(r#"{{"steps":[{},{}]}}"#, side.join(","), chain.join(","))
}

/// Ten thousand times two decisions: which call starts, with which arguments; and what follows from an answer. A run that has ended makes
/// room for another.
#[divan::bench]
fn decisions_with_ten_thousand_runs_open(bencher: Bencher<'_, '_>) {
    let limits = Limits::default();
    let plan = Arc::new(Plan::read(text().as_bytes(), &Anything, &limits).expect("a good plan"));
    let (mut runs, key) = (Runs::default(), KeyId("key".into()));
    for id in 0..OPEN {
        runs.insert(RunId(id), key.clone(), Run::new(Arc::clone(&plan), NOW, &limits));
    }
    let result = Bytes::from_static(br#"{"content":[],"structuredContent":{"v":[1,2,3]}}"#);
    let mut under_way: VecDeque<(RunId, Unit)> = VecDeque::new();
    let mut next = OPEN;
    let mut decide = || {
        runs.begin_turn();
        // A key alone has half of them.
        if under_way.len() >= limits.project_run_calls / 2
            && let Some((id, unit)) = under_way.pop_front()
        {
            runs.handle(id, NOW, &limits, Event::StepAnswered(unit, result.clone()));
        }
        let (id, start) = runs.next(black_box(NOW), &limits, |_| true).expect("there is always more to do");
        under_way.push_back((id, start.unit));
        black_box(runs.take_changed());
        for _ in runs.take_ended() {
            runs.insert(RunId(next), key.clone(), Run::new(Arc::clone(&plan), NOW, &limits));
            next += 1;
            runs.expire(NOW, &limits);
        }
    };
    // Until all runs are somewhere in their middle.
    (0..10 * OPEN).for_each(|_| decide());
    bencher.counter(ItemsCount::new(2 * OPEN)).bench_local(|| (0..OPEN).for_each(|_| decide()));
}

/// Reading and checking the same plan.
#[divan::bench]
fn reading_a_plan_of_twenty_steps(bencher: Bencher<'_, '_>) {
    let (text, limits) = (text(), Limits::default());
    bencher.bench_local(|| Plan::read(black_box(text.as_bytes()), &Anything, &limits));
}
