//! The same inputs give the same effects.

use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::shard::Effects;

/// A day in the life of a hub: every era, failures, changes, and time.
fn day() -> Effects {
    let scripts = [
        ("a", Script::full(&["file:///same"], &["a://{x}"])),
        ("b", Script::full(&["file:///same"], &[])),
        ("c", Script::silent()),
    ];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    world.advance(Duration::from_mins(1));
    for round in 0..3 {
        for era in ERAS {
            for target in [at("a"), Target::Unified] {
                let client = Client::new(era, target.clone());
                if era == HTTP {
                    world.initialize(&client, "2025-06-18");
                    world.advance(Duration::from_secs(4));
                }
                let client = world.client(era, target);
                let call = world.call_with(&client, "7", r#""progressToken":"p""#);
                world.request(&client, "8", "resources/read", r#""uri":"a://1""#);
                world.request(&client, "9", "tools/list", "");
                if era == HTTP {
                    world.open(&client, Verb::Listen);
                }
                for sent in world.requests("a") {
                    world.reply(&sent, "{}");
                }
                if era == Era::Modern && round == 1 {
                    let call = world.call(&client, "10");
                    world.leave(call);
                }
                world.take(&client, call);
            }
        }
        world.crash("a");
        world.advance(Duration::from_secs(90));
        world.configure(|servers| servers[1].spec.timeout_s += 1);
        world.advance(Duration::from_mins(20));
    }
    world.log
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    let (one, two) = (day(), day());
    assert!(one.len() > 250, "{}", one.len());
    for (n, (one, two)) in one.iter().zip(&two).enumerate() {
        assert_eq!(one, two, "effect {n}");
    }
    assert_eq!(one.len(), two.len());
}
