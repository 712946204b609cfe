//! Whom a server means that asks while several calls are in flight.

use alloc::string::String;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Verb;
use crate::record::Sharing;
use crate::{CallId, Limits, LinkId};

const ABLE: &str = r#"{"sampling":{},"elicitation":{}}"#;

fn world(limits: Limits, sharing: Sharing) -> World {
    let mut world = World::scripted(limits, [("a", Script::default())]);
    world.configure(|servers| servers[0].spec.sharing = sharing);
    world.surveyed()
}

fn stateless(key: &'static str) -> Client {
    Client { key, capabilities: ABLE, ..Client::new(Era::Modern, at("a")) }
}

fn called(world: &mut World, client: &Client) -> Sent {
    world.call(client, "1");
    world.requested("a")
}

/// The server asks; what it is told at once, if anything.
fn ask(world: &mut World, link: LinkId) -> Option<String> {
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#;
    world.says(link, question);
    world.frames("a").pop().map(|(_, told)| told)
}

/// The server is seen to ask, in a call that ends.
fn asks(world: &mut World) {
    let sent = called(world, &stateless("first"));
    ask(world, sent.link);
    world.reply(&sent, "{}");
    world.frames("a");
}

#[test]
fn what_comes_on_the_stream_of_a_call_that_has_ended_is_not_put_to_a_parked_one() {
    let mut world = world(Limits::default(), Sharing::Shared);
    let ended = called(&mut world, &stateless("first"));
    world.reply(&ended, "{}");
    let parked = called(&mut world, &stateless("second"));
    assert_eq!(ask(&mut world, parked.link), None);
    world.advance(Limits::default().gather);
    let question = r#"{"jsonrpc":"2.0","id":"late","method":"elicitation/create","params":{"message":"!","requestedSchema":{}}}"#;
    let on = |call: &Sent| Some(CallId(call.id.parse().unwrap()));
    world.says_within(parked.link, on(&ended), question);
    let (_, told) = world.frames("a").pop().unwrap();
    assert!(told.contains(r#""id":"late","error""#), "{told}");
    world.says_within(parked.link, on(&parked), question);
    assert_eq!(world.frames("a"), [], "it is shown when the client comes back");
}

#[test]
fn a_question_that_may_be_of_several_calls_is_refused_with_the_way_out() {
    for sharing in [Sharing::Auto, Sharing::Shared, Sharing::PerUser, Sharing::PerSession] {
        let mut world = world(Limits::default(), sharing);
        let client = stateless("key");
        let link = called(&mut world, &client).link;
        assert_eq!(called(&mut world, &client).link, link, "it was not seen to ask yet");
        let told = ask(&mut world, link).unwrap();
        assert!(told.contains("-32601") && told.contains("several calls are in flight"), "{told}");
        let alone = matches!(sharing, Sharing::Auto | Sharing::PerSession);
        let way_out = if alone { "limit private_processes" } else { "auto or per-session" };
        assert!(told.contains(way_out), "{sharing:?}: {told}");
        // Now it was.
        let asked = sharing != Sharing::Shared;
        assert_eq!(called(&mut world, &client).link != link, asked, "{sharing:?}");
    }
}

#[test]
fn a_question_that_no_client_of_several_can_answer_is_refused_as_such() {
    let mut world = world(Limits::default(), Sharing::Shared);
    let client = Client::new(Era::Modern, at("a"));
    let link = called(&mut world, &client).link;
    called(&mut world, &client);
    let told = ask(&mut world, link).unwrap();
    assert!(told.contains("no client that can do this is calling"), "{told}");
}

#[test]
fn a_question_that_may_be_of_one_of_two_parked_calls_is_refused_as_unclear() {
    let mut world = world(Limits::default(), Sharing::Shared);
    let link = called(&mut world, &stateless("key")).link;
    ask(&mut world, link);
    world.advance(Limits::default().gather);
    called(&mut world, &Client::new(Era::Modern, at("a")));
    let told = ask(&mut world, link).unwrap();
    assert!(told.contains("several calls are in flight"), "{told}");
}

#[test]
fn calls_of_one_key_without_a_session_are_asked_one_by_one_whatever_the_policy_of_one_s_own() {
    for sharing in [Sharing::PerUser, Sharing::PerSession] {
        let mut world = world(Limits::default(), sharing);
        asks(&mut world);
        let client = stateless("key");
        let calls = [(); 3].map(|()| (world.call(&client, "1"), world.requested("a").link));
        for (call, link) in calls {
            assert_eq!(ask(&mut world, link), None, "{sharing:?}");
            world.advance(Limits::default().gather);
            let shown = world.take(&client, call);
            assert!(shown.len() == 1 && shown[0].contains("input_required"), "{sharing:?} {shown:?}");
        }
        // Who cannot be asked has no use for that.
        let dumb = Client { key: "dumb", capabilities: "{}", ..client };
        assert_eq!(called(&mut world, &dumb).link, called(&mut world, &dumb).link);
    }
}

#[test]
fn calls_of_one_key_without_a_session_that_follow_each_other_have_one_process() {
    let mut world = world(Limits::default(), Sharing::PerUser);
    asks(&mut world);
    let links = [(); 3].map(|()| {
        let sent = called(&mut world, &stateless("key"));
        world.reply(&sent, "{}");
        sent.link
    });
    assert_eq!(links, [links[0]; 3]);
}

#[test]
fn the_sessions_of_a_user_keep_to_one_process_and_what_is_unclear_there_is_refused() {
    let mut world = world(Limits::default(), Sharing::PerUser);
    asks(&mut world);
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let links = clients.each_ref().map(|client| called(&mut world, client).link);
    assert_eq!(links[0], links[1]);
    assert!(ask(&mut world, links[0]).unwrap().contains("several calls are in flight"));
}

#[test]
fn one_key_s_calls_leave_half_of_the_processes_to_others() {
    let limits = Limits { private_processes: 4, ..Limits::default() };
    let mut world = world(limits, Sharing::PerUser);
    asks(&mut world);
    for _ in 0..6 {
        called(&mut world, &stateless("first"));
    }
    for key in ["second", "third"] {
        let client = stateless(key);
        let call = world.call(&client, "1");
        assert!(world.take(&client, call).is_empty(), "{key} is served");
        let sent = world.requested("a");
        assert_eq!(ask(&mut world, sent.link), None, "{key} can be asked");
    }
}

#[test]
fn what_a_server_says_in_a_call_whose_session_has_ended_is_not_for_the_only_one_that_is_left() {
    let mut world = world(Limits::default(), Sharing::Shared);
    let [gone, other] = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let stream = world.open(&other, Verb::Listen);
    let call = world.call(&gone, "1");
    let link = world.requested("a").link;
    world.leave(call);
    world.delete(&gone);
    let told = ask(&mut world, link).unwrap();
    assert!(told.contains("-32601"), "{told}");
    let log =
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"mine"}}"#;
    world.says(link, log);
    assert!(world.take(&other, stream).is_empty());
}
