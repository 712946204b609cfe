//! Servers that fail: what becomes of their calls, and when they are started again.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::{Discovery, Hello, Script};
use super::world::World;
use crate::Limits;
use crate::mcp::Revision;
use crate::ports::gateway::Target;
use crate::ports::upstream::CloseReason;
use crate::rpc::Field;
use crate::shard::{Effect, Input};

const MINUTE: Duration = Duration::from_mins(1);

/// Ten servers that open and say nothing.
fn crowd(script: &Script) -> World {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    World::scripted(Limits::default(), names.map(|name| (name, script.clone())))
}

#[test]
fn the_outcome_of_calls_that_were_sent_to_a_server_that_ends_is_unknown() {
    for era in ERAS {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let calls = ["1", "\"2\""].map(|id| world.call(&client, id));
        world.crash("a");
        let mut answers: Vec<String> = calls.iter().flat_map(|call| world.take(&client, *call)).collect();
        answers.sort();
        assert_eq!(answers.len(), 2, "{era:?}");
        for (answer, id) in answers.iter().zip(["\"2\"", "1"]) {
            let answer = super::world::read(answer);
            assert_eq!(answer.raw_str(Field::Id), Some(id));
            assert_eq!(answer.raw_str(Field::Code), Some("-31003"));
            assert!(
                answer.text(Field::ErrorMessage).unwrap().contains("exit code 1; the outcome is unknown")
            );
        }
    }
}

#[test]
fn calls_that_were_not_sent_to_a_server_that_ends_may_be_made_again() {
    for era in ERAS {
        let mut world = World::running(&["a"]).restarted();
        world.scripts.insert("a".into(), Script::silent());
        let client = world.client(era, at("a"));
        let call = world.call(&client, "1");
        assert_eq!(world.requested("a").method, "initialize");
        world.crash("a");
        let answer = world.answer(&client, call);
        assert_eq!(answer.raw_str(Field::Code), Some("-31001"));
        assert!(answer.raw_str(Field::Error).unwrap().contains(r#""data":{"retryable":true}"#));
    }
}

#[test]
fn what_only_another_configuration_mends_is_not_to_be_tried_again() {
    let refused = r#"{"code":-31001,"message":"server a did not take the request: h:1 answered 401","data":{"retryable":false,"status":401}}"#;
    let busy = r#"{"code":-31001,"message":"server a did not take the request: h:1 answered 503","data":{"retryable":true,"status":503}}"#;
    for (end, retryable) in [("no value", false), ("exit", true), (refused, false), (busy, true)] {
        let mut world = World::running(&["a"]).restarted();
        world.scripts.insert("a".into(), Script { discovery: Discovery::Silent, ..Script::silent() });
        let client = Client::new(Era::Modern, at("a"));
        let call = world.call(&client, "1");
        let link = world.link("a");
        match end {
            "no value" => world.close(link, CloseReason::Misconfigured("${K} has no value".into())),
            "exit" => world.crash("a"),
            error => {
                while let Some(sent) = world.requests("a").pop() {
                    let id = sent.id;
                    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#));
                }
            }
        }
        let data = format!(r#""data":{{"retryable":{retryable}}}"#);
        let answer = world.answer(&client, call);
        assert!(answer.raw_str(Field::Error).unwrap().contains(&data), "{answer:?}");
        assert_eq!(answer.raw_str(Field::Code), Some("-31001"));
    }
}

#[test]
fn a_server_is_started_again_when_it_is_needed_and_not_before() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    world.advance(MINUTE * 60);
    assert_eq!(world.starts(), 1);
    let client = if world.shard.session_count() == 0 { world.client(HTTP, at("a")) } else { client };
    let call = world.call(&client, "1");
    assert_eq!(world.starts(), 2);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result));
}

#[test]
fn a_call_waits_for_a_pause_that_is_short_and_is_refused_in_a_long_one() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.crash("a");
    let call = world.call(&client, "1");
    assert_eq!(
        (world.starts(), world.seen(call).ended),
        (1, false),
        "the first pause is half a second at most"
    );
    world.advance(Duration::from_millis(500));
    assert_eq!(world.starts(), 2);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result));

    let mut refused = 0;
    for _ in 0..20 {
        let call = world.call(&client, "2");
        if world.seen(call).ended {
            refused += 1;
            assert_eq!(world.code(&client, call), "-31001");
            world.advance(MINUTE);
        } else {
            world.advance(Duration::from_secs(2));
            world.crash("a");
        }
    }
    assert!(refused > 0, "failures in a row make pauses longer than a call waits");
}

#[test]
fn the_last_words_of_a_server_are_shown_to_operators_and_not_to_clients() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let link = world.link("a");
    for line in ["one", "two", "three", "", "four", "panicked: no such table"] {
        world.feed(Input::LinkLogged { link, line: line.into() });
    }
    world.close(link, CloseReason::Signalled(11));
    let answer = world.answer(&client, call);
    let words = answer.text(Field::ErrorMessage).unwrap().into_owned();
    assert!(words.contains("signal 11") && !words.contains("panicked"), "{words}");
    let view = world.view("a");
    assert_eq!((&*view.state, &*view.health), ("backing-off", "failed"));
    assert!(view.cause.as_ref().unwrap().contains("signal 11"));
    assert_eq!(view.last_output.as_deref(), Some("two | three | four | panicked: no such table"));
}

