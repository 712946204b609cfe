//! What servers say without being asked: list changes, log messages, and requests of their own.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::mcp::ListKind;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;
use crate::shard::Effect;

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
const SECOND: Duration = Duration::from_secs(1);

fn logging() -> World {
    World::scripted(Limits::default(), [("a", Script::full(&[], &[])), ("b", Script::full(&[], &[]))])
        .surveyed()
}

fn grow(world: &mut World, server: &str) {
    world.scripts.get_mut(server).unwrap().tools.push(String::from("more"));
}

/// How often a server was asked for its tools.
fn asked(world: &World) -> usize {
    let asks = |effect: &&Effect| matches!(effect, Effect::SendFrame { frame, .. } if frame.windows(12).any(|part| part == b"\"tools/list\""));
    world.log.iter().filter(asks).count()
}

fn log(level: &str, words: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"{level}","data":"{words}"}}}}"#
    )
}

#[test]
fn a_burst_of_changes_is_learnt_once_after_a_pause() {
    let mut world = World::running(&["a"]);
    let link = world.link("a");
    for _ in 0..20 {
        world.says(link, CHANGED);
        world.advance(Duration::from_millis(10));
    }
    assert_eq!(asked(&world), 1, "the survey");
    world.advance(Duration::from_millis(50));
    assert_eq!(asked(&world), 2);
    world.advance(SECOND * 60);
    assert_eq!(asked(&world), 2);
}

#[test]
fn a_change_is_told_to_every_session_that_sees_the_server_once() {
    for era in [HTTP, Era::Sse] {
        let mut world = World::running(&["a", "b"]);
        let clients = [at("a"), Target::Unified, at("b")].map(|target| world.client(era, target));
        let streams = clients.each_ref().map(|client| {
            let streams = [(); 2].map(|()| client.stream.unwrap_or_else(|| world.open(client, Verb::Listen)));
            streams[1]
        });
        grow(&mut world, "a");
        let link = world.link("a");
        world.says(link, CHANGED);
        world.advance(SECOND);
        let told = streams.map(|stream| world.seen(stream).messages.clone());
        assert_eq!(told.map(|told| told.join("")), [CHANGED, CHANGED, ""], "{era:?}");
    }
}

#[test]
fn a_change_that_changes_nothing_is_told_to_nobody() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let link = world.link("a");
    world.says(link, CHANGED);
    world.advance(SECOND);
    assert_eq!((asked(&world), world.seen(stream).messages.len()), (2, 0));
}

#[test]
fn a_change_that_nobody_could_be_told_waits_for_the_next_stream() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    for _ in 0..2 {
        grow(&mut world, "a");
        let link = world.link("a");
        world.says(link, CHANGED);
        world.advance(SECOND);
    }
    let streams = [(); 2].map(|()| world.open(&client, Verb::Listen));
    assert_eq!(streams.map(|stream| world.seen(stream).messages.len()), [1, 0], "and is told once");
}

