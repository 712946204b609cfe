//! News of tasks on the streams of clients: what the server promises, and not a word more.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::begun::begun;
use super::clients::{Client, Era, Sent, at};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, KeyId, Limits};

const TASKS: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
const TAG: &str = "io.modelcontextprotocol/subscriptionId";

/// A way in which a server's stream comes to nothing.
type End<'a> = &'a dyn Fn(&mut World, &Sent);

/// A server of the stateless era, which leaves it to the test to open streams.
fn world(capabilities: &str) -> World {
    bounded(capabilities, Limits::default())
}

fn bounded(capabilities: &str, limits: Limits) -> World {
    let script = Script { capabilities: capabilities.to_owned(), news: false, ..Script::modern() };
    let mut world = World::scripted(limits, [("a", script)]).surveyed();
    world.frames("a");
    world
}

const ABLE: &str = r#"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;

fn tasks() -> World {
    world(ABLE)
}

fn client(target: Target, capabilities: &'static str) -> Client {
    Client { capabilities, ..Client::new(Era::Modern, target) }
}

/// A client that has begun two tasks.
fn beginner(world: &mut World) -> Client {
    let client = client(at("a"), TASKS);
    for task in ["t1", "t2"] {
        begun(world, &client, task);
    }
    client
}

fn listen(world: &mut World, client: &Client) -> ExchangeId {
    let filter = r#""notifications":{"toolsListChanged":true,"taskIds":["t1","t2"]}"#;
    world.request(client, r#""mine""#, "subscriptions/listen", filter)
}

/// A client that wants to hear of tasks, and what its server was asked for that.
fn listening() -> (World, Client, ExchangeId, Sent) {
    let mut world = tasks();
    let client = beginner(&mut world);
    let exchange = listen(&mut world, &client);
    let sent = world.requested("a");
    (world, client, exchange, sent)
}

/// The server opens a stream for some tasks.
fn grant(world: &mut World, sent: &Sent, ids: &str) {
    let params = format!(r#"{{"notifications":{{"taskIds":{ids}}},"_meta":{{"{TAG}":{}}}}}"#, sent.id);
    let method = "notifications/subscriptions/acknowledged";
    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#));
}

fn tell(world: &mut World, sent: &Sent, id: &str) {
    let params = format!(
        r#"{{"taskId":"{id}","status":"working","ttlMs":1e2,"_meta":{{"{TAG}":{},"x":1}}}}"#,
        sent.id
    );
    world
        .says(sent.link, &format!(r#"{{"jsonrpc":"2.0","method":"notifications/tasks","params":{params}}}"#));
}

/// The server ends a stream as it does on stdio.
fn cancel(world: &mut World, sent: &Sent) {
    let params = format!(r#"{{"requestId":{}}}"#, sent.id);
    let method = "notifications/cancelled";
    world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#));
}

/// The filter of the acknowledgement, which is all that the client got so far.
fn acknowledged(world: &mut World, client: &Client, exchange: ExchangeId) -> String {
    let ack = world.answer(client, exchange);
    assert!(ack.raw_str(Field::Meta).unwrap().contains(r#""mine""#));
    ack.raw_str(Field::Notifications).unwrap().to_owned()
}

#[test]
fn a_stream_hears_of_the_tasks_that_the_server_promises_under_its_own_id() {
    let (mut world, client, exchange, sent) = listening();
    assert_eq!(sent.method, "subscriptions/listen");
    assert!(sent.params.contains(r#""notifications":{"taskIds":["t1","t2"]}"#), "{}", sent.params);
    assert!(sent.params.contains(TASKS), "the client's own words: {}", sent.params);
    assert!(world.take(&client, exchange).is_empty(), "nothing is promised yet");
    grant(&mut world, &sent, r#"["t2","t3"]"#);
    let ack = acknowledged(&mut world, &client, exchange);
    assert_eq!(ack, r#"{"toolsListChanged":true,"taskIds":["t2"]}"#);
    world.advance(Duration::from_hours(1));
    for id in ["t1", "t3", "t2"] {
        tell(&mut world, &sent, id);
    }
    let told =
        format!(r#"{{"taskId":"t2","status":"working","ttlMs":1e2,"_meta":{{"{TAG}":"mine","x":1}}}}"#);
    assert_eq!(world.answer(&client, exchange).raw_str(Field::Params), Some(&*told));
}

#[test]
fn a_stream_hears_of_no_task_of_another_stream() {
    let mut world = tasks();
    let client = beginner(&mut world);
    let streams = [(); 2].map(|()| {
        let exchange = listen(&mut world, &client);
        let sent = world.requested("a");
        grant(&mut world, &sent, r#"["t1"]"#);
        world.take(&client, exchange);
        (exchange, sent)
    });
    tell(&mut world, &streams[0].1, "t1");
    assert_eq!(streams.map(|(exchange, _)| world.take(&client, exchange).len()), [1, 0]);
}

#[test]
fn a_stream_whose_client_has_gone_is_ended_at_the_server() {
    for granted in [true, false] {
        let (mut world, _, exchange, sent) = listening();
        if granted {
            grant(&mut world, &sent, r#"["t1"]"#);
        }
        world.leave(exchange);
        let frames = world.frames("a");
        let cancels = format!(r#""requestId":{}"#, sent.id);
        assert!(frames.len() == 1 && frames[0].1.contains(&cancels), "{frames:?}");
        grant(&mut world, &sent, r#"["t1"]"#);
        tell(&mut world, &sent, "t1");
    }
}

#[test]
fn where_a_server_opens_no_stream_of_tasks_the_rest_is_promised() {
    let no = |sent: &Sent| {
        format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32601,"message":"no"}}}}"#, sent.id)
    };
    let ends: [End<'_>; 4] = [
        &|world, sent| world.says(sent.link, &no(sent)),
        &cancel,
        &|world, _| world.advance(Duration::from_mins(1)),
        &|world, _| world.crash("a"),
    ];
    for end in ends {
        let (mut world, client, exchange, sent) = listening();
        end(&mut world, &sent);
        assert_eq!(acknowledged(&mut world, &client, exchange), r#"{"toolsListChanged":true}"#);
        assert!(!world.seen(exchange).ended);
    }
}

#[test]
fn a_stream_ends_with_the_server_s() {
    let ends: [End<'_>; 4] = [
        &|world, sent| world.reply(sent, r#"{"resultType":"complete"}"#),
        &cancel,
        &|world, _| world.crash("a"),
        &|world, _| world.configure(|servers| servers[0].spec.timeout_s += 1),
    ];
    for end in ends {
        let (mut world, client, exchange, sent) = listening();
        grant(&mut world, &sent, r#"["t1"]"#);
        world.take(&client, exchange);
        end(&mut world, &sent);
        let result = format!(r#"{{"resultType":"complete","_meta":{{"{TAG}":"mine"}}}}"#);
        assert_eq!(world.answer(&client, exchange).raw_str(Field::Result), Some(&*result));
        assert!(world.seen(exchange).ended);
    }
}

#[test]
fn a_key_that_is_revoked_hears_nothing_that_is_promised_later() {
    let (mut world, client, exchange, sent) = listening();
    world.feed(Input::KeyRevoked(KeyId(client.key.into())));
    grant(&mut world, &sent, r#"["t1"]"#);
    tell(&mut world, &sent, "t1");
    assert!(world.take(&client, exchange).is_empty());
}

#[test]
fn who_does_not_know_tasks_is_refused_their_news() {
    let mut world = tasks();
    let client = client(at("a"), "{}");
    let exchange = listen(&mut world, &client);
    assert_eq!(world.seen(exchange).status, Some(400));
    let answer = world.answer(&client, exchange);
    assert_eq!(answer.raw_str(Field::Code), Some("-32021"));
    let error = answer.raw_str(Field::Error).unwrap();
    assert!(error.contains(&format!(r#""data":{{"requiredCapabilities":{TASKS}}}"#)), "{error}");
    assert!(world.requests("a").is_empty());
}

#[test]
fn where_there_are_no_tasks_none_are_promised() {
    let without = world(r#"{"tools":{}}"#);
    for (mut world, target) in [(without, at("a")), (tasks(), Target::Unified)] {
        let client = client(target, TASKS);
        let exchange = listen(&mut world, &client);
        assert_eq!(acknowledged(&mut world, &client, exchange), r#"{"toolsListChanged":true}"#);
        let asked: Vec<_> = world.requests("a").into_iter().map(|sent| sent.method).collect();
        assert!(asked.is_empty(), "{asked:?}");
    }
}

#[test]
fn a_server_tells_so_many_streams_of_tasks_and_no_more() {
    let mut world = bounded(ABLE, Limits { task_streams: 2, ..Limits::default() });
    let client = client(at("a"), TASKS);
    let streams = [(); 2].map(|()| listen(&mut world, &client));
    let sent = world.requests("a").remove(0);
    grant(&mut world, &sent, r#"["t1"]"#);
    let refused = listen(&mut world, &client);
    let answer = world.take(&client, refused);
    assert!(answer[0].contains("limit task_streams reached (2)"), "{answer:?}");
    for stream in streams {
        world.leave(stream);
        listen(&mut world, &client);
        assert!(world.requests("a").len() == 1, "there is room again");
    }
}

#[test]
fn a_stream_of_tasks_keeps_no_call_from_its_log_messages() {
    let (mut world, client, exchange, sent) = listening();
    grant(&mut world, &sent, r#"["t1"]"#);
    world.take(&client, exchange);
    let call = world.call_with(&client, "1", r#""io.modelcontextprotocol/logLevel":"info""#);
    let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}"#;
    world.says(sent.link, log);
    assert_eq!(world.take(&client, call), [log]);
}
