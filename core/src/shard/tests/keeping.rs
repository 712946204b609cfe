//! What is kept for clients that come back: for how long, how much, and what is said when it is gone.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{HTTP, Sent, at};
use super::resumption::{begin, progress};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};

/// What a server does while a client is away.
type Misses = fn(&mut World, &Sent);

#[test]
fn a_stream_that_has_ended_and_was_read_to_its_end_has_nothing_more() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.says(
        sent.link,
        &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":1,"message":"m"}}}}"#, sent.id),
    );
    assert_eq!(world.seen(call).messages.len(), 2);
    let again = world.come_back(&client, &world.cursor(call));
    let seen = world.seen(again);
    assert_eq!((seen.status, seen.streams, seen.messages.len()), (Some(204), false, 0));
}

#[test]
fn a_cursor_that_the_session_did_not_give_out_is_refused_and_the_session_goes_on() {
    let mut world = World::running(&["a"]);
    let [client, other] = [HTTP, HTTP].map(|era| world.client(era, at("a")));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    let good = world.cursor(call);
    let (stream, number) = good.rsplit_once('-').unwrap();
    let ahead = format!("{stream}-{}", number.parse::<u64>().unwrap() + 1);
    let listening = good.replace("-a", "-l");
    for damaged in ["", "x", &good[1..], &format!("{good}0"), &ahead, &listening] {
        let exchange = world.come_back(&client, damaged);
        if damaged.is_empty() {
            assert!(world.seen(exchange).streams, "an empty header says nothing");
        } else {
            world.refused(exchange, "Last-Event-ID names no stream of this session");
        }
    }
    let foreign = world.come_back(&other, &good);
    world.refused(foreign, "Last-Event-ID names no stream of this session");
    assert!(!world.seen(call).ended, "the stream is left alone");
    world.reply(&sent, "{}");
    assert_eq!(world.heard(call), ["1", "answer"]);
}

#[test]
fn what_gave_way_to_a_bound_is_refused_by_the_name_of_the_bound() {
    let tight = Limits { replay_events: 2, replay_bytes: 1_000, ..Limits::default() };
    let cases: [(&str, Misses); 3] = [
        ("replay_events", |world, sent| (2..5).for_each(|n| progress(world, sent, n))),
        ("replay_bytes", |world, sent| world.reply(sent, &format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000)))),
        ("replay_age", |world, sent| {
            for n in 2..4 {
                progress(world, sent, n);
                world.advance(Duration::from_secs(59));
            }
            for _ in 0..5 {
                progress(world, sent, 4);
                world.advance(Duration::from_secs(50));
            }
        }),
    ];
    for (limit, misses) in cases {
        let limits = if limit == "replay_age" { Limits::default() } else { tight.clone() };
        let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
        let client = world.client(HTTP, at("a"));
        let (call, sent) = begin(&mut world, &client);
        progress(&mut world, &sent, 1);
        let cursor = world.cursor(call);
        world.leave(call);
        misses(&mut world, &sent);
        let late = world.come_back(&client, &cursor);
        world.refused(late, &format!(r#""limit":"{limit}""#));
        assert_eq!(world.seen(late).session, None);
    }
}

#[test]
fn an_answer_is_kept_for_its_time_and_no_longer() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.leave(call);
    world.reply(&sent, "{}");
    world.advance(Duration::from_secs(299));
    let again = world.come_back(&client, &world.cursor(call));
    assert_eq!(world.heard(again), ["answer"]);
    world.advance(Duration::from_secs(1));
    let late = world.come_back(&client, &world.cursor(call));
    world.refused(late, "replay_age");
    world.advance(Duration::from_secs(31));
    assert_eq!(world.shard.gauges().kept_bytes, 0);
}

#[test]
fn a_session_keeps_so_many_streams_and_the_first_to_end_makes_room() {
    let limits = Limits { replay_streams: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let client = world.client(HTTP, at("a"));
    let calls: Vec<_> = (0..3).map(|_| begin(&mut world, &client)).collect();
    for (_, sent) in &calls {
        progress(&mut world, sent, 1);
    }
    let [first, second, third] = [0, 1, 2].map(|n: usize| calls[n].0);
    assert!(world.seen(third).ids.is_empty(), "a stream that cannot be resumed does not look like one");
    world.leave(third);
    assert_eq!(world.shard.gauges().in_flight, 2, "nobody can ask for its answer");
    world.reply(&calls[0].1, "{}");
    world.reply(&calls[1].1, "{}");
    let (fourth, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    assert_eq!(world.seen(fourth).ids.len(), 1);
    let late = world.come_back(&client, &world.seen(first).ids[0].clone());
    world.refused(late, "replay_streams");
    let again = world.come_back(&client, &world.seen(second).ids[0].clone());
    assert_eq!(world.heard(again), ["answer"]);
}

#[test]
fn what_a_project_keeps_is_bounded() {
    let limits = Limits { replay_project_bytes: 3_000, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let mut cursors = Vec::new();
    for _ in 0..5 {
        let client = world.client(HTTP, at("a"));
        let (call, sent) = begin(&mut world, &client);
        progress(&mut world, &sent, 1);
        cursors.push((client, world.cursor(call)));
        world.reply(&sent, &format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000)));
        assert!(world.shard.gauges().kept_bytes <= 3_000);
        world.advance(Duration::from_millis(1));
    }
    let served = cursors.iter().map(|(client, cursor)| {
        let exchange = world.come_back(client, cursor);
        world.seen(exchange).streams
    });
    assert_eq!(served.collect::<Vec<_>>(), [false, false, false, true, true]);
}

#[test]
fn a_call_whose_client_left_before_any_stream_goes_on_and_its_answer_is_dropped() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    world.leave(call);
    assert!(world.frames("a").is_empty(), "the server is not told");
    assert_eq!(world.shard.gauges().in_flight, 0);
    progress(&mut world, &sent, 1);
    world.reply(&sent, "{}");
    assert_eq!(world.shard.gauges().kept_bytes, 0);
}

#[test]
fn a_session_that_ends_takes_its_streams_along() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let listening = world.open(&client, Verb::Listen);
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.leave(call);
    world.leave(listening);
    let cursor = world.cursor(call);
    let again = world.come_back(&client, &cursor);
    world.delete(&client);
    assert!(world.seen(again).ended);
    let late = world.come_back(&client, &cursor);
    assert_eq!(world.seen(late).status, Some(404));
    let gauges = world.shard.gauges();
    assert_eq!((gauges.exchanges, gauges.kept_bytes, gauges.in_flight), (0, 0, 0));
}

#[test]
fn after_a_restart_a_listening_client_listens_on() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, Target::Unified);
    let listening = world.open(&client, Verb::Listen);
    let heard = world.cursor(listening);
    world.advance(Duration::from_secs(1));
    let mut world = world.restarted();
    let again = world.come_back(&client, &heard);
    assert!(world.seen(again).streams && !world.seen(again).ended);
    assert_ne!(world.cursor(again), heard);
}

#[test]
fn a_session_with_a_stream_that_is_away_still_ends_when_it_is_idle() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let listening = world.open(&client, Verb::Listen);
    world.advance(Duration::from_mins(40));
    assert_eq!(world.shard.session_count(), 1);
    world.leave(listening);
    world.advance(Duration::from_mins(40));
    assert_eq!(world.shard.session_count(), 0);
}
