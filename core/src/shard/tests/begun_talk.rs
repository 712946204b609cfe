//! What servers ask and say because of tasks of 2025-11-25.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::begun::{ABLE, BECAUSE_OF_T1, MINUTE, T1, ask, begin, progress, status, stranger, world};
use super::clients::{Client, Era, HTTP, at};
use super::world::World;
use crate::Limits;
use crate::ports::gateway::Verb;
use crate::rpc::write;

/// The id of the only question among messages.
fn question(told: &[String]) -> String {
    let [told] = told else { panic!("one question is expected: {told:?}") };
    let (_, rest) = told.split_once(r#""id":"#).unwrap();
    rest.split([',', '}']).next().unwrap().into()
}

fn answers(world: &mut World, client: &Client, id: &str) {
    world.post(client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"decline"}}}}"#));
}

#[test]
fn what_is_asked_because_of_a_task_whose_session_has_gone_is_asked_of_nobody_else() {
    for era in [HTTP, Era::Modern] {
        let mut world = world();
        let own = world.able_client(HTTP, at("a"), ABLE);
        let link = begin(&mut world, &own, "t1", MINUTE).link;
        let other = match era {
            Era::Modern => Client { capabilities: ABLE, key: "other", ..Client::new(era, at("a")) },
            Era::Sse | Era::Http(_) => stranger(&mut world),
        };
        let call = world.call(&other, "1");
        world.frames("a");
        world.delete(&own);
        for because in [BECAUSE_OF_T1, &BECAUSE_OF_T1.replace("t1", "unknown")] {
            ask(&mut world, link, because);
            world.advance(Limits::default().gather);
            assert!(world.take(&other, call).is_empty(), "{era:?}");
            let [(_, refused)] = &*world.frames("a") else { panic!("it is refused") };
            assert!(refused.contains("-32601"), "{refused}");
        }
    }
}

#[test]
fn what_is_asked_because_of_a_task_does_not_join_what_a_parked_call_is_asked() {
    let mut world = world();
    let own = world.client(HTTP, at("a"));
    let link = begin(&mut world, &own, "t1", MINUTE).link;
    let other = Client { capabilities: ABLE, key: "other", ..Client::new(Era::Modern, at("a")) };
    let call = world.call(&other, "1");
    world.frames("a");
    ask(&mut world, link, "");
    world.advance(Limits::default().gather);
    assert_eq!(world.take(&other, call).len(), 1, "it is parked");
    ask(&mut world, link, BECAUSE_OF_T1);
    assert_eq!(world.frames("a").len(), 1, "it is refused");
}

