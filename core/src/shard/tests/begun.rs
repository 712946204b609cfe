//! Tasks of 2025-11-25 between the sessions that begin them and the processes that have them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Verb;
use crate::rpc::Field;
use crate::{ExchangeId, Limits, LinkId};

pub(super) const ABLE: &str = r#"{"elicitation":{}}"#;
pub(super) const T1: &str = r#""taskId":"t1""#;

pub(super) fn world_of(limits: Limits) -> World {
    let capabilities =
        r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#.to_owned();
    World::scripted(limits, [("a", Script { capabilities, ..Script::default() })]).surveyed()
}

pub(super) fn world() -> World {
    world_of(Limits::default())
}

/// A client calls a tool, wants a task to come of it, and to hear of its progress.
pub(super) fn wish(world: &mut World, client: &Client) -> (ExchangeId, Sent) {
    let wish = client.write("1", "tools/call", r#""name":"echo","task":{}"#, r#""progressToken":"p""#);
    (world.post(client, &wish), world.requested("a"))
}

/// The same, and its server begins one.
pub(super) fn begin(world: &mut World, client: &Client, task: &str, ttl: Duration) -> Sent {
    let (call, sent) = wish(world, client);
    let ttl = ttl.as_millis();
    let members = format!(r#""taskId":"{task}","status":"working","createdAt":"x","ttl":{ttl}"#);
    world.reply(&sent, &format!(r#"{{"task":{{{members}}}}}"#));
    world.take(client, call);
    sent
}

/// The same in either era, where it does not matter more.
pub(super) fn begun(world: &mut World, client: &Client, task: &str) {
    if client.era != Era::Modern {
        begin(world, client, task, MINUTE * 60);
        return;
    }
    let call = world.call(client, "1");
    let sent = world.requested("a");
    world.reply(
        &sent,
        &format!(r#"{{"resultType":"task","taskId":"{task}","status":"working","ttlMs":null}}"#),
    );
    world.take(client, call);
}

pub(super) const MINUTE: Duration = Duration::from_mins(1);

pub(super) fn status(world: &mut World, link: LinkId, status: &str) -> String {
    let params = format!(r#"{{{T1},"status":"{status}","ttl":6e4}}"#);
    let told = format!(r#"{{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{params}}}"#);
    world.says(link, &told);
    told
}

/// How much a client hears of the progress that a server reports on a call, under its own token.
pub(super) fn progress(world: &mut World, sent: &Sent, client: &Client, exchange: ExchangeId) -> usize {
    let params = format!(r#"{{"progressToken":{},"progress":1}}"#, sent.id);
    world.says(
        sent.link,
        &format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{params}}}"#),
    );
    let told = world.take(client, exchange);
    assert!(told.iter().all(|text| text.contains(r#""progressToken":"p""#)), "{told:?}");
    told.len()
}

pub(super) fn ask(world: &mut World, link: LinkId, meta: &str) {
    let params = format!(r#"{{"message":"?","requestedSchema":{{}}{meta}}}"#);
    world.says(
        link,
        &format!(r#"{{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{params}}}"#),
    );
}

/// A client with another key.
pub(super) fn stranger(world: &mut World) -> Client {
    let mut stranger = Client { key: "other", capabilities: ABLE, ..Client::new(HTTP, at("a")) };
    let greeted = world.initialize(&stranger, "2025-11-25");
    stranger.session = world.seen(greeted).session.clone();
    stranger
}

pub(super) const BECAUSE_OF_T1: &str = r#","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t1"}}"#;

#[test]
fn what_is_asked_about_a_task_goes_to_the_process_that_began_it() {
    let mut world = world();
    let [own, other] = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let began = begin(&mut world, &own, "t1", MINUTE).link;
    world.call(&other, "1");
    let shared = world.requested("a").link;
    assert_eq!(shared, began);
    ask(&mut world, shared, "");
    world.frames("a");
    world.call(&own, "2");
    let private = world.requested("a").link;
    assert_ne!(private, began, "from now on each session has a process of its own");
    for method in ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"] {
        world.request(&own, "3", method, T1);
        assert_eq!(world.requested("a").link, began, "{method}");
    }
    world.request(&other, "4", "tasks/get", T1);
    assert_eq!(world.requested("a").link, began, "another session of the same client may know it");
    let stranger = stranger(&mut world);
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        let refused = world.request(&stranger, "5", method, T1);
        assert_eq!(world.code(&stranger, refused), "-32602", "to another key it does not exist");
    }
    assert!(world.requests("a").is_empty());
    assert_eq!(begin(&mut world, &own, "t2", MINUTE).link, private);
    world.request(&own, "6", "tasks/list", "");
    assert_eq!(world.requested("a").link, private, "where the last of them began");
    world.request(&own, "7", "tasks/get", T1);
    assert_eq!(world.requested("a").link, began);
}

#[test]
fn the_status_of_a_task_is_told_to_the_session_that_began_it_and_to_nobody_else() {
    let mut world = world();
    let [own, other] = [(); 2].map(|()| world.client(HTTP, at("a")));
    let streams = [world.open(&own, Verb::Listen), world.open(&other, Verb::Listen)];
    let link = begin(&mut world, &own, "t1", MINUTE).link;
    let call = world.call(&other, "1");
    world.frames("a");
    let told = status(&mut world, link, "working");
    assert_eq!(world.take(&own, streams[0]), [told]);
    assert!(world.take(&other, streams[1]).is_empty() && world.take(&other, call).is_empty());
    world.delete(&own);
    status(&mut world, link, "completed");
    assert!(world.take(&other, streams[1]).is_empty() && world.take(&other, call).is_empty());
}

#[test]
fn progress_goes_on_under_the_client_s_token_until_the_task_has_ended() {
    for era in [Era::Sse, HTTP] {
        for end in ["status", "get", "ttl"] {
            let mut world = world();
            let client = world.client(era, at("a"));
            let stream = client.stream.unwrap_or_else(|| world.open(&client, Verb::Listen));
            let sent = begin(&mut world, &client, "t1", MINUTE);
            assert_eq!(progress(&mut world, &sent, &client, stream), 1);
            status(&mut world, sent.link, "input_required");
            world.take(&client, stream);
            assert_eq!(progress(&mut world, &sent, &client, stream), 1, "{era:?}");
            match end {
                "status" => drop(status(&mut world, sent.link, "failed")),
                "get" => {
                    let got = world.request(&client, "2", "tasks/get", T1);
                    let asked = world.requested("a");
                    world.reply(&asked, &format!(r#"{{{T1},"status":"cancelled","ttl":null}}"#));
                    world.take(&client, got);
                }
                _ => world.advance(MINUTE),
            }
            world.take(&client, stream);
            assert_eq!(progress(&mut world, &sent, &client, stream), 0, "{era:?} {end}");
        }
    }
}

#[test]
fn progress_of_a_task_comes_to_the_request_that_waits_for_its_result_and_gives_it_more_time() {
    let limits = Limits { task_result: MINUTE, ..Limits::default() };
    let mut world = world_of(limits);
    let client = world.client(HTTP, at("a"));
    let sent = begin(&mut world, &client, "t1", MINUTE * 10);
    let waits = world.request(&client, "2", "tasks/result", T1);
    let asked = world.requested("a");
    for _ in 0..3 {
        world.advance(MINUTE / 2);
        assert_eq!(progress(&mut world, &sent, &client, waits), 1);
    }
    world.reply(&asked, r#"{"content":[]}"#);
    assert!(world.seen(waits).ended);
    world.take(&client, waits);
    let stream = world.open(&client, Verb::Listen);
    assert_eq!(progress(&mut world, &sent, &client, stream), 0, "its end was seen");
}

#[test]
fn what_is_asked_because_of_a_task_is_asked_of_the_session_that_began_it() {
    for able in [true, false] {
        let mut world = world();
        let own = world.able_client(HTTP, at("a"), if able { ABLE } else { "{}" });
        let other = world.able_client(HTTP, at("a"), ABLE);
        let stream = world.open(&own, Verb::Listen);
        let link = begin(&mut world, &own, "t1", MINUTE).link;
        let call = world.call(&other, "1");
        world.frames("a");
        ask(&mut world, link, BECAUSE_OF_T1);
        assert_eq!(world.take(&own, stream).len(), usize::from(able));
        assert_eq!(world.frames("a").len(), usize::from(!able), "else it is refused");
        assert!(world.take(&other, call).is_empty());
        let waits = world.request(&own, "2", "tasks/result", T1);
        ask(&mut world, link, BECAUSE_OF_T1);
        assert_eq!(world.take(&own, waits).len(), usize::from(able));
    }
}

#[test]
fn what_is_remembered_of_tasks_is_bounded_in_bytes_and_in_time() {
    let limits = Limits { begun_task_bytes: 600, begun_task_age: MINUTE, ..Limits::default() };
    let mut world = world_of(limits);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let tasks = ["t1", "t2", "t3"].map(|task| begin(&mut world, &client, task, MINUTE * 5));
    let heard = tasks.each_ref().map(|sent| progress(&mut world, sent, &client, stream));
    assert_eq!(heard, [0, 1, 1], "the oldest makes room");
    world.advance(MINUTE);
    assert_eq!(progress(&mut world, &tasks[2], &client, stream), 0);
}

#[test]
fn of_the_tasks_of_a_process_that_serves_several_a_client_is_listed_those_of_its_key() {
    let mut world = world();
    let [own, stranger] = [world.client(HTTP, at("a")), stranger(&mut world)];
    begin(&mut world, &own, "t1", MINUTE);
    begin(&mut world, &stranger, "t2", MINUTE);
    let listed = r#"{"tasks":[{"taskId":"t1","status":"working","x":1},{"taskId":"t2","status":"working"},{"taskId":"t3","status":"working"}],"nextCursor":"c"}"#;
    for (client, rest) in [
        (&own, r#"{"tasks":[{"taskId":"t1","status":"working","x":1}],"nextCursor":"c"}"#),
        (&stranger, r#"{"tasks":[{"taskId":"t2","status":"working"}],"nextCursor":"c"}"#),
    ] {
        let exchange = world.request(client, "2", "tasks/list", "");
        let asked = world.requested("a");
        world.reply(&asked, listed);
        assert_eq!(world.answer(client, exchange).raw_str(Field::Result), Some(rest));
    }
}

#[test]
fn a_lifetime_that_makes_no_sense_makes_no_stranger_of_a_task() {
    let mut world = world();
    let client = world.client(HTTP, at("a"));
    let (call, sent) = wish(&mut world, &client);
    world.reply(&sent, &format!(r#"{{"task":{{{T1},"status":"working","ttl":"6e4"}}}}"#));
    world.take(&client, call);
    world.request(&client, "2", "tasks/get", T1);
    assert_eq!(world.requested("a").method, "tasks/get");
}