#[test]
fn every_way_to_end_has_its_words() {
    for (reason, words) in [
        (CloseReason::Exited(3), "exit code 3"),
        (CloseReason::Lost("h:1 ended its event stream".into()), "h:1 ended its event stream; the outcome"),
        (CloseReason::MessageTooLong, "limit message_bytes"),
        (CloseReason::Misconfigured("${K} has no value".into()), "${K} has no value"),
        (CloseReason::NotStarted("no such program: uvx".into()), "no such program: uvx"),
        (CloseReason::Signalled(9), "signal 9"),
        (CloseReason::Stopped, "it was stopped"),
    ] {
        let mut world = World::running(&["a"]);
        let client = world.client(HTTP, at("a"));
        let call = world.call(&client, "1");
        let link = world.link("a");
        world.close(link, reason);
        let answer = world.answer(&client, call);
        assert!(answer.text(Field::ErrorMessage).unwrap().contains(words), "{answer:?}");
    }
}

#[test]
fn a_server_that_was_not_reached_for_its_handshake_is_not_said_to_have_refused_it() {
    for (said, cause) in [
        ("server a is not available: connection refused by h:1", "connection refused by h:1"),
        ("server a did not take the request: h:1 answered 401", "h:1 answered 401"),
        ("server a ended before it answered: h:1 closed; the outcome is unknown", "h:1 closed"),
        ("no thanks", "it did not accept initialize: no thanks"),
    ] {
        let mut world = World::scripted(Limits::default(), [("a", Script::silent())]).surveyed();
        while let Some(sent) = world.requests("a").pop() {
            let error = format!(r#"{{"code":-31001,"message":"{said}"}}"#);
            world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
        }
        let view = world.view("a");
        assert_eq!(view.cause.as_deref(), Some(cause));
    }
}

#[test]
fn a_server_that_speaks_other_revisions_is_shown_with_them() {
    let error = r#"{"code":-32022,"message":"no","data":{"supported":["2027-05-01","x y","2028-01-01"],"requested":"?"}}"#;
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]).surveyed();
    while let Some(sent) = world.requests("a").pop() {
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
    }
    let cause = world.view("a").cause;
    let words = "it did not accept initialize: no; it says that it speaks 2027-05-01, 2028-01-01";
    assert_eq!(cause.as_deref(), Some(words));
}

#[test]
fn only_so_many_servers_start_at_the_same_time() {
    let mut world = crowd(&Script::silent()).surveyed();
    assert_eq!(world.starts(), 4);
    let started: Vec<String> = world.links.values().map(|wire| wire.server.clone()).collect();
    let hello = world.requested(&started[0]);
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#);
    assert_eq!(world.starts(), 5, "one that runs makes room");
    world.crash(&started[1]);
    assert_eq!(world.starts(), 6, "as does one that fails");
    world.advance(MINUTE);
    assert_eq!(world.starts(), 10, "and those that take too long");
}

#[test]
fn servers_that_never_open_make_room_after_their_time() {
    let mut world = crowd(&Script::stuck()).surveyed();
    for started in [4, 8, 10] {
        assert_eq!(world.starts(), started);
        world.advance(Duration::from_secs(30));
    }
    assert_eq!(world.warnings().len(), 10);
}

#[test]
fn a_server_that_does_not_answer_initialize_is_ended_after_its_timeout() {
    for script in [Script::stuck(), Script::silent()] {
        let mut world = World::running(&["a"]).restarted();
        world.scripts.insert("a".into(), script);
        world.configure(|servers| servers[0].spec.timeout_s = 7);
        let client = Client::new(Era::Modern, at("a"));
        let call = world.call(&client, "1");
        world.advance(Duration::from_millis(6_999));
        assert!(!world.seen(call).ended);
        world.advance(Duration::from_millis(1));
        assert_eq!(world.code(&client, call), "-31001");
        assert!(world.log.iter().any(|effect| matches!(effect, Effect::CloseLink { .. })));
        assert!(world.warnings()[0].contains("did not answer initialize within 7 s"));
    }
}

#[test]
fn a_link_that_was_given_up_cannot_speak_for_the_next_one() {
    let mut world = World::running(&["a"]).restarted();
    world.scripts.insert("a".into(), Script { ends: false, opens: false, ..Script::silent() });
    let client = Client::new(Era::Modern, at("a"));
    let first = world.call(&client, "1");
    let old = world.link("a");
    world.advance(Duration::from_secs(30));
    assert_eq!(world.code(&client, first), "-31001");
    let second = world.call(&client, "2");
    world.advance(Duration::from_millis(500));
    let new = world.link("a");
    assert_ne!(old, new);
    world.feed(Input::LinkOpened { link: old, pid: None });
    assert!(world.frames("a").is_empty(), "nothing is sent to it");
    world.feed(Input::LinkOpened { link: new, pid: None });
    let hello = world.requested("a");
    assert_eq!(hello.link, new);
    world.says(old, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.reply(&super::clients::Sent { link: old, ..hello.clone() }, r#"{"protocolVersion":"2025-11-25"}"#);
    assert!(world.frames("a").is_empty());
    world.feed(Input::LinkLogged { link: old, line: "dying".into() });
    world.close(old, CloseReason::Exited(0));
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, second).has(Field::Result));
}

