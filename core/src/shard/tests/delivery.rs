//! How often a call is executed: once at most, but where its tool or its client allows another time.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field};
use crate::shard::{Effect, Input};
use crate::{ExchangeId, Limits};

const KEY: &str = r#""mcp-orch/idempotency-key":"k""#;
/// Longer than the first pause of a server that has failed.
const PAUSE: Duration = Duration::from_millis(500);
const MINUTE: Duration = Duration::from_mins(1);

/// A server whose tools declare that they may be called again.
fn idempotent() -> World {
    let tool_members = r#","annotations":{"idempotentHint":true}"#;
    World::scripted(Limits::default(), [("a", Script { tool_members, ..Script::default() })]).surveyed()
}

/// Calls `echo` with the same arguments, whatever the id.
fn call(world: &mut World, client: &Client, id: &str, meta: &str) -> ExchangeId {
    call_for(world, client, id, "1", meta)
}

fn call_for(world: &mut World, client: &Client, id: &str, n: &str, meta: &str) -> ExchangeId {
    let members = format!(r#""name":"{}","arguments":{{"n":{n}}}"#, client.echo());
    world.post(client, &client.write(id, "tools/call", &members, meta))
}

fn with_header(world: &mut World, client: &Client, id: &str, key: &str) -> ExchangeId {
    let body = read(&client.write(id, "tools/call", r#""name":"echo","arguments":{"n":1}"#, ""));
    let mut head = client.post_head(&body);
    head.headers.idempotency_key = Some(key.to_owned());
    world.post_with(client, head, body)
}

/// The server ends in the midst of a call, and is started again.
fn restart(world: &mut World) {
    world.crash("a");
    world.advance(PAUSE);
}

fn words(answer: &Envelope) -> String {
    answer.text(Field::ErrorMessage).expect("an error").to_string()
}

fn code(answer: &Envelope) -> Option<&str> {
    answer.raw_str(Field::Code)
}

/// What was said of calls that were made again.
fn repeats(world: &World) -> usize {
    let said =
        |effect: &&Effect| matches!(effect, Effect::Report(it) if it.message.contains("is called again"));
    world.log.iter().filter(said).count()
}

#[test]
fn a_call_of_a_tool_that_may_be_called_again_is_sent_once_more_to_the_next_process() {
    for era in ERAS {
        let mut world = idempotent();
        let client = world.client(era, at("a"));
        let exchange = call(&mut world, &client, "1", "");
        let first = world.requested("a");
        restart(&mut world);
        let second = world.requested("a");
        assert_eq!((&second.method, &second.params), (&first.method, &first.params), "{era:?}");
        assert_ne!(second.link, first.link);
        assert_eq!(repeats(&world), 1, "its log says so");
        world.reply(&second, "{}");
        let answer = world.answer(&client, exchange);
        assert_eq!((answer.raw_str(Field::Id), answer.has(Field::Result)), (Some("1"), true), "{era:?}");
    }
}

#[test]
fn it_is_sent_no_third_time() {
    for era in ERAS {
        let mut world = idempotent();
        let client = world.client(era, at("a"));
        let exchange = call(&mut world, &client, "1", "");
        restart(&mut world);
        assert_eq!(world.requests("a").len(), 2, "before and after");
        world.crash("a");
        assert_eq!(code(&world.answer(&client, exchange)), Some("-31003"), "{era:?}");
        world.advance(MINUTE);
        assert_eq!(world.requests("a").len(), 0);
    }
}

#[test]
fn a_call_with_a_key_is_sent_once_more_and_one_without_never() {
    for era in ERAS {
        for (meta, again) in [(KEY, 1), ("", 0)] {
            let mut world = World::running(&["a"]);
            let client = world.client(era, at("a"));
            let exchange = call(&mut world, &client, "1", meta);
            let first = world.requested("a");
            restart(&mut world);
            assert_eq!(world.requests("a").len(), again, "{era:?} {meta}");
            if again == 0 {
                assert_eq!(code(&world.answer(&client, exchange)), Some("-31003"));
            }
            assert_eq!(first.params.contains("idempotency-key"), again == 1, "its server sees the key");
        }
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        with_header(&mut world, &client, "1", "k");
        world.requested("a");
        restart(&mut world);
        assert_eq!(world.requests("a").len(), 1, "{era:?}: a header is as good");
    }
}

#[test]
fn a_call_is_not_sent_again_where_there_is_no_next_process_and_its_outcome_is_unknown() {
    for how in ["removed", "silent", "stopped", "crashed"] {
        let mut world = idempotent();
        let client = world.client(HTTP, at("a"));
        let exchange = call(&mut world, &client, "1", "");
        world.requested("a");
        match how {
            "removed" => {
                world.configure(Vec::clear);
                world.crash("a");
            }
            "silent" => {
                world.scripts.insert("a".into(), Script::silent());
                restart(&mut world);
                world.crash("a");
            }
            "stopped" => {
                world.crash("a");
                world.feed(Input::Stopping);
            }
            _ => {
                let limits = Limits { crash_failures: 1, ..Limits::default() };
                let tool_members = r#","annotations":{"idempotentHint":true}"#;
                world =
                    World::scripted(limits, [("a", Script { tool_members, ..Script::default() })]).surveyed();
                let client = world.client(HTTP, at("a"));
                assert_eq!(call(&mut world, &client, "1", ""), exchange);
                world.requested("a");
                world.crash("a");
            }
        }
        let answer = world.answer(&client, exchange);
        assert_eq!(code(&answer), Some("-31003"), "{how}: {}", words(&answer));
        assert!(world.requests("a").iter().all(|sent| sent.method != "tools/call"), "{how}");
    }
}

#[test]
fn a_call_that_is_sent_again_has_no_more_time_than_before() {
    let mut world = idempotent();
    let client = world.client(HTTP, at("a"));
    let exchange = call(&mut world, &client, "1", "");
    world.requested("a");
    world.advance(Duration::from_secs(50));
    restart(&mut world);
    assert_eq!(world.requests("a").len(), 1);
    world.advance(Duration::from_secs(10));
    assert_eq!(code(&world.answer(&client, exchange)), Some("-31002"));

    let exchange = call(&mut world, &client, "2", "");
    world.requests("a");
    world.advance(Duration::from_millis(59_999));
    world.crash("a");
    assert_eq!(code(&world.answer(&client, exchange)), Some("-31003"), "there is no time for another");
}

#[test]
fn what_was_answered_under_a_key_is_answered_again_and_not_executed() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let first = call(&mut world, &client, "1", KEY);
        let sent = world.requested("a");
        world.reply(&sent, r#"{"content":[],"mark":"first"}"#);
        assert!(world.answer(&client, first).has(Field::Result));
        for id in ["2", "\"again\""] {
            let again = call(&mut world, &client, id, KEY);
            let answer = world.answer(&client, again);
            assert_eq!(answer.raw_str(Field::Id), Some(id), "{era:?}");
            assert!(answer.raw_str(Field::Result).unwrap().contains(r#""mark":"first""#), "{era:?}");
        }
        assert_eq!(world.requests("a").len(), 0, "{era:?}");
        let without = call(&mut world, &client, "3", "");
        assert_eq!(world.requests("a").len(), 1, "a request without the key is one more");
        assert!(!world.seen(client.stream.unwrap_or(without)).ended);
    }
}

#[test]
fn the_key_is_the_same_in_the_header_and_in_meta_and_in_every_era() {
    let mut world = World::running(&["a"]);
    let clients = ERAS.map(|era| world.client(era, at("a")));
    let first = with_header(&mut world, &clients[0], "1", "\"k\"");
    let sent = world.requested("a");
    world.reply(&sent, r#"{"content":[],"mark":"first"}"#);
    world.take(&clients[0], first);
    for client in &clients {
        let again = call(&mut world, client, "2", KEY);
        assert!(
            world.answer(client, again).raw_str(Field::Result).unwrap().contains("first"),
            "{:?}",
            client.era
        );
    }
    assert_eq!(world.requests("a").len(), 0);
}

#[test]
fn an_error_of_a_server_is_an_answer_too() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let first = call(&mut world, &client, "1", KEY);
    let sent = world.requested("a");
    let error = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-7,"message":"no"}}}}"#, sent.id);
    world.says(sent.link, &error);
    let again = call(&mut world, &client, "2", KEY);
    for exchange in [first, again] {
        assert_eq!(code(&world.answer(&client, exchange)), Some("-7"));
    }
    assert_eq!(world.requests("a").len(), 0);
}

