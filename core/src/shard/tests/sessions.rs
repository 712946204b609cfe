//! Sessions of the 2025 eras: whose they are, how long they live, and what ends with them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::begun::stranger;
use super::clients::{Client, Era, HTTP, at};
use super::script::Script;
use super::world::{Store, World};
use crate::mcp::Revision;
use crate::ports::gateway::{Target, Verb};
use crate::record::RecordId;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{KeyId, Limits};

const IDLE: Duration = Duration::from_secs(30 * 60 + 30);

/// How many sessions the store has.
fn stored(world: &World) -> usize {
    world.records.keys().filter(|id| matches!(id, RecordId::Session(..))).count()
}

fn limited(limits: Limits) -> World {
    World::scripted(limits, [("a", Script::default()), ("b", Script::default())]).surveyed()
}

#[test]
fn a_request_without_a_session_is_refused_with_its_own_id() {
    let mut world = World::running(&["a"]);
    let client = Client::new(HTTP, at("a"));
    for (text, id) in [
        (r#"{"jsonrpc":"2.0","id":"q\u0031","method":"tools/list"}"#, r#""q\u0031""#),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "null"),
        (r#"{"jsonrpc":"2.0","id":3,"result":{}}"#, "null"),
    ] {
        let exchange = world.post(&client, text);
        assert_eq!(world.seen(exchange).status, Some(400));
        let answer = world.answer(&client, exchange);
        assert_eq!((answer.raw_str(Field::Id), answer.raw_str(Field::Code)), (Some(id), Some("-32000")));
    }
}

#[test]
fn without_a_session_there_is_nothing_to_listen_to_and_nothing_to_end() {
    let mut world = World::running(&["a"]);
    for client in [HTTP, Era::Modern].map(|era| Client::new(era, at("a"))) {
        for exchange in [world.open(&client, Verb::Listen), world.delete(&client)] {
            assert_eq!(world.seen(exchange).status, Some(405));
        }
    }
}

#[test]
fn a_session_that_is_unknown_or_another_s_is_not_found() {
    let mut world = World::running(&["a", "b"]);
    let own = world.client(HTTP, at("a"));
    let sse = world.client(Era::Sse, at("a"));
    let mut strangers = [
        Client { session: Some("0".repeat(64)), ..own.clone() },
        Client { session: Some("not an id".to_owned()), ..own.clone() },
        Client { session: own.session.as_ref().map(|id| id.to_uppercase()), ..own.clone() },
        Client { key: "other", ..own.clone() },
        Client { target: at("b"), ..own.clone() },
        Client { target: Target::Unified, ..own.clone() },
        Client { session: sse.session.clone(), ..own.clone() },
    ];
    let crossed = Client { session: own.session.clone(), stream: None, ..sse };
    let exchange = world.request(&crossed, "7", "tools/list", "");
    assert_eq!(world.seen(exchange).status, Some(404), "a session stays with its transport");
    for client in &mut strangers {
        let exchanges = [world.request(client, "7", "tools/list", ""), world.delete(client)];
        for exchange in exchanges {
            client.stream = None;
            assert_eq!(world.seen(exchange).status, Some(404), "{client:?}");
            assert_eq!(world.code(client, exchange), "-32001", "{client:?}");
        }
        let exchange = world.open(client, Verb::Listen);
        assert_eq!(world.seen(exchange).status, Some(404), "{client:?}");
    }
    let exchange = world.request(&own, "7", "tools/list", "");
    assert!(world.answer(&own, exchange).has(Field::Result), "and the owner's is");
}

#[test]
fn a_version_header_names_a_revision_that_has_sessions_or_is_refused() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    for (version, good) in [
        (None, true),
        (Some("2024-11-05"), true),
        (Some("2025-06-18"), true),
        (Some("1999-01-01"), false),
        (Some(""), false),
        (Some("latest"), false),
    ] {
        let body = super::world::read(r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#);
        let mut head = client.head(Verb::Post);
        head.headers.version = version.map(String::from);
        let exchange = world.post_with(&client, head, body);
        assert_eq!(world.seen(exchange).status, Some(if good { 200 } else { 400 }), "{version:?}");
        let answer = world.answer(&client, exchange);
        assert_eq!(answer.has(Field::Result), good, "{version:?}");
        if !good {
            let words = answer.text(Field::ErrorMessage).unwrap();
            let sent = alloc::format!("{:?}", version.unwrap());
            assert!(words.contains(&sent) && words.contains("agreed on 2025-11-25: send that"), "{words}");
        }
    }
}

#[test]
fn a_session_is_initialized_once() {
    let mut world = World::running(&["a"]);
    for era in [HTTP, Era::Sse] {
        let client = world.client(era, at("a"));
        let exchange = world.initialize(&client, "2025-11-25");
        assert_eq!(world.seen(exchange).status, Some(400), "{era:?}");
        assert!(world.seen(exchange).messages[0].contains("-32600"));
    }
}

#[test]
fn every_revision_with_sessions_is_served_over_streamable_http() {
    let mut world = World::running(&["a"]);
    for revision in Revision::ALL.into_iter().filter(|revision| !revision.is_modern()) {
        let client = world.client(Era::Http(revision), at("a"));
        let exchange = world.call(&client, "1");
        let sent = world.requested("a");
        world.reply(&sent, r#"{"content":[]}"#);
        let expected = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        assert_eq!(world.take(&client, exchange), [expected], "{revision}");
    }
}

#[test]
fn an_idle_session_expires_and_is_removed_from_the_store() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.advance(Duration::from_mins(29));
    let exchange = world.request(&client, "1", "ping", "");
    assert_eq!(world.seen(exchange).status, Some(200));
    world.advance(Duration::from_mins(29));
    assert_eq!((world.shard.session_count(), stored(&world)), (1, 1), "it was not idle for long enough");
    world.advance(Duration::from_secs(90));
    assert_eq!((world.shard.session_count(), stored(&world)), (0, 0));
    assert!(world.shard.deadline().is_none(), "nothing is left to wake for");
}

#[test]
fn an_open_stream_and_a_call_in_flight_keep_a_session_alive() {
    let limits = Limits { call: IDLE * 3, call_hard: IDLE * 3, ..Limits::default() };
    let mut world = limited(limits);
    let streaming = world.client(HTTP, at("a"));
    let stream = world.open(&streaming, Verb::Listen);
    let calling = world.client(HTTP, at("a"));
    world.call(&calling, "1");
    let idle = world.client(HTTP, at("a"));
    world.advance(IDLE);
    assert_eq!(world.shard.session_count(), 2);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    world.leave(stream);
    world.advance(IDLE);
    assert_eq!(world.shard.session_count(), 0);
    let exchange = world.request(&idle, "1", "ping", "");
    assert_eq!(world.seen(exchange).status, Some(404));
}

#[test]
fn the_session_that_was_quiet_longest_makes_room() {
    let mut world = limited(Limits { project_sessions: 3, ..Limits::default() });
    let streaming = world.client(HTTP, at("a"));
    world.open(&streaming, Verb::Listen);
    world.advance(Duration::from_secs(1));
    let quiet = world.client(HTTP, at("a"));
    world.advance(Duration::from_secs(1));
    let busy = world.client(HTTP, at("a"));
    world.advance(Duration::from_secs(1));
    let newest = world.client(HTTP, at("b"));
    assert_eq!((world.shard.session_count(), stored(&world)), (3, 3));
    for (client, status) in [(&streaming, 200), (&quiet, 404), (&busy, 200), (&newest, 200)] {
        let exchange = world.request(client, "1", "ping", "");
        assert_eq!(world.seen(exchange).status, Some(status));
    }
}

#[test]
fn who_opens_one_session_after_the_other_loses_their_own_and_nobody_else_s() {
    let mut world = limited(Limits { project_sessions: 4, ..Limits::default() });
    let quiet = world.client(HTTP, at("a"));
    world.advance(Duration::from_secs(1));
    for _ in 0..10 {
        stranger(&mut world);
        world.advance(Duration::from_secs(1));
    }
    let exchange = world.request(&quiet, "1", "ping", "");
    assert_eq!((world.shard.session_count(), world.seen(exchange).status), (4, Some(200)));
}

#[test]
fn a_deleted_session_is_gone_from_the_store_before_the_client_is_told() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let call = world.call(&client, "1");
    world.store = Store::Holds;
    let deletion = world.delete(&client);
    assert!(world.seen(stream).ended && world.seen(call).ended, "its streams end at once");
    assert!(!world.seen(deletion).ended);
    let token = world.held.pop().unwrap();
    world.feed(Input::Stored { token, outcome: Ok(()) });
    assert_eq!(world.seen(deletion).status, Some(204));
    let cancelled = world.frames("a").pop().unwrap().1;
    assert!(cancelled.contains("notifications/cancelled"), "{cancelled}");
    let exchange = world.request(&client, "2", "ping", "");
    assert_eq!(world.seen(exchange).status, Some(404));
}

#[test]
fn a_deletion_that_the_store_refuses_says_so() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.store = Store::Refuses;
    let deletion = world.delete(&client);
    assert_eq!(world.seen(deletion).status, Some(503));
}

