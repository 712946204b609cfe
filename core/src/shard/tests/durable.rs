//! What outlives the hub beside sessions.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, at};
use super::resumption::{begin, progress};
use super::script::Script;
use super::world::{Store, World};
use crate::mcp::Revision;
use crate::ports::gateway::{Target, Verb};
use crate::ports::upstream::{CloseReason, Launched};
use crate::record::{Lease, Record, RecordKind, Sharing, Started};
use crate::rpc::Field;
use crate::shard::{Effect, Input};
use crate::{ExchangeId, LaunchId, Limits, Unstored};

fn world(sharing: Sharing) -> World {
    let capabilities = r#"{"tools":{},"resources":{"subscribe":true},"logging":{}}"#.to_owned();
    let script = Script { capabilities, ..Script::full(&["file:///a"], &[]) };
    let mut world = World::scripted(Limits::default(), [("a", script)]);
    world.configure(|servers| servers[0].spec.sharing = sharing);
    world.surveyed()
}

/// Sends a request that its server is asked, and answers it.
fn done(world: &mut World, client: &Client, method: &str, members: &str) {
    world.request(client, "1", method, members);
    for sent in world.requests("a") {
        world.reply(&sent, "{}");
    }
}

fn stored(world: &World, kind: RecordKind) -> usize {
    world.records.values().filter(|record| record.id().kind() == kind).count()
}

/// A moment passes and the hub is another one.
fn restarted(mut world: World) -> World {
    world.advance(Duration::from_secs(1));
    world.restarted()
}

