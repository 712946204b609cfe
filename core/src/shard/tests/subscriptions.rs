//! Subscriptions to resources: one at the server for all of its clients.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::{World, read};
use crate::ExchangeId;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;

fn subscribable() -> Script {
    Script { capabilities: r#"{"resources":{"subscribe":true}}"#.to_owned(), ..Script::full(&["u:1"], &[]) }
}

fn world() -> World {
    World::scripted(Limits::default(), [("a", subscribable()), ("b", subscribable())]).surveyed()
}

fn ask(world: &mut World, client: &Client, method: &str, uri: &str) -> ExchangeId {
    world.request(client, "1", method, &format!(r#""uri":"{uri}""#))
}

/// What server `a` was asked, taken: methods with their URIs.
fn told(world: &mut World) -> Vec<String> {
    world.requests("a").iter().map(|sent| format!("{} {}", sent.method, sent.params)).collect()
}

fn updated(world: &mut World, uri: &str) {
    let link = world.link("a");
    let params = format!(r#""params":{{"uri":"{uri}","title":"t"}}"#);
    world.says(link, &format!(r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated",{params}}}"#));
}

#[test]
fn the_server_hears_of_the_first_and_of_the_last_subscription_and_each_client_of_the_change() {
    let mut world = world();
    let clients = [world.client(HTTP, at("a")), world.client(HTTP, Target::Unified)];
    let streams = [0, 1].map(|n: usize| world.open(&clients[n], Verb::Listen));
    let first = ask(&mut world, &clients[0], "resources/subscribe", "u:1");
    let sent = world.requested("a");
    assert_eq!((&*sent.method, &*sent.params), ("resources/subscribe", r#"{"uri":"u:1"}"#));
    world.reply(&sent, "{}");
    ask(&mut world, &clients[1], "resources/subscribe", "u:1");
    assert!(told(&mut world).is_empty());
    assert_eq!(world.take(&clients[0], first).len(), 1);
    updated(&mut world, "u:1");
    updated(&mut world, "u:2");
    for (client, stream) in clients.iter().zip(streams) {
        let heard = world.take(client, stream);
        assert_eq!(
            heard,
            [
                r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1","title":"t"}}"#
            ]
        );
    }
    ask(&mut world, &clients[0], "resources/unsubscribe", "u:1");
    assert!(told(&mut world).is_empty());
    ask(&mut world, &clients[1], "resources/unsubscribe", "u:1");
    assert_eq!(told(&mut world), [r#"resources/unsubscribe {"uri":"u:1"}"#]);
}

#[test]
fn a_session_that_ends_and_a_stream_that_closes_are_subscribed_no_more() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    ask(&mut world, &client, "resources/subscribe", "u:1");
    let modern = Client::new(Era::Modern, at("a"));
    let filter = r#""notifications":{"resourceSubscriptions":["u:1"]}"#;
    let listen = world.request(&modern, "7", "subscriptions/listen", filter);
    world.agree("a");
    assert!(world.take(&modern, listen)[0].contains(r#"{"resourceSubscriptions":["u:1"]}"#));
    updated(&mut world, "u:1");
    let heard = world.take(&modern, listen);
    assert!(
        heard[0].contains(
            r#""params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"uri":"u:1","title":"t"}"#
        ),
        "{heard:?}"
    );
    world.delete(&client);
    told(&mut world);
    world.leave(listen);
    assert_eq!(told(&mut world), [r#"resources/unsubscribe {"uri":"u:1"}"#]);
}

#[test]
fn what_a_server_says_of_a_change_reaches_streams_of_both_kinds_and_the_hub_s_own_tag_neither() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    ask(&mut world, &client, "resources/subscribe", "u:1");
    world.agree("a");
    let modern = Client::new(Era::Modern, at("a"));
    let filter = r#""notifications":{"resourceSubscriptions":["u:1"]}"#;
    let listen = world.request(&modern, "7", "subscriptions/listen", filter);
    world.take(&modern, listen);
    let link = world.link("a");
    let said =
        r#"{"uri":"u:1","x":[1],"_meta":{"traceparent":"t","io.modelcontextprotocol/subscriptionId":9}}"#;
    world.says(
        link,
        &format!(r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{said}}}"#),
    );
    let heard = [world.take(&client, stream), world.take(&modern, listen)].concat();
    let untagged = r#"{"uri":"u:1","x":[1],"_meta":{"traceparent":"t"}}"#;
    let tagged =
        r#"{"uri":"u:1","x":[1],"_meta":{"io.modelcontextprotocol/subscriptionId":7,"traceparent":"t"}}"#;
    assert!(heard[0].contains(untagged) && heard[1].contains(tagged), "{heard:?}");
}

#[test]
fn a_change_of_a_part_is_one_of_the_whole_that_was_subscribed_to() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    ask(&mut world, &client, "resources/subscribe", "u:1");
    world.agree("a");
    for (changed, is_heard) in
        [("u:1/a", true), ("u:1#a", true), ("u:1?a", true), ("u:12", false), ("u:", false), ("v:1/a", false)]
    {
        updated(&mut world, changed);
        let heard = world.take(&client, stream);
        assert_eq!(heard.len(), usize::from(is_heard), "{changed}: {heard:?}");
        assert!(heard.iter().all(|it| it.contains(&format!("\"uri\":\"{changed}\""))), "{heard:?}");
    }
}

#[test]
fn a_server_that_was_started_again_is_told_of_its_subscriptions() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    ask(&mut world, &client, "resources/subscribe", "u:1");
    world.agree("a");
    world.crash("a");
    world.call(&client, "2");
    world.advance(Duration::from_secs(1));
    let told = told(&mut world);
    assert!(told.contains(&r#"resources/subscribe {"uri":"u:1"}"#.to_owned()), "{told:?}");
}

#[test]
fn a_resource_that_two_servers_have_is_heard_of_under_the_name_that_was_subscribed_to() {
    let mut world = world();
    let client = world.client(HTTP, Target::Unified);
    let stream = world.open(&client, Verb::Listen);
    let asked = ask(&mut world, &client, "resources/subscribe", "mcp-orch://b/u:1");
    let sent = world.requested("b");
    assert_eq!(sent.params, r#"{"uri":"u:1"}"#);
    world.reply(&sent, "{}");
    world.take(&client, asked);
    world.says(
        sent.link,
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}"#,
    );
    assert!(world.take(&client, stream)[0].contains(r#""uri":"mcp-orch://b/u:1""#));
}

#[test]
fn a_server_that_has_no_subscriptions_is_not_asked_for_one() {
    let mut world = World::scripted(Limits::default(), [("a", Script::full(&["u:1"], &[]))]).surveyed();
    let client = world.client(HTTP, at("a"));
    let exchange = ask(&mut world, &client, "resources/subscribe", "u:1");
    assert_eq!(world.code(&client, exchange), "-32601");
    assert!(told(&mut world).is_empty());
}

#[test]
fn a_session_has_so_many_subscriptions_and_no_more() {
    let limits = Limits { subscriptions: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", subscribable())]).surveyed();
    let client = world.client(HTTP, at("a"));
    for uri in ["u:1", "u:2"] {
        ask(&mut world, &client, "resources/subscribe", uri);
        world.agree("a");
    }
    let exchange = ask(&mut world, &client, "resources/subscribe", "u:3");
    let answer = world.take(&client, exchange);
    assert!(answer[0].contains("limit subscriptions reached (2)"), "{answer:?}");
}

#[test]
fn a_subscription_that_its_server_refuses_is_none() {
    let mut world = world();
    let clients = [(); 2].map(|()| world.client(HTTP, at("a")));
    ask(&mut world, &clients[0], "resources/subscribe", "u:1");
    let sent = world.requested("a");
    let no = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32602,"message":"no"}}}}"#, sent.id);
    world.says(sent.link, &no);
    // The next one is asked for like a first one.
    ask(&mut world, &clients[1], "resources/subscribe", "u:1");
    assert_eq!(world.requested("a").method, "resources/subscribe");
}

/// A server of the stateless era that leaves it to the test what becomes of its streams of news; the first is open.
fn stateless() -> World {
    let script = Script { news: false, ..Script::modern() };
    let capabilities = r#"{"resources":{"subscribe":true}}"#.to_owned();
    let mut world = World::scripted(Limits::default(), [("a", Script { capabilities, ..script })]).surveyed();
    let first = world.requested("a");
    acknowledge(&mut world, &first);
    world
}

/// A server says that a stream of its news is open.
fn acknowledge(world: &mut World, listen: &Sent) {
    grant(world, listen, "");
}

/// The same, with members that say for what.
fn grant(world: &mut World, listen: &Sent, members: &str) {
    let meta = format!(r#"{members}"_meta":{{"io.modelcontextprotocol/subscriptionId":{}}}"#, listen.id);
    let method = "notifications/subscriptions/acknowledged";
    world.says(listen.link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{{meta}}}}}"#));
    world.frames("a");
}

#[test]
fn a_subscription_at_a_server_of_the_stateless_era_is_made_when_the_stream_of_its_news_is_open() {
    for era in [HTTP, Era::Sse] {
        let mut world = stateless();
        let clients = [(); 3].map(|()| world.client(era, at("a")));
        let asked = [0, 1].map(|n: usize| ask(&mut world, &clients[n], "resources/subscribe", "test://a"));
        let listen = world.requested("a");
        assert!(listen.params.contains(r#""resourceSubscriptions":["test://a"]"#), "{}", listen.params);
        for (client, asked) in clients.iter().zip(asked) {
            assert_eq!(world.take(client, asked), Vec::<String>::new(), "{era:?}");
        }
        acknowledge(&mut world, &listen);
        for (client, asked) in clients.iter().zip(asked) {
            assert!(world.answer(client, asked).has(Field::Result), "{era:?}");
        }
        let third = ask(&mut world, &clients[2], "resources/subscribe", "test://a");
        assert!(world.answer(&clients[2], third).has(Field::Result), "{era:?}: the stream is open already");
    }
}

#[test]
fn a_subscription_fails_that_a_server_of_the_stateless_era_does_not_grant() {
    for (members, granted) in [
        ("", true),
        (r#""notifications":{"resourceSubscriptions":["test://b","test://a"]},"#, true),
        (r#""notifications":{"resourceSubscriptions":["test://b"]},"#, false),
        (r#""notifications":{"toolsListChanged":true},"#, false),
    ] {
        let mut world = stateless();
        let clients = [(); 2].map(|()| world.client(HTTP, at("a")));
        let listener = Client::new(Era::Modern, at("a"));
        let filter = r#""notifications":{"resourceSubscriptions":["test://a"]}"#;
        world.request(&listener, "7", "subscriptions/listen", filter);
        let listen = world.requested("a");
        let stream = world.open(&clients[0], Verb::Listen);
        let first = ask(&mut world, &clients[0], "resources/subscribe", "test://a");
        grant(&mut world, &listen, members);
        let second = ask(&mut world, &clients[1], "resources/subscribe", "test://a");
        for again in world.requests("a") {
            grant(&mut world, &again, members);
        }
        for (client, asked) in clients.iter().zip([first, second]) {
            let answer = world.answer(client, asked);
            assert_eq!(answer.raw_str(Field::Code), (!granted).then_some("-32602"), "{members}");
        }
        updated(&mut world, "test://a");
        assert_eq!(world.take(&clients[0], stream).len(), usize::from(granted), "{members}");
    }
}

#[test]
fn a_subscription_fails_with_the_stream_of_news_that_it_needs() {
    let mut world = stateless();
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let asked = ask(&mut world, &client, "resources/subscribe", "test://a");
    let listen = world.requested("a");
    let no = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"full"}}}}"#, listen.id);
    world.says(listen.link, &no);
    let answer = world.answer(&client, asked);
    assert_eq!(
        (answer.raw_str(Field::Code), &*answer.text(Field::ErrorMessage).unwrap()),
        (Some("-32603"), "full")
    );
    updated(&mut world, "test://a");
    assert_eq!(world.take(&client, stream), Vec::<String>::new());
}

#[test]
fn a_server_that_never_says_that_its_stream_is_open_keeps_no_subscriber_waiting_for_ever() {
    let mut world = stateless();
    let client = world.client(HTTP, at("a"));
    let asked = ask(&mut world, &client, "resources/subscribe", "test://a");
    world.requested("a");
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, asked), "-31002");
    assert!(
        world.frames("a").is_empty(),
        "the server never heard of the request, so there is nothing to cancel"
    );
}

#[test]
fn a_subscription_waits_for_a_server_that_does_not_run() {
    let mut world = stateless();
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    let asked = ask(&mut world, &client, "resources/subscribe", "test://a");
    world.advance(Limits::default().backoff_first);
    let listen = world.requested("a");
    assert!(!world.seen(asked).ended && listen.params.contains("test://a"), "{}", listen.params);
    acknowledge(&mut world, &listen);
    assert!(world.answer(&client, asked).has(Field::Result));
}

#[test]
fn a_subscription_that_waits_for_a_server_that_has_become_one_of_before_is_made_there() {
    let mut world = stateless();
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    world.scripts.insert("a".into(), subscribable());
    let asked = ask(&mut world, &client, "resources/subscribe", "test://a");
    world.advance(Limits::default().backoff_first);
    assert!(told(&mut world).contains(&r#"resources/subscribe {"uri":"test://a"}"#.to_owned()));
    assert!(world.answer(&client, asked).has(Field::Result));
}

#[test]
fn who_does_not_listen_is_told_later_once_of_each_resource_that_has_changed() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    for uri in ["u:1", "u:2", "u:3"] {
        ask(&mut world, &client, "resources/subscribe", uri);
        world.agree("a");
    }
    for changed in ["u:1", "u:1/a", "u:1#b", "u:2", "u:4"] {
        updated(&mut world, changed);
    }
    ask(&mut world, &client, "resources/unsubscribe", "u:2");
    let heard = |world: &mut World| {
        let stream = world.open(&client, Verb::Listen);
        let said = world.take(&client, stream);
        world.leave(stream);
        said.iter().map(|text| read(text).raw_str(Field::Params).unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(heard(&mut world), [r#"{"uri":"u:1"}"#], "what they have subscribed to, and still are");
    assert!(heard(&mut world).is_empty());
}

#[test]
fn who_does_not_listen_while_a_server_is_lost_is_told_later_what_may_have_changed() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    ask(&mut world, &client, "resources/subscribe", "u:1");
    world.agree("a");
    world.crash("a");
    world.advance(Duration::from_secs(1));
    let stream = world.open(&client, Verb::Listen);
    let said = world.take(&client, stream);
    assert_eq!(read(said.last().unwrap()).raw_str(Field::Params), Some(r#"{"uri":"u:1"}"#));
}

#[test]
fn what_a_session_keeps_has_a_bound_in_bytes() {
    let limits = Limits { session_bytes: 40, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", subscribable())]).surveyed();
    let client = world.client(HTTP, at("a"));
    for n in 1..=6 {
        let asked = ask(&mut world, &client, "resources/subscribe", &format!("u:{n}"));
        world.agree("a");
        assert!(world.answer(&client, asked).has(Field::Result), "its own name, and the client's");
    }
    let asked = ask(&mut world, &client, "resources/subscribe", "u:7");
    let answer = world.answer(&client, asked);
    assert!(answer.raw_str(Field::Error).unwrap().contains("session_bytes"), "{answer:?}");
}

#[test]
fn what_a_client_says_of_itself_has_a_bound_in_bytes() {
    let limits = Limits { client_bytes: 40, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", subscribable())]).surveyed();
    world.client(HTTP, at("a"));
    let large = Client { capabilities: r#"{"experimental":{"a":{}}}"#, ..Client::new(HTTP, at("a")) };
    let opened = world.initialize(&large, "2025-11-25");
    let answer = world.answer(&large, opened);
    assert!(answer.raw_str(Field::Error).unwrap().contains("client_bytes"), "{answer:?}");
}
