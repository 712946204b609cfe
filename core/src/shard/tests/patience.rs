//! How long a call may take whose server asks people something: as long as any call while they think, and no longer than
//! others after that.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::resumption::progress;
use super::script::{Hello, Script};
use super::world::{World, read};
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::shard::tests::begun::{BECAUSE_OF_T1, T1, ask, begin};
use crate::{ExchangeId, Limits};

const SECOND: Duration = Duration::from_secs(1);
const ABLE: &str = r#"{"elicitation":{}}"#;

/// A client that calls, and is asked something; the id of the question.
fn asked(era: Era) -> (World, Client, ExchangeId, String) {
    let mut world = World::running(&["a"]);
    let client = world.able_client(era, at("a"), ABLE);
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    ask(&mut world, link, "");
    let shown = world.take(&client, call);
    let id = read(&shown[0]).raw_str(Field::Id).unwrap().into();
    (world, client, call, id)
}

fn thought() -> Duration {
    Limits::default().call * 3
}

#[test]
fn a_call_has_time_while_people_think_and_no_more_than_others_when_they_have_answered() {
    for era in [Era::Sse, HTTP] {
        for answer in
            [r#""result":{"action":"decline"}"#, r#""error":{"code":-1,"message":"no"}"#, r#""result":7"#]
        {
            let (mut world, client, call, id) = asked(era);
            world.advance(thought());
            world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#));
            world.frames("a");
            world.advance(Limits::default().call.saturating_sub(Duration::from_secs(1)));
            assert!(world.take(&client, call).is_empty(), "{era:?} {answer}");
            world.advance(Duration::from_secs(1));
            assert_eq!(world.code(&client, call), "-31002");
        }
    }
}

#[test]
fn a_call_has_no_more_time_than_others_when_its_server_has_taken_its_question_back() {
    let (mut world, client, call, _) = asked(HTTP);
    world.advance(thought());
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}"#);
    world.take(&client, call);
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, call), "-31002");
}

#[test]
fn a_call_has_time_until_the_last_question_is_answered() {
    let (mut world, client, call, first) = asked(HTTP);
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","id":"r","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#);
    let second: String = read(&world.take(&client, call)[0]).raw_str(Field::Id).unwrap().into();
    for id in [first, second] {
        world.advance(thought());
        assert!(!world.seen(call).ended);
        world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"decline"}}}}"#));
    }
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, call), "-31002");
}

#[test]
fn a_question_that_nobody_is_asked_gives_a_call_no_time() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    ask(&mut world, link, "");
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, call), "-31002");
}

#[test]
fn calls_side_by_side_have_time_while_their_session_is_asked_by_a_process_of_its_own() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), ABLE);
    world.call(&client, "1");
    let shared = world.requested("a").link;
    ask(&mut world, shared, "");
    let stream = world.open(&client, crate::ports::gateway::Verb::Listen);
    let calls = ["2", "3"].map(|id| world.call(&client, id));
    let link = world.requests("a").remove(0).link;
    ask(&mut world, link, "");
    let told = world.take(&client, stream);
    let id: String = read(told.last().unwrap()).raw_str(Field::Id).unwrap().into();
    world.advance(thought());
    assert!(calls.iter().all(|call| !world.seen(*call).ended));
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"decline"}}}}"#));
    world.advance(Limits::default().call);
    for call in calls {
        assert_eq!(world.code(&client, call), "-31002");
    }
}

#[test]
fn a_parked_call_has_no_more_time_than_others_when_its_client_has_come_back() {
    let mut world = World::running(&["a"]);
    let client = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    ask(&mut world, link, "");
    world.advance(Limits::default().gather);
    let demand = world.answer(&client, call);
    let state: String = demand.text(Field::RequestState).unwrap().into();
    let shown = demand.raw_str(Field::Result).unwrap();
    let (_, rest) = shown.split_once(r#""inputRequests":{""#).unwrap();
    let (name, _) = rest.split_once('"').unwrap();
    world.advance(thought());
    let input = format!(r#""requestState":"{state}","inputResponses":{{"{name}":{{"action":"decline"}}}}"#);
    let again = world.tries(&client, &input);
    world.frames("a");
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, again), "-31002");
}

