//! What servers of 2026-07-28 ask of clients of the same era: their state comes back to them, from nobody else and with no
//! other request.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, Sent, at, params_of};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::{ExchangeId, Limits};

/// As the server spells its state.
const OWN: &str = r#""a\u0041/= \ud83d\ude00""#;

fn world() -> World {
    let server = || Script { resources: ["test://r".to_owned()].into(), ..Script::modern() };
    let mut world = World::scripted(Limits::default(), [("a", server()), ("b", server())]).surveyed();
    for server in ["a", "b"] {
        world.frames(server);
    }
    world
}

fn client(target: Target) -> Client {
    Client { capabilities: r#"{"elicitation":{}}"#, ..Client::new(Era::Modern, target) }
}

fn unified() -> Client {
    client(Target::Unified)
}

/// Lets a server ask, and takes the state that its client is shown.
fn asks(world: &mut World, client: &Client, call: ExchangeId, sent: &Sent) -> String {
    let asked = r#""inputRequests":{"q":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}}"#;
    world.reply(
        sent,
        &format!(r#"{{"resultType":"input_required","x-more":1e400,"requestState":{OWN},{asked}}}"#),
    );
    let answer = world.answer(client, call);
    let shown = answer.raw_str(Field::Result).unwrap().to_owned();
    assert!(shown.contains(asked) && shown.contains("\"x-more\":1e400"), "{shown}");
    let state = answer.text(Field::RequestState).unwrap().into_owned();
    assert!(!state.contains("aA/="), "{state}");
    state
}

fn called(world: &mut World, client: &Client) -> String {
    let call = world.call(client, "1");
    let sent = world.requested("a");
    asks(world, client, call, &sent)
}

fn input(state: &str) -> String {
    format!(r#""requestState":"{state}","inputResponses":{{"q":{{"action":"accept"}}}}"#)
}

fn come_back(world: &mut World, client: &Client, state: &str) -> ExchangeId {
    let members = format!(r#""name":"{}","arguments":{{"n":1}},{}"#, client.echo(), input(state));
    world.request(client, "2", "tools/call", &members)
}

#[track_caller]
fn refused(world: &mut World, client: &Client, exchange: ExchangeId) -> String {
    assert_eq!(world.seen(exchange).status, Some(200));
    let answer = world.answer(client, exchange);
    assert_eq!(answer.raw_str(Field::Code), Some("-32602"));
    assert!(world.requests("a").is_empty() && world.requests("b").is_empty(), "no server hears of it");
    answer.text(Field::ErrorMessage).unwrap().into_owned()
}

#[test]
fn a_state_comes_back_to_its_server_as_the_server_spelt_it_on_every_endpoint() {
    for client in [unified(), client(at("a"))] {
        let mut world = world();
        let mut state = called(&mut world, &client);
        // As often as the server asks.
        for _ in 0..3 {
            let again = come_back(&mut world, &client, &state);
            let sent = world.requested("a");
            let said = format!(r#""requestState":{OWN},"inputResponses":{{"q":{{"action":"accept"}}}}"#);
            assert!(sent.params.contains(&said), "{}", sent.params);
            state = asks(&mut world, &client, again, &sent);
        }
        let last = come_back(&mut world, &client, &state);
        let sent = world.requested("a");
        world.reply(&sent, r#"{"resultType":"complete","content":[]}"#);
        assert!(world.answer(&client, last).has(Field::Result));
    }
}

#[test]
fn prompts_and_resources_have_states_too() {
    for (method, members) in [("prompts/get", r#""name":"greet""#), ("resources/read", r#""uri":"test://r""#)]
    {
        let (mut world, client) = (world(), client(at("a")));
        let first = world.request(&client, "1", method, members);
        let sent = world.requested("a");
        let state = asks(&mut world, &client, first, &sent);
        world.request(&client, "2", method, &format!("{members},{}", input(&state)));
        let sent = world.requested("a");
        assert!(sent.params.contains(&format!(r#""requestState":{OWN}"#)), "{}", sent.params);
    }
}

#[test]
fn a_state_that_is_altered_or_another_s_or_of_another_endpoint_or_server_or_project_is_refused() {
    let mut world = world();
    let client = unified();
    let state = called(&mut world, &client);
    for at_byte in 0..state.len() {
        let mut altered = state.clone().into_bytes();
        altered[at_byte] = if altered[at_byte] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        let again = come_back(&mut world, &client, &altered);
        let words = refused(&mut world, &client, again);
        assert!(words.contains("without it"), "byte {at_byte}: {words}");
    }
    let thief = Client { key: "other", ..client.clone() };
    let elsewhere = Client { target: at("a"), ..client.clone() };
    for stranger in [thief, elsewhere] {
        let again = come_back(&mut world, &stranger, &state);
        refused(&mut world, &stranger, again);
    }
    for other in ["b__echo", "a__none"] {
        let members = format!(r#""name":"{other}","arguments":{{"n":1}},{}"#, input(&state));
        let again = world.request(&client, "2", "tools/call", &members);
        refused(&mut world, &client, again);
    }
    let mut elsewhere = world.in_another_project();
    let again = come_back(&mut elsewhere, &client, &state);
    refused(&mut elsewhere, &client, again);
}

#[test]
fn a_state_of_another_request_is_refused_and_is_still_good_for_its_own() {
    let mut world = world();
    let client = unified();
    let state = called(&mut world, &client);
    for (method, members) in [
        ("tools/call", r#""name":"a__echo","arguments":{"n":2}"#),
        ("tools/call", r#""name":"a__echo""#),
        ("tools/call", r#""name":"a__echo","arguments":{"n":1},"more":1"#),
        ("prompts/get", r#""name":"a__greet","arguments":{"n":1}"#),
    ] {
        let again = world.request(&client, "2", method, &format!("{members},{}", input(&state)));
        let words = refused(&mut world, &client, again);
        assert!(words.contains("another request"), "{words}");
    }
    // Spelt otherwise it is the same request.
    let spelt = r#""arguments": { "\u006e": 1 } ,"name":"a\u005f_echo""#;
    world.request(&client, "2", "tools/call", &format!("{},{spelt}", input(&state)));
    assert!(world.requested("a").params.contains(OWN));
}

#[test]
fn a_state_expires_and_outlives_the_hub() {
    let client = unified();
    let mut world = world();
    let state = called(&mut world, &client);
    let mut world = world.restarted();
    world.advance(Limits::default().parked.checked_sub(Duration::from_millis(1)).unwrap());
    come_back(&mut world, &client, &state);
    assert!(world.requested("a").params.contains(OWN));
    world.advance(Duration::from_millis(1));
    let late = come_back(&mut world, &client, &state);
    assert!(refused(&mut world, &client, late).contains("limit parked"));
}

#[test]
fn a_state_that_the_hub_did_not_give_out_reaches_no_server() {
    let (mut world, client) = (world(), unified());
    let made_up = come_back(&mut world, &client, "a");
    refused(&mut world, &client, made_up);
}

#[test]
fn a_client_is_not_asked_for_what_it_did_not_say_it_can_do_but_told_what_is_missing() {
    let url = r#""u":{"method":"elicitation/create","params":{"mode":"url","message":"?","url":"u:1"}}"#;
    let tools =
        r#""t":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":9,"tools":[]}}"#;
    let (roots, form) = (
        r#""r":{"method":"roots/list"}"#,
        r#""q":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#,
    );
    for (asked, named, json) in [
        (roots.to_owned(), "the client's roots for", r#"{"roots":{}}"#),
        (format!("{form},{url}"), "the client's elicitation.url for", r#"{"elicitation":{"url":{}}}"#),
        (
            format!("{tools},{roots}"),
            "the client's roots, sampling.tools for",
            r#"{"roots":{},"sampling":{"tools":{}}}"#,
        ),
    ] {
        for client in [unified(), client(at("a"))] {
            let mut world = world();
            let call = world.call(&client, "1");
            let sent = world.requested("a");
            world.reply(&sent, &format!(r#"{{"resultType":"input_required","inputRequests":{{{asked}}}}}"#));
            assert_eq!(world.seen(call).status, Some(400));
            let answer = world.answer(&client, call);
            assert_eq!(answer.raw_str(Field::Code), Some("-32021"));
            let words = answer.text(Field::ErrorMessage).unwrap();
            assert!(words.contains(named), "{words}");
            let data = format!(r#""data":{{"requiredCapabilities":{json}}}"#);
            assert!(answer.raw_str(Field::Error).unwrap().contains(&data), "{answer:?}");
        }
    }
}

#[test]
fn what_has_no_state_passes_as_it_is() {
    let (mut world, client) = (world(), unified());
    for state in ["", r#","requestState":null"#] {
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        let params = params_of("elicitation/create");
        let question = format!(r#"{{"method":"elicitation/create","params":{params}}}"#);
        let asked = format!(r#""inputRequests":{{"q":{question}}}"#);
        let result = |state| format!(r#"{{"resultType":"input_required",{asked}{state},"_meta":{{}}}}"#);
        world.reply(&sent, &result(state));
        let answer = world.answer(&client, call);
        let shown = answer.raw_str(Field::Result).unwrap();
        assert!(shown.starts_with(result("").trim_end_matches("}}")), "{shown}");
    }
}
