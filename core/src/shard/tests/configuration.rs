//! Another configuration: servers that are gone, changed, or left alone.

use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::parking;
use super::script::Script;
use super::world::{World, spec};
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::record::{ServerSpec, Sharing};
use crate::rpc::Field;
use crate::shard::Effect;

fn closes(world: &World) -> usize {
    world.log.iter().filter(|effect| matches!(effect, Effect::CloseLink { .. })).count()
}

fn remove(world: &mut World, name: &str) {
    world.configure(|servers| servers.retain(|server| server.name != name));
}

fn change(world: &mut World, name: &str) {
    world.configure(|servers| {
        servers
            .iter_mut()
            .filter(|server| server.name == name)
            .for_each(|server| server.spec = spec("other"));
    });
}

#[test]
fn a_removed_server_drains_its_calls_and_ends() {
    for era in ERAS {
        for target in [at("a"), Target::Unified] {
            let mut world = World::running(&["a", "b"]);
            let client = world.client(era, target);
            let exchange = world.call(&client, "1");
            let sent = world.requested("a");
            remove(&mut world, "a");
            assert_eq!(closes(&world), 0, "{era:?}");
            world.take(&client, exchange);
            world.advance(Duration::from_secs(20));
            world.reply(&sent, "{}");
            assert!(world.answer(&client, exchange).has(Field::Result), "{era:?} {:?}", client.target);
            assert_eq!(closes(&world), 1);
            assert!(world.warnings().is_empty(), "an end that was wanted is no failure");
        }
    }
}

#[test]
fn a_parked_call_of_a_server_that_changes_has_the_time_of_others_to_end() {
    for (away, goes_on) in [(Duration::from_secs(20), true), (Duration::from_secs(30), false)] {
        let mut world = World::running(&["a"]);
        let client = parking::client();
        let question = parking::asked(&mut world, &client);
        change(&mut world, "a");
        world.advance(away);
        let again = parking::come_back(&mut world, &client, &question, &parking::accepted(&question));
        if goes_on {
            world.says(question.link, &parking::answer_of_the_call(&question));
            assert!(world.answer(&client, again).has(Field::Result));
            assert_eq!(closes(&world), 1);
        } else {
            assert_eq!(world.code(&client, again), "-31003");
        }
    }
}

#[test]
fn a_removed_server_with_nothing_to_do_ends_at_once() {
    let mut world = World::running(&["a", "b"]);
    remove(&mut world, "a");
    assert_eq!(closes(&world), 1);
    assert!(world.warnings().is_empty());
    world.advance(Duration::from_mins(1));
    assert_eq!(world.starts(), 2);
}

#[test]
fn calls_that_take_longer_than_the_drain_have_an_unknown_outcome() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.call(&client, "1");
    remove(&mut world, "a");
    world.advance(Duration::from_millis(29_999));
    assert!(!world.seen(exchange).ended);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.code(&client, exchange), "-31003");
}

#[test]
fn calls_that_were_not_sent_to_a_removed_server_are_answered_at_once() {
    for script in [Script::stuck(), Script::silent()] {
        let mut world = World::running(&["a"]).restarted();
        world.scripts.insert("a".into(), script);
        let client = Client::new(Era::Modern, at("a"));
        let exchange = world.call(&client, "1");
        remove(&mut world, "a");
        let answer = world.answer(&client, exchange);
        assert_eq!(answer.raw_str(Field::Code), Some("-31001"));
        assert!(answer.text(Field::ErrorMessage).unwrap().contains("removed or disabled"));
    }
}

#[test]
fn calls_that_were_not_sent_to_a_server_that_changes_are_made_of_it_as_it_is_now() {
    for script in [Script::stuck(), Script::silent()] {
        for sharing in [Sharing::Shared, Sharing::PerUser] {
            let mut world = World::running(&["a"]).restarted();
            let before = world.scripts.insert("a".into(), script.clone()).unwrap();
            let client = Client::new(Era::Modern, at("a"));
            let exchange = world.call(&client, "1");
            world.scripts.insert("a".into(), before);
            world.configure(|servers| servers[0].spec = ServerSpec { sharing, ..spec("other") });
            let sent = world.requests("a").pop().expect("a request");
            world.reply(&sent, "{}");
            assert!(world.answer(&client, exchange).has(Field::Result), "{sharing:?}");
            assert_eq!(world.shard.gauges().in_flight, 0);
        }
    }
}

#[test]
fn a_request_that_waits_for_a_server_that_is_removed_is_answered() {
    for era in [HTTP, Era::Modern] {
        let mut world = World::scripted(Limits::default(), [("a", Script::stuck())]);
        let client = Client::new(era, at("a"));
        let exchange = match era {
            Era::Modern => world.request(&client, "1", "tools/list", ""),
            Era::Http(_) | Era::Sse => world.initialize(&client, "2025-11-25"),
        };
        assert!(!world.seen(exchange).ended);
        remove(&mut world, "a");
        assert_eq!(world.code(&client, exchange), "-31001", "{era:?}");
        assert_eq!(world.shard.session_count(), 0);
    }
}