fn heard(world: &mut World, client: &Client, stream: ExchangeId) -> Vec<String> {
    let frames = world.take(client, stream).into_iter();
    frames.map(|text| text.replace(r#"{"jsonrpc":"2.0","method":"notifications/"#, "")).collect()
}

#[test]
fn what_a_session_wants_to_be_told_is_known_in_the_next_life_of_the_hub() {
    for sharing in [Sharing::Shared, Sharing::PerSession, Sharing::PerUser] {
        let mut world = world(sharing);
        let client = world.client(HTTP, Target::Unified);
        done(&mut world, &client, "resources/subscribe", r#""uri":"file:///a""#);
        done(&mut world, &client, "logging/setLevel", r#""level":"error""#);
        let mut world = restarted(world);
        assert_eq!(world.starts(), 0);
        let stream = world.open(&client, Verb::Listen);
        let told = heard(&mut world, &client, stream);
        let expected =
            ["prompts/list_changed", "resources/list_changed", "tools/list_changed", "resources/updated"];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        assert!(expected.iter().all(|name| told.iter().any(|text| text.starts_with(name))), "{told:?}");
        // The server is there, and knows as much.
        let asked: Vec<String> = world.requests("a").into_iter().map(|it| it.method + &it.params).collect();
        assert!(asked.contains(&r#"resources/subscribe{"uri":"file:///a"}"#.to_owned()), "{asked:?}");
        assert!(asked.contains(&r#"logging/setLevel{"level":"error"}"#.to_owned()), "{asked:?}");
        let link = world.link("a");
        let (method, uri) = ("notifications/resources/updated", "file:///a");
        world.says(
            link,
            &alloc::format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"uri":"{uri}"}}}}"#),
        );
        assert_eq!(heard(&mut world, &client, stream).len(), 1, "{sharing:?}");
        // What may have changed is said once.
        world.leave(stream);
        let again = world.open(&client, Verb::Listen);
        assert!(heard(&mut world, &client, again).is_empty());
    }
}

#[test]
fn nothing_is_kept_of_a_session_that_wants_nothing_or_has_ended() {
    let mut world = world(Sharing::Shared);
    let client = world.client(HTTP, at("a"));
    assert_eq!(stored(&world, RecordKind::Wishes), 0);
    done(&mut world, &client, "resources/subscribe", r#""uri":"file:///a""#);
    assert_eq!(stored(&world, RecordKind::Wishes), 1);
    done(&mut world, &client, "resources/unsubscribe", r#""uri":"file:///a""#);
    assert_eq!(stored(&world, RecordKind::Wishes), 0);
    done(&mut world, &client, "logging/setLevel", r#""level":"error""#);
    assert_eq!(stored(&world, RecordKind::Wishes), 1);
    world.delete(&client);
    assert!(world.records.values().all(|record| !matches!(record, Record::Wishes(_) | Record::Session(_))));
    // A session of the oldest transport ends with its stream, and so with the hub.
    let client = world.client(Era::Sse, at("a"));
    done(&mut world, &client, "logging/setLevel", r#""level":"error""#);
    assert_eq!(stored(&world, RecordKind::Wishes), 0);
}

#[test]
fn a_call_that_was_in_flight_when_the_hub_ended_is_answered_that_its_outcome_is_unknown() {
    for revision in [Revision::V2025_03_26, Revision::V2025_11_25] {
        let mut world = World::running(&["a"]);
        let client = world.client(Era::Http(revision), at("a"));
        let (call, sent) = begin(&mut world, &client);
        progress(&mut world, &sent, 1);
        assert_eq!(stored(&world, RecordKind::Owed), 1);
        let cursor = world.cursor(call);
        let mut world = restarted(world);
        let back = world.come_back(&client, &cursor);
        let answer = world.answer(&client, back);
        assert_eq!((answer.raw_str(Field::Id), answer.raw_str(Field::Code)), (Some("1"), Some("-31003")));
        assert!(answer.text(Field::ErrorMessage).unwrap().contains("server a"), "{answer:?}");
        assert!(world.seen(back).ended);
        let last = world.cursor(back);
        let nothing = world.come_back(&client, &last);
        assert_eq!(world.seen(nothing).status, Some(204), "it was heard once");
        assert_eq!(world.starts(), 0, "and is not made again");
        world.advance(Limits::default().replay_age * 2);
        assert_eq!(stored(&world, RecordKind::Owed), 0);
    }
}

#[test]
fn an_answer_that_its_client_was_not_there_for_waits_for_it_also_in_the_next_life_of_the_hub() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    let cursor = world.cursor(call);
    world.leave(call);
    progress(&mut world, &sent, 2);
    world.reply(&sent, r#"{"content":[]}"#);
    let mut world = restarted(world);
    let back = world.come_back(&client, &cursor);
    assert_eq!(world.heard(back), ["2", "answer"]);
    assert!(world.seen(back).ended);
}

#[test]
fn an_answer_that_its_client_was_there_for_is_owed_no_more() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (_, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    assert_eq!(stored(&world, RecordKind::Owed), 1);
    world.reply(&sent, "{}");
    assert_eq!(stored(&world, RecordKind::Owed), 0);
    // One that was answered at once was never written down.
    let before = world.log.len();
    let call = world.call(&client, "2");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.seen(call).ended);
    let persisted = |effect: &Effect| matches!(effect, Effect::Persist { .. });
    assert!(!world.log[before..].iter().any(persisted));
}

#[test]
fn what_is_owed_to_a_session_goes_with_it() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (_, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.records.retain(|_, record| !matches!(record, Record::Session(_)));
    let mut world = world.reborn();
    assert_eq!(stored(&world, RecordKind::Owed), 1);
    world.client(HTTP, at("a"));
    assert_eq!(stored(&world, RecordKind::Owed), 0);
}

#[test]
fn a_wish_is_agreed_to_when_it_is_durable_or_cannot_be() {
    for outcome in [Ok(()), Err(Unstored::Full.into())] {
        let mut world = world(Sharing::Shared);
        let client = world.client(HTTP, at("a"));
        world.store = Store::Holds;
        let level = world.request(&client, "1", "logging/setLevel", r#""level":"error""#);
        world.request(&client, "2", "resources/subscribe", r#""uri":"file:///a""#);
        for sent in world.requests("a") {
            world.reply(&sent, "{}");
        }
        assert!(!world.seen(level).ended);
        let left = world.request(&client, "3", "logging/setLevel", r#""level":"debug""#);
        world.leave(left);
        for token in core::mem::take(&mut world.held) {
            world.feed(Input::Stored { token, outcome: outcome.clone() });
        }
        assert!(world.answer(&client, level).has(Field::Result), "it holds while the hub lives");
    }
}

#[test]
fn a_process_has_a_lease_from_its_start_until_nothing_is_left_of_it() {
    let launched = |number: u32| Launched {
        launch: LaunchId(alloc::format!("it.{number}")),
        boot: "boot".to_owned(),
        shim: Started { pid: number, ticks: 7 },
        process: Some(Started { pid: number + 1, ticks: 8 }),
    };
    let mut world = World::running(&["a", "b"]);
    for (server, number) in [("a", 10), ("b", 20)] {
        let link = world.link(server);
        world.feed(Input::LinkLaunched { link, launched: launched(number) });
    }
    let leases = |world: &World| -> Vec<Lease> {
        let lease =
            |record: &Record| if let Record::Lease(lease) = record { Some(lease.clone()) } else { None };
        world.records.values().filter_map(lease).collect()
    };
    let [a, b] = <[Lease; 2]>::try_from(leases(&world)).expect("one for each");
    assert_eq!((a.launch.0.as_str(), a.shim.pid, a.process.unwrap().ticks), ("it.10", 10, 8));
    assert_ne!(a.server, b.server);
    let link = world.link("a");
    world.close(link, CloseReason::Exited(0));
    assert_eq!(leases(&world), core::slice::from_ref(&b));
    world.feed(Input::LinkLaunched { link, launched: launched(30) });
    assert_eq!(leases(&world), core::slice::from_ref(&b), "a link that is gone has no process");
    assert_eq!(leases(&world.restarted()), [b], "what a killed hub has left is for the next one to end");
}
