//! Clients of 2026-07-28 that come back for a call of a 2025 server that was parked for them.

use alloc::format;
use core::time::Duration;

use super::clients::{Client, Era, at};
use super::parking::{Question, accepted, answer_of_the_call, asked, asked_in, client, come_back};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::rpc::Field;

#[test]
fn a_client_that_comes_back_for_a_call_that_waits_no_longer_is_told_that_its_outcome_is_unknown() {
    type End = fn(World, &Client, &Question) -> World;
    let ends: [(End, &str); 4] = [
        (
            |mut world, client, question| {
                come_back(&mut world, client, question, &accepted(question));
                world
            },
            "an earlier try",
        ),
        (
            |mut world, _, _| {
                world.crash("a");
                world
            },
            "its server",
        ),
        (|world, _, _| world.restarted(), "the hub has ended"),
        (
            |mut world, _, _| {
                world.advance(Limits::default().parked);
                world
            },
            "limit parked",
        ),
    ];
    for (end, words) in ends {
        let (mut world, client) = (World::running(&["a"]), client());
        let question = asked(&mut world, &client);
        let mut world = end(world, &client, &question);
        world.frames("a");
        let again = come_back(&mut world, &client, &question, &accepted(&question));
        assert_eq!(world.seen(again).status, Some(200), "{words}");
        let answer = world.answer(&client, again);
        let error = answer.raw_str(Field::Error).unwrap();
        assert!(error.contains("-31003") && error.contains(words), "{error}");
        assert!(error.contains(r#""data":{"retryable":false,"outcome":"unknown"}"#), "{error}");
        assert!(world.frames("a").is_empty(), "{words}: no server hears of it");
    }
}

#[test]
fn a_state_of_another_life_of_the_hub_names_no_call_of_this_one() {
    // Numbers begin again with every life: somewhere among these the parked call has the old number.
    for calls in 0..8 {
        let mut world = World::running(&["a"]);
        let client = client();
        let old = asked(&mut world, &client);
        let mut world = world.restarted();
        world.advance(Duration::from_secs(1));
        for _ in 0..calls {
            let call = world.call(&client, "9");
            let sent = world.requested("a");
            world.reply(&sent, "{}");
            world.take(&client, call);
        }
        let new = asked(&mut world, &client);
        let exchange = come_back(&mut world, &client, &old, &accepted(&old));
        assert_eq!(world.code(&client, exchange), "-31003");
        let exchange = come_back(&mut world, &client, &new, &accepted(&new));
        assert!(!world.seen(exchange).ended, "it goes on");
    }
}

#[test]
fn a_client_that_comes_back_when_too_many_calls_are_in_flight_may_come_back_again() {
    let limits = Limits { project_in_flight: 1, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default()), ("b", Script::default())]).surveyed();
    let client = client();
    let question = asked(&mut world, &client);
    let busy = Client::new(Era::Modern, at("b"));
    world.call(&busy, "1");
    let refused = come_back(&mut world, &client, &question, &accepted(&question));
    assert_eq!(world.code(&client, refused), "-31004");
    let sent = world.requested("b");
    world.reply(&sent, "{}");
    let exchange = come_back(&mut world, &client, &question, &accepted(&question));
    assert!(!world.seen(exchange).ended, "it goes on");
}

#[test]
fn what_was_answered_under_a_key_is_answered_again_whoever_comes_back_for_it() {
    let (mut world, client) = (World::running(&["a"]), client());
    let key = r#""mcp-orch/idempotency-key":"k""#;
    let first = world.call_with(&client, "1", key);
    let question = asked_in(&mut world, &client, first);
    let Question { name, state, .. } = &question;
    let input = format!(r#""requestState":"{state}","inputResponses":{{"{name}":{{"action":"accept"}}}}"#);
    let members = format!(r#""name":"echo","arguments":{{"n":1}},{input}"#);
    let come_back = |world: &mut World, id: &str| {
        let text = client.write(id, "tools/call", &members, key);
        world.post(&client, &text)
    };
    let second = come_back(&mut world, "2");
    world.frames("a");
    world.says(question.link, &answer_of_the_call(&question));
    assert!(world.answer(&client, second).has(Field::Result));
    let third = come_back(&mut world, "3");
    let answer = world.answer(&client, third);
    assert_eq!((answer.raw_str(Field::Id), answer.has(Field::Result)), (Some("3"), true));
    assert!(world.frames("a").is_empty(), "it is executed once");
}
