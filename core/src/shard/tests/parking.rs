//! Questions of 2025 servers to 2026 clients.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, SAMPLED, at, params_of};
use super::script::Script;
use super::world::{World, read};
use crate::record::Sharing;
use crate::rpc::{Field, Members};
use crate::{ExchangeId, Limits, LinkId};

const ABLE: &str = r#"{"elicitation":{}}"#;

/// The question that a client was shown: its name, and the state to come back with.
pub(super) struct Question {
    pub link: LinkId,
    /// The id of the call at the server.
    pub call: String,
    pub name: String,
    pub state: String,
}

pub(super) fn client() -> Client {
    Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) }
}

/// A call whose server asks for something.
pub(super) fn asked(world: &mut World, client: &Client) -> Question {
    let call = world.call(client, "1");
    asked_in(world, client, call)
}

/// The same in a call that is made already.
pub(super) fn asked_in(world: &mut World, client: &Client, call: ExchangeId) -> Question {
    let sent = world.requested("a");
    let link = sent.link;
    world.says(link, r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#);
    assert_eq!(world.seen(call).status, None, "another question may follow");
    world.advance(Limits::default().gather);
    let seen = world.seen(call);
    assert_eq!((seen.status, seen.ended), (Some(200), true));
    let answer = world.answer(client, call);
    question(link, &sent.id, answer.raw(Field::Result).unwrap())
}

fn question(link: LinkId, call: &str, result: &[u8]) -> Question {
    let members = Members::read(result).unwrap();
    let member = |name: &str| members.0.iter().find(|(key, _)| key == name).unwrap().1.get();
    assert_eq!(member("resultType"), r#""input_required""#);
    let requests = Members::read(member("inputRequests").as_bytes()).unwrap();
    let [(name, asked)] = requests.0.as_slice() else { panic!("one question is expected") };
    assert_eq!(
        asked.get(),
        r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#
    );
    let state = member("requestState").trim_matches('"').to_owned();
    Question { link, call: call.to_owned(), name: name.clone().into_owned(), state }
}

pub(super) fn come_back(
    world: &mut World,
    client: &Client,
    question: &Question,
    responses: &str,
) -> ExchangeId {
    let state = &question.state;
    let members = format!(
        r#""name":"{}","arguments":{{"n":1}},"requestState":"{state}","inputResponses":{responses}"#,
        client.echo()
    );
    world.request(client, "2", "tools/call", &members)
}

pub(super) fn accepted(question: &Question) -> String {
    format!(r#"{{"else":1,"{}":{{"action":"accept"}}}}"#, question.name)
}

#[test]
fn input_that_is_no_object_is_refused_and_the_question_stays() {
    let mut world = World::running(&["a"]);
    let client = client();
    let question = asked(&mut world, &client);
    for input in ["7", "null", "[]", "\"s\""] {
        let wrong = format!(r#"{{"{}":{input}}}"#, question.name);
        let again = come_back(&mut world, &client, &question, &wrong);
        let answer = world.answer(&client, again);
        assert_eq!(answer.raw_str(Field::Code), Some("-32602"), "{input}");
        assert!(answer.text(Field::ErrorMessage).unwrap().contains(&question.name));
        assert!(world.frames("a").is_empty());
    }
    come_back(&mut world, &client, &question, &accepted(&question));
    assert!(!world.frames("a").is_empty(), "the server has its answer");
}

#[test]
fn a_question_ends_the_request_and_the_next_try_takes_the_call_up_again() {
    let mut world = World::running(&["a"]);
    let client = client();
    let question = asked(&mut world, &client);
    let again = come_back(&mut world, &client, &question, &accepted(&question));
    let frames = world.frames("a");
    let [(_, told)] = frames.as_slice() else { panic!("the answer alone is expected: {frames:?}") };
    assert_eq!(told, r#"{"jsonrpc":"2.0","id":"s","result":{"action":"accept"}}"#);
    // One call went to the server, and its answer goes to the second request.
    world.says(question.link, &answer_of_the_call(&question));
    let answer = world.answer(&client, again);
    assert_eq!((answer.raw_str(Field::Id), answer.has(Field::Result)), (Some("2"), true));
}

pub(super) fn answer_of_the_call(question: &Question) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[]}}}}"#, question.call)
}

