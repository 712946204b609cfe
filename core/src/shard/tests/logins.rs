//! Remote servers that let nobody in before somebody has logged in: it is said everywhere, and mended by a login.

use alloc::borrow::ToOwned;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::renewals::remote_of;
use super::script::{Discovery, Hello, Script};
use super::world::World;
use crate::ports::upstream::CloseReason;
use crate::rpc::Field;
use crate::shard::{Input, Order};
use crate::{Fault, UpstreamFault};

const CAUSE: &str = "it answered 401; run: mcp-orch login a";

/// What a link says for a server that lets nobody in.
fn let_nobody_in(world: &mut World, sent: &Sent) {
    let fault = UpstreamFault::LoginRequired { server: "a".to_owned(), cause: CAUSE.to_owned() };
    let frame = Fault::from(fault).frame(Some(&sent.id));
    world.says(sent.link, core::str::from_utf8(&frame).unwrap());
}

#[track_caller]
fn expect_login(world: &World) {
    let view = world.view("a");
    assert_eq!((&*view.state, &*view.health), ("needs-login", "failed"));
    assert_eq!(view.cause.as_deref(), Some(CAUSE));
    assert_eq!(view.next_step.as_deref(), Some("log in there: mcp-orch login a"));
}

#[test]
fn a_server_that_lets_nobody_in_needs_a_login_and_its_calls_say_how() {
    for era in [HTTP, Era::Modern] {
        let script = Script { discovery: Discovery::Silent, hello: Hello::Silent, ..Script::default() };
        let mut world = remote_of(script);
        for _ in 0..2 {
            for sent in world.requests("a") {
                let_nobody_in(&mut world, &sent);
            }
        }
        expect_login(&world);
        let client = Client::new(era, at("a"));
        let call =
            if era == HTTP { world.initialize(&client, "2025-11-25") } else { world.call(&client, "1") };
        let answer = world.answer(&client, call);
        let said = answer.text(Field::ErrorMessage).unwrap();
        assert_eq!(said, alloc::format!("server a wants a login: {CAUSE}"), "{era:?}");
        assert!(world.requests("a").is_empty(), "it is not asked at once again");
    }
}

#[test]
fn a_server_that_lets_nobody_in_to_one_question_and_refuses_the_other_needs_a_login() {
    let script = Script { discovery: Discovery::Silent, hello: Hello::Refuses, ..Script::default() };
    let mut world = remote_of(script);
    let probe = world.requested("a");
    let_nobody_in(&mut world, &probe);
    expect_login(&world);
}

#[test]
fn a_server_that_wants_a_login_while_it_runs_says_so_until_it_lets_somebody_in() {
    let mut world = remote_of(Script::default());
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    let_nobody_in(&mut world, &sent);
    assert!(world.answer(&client, call).text(Field::ErrorMessage).unwrap().contains(CAUSE));
    expect_login(&world);
    world.call(&client, "2");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert_eq!((&*world.view("a").state, world.view("a").cause), ("running", None));
}

#[test]
fn a_server_whose_stream_wants_a_login_needs_one_until_it_is_started_anew() {
    let mut world = remote_of(Script::default());
    let link = world.link("a");
    world.close(link, CloseReason::LoginRequired(CAUSE.to_owned()));
    expect_login(&world);
    let server = world.snapshot.named("a").unwrap().id;
    world.feed(Input::Ordered { server, order: Order::Restart });
    assert_eq!(&*world.view("a").state, "running");
}
