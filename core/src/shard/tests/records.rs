//! What is kept of calls.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::world::World;
use crate::mcp::Revision;
use crate::ports::gateway::Target;
use crate::record::{CallOutcome, CallRecord};
use crate::shard::Effect;
use crate::{Limits, Timestamp};

/// What was recorded since the last time.
fn records(world: &mut World) -> Vec<CallRecord> {
    let effects = core::mem::take(&mut world.log).into_iter();
    effects.filter_map(|it| if let Effect::Record(call) = it { Some(call) } else { None }).collect()
}

fn outcomes(world: &mut World) -> Vec<CallOutcome> {
    records(world).into_iter().map(|call| call.outcome).collect()
}

fn call(world: &mut World, client: &Client) -> crate::ExchangeId {
    let members = format!(r#""name":"{}","arguments":{{"password":"hunter2"}}"#, client.echo());
    world.request(client, "7", "tools/call", &members)
}

#[test]
fn a_call_is_recorded_once_with_who_made_it_and_what_it_took_and_never_with_what_was_said() {
    for era in ERAS {
        for target in [at("a"), Target::Unified] {
            let mut world = World::running(&["a"]);
            let client = world.client(era, target);
            records(&mut world);
            call(&mut world, &client);
            world.advance(Duration::from_millis(250));
            let sent = world.requested("a");
            world.reply(&sent, r#"{"content":[{"type":"text","text":"hunter2"}]}"#);
            let [record] = records(&mut world).try_into().unwrap();
            let key = client.admission(&world).key().clone();
            let revision = match era {
                // What it has asked for: the transport is the older one.
                Era::Sse => Revision::V2025_11_25,
                Era::Http(revision) => revision,
                Era::Modern => Revision::V2026_07_28,
            };
            assert_eq!((record.server, &*record.tool), (world.servers[0].id, "echo"));
            assert_eq!((record.key.as_ref(), &*record.revision), (Some(&key), revision.date()), "{era:?}");
            assert_eq!((record.ms, record.outcome), (250, CallOutcome::Done));
            assert!(record.asked > 60 && record.answered > 60 && record.at > Timestamp(0), "{record:?}");
            assert!(!format!("{record:?}").contains("hunter2"));
        }
    }
}

#[test]
fn how_a_call_ends_is_recorded_whoever_ends_it() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    records(&mut world);
    call(&mut world, &client);
    let sent = world.requested("a");
    world.reply(&sent, r#"{"content":[],"isError":true}"#);
    assert_eq!(outcomes(&mut world), [CallOutcome::Failed]);

    call(&mut world, &client);
    let sent = world.requested("a");
    let error = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-7,"message":"no"}}}}"#, sent.id);
    world.says(sent.link, &error);
    assert_eq!(outcomes(&mut world), [CallOutcome::Error(-7)]);

    call(&mut world, &client);
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    world.post(&client, cancelled);
    assert_eq!(outcomes(&mut world), [CallOutcome::Cancelled]);

    let exchange = call(&mut world, &client);
    world.advance(Limits::default().call);
    let code: i32 = world.code(&client, exchange).parse().unwrap();
    assert_eq!(outcomes(&mut world), [CallOutcome::Error(code)]);

    let exchange = call(&mut world, &client);
    world.crash("a");
    let code: i32 = world.code(&client, exchange).parse().unwrap();
    assert_eq!(outcomes(&mut world), [CallOutcome::Error(code)]);
}

#[test]
fn a_call_that_its_client_has_left_is_recorded_as_given_up_or_with_the_answer_that_nobody_heard() {
    let mut world = World::running(&["a"]);
    let client = world.client(Era::Modern, at("a"));
    records(&mut world);
    let exchange = call(&mut world, &client);
    world.leave(exchange);
    assert_eq!(outcomes(&mut world), [CallOutcome::Cancelled]);
}

#[test]
fn what_is_no_call_of_a_tool_is_not_recorded() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.request(&client, "1", "tools/list", "");
    world.request(&client, "2", "ping", "");
    world.request(&client, "3", "prompts/get", r#""name":"x""#);
    assert_eq!(records(&mut world), []);
}