#[test]
fn what_a_link_says_in_place_of_its_server_is_no_answer_to_keep() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let first = call(&mut world, &client, "1", KEY);
    let sent = world.requested("a");
    let lost = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-31003,"message":"lost"}}}}"#, sent.id);
    world.says(sent.link, &lost);
    assert_eq!(code(&world.answer(&client, first)), Some("-31003"));
    call(&mut world, &client, "2", KEY);
    assert_eq!(world.requests("a").len(), 1);
}

#[test]
fn who_shows_a_key_whose_call_is_under_way_waits_for_its_answer() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let (client, other) = (world.client(era, at("a")), world.client(era, at("a")));
        let first = call(&mut world, &client, "1", KEY);
        let second = call(&mut world, &other, "2", KEY);
        world.advance(Duration::from_secs(59));
        let sent = world.requested("a");
        world.reply(&sent, "{}");
        for (client, exchange, id) in [(&client, first, "1"), (&other, second, "2")] {
            let answer = world.answer(client, exchange);
            assert_eq!((answer.raw_str(Field::Id), answer.has(Field::Result)), (Some(id), true), "{era:?}");
        }
        assert_eq!(world.requests("a").len(), 0, "{era:?}");
    }
}

#[test]
fn a_key_stands_for_one_request_at_one_endpoint() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let first = call(&mut world, &client, "1", KEY);
    for answered in [false, true] {
        let other = call_for(&mut world, &client, "2", "2", KEY);
        let answer = world.answer(&client, other);
        assert_eq!(code(&answer), Some("-32602"), "{answered}");
        assert!(words(&answer).contains("from which arguments differs"), "{}", words(&answer));
        let unified = world.client(HTTP, Target::Unified);
        let other = call(&mut world, &unified, "3", KEY);
        assert!(words(&world.answer(&unified, other)).contains("from which the endpoint differs"));
        if !answered {
            let sent = world.requested("a");
            world.reply(&sent, "{}");
        }
    }
    assert!(world.answer(&client, first).has(Field::Result));
    assert_eq!(world.requests("a").len(), 0);
}

