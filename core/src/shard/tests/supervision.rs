//! When processes start and end: by use, by failure, and by an operator's word.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::upstream::CloseReason;
use crate::record::{RemoteKind, Sharing, Transport};
use crate::rpc::Field;
use crate::shard::{Input, Order};

const HOUR: Duration = Duration::from_hours(1);

/// Shortly before the end of a span.
fn nearly(span: Duration) -> Duration {
    span.saturating_sub(Duration::from_secs(1))
}

fn state(world: &World) -> (String, String) {
    let view = world.view("a");
    (view.state, view.health)
}

fn order(world: &mut World, order: Order) {
    let server = world.snapshot.named("a").unwrap().id;
    world.feed(Input::Ordered { server, order });
}

fn called(world: &mut World, client: &Client) -> Sent {
    world.call(client, "1");
    world.requested("a")
}

/// A server whose process ends as soon as it is started, `times` times, each as soon as it is wanted.
fn fails(world: &mut World, client: &Client, times: usize) {
    world.scripts.get_mut("a").unwrap().opens = false;
    for _ in 0..times {
        world.advance(Limits::default().backoff_last);
        world.call(client, "1");
        let link = world.link("a");
        world.close(link, CloseReason::Exited(1));
    }
}

#[test]
fn a_process_that_nobody_uses_ends_and_the_next_call_starts_it() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let sent = called(&mut world, &client);
    world.advance(Limits::default().call / 2);
    world.reply(&sent, "{}");
    world.advance(nearly(Limits::default().idle));
    assert_eq!(state(&world), ("running".to_owned(), "ok".to_owned()));
    world.advance(crate::shard::timers::SWEEP * 2);
    assert_eq!(state(&world), ("idle".to_owned(), "ok".to_owned()));
    assert_eq!(world.shard.gauges().links, 0);
    let again = called(&mut world, &client);
    assert_ne!(again.link, sent.link);
    assert_eq!(state(&world).0, "running");
}

#[test]
fn a_process_with_a_call_or_a_subscription_is_used() {
    let script = Script {
        capabilities: r#"{"tools":{},"resources":{"subscribe":true}}"#.to_owned(),
        ..Script::full(&["file:///a"], &[])
    };
    let mut world =
        World::scripted(Limits { call: HOUR, call_hard: HOUR, ..Limits::default() }, [("a", script)])
            .surveyed();
    let client = world.client(HTTP, at("a"));
    let sent = called(&mut world, &client);
    world.advance(Limits::default().idle * 2);
    assert_eq!(state(&world).0, "running", "a call is on its way");
    world.reply(&sent, "{}");
    world.request(&client, "2", "resources/subscribe", r#""uri":"file:///a""#);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    world.advance(nearly(Limits::default().session_idle));
    assert_eq!(state(&world).0, "running", "a client waits to be told");
    world.advance(Limits::default().idle * 2);
    assert_eq!(state(&world).0, "idle", "its session has ended");
}

#[test]
fn the_patience_with_an_idle_process_is_the_server_s_own_and_zero_is_for_ever() {
    for (idle, expected) in
        [(Some(0), "running"), (Some(3), "idle"), (Some(86_400), "running"), (None, "idle")]
    {
        let mut world = World::new(&["a"]);
        world.configure(|servers| servers[0].spec.idle_s = idle);
        let mut world = world.surveyed();
        world.advance(Limits::default().idle + crate::shard::timers::SWEEP);
        assert_eq!(state(&world).0, expected, "{idle:?}");
    }
    // What serves one session alone does not stay for ever.
    let mut world = World::new(&["a"]);
    world.configure(|servers| {
        (servers[0].spec.idle_s, servers[0].spec.sharing) = (Some(0), Sharing::PerSession);
    });
    let mut world = world.surveyed();
    let client = world.client(HTTP, at("a"));
    let sent = called(&mut world, &client);
    world.reply(&sent, "{}");
    assert_eq!(world.shard.gauges().links, 2);
    world.advance(Limits::default().idle + crate::shard::timers::SWEEP);
    assert_eq!(world.shard.gauges().links, 1);
}

#[test]
fn a_server_that_keeps_failing_is_left_alone_and_says_why_and_what_to_do() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    fails(&mut world, &client, 4);
    assert_eq!(state(&world), ("crashed".to_owned(), "failed".to_owned()));
    let starts = world.starts();
    let exchange = world.call(&client, "9");
    let answer = world.answer(&client, exchange);
    let words = answer.text(Field::ErrorMessage).unwrap();
    assert!(words.contains("left alone") && words.contains("exit code 1"), "{words}");
    assert_eq!(world.starts(), starts, "no call starts it");
    let view = world.view("a");
    assert!(view.next_step.unwrap().contains("mcp-orch start a"));
    assert!(view.last_failure.unwrap().contains("exit code 1") && view.failed_at.is_some());
    // Its lists stay.
    let exchange = world.request(&client, "3", "tools/list", "");
    assert!(world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("echo"));
}

