//! Questions of 2025 servers to 2026 clients.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::record::Sharing;
use crate::rpc::{Field, Members};
use crate::{Limits, LinkId};

const ABLE: &str = r#"{"elicitation":{}}"#;

/// The question that a client was shown: its name, and the state to come back with.
struct Question {
    link: LinkId,
    /// The id of the call at the server.
    call: String,
    name: String,
    state: String,
}

fn client() -> Client {
    Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) }
}

/// A call whose server asks for something.
fn asked(world: &mut World, client: &Client) -> Question {
    let call = world.call(client, "1");
    let sent = world.requested("a");
    let link = sent.link;
    world.says(link, r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?"}}"#);
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
    assert_eq!(asked.get(), r#"{"method":"elicitation/create","params":{"message":"?"}}"#);
    let state = member("requestState").trim_matches('"').to_owned();
    Question { link, call: call.to_owned(), name: name.clone().into_owned(), state }
}

fn come_back(world: &mut World, client: &Client, question: &Question, responses: &str) -> crate::ExchangeId {
    let state = &question.state;
    let members = format!(
        r#""name":"{}","arguments":{{}},"requestState":"{state}","inputResponses":{responses}"#,
        client.echo()
    );
    world.request(client, "2", "tools/call", &members)
}

fn accepted(question: &Question) -> String {
    format!(r#"{{"else":1,"{}":{{"action":"accept"}}}}"#, question.name)
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

fn answer_of_the_call(question: &Question) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[]}}}}"#, question.call)
}

#[test]
fn a_client_that_comes_back_without_the_input_is_asked_again() {
    let mut world = World::running(&["a"]);
    let client = client();
    let first = asked(&mut world, &client);
    for responses in ["{}", r#"{"else":{"action":"accept"}}"#, "7"] {
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
fn a_state_that_is_altered_or_another_s_or_used_or_old_is_refused() {
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
    let used = come_back(&mut world, &client, &question, &accepted(&question));
    assert_eq!(world.code(&client, used), "-32602");
}

#[test]
fn a_client_that_does_not_come_back_leaves_its_server_with_an_error() {
    let mut world = World::running(&["a"]);
    let client = client();
    let question = asked(&mut world, &client);
    world.advance(Duration::from_mins(10));
    let frames = world.frames("a");
    assert!(frames.iter().any(|(_, text)| text.contains(r#""id":"s","error""#)), "{frames:?}");
    let late = come_back(&mut world, &client, &question, &accepted(&question));
    assert_eq!(world.code(&client, late), "-32602");
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
fn a_parked_call_ends_with_its_server() {
    let mut world = World::running(&["a"]);
    let client = client();
    let question = asked(&mut world, &client);
    world.crash("a");
    let again = come_back(&mut world, &client, &question, &accepted(&question));
    assert_eq!(world.code(&client, again), "-32602");
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
        r#"{"jsonrpc":"2.0","id":"t","method":"elicitation/create","params":{"message":"!"}}"#,
    );
    assert!(world.take(&other, call).is_empty());
    let (_, told) = world.frames("a").pop().unwrap();
    assert!(told.contains(r#""id":"t","error":{"code":-32601"#), "{told}");
}

#[test]
fn a_state_of_another_life_of_the_hub_names_no_call_of_this_one() {
    // Numbers begin again with every life: somewhere among these the parked call has the old number.
    for calls in 0..8 {
        let mut world = World::running(&["a"]);
        let client = client();
        let old = asked(&mut world, &client);
        let mut world = world.restarted();
        world.advance(Duration::from_secs(1));
        for _ in 0..calls {
            let call = world.call(&client, "9");
            let sent = world.requested("a");
            world.reply(&sent, "{}");
            world.take(&client, call);
        }
        let new = asked(&mut world, &client);
        let exchange = come_back(&mut world, &client, &old, &accepted(&old));
        assert_eq!(world.code(&client, exchange), "-32602");
        let exchange = come_back(&mut world, &client, &new, &accepted(&new));
        assert!(!world.seen(exchange).ended, "it goes on");
    }
}

#[test]
fn a_client_that_comes_back_when_too_many_calls_are_in_flight_may_come_back_again() {
    let limits = Limits { project_in_flight: 1, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default()), ("b", Script::default())]).surveyed();
    let client = client();
    let question = asked(&mut world, &client);
    let busy = Client::new(Era::Modern, at("b"));
    world.call(&busy, "1");
    let refused = come_back(&mut world, &client, &question, &accepted(&question));
    assert_eq!(world.code(&client, refused), "-31004");
    let sent = world.requested("b");
    world.reply(&sent, "{}");
    let exchange = come_back(&mut world, &client, &question, &accepted(&question));
    assert!(!world.seen(exchange).ended, "it goes on");
}
