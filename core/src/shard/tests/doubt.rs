//! Remote servers that speak another era than they did.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::renewals::remote_of;
use super::script::{Discovery, Script};
use super::world::{World, read};
use crate::mcp::Revision;
use crate::ports::gateway::Verb;
use crate::record::Protocol;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, Limits};

const NO_SESSION: &str = r#"{"code":-32000,"message":"Bad Request: No valid session ID provided"}"#;
const NOT_FOUND: &str = r#"{"code":-32001,"message":"Session not found"}"#;
const OLD: &str =
    r#"{"code":-32022,"message":"v","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}}"#;

/// A server refuses a request by its status.
fn decline(world: &mut World, sent: &Sent, error: &str) {
    let refusal = read(&format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
    world.feed(Input::RequestDeclined { link: sent.link, refusal });
}

#[test]
fn a_refusal_of_what_a_request_says_is_its_answer_and_it_is_not_made_twice() {
    let mut world = remote_of(Script::modern());
    let client = world.client(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    decline(&mut world, &sent, r#"{"code":-32602,"message":"n is too small"}"#);
    assert_eq!(world.code(&client, call), "-32602");
    assert!(world.requests("a").is_empty());
}

fn revision(world: &World) -> Revision {
    world.snapshot.named("a").unwrap().offer.as_ref().unwrap().revision()
}

/// Whether the call has a result. The lists of another era may be others, which is told before.
fn is_answered(world: &mut World, client: &Client, call: ExchangeId) -> bool {
    world.take(client, call).last().is_some_and(|last| read(last).has(Field::Result))
}

fn turn(world: &mut World, script: Script) {
    world.scripts.insert("a".to_owned(), script);
}

#[test]
fn a_server_that_was_rolled_back_is_found_out_by_a_call_whose_client_does_not_notice() {
    for era in ERAS {
        for error in [NO_SESSION, NOT_FOUND, r#"{"code":-32600,"message":"no"}"#] {
            let mut world = remote_of(Script::modern());
            let client = world.client(era, at("a"));
            let call = world.call(&client, "1");
            let sent = world.requested("a");
            turn(&mut world, Script::default());
            decline(&mut world, &sent, error);
            assert_eq!(revision(&world), Revision::V2025_11_25);
            let again = world.requested("a");
            assert_eq!((&again.id, again.link), (&sent.id, world.link("a")));
            assert!(!again.params.contains("protocolVersion"), "as that era says it: {}", again.params);
            world.reply(&again, r#"{"content":[]}"#);
            assert!(is_answered(&mut world, &client, call), "{era:?} {error}");
        }
    }
}

#[test]
fn a_server_that_speaks_the_stateless_era_alone_since_is_found_out_by_a_call() {
    for era in ERAS {
        let mut world = remote_of(Script::default());
        let client = world.client(era, at("a"));
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        turn(&mut world, Script::modern());
        decline(&mut world, &sent, OLD);
        assert_eq!(revision(&world), Revision::V2026_07_28);
        let again = world.requested("a");
        assert!(again.params.contains("protocolVersion"), "{}", again.params);
        world.reply(&again, r#"{"resultType":"complete","content":[]}"#);
        assert!(is_answered(&mut world, &client, call), "{era:?}");
    }
}

#[test]
fn what_is_refused_by_a_server_that_is_what_it_was_is_refused() {
    let mut world = remote_of(Script::modern());
    let client = world.client(HTTP, at("a"));
    let other = world.call(&client, "2");
    let busy = world.requested("a");
    let limits = Limits::default();
    let starts = world.starts();
    for _ in 0..limits.renewals + 3 {
        let call = world.call(&client, "1");
        for asked in 0.. {
            let Some(sent) = world.requests("a").into_iter().find(|sent| sent.method == "tools/call") else {
                assert!((1..=2).contains(&asked), "asked {asked} times");
                break;
            };
            decline(&mut world, &sent, NO_SESSION);
        }
        let answer = world.answer(&client, call);
        assert_eq!(answer.raw(Field::Error), Some(NO_SESSION.as_bytes()), "as it came");
    }
    assert_eq!(world.starts(), starts + limits.renewals, "no more often than any link is made anew");
    world.reply(&busy, r#"{"resultType":"complete","content":[]}"#);
    assert!(world.answer(&client, other).has(Field::Result), "what else it works on is answered");
}

#[test]
fn a_refusal_in_the_words_of_an_era_is_no_doubt_of_it() {
    for (script, error) in [
        (Script::modern(), r#"{"code":-32020,"message":"header"}"#),
        (Script::modern(), r#"{"code":-32021,"message":"capability"}"#),
        (Script::modern(), r#"{"code":-32601,"message":"method"}"#),
        (Script::modern(), OLD),
        (Script::default(), NO_SESSION),
        (Script::default(), r#"{"code":-32602,"message":"params"}"#),
    ] {
        let mut world = remote_of(script);
        let client = world.client(HTTP, at("a"));
        let (call, starts) = (world.call(&client, "1"), world.starts());
        let sent = world.requested("a");
        decline(&mut world, &sent, error);
        assert_eq!(
            (world.answer(&client, call).raw_str(Field::Error), world.starts()),
            (Some(error), starts)
        );
    }
}

#[test]
fn an_era_that_was_configured_is_not_doubted() {
    let mut world = remote_of(Script::modern());
    world.configure(|servers| servers[0].spec.protocol = Protocol::Modern);
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let (sent, starts) = (world.requested("a"), world.starts());
    decline(&mut world, &sent, NO_SESSION);
    assert_eq!((world.code(&client, call), world.starts()), ("-32000".to_owned(), starts));
}

#[test]
fn a_rolled_back_server_with_subscriptions_is_found_out_by_the_stream_of_its_news() {
    let capabilities = r#"{"resources":{"subscribe":true}}"#.to_owned();
    let script = |script| Script { capabilities: capabilities.clone(), news: false, ..script };
    let mut world = remote_of(script(Script::modern()));
    let acknowledge = |world: &mut World| -> Sent {
        let listen = world.requests("a").pop().unwrap();
        world.says(
            listen.link,
            r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#,
        );
        listen
    };
    let first = acknowledge(&mut world);
    let client = Client::new(Era::Modern, at("a"));
    let filter = r#""notifications":{"resourceSubscriptions":["test://a"]}"#;
    let listen = world.request(&client, "7", "subscriptions/listen", filter);
    let second = acknowledge(&mut world);
    assert_ne!(first.id, second.id);
    world.take(&client, listen);
    world.reply(&second, r#"{"resultType":"complete"}"#);
    turn(&mut world, script(Script::full(&["test://a"], &[])));
    world.advance(Limits::default().backoff_last);
    let third = world.requests("a").into_iter().rfind(|sent| sent.method == "subscriptions/listen").unwrap();
    decline(&mut world, &third, NO_SESSION);
    assert_eq!(revision(&world), Revision::V2025_11_25);
    let asked = world.requests("a").into_iter().map(|sent| sent.method);
    assert!(asked.into_iter().any(|method| method == "resources/subscribe"));
    let heard: String = world.take(&client, listen).concat();
    assert!(heard.contains("notifications/resources/updated"), "it may have changed meanwhile: {heard}");
}

#[test]
fn a_server_that_never_opens_a_stream_of_news_is_not_doubted_for_it() {
    let mut world = remote_of(Script { news: false, ..Script::modern() });
    let (sent, starts) = (world.requested("a"), world.starts());
    decline(&mut world, &sent, NO_SESSION);
    assert_eq!(world.starts(), starts);
}

#[test]
fn a_server_that_says_nothing_to_the_question_after_it_was_rolled_back_is_greeted() {
    let mut world = remote_of(Script::modern());
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    turn(&mut world, Script { discovery: Discovery::Silent, ..Script::default() });
    decline(&mut world, &sent, NO_SESSION);
    world.advance(Limits::default().probe);
    let again = world.requests("a").into_iter().find(|sent| sent.method == "tools/call").unwrap();
    world.reply(&again, r#"{"content":[]}"#);
    assert!(world.answer(&client, call).has(Field::Result));
    assert!(!world.seen(stream).ended, "the client's own session lives");
}
