//! The end of the hub: calls may end while it drains, and all that is left is answered when it stops.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;
use crate::shard::Input;

/// A server whose process goes on when it is told to end.
fn stubborn() -> Script {
    Script { ends: false, ..Script::default() }
}

fn stubborn_world() -> World {
    World::scripted(Limits::default(), [("a", stubborn())]).surveyed()
}

#[test]
fn a_call_that_ends_while_the_hub_drains_is_answered() {
    for era in ERAS {
        let mut world = stubborn_world();
        let client = world.client(era, at("a"));
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        world.feed(Input::Draining);
        assert!(!world.seen(client.stream.unwrap_or(call)).ended, "{era:?}");
        world.reply(&sent, "{}");
        assert!(world.answer(&client, call).has(Field::Result), "{era:?}");
        assert!(world.seen(client.stream.unwrap_or(call)).ended, "{era:?}: nothing more is to come");
    }
}

#[test]
fn while_the_hub_is_handed_over_streams_end_and_calls_may_begin() {
    for era in ERAS.into_iter().filter(|era| *era != Era::Sse) {
        let mut world = stubborn_world();
        let client = world.client(era, at("a"));
        let endless = client.session.is_some().then(|| world.open(&client, Verb::Listen));
        let before = world.call(&client, "1");
        world.feed(Input::HandingOver);
        assert!(endless.is_none_or(|stream| world.seen(stream).ended), "{era:?}");
        let call = world.call(&client, "2");
        for sent in world.requests("a") {
            world.reply(&sent, "{}");
        }
        for call in [before, call] {
            assert!(world.answer(&client, call).has(Field::Result), "{era:?}");
        }
    }
}

#[test]
fn calls_are_answered_when_the_hub_stops_however_long_their_servers_take_to_end() {
    for era in ERAS {
        let mut world = stubborn_world();
        let client = world.client(era, at("a"));
        let call = world.call(&client, "1");
        world.feed(Input::Draining);
        world.feed(Input::Stopping);
        assert!(!world.shard.is_quiet(), "the server has not ended");
        let answer = world.answer(&client, call);
        assert_eq!(answer.raw_str(Field::Code), Some("-31003"), "{era:?}");
        assert_eq!(
            answer.text(Field::ErrorMessage).unwrap().to_string(),
            "server a ended before it answered: the hub stops; the outcome is unknown"
        );
        assert!(world.seen(client.stream.unwrap_or(call)).ended, "{era:?}");
    }
}

#[test]
fn a_call_of_a_removed_server_is_answered_when_the_hub_stops() {
    let mut world = stubborn_world();
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    world.configure(|servers| servers[0].spec.disabled = true);
    assert!(!world.seen(call).ended);
    world.feed(Input::Stopping);
    assert_eq!(world.code(&client, call), "-31003");
}

#[test]
fn a_stream_of_a_call_ends_with_its_answer_after_it_has_said_when_to_come_back() {
    let mut world = stubborn_world();
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    world.feed(Input::AnswerDelayed(call));
    assert!(world.seen(call).primed.is_some(), "the first event has the time after which to come back");
    world.feed(Input::Stopping);
    assert_eq!(world.code(&client, call), "-31003");
    assert!(world.seen(call).ended);
}

#[test]
fn what_waits_for_a_server_to_be_seen_is_answered_when_the_hub_stops() {
    let script = Script { ends: false, ..Script::silent() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let client = Client::new(Era::Modern, at("a"));
    let (list, call) = (world.request(&client, "1", "tools/list", ""), world.call(&client, "2"));
    world.feed(Input::Stopping);
    assert_eq!((world.code(&client, list), world.code(&client, call)), ("-31001".into(), "-31001".into()));
}

#[test]
fn nothing_that_would_never_end_is_opened_while_the_hub_drains() {
    let mut world = stubborn_world();
    let client = world.client(HTTP, at("a"));
    world.feed(Input::Draining);
    let stream = world.open(&client, Verb::Listen);
    let oldest = world.open(&Client::new(Era::Sse, at("a")), Verb::OpenSse);
    let modern = Client::new(Era::Modern, Target::Unified);
    let listen = world.request(&modern, "1", "subscriptions/listen", r#""notifications":{}"#);
    for exchange in [stream, oldest, listen] {
        assert!(world.seen(exchange).ended, "{exchange}");
    }
    assert_eq!(world.shard.session_count(), 1, "the session that is stored lives on");
}

#[test]
fn a_hub_that_has_stopped_waits_for_nothing_but_its_servers() {
    let mut world = stubborn_world();
    let client = Client::new(Era::Modern, at("a"));
    world.call(&client, "1");
    world.feed(Input::Stopping);
    let late = world.call(&client, "2");
    assert_eq!(world.code(&client, late), "-31001");
    world.advance(Duration::from_mins(1));
    assert_eq!(world.starts(), 1);
}

#[test]
fn nothing_is_begun_while_the_hub_drains_and_what_a_call_waits_for_can_still_be_said() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), r#"{"roots":{}}"#);
    let modern = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.says(sent.link, r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
    let asked = world.take(&client, call);
    let id = super::world::read(&asked[0]).raw_str(Field::Id).unwrap().to_owned();
    world.feed(Input::Draining);
    for late in [&client, &modern] {
        let refused = world.call(late, "2");
        assert_eq!(world.code(late, refused), "-31001");
    }
    let greeting = world.initialize(&Client::new(HTTP, at("a")), "2025-11-25");
    assert_eq!(world.code(&client, greeting), "-31001");
    assert!(world.requests("a").is_empty());
    world.post(&client, &["{\"jsonrpc\":\"2.0\",\"id\":", &id, ",\"result\":{\"roots\":[]}}"].concat());
    assert!(world.frames("a").iter().any(|(_, text)| text.contains(r#""id":"q","result":{"roots":[]}"#)));
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result));
}

#[test]
fn before_the_hub_ends_a_run_that_nobody_waits_for_ends_its_calls_and_begins_no_more() {
    for (background, goes_on) in [(true, false), (false, true)] {
        let mut world = World::running(&["a"]);
        let client = world.client(Era::Modern, Target::Unified);
        let steps = r#"[{"id":"x","tool":"a.echo"},{"id":"y","tool":"a.echo","depends_on":["x"]}]"#;
        let members =
            format!(r#""name":"batch_execute","arguments":{{"steps":{steps},"background":{background}}}"#);
        world.request(&client, "1", "tools/call", &members);
        let first = world.requested("a");
        world.feed(Input::Draining);
        assert!(!world.shard.runs_rest(), "it may end");
        world.reply(&first, r#"{"structuredContent":1}"#);
        assert_eq!(world.requests("a").len(), usize::from(goes_on), "{background}");
        assert_eq!(world.shard.runs_rest(), !goes_on);
    }
}
