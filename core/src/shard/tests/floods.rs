//! Servers that say more than anybody has asked for.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::Limits;
use crate::record::LogLevel;
use crate::rpc::Field;
use crate::shard::Effect;

const NEWS: &str =
    r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"again"}}"#;

/// How long links were left alone, and what operators were warned of, since the last time.
fn seen(world: &mut World) -> (Vec<Duration>, usize) {
    let (mut rests, mut warnings) = (Vec::new(), 0);
    for effect in core::mem::take(&mut world.log) {
        if let Effect::RestLink { span, .. } = effect {
            rests.push(span);
        } else if let Effect::Report(report) = effect
            && report.level == LogLevel::Warning
        {
            assert!(report.message.contains("unasked_rate_bytes (1000)"), "{}", report.message);
            warnings += 1;
        }
    }
    (rests, warnings)
}

#[test]
fn what_a_server_says_unasked_is_read_at_its_rate_and_answers_as_they_come() {
    let limits = Limits { unasked_rate_bytes: 1_000, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]);
    let client = world.client(HTTP, at("a"));
    let padding = "x".repeat(5_000);
    for id in ["1", "2", "3"] {
        world.call(&client, id);
        let sent = world.requested("a");
        world.reply(&sent, &format!(r#"{{"content":[{{"type":"text","text":"{padding}"}}]}}"#));
    }
    assert_eq!(seen(&mut world), (Vec::new(), 0), "answers are no flood");

    world.call(&client, "4");
    let sent = world.requested("a");
    let within = 1_000 / NEWS.len();
    for _ in 0..within {
        world.says(sent.link, NEWS);
    }
    assert_eq!(seen(&mut world), (Vec::new(), 0), "a second's worth comes at once");
    for _ in 0..2 {
        world.says(sent.link, NEWS);
    }
    world.says(sent.link, "no message");
    let over = [1, 2].map(|more| (within + more) * NEWS.len() - 1_000);
    let rests = [over[0], over[1], over[1] + 256].map(|over| Duration::from_millis(over as u64));
    assert_eq!(seen_after_complaints(&mut world), (rests.to_vec(), 1), "and operators are told once");

    world.advance(Duration::from_secs(10));
    world.says(sent.link, NEWS);
    assert_eq!(seen(&mut world), (Vec::new(), 0), "time makes it good");
}

/// The same, without what is said of a line that is no message.
fn seen_after_complaints(world: &mut World) -> (Vec<Duration>, usize) {
    world.log.retain(|it| !matches!(it, Effect::Report(it) if it.message.contains("is not a message")));
    seen(world)
}

#[test]
fn lines_that_are_no_messages_are_in_the_log_and_in_the_words_of_a_call_that_waits_in_vain() {
    let answer = r#"log: {"jsonrpc":"2.0","id":1,"result":{}}"#;
    for (lines, words) in [
        (0, "the outcome is unknown"),
        (1, "the outcome is unknown; it has written a line that is no JSON-RPC message, see its log"),
        (2, "the outcome is unknown; it has written 2 lines that are no JSON-RPC messages, see its log"),
    ] {
        let mut world = World::running(&["a"]);
        let client = world.client(HTTP, at("a"));
        let call = world.call(&client, "1");
        let link = world.requested("a").link;
        for _ in 0..lines {
            world.says(link, answer);
        }
        let warnings = world.warnings();
        assert_eq!(warnings.iter().filter(|words| words.ends_with(answer)).count(), lines, "{warnings:?}");
        world.advance(Limits::default().call);
        let said = world.take(&client, call).pop().unwrap();
        let said = read(&said).text(Field::ErrorMessage).unwrap().into_owned();
        assert!(said.ends_with(words), "{said}");
    }
}
