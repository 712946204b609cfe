//! Streams of the stateless era: the first message says of which resources the servers will tell.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::{World, read};
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, Limits};

fn subscribable(uris: &'static [&'static str]) -> Script {
    Script { capabilities: r#"{"resources":{"subscribe":true}}"#.into(), ..Script::full(uris, &[]) }
}

/// Servers of the era before.
fn world() -> World {
    let scripts = [("a", subscribable(&["u:1", "u:2"])), ("b", subscribable(&["u:3"]))];
    World::scripted(Limits::default(), scripts).surveyed()
}

/// A client asks to hear of resources.
fn listen(world: &mut World, uris: &str) -> (Client, ExchangeId) {
    let client = Client::new(Era::Modern, Target::Unified);
    let filter = format!(r#""notifications":{{"resourceSubscriptions":[{uris}]}}"#);
    let stream = world.request(&client, "7", "subscriptions/listen", &filter);
    (client, stream)
}

/// What a stream says of which resources it will tell: nothing while it is not open.
fn granted(world: &mut World, (client, stream): &(Client, ExchangeId)) -> Vec<String> {
    let said = world.take(client, *stream);
    said.iter().map(|text| read(text).raw_str(Field::Notifications).unwrap().into()).collect()
}

fn refuse(world: &mut World, sent: &Sent) {
    let error = r#"{"code":-32602,"message":"no"}"#;
    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
}

#[test]
fn a_stream_opens_when_all_servers_have_said_whether_they_tell_of_its_resources() {
    let mut world = world();
    let stream = listen(&mut world, r#""u:1","u:2","u:3""#);
    for sent in world.requests("a") {
        if sent.params.contains("u:2") { refuse(&mut world, &sent) } else { world.reply(&sent, "{}") }
    }
    assert!(granted(&mut world, &stream).is_empty());
    world.agree("b");
    assert_eq!(granted(&mut world, &stream), [r#"{"resourceSubscriptions":["u:1","u:3"]}"#]);
    // The next one asks for what is subscribed to already, and for what was refused.
    let next = listen(&mut world, r#""u:1","u:2""#);
    let sent = world.requested("a");
    assert_eq!(sent.params, r#"{"uri":"u:2"}"#);
    let third = listen(&mut world, r#""u:1""#);
    assert_eq!(granted(&mut world, &third), [r#"{"resourceSubscriptions":["u:1"]}"#], "at once");
    refuse(&mut world, &sent);
    assert_eq!(granted(&mut world, &next), [r#"{"resourceSubscriptions":["u:1"]}"#]);
}

#[test]
fn a_stream_waits_for_servers_no_longer_than_its_time() {
    let mut world = world();
    let stream = listen(&mut world, r#""u:1","u:3""#);
    world.agree("b");
    let half = Limits::default().discover_wait / 2;
    world.advance(half);
    assert!(granted(&mut world, &stream).is_empty());
    world.advance(half);
    assert_eq!(granted(&mut world, &stream), [r#"{"resourceSubscriptions":["u:1","u:3"]}"#]);
    world.agree("a");
    assert!(granted(&mut world, &stream).is_empty(), "once");
}

#[test]
fn news_opens_a_stream_and_none_is_lost() {
    let mut world = world();
    let (client, stream) = listen(&mut world, r#""u:1","u:3""#);
    let link = world.link("a");
    let changed = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}"#;
    world.says(link, changed);
    let said = world.take(&client, stream);
    let methods: Vec<&str> = said.iter().map(|text| text.split('"').nth(7).unwrap()).collect();
    assert_eq!(
        methods,
        ["notifications/subscriptions/acknowledged", "notifications/resources/updated"],
        "{said:?}"
    );
}

#[test]
fn who_leaves_while_the_servers_are_asked_leaves_nothing() {
    let mut world = world();
    let (_, stream) = listen(&mut world, r#""u:1""#);
    let sent = world.requested("a");
    world.leave(stream);
    world.reply(&sent, "{}");
    assert_eq!(world.requested("a").method, "resources/unsubscribe");
    world.advance(Limits::default().discover_wait);
    assert!(world.frames("a").is_empty());
}

#[test]
fn a_server_that_does_not_run_is_started_and_asked() {
    let mut world = world();
    world.advance(Limits::default().idle + Duration::from_mins(1));
    world.frames("a");
    let stream = listen(&mut world, r#""u:1""#);
    assert!(granted(&mut world, &stream).is_empty());
    world.agree("a");
    assert_eq!(granted(&mut world, &stream), [r#"{"resourceSubscriptions":["u:1"]}"#]);
}

#[test]
fn a_server_of_the_stateless_era_says_itself_of_what_it_tells() {
    for (grants, expected) in [
        (r#"["u:2"]"#, r#"{"resourceSubscriptions":["u:2"]}"#),
        ("[]", "{}"),
        (r#"["u:1","u:2"]"#, r#"{"resourceSubscriptions":["u:1","u:2"]}"#),
    ] {
        let Script { capabilities, resources, .. } = subscribable(&["u:1", "u:2"]);
        let script = Script { news: false, capabilities, resources, ..Script::modern() };
        let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
        world.frames("a");
        let stream = listen(&mut world, r#""u:1","u:2""#);
        assert!(granted(&mut world, &stream).is_empty());
        // Asked for one, and then for both: what counts is what it says to the last.
        let sent = world.requests("a").pop().unwrap();
        let meta = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{}}}"#, sent.id);
        let params = format!(r#"{{"notifications":{{"resourceSubscriptions":{grants}}},{meta}}}"#);
        let method = "notifications/subscriptions/acknowledged";
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#));
        assert_eq!(granted(&mut world, &stream), [expected]);
    }
}

#[test]
fn what_is_wanted_at_the_same_time_is_asked_for_on_one_stream_of_news() {
    let Script { capabilities, .. } = subscribable(&[]);
    let resources: Vec<String> = (0..50).map(|n| format!("u:{n}")).collect();
    let uris: Vec<String> = resources.iter().map(|uri| format!("{uri:?}")).collect();
    let script = Script { news: false, capabilities, resources, ..Script::modern() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    world.frames("a");
    let (_, stream) = listen(&mut world, &uris.join(","));
    assert_eq!(world.requests("a").len(), 1);
    world.leave(stream);
    let frames = world.frames("a");
    let listens = frames.iter().filter(|(_, frame)| frame.contains("subscriptions/listen")).count();
    assert_eq!(listens, 1, "{frames:?}");
}

#[test]
fn a_stream_hears_of_the_resources_that_come_before_the_bound_of_bytes() {
    let limits = Limits { session_bytes: 7, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", subscribable(&["u:1", "u:2", "u:3"]))]).surveyed();
    let stream = listen(&mut world, r#""u:1","u:2","u:3""#);
    world.agree("a");
    assert_eq!(granted(&mut world, &stream), [r#"{"resourceSubscriptions":["u:1","u:2"]}"#]);
}

#[test]
fn what_is_refused_is_nobody_s_and_who_asks_meanwhile_is_not_told_yes() {
    let mut world = world();
    let stream = listen(&mut world, r#""u:1""#);
    let first = world.requested("a");
    let session = world.client(HTTP, at("a"));
    let asked = world.request(&session, "1", "resources/subscribe", r#""uri":"u:1""#);
    world.advance(Limits::default().discover_wait);
    assert_eq!(granted(&mut world, &stream).len(), 1, "nobody knows better");
    refuse(&mut world, &first);
    let second = world.requested("a");
    refuse(&mut world, &second);
    assert!(world.answer(&session, asked).has(Field::Error));
    let next = listen(&mut world, r#""u:1""#);
    let again = world.requested("a");
    refuse(&mut world, &again);
    assert_eq!(granted(&mut world, &next), ["{}"]);
}

#[test]
fn a_stream_is_not_opened_by_what_its_server_may_have_missed_and_opens_before_it_ends() {
    let mut world = world();
    let stream = listen(&mut world, r#""u:1""#);
    world.crash("a");
    world.advance(Duration::from_secs(1));
    assert!(granted(&mut world, &stream).is_empty());
    for sent in world.requests("a") {
        refuse(&mut world, &sent);
    }
    assert_eq!(granted(&mut world, &stream), ["{}"]);
    let (client, late) = listen(&mut world, r#""u:1""#);
    world.feed(Input::Draining);
    let said = world.take(&client, late);
    assert!(said[0].contains("acknowledged") && said[1].contains("complete"), "{said:?}");
}
