//! What is told of runs is durable first: wherever the hub is killed, its next life says the same.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::Era;
use super::outliving::{CHAIN, EACH, ERRORS, RETRY, STOPS, Stage};
use super::script::Script;
use super::world::{Store, World, spec};
use crate::mcp::Revision;
use crate::ports::gateway::Target;
use crate::shard::Input;
use crate::{ExchangeId, Limits};

const ONE: &str = r#""steps":[{"id":"one","tool":"s.echo","arguments":{"say":1}}]"#;
const TWO: &str = r#""steps":[{"id":"one","tool":"s.echo","arguments":{"say":1}},
    {"id":"two","tool":"a.echo","depends_on":["one"],"arguments":{"say":2}}]"#;

impl Stage {
    fn is_answered(&self, exchange: ExchangeId) -> bool {
        self.world.seen(exchange).ended
    }

    /// Begins a run in the background. Returns its name.
    fn begin(&mut self, plan: &str) -> String {
        self.ask("batch_execute", &format!(r#"{plan},"background":true"#));
        assert!(self.stores());
        self.run().expect("a run")
    }

    /// Lets the one call that is under way be answered, and nothing be stored.
    fn reply(&mut self) {
        self.hear();
        let sent = self.waiting.remove(0);
        self.world.reply(&sent, r#"{"content":[],"structuredContent":{"v":1}}"#);
    }
}

#[test]
fn what_a_caller_was_told_of_the_end_of_its_run_is_so_in_the_next_life() {
    for plan in [CHAIN, EACH, RETRY, ERRORS, STOPS] {
        for answers_first in [false, true] {
            let mut points = 0;
            loop {
                let mut stage = Stage::new(Limits::default());
                let exchange = stage.ask("batch_execute", plan);
                let over = stage.go(points, answers_first);
                points += 1;
                if !stage.is_answered(exchange) {
                    assert!(!over, "it is answered");
                    continue;
                }
                let told = stage.read(exchange);
                assert_ne!(told.status, "running");
                let mut stage = stage.crash(0);
                let run = stage.run().expect("a run");
                let again = stage.told("batch_status", &run);
                assert_eq!((again.essence(), &again.status), (told.essence(), &told.status), "{points}");
                break;
            }
        }
    }
}

#[test]
fn whoever_asks_for_a_run_while_the_store_is_behind_is_answered_when_it_is_not() {
    let mut stage = Stage::new(Limits::default());
    let run = stage.begin(ONE);
    stage.reply();
    let named = format!(r#""run":"{run}""#);
    let asked = [("batch_status", &*named), ("batch_status", ""), ("read_result", &*named)];
    let asked = asked.map(|(tool, arguments)| stage.ask(tool, arguments));
    while stage.world.queue.len() > 1 {
        assert!(!stage.is_answered(asked[2]));
        stage.stores();
    }
    stage.stores();
    assert!(asked.iter().all(|exchange| stage.is_answered(*exchange)));
    let later = stage.ask("batch_status", &named);
    assert!(stage.is_answered(later) && stage.world.queue.is_empty(), "there is nothing to wait for");
}

#[test]
fn a_run_that_was_told_to_be_cancelled_begins_nothing_in_the_next_life() {
    for stored in [false, true] {
        let mut stage = Stage::new(Limits::default());
        let run = stage.begin(TWO);
        stage.hear();
        let exchange = stage.ask("batch_cancel", &format!(r#""run":"{run}""#));
        assert!(!stage.is_answered(exchange), "it is not durable yet");
        if stored {
            stage.stores();
            assert_eq!(stage.read(exchange).status, "cancelled");
        }
        let mut stage = stage.crash(0);
        assert!(stage.go(100, false));
        let calls = if stored { 1 } else { 3 };
        assert_eq!(stage.made.values().sum::<usize>(), calls, "{:?}", stage.made);
        let status = stage.told("batch_status", &run).status;
        assert_eq!(status, if stored { "cancelled" } else { "done" });
    }
}

#[test]
fn a_run_whose_caller_has_left_is_cancelled_in_the_store_too() {
    let mut stage = Stage::new(Limits::default());
    let exchange = stage.ask("batch_execute", TWO);
    stage.hear();
    stage.world.leave(exchange);
    let mut stage = stage.crash(9);
    assert!(stage.go(100, false));
    let run = stage.run().expect("a run");
    assert_eq!((stage.made.len(), &*stage.told("batch_status", &run).status), (1, "cancelled"));
}

#[test]
fn a_retry_is_answered_when_it_goes_on_in_every_next_life() {
    let mut stage = Stage::new(Limits::default());
    let run = stage.begin(TWO);
    let cancelled = stage.ask("batch_cancel", &format!(r#""run":"{run}""#));
    while stage.stores() {}
    assert!(stage.is_answered(cancelled));
    let exchange = stage.ask("batch_retry", &format!(r#""run":"{run}","background":true"#));
    assert!(!stage.is_answered(exchange));
    stage.stores();
    assert_eq!(stage.read(exchange).status, "running");
    let mut stage = stage.crash(0);
    assert!(stage.go(100, false));
    assert_eq!(stage.told("batch_status", &run).status, "done");
}

#[test]
fn a_run_in_the_background_is_named_when_it_is_durable() {
    let mut stage = Stage::new(Limits::default());
    let exchange = stage.ask("batch_execute", &format!(r#"{CHAIN},"background":true"#));
    assert!(!stage.is_answered(exchange));
    stage.stores();
    assert!(stage.is_answered(exchange));
}

#[test]
fn who_follows_a_run_hears_of_the_end_of_a_step_when_it_is_durable() {
    let mut stage = Stage::new(Limits::default());
    let run = stage.begin(TWO);
    let members = format!(r#""name":"batch_status","arguments":{{"run":"{run}","wait":true}}"#);
    let client = stage.client.clone();
    let text = client.write("7", "tools/call", &members, r#""progressToken":1"#);
    let follows = stage.world.post(&client, &text);
    while stage.stores() {}
    let first = stage.world.take(&client, follows);
    assert!(first[0].contains(r#""id":"one","status":"running""#), "{first:?}");
    stage.reply();
    assert!(stage.world.take(&client, follows).is_empty(), "it is not durable yet");
    stage.stores();
    let news = stage.world.take(&client, follows);
    assert!(news[0].contains(r#""id":"one","status":"done""#), "{news:?}");
    assert!(stage.go(100, false));
    let last = stage.world.take(&client, follows).pop().expect("the end");
    assert!(last.contains(r#""status":"done""#) && stage.is_answered(follows), "{last}");
}

#[test]
fn what_is_held_for_who_has_left_goes_nowhere() {
    let mut stage = Stage::new(Limits::default());
    let members = format!(r#""name":"batch_execute","arguments":{{{TWO}}}"#);
    let text = stage.client.write("7", "tools/call", &members, r#""progressToken":1"#);
    let client = stage.client.clone();
    let exchange = stage.world.post(&client, &text);
    stage.reply();
    stage.world.leave(exchange);
    assert!(stage.go(100, false));
    assert!(stage.world.seen(exchange).messages.is_empty());
}

#[test]
fn a_store_that_is_full_keeps_nobody_waiting() {
    let mut stage = Stage::new(Limits::default());
    stage.world.store = Store::IsFull;
    let exchange = stage.ask("batch_execute", ONE);
    stage.reply();
    assert_eq!(stage.read(exchange).status, "done");
}

#[test]
fn what_is_known_of_a_step_holds_though_the_store_could_not_have_what_it_waits_for() {
    let plan = r#""steps":[{"id":"one","tool":"s.echo","arguments":{"say":1}},
        {"id":"two","tool":"s.echo","arguments":{"say":{"$from":"one"}}},
        {"id":"three","tool":"a.echo","depends_on":["two"],"arguments":{"say":3}}]"#;
    let mut stage = Stage::new(Limits::default());
    let run = stage.begin(plan);
    stage.reply();
    stage.world.queue.pop_back().expect("how the first step has ended");
    stage.reply();
    assert!(stage.stores(), "the third is about to be made");
    let mut stage = stage.crash(0);
    assert!(stage.go(100, false));
    let made = stage.made.iter().filter(|(call, _)| call.starts_with("a ")).map(|(_, times)| times);
    assert_eq!(made.sum::<usize>(), 1, "{:?}", stage.made);
    let told = stage.told("batch_status", &run);
    let steps = [("one", "unknown"), ("two", "done"), ("three", "unknown")];
    assert_eq!((told.essence().1.as_slice(), &*told.status), (&steps[..], "failed"));
}

#[test]
fn answers_among_others_wait_as_well() {
    for era in [Era::Sse, Era::Http(Revision::V2025_03_26)] {
        let mut world = World::scripted(Limits::default(), [("a", Script::default())]).surveyed();
        let client = world.client(era, Target::Unified);
        world.store = Store::Holds;
        let members =
            r#""name":"batch_execute","arguments":{"steps":[{"id":"x","tool":"a.echo"}],"background":true}"#;
        let call = client.write("1", "tools/call", members, "");
        let exchange = match era {
            Era::Sse => world.post(&client, &call),
            Era::Http(_) | Era::Modern => world.post_batch(&client, &[&call]),
        };
        let sees = client.stream.unwrap_or(exchange);
        assert!(world.seen(sees).messages.is_empty());
        for token in core::mem::take(&mut world.held) {
            world.feed(Input::Stored { token, outcome: Ok(()) });
        }
        assert!(world.seen(sees).messages[0].contains(r#""status":"running""#));
        assert_eq!(world.seen(sees).ended, era != Era::Sse);
    }
}

#[test]
fn who_wants_no_answer_any_more_is_told_nothing_that_waited_for_the_store() {
    for (plan, cancels) in [(TWO, false), (TWO, true), (ONE, true)] {
        let mut stage = Stage::new(Limits::default());
        let client = stage.world.client(Era::Sse, Target::Unified);
        let plan = format!(r#""name":"batch_execute","arguments":{{{plan}}}"#);
        let plan = client.write("7", "tools/call", &plan, r#""progressToken":"p""#);
        stage.world.post(&client, &plan);
        assert!(stage.stores());
        stage.reply();
        let stream = client.stream.unwrap();
        assert!(stage.world.take(&client, stream).is_empty(), "it is not durable yet");
        if cancels {
            let cancelled =
                r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
            stage.world.post(&client, cancelled);
        }
        while stage.stores() {}
        assert_eq!(stage.world.take(&client, stream).is_empty(), cancels);
    }
}

#[test]
fn runs_of_an_earlier_life_go_on_when_it_is_known_what_is_configured() {
    let mut stage = Stage::new(Limits::default());
    let run = stage.begin(ONE);
    stage.hear();
    stage.world.queue.clear();
    stage.waiting.clear();
    stage.world = stage.world.reborn();
    stage.world.advance(Duration::from_mins(1));
    stage.world.configure(|servers| servers.iter_mut().for_each(|server| server.spec = spec("other")));
    assert_eq!(stage.world.starts(), 0, "there may be more to know");
    stage.world.feed(Input::SurveyAsked);
    stage.go(100, false);
    assert_eq!(stage.told("batch_status", &run).essence(), (r#"{"one":{"v":1}}"#, [("one", "done")].into()));
}

#[test]
fn what_a_full_store_could_not_have_of_a_run_it_has_when_there_is_room_again() {
    let sweep = |stage: &mut Stage| stage.world.advance(Duration::from_secs(31));
    let another = |stage: &mut Stage| {
        stage.ask("batch_execute", &ONE.replace("one", "two"));
        stage.reply();
    };
    for has_room in [sweep, another] {
        let mut stage = Stage::new(Limits::default());
        stage.world.store = Store::Commits;
        stage.ask("batch_execute", &format!(r#"{TWO},"background":true"#));
        let run = stage.run().expect("a run");
        stage.world.store = Store::IsFull;
        stage.reply();
        let told = stage.told("batch_status", &run);
        assert_eq!(told.essence().1, [("one", "done"), ("two", "failed")], "its begin could not be stored");
        stage.world.store = Store::Commits;
        has_room(&mut stage);
        let mut stage = stage.crash(0);
        stage.go(100, false);
        let again = stage.told("batch_status", &run);
        assert_eq!((again.essence(), &again.status), (told.essence(), &told.status));
        assert!(!stage.made.keys().any(|call| call.starts_with("a ")), "{:?}", stage.made);
    }
}
