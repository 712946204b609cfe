//! The hot path, counted: what the test `budget` compares with `budget.txt`.
//!
//! `counted CASE` prints how often the case allocates. `counted CASE traced` stops itself before and after it, for whoever
//! counts its instructions.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the count is what this program is for")]
#![expect(clippy::expect_used, reason = "a measurement whose stage cannot be set has nothing to measure")]

#[path = "hub.rs"]
mod hub;
#[path = "messages.rs"]
mod messages;
#[path = "stage.rs"]
mod stage;

use std::hint::black_box;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use orch_core::Limits;
use orch_core::mcp::ListKind;
use orch_core::ports::gateway::Target;
use orch_core::rpc::{Envelope, Sender};
use orch_core::shard::Effect;

use hub::Hub;
use messages::{call, dense_call};
use stage::{NOW, Stage};

fn main() {
    let mut args = std::env::args().skip(1);
    let mut work = case(&args.next().unwrap_or_default());
    // The first times fill what is used again.
    (0..3).for_each(|_| work());
    if args.next().is_some() {
        ptrace::traceme().expect("somebody traces");
        raise(Signal::SIGSTOP).expect("a process can stop itself");
        work();
        raise(Signal::SIGSTOP).expect("a process can stop itself");
    } else {
        println!("{}", allocation_counter::measure(work).count_total);
    }
}

fn case(name: &str) -> Box<dyn FnMut()> {
    match name {
        "whole-call" => whole_call(Hub::running()),
        "whole-call-of-100-servers" => whole_call(Hub::among(100, 50)),
        "read-text-of-8-KiB" => read(call(8 * 1024)),
        "read-values-of-1-KiB" => read(dense_call(1024)),
        "admit" => {
            let stage = Stage::new();
            let head = stage.head("server0", None);
            Box::new(move || assert!(stage.directory.admit(black_box(&head), NOW).is_ok()))
        }
        "page-of-5000-tools" => {
            let snapshot = Stage::new().snapshot(50, 100);
            Box::new(move || {
                let listing = snapshot.listing(&Target::Unified, ListKind::Tools);
                let page = listing.and_then(|listing| listing.page(None).ok());
                assert!(black_box(page).is_some_and(|page| !page.members.is_empty()));
            })
        }
        other => {
            eprintln!("there is no case {other}");
            std::process::exit(2)
        }
    }
}

fn read(text: bytes::Bytes) -> Box<dyn FnMut()> {
    let limits = Limits::default();
    Box::new(move || assert!(Envelope::parse(black_box(text.clone()), Sender::Client, &limits).is_ok()))
}

/// A call of 64 bytes through the shard, its server's answer included.
fn whole_call(mut hub: Hub) -> Box<dyn FnMut()> {
    let (call, result) =
        (call(64), format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "x".repeat(64)));
    let mut id = 0;
    Box::new(move || {
        hub.post(black_box(&call));
        // Ids are counted, so that the frame need not be read for it.
        id = if id == 0 { hub.asked().and_then(|id| id.parse().ok()).unwrap_or(0) } else { id + 1 };
        hub.answer(&id.to_string(), result.as_bytes());
        assert!(hub.effects.iter().any(|effect| matches!(effect, Effect::Answer { status: 200, .. })));
    })
}
