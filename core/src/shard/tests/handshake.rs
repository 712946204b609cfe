//! `initialize` and `server/discover`: what an endpoint says of itself, and when.

use alloc::format;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::{Hello, Script};
use super::world::{Store, World, read};
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::shard::Effect;
use crate::{Limits, Timestamp};

#[test]
fn initialize_answers_each_revision_with_itself_and_any_other_with_the_last_that_has_sessions() {
    let cases = [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2099-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ];
    let mut world = World::running(&["a"]);
    for target in [at("a"), Target::Unified] {
        for (proposed, agreed) in cases {
            let client = Client::new(HTTP, target.clone());
            let exchange = world.initialize(&client, proposed);
            assert_eq!(world.seen(exchange).status, Some(200));
            assert!(world.seen(exchange).session.is_some(), "an answer opens a session");
            let answer = world.answer(&client, exchange);
            assert_eq!(answer.text(Field::ProtocolVersion).as_deref(), Some(agreed), "for {proposed}");
        }
    }
}

#[test]
fn initialize_without_a_version_is_an_invalid_parameter() {
    let mut world = World::running(&["a"]);
    let client = Client::new(HTTP, at("a"));
    for members in ["", r#""protocolVersion":7"#] {
        let exchange = world.request(&client, "0", "initialize", members);
        assert_eq!(world.seen(exchange).status, Some(400));
        assert_eq!(world.code(&client, exchange), "-32602");
    }
    assert_eq!(world.shard.session_count(), 0);
}

#[test]
fn the_answer_of_initialize_waits_for_the_store() {
    let mut world = World::running(&["a"]);
    world.store = Store::Holds;
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    assert!(world.seen(exchange).messages.is_empty());
    let token = world.held.pop().unwrap();
    world.feed(crate::shard::Input::Stored { token, outcome: Ok(()) });
    assert!(world.answer(&client, exchange).has(Field::Result));
    assert!(world.seen(exchange).session.is_some());
}

#[test]
fn a_session_that_the_store_refuses_is_an_error_and_does_not_exist() {
    let mut world = World::running(&["a"]);
    world.store = Store::Refuses;
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    assert_eq!(world.seen(exchange).status, Some(503));
    assert_eq!(world.code(&client, exchange), "-31008");
    assert_eq!(world.seen(exchange).session, None);
    assert_eq!(world.shard.session_count(), 0);
}