#[test]
fn a_server_that_ends_at_once_is_started_twelve_times_at_most_in_ten_minutes() {
    let mut world = World::running(&["a", "b"]);
    let client = Client::new(Era::Modern, at("a"));
    world.crash("a");
    let starts = world.starts();
    world.scripts.get_mut("a").unwrap().opens = false;
    for _ in 0..600 {
        // Somebody always wants it.
        let before = world.starts();
        world.call(&client, "1");
        world.advance(Duration::from_secs(1));
        if world.starts() > before {
            let link = world.link("a");
            world.close(link, CloseReason::Exited(1));
        }
    }
    let started = world.starts() - starts;
    assert!((3..=12).contains(&started), "{started} starts");
    assert_eq!(state(&world).0, "crashed");
}

#[test]
fn a_crashed_server_is_tried_once_an_hour_and_is_well_when_it_answers() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    world.crash("a");
    fails(&mut world, &client, 4);
    let starts = world.starts();
    for tries in 1..=3 {
        world.advance(HOUR);
        assert_eq!(world.starts(), starts + tries);
        let link = world.link("a");
        world.close(link, CloseReason::Exited(1));
    }
    world.scripts.get_mut("a").unwrap().opens = true;
    world.advance(HOUR);
    assert_eq!(state(&world), ("running".to_owned(), "ok".to_owned()));
    let view = world.view("a");
    assert_eq!((view.cause, view.next_step), (None, None));
    assert!(view.failed_at < view.answered_at, "what has happened can still be read");
    called(&mut world, &client);
}

#[test]
fn an_operator_starts_stops_and_restarts_whatever_has_happened() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    fails(&mut world, &client, 4);
    world.scripts.get_mut("a").unwrap().opens = true;
    order(&mut world, Order::Start);
    assert_eq!(state(&world), ("running".to_owned(), "ok".to_owned()));
    let first = called(&mut world, &client);
    world.reply(&first, "{}");
    order(&mut world, Order::Restart);
    let second = called(&mut world, &client);
    assert_ne!(first.link, second.link);
    // A call that is on its way ends where it was begun.
    order(&mut world, Order::Stop);
    assert_eq!(state(&world).0, "stopped");
    assert_eq!(world.shard.gauges().links, 1);
    world.reply(&second, "{}");
    assert_eq!(world.shard.gauges().links, 0);
    order(&mut world, Order::Stop);
    called(&mut world, &client);
    assert_eq!(state(&world).0, "running");
}

#[test]
fn a_remote_server_that_cannot_be_reached_is_tried_again_and_again() {
    let mut world = World::new(&["a"]);
    world.configure(|servers| {
        let (url, headers) = ("http://127.0.0.1:9/".to_owned(), alloc::collections::BTreeMap::new());
        servers[0].spec.transport = Transport::Remote { kind: RemoteKind::Http, url, headers };
    });
    let mut world = world.surveyed();
    let client = world.client(HTTP, at("a"));
    fails(&mut world, &client, 12);
    assert_eq!(state(&world).0, "backing-off");
}

#[test]
fn a_server_that_comes_back_without_tools_is_degraded() {
    let mut world = World::running(&["a"]);
    world.scripts.get_mut("a").unwrap().tools.clear();
    order(&mut world, Order::Restart);
    let view = world.view("a");
    assert_eq!((&*view.state, &*view.health), ("running", "degraded"));
    assert!(view.cause.unwrap().contains("lists none"));
}
