//! Remote servers that are asked so much at the same time and no more.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::renewals::{refuse, remote_with};
use super::resumption::progress;
use super::script::Script;
use super::world::World;
use crate::ports::upstream::CloseReason;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, KeyId, Limits};

fn limits() -> Limits {
    Limits { remote_in_flight: 4, ..Limits::default() }
}

/// A remote server that is asked two things of one key at the same time, and one more of another.
fn world() -> World {
    remote_with(limits(), Script::default())
}

fn of_key(key: &'static str) -> Client {
    Client { key, ..Client::new(Era::Modern, at("a")) }
}

/// Makes calls whose argument says which they are.
fn call(world: &mut World, client: &Client, names: &str) -> Vec<ExchangeId> {
    let members = |name| format!(r#""name":"echo","arguments":{{"is":"{name}"}}"#);
    let numbered = names.split(' ').enumerate();
    numbered.map(|(n, name)| world.request(client, &format!("{n}"), "tools/call", &members(name))).collect()
}

/// Which call this is.
fn name(sent: &Sent) -> &str {
    sent.params.split(r#""is":""#).nth(1).and_then(|rest| rest.split('"').next()).unwrap()
}

/// Answers what the server was sent, and what it is sent then, one after the other. Which calls that were.
fn serve(world: &mut World, mut sent: Vec<Sent>) -> Vec<String> {
    let mut served = Vec::new();
    while !sent.is_empty() {
        let first = sent.remove(0);
        served.push(name(&first).into());
        world.reply(&first, r#"{"content":[]}"#);
        sent.extend(world.requests("a"));
        assert!(sent.len() <= 3, "{served:?}");
    }
    served
}

#[test]
fn a_remote_server_is_asked_so_much_at_the_same_time_and_what_waits_goes_one_of_each_key_after_the_other() {
    let mut world = world();
    let (busy, quiet) = (of_key("busy"), of_key("quiet"));
    let mut calls = call(&mut world, &busy, "b1 b2 b3 b4 b5 b6");
    calls.extend(call(&mut world, &quiet, "q1 q2"));
    let sent = world.requests("a");
    assert_eq!(serve(&mut world, sent), ["b1", "b2", "q1", "b3", "q2", "b4", "b5", "b6"]);
    for exchange in calls {
        assert!(world.answer(&busy, exchange).has(Field::Result));
    }
}

#[test]
fn a_process_is_asked_whatever_comes() {
    let mut world = World::scripted(limits(), [("a", Script::default())]).surveyed();
    call(&mut world, &of_key("k"), "1 2 3 4");
    assert_eq!(world.requests("a").len(), 4);
}

#[test]
fn what_is_cancelled_while_it_waits_never_reaches_its_server() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    call(&mut world, &client, "1 2 3 4");
    let sent = world.requests("a");
    world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#);
    assert!(world.frames("a").is_empty());
    assert_eq!(serve(&mut world, sent), ["1", "2", "4"]);
    let revoked = of_key("revoked");
    call(&mut world, &client, "5 6");
    call(&mut world, &revoked, "7 8");
    let sent = world.requests("a");
    world.feed(Input::KeyRevoked(KeyId("revoked".into())));
    assert_eq!(serve(&mut world, sent), ["5", "6", "7"], "that was under way");
}

#[test]
fn the_place_of_a_call_that_is_given_up_is_the_next_ones() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    call(&mut world, &client, "1 2 3");
    assert_eq!(world.requests("a").len(), 2);
    world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}"#);
    assert_eq!(name(&world.requested("a")), "3");
}

#[test]
fn what_has_no_place_in_its_time_is_refused_and_was_not_begun() {
    for era in ERAS {
        let mut world = world();
        let client = world.client(era, at("a"));
        let half = Limits::default().call / 2;
        for id in ["1", "2"] {
            world.call_with(&client, id, r#""progressToken":"p""#);
        }
        let sent = world.requests("a");
        let late = call(&mut world, &client, "late").remove(0);
        world.advance(half);
        for sent in &sent {
            progress(&mut world, sent, 1);
        }
        world.take(&client, late);
        world.advance(half);
        let answer = world.answer(&client, late);
        let said = answer.raw_str(Field::Error).unwrap();
        assert!(said.contains("-31004") && said.contains("remote_in_flight"), "{era:?}: {said}");
        assert!(world.frames("a").is_empty());
    }
}

#[test]
fn a_call_whose_client_is_asked_for_more_takes_no_place_meanwhile() {
    let mut world = remote_with(limits(), Script::modern());
    world.frames("a");
    let client = world.able_client(HTTP, at("a"), r#"{"elicitation":{}}"#);
    call(&mut world, &client, "1 2 3");
    let question = r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#;
    for sent in world.requests("a") {
        let demand = format!(r#"{{"resultType":"input_required","inputRequests":{{"q":{question}}}}}"#);
        world.reply(&sent, &demand);
    }
    assert_eq!(name(&world.requested("a")), "3");
}

#[test]
fn what_waits_goes_in_the_next_session_when_the_server_forgets_one() {
    let mut world = world();
    let client = of_key("k");
    call(&mut world, &client, "1 2 3 4");
    let sent = world.requests("a");
    refuse(&mut world, &sent[0]);
    let again = world.requests("a");
    assert_eq!(again.iter().map(name).collect::<Vec<_>>(), ["1", "3"], "2 is answered where it was asked");
    assert_ne!(again[0].link, sent[0].link);
    assert_eq!(serve(&mut world, again), ["1", "3", "4"]);
}

#[test]
fn what_waits_when_the_server_is_lost_was_not_begun() {
    let mut world = world();
    let client = of_key("k");
    let calls = call(&mut world, &client, "1 2 3");
    let link = world.link("a");
    world.feed(Input::LinkClosed { link, reason: CloseReason::Lost("gone".into()) });
    assert_eq!(world.code(&client, calls[0]), "-31003");
    assert_eq!(world.code(&client, calls[2]), "-31001");
}