#[test]
fn a_client_that_comes_back_without_the_input_is_asked_again() {
    let mut world = World::running(&["a"]);
    let client = client();
    let first = asked(&mut world, &client);
    for responses in ["{}", r#"{"else":{"action":"accept"}}"#] {
        let again = come_back(&mut world, &client, &first, responses);
        let answer = world.answer(&client, again);
        assert_eq!(question(first.link, &first.call, answer.raw(Field::Result).unwrap()).name, first.name);
    }
    assert!(world.frames("a").is_empty());
    let again = come_back(&mut world, &client, &first, &accepted(&first));
    assert_eq!(world.frames("a").len(), 1);
    assert!(world.take(&client, again).is_empty());
}

#[test]
fn a_state_that_is_altered_or_another_s_is_refused_and_still_good_for_its_own_client() {
    let mut world = World::running(&["a", "b"]);
    world.frames("b");
    let client = client();
    let question = asked(&mut world, &client);
    let mut altered = question.state.clone().into_bytes();
    for at_byte in 0..altered.len() {
        altered[at_byte] ^= 1;
        let text = String::from_utf8(altered.clone()).unwrap();
        if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            let other =
                Question { state: text, name: question.name.clone(), call: String::new(), ..question };
            let again = come_back(&mut world, &client, &other, &accepted(&other));
            assert_eq!(world.code(&client, again), "-32602", "byte {at_byte}");
        }
        altered[at_byte] ^= 1;
    }
    let thief = Client { key: "other", ..client.clone() };
    let elsewhere = Client { target: at("b"), ..client.clone() };
    for stranger in [thief, elsewhere] {
        let again = come_back(&mut world, &stranger, &question, &accepted(&question));
        assert_eq!(world.code(&stranger, again), "-32602");
    }
    assert!(world.frames("a").is_empty() && world.frames("b").is_empty());
    come_back(&mut world, &client, &question, &accepted(&question));
    assert_eq!(world.frames("a").len(), 1);
}