#[test]
fn a_key_is_of_whoever_shows_it() {
    let mut world = World::running(&["a"]);
    for key in ["one", "two"] {
        let client = Client { key, ..Client::new(Era::Modern, at("a")) };
        let exchange = call(&mut world, &client, "1", KEY);
        let sent = world.requested("a");
        world.reply(&sent, &format!(r#"{{"content":[],"mark":"{key}"}}"#));
        assert!(world.answer(&client, exchange).raw_str(Field::Result).unwrap().contains(key));
    }
}

#[test]
fn the_answer_is_kept_also_for_a_client_that_has_gone_and_nothing_of_a_call_that_was_cancelled() {
    for (era, executions) in [(HTTP, 0), (Era::Modern, 1)] {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let first = call(&mut world, &client, "1", KEY);
        let sent = world.requested("a");
        world.leave(first);
        world.reply(&sent, r#"{"content":[],"mark":"first"}"#);
        world.requests("a");
        let again = call(&mut world, &client, "2", KEY);
        assert_eq!(world.requests("a").len(), executions, "{era:?}");
        if executions == 0 {
            assert!(world.answer(&client, again).raw_str(Field::Result).unwrap().contains("first"));
        }
    }
}

#[test]
fn nobody_waits_for_a_call_that_has_ended_after_its_client_had_gone() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let first = call(&mut world, &client, "1", KEY);
    world.requested("a");
    world.leave(first);
    let waiting = call(&mut world, &client, "2", KEY);
    assert_eq!(world.requests("a").len(), 0, "it goes on");
    restart(&mut world);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, waiting).has(Field::Result));
}

#[test]
fn what_has_no_answer_is_done_again_when_its_key_is_shown_again() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let first = call(&mut world, &client, "1", KEY);
    let waiting = call(&mut world, &client, "2", KEY);
    restart(&mut world);
    world.requests("a");
    world.crash("a");
    assert_eq!(code(&world.answer(&client, first)), Some("-31003"));
    world.advance(PAUSE * 4);
    assert_eq!(world.requests("a").len(), 1, "who has waited for it is next");
    assert!(!world.seen(waiting).ended);
}

#[test]
fn answers_are_kept_for_a_time_and_a_number_and_so_many_bytes() {
    let small = Limits { kept_answers: 2, kept_answer_bytes: 4_000, ..Limits::default() };
    let answer = |world: &mut World, client: &Client, key: &str, result: &str| {
        let exchange = call(world, client, "1", &format!(r#""mcp-orch/idempotency-key":"{key}""#));
        let sent = world.requests("a");
        if let [sent] = sent.as_slice() {
            world.reply(sent, result);
        }
        world.take(client, exchange);
        sent.len()
    };
    let mut world = World::scripted(small, [("a", Script::default())]).surveyed();
    let client = Client::new(Era::Modern, at("a"));
    let executed: Vec<usize> =
        ["k", "l", "k", "m", "k", "m"].iter().map(|key| answer(&mut world, &client, key, "{}")).collect();
    assert_eq!(executed, [1, 1, 0, 1, 1, 0], "the oldest makes room");
    world.advance(Limits::default().kept_answer_age);
    assert_eq!(answer(&mut world, &client, "m", "{}"), 1, "too old");
    let long = format!(r#"{{"content":[],"mark":"{}"}}"#, "x".repeat(5_000));
    assert_eq!(answer(&mut world, &client, "n", &long), 1);
    assert_eq!(answer(&mut world, &client, "n", &long), 1, "too long to be kept");
    assert_eq!(answer(&mut world, &client, "m", "{}"), 0, "and has driven out no other");
}

#[test]
fn a_key_that_is_none_is_refused() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    let long = format!(r#""mcp-orch/idempotency-key":"{}""#, "k".repeat(256));
    for (meta, expected, says) in [
        (r#""mcp-orch/idempotency-key":"""#, "-32602", "not empty"),
        (r#""mcp-orch/idempotency-key":7"#, "-32602", "a string"),
        (&*long, "-31004", "idempotency_key_bytes reached (255)"),
    ] {
        let exchange = call(&mut world, &client, "1", meta);
        let answer = world.answer(&client, exchange);
        assert_eq!(code(&answer), Some(expected), "{meta}");
        assert!(words(&answer).contains(says), "{}", words(&answer));
    }
    let body = read(&client.write("1", "tools/call", r#""name":"echo""#, KEY));
    let mut head = client.post_head(&body);
    head.headers.idempotency_key = Some("other".to_owned());
    let exchange = world.post_with(&client, head, body);
    assert!(words(&world.answer(&client, exchange)).contains("differ"));
    assert_eq!(world.requests("a").len(), 0);
}