#[test]
fn a_change_that_comes_while_lists_are_learnt_is_not_lost() {
    let mut world = World::scripted(Limits::default(), [("a", Script { lists: false, ..Script::default() })]);
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.request(&client, "1", "tools/list", "");
    let sent = world.requested("a");
    world.says(sent.link, CHANGED);
    world.advance(SECOND);
    grow(&mut world, "a");
    world.scripts.get_mut("a").unwrap().lists = true;
    world.reply(&sent, r#"{"tools":[{"name":"old","inputSchema":{"type":"object"}}]}"#);
    assert!(world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("old"));
    world.advance(SECOND);
    let exchange = world.request(&client, "2", "tools/list", "");
    assert!(world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("more"));
}

#[test]
fn a_change_that_comes_before_the_last_one_is_published_is_not_lost() {
    let mut world = World::new(&["a"]);
    world.publishes = false;
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.request(&client, "1", "tools/list", "");
    let link = world.link("a");
    world.says(link, CHANGED);
    grow(&mut world, "a");
    world.advance(SECOND);
    world.publishes = true;
    let learnt = world.unpublished.pop().unwrap();
    let changes = world.publish(learnt);
    world.feed(crate::shard::Input::SnapshotReplaced(changes));
    assert!(world.seen(exchange).ended);
    world.advance(SECOND);
    let exchange = world.request(&client, "2", "tools/list", "");
    assert!(world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("more"));
}

#[test]
fn an_older_list_that_takes_its_time_never_comes_after_a_newer() {
    let mut world = World::running(&["a", "b"]);
    let link = world.link("a");
    world.publishes = false;
    grow(&mut world, "a");
    world.says(link, CHANGED);
    world.advance(SECOND);
    world.scripts.insert("a".into(), Script::default());
    world.says(link, CHANGED);
    world.configure(|servers| servers[1].spec.disabled = true);
    world.advance(SECOND);
    assert_eq!(world.unpublished.len(), 1, "one at a time");
    world.publishes = true;
    let older = world.unpublished.remove(0);
    let changes = world.publish(older);
    world.feed(crate::shard::Input::SnapshotReplaced(changes));
    world.advance(SECOND);
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.request(&client, "2", "tools/list", "");
    assert!(!world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("more"));
}

#[test]
fn several_servers_that_change_at_once_are_told_as_one_change() {
    let mut world = World::running(&["a", "b", "c"]);
    let client = world.client(HTTP, Target::Unified);
    let stream = world.open(&client, Verb::Listen);
    world.configure(|servers| servers.iter_mut().for_each(|server| server.spec.disabled = true));
    assert_eq!(world.take(&client, stream), [CHANGED]);
}

#[test]
fn a_new_server_is_told_when_it_was_seen() {
    let scripts = [("a", Script::default()), ("late", Script::silent())];
    let mut world = World::scripted(Limits::default(), scripts);
    let client = Client::new(HTTP, Target::Unified);
    let exchange = world.initialize(&client, "2025-11-25");
    world.advance(SECOND * 3);
    let client = Client { session: world.seen(exchange).session.clone(), ..client };
    let stream = world.open(&client, Verb::Listen);
    let hello = world.requested("late");
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#);
    assert_eq!(world.take(&client, stream), [CHANGED]);
}

#[test]
fn requests_of_servers_are_refused_and_pings_answered() {
    let mut world = World::running(&["a"]);
    let link = world.link("a");
    for id in ["1", r#""\u0061""#, "9007199254740993"] {
        for (method, expected) in [
            ("ping", r#""result":{}"#),
            ("roots/list", r#""error":{"code":-32601,"#),
            ("sampling/createMessage", r#""error":{"code":-32601,"#),
            ("elicitation/create", r#""error":{"code":-32601,"#),
        ] {
            world.frames("a");
            world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#));
            let frames = world.frames("a");
            let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},{expected}"#);
            assert!(frames.len() == 1 && frames[0].1.starts_with(&expected), "{frames:?}");
        }
    }
}

#[test]
fn a_log_message_with_one_call_in_flight_is_of_that_call() {
    for era in ERAS {
        let mut world = logging();
        let client = world.client(era, at("a"));
        world.client(HTTP, at("a"));
        let exchange = world.call_with(&client, "1", r#""io.modelcontextprotocol/logLevel":"notice""#);
        let sent = world.requests("a").pop().expect("the call");
        world.says(sent.link, &log("notice", "heard"));
        if era == Era::Modern {
            world.says(sent.link, &log("info", "too low"));
        }
        assert_eq!(world.take(&client, exchange), [log("notice", "heard")], "{era:?}");
    }
}

#[test]
fn a_log_message_that_may_be_of_a_call_that_was_left_is_of_no_call() {
    let mut world = logging();
    let left = world.client(HTTP, at("a"));
    let exchange = world.call(&left, "1");
    world.leave(exchange);
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.call_with(&client, "1", r#""io.modelcontextprotocol/logLevel":"debug""#);
    let link = world.link("a");
    world.says(link, &log("error", "whose?"));
    assert!(world.take(&client, exchange).is_empty());
}

#[test]
fn a_stateless_request_that_asks_for_no_log_gets_none() {
    let mut world = logging();
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    world.says(sent.link, &log("emergency", "x"));
    assert!(world.take(&client, exchange).is_empty());
}

#[test]
fn a_log_message_without_a_call_goes_to_the_sessions_that_want_its_level() {
    let mut world = logging();
    let clients = ["debug", "warning", "error"].map(|level| {
        let client = world.client(HTTP, at("a"));
        let exchange = world.request(&client, "1", "logging/setLevel", &format!(r#""level":"{level}""#));
        assert_eq!(world.answer(&client, exchange).raw_str(Field::Result), Some("{}"));
        client
    });
    let other = world.client(HTTP, at("b"));
    let streams = clients.each_ref().map(|client| world.open(client, Verb::Listen));
    let elsewhere = world.open(&other, Verb::Listen);
    let link = world.link("a");
    world.says(link, &log("warning", "w"));
    assert_eq!(streams.map(|stream| world.seen(stream).messages.len()), [1, 1, 0]);
    assert!(world.seen(elsewhere).messages.is_empty());
}

#[test]
fn a_session_that_is_not_initialized_hears_nothing() {
    let mut world = logging();
    let mut client = Client::new(Era::Sse, at("a"));
    let stream = world.open_sse(&mut client);
    let link = world.link("a");
    world.says(link, &log("error", "x"));
    grow(&mut world, "a");
    world.says(link, CHANGED);
    world.advance(SECOND);
    assert!(world.seen(stream).messages.is_empty());
}

#[test]
fn a_server_is_told_the_lowest_level_that_is_wanted_also_after_a_restart() {
    let mut world = logging();
    let levels = |world: &mut World| -> Vec<String> {
        let requests = world.requests("a").into_iter();
        requests.filter(|sent| sent.method == "logging/setLevel").map(|sent| sent.params).collect()
    };
    for (level, told) in [("error", true), ("warning", true), ("critical", false), ("warning", false)] {
        let client = world.client(HTTP, Target::Unified);
        world.request(&client, "1", "logging/setLevel", &format!(r#""level":"{level}""#));
        assert_eq!(!levels(&mut world).is_empty(), told, "{level}");
    }
    world.crash("a");
    world.call(&Client::new(Era::Modern, at("a")), "1");
    world.advance(SECOND);
    assert_eq!(levels(&mut world), [r#"{"level":"warning"}"#]);
}

#[test]
fn the_call_that_starts_a_server_is_made_after_what_its_client_wants_to_hear() {
    let methods = |world: &mut World| -> Vec<String> {
        let sent = world.requests("a").into_iter().map(|sent| sent.method);
        sent.filter(|method| !method.ends_with("/list")).collect()
    };
    let capabilities = r#"{"tools":{},"resources":{"subscribe":true},"logging":{}}"#.into();
    let script = Script { capabilities, ..Script::full(&["file:///a"], &[]) };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let client = world.client(HTTP, at("a"));
    world.request(&client, "1", "logging/setLevel", r#""level":"debug""#);
    world.request(&client, "2", "resources/subscribe", r#""uri":"file:///a""#);
    for sent in world.requests("a") {
        world.reply(&sent, "{}");
    }
    world.crash("a");
    world.call(&client, "3");
    world.advance(SECOND);
    assert_eq!(methods(&mut world), ["logging/setLevel", "resources/subscribe", "tools/call"]);
}

#[test]
fn a_level_that_a_stateless_call_names_is_told_to_a_server_of_the_2025_eras_before_it() {
    const LEVEL: &str = r#""io.modelcontextprotocol/logLevel":"debug""#;
    let mut world = logging();
    world.crash("a");
    let client = Client::new(Era::Modern, at("a"));
    for expected in [["logging/setLevel", "tools/call"].as_slice(), &["tools/call"]] {
        world.call_with(&client, "1", LEVEL);
        world.advance(SECOND);
        let sent = world.requests("a").into_iter().map(|sent| sent.method);
        let sent: Vec<String> = sent.filter(|method| !method.ends_with("/list")).collect();
        assert_eq!(sent, expected);
    }
    let other = Client::new(Era::Modern, at("b"));
    world.call_with(&other, "1", LEVEL);
    assert_eq!(world.requests("b")[0].method, "logging/setLevel", "it runs already");
}

#[test]
fn a_level_takes_nothing_from_a_session_that_wants_none() {
    const LEVEL: &str = r#""io.modelcontextprotocol/logLevel":"error""#;
    let levels = |world: &mut World| -> Vec<String> {
        let requests = world.requests("a").into_iter();
        requests.filter(|sent| sent.method == "logging/setLevel").map(|sent| sent.params).collect()
    };
    let mut world = logging();
    world.call_with(&Client::new(Era::Modern, at("a")), "1", LEVEL);
    assert_eq!(levels(&mut world), [r#"{"level":"error"}"#], "nobody else is there");
    let unset = world.client(HTTP, at("a"));
    for expected in [[r#"{"level":"debug"}"#].as_slice(), &[]] {
        world.call(&unset, "1");
        assert_eq!(levels(&mut world), expected);
    }
    world.crash("a");
    let setting = world.client(HTTP, at("a"));
    world.request(&setting, "1", "logging/setLevel", r#""level":"error""#);
    world.call(&setting, "2");
    world.advance(SECOND);
    assert_eq!(levels(&mut world), [r#"{"level":"debug"}"#]);
}

#[test]
fn a_level_that_is_none_is_invalid() {
    let mut world = logging();
    let client = world.client(HTTP, at("a"));
    for members in ["", r#""level":"loud""#, r#""level":3"#] {
        let exchange = world.request(&client, "1", "logging/setLevel", members);
        assert_eq!(world.code(&client, exchange), "-32602");
    }
}

#[test]
fn what_is_no_news_is_dropped() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let link = world.link("a");
    for method in
        ["notifications/cancelled", "notifications/progress", "notifications/subscriptions/acknowledged"]
    {
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#));
    }
    world.says(link, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"#);
    assert!(world.seen(stream).messages.is_empty() && world.frames("a").len() <= 1);
    assert_eq!(ListKind::ALL.len(), 4);
}
