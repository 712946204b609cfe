//! The names of questions, between the eras and back.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::{Client, Era, HTTP, SAMPLED, at};
use super::script::Script;
use super::world::{World, read};
use crate::rpc::{Envelope, Field, Members};
use crate::{ExchangeId, Limits, LinkId};

const ABLE: &str = r#"{"elicitation":{},"sampling":{},"roots":{}}"#;

fn modern() -> Client {
    Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) }
}

/// A call of a client of 2026-07-28 at a server of 2025.
fn called(world: &mut World) -> (Client, ExchangeId, LinkId) {
    let client = modern();
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    (client, call, link)
}

fn asks(world: &mut World, link: LinkId, id: u32, method: &str, params: &str) {
    world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#));
}

fn elicits(world: &mut World, link: LinkId, id: u32, name: &str) {
    let params =
        format!(r#"{{"message":"?","requestedSchema":{{}},"_meta":{{"mcp-orch/input-key":{name}}}}}"#);
    asks(world, link, id, "elicitation/create", &params);
}

/// What a client was shown: names, and the questions as raw JSON.
fn shown(answer: &Envelope) -> Vec<(String, String)> {
    let questions = Members::read(answer.raw(Field::InputRequests).unwrap()).unwrap();
    questions.0.iter().map(|(name, raw)| (name.clone().into_owned(), raw.get().to_owned())).collect()
}

fn names(shown: &[(String, String)]) -> Vec<&str> {
    shown.iter().map(|(name, _)| &**name).collect()
}

fn comes_back(world: &mut World, client: &Client, first: &Envelope, responses: &str) -> ExchangeId {
    let state = first.text(Field::RequestState).unwrap();
    let members = format!(
        r#""name":"echo","arguments":{{"n":1}},"requestState":"{state}","inputResponses":{{{responses}}}"#
    );
    world.request(client, "2", "tools/call", &members)
}

#[test]
fn a_question_of_2025_is_shown_under_the_name_that_it_bears_which_is_said_nowhere_else() {
    let mut world = World::running(&["a"]);
    let (client, call, link) = called(&mut world);
    elicits(&mut world, link, 1, r#""user_name""#);
    let beside = r#"{"messages":[],"maxTokens":9,"_meta":{"x.org/a":1e2,"mcp-orch/input-key":"q\"\u00e9","x.org/b":[ ]}}"#;
    asks(&mut world, link, 2, "sampling/createMessage", beside);
    asks(&mut world, link, 3, "roots/list", r#"{"_meta":{"mcp-orch/input-key":""}}"#);
    world.advance(Limits::default().gather);
    let answer = world.answer(&client, call);
    let expected = [
        ("user_name", r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#),
        (
            "q\"é",
            r#"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":9,"_meta":{"x.org/a":1e2,"x.org/b":[ ]}}}"#,
        ),
        ("", r#"{"method":"roots/list","params":{}}"#),
    ];
    assert_eq!(shown(&answer), expected.map(|(name, question)| (name.to_owned(), question.to_owned())));
    let [one, two, three] = [r#"{"action":"accept"}"#, SAMPLED, r#"{"roots":[]}"#];
    let responses = format!(r#""user_name":{one},"q\"\u00e9":{two},"":{three}"#);
    comes_back(&mut world, &client, &answer, &responses);
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    let all = [(1, one), (2, two), (3, three)];
    assert_eq!(told, all.map(|(n, said)| format!(r#"{{"jsonrpc":"2.0","id":{n},"result":{said}}}"#)));
}

#[test]
fn input_under_a_server_s_name_that_is_no_object_is_refused_and_the_question_stays() {
    let mut world = World::running(&["a"]);
    let (client, call, link) = called(&mut world);
    elicits(&mut world, link, 1, r#""user_name""#);
    world.advance(Limits::default().gather);
    let answer = world.answer(&client, call);
    let again = comes_back(&mut world, &client, &answer, r#""user_name":7"#);
    let refusal = world.answer(&client, again);
    assert_eq!(refusal.raw_str(Field::Code), Some("-32602"));
    assert!(refusal.text(Field::ErrorMessage).unwrap().contains("user_name"));
    assert!(world.frames("a").is_empty());
    comes_back(&mut world, &client, &answer, r#""user_name":{"action":"accept"}"#);
    assert_eq!(world.frames("a").len(), 1);
}

#[test]
fn a_name_that_is_taken_or_senseless_is_replaced_by_one_of_the_hub_s() {
    let mut world = World::running(&["a"]);
    let (client, call, link) = called(&mut world);
    let long = format!(r#""{}""#, "k".repeat(256));
    let odd = [r#""a""#, r#""a""#, "7", "null", "{}", r#""\ud800""#, &long];
    for (id, name) in (1..).zip(odd) {
        elicits(&mut world, link, id, name);
    }
    world.advance(Limits::default().gather);
    let answer = world.answer(&client, call);
    let shown = shown(&answer);
    assert_eq!(shown.len(), odd.len());
    for (at, (name, question)) in shown.iter().enumerate() {
        assert_eq!(name == "a", at == 0, "{name}");
        assert!(at == 0 || name.starts_with('q'), "{name}");
        assert_eq!(
            question,
            r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#
        );
    }
    let mut distinct = names(&shown);
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), odd.len(), "each can be answered");
}

#[test]
fn names_that_the_hub_makes_keep_clear_of_those_that_servers_give() {
    // What the hub would call the second question if nobody else did.
    let made_up = {
        let mut world = World::running(&["a"]);
        let (client, call, link) = called(&mut world);
        elicits(&mut world, link, 1, r#""first""#);
        elicits(&mut world, link, 2, "7");
        world.advance(Limits::default().gather);
        shown(&world.answer(&client, call))[1].0.clone()
    };
    let mut world = World::running(&["a"]);
    let (client, call, link) = called(&mut world);
    elicits(&mut world, link, 1, &format!("{made_up:?}"));
    elicits(&mut world, link, 2, "7");
    world.advance(Limits::default().gather);
    let shown = shown(&world.answer(&client, call));
    assert_eq!(shown[0].0, made_up);
    assert_ne!(shown[1].0, made_up);
}

#[test]
fn what_was_answered_under_a_name_is_no_answer_to_a_later_question_of_that_name() {
    let mut world = World::running(&["a"]);
    let (client, call, link) = called(&mut world);
    elicits(&mut world, link, 1, r#""a""#);
    elicits(&mut world, link, 2, r#""b""#);
    world.advance(Limits::default().gather);
    let answer = world.answer(&client, call);
    elicits(&mut world, link, 3, r#""c""#);
    let again = comes_back(&mut world, &client, &answer, r#""a":{"action":"accept"}"#);
    let left = shown(&world.answer(&client, again));
    assert_eq!(names(&left), ["b", "c"], "a question that came meanwhile has its name too");
    world.frames("a");
    elicits(&mut world, link, 4, r#""a""#);
    let again = comes_back(&mut world, &client, &answer, r#""a":{"action":"accept"}"#);
    assert!(world.frames("a").is_empty(), "the server is not told twice");
    let left = shown(&world.answer(&client, again));
    assert_eq!(names(&left)[..2], ["b", "c"]);
    assert_ne!(left[2].0, "a");
}

/// A client of 2025 whose server of 2026-07-28 asks this; what the client is shown.
fn put(era: Era, questions: &str) -> (World, Client, Vec<String>) {
    let mut world = World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
    world.frames("a");
    let client = world.able_client(era, at("a"), ABLE);
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.reply(
        &sent,
        &format!(r#"{{"resultType":"input_required","inputRequests":{{{questions}}},"requestState":"s"}}"#),
    );
    let shown = world.take(&client, call);
    (world, client, shown)
}

#[test]
fn a_question_of_2026_bears_its_name_beside_whatever_else_is_in_its_meta() {
    for era in [Era::Sse, HTTP] {
        let questions = [
            r#""user_name":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#,
            r#""q\"1":{"method":"sampling/createMessage","params":{"_meta":{"x.org/a":1e2,"mcp-orch/input-key":"lie"},"messages":[],"maxTokens":9}}"#,
            r#""r":{"method":"roots/list"}"#,
        ];
        let (_, _, shown) = put(era, &questions.join(","));
        let params: Vec<String> =
            shown.iter().map(|text| read(text).raw_str(Field::Params).unwrap().to_owned()).collect();
        assert_eq!(
            params,
            [
                r#"{"_meta":{"mcp-orch/input-key":"user_name"},"message":"?","requestedSchema":{}}"#,
                r#"{"_meta":{"mcp-orch/input-key":"q\"1","x.org/a":1e2},"messages":[],"maxTokens":9}"#,
                r#"{"_meta":{"mcp-orch/input-key":"r"}}"#,
            ]
        );
    }
}

#[test]
fn a_name_outlives_a_link_of_2025_between_two_hubs() {
    let (mut far, near_of_far, shown_to_near) = put(
        HTTP,
        r#""user_name":{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#,
    );
    let asked = read(&shown_to_near[0]);
    let mut near = World::running(&["a"]);
    let (client, call, link) = called(&mut near);
    near.says(link, &shown_to_near[0]);
    near.advance(Limits::default().gather);
    let answer = near.answer(&client, call);
    let expected = r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#;
    assert_eq!(shown(&answer), [("user_name".to_owned(), expected.to_owned())]);
    comes_back(&mut near, &client, &answer, r#""user_name":{"action":"accept"}"#);
    let (_, told) = near.frames("a").pop().unwrap();
    assert_eq!(read(&told).raw_str(Field::Id), asked.raw_str(Field::Id));
    far.post(&near_of_far, &told);
    let again = far.requested("a");
    assert!(
        again.params.contains(r#""inputResponses":{"user_name":{"action":"accept"}}"#),
        "{}",
        again.params
    );
}

#[test]
fn between_two_of_2025_the_name_stays_where_it_is() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), ABLE);
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    elicits(&mut world, link, 1, r#""user_name""#);
    let shown = world.take(&client, call);
    assert!(shown[0].contains(r#""_meta":{"mcp-orch/input-key":"user_name"}"#), "{shown:?}");
}