#[test]
fn another_session_of_the_key_that_waits_for_the_result_is_asked() {
    let mut world = world();
    let [own, other] = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let link = begin(&mut world, &own, "t1", MINUTE).link;
    world.delete(&own);
    let waits = world.request(&other, "2", "tasks/result", T1);
    world.frames("a");
    ask(&mut world, link, BECAUSE_OF_T1);
    let asked = question(&world.take(&other, waits));
    answers(&mut world, &other, &asked);
    assert!(world.frames("a")[0].1.contains(r#""id":"q","result":{"action":"decline"}"#));
}

#[test]
fn a_question_because_of_a_task_stays_open_when_nobody_waits_for_the_result_any_more() {
    for within in [false, true] {
        let mut world = world();
        let own = world.able_client(HTTP, at("a"), ABLE);
        let link = begin(&mut world, &own, "t1", MINUTE).link;
        let waits = world.request(&own, "2", "tasks/result", T1);
        let sent = world.requested("a");
        let params = format!(r#"{{"message":"?","requestedSchema":{{}}{BECAUSE_OF_T1}}}"#);
        let asks = write::request(None, "elicitation/create", Some(params.as_bytes()));
        let asks = String::from_utf8(asks).unwrap().replacen('{', r#"{"id":"q","#, 1);
        world.says_within(link, within.then(|| crate::CallId(sent.id.parse().unwrap())), &asks);
        let asked = question(&world.take(&own, waits));
        world.post(&own, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#);
        let [(_, cancelled)] = &*world.frames("a") else { panic!("the wait is given up, and nothing else") };
        assert!(cancelled.contains("notifications/cancelled"), "{cancelled}");
        answers(&mut world, &own, &asked);
        assert!(world.frames("a")[0].1.contains(r#""action":"decline""#), "within: {within}");
    }
}

#[test]
fn what_is_said_of_a_task_that_nobody_knows_is_told_nobody() {
    for wish in ["", r#","task":{}"#] {
        let mut world = world();
        let [own, other] = [ABLE, "{}"].map(|abilities| world.able_client(HTTP, at("a"), abilities));
        let streams = [world.open(&own, Verb::Listen), world.open(&other, Verb::Listen)];
        let call = world.request(&own, "1", "tools/call", &format!(r#""name":"echo"{wish}"#));
        let link = world.requested("a").link;
        status(&mut world, link, "working");
        for about in [LOG, CUSTOM] {
            world.says(link, about);
        }
        ask(&mut world, link, BECAUSE_OF_T1);
        let [(_, refused)] = &*world.frames("a") else { panic!("it is refused") };
        assert!(refused.contains("-32601"), "{refused}");
        let heard = [(&own, call), (&own, streams[0]), (&other, streams[1])];
        let heard = heard.map(|(client, exchange)| world.take(client, exchange).len());
        assert_eq!(heard, [0; 3], "it may be of one that was given up");
    }
}

#[test]
fn what_a_process_of_its_own_says_of_a_task_that_is_just_beginning_is_told_to_its_session() {
    let mut world = world();
    let own = world.able_client(HTTP, at("a"), ABLE);
    world.call(&own, "1");
    let shared = world.requested("a").link;
    ask(&mut world, shared, "");
    world.frames("a");
    let call = world.request(&own, "2", "tools/call", r#""name":"echo","task":{}"#);
    let link = world.requested("a").link;
    assert_ne!(link, shared);
    status(&mut world, link, "working");
    for about in [LOG, CUSTOM] {
        world.says(link, about);
    }
    ask(&mut world, link, BECAUSE_OF_T1);
    assert_eq!(world.take(&own, call).len(), 4);
}

const LOG: &str = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}"#;
const CUSTOM: &str = r#"{"jsonrpc":"2.0","method":"made/up","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}}}"#;

#[test]
fn what_is_said_because_of_a_task_whose_session_does_not_listen_is_told_nobody_else() {
    for calls in 0..3 {
        let mut world = world();
        let [own, other] = [world.client(HTTP, at("a")), stranger(&mut world)];
        let stream = world.open(&other, Verb::Listen);
        let link = begin(&mut world, &own, "t1", MINUTE).link;
        let calls: Vec<_> = (0..calls).map(|_| world.call(&other, "1")).collect();
        for about in [LOG, CUSTOM] {
            world.says(link, about);
        }
        status(&mut world, link, "working");
        for exchange in calls.into_iter().chain([stream]) {
            assert!(world.take(&other, exchange).is_empty());
        }
    }
}

#[test]
fn progress_of_a_task_is_told_no_other_session_that_waits_for_its_result() {
    let mut world = world();
    let [own, other] = [(); 2].map(|()| world.client(HTTP, at("a")));
    let sent = begin(&mut world, &own, "t1", MINUTE);
    let waits = [&other, &own, &other].map(|client| world.request(client, "2", "tasks/result", T1));
    world.frames("a");
    assert_eq!(progress(&mut world, &sent, &own, waits[1]), 1, "its own token may mean something else there");
    assert!(world.take(&other, waits[0]).is_empty() && world.take(&other, waits[2]).is_empty());
}

#[test]
fn of_those_who_wait_for_a_task_one_is_asked_who_can_answer() {
    let mut world = world();
    let own = world.able_client(HTTP, at("a"), ABLE);
    let [unable, able] = ["{}", ABLE].map(|abilities| world.able_client(HTTP, at("a"), abilities));
    let link = begin(&mut world, &own, "t1", MINUTE * 60).link;
    let waits = [&able, &unable].map(|client| world.request(client, "2", "tasks/result", T1));
    world.frames("a");
    ask(&mut world, link, BECAUSE_OF_T1);
    assert_eq!(world.take(&able, waits[0]).len(), 1, "who began it listens to nothing");
    let stream = world.open(&own, Verb::Listen);
    ask(&mut world, link, BECAUSE_OF_T1);
    assert_eq!(world.take(&able, waits[0]).len(), 1, "who waits for the result is there");
    assert!(world.take(&own, stream).is_empty());
}

#[test]
fn a_log_message_of_a_task_goes_to_who_began_it() {
    let mut world = world();
    let [own, other] = [(); 2].map(|()| world.client(HTTP, at("a")));
    let streams = [world.open(&own, Verb::Listen), world.open(&other, Verb::Listen)];
    let link = begin(&mut world, &own, "t1", MINUTE).link;
    let params = format!(r#"{{"level":"info","data":"x"{BECAUSE_OF_T1}}}"#);
    let log =
        String::from_utf8(write::request(None, "notifications/message", Some(params.as_bytes()))).unwrap();
    for calls in 0..3 {
        world.says(link, &log);
        let heard = [world.take(&own, streams[0]).len(), world.take(&other, streams[1]).len()];
        assert_eq!(heard, [1, 0], "{calls} calls of another");
        world.call(&other, "1");
    }
}

#[test]
fn a_task_goes_on_where_the_answer_to_the_wait_for_it_was_lost() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let sent = begin(&mut world, &client, "t1", MINUTE * 10);
    let stream = world.open(&client, Verb::Listen);
    world.request(&client, "2", "tasks/result", T1);
    let asked = world.requested("a");
    let lost = r#"{"code":-31003,"message":"the outcome is unknown"}"#;
    world.says(asked.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{lost}}}"#, asked.id));
    assert_eq!(progress(&mut world, &sent, &client, stream), 1);
}

#[test]
fn the_wait_for_a_task_goes_on_as_long_as_something_is_heard_of_it() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let limits = Limits::default();
    let sent = begin(&mut world, &client, "t1", limits.begun_task_age);
    let waits = world.request(&client, "2", "tasks/result", T1);
    world.requested("a");
    for _ in 0..4 {
        world.advance(limits.task_result / 2);
        assert_eq!(progress(&mut world, &sent, &client, waits), 1);
    }
    world.advance(limits.task_result);
    assert!(world.seen(waits).ended, "nothing was heard for long");
}