#[test]
fn a_full_store_refuses_sessions_by_name_and_answers_those_that_it_has() {
    let mut world = World::running(&["a"]);
    let old = world.client(HTTP, at("a"));
    world.store = Store::IsFull;
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    assert_eq!(world.seen(exchange).status, Some(503));
    let refusal = world.seen(exchange).messages[0].clone();
    assert!(refusal.contains(r#""data":{"reason":"storage_full","retryable":true}"#), "{refusal}");
    assert!(refusal.contains("make room there and try again"), "{refusal}");
    let listed = world.request(&old, "1", "tools/list", "");
    assert!(world.answer(&old, listed).has(Field::Result));
    world.store = Store::Commits;
    let exchange = world.initialize(&client, "2025-11-25");
    assert!(world.answer(&client, exchange).has(Field::Result));
}

#[test]
fn a_client_that_leaves_before_its_session_is_stored_leaves_no_session() {
    let mut world = World::running(&["a"]);
    world.store = Store::Holds;
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    world.leave(exchange);
    world.store = Store::Commits;
    let token = world.held.pop().unwrap();
    world.feed(crate::shard::Input::Stored { token, outcome: Ok(()) });
    assert_eq!(world.shard.session_count(), 0);
    let removed = world.log.iter().rev().take(1).any(|effect| matches!(effect, Effect::Persist { .. }));
    assert!(removed, "nor does the store keep one");
}

#[test]
fn a_client_that_leaves_while_servers_are_waited_for_leaves_no_session() {
    let mut world = World::scripted(Limits::default(), [("a", Script::stuck())]);
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    assert_eq!(world.shard.session_count(), 1);
    world.leave(exchange);
    assert_eq!(world.shard.session_count(), 0);
}

#[test]
fn an_endpoint_says_of_one_server_what_that_server_says_of_itself() {
    let mut world = World::new(&["a"]);
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    let answer = world.answer(&client, exchange);
    assert_eq!(answer.raw_str(Field::ServerInfo), Some(r#"{"name":"fake","version":"1"}"#));
    assert_eq!(answer.raw_str(Field::Instructions), Some(r#""Be brief.""#));
    assert_eq!(answer.raw_str(Field::Capabilities), Some(r#"{"tools":{"listChanged":true}}"#));
}

#[test]
fn the_unified_endpoint_says_what_its_servers_can_do_between_them() {
    let scripts = [("a", Script::default()), ("b", Script::full(&[], &[]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = Client::new(HTTP, Target::Unified);
    let exchange = world.initialize(&client, "2025-11-25");
    let answer = world.answer(&client, exchange);
    let all = r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true},"completions":{},"logging":{}}"#;
    assert_eq!(answer.raw_str(Field::Capabilities), Some(all));
    assert!(answer.text(Field::Instructions).unwrap().contains("a, b, hub"));
}

#[test]
fn initialize_starts_the_one_server_and_waits_until_it_was_seen() {
    for era in [HTTP, Era::Sse] {
        let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
        let mut client = Client::new(era, at("a"));
        if era == Era::Sse {
            world.open_sse(&mut client);
        }
        let exchange = world.initialize(&client, "2025-11-25");
        world.advance(Duration::from_secs(29));
        assert!(world.take(&client, exchange).is_empty());
        world.scripts.insert("a".into(), Script::default());
        let hello = world.requested("a");
        let answers = world.scripts["a"]
            .answers(&format!(r#"{{"jsonrpc":"2.0","id":{},"method":"initialize"}}"#, hello.id));
        world.says(hello.link, &answers[0]);
        assert!(world.answer(&client, exchange).has(Field::Result), "{era:?}");
    }
}

#[test]
fn initialize_at_a_server_that_fails_says_why_and_opens_no_session() {
    let refusing = Script { hello: Hello::Refuses, ..Script::default() };
    for (script, why) in
        [(refusing, "no thanks"), (Script::stuck(), "within 30 s"), (Script::silent(), "30 s")]
    {
        let mut world = World::scripted(Limits::default(), [("a", script)]);
        let client = Client::new(HTTP, at("a"));
        let exchange = world.initialize(&client, "2025-11-25");
        world.advance(Duration::from_secs(30));
        let answer = world.answer(&client, exchange);
        assert_eq!(answer.raw_str(Field::Code), Some("-31001"));
        assert!(answer.text(Field::ErrorMessage).unwrap().contains(why), "{answer:?}");
        assert_eq!(world.shard.session_count(), 0);
    }
}

#[test]
fn a_server_that_failed_at_first_is_started_again_by_the_next_client() {
    for era in [HTTP, Era::Modern] {
        let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
        let client = Client::new(era, at("a"));
        let ask = |world: &mut World| match era {
            Era::Modern => world.request(&client, "1", "server/discover", ""),
            Era::Http(_) | Era::Sse => world.initialize(&client, "2025-11-25"),
        };
        let first = ask(&mut world);
        world.advance(Duration::from_secs(30));
        assert_eq!(world.code(&client, first), "-31001");
        world.scripts.insert("a".into(), Script::default());
        world.advance(Duration::from_mins(1));
        assert_eq!(world.starts(), 1, "nobody needs it");
        let second = ask(&mut world);
        assert!(world.answer(&client, second).has(Field::Result), "{era:?}");
        assert_eq!(world.starts(), 2);
    }
}

#[test]
fn a_handshake_at_the_unified_endpoint_waits_for_unseen_servers_at_most_its_time() {
    let scripts = [("a", Script::default()), ("slow", Script::silent())];
    let mut world = World::scripted(Limits::default(), scripts);
    let client = Client::new(HTTP, Target::Unified);
    let exchange = world.initialize(&client, "2025-11-25");
    world.advance(Duration::from_millis(2_999));
    assert!(world.take(&client, exchange).is_empty());
    world.advance(Duration::from_millis(1));
    let answer = world.answer(&client, exchange);
    let capabilities = answer.raw_str(Field::Capabilities).unwrap();
    assert!(capabilities.contains("resources"), "what is not known yet may come: {capabilities}");
}

#[test]
fn two_servers_that_are_seen_at_the_same_time_are_both_waited_for() {
    let mut world = World::new(&["a", "b"]);
    world.publishes = false;
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", "tools/list", "");
    let (b, a) = (world.unpublished.pop().unwrap(), world.unpublished.pop().unwrap());
    for learnt in [a, b] {
        assert!(world.seen(exchange).messages.is_empty());
        let changes = world.publish(learnt);
        world.feed(crate::shard::Input::SnapshotReplaced(changes));
    }
    let answer = world.answer(&client, exchange);
    let tools = answer.raw_str(Field::Tools).unwrap();
    assert!(tools.contains("a__echo") && tools.contains("b__echo"), "{tools}");
}

#[test]
fn discover_says_the_stateless_revision_alone_and_how_long_that_holds() {
    let mut world = World::running(&["a"]);
    for (target, name) in [(at("a"), "fake"), (Target::Unified, "mcp-orch")] {
        let client = world.client(Era::Modern, target);
        let exchange = world.request(&client, "\"d\"", "server/discover", "");
        let answer = world.answer(&client, exchange);
        let result = answer.raw_str(Field::Result).unwrap();
        assert!(result.contains(r#""supportedVersions":["2026-07-28"]"#), "{result}");
        assert_eq!(answer.raw_str(Field::ResultType), Some("\"complete\""));
        assert_eq!(answer.raw_str(Field::TtlMs), Some("5000"));
        assert_eq!(answer.raw_str(Field::CacheScope), Some("\"private\""));
        assert!(answer.raw_str(Field::MetaServerInfo).unwrap().contains(name), "{result}");
        assert_eq!(answer.raw_str(Field::Id), Some("\"d\""));
    }
}

#[test]
fn what_is_known_is_said_in_every_era_without_a_process() {
    let mut world = World::running(&["a", "b"]).restarted();
    for target in [at("a"), Target::Unified] {
        for era in ERAS {
            let client = world.client(era, target.clone());
            let exchange = world.request(&client, "1", "tools/list", "");
            assert!(world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("echo"));
        }
        let client = world.client(Era::Modern, target);
        let exchange = world.request(&client, "1", "server/discover", "");
        assert!(world.answer(&client, exchange).has(Field::Result));
    }
    assert_eq!(world.starts(), 0);
}

#[test]
fn a_handshake_that_is_odd_is_made_fit_to_be_passed_on() {
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    let hello = world.requested("a");
    world.reply(
        &hello,
        r#"{"protocolVersion":"2025-06-18","serverInfo":7,"instructions":[],"capabilities":[{}]}"#,
    );
    let answer = world.answer(&client, exchange);
    assert!(answer.raw_str(Field::ServerInfo).unwrap().starts_with('{'));
    assert_eq!(answer.raw_str(Field::Instructions), None);
    assert_eq!(answer.raw_str(Field::Capabilities), Some("{}"));
}

#[test]
fn the_handshake_with_a_server_is_one_request_and_one_notification() {
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]).surveyed();
    let hello = world.requested("a");
    assert_eq!(hello.method, "initialize");
    assert!(hello.params.starts_with(r#"{"protocolVersion":"2025-11-25","capabilities":{"roots":{"listChanged":true},"sampling":{"context":{},"tools":{}},"elicitation":{"form":{},"url":{}},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}},"clientInfo":"#));
    world.reply(&hello, r#"{"protocolVersion":"2025-06-18","serverInfo":{},"capabilities":{}}"#);
    let (_, next) = world.frames("a").remove(0);
    assert_eq!(next, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert!(!read(&next).has(Field::Id));
    assert_ne!(world.now, Timestamp(0));
}

#[test]
fn who_asks_what_a_server_is_does_not_wait_long_for_one_that_was_never_seen() {
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
    let client = Client::new(Era::Modern, at("a"));
    let asked = world.request(&client, "1", "server/discover", "");
    world.advance(Limits::default().discover_wait);
    assert_eq!(world.code(&client, asked), "-31001", "which is no code of the stateless era");
}

#[test]
fn a_stream_for_resources_waits_until_its_server_was_seen() {
    let subscribable =
        Script { capabilities: r#"{"resources":{"subscribe":true}}"#.into(), ..Script::full(&["u:1"], &[]) };
    let held = Script { opens: false, ..subscribable };
    let mut world = World::scripted(Limits::default(), [("a", held)]);
    let client = Client::new(Era::Modern, at("a"));
    let stream = world.request(
        &client,
        "1",
        "subscriptions/listen",
        r#""notifications":{"resourceSubscriptions":["u:1"]}"#,
    );
    assert!(world.take(&client, stream).is_empty());
    world.scripts.get_mut("a").unwrap().opens = true;
    let link = world.link("a");
    world.feed(crate::shard::Input::LinkOpened { link, pid: None });
    world.agree("a");
    assert!(world.take(&client, stream)[0].contains(r#""resourceSubscriptions":["u:1"]"#));
}

#[test]
fn what_waits_with_a_key_that_is_revoked_is_refused() {
    let mut world = World::scripted(Limits::default(), [("a", Script::stuck())]);
    let client = Client::new(Era::Modern, at("a"));
    let filter = r#""notifications":{"resourceSubscriptions":["u:1"]}"#;
    let stream = world.request(&client, "1", "subscriptions/listen", filter);
    let call = world.call(&client, "2");
    let other = Client { key: "other", ..client.clone() };
    let kept = world.call(&other, "3");
    world.feed(crate::shard::Input::KeyRevoked(crate::KeyId("key".into())));
    assert_eq!([stream, call].map(|it| world.seen(it).status), [Some(401); 2]);
    assert_eq!(world.seen(kept).status, None);
}

#[test]
fn the_unified_endpoint_repeats_what_its_servers_say_of_themselves_as_far_as_there_is_room() {
    for (room, expected) in [
        (18, "\n\n## a\n\nBe brief.\n\n## b\n\nBe brief.\""),
        (17, "\n\n## a\n\nBe brief.\n\nLeft out are the instructions of b (limit instructions_bytes).\""),
    ] {
        let limits = Limits { instructions_bytes: room, ..Limits::default() };
        let scripts = ["a", "b"].map(|name| (name, Script::default()));
        let mut world = World::scripted(limits, scripts).surveyed();
        let client = Client::new(Era::Modern, Target::Unified);
        let exchange = world.request(&client, "1", "server/discover", "");
        let answer = world.answer(&client, exchange);
        let said = answer.raw_str(Field::Instructions).unwrap().replace("\\n", "\n");
        assert!(said.ends_with(expected), "{said}");
    }
}
