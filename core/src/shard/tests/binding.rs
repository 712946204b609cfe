//! A parked call is taken up by its own request alone.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::clients::{Client, Era, at};
use super::script::Script;
use super::world::World;
use crate::rpc::{Field, Members};
use crate::{ExchangeId, Limits};

const FIRST: &str = r#""name":"echo","arguments":{"n":1,"deep":{"a":"x","b":[2]}}"#;

fn client() -> Client {
    Client { capabilities: r#"{"elicitation":{}}"#, ..Client::new(Era::Modern, at("a")) }
}

/// A call whose server asks for something: what its client comes back with.
fn parked(world: &mut World) -> String {
    let call = world.request(&client(), "1", "tools/call", FIRST);
    let link = world.requested("a").link;
    world.says(link, r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#);
    world.advance(Limits::default().gather);
    let answer = world.answer(&client(), call);
    let state = answer.text(Field::RequestState).unwrap().into_owned();
    let asked = Members::read(answer.raw(Field::InputRequests).unwrap()).unwrap();
    let name = &asked.0[0].0;
    format!(r#""requestState":"{state}","inputResponses":{{"{name}":{{"action":"accept"}}}}"#)
}

fn take_up(world: &mut World, method: &str, members: &str, input: &str) -> ExchangeId {
    world.request(&client(), "2", method, &format!("{members},{input}"))
}

#[test]
fn another_request_is_refused_with_what_differs_and_the_call_stays_parked() {
    let tools = ["echo", "other"];
    let mut world = World::scripted(
        Limits::default(),
        [("a", Script { prompts: ["echo".to_owned()].into(), ..Script::tools(&tools) })],
    )
    .surveyed();
    let input = parked(&mut world);
    for (method, members, what) in [
        ("prompts/get", FIRST, "method"),
        ("tools/call", r#""name":"other","arguments":{"n":1,"deep":{"a":"x","b":[2]}}"#, "name"),
        ("tools/call", r#""name":"echo","arguments":{"n":2,"deep":{"a":"x","b":[2]}}"#, "arguments"),
        ("tools/call", r#""name":"echo","arguments":{"n":1,"deep":{"a":"x","b":[3]}}"#, "arguments"),
        ("tools/call", r#""name":"echo""#, "arguments"),
        ("tools/call", &format!(r#"{FIRST},"more":1"#), "more"),
    ] {
        let exchange = take_up(&mut world, method, members, &input);
        assert_eq!(world.seen(exchange).status, Some(200));
        let refusal = world.answer(&client(), exchange);
        assert_eq!(refusal.raw_str(Field::Code), Some("-32602"));
        let words = refusal.text(Field::ErrorMessage).unwrap().into_owned();
        assert!(words.contains(&format!("from which {what} differs")), "{words}");
        assert!(world.frames("a").is_empty(), "its server hears nothing of {members}");
    }
    let exchange = take_up(&mut world, "tools/call", FIRST, &input);
    assert_eq!(world.frames("a").len(), 1, "the server gets its input");
    assert!(!world.seen(exchange).ended, "it goes on");
}

#[test]
fn the_same_request_may_be_spelt_otherwise_and_say_other_things_of_itself() {
    let mut world = World::running(&["a"]);
    let input = parked(&mut world);
    let spelt = r#""arguments":{"deep":{ "b":[2], "a":"\u0078" },"n":1},"n\u0061me":"echo""#;
    let text = client().write("2", "tools/call", &format!("{input},{spelt}"), r#""progressToken":7"#);
    let exchange = world.post(&client(), &text);
    assert_eq!(world.frames("a").len(), 1, "the server gets its input");
    assert!(!world.seen(exchange).ended, "it goes on");
}

#[test]
fn an_answer_that_is_kept_is_for_the_request_alone_that_it_answers() {
    let mut world = World::running(&["a"]);
    let call = world.request(&client(), "1", "tools/call", FIRST);
    let sent = world.requested("a");
    world.says(sent.link, r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#);
    world.advance(Limits::default().gather);
    let answer = world.answer(&client(), call);
    let input = format!(r#""requestState":"{}""#, answer.text(Field::RequestState).unwrap());
    world.reply(&sent, r#"{"content":[]}"#);
    let other = take_up(&mut world, "tools/call", r#""name":"echo","arguments":{}"#, &input);
    assert_eq!(world.code(&client(), other), "-32602");
    let own = take_up(&mut world, "tools/call", FIRST, &input);
    assert!(world.answer(&client(), own).has(Field::Result));
}
