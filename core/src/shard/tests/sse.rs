//! HTTP+SSE of 2024-11-05: one stream, and posts that are answered on it.

use core::time::Duration;

use super::clients::{Client, Era, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;
use crate::shard::Effect;

#[test]
fn the_endpoint_comes_first_and_holds_the_session() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Sse, at("a"));
    let stream = world.open(&client, Verb::OpenSse);
    assert!(matches!(world.log.last(), Some(Effect::Emit { exchange, .. }) if *exchange == stream));
    let endpoint = world.seen(stream).endpoint.clone().unwrap();
    let (path, session) = endpoint.split_once("?sessionId=").unwrap();
    assert_eq!((path, session.len()), ("/messages", 64));
}

#[test]
fn a_post_is_accepted_and_answered_on_the_stream() {
    let mut world = World::running(&["a"]);
    let mut client = Client::new(Era::Sse, at("a"));
    let stream = world.open_sse(&mut client);
    let asked = [
        world.initialize(&client, "2024-11-05"),
        world.request(&client, "1", "tools/list", ""),
        world.request(&client, "2", "ping", ""),
        world.request(&client, "3", "made/up/by/one/server", ""),
    ];
    for exchange in asked {
        let seen = world.seen(exchange);
        assert_eq!((seen.status, seen.messages.len(), seen.ended), (Some(202), 0, true));
    }
    let sent = world.requested("a");
    world.reply(&sent, "7");
    let ids = world.seen(stream).messages.iter().map(|text| super::world::read(text));
    let ids: alloc::vec::Vec<_> =
        ids.map(|answer| answer.raw_str(Field::Id).map(alloc::borrow::ToOwned::to_owned)).collect();
    assert_eq!(ids, ["0", "1", "2", "3"].map(|id| Some(id.into())));
}

#[test]
fn a_post_without_a_session_or_for_one_that_is_not_there_is_told_to_open_a_stream() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Sse, at("a"));
    for (session, status, code, says) in [
        (None, 400, "-32000", "sessionId is missing from the URL"),
        (Some("0".repeat(64)), 404, "-32001", "session not found"),
    ] {
        let client = Client { session, ..client.clone() };
        let exchange = world.request(&client, "1", "ping", "");
        assert_eq!(world.seen(exchange).status, Some(status));
        let answer = world.answer(&client, exchange);
        assert_eq!(answer.raw_str(Field::Code), Some(code));
        let words = answer.text(Field::ErrorMessage).unwrap();
        assert!(words.contains(says) && words.contains("/sse"), "{words}");
    }
}

#[test]
fn a_request_before_initialize_is_out_of_order() {
    let mut world = World::running(&["a"]);
    let mut client = Client::new(Era::Sse, at("a"));
    world.open_sse(&mut client);
    let exchange = world.request(&client, "1", "tools/list", "");
    assert_eq!(world.seen(exchange).status, Some(400));
}

#[test]
fn a_ping_is_answered_before_initialize_too() {
    let mut world = World::running(&["a"]);
    let mut client = Client::new(Era::Sse, at("a"));
    let stream = world.open_sse(&mut client);
    let exchange = world.request(&client, "1", "ping", "");
    assert_eq!((world.seen(exchange).status, world.seen(stream).messages.len()), (Some(202), 1));
}

#[test]
fn the_session_ends_with_its_stream_and_its_calls_are_cancelled() {
    let mut world = World::running(&["a"]);
    let client = world.client(Era::Sse, at("a"));
    world.call(&client, "1");
    let sent = world.requested("a");
    world.leave(client.stream.unwrap());
    assert_eq!(world.shard.session_count(), 0);
    let cancelled = world.frames("a").pop().unwrap().1;
    assert!(cancelled.contains("notifications/cancelled"), "{cancelled}");
    assert!(cancelled.contains(&alloc::format!(r#""requestId":{}"#, sent.id)), "{cancelled}");
    world.reply(&sent, "{}");
    let client = Client { stream: None, ..client };
    let exchange = world.request(&client, "2", "ping", "");
    assert_eq!(world.seen(exchange).status, Some(404));
}

#[test]
fn a_request_that_waited_leaves_the_stream_as_it_was() {
    let mut world = World::scripted(Limits::default(), [("a", Script::default()), ("b", Script::stuck())]);
    let mut client = Client::new(Era::Sse, Target::Unified);
    let stream = world.open_sse(&mut client);
    world.initialize(&client, "2024-11-05");
    world.advance(Duration::from_secs(3));
    assert_eq!(world.seen(stream).messages.len(), 1);
    world.leave(stream);
    assert_eq!(world.shard.session_count(), 0, "its end is still noticed");
}

#[test]
fn a_stream_and_a_post_of_the_oldest_transport_are_no_session_of_the_newer() {
    let mut world = World::running(&["a"]);
    let client = world.client(Era::Sse, at("a"));
    for verb in [Verb::Post, Verb::Listen] {
        let exchange = match verb {
            Verb::Listen => world.open(&client, verb),
            Verb::Delete | Verb::OpenSse | Verb::Post | Verb::PostMessage => {
                let body = super::world::read(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#);
                world.post_with(&client, client.head(verb), body)
            }
        };
        assert_eq!(world.seen(exchange).status, Some(404));
    }
}
