//! What servers of the eras with sessions are told of subscriptions: about one resource one thing at a time.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::{Target, Verb};
use crate::record::Sharing;
use crate::rpc::Field;
use crate::{ExchangeId, Limits};

fn world_of(limits: Limits) -> World {
    let script = Script {
        capabilities: r#"{"tools":{},"resources":{"subscribe":true}}"#.to_owned(),
        ..Script::full(&["u:1", "u:2"], &[])
    };
    World::scripted(limits, [("a", script)]).surveyed()
}

fn world() -> World {
    world_of(Limits::default())
}

fn ask(world: &mut World, client: &Client, id: &str, does: &str) -> ExchangeId {
    world.request(client, id, &format!("resources/{does}"), r#""uri":"u:1""#)
}

/// What the server was asked, taken.
fn told(world: &mut World) -> Vec<String> {
    world.requests("a").into_iter().map(|sent| sent.method).collect()
}

/// Takes the one thing that the server was asked, which is this, and has it agree.
fn agree(world: &mut World, does: &str) {
    let sent = world.requested("a");
    assert_eq!(sent.method, format!("resources/{does}"));
    world.reply(&sent, "{}");
}

fn refuse(world: &mut World, sent: &Sent) {
    let error = r#"{"code":-32602,"message":"no","data":{"own":1}}"#;
    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
}

fn listen(world: &mut World, client: &Client) -> ExchangeId {
    world.request(client, "7", "subscriptions/listen", r#""notifications":{"resourceSubscriptions":["u:1"]}"#)
}

fn is_told(world: &mut World, client: &Client, stream: ExchangeId) -> bool {
    let link = world.link("a");
    let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}"#;
    world.says(link, updated);
    world.take(client, stream).iter().any(|said| said.contains("resources/updated"))
}

#[test]
fn what_is_said_of_a_resource_waits_for_the_answer_to_what_was_said_before_of_it() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let asked = ["subscribe", "unsubscribe", "subscribe", "unsubscribe", "subscribe"];
    let answers: Vec<ExchangeId> =
        asked.iter().enumerate().map(|(n, does)| ask(&mut world, &client, &format!("{n}"), does)).collect();
    for (does, answer) in asked.into_iter().zip(&answers) {
        assert!(!world.seen(*answer).ended);
        agree(&mut world, does);
        assert!(world.answer(&client, *answer).has(Field::Result), "{does}");
    }
    assert!(told(&mut world).is_empty());
    assert!(is_told(&mut world, &client, stream));
    // Nothing of another resource waits.
    world.request(&client, "8", "resources/unsubscribe", r#""uri":"u:1""#);
    world.request(&client, "9", "resources/subscribe", r#""uri":"u:2""#);
    assert_eq!(told(&mut world), ["resources/unsubscribe", "resources/subscribe"]);
}

#[test]
fn those_who_want_the_same_ask_once_and_each_is_answered() {
    let mut world = world();
    let clients = [(); 3].map(|()| world.client(HTTP, at("a")));
    let asked = clients.each_ref().map(|client| ask(&mut world, client, "1", "subscribe"));
    let sent = world.requested("a");
    refuse(&mut world, &sent);
    let answers = clients.iter().zip(asked).map(|(client, asked)| world.answer(client, asked));
    let errors: Vec<String> = answers.map(|it| it.raw_str(Field::Error).unwrap().to_owned()).collect();
    let [own, others @ ..] = errors.as_slice() else { panic!("{errors:?}") };
    assert!(own.contains("data"), "{own}");
    assert_eq!(others, [r#"{"code":-32602,"message":"no"}"#; 2], "data is for the one that was asked for");
    let asked = clients.each_ref().map(|client| ask(&mut world, client, "1", "subscribe"));
    agree(&mut world, "subscribe");
    assert!(told(&mut world).is_empty());
    for (client, asked) in clients.iter().zip(asked) {
        assert!(world.answer(client, asked).has(Field::Result));
    }
}

#[test]
fn who_gives_up_a_subscription_or_ends_before_it_is_made_leaves_none() {
    for ends in ["is cancelled", "its session ends", "its time is over"] {
        let mut world = world();
        let client = world.client(HTTP, at("a"));
        let asked = ask(&mut world, &client, "1", "subscribe");
        let sent = world.requested("a");
        match ends {
            "is cancelled" => {
                let cancelled =
                    r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
                world.post(&client, cancelled);
            }
            "its session ends" => {
                world.delete(&client);
            }
            _ => {
                world.advance(Limits::default().call);
                assert_eq!(world.code(&client, asked), "-31002");
            }
        }
        assert!(world.frames("a").is_empty(), "{ends}: nothing goes before what it has not done yet");
        world.reply(&sent, "{}");
        agree(&mut world, "unsubscribe");
        assert!(told(&mut world).is_empty(), "{ends}");
    }
}

#[test]
fn who_gives_up_the_end_of_a_subscription_takes_it_from_nobody_who_wants_it_then() {
    let mut world = world();
    let clients = [(); 2].map(|()| world.client(HTTP, at("a")));
    ask(&mut world, &clients[0], "1", "subscribe");
    agree(&mut world, "subscribe");
    ask(&mut world, &clients[0], "2", "unsubscribe");
    let ended = world.requested("a");
    world.delete(&clients[0]);
    let asked = ask(&mut world, &clients[1], "1", "subscribe");
    assert!(world.frames("a").is_empty(), "its server may be at it");
    world.reply(&ended, "{}");
    agree(&mut world, "subscribe");
    assert!(world.answer(&clients[1], asked).has(Field::Result));
}

#[test]
fn what_a_server_never_answers_is_made_good_when_it_may_have_been_done() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let asked = ask(&mut world, &client, "1", "subscribe");
    world.requested("a");
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, asked), "-31002");
    world.advance(Limits::default().call);
    agree(&mut world, "unsubscribe");
    world.advance(Limits::default().call * 3);
    assert!(told(&mut world).is_empty());
}

#[test]
fn who_has_gone_before_its_turn_came_gets_what_it_wanted() {
    let mut world = world();
    let clients = [(); 2].map(|()| world.client(HTTP, at("a")));
    ask(&mut world, &clients[0], "1", "subscribe");
    let left =
        [ask(&mut world, &clients[0], "2", "unsubscribe"), ask(&mut world, &clients[1], "1", "subscribe")];
    for exchange in left {
        world.leave(exchange);
    }
    agree(&mut world, "subscribe");
    assert!(told(&mut world).is_empty(), "the other one wants it");
    let streams = clients.each_ref().map(|client| world.open(client, Verb::Listen));
    assert!(!is_told(&mut world, &clients[0], streams[0]));
    assert!(is_told(&mut world, &clients[1], streams[1]));
}

#[test]
fn those_who_wait_to_ask_what_has_failed_are_told_the_same() {
    let mut world = world();
    let clients = [(); 3].map(|()| world.client(HTTP, at("a")));
    let all = |world: &mut World| clients.each_ref().map(|client| ask(world, client, "1", "subscribe"));
    let asked = all(&mut world);
    world.requested("a");
    world.advance(Limits::default().call);
    for (client, asked) in clients.iter().zip(asked) {
        assert_eq!(world.code(client, asked), "-31002");
    }
}

#[test]
fn those_who_wait_leave_room_for_others() {
    let limits = Limits { project_in_flight: 8, session_in_flight: 2, ..Limits::default() };
    let mut world = world_of(limits);
    let client = world.client(HTTP, at("a"));
    let asked = ["1", "2", "3", "4"].map(|id| ask(&mut world, &client, id, "subscribe"));
    assert!(world.answer(&client, asked[3]).raw_str(Field::Error).unwrap().contains("session_in_flight"));
    for _ in 0..2 {
        let other = world.client(HTTP, at("a"));
        ask(&mut world, &other, "1", "subscribe");
    }
    let last = world.client(HTTP, at("a"));
    let asked = ask(&mut world, &last, "1", "subscribe");
    assert!(world.answer(&last, asked).raw_str(Field::Error).unwrap().contains("project_in_flight"));
}

#[test]
fn who_has_gone_is_still_subscribed_for_that_ends_no_request() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let asked = ask(&mut world, &client, "1", "subscribe");
    world.leave(asked);
    agree(&mut world, "subscribe");
    let stream = world.open(&client, Verb::Listen);
    assert!(is_told(&mut world, &client, stream));
}