#[test]
fn what_a_task_asks_gives_no_time_to_other_calls() {
    let mut world = crate::shard::tests::begun::world();
    let client = world.able_client(HTTP, at("a"), ABLE);
    let link = begin(&mut world, &client, "t1", thought() * 10).link;
    let waits = world.request(&client, "2", "tasks/result", T1);
    let call = world.call(&client, "3");
    world.frames("a");
    ask(&mut world, link, BECAUSE_OF_T1);
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, call), "-31002");
    assert!(!world.seen(waits).ended);
}

/// A client whose call waits until its server, which takes so long to start, has been told what it has to know.
fn called_cold(era: Era, starts_in: Duration) -> (World, Client, ExchangeId) {
    let mut world = World::running(&["a"]);
    let client = world.client(era, at("a"));
    world.crash("a");
    world.scripts.get_mut("a").unwrap().hello = Hello::Silent;
    let call = world.call(&client, "1");
    world.advance(starts_in);
    let hello = world.requested("a");
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#);
    (world, client, call)
}

fn of_tools(world: &mut World) -> Sent {
    world.requests("a").into_iter().find(|sent| sent.method == "tools/call").expect("the call")
}

#[test]
fn a_call_that_has_waited_for_its_server_to_start_has_as_long_as_others_from_when_it_was_sent() {
    for era in ERAS {
        for starts_in in [SECOND, SECOND * 20] {
            let (mut world, client, call) = called_cold(era, starts_in);
            of_tools(&mut world);
            world.advance(Limits::default().call.saturating_sub(SECOND));
            assert!(world.take(&client, call).is_empty(), "{era:?} {starts_in:?}");
            world.advance(SECOND);
            assert_eq!(world.code(&client, call), "-31002", "{era:?} {starts_in:?}");
        }
    }
}

#[test]
fn what_is_heard_of_a_call_that_has_waited_for_its_server_to_start_gives_it_no_more_than_others() {
    let (mut world, client, call) = called_cold(HTTP, SECOND);
    let id = of_tools(&mut world).id;
    let link = world.link("a");
    let progress = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
    );
    world.advance(SECOND * 10);
    world.says(link, &progress);
    world.advance(Limits::default().call.saturating_sub(SECOND));
    assert!(!world.seen(call).ended);
    world.advance(SECOND);
    assert_eq!(world.code(&client, call), "-31002");
    // However often: it ends when any call does.
    let (mut world, client, call) = called_cold(HTTP, SECOND);
    let id = of_tools(&mut world).id;
    let (link, sent_at) = (world.link("a"), world.now);
    let progress = progress.replace(r#""progressToken":"#, &format!(r#""progressToken":{id},"x":"#));
    while !world.seen(call).ended {
        world.says(link, &progress);
        world.advance(SECOND * 10);
        assert!(world.now.since(sent_at) <= Limits::default().call_hard);
    }
    assert_eq!(world.now.since(sent_at), Limits::default().call_hard);
    assert_eq!(world.code(&client, call), "-31002");
}

#[test]
fn a_subscription_that_has_waited_for_its_server_to_start_has_as_long_as_others_from_then_on() {
    let capabilities = r#"{"tools":{},"resources":{"subscribe":true}}"#.to_owned();
    let script = Script { capabilities, ..Script::modern() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    world.scripts.get_mut("a").unwrap().news = false;
    let asked = world.request(&client, "1", "resources/subscribe", r#""uri":"test://a""#);
    world.advance(SECOND);
    world.frames("a");
    world.advance(Limits::default().call);
    assert_eq!(world.code(&client, asked), "-31002");
}

#[test]
fn a_step_of_which_something_is_heard_has_as_much_time_as_a_call() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, Target::Unified);
    let plan = r#""steps":[{"id":"x","tool":"a.echo"}]"#;
    let members = format!(r#""name":"batch_execute","arguments":{{{plan}}}"#);
    let run = world.request(&client, "1", "tools/call", &members);
    let sent = world.requested("a");
    for n in 1..5 {
        world.advance(Limits::default().call / 2);
        progress(&mut world, &sent, n);
    }
    assert!(world.take(&client, run).is_empty(), "nobody has asked for progress");
    world.reply(&sent, r#"{"content":[]}"#);
    assert!(world.answer(&client, run).raw_str(Field::Result).unwrap().contains(r#""status":"done""#));
}
