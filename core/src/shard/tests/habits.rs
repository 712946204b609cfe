//! Habits of the clients that there are, beyond what the protocol says. `docs/clients.md` has the list.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::resumption::{begin, progress};
use super::world::{World, read};
use crate::Limits;
use crate::mcp::Revision;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;

#[test]
fn a_client_that_never_says_its_version_again_is_served_in_the_one_it_agreed_on() {
    let mut world = World::running(&["a"]);
    for revision in Revision::ALL.into_iter().filter(|revision| !revision.is_modern()) {
        let client = world.client(Era::Http(revision), at("a"));
        let call = read(&client.write("1", "tools/call", r#""name":"echo""#, ""));
        let exchange = world.post_with(&client, client.head(Verb::Post), call);
        let sent = world.requested("a");
        world.reply(&sent, "{}");
        assert_eq!(world.seen(exchange).status, Some(200), "{revision}");
        let listens = world.open(&client, Verb::Listen);
        assert!(world.seen(listens).streams, "{revision}");
    }
}

#[test]
fn capabilities_that_nobody_knows_are_no_reason_to_refuse_a_client() {
    let odd = r#"{"elicitation":{"form":{"applyDefaults":true},"url":{},"voice":{}},"roots":{"listChanged":"yes"},
        "sampling":5,"tasks":{"list":{}},"experimental":{"x":null},"":[]}"#;
    let mut world = World::running(&["a"]);
    for era in ERAS {
        let client = world.able_client(era, at("a"), odd);
        let exchange = world.call(&client, "7");
        let sent = world.requested("a");
        world.reply(&sent, "{}");
        assert!(world.answer(&client, exchange).has(Field::Result), "{era:?}");
    }
}

/// The TypeScript SDK takes a stream that ended with an error for one that was cut, and comes back for the rest.
#[test]
fn a_client_that_comes_back_after_an_error_is_not_told_it_twice_nor_kept_waiting() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    let error = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32000,"message":"no"}}}}"#, sent.id);
    world.says(sent.link, &error);
    let cursor = world.cursor(call);
    for _ in 0..3 {
        let again = world.come_back(&client, &cursor);
        let seen = world.seen(again);
        assert_eq!((seen.status, seen.messages.len(), seen.ended), (Some(204), 0, true));
    }
    let told = world.take(&client, call);
    assert!(told.len() == 2 && told[1].contains("-32000"), "{told:?}");
}

#[test]
fn an_error_before_any_stream_is_plain_json_that_nobody_comes_back_for() {
    let mut world = World::running(&["a"]);
    for era in [HTTP, Era::Modern] {
        let client = world.client(era, at("a"));
        let exchange = world.call(&client, "1");
        let sent = world.requested("a");
        let error =
            format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32000,"message":"no"}}}}"#, sent.id);
        world.says(sent.link, &error);
        let seen = world.seen(exchange);
        assert!(!seen.streams && seen.messages.len() == 1, "{era:?}: {seen:?}");
    }
}

/// Python's SDK gives a connection up for an event of more than a mebibyte.
#[test]
fn a_large_answer_is_plain_json_where_nothing_was_said_before_it() {
    let mut world = World::running(&["a"]);
    let text = "x".repeat(2 * 1024 * 1024);
    for era in [HTTP, Era::Modern] {
        let client = world.client(era, at("a"));
        let exchange = world.call(&client, "1");
        let sent = world.requested("a");
        world.reply(&sent, &format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#));
        assert!(!world.seen(exchange).streams, "{era:?}");
        assert!(world.answer(&client, exchange).bytes().len() > text.len(), "{era:?}");
    }
}

#[test]
fn two_hundred_sessions_that_were_left_behind_keep_nobody_out() {
    let mut world = World::running(&["a"]);
    for _ in 0..200 {
        world.client(HTTP, at("a"));
    }
    let client = world.client(HTTP, at("a"));
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, exchange).has(Field::Result));
    assert_eq!(world.shard.session_count(), 201);
    world.advance(Limits::default().session_idle + Duration::from_mins(1));
    assert_eq!(world.shard.session_count(), 0, "nobody takes leave, so they end by themselves");
}

#[test]
fn every_window_of_a_client_has_a_session_of_its_own_and_the_same_ids() {
    let mut world = World::running(&["a"]);
    let clients: Vec<Client> = (0..20).map(|_| world.client(HTTP, at("a"))).collect();
    let calls: Vec<_> = clients.iter().map(|client| world.call(client, "1")).collect();
    let sent = world.requests("a");
    for (number, request) in sent.iter().enumerate().rev() {
        world.reply(request, &format!(r#"{{"n":{number}}}"#));
    }
    for (number, (client, call)) in clients.iter().zip(calls).enumerate() {
        let answer = world.answer(client, call);
        assert_eq!(answer.raw(Field::Result), Some(format!(r#"{{"n":{number}}}"#).as_bytes()));
        assert_eq!(answer.raw_str(Field::Id), Some("1"));
    }
}

#[test]
fn the_lists_of_the_stateless_era_depend_on_no_connection() {
    let mut world = World::running(&["a", "b"]);
    for target in [at("a"), Target::Unified] {
        let mut lists = Vec::new();
        for capabilities in ["{}", r#"{"sampling":{},"elicitation":{}}"#, r#"{"roots":{}}"#] {
            let client = Client { capabilities, ..Client::new(Era::Modern, target.clone()) };
            for id in ["1", "\"x\""] {
                let exchange = world.request(&client, id, "tools/list", "");
                let answer = world.answer(&client, exchange);
                lists.push(answer.raw_str(Field::Result).map(String::from));
            }
            let call = world.call(&client, "2");
            world.leave(call);
        }
        assert!(lists[0].is_some() && lists.iter().all(|list| *list == lists[0]), "{lists:#?}");
    }
}

/// mcp-remote pings every thirty seconds.
#[test]
fn a_ping_is_answered_by_the_hub_whatever_its_server_does() {
    let mut world = World::running(&["a"]);
    world.crash("a");
    let starts = world.starts();
    for era in [HTTP, Era::Sse] {
        let client = world.client(era, at("a"));
        let exchange = world.request(&client, "9", "ping", "");
        assert_eq!(world.answer(&client, exchange).raw_str(Field::Result), Some("{}"), "{era:?}");
    }
    assert_eq!(world.starts(), starts, "nothing is started for it");
}