#[test]
fn sessions_of_a_removed_server_end_and_those_of_others_do_not() {
    let mut world = World::running(&["a", "b"]);
    let gone = [HTTP, Era::Sse].map(|era| world.client(era, at("a")));
    let kept = [at("b"), Target::Unified].map(|target| world.client(HTTP, target));
    let stream = world.open(&gone[0], Verb::Listen);
    world.call(&gone[0], "1");
    remove(&mut world, "a");
    assert_eq!(world.shard.session_count(), 3, "one still waits for an answer");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.seen(stream).ended && world.seen(gone[1].stream.unwrap()).ended);
    assert_eq!(world.shard.session_count(), 2);
    for client in &kept {
        let exchange = world.request(client, "2", "ping", "");
        assert_eq!(world.seen(exchange).status, Some(200));
    }
}

#[test]
fn a_changed_server_starts_anew_and_the_old_one_drains() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    let old = world.call(&client, "1");
    let first = world.requested("a");
    change(&mut world, "a");
    let new = world.call(&client, "2");
    let second = world.requested("a");
    assert_ne!(first.link, second.link);
    world.reply(&second, r#"{"n":2}"#);
    world.reply(&first, r#"{"n":1}"#);
    for (exchange, part) in [(old, r#""n":1"#), (new, r#""n":2"#)] {
        assert!(world.answer(&client, exchange).raw_str(Field::Result).unwrap().contains(part));
    }
    assert_eq!((world.starts(), closes(&world)), (2, 1));
}

#[test]
fn calls_of_a_server_that_drains_can_still_be_cancelled() {
    for era in ERAS {
        let mut world = World::running(&["a", "b"]);
        let client = world.client(era, Target::Unified);
        let exchange = world.call(&client, "1");
        world.requests("a");
        change(&mut world, "a");
        match era {
            Era::Modern => world.leave(exchange),
            Era::Http(_) => drop(world.delete(&client)),
            Era::Sse => world.leave(client.stream.unwrap()),
        }
        let told = world.frames("a").iter().any(|(_, text)| text.contains("notifications/cancelled"));
        assert!(told, "{era:?}");
        assert_eq!(closes(&world), 1, "nobody waits for it any more");
    }
}

#[test]
fn an_unchanged_server_is_left_alone() {
    let mut world = World::running(&["a", "b"]);
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.call(&client, "1");
    let sent = world.requested("a");
    let before = world.log.len();
    remove(&mut world, "b");
    world.configure(|servers| servers[0].spec.auto_approve.push("echo".into()));
    let touches = |effect: &Effect| {
        let own = matches!(effect, Effect::CloseLink { link, .. } | Effect::SendFrame { link, .. } if *link == sent.link);
        own || matches!(effect, Effect::OpenLink { .. })
    };
    assert!(!world.log[before..].iter().any(touches));
    world.reply(&sent, "{}");
    assert!(world.answer(&client, exchange).has(Field::Result));
}

#[test]
fn a_disabled_server_ends_and_is_not_listed_and_comes_back() {
    let mut world = World::running(&["a", "b"]);
    let client = world.client(HTTP, Target::Unified);
    for disabled in [true, false] {
        world.configure(|servers| servers[0].spec.disabled = disabled);
        let exchange = world.request(&client, "1", "tools/list", "");
        let listed = world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("a__echo");
        assert_eq!(listed, !disabled);
    }
    assert_eq!((world.starts(), closes(&world)), (2, 1), "what is known is listed without a process");
    let one = Client::new(Era::Modern, at("a"));
    world.configure(|servers| servers[0].spec.disabled = true);
    let exchange = world.call(&one, "1");
    assert_eq!(world.code(&one, exchange), "-31001", "an admission that is out of date is answered too");
}

#[test]
fn a_server_that_changes_while_it_is_disabled_is_learnt_as_it_is_now() {
    let mut world = World::running(&["a"]);
    let client = Client::new(Era::Modern, at("a"));
    world.configure(|servers| servers[0].spec.disabled = true);
    world.call(&client, "1");
    change(&mut world, "a");
    let exchange = world.request(&client, "2", "tools/list", "");
    assert!(world.answer(&client, exchange).has(Field::Result), "and listed");
}

#[test]
fn a_server_that_changes_while_it_starts_starts_again_as_it_is_now() {
    for script in [Script::stuck(), Script::silent()] {
        let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
        world.scripts.insert("a".into(), Script::default());
        change(&mut world, "a");
        let client = Client::new(Era::Modern, at("a"));
        let exchange = world.request(&client, "1", "tools/list", "");
        assert!(world.answer(&client, exchange).has(Field::Result));
        assert_eq!((world.starts(), closes(&world)), (2, 1));
    }
}

#[test]
fn what_an_old_process_lists_says_nothing_about_the_new_one() {
    let mut world = World::new(&["a"]);
    world.publishes = false;
    world.feed(crate::shard::Input::SurveyAsked);
    change(&mut world, "a");
    let learnt = world.unpublished.pop().unwrap();
    let changes = world.publish(learnt);
    world.feed(crate::shard::Input::SnapshotReplaced(changes));
    let offer = &world.snapshot.named("a").unwrap().offer;
    assert!(offer.is_none());
}
