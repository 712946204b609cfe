//! Plans: whatever is taken for one runs to its end, each call's arguments are an object, and what it gives is JSON, neither
//! of them longer than it may be. What
//! is refused is refused for reasons that have a place in it.
//!
//! An input is the text of a plan; after a line end, the result that every call is answered with. Without one, a call is
//! answered with its own arguments.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use orch_core::plan::{Plan, Pointer, Tools};
use orch_core::rpc::{JsonLimits, scan};
use orch_core::run::{Event, Run, Status};
use orch_core::{Limits, Timestamp};

/// More turns than the calls of a run have tries.
const TURNS: usize = 20_000;

/// Any tool but `no`; `safe` may be called twice.
struct Anything;

impl Tools for Anything {
    fn definition(&self, name: &str) -> Option<Cow<'_, str>> {
        match name {
            "no" => None,
            "safe" => Some(Cow::Borrowed(r#"{"annotations":{"idempotentHint":true}}"#)),
            _ => Some(Cow::Borrowed(
                r#"{"inputSchema":{"type":"object","properties":{"i":{"type":"integer"}}}}"#,
            )),
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["safe".to_owned()]
    }
}

/// Bounds that a short input can reach.
fn limits() -> Limits {
    Limits {
        body_bytes: 4 * 1024,
        message_bytes: 8 * 1024,
        step_read_bytes: 64 * 1024,
        run_turn_bytes: 16 * 1024,
        run_bytes: 256 * 1024,
        ..Limits::default()
    }
}

pub fn check(input: &[u8]) {
    let limits = limits();
    let bounds = JsonLimits::of_clients(&limits);
    let cut = input.iter().position(|byte| *byte == b'\n');
    let (text, answer) = input.split_at(cut.unwrap_or(input.len()));
    if scan(text, bounds, false).is_err() {
        return;
    }
    match Plan::read(text, &Anything, &limits) {
        Ok(plan) => run(plan, answer.trim_ascii(), &limits),
        Err(faults) => {
            assert!(!faults.is_empty(), "a plan is refused for nothing");
            for fault in faults {
                assert_eq!(Pointer::parse(&fault.at.to_string()), Some(fault.at), "a place is a pointer");
            }
        }
    }
}

fn run(plan: Plan, answer: &[u8], limits: &Limits) {
    // What flows from call to call may become deeper and longer than any message.
    let any = JsonLimits { depth: 10_000, members: 1_000_000, nodes: 10_000_000, digits: 1_000 };
    let answer =
        scan(answer, JsonLimits::of_upstreams(limits), false).is_ok().then(|| Bytes::copy_from_slice(answer));
    let outline = plan.outline();
    assert_eq!(outline.order.len(), plan.steps.len(), "every step has its place");
    let mut now = Timestamp(0);
    let mut run = Run::new(Arc::new(plan), now, limits);
    for _ in 0..TURNS {
        if let Some(start) = run.next(now) {
            assert_eq!(start.arguments.first(), Some(&b'{'));
            assert!(start.arguments.len() <= limits.body_bytes, "arguments beyond their bound");
            assert!(scan(&start.arguments, any, false).is_ok(), "{:?}", start.arguments);
            let echo = || [b"{\"structuredContent\":", &*start.arguments, b"}"].concat().into();
            let result = answer.clone().unwrap_or_else(echo);
            run.handle(now, Event::StepAnswered(start.unit, result));
        } else if run.can_start() {
            // It goes on in its next turn.
            assert!(run.worked() >= limits.run_turn_bytes, "it could have gone on");
        } else if let Some(deadline) = run.deadline() {
            now = now.max(deadline);
            run.handle(now, Event::TimerFired);
        } else {
            break;
        }
    }
    assert_ne!(run.status(), Status::Running, "a run without an end");
    assert_eq!(run.in_flight(), 0);
    if let Ok(output) = run.output() {
        assert!(output.len() <= limits.run_bytes, "an output beyond its bound");
        assert!(scan(&output, any, false).is_ok(), "{output:?}");
    }
}
