//! Runs that many wait for: they are told in portions.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Era, HTTP};
use super::watching::{ONE, Stage, TWO};
use crate::shard::Input;
use crate::{ExchangeId, Limits};

#[test]
fn many_who_wait_for_a_run_are_told_its_end_in_portions() {
    const PAUSE: Duration = Duration::from_millis(50);
    // An eighth of the bytes of a key is told at once, and one that goes on leaves no room to keep one that has ended.
    let limits = Limits { held_key_bytes: 16_000, project_run_bytes: 1_000, ..Limits::default() };
    let mut stage = Stage::within(Era::Modern, limits);
    let long = format!("\"{}\"", "x".repeat(300));
    stage.fill(&long);
    let (run, other) = (stage.begin(ONE), stage.begin(ONE));
    let sent = stage.world.requests("a");
    let ends = |stage: &mut Stage, at: usize| {
        stage.world.reply(&sent[at], &format!(r#"{{"content":[],"structuredContent":{long}}}"#));
    };
    let wait = format!(r#""run":"{run}","wait":true"#);
    let waiting: Vec<ExchangeId> = (0..10).map(|_| stage.ask("batch_status", &wait, "")).collect();
    let also = stage.ask("batch_status", &format!(r#""run":"{other}","wait":true"#), "");
    ends(&mut stage, 0);
    let told = |stage: &Stage| waiting.iter().filter(|waits| stage.world.seen(**waits).ended).count();
    let first = told(&stage);
    assert!((1..5).contains(&first), "{first} are told at once");
    ends(&mut stage, 1);
    assert!(stage.answer(also).contains(&format!(r#""run":"{other}""#)), "another run has its own portions");
    for forgotten in [&run, &other] {
        let late = stage.ask("batch_status", &format!(r#""run":"{forgotten}""#), "");
        assert!(stage.answer(late).contains(r#""problem":"unknown""#));
    }
    assert_eq!(told(&stage), first, "what others ask and do does not hurry it");
    let gone = waiting.last().unwrap();
    stage.world.leave(*gone);
    stage.world.advance(PAUSE);
    assert_eq!(told(&stage), 2 * first);
    stage.world.advance(4 * PAUSE);
    for waits in waiting.iter().filter(|waits| *waits != gone) {
        let told = stage.answer(*waits);
        assert!(told.contains(&format!(r#""run":"{run}""#)), "{told}");
    }
}

#[test]
fn a_hub_that_stops_tells_as_many_the_whole_as_a_portion_holds_and_the_others_in_short() {
    let limits = Limits { held_key_bytes: 16_000, ..Limits::default() };
    let mut stage = Stage::within(Era::Modern, limits);
    let steps: Vec<String> = (0..20).map(|at| format!(r#"{{"id":"s{at}","tool":"a.echo"}}"#)).collect();
    let runs = [(); 2].map(|()| stage.begin(&format!(r#""steps":[{}]"#, steps.join(","))));
    let wait = |at: usize| format!(r#""run":"{}","wait":true"#, runs[at % 2]);
    let waiting: Vec<ExchangeId> = (0..10).map(|at| stage.ask("batch_status", &wait(at), "")).collect();
    stage.world.feed(Input::Stopping);
    let told: Vec<String> = waiting.into_iter().map(|waits| stage.answer(waits)).collect();
    let whole = told.iter().filter(|told| told.contains(r#""id":"s19""#)).count();
    assert!((1..5).contains(&whole), "{whole} are told the whole");
    for (at, told) in told.iter().enumerate() {
        assert!(told.contains(&format!(r#""run":"{}","status":"running""#, runs[at % 2])), "{told}");
        assert!(told.contains(r#""id":"s19""#) || told.contains("batch_status tells the whole"), "{told}");
    }
}

#[test]
fn many_who_hear_of_the_steps_of_a_run_are_told_in_portions_how_they_stand_by_then() {
    let mut stage = Stage::within(HTTP, Limits { held_key_bytes: 800, ..Limits::default() });
    let run = stage.begin(TWO);
    let wait = format!(r#""run":"{run}","wait":true"#);
    let begin = |stage: &mut Stage| stage.ask("batch_status", &wait, r#""progressToken":1"#);
    let waiting: Vec<ExchangeId> = (0..4).map(|_| begin(&mut stage)).collect();
    stage.says("a", "1");
    let client = stage.client.clone();
    let heard = |stage: &mut Stage| -> Vec<String> {
        waiting.iter().map(|waits| stage.world.take(&client, *waits).concat()).collect()
    };
    let silent = |heard: &[String]| heard.iter().filter(|words| words.is_empty()).count();
    assert!(silent(&heard(&mut stage)) > 0, "not all are told at once");
    stage.world.advance(Duration::from_secs(1));
    let news = heard(&mut stage);
    assert!(news.iter().all(|words| words.contains(r#""id":"y""#)), "{news:?}");
}