#[test]
fn a_call_that_waits_for_one_start_after_another_was_never_sent() {
    let limits = Limits { call: Duration::from_secs(20), ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed().restarted();
    let client = Client::new(Era::Modern, at("a"));
    world.scripts.insert("a".into(), Script::default());
    world.call(&client, "0");
    world.crash("a");
    world.scripts.insert("a".into(), Script { hello: Hello::Silent, ..Script::default() });
    let call = world.call(&client, "1");
    world.advance(MINUTE);
    let answer = world.answer(&client, call);
    assert_eq!(answer.raw_str(Field::Code), Some("-31001"), "nothing was done: {answer:?}");
}

#[test]
fn a_good_run_ends_the_row_of_failures() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    for _ in 0..12 {
        world.advance(MINUTE);
        world.crash("a");
        let call = world.call(&client, "1");
        assert!(!world.seen(call).ended, "the pause is the first one every time");
        world.advance(Duration::from_millis(500));
        let sent = world.requested("a");
        world.reply(&sent, "{}");
    }
    assert_eq!(world.starts(), 13);
}

#[test]
fn lines_that_are_no_messages_are_reported_and_dropped() {
    let mut world = World::running(&["a"]);
    let client = world.client(Era::Http(Revision::V2025_06_18), at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    let garbage = ["Server listening on stdio", "{", "[]", "1", r#"{"id":1}"#, r#"{"a":1,"a":2}"#];
    for line in garbage {
        world.says(sent.link, line);
    }
    assert_eq!(world.warnings().len(), garbage.len());
    assert!(world.warnings()[0].contains("not a message and was dropped"));
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result), "and the link lives on");
}

#[test]
fn a_hub_that_stops_ends_streams_answers_what_waits_and_starts_nothing() {
    let scripts = [("a", Script::default()), ("b", Script::silent())];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, crate::ports::gateway::Verb::Listen);
    let sse = world.client(Era::Sse, at("a"));
    let modern = Client::new(Era::Modern, Target::Unified);
    let listen = world.request(&modern, "1", "subscriptions/listen", r#""notifications":{}"#);
    let sent = world.call(&client, "1");
    let waiting = world.request(&Client::new(Era::Modern, at("b")), "1", "tools/list", "");
    let unsent = world.call(&Client::new(Era::Modern, at("b")), "1");
    world.feed(Input::Stopping);
    for exchange in [stream, sse.stream.unwrap(), listen, sent, waiting, unsent] {
        assert!(world.seen(exchange).ended, "{exchange}: {:?}", world.seen(exchange));
    }
    assert!(world.shard.is_quiet());
    let late = world.call(&modern, "2");
    assert_eq!(world.code(&modern, late), "-31001");
    world.advance(MINUTE);
    assert_eq!(world.starts(), 2);
    assert_eq!(world.shard.session_count(), 1, "sessions of the store live on");
}

#[test]
fn calls_that_wait_for_a_pause_are_answered_when_the_hub_stops() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    world.crash("a");
    let call = world.call(&client, "1");
    world.feed(Input::Stopping);
    assert_eq!(world.code(&client, call), "-31001");
}

#[test]
fn an_answer_that_no_client_could_read_is_an_error_that_says_what_is_wrong_with_it() {
    for era in ERAS {
        for (answer, words) in [
            (r#""error":"just words""#, "no code and message"),
            (r#""error":{"message":"m"}"#, "no code and message"),
            (r#""error":{"code":1}"#, "no code and message"),
            (r#""result":[1]"#, "no object"),
            (r#""result":null"#, "no object"),
        ] {
            let mut world = World::running(&["a"]);
            let client = world.client(era, at("a"));
            let call = world.call(&client, "1");
            let sent = world.requested("a");
            world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},{answer}}}"#, sent.id));
            let told = world.answer(&client, call);
            assert_eq!(told.raw_str(Field::Code), Some("-31003"), "{answer}: {told:?}");
            assert!(told.text(Field::ErrorMessage).unwrap().contains(words), "{told:?}");
        }
    }
}

#[test]
fn a_result_of_a_type_that_its_client_does_not_have_is_an_error() {
    let mut world = World::scripted(Limits::default(), [("a", Script::modern())]).surveyed();
    let client = world.client(HTTP, at("a"));
    for kind in ["task", "weird"] {
        let call = world.call(&client, "1");
        let sent = world.requests("a").into_iter().find(|sent| sent.method == "tools/call").unwrap();
        world.reply(&sent, &format!(r#"{{"resultType":"{kind}","taskId":"t"}}"#));
        assert_eq!(world.code(&client, call), "-31003");
    }
}