#[test]
fn a_session_that_has_gone_when_its_server_says_yes_leaves_no_subscription() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let asked = ask(&mut world, &client, "1", "subscribe");
    let sent = world.requested("a");
    world.leave(asked);
    world.delete(&client);
    world.reply(&sent, "{}");
    agree(&mut world, "unsubscribe");
}

#[test]
fn a_stream_that_wants_what_is_just_being_given_up_gets_it_after_that() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    ask(&mut world, &client, "1", "subscribe");
    agree(&mut world, "subscribe");
    ask(&mut world, &client, "2", "unsubscribe");
    let modern = Client::new(Era::Modern, at("a"));
    let stream = listen(&mut world, &modern);
    agree(&mut world, "unsubscribe");
    assert!(world.take(&modern, stream).is_empty(), "the server has not said yet that it tells");
    agree(&mut world, "subscribe");
    assert!(world.take(&modern, stream)[0].contains(r#"{"resourceSubscriptions":["u:1"]}"#));
    assert!(told(&mut world).is_empty());
}

#[test]
fn those_who_wait_for_a_server_that_is_lost_are_answered() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let first = ask(&mut world, &client, "1", "subscribe");
    let second = ask(&mut world, &client, "2", "unsubscribe");
    world.requested("a");
    world.crash("a");
    assert_eq!(world.code(&client, first), "-31003");
    assert!(world.answer(&client, second).has(Field::Result), "there is nothing to end");
    world.advance(Duration::from_secs(1));
    assert!(told(&mut world).is_empty());
}