#[test]
fn a_client_that_leaves_its_deletion_is_not_answered() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.store = Store::Holds;
    let deletion = world.delete(&client);
    world.leave(deletion);
    let token = world.held.pop().unwrap();
    world.feed(Input::Stored { token, outcome: Ok(()) });
    assert_eq!(world.shard.session_count(), 0);
}

#[test]
fn a_revoked_key_ends_its_sessions_and_listens_and_no_others() {
    let mut world = World::running(&["a"]);
    let filter = r#""notifications":{"toolsListChanged":true}"#;
    let mut ends = Vec::new();
    for key in ["revoked", "kept"] {
        let legacy = Client { key, ..Client::new(HTTP, at("a")) };
        let exchange = world.initialize(&legacy, "2025-11-25");
        let legacy = Client { session: world.seen(exchange).session.clone(), ..legacy };
        let mut sse = Client { key, ..Client::new(Era::Sse, at("a")) };
        let sse = world.open_sse(&mut sse);
        let modern = Client { key, ..Client::new(Era::Modern, Target::Unified) };
        let listen = world.request(&modern, "\"l\"", "subscriptions/listen", filter);
        ends.push((key, world.open(&legacy, Verb::Listen), sse, listen));
    }
    world.feed(Input::KeyRevoked(KeyId("revoked".into())));
    for (key, stream, sse, listen) in ends {
        let ended = [stream, sse, listen].map(|exchange| world.seen(exchange).ended);
        assert_eq!(ended, [key == "revoked"; 3], "{key}");
        if key == "revoked" {
            let last = world.seen(listen).messages.last().unwrap();
            assert!(last.contains(r#""id":"l","result":{"resultType":"complete""#), "{last}");
        }
    }
    assert_eq!(world.shard.session_count(), 2);
}

#[test]
fn whoever_waits_in_a_session_is_told_when_its_key_is_revoked() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.feed(Input::KeyRevoked(KeyId("key".into())));
    assert_eq!(world.code(&client, call), "-31005");
    let (_, told) = world.frames("a").remove(0);
    assert!(told.contains("notifications/cancelled") && told.contains(&sent.id), "{told}");
}

#[test]
fn what_waits_in_a_session_ends_with_it() {
    for era in [HTTP, Era::Sse] {
        let mut world = World::running(&["b"]);
        let client = world.client(era, Target::Unified);
        world.scripts.insert("a".into(), Script::stuck());
        world.configure(|servers| {
            let mut server = servers[0].clone();
            server.id = crate::ServerId::parse("01890000-0000-7000-8000-000000000001").unwrap();
            server.name = "a".into();
            server.spec = super::world::spec("a");
            servers.push(server);
        });
        let exchange = world.request(&client, "1", "tools/list", "");
        world.feed(Input::KeyRevoked(KeyId("key".into())));
        assert!(world.seen(client.stream.unwrap_or(exchange)).ended, "{era:?}");
        world.advance(Duration::from_mins(1));
    }
}

#[test]
fn sessions_live_on_in_the_next_life_of_the_hub() {
    let mut world = World::running(&["a"]);
    let client = world.client(Era::Http(Revision::V2025_06_18), at("a"));
    world.client(Era::Sse, at("a"));
    let mut world = world.restarted();
    assert_eq!(world.shard.session_count(), 1, "a session of HTTP+SSE ends with its stream");
    let exchange = world.request(&client, "1", "tools/list", "");
    assert!(world.answer(&client, exchange).has(Field::Result));
    assert_eq!(world.starts(), 0);
    let exchange = world.call(&client, "2");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert_eq!(world.answer(&client, exchange).raw_str(Field::Id), Some("2"));
}

#[test]
fn of_more_streams_than_a_session_may_have_the_oldest_ends() {
    let mut world = limited(Limits { session_streams: 2, ..Limits::default() });
    let client = world.client(HTTP, at("a"));
    let streams = [(); 3].map(|()| world.open(&client, Verb::Listen));
    let ended = streams.map(|stream| world.seen(stream).ended);
    assert_eq!(ended, [true, false, false]);
    assert!(streams.iter().all(|stream| world.seen(*stream).streams || world.seen(*stream).ended));
}

#[test]
fn responses_and_notifications_of_clients_are_accepted_without_a_body() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/made/up"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#,
    ] {
        let exchange = world.post(&client, text);
        let seen = world.seen(exchange);
        assert_eq!((seen.status, seen.messages.len()), (Some(202), 0), "{text}");
    }
    let said: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert_eq!(
        said[1..],
        [
            r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/made/up"}"#
        ],
        "what is no business of the hub's is passed on"
    );
}

