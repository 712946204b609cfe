//! Many who have subscribed to much: what they take together has a bound, of which each key leaves others their part.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::clients::{Client, Era, HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::Limits;
use crate::ports::gateway::Target;
use crate::rpc::Field;

/// What one subscription takes here.
const ONE: usize = 128 + 2 * "u:00".len();

/// A world in which there is room for so many subscriptions.
fn world(room: usize) -> World {
    let script = Script {
        capabilities: r#"{"resources":{"subscribe":true}}"#.to_owned(),
        ..Script::full(&["u:00"], &[])
    };
    let limits = Limits { subscription_bytes: room * ONE, ..Limits::default() };
    World::scripted(limits, [("a", script)]).surveyed()
}

/// The sessions in turn subscribe to one resource each after the other, until one is refused: how many were made.
fn fill(world: &mut World, sessions: &[Client]) -> usize {
    for n in 0..100 {
        let client = &sessions[n % sessions.len()];
        let asked = world.request(client, "1", "resources/subscribe", &format!(r#""uri":"u:{n:02}""#));
        world.agree("a");
        let answer = world.answer(client, asked);
        if let Some(error) = answer.raw_str(Field::Error) {
            assert!(error.contains("subscription_bytes"), "{error}");
            return n;
        }
    }
    panic!("there is no bound")
}

#[test]
fn a_key_takes_half_of_the_room_for_subscriptions_however_many_sessions_it_has_and_the_next_half_of_the_rest()
{
    let mut world = world(40);
    let greedy: Vec<Client> = (0..5).map(|_| world.client(HTTP, at("a"))).collect();
    assert_eq!(fill(&mut world, &greedy), 20);
    let mut other = Client { key: "other", ..Client::new(HTTP, at("a")) };
    let opened = world.initialize(&other, "2025-11-25");
    other.session = world.seen(opened).session.clone();
    assert_eq!(fill(&mut world, &[other]), 10);
    for uri in ["u:00", "u:05"] {
        world.request(&greedy[0], "2", "resources/unsubscribe", &format!(r#""uri":"{uri}""#));
        world.agree("a");
    }
    let again = world.request(&greedy[1], "3", "resources/subscribe", r#""uri":"u:99""#);
    assert!(world.answer(&greedy[1], again).has(Field::Error), "nine are left, and it has eighteen");
}

#[test]
fn a_stream_hears_of_the_resources_for_which_there_is_room() {
    let mut world = world(6);
    let client = Client::new(Era::Modern, Target::Unified);
    let filter = r#""notifications":{"resourceSubscriptions":["u:00","u:01","u:02","u:03"]}"#;
    let stream = world.request(&client, "7", "subscriptions/listen", filter);
    world.agree("a");
    let said = world.take(&client, stream);
    let granted = read(&said[0]).raw_str(Field::Notifications).map(ToOwned::to_owned);
    assert_eq!(granted.as_deref(), Some(r#"{"resourceSubscriptions":["u:00","u:01","u:02"]}"#));
}