#[test]
fn what_waits_for_its_turn_can_be_cancelled_and_is_bounded() {
    let mut world = world_of(Limits { project_in_flight: 4, ..Limits::default() });
    let client = world.client(HTTP, at("a"));
    let asked = ["1", "2", "3", "4"].map(|id| ask(&mut world, &client, id, "subscribe"));
    assert_eq!(world.code(&client, asked[3]), "-31004", "one is under way, and two wait");
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#;
    world.post(&client, cancelled);
    assert!(world.seen(asked[1]).ended);
    agree(&mut world, "subscribe");
    assert!(world.answer(&client, asked[2]).has(Field::Result));
}

#[test]
fn a_resource_that_is_subscribed_to_under_two_names_is_told_of_under_both_and_given_up_one_by_one() {
    let mut world = world();
    let client = world.client(HTTP, Target::Unified);
    let stream = world.open(&client, Verb::Listen);
    let names = ["u:1", "mcp-orch://a/u:1"];
    for (n, does) in [(0, "subscribe"), (1, "subscribe"), (0, "unsubscribe")] {
        let uri = names[n];
        world.request(&client, "1", &format!("resources/{does}"), &format!(r#""uri":"{uri}""#));
        world.agree("a");
        world.take(&client, stream);
    }
    let link = world.link("a");
    let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}"#;
    world.says(link, updated);
    let said = world.take(&client, stream);
    assert!(said.len() == 1 && said[0].contains(names[1]), "{said:?}");
    world.request(&client, "2", "resources/unsubscribe", &format!(r#""uri":"{}""#, names[1]));
    agree(&mut world, "unsubscribe");
}

#[test]
fn what_is_subscribed_to_already_is_not_one_more() {
    let mut world = world_of(Limits { subscriptions: 1, ..Limits::default() });
    let client = world.client(HTTP, at("a"));
    for id in ["1", "2"] {
        let asked = ask(&mut world, &client, id, "subscribe");
        world.agree("a");
        assert!(world.answer(&client, asked).has(Field::Result));
    }
}

#[test]
fn a_process_of_a_key_is_told_when_its_streams_have_ended() {
    let mut world = world();
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerUser);
    let mut world = world.surveyed();
    let client = Client::new(Era::Modern, at("a"));
    world.call(&client, "1");
    let own = world.requested("a");
    world.reply(&own, "{}");
    let streams = [(); 2].map(|()| listen(&mut world, &client));
    let subscribed = world.requests("a");
    assert!(subscribed.iter().any(|sent| sent.link == own.link), "{subscribed:?}");
    for sent in &subscribed {
        world.reply(sent, "{}");
    }
    world.leave(streams[0]);
    assert!(told(&mut world).is_empty());
    world.leave(streams[1]);
    let ended = world.requests("a");
    assert!(ended.iter().any(|sent| sent.link == own.link && sent.method == "resources/unsubscribe"));
}