#[test]
fn a_client_that_does_not_come_back_leaves_its_server_with_an_error() {
    let mut world = World::running(&["a"]);
    let client = client();
    asked(&mut world, &client);
    world.advance(Duration::from_mins(10));
    let frames = world.frames("a");
    assert!(frames.iter().any(|(_, text)| text.contains(r#""id":"s","error""#)), "{frames:?}");
}

#[test]
fn an_answer_that_does_not_wait_for_the_input_is_kept_for_the_next_try() {
    let mut world = World::running(&["a"]);
    let client = client();
    let question = asked(&mut world, &client);
    let answer = answer_of_the_call(&question);
    world.says(question.link, &answer);
    let again = come_back(&mut world, &client, &question, &accepted(&question));
    let answer = world.answer(&client, again);
    assert!(read(core::str::from_utf8(answer.bytes()).unwrap()).has(Field::ResultType));
}

#[test]
fn a_question_that_may_be_of_a_parked_call_is_not_put_to_another_client() {
    let mut world = World::new(&["a"]);
    world.configure(|servers| servers[0].spec.sharing = Sharing::Shared);
    let mut world = world.surveyed();
    let parked = client();
    asked(&mut world, &parked);
    let other = world.able_client(HTTP, at("a"), ABLE);
    let call = world.call(&other, "1");
    let sent = world.requested("a");
    world.says(
        sent.link,
        r#"{"jsonrpc":"2.0","id":"t","method":"elicitation/create","params":{"message":"!","requestedSchema":{}}}"#,
    );
    assert!(world.take(&other, call).is_empty());
    let (_, told) = world.frames("a").pop().unwrap();
    assert!(
        told.contains(r#""id":"t","error":{"code":-32601,"message":"several calls are in flight"#),
        "{told}"
    );
}

fn asks(world: &mut World, link: LinkId, id: &str, method: &str) {
    let params = params_of(method);
    world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#));
}

/// A call whose server asks for three things at once; the names of the questions, in their order.
fn asked_for_three(world: &mut World, client: &Client) -> (LinkId, Vec<String>, String) {
    let call = world.call(client, "1");
    let link = world.requested("a").link;
    for (id, method) in [("1", "elicitation/create"), ("2", "sampling/createMessage"), ("3", "roots/list")] {
        asks(world, link, id, method);
    }
    world.advance(Limits::default().gather);
    let answer = world.answer(client, call);
    names(&answer, link)
}

fn names(answer: &crate::rpc::Envelope, link: LinkId) -> (LinkId, Vec<String>, String) {
    let members = Members::read(answer.raw(Field::InputRequests).unwrap()).unwrap();
    let names = members.0.iter().map(|(name, _)| name.clone().into_owned()).collect();
    (link, names, answer.text(Field::RequestState).unwrap().into_owned())
}

fn all() -> Client {
    Client {
        capabilities: r#"{"elicitation":{},"sampling":{},"roots":{}}"#,
        ..Client::new(Era::Modern, at("a"))
    }
}

fn bring(world: &mut World, client: &Client, state: &str, responses: &str) -> ExchangeId {
    let members = format!(
        r#""requestState":"{state}","arguments":{{"n":1}},"name":"echo","inputResponses":{{{responses}}}"#
    );
    world.request(client, "2", "tools/call", &members)
}

#[test]
fn what_a_server_asks_for_at_once_is_shown_at_once_and_may_be_answered_bit_by_bit() {
    let mut world = World::running(&["a"]);
    let client = all();
    let (link, asked, state) = asked_for_three(&mut world, &client);
    assert_eq!(asked.len(), 3);
    let again = bring(&mut world, &client, &state, &format!(r#""{}":{SAMPLED}"#, asked[1]));
    assert_eq!(world.frames("a"), [(link, format!(r#"{{"jsonrpc":"2.0","id":2,"result":{SAMPLED}}}"#))]);
    let answer = world.answer(&client, again);
    let (_, left, state) = names(&answer, link);
    assert_eq!(left, [asked[0].clone(), asked[2].clone()]);
    let rest = format!(r#""{}":{{"action":"accept"}},"{}":{{"roots":[]}}"#, asked[0], asked[2]);
    let last = bring(&mut world, &client, &state, &rest);
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        told,
        [
            r#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept"}}"#,
            r#"{"jsonrpc":"2.0","id":3,"result":{"roots":[]}}"#
        ]
    );
    assert_eq!(world.seen(last).status, None, "the server works on it again");
}

#[test]
fn what_a_server_asks_for_while_its_client_is_away_is_shown_when_it_comes_back() {
    let mut world = World::running(&["a"]);
    let client = Client { capabilities: r#"{"elicitation":{},"roots":{}}"#, ..all() };
    let question = asked(&mut world, &client);
    world.says(question.link, r#"{"jsonrpc":"2.0","id":8,"method":"roots/list"}"#);
    world.says(question.link, r#"{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage"}"#);
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert!(told.len() == 1 && told[0].contains(r#""id":9,"error""#), "{told:?}");
    let again = come_back(&mut world, &client, &question, &accepted(&question));
    let answer = world.answer(&client, again);
    assert_eq!(names(&answer, question.link).1.len(), 1);
}

#[test]
fn a_call_that_ends_while_its_server_asks_leaves_the_server_with_an_error() {
    let mut world = World::running(&["a"]);
    let client = all();
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    world.says(link, r#"{"jsonrpc":"2.0","id":5,"method":"roots/list"}"#);
    world.leave(call);
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert!(told.iter().any(|text| text.contains(r#""id":5,"error""#)), "{told:?}");
    world.advance(Limits::default().gather);
}

#[test]
fn a_client_that_did_not_say_that_it_can_answer_is_told_what_is_missing() {
    for (method, required) in [
        ("sampling/createMessage", r#"{"requiredCapabilities":{"sampling":{}}}"#),
        ("elicitation/create", r#"{"requiredCapabilities":{"elicitation":{"form":{}}}}"#),
    ] {
        let mut world = World::running(&["a"]);
        let client = Client::new(Era::Modern, at("a"));
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":5,"method":"{method}"}}"#));
        world.advance(Limits::default().gather);
        let frames = world.frames("a");
        assert!(frames.len() == 1 && frames[0].1.contains(r#""id":5,"error":{"code":-32601"#), "{frames:?}");
        world.reply(&sent, r#"{"content":[],"isError":true}"#);
        assert_eq!(world.seen(call).status, Some(400));
        let told = world.take(&client, call);
        assert!(told[0].contains("-32021") && told[0].contains(required), "{told:?}");
        // A server that can do without is not in the way.
        let call = world.call(&client, "2");
        let sent = world.requested("a");
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":6,"method":"{method}"}}"#));
        world.advance(Limits::default().gather);
        world.frames("a");
        world.reply(&sent, r#"{"content":[]}"#);
        assert!(world.answer(&client, call).has(Field::Result));
    }
}

#[test]
fn a_server_that_asks_works_on_one_call_of_a_key_at_a_time() {
    let mut world = World::running(&["a"]);
    let client = all();
    let question = asked(&mut world, &Client { capabilities: ABLE, ..client.clone() });
    world.call(&client, "2");
    let second = world.requested("a");
    assert_ne!(second.link, question.link);
    world.call(&client, "3");
    let third = world.requested("a");
    assert_ne!(third.link, second.link);
    world.reply(&second, "{}");
    world.call(&client, "4");
    assert_eq!(world.requested("a").link, second.link, "who is free is used again");
}

#[test]
fn what_a_client_cannot_answer_does_not_keep_from_it_what_it_can() {
    let mut world = World::running(&["a"]);
    let client = Client { capabilities: r#"{"sampling":{}}"#, ..all() };
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    for (id, method) in [("1", "elicitation/create"), ("2", "sampling/createMessage")] {
        asks(&mut world, sent.link, id, method);
    }
    world.advance(Limits::default().gather);
    let answer = world.answer(&client, call);
    let (_, shown, state) = names(&answer, sent.link);
    assert_eq!(shown.len(), 1);
    let last = bring(&mut world, &client, &state, &format!(r#""{}":{SAMPLED}"#, shown[0]));
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert_eq!(told[0], format!(r#"{{"jsonrpc":"2.0","id":2,"result":{SAMPLED}}}"#));
    assert!(told[1].contains(r#""id":1,"error""#), "{told:?}");
    world.reply(&sent, r#"{"isError":true}"#);
    assert_eq!(world.code(&client, last), "-32021");
}

#[test]
fn what_one_call_may_ask_is_bounded() {
    let limits = Limits { session_questions: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let client = all();
    let call = world.call(&client, "1");
    let link = world.requested("a").link;
    for id in 1..4 {
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#));
    }
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert!(told.len() == 1 && told[0].contains("session_questions"), "{told:?}");
    world.advance(Limits::default().gather);
    let answer = world.answer(&client, call);
    assert_eq!(names(&answer, link).1.len(), 2);
    world.says(link, r#"{"jsonrpc":"2.0","id":9,"method":"roots/list"}"#);
    assert_eq!(world.frames("a").len(), 1, "nor while the client is away");
}

#[test]
fn a_question_in_the_midst_of_what_is_not_answered_with_questions_is_refused() {
    let scripts = [("a", Script::full(&["x:a"], &[]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = client();
    let reference = r#""ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"n","value":""}"#;
    for (method, members) in [("completion/complete", reference), ("made/up", r#""x":1"#)] {
        let asked = world.request(&client, "1", method, members);
        let sent = world.requested("a");
        world.says(sent.link, r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#);
        let [(_, refusal)] = &*world.frames("a") else { panic!("it is told at once") };
        assert!(refusal.contains(r#""id":"s""#) && refusal.contains("-32601"), "{refusal}");
        world.advance(Limits::default().gather);
        assert_eq!(world.seen(asked).status, None, "it is still worked on");
        world.reply(&sent, r#"{"completion":{"values":[]}}"#);
        assert!(
            world.answer(&client, asked).raw_str(Field::Result).unwrap().contains("complete"),
            "{method}"
        );
    }
}