#[test]
fn what_waits_for_servers_is_bounded_too() {
    for (name, limits) in [
        ("project_in_flight", Limits { project_in_flight: 1, ..Limits::default() }),
        ("link_in_flight_bytes", Limits { link_in_flight_bytes: 250, ..Limits::default() }),
    ] {
        let mut world = World::scripted(limits, [("a", Script::stuck())]);
        let client = Client::new(HTTP, at("a"));
        let first = world.initialize(&client, "2025-11-25");
        let second = world.initialize(&client, "2025-11-25");
        let refused = world.answer(&client, second);
        assert!(refused.raw_str(Field::Error).unwrap().contains(name), "{refused:?}");
        assert!(!world.seen(first).ended);
        assert_eq!(world.shard.session_count(), 1);
    }
}

#[test]
fn limits_are_kept_with_their_names() {
    let cases = [
        ("session_in_flight", Limits { session_in_flight: 2, ..Limits::default() }),
        ("project_in_flight", Limits { project_in_flight: 2, ..Limits::default() }),
        ("link_in_flight_bytes", Limits { link_in_flight_bytes: 220, ..Limits::default() }),
    ];
    for (name, limits) in cases {
        for era in [HTTP, Era::Sse] {
            let mut world = limited(limits.clone());
            let client = world.client(era, at("a"));
            let calls = ["1", "2"].map(|id| world.call(&client, id));
            assert!(world.take(&client, calls[1]).is_empty());
            let third = world.call(&client, "3");
            let refused = if world.seen(third).status == Some(202) { client.stream.unwrap() } else { third };
            let words = format!(r#""data":{{"limit":"{name}","#);
            let seen = world.seen(refused);
            assert!(seen.messages.iter().any(|text| text.contains(&words)), "{name} {era:?}: {seen:?}");
            assert!(refused != third || seen.status == Some(429), "{name} {era:?}");
            let first = world.requests("a").remove(0);
            world.reply(&first, "{}");
            world.call(&client, "4");
            assert_eq!(world.requests("a").len(), 1, "{name}: an answer makes room");
        }
    }
}
