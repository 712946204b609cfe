//! What a process offers that serves somebody alone.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::ports::upstream::CloseReason;
use crate::record::Sharing;
use crate::rpc::Field;

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

fn world(sharing: Sharing) -> World {
    let mut world = World::scripted(Limits::default(), ["a", "b"].map(|name| (name, Script::default())));
    world.configure(|servers| servers[0].spec.sharing = sharing);
    world.surveyed()
}

fn called(world: &mut World, client: &Client) -> Sent {
    world.call(client, "1");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    sent
}

#[derive(serde::Deserialize)]
struct Named {
    name: String,
}

/// The process of `sent` offers this from now on, and says so.
fn change(world: &mut World, sent: &Sent, tools: &[&str]) {
    world.scripts.get_mut("a").unwrap().tools = tools.iter().map(ToString::to_string).collect();
    world.says(sent.link, CHANGED);
    world.advance(Limits::default().debounce);
}

fn tools(world: &mut World, client: &Client) -> Vec<String> {
    let exchange = world.request(client, "9", "tools/list", "");
    let answer = world.answer(client, exchange);
    let listed: Vec<Named> = serde_json::from_slice(answer.raw(Field::Tools).unwrap()).unwrap();
    let names = listed.into_iter().map(|tool| tool.name);
    names.filter(|name| !name.starts_with("hub__")).collect()
}

fn told(world: &mut World, client: &Client, stream: crate::ExchangeId) -> usize {
    world.take(client, stream).iter().filter(|text| text.contains("tools/list_changed")).count()
}

#[test]
fn a_session_sees_and_hears_of_the_lists_of_its_own_process_and_nobody_else_does() {
    for target in [at("a"), Target::Unified] {
        let mut world = world(Sharing::PerSession);
        let [own, other] = [(); 2].map(|()| world.client(HTTP, target.clone()));
        let streams = [&own, &other].map(|client| world.open(client, Verb::Listen));
        let modern = Client::new(Era::Modern, target.clone());
        let before = tools(&mut world, &own);
        let sent = called(&mut world, &own);
        assert_eq!(told(&mut world, &own, streams[0]), 0, "nothing has changed yet");
        change(&mut world, &sent, &["echo", "more"]);
        assert_eq!(told(&mut world, &own, streams[0]), 1);
        assert_eq!(told(&mut world, &other, streams[1]), 0);
        let after: BTreeSet<String> = tools(&mut world, &own).into_iter().collect();
        let new: Vec<String> = after.difference(&before.iter().cloned().collect()).cloned().collect();
        assert_eq!(new, [if target == Target::Unified { "a__more" } else { "more" }]);
        assert_eq!(tools(&mut world, &other), before);
        assert_eq!(tools(&mut world, &modern), before);
        // What is listed can be called.
        world.request(&own, "5", "tools/call", &["\"name\":\"", &new[0], "\""].concat());
        let called = world.requested("a");
        assert_eq!((called.link, called.params.as_str()), (sent.link, r#"{"name":"more"}"#));
    }
}

#[test]
fn a_key_of_the_stateless_era_sees_and_hears_of_the_lists_of_its_own_process() {
    let mut world = world(Sharing::PerUser);
    let own = Client::new(Era::Modern, at("a"));
    let other = Client { key: "other", ..own.clone() };
    let filter = r#""notifications":{"toolsListChanged":true}"#;
    let streams = [&own, &other].map(|client| world.request(client, "7", "subscriptions/listen", filter));
    let sent = called(&mut world, &own);
    change(&mut world, &sent, &["other"]);
    assert_eq!(told(&mut world, &own, streams[0]), 1);
    assert_eq!(told(&mut world, &other, streams[1]), 0);
    assert_eq!(tools(&mut world, &own), ["other"]);
    assert_eq!(tools(&mut world, &other), ["echo"]);
}

#[test]
fn a_process_that_offers_something_else_from_its_start_is_found_out_without_a_word_of_it() {
    let mut world = world(Sharing::PerSession);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    world.scripts.get_mut("a").unwrap().tools = Vec::from(["mine".to_owned()]);
    called(&mut world, &client);
    assert_eq!(told(&mut world, &client, stream), 1);
    assert_eq!(tools(&mut world, &client), ["mine"]);
}

#[test]
fn lists_stay_while_a_process_is_started_again_and_go_when_it_is_given_up() {
    let mut world = world(Sharing::PerSession);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let sent = called(&mut world, &client);
    change(&mut world, &sent, &["mine"]);
    world.close(sent.link, CloseReason::Exited(1));
    assert_eq!(told(&mut world, &client, stream), 1);
    assert_eq!(tools(&mut world, &client), ["mine"]);
    world.advance(Limits::default().idle * 2);
    assert_eq!(told(&mut world, &client, stream), 1);
    assert_eq!(tools(&mut world, &client), ["echo"]);
}

#[test]
fn a_list_that_a_process_does_not_tell_any_more_stays_as_it_was_there() {
    let mut world = world(Sharing::PerSession);
    let client = world.client(HTTP, at("a"));
    let sent = called(&mut world, &client);
    change(&mut world, &sent, &["mine"]);
    world.scripts.get_mut("a").unwrap().lists = false;
    change(&mut world, &sent, &["never told"]);
    let asked = world.requested("a");
    assert_eq!((asked.link, &*asked.method), (sent.link, "tools/list"));
    let error = r#""error":{"code":-32603,"message":"not now"}"#;
    world.says(asked.link, &alloc::format!(r#"{{"jsonrpc":"2.0","id":{},{error}}}"#, asked.id));
    assert_eq!(tools(&mut world, &client), ["mine"]);
}

#[test]
fn a_change_of_the_shared_lists_does_not_reach_whoever_has_a_process_of_its_own() {
    let mut world = world(Sharing::PerSession);
    let [client, idle] = [(); 2].map(|()| world.client(HTTP, Target::Unified));
    let streams = [&client, &idle].map(|client| world.open(client, Verb::Listen));
    called(&mut world, &client);
    let shared = world.links.iter().find(|(_, wire)| wire.server == "a").map(|(link, _)| *link).unwrap();
    world.scripts.get_mut("a").unwrap().tools = Vec::from(["new".to_owned()]);
    world.says(shared, CHANGED);
    world.advance(Limits::default().debounce);
    assert_eq!(tools(&mut world, &idle), ["a__new", "b__echo"]);
    assert_eq!(tools(&mut world, &client), ["a__echo", "b__echo"]);
    assert_eq!(told(&mut world, &idle, streams[1]), 1);
    assert_eq!(told(&mut world, &client, streams[0]), 0, "what it sees is as it was");
    // Other servers are seen by all as they are.
    let link = world.link("b");
    world.scripts.get_mut("b").unwrap().tools = Vec::from(["late".to_owned()]);
    world.says(link, CHANGED);
    world.advance(Limits::default().debounce);
    assert_eq!(tools(&mut world, &client), ["a__echo", "b__late"]);
    assert_eq!(told(&mut world, &client, streams[0]), 1);
    // Until both processes say the same.
    let own = world.link("a");
    world.scripts.get_mut("a").unwrap().tools = Vec::from(["new".to_owned()]);
    world.says(own, CHANGED);
    world.advance(Limits::default().debounce);
    assert_eq!(tools(&mut world, &client), ["a__new", "b__late"]);
    assert_eq!(told(&mut world, &client, streams[0]), 1);
}

#[test]
fn a_session_is_not_told_of_the_lists_of_a_process_that_serves_its_key_beside_it() {
    let mut world = world(Sharing::PerSession);
    let modern = Client::new(Era::Modern, at("a"));
    let session = world.client(HTTP, at("a"));
    let stream = world.open(&session, Verb::Listen);
    let sent = called(&mut world, &modern);
    change(&mut world, &sent, &["other"]);
    assert_eq!(tools(&mut world, &session), ["echo"]);
    assert_eq!(told(&mut world, &session, stream), 0);
}

#[test]
fn a_process_that_nobody_has_used_for_a_while_makes_room_for_another() {
    let limits = Limits { private_processes: 2, ..Limits::default() };
    let mut world = World::scripted(limits.clone(), [("a", Script::default())]);
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerSession);
    let mut world = world.surveyed();
    let clients = [(); 3].map(|()| world.client(HTTP, at("a")));
    for client in &clients[..2] {
        called(&mut world, client);
    }
    let refused = world.call(&clients[2], "1");
    let answer = world.answer(&clients[2], refused);
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("private_processes"), "{answer:?}");
    world.advance(limits.private_spare / 2);
    let used = called(&mut world, &clients[0]);
    world.advance(limits.private_spare / 2);
    called(&mut world, &clients[2]);
    assert_eq!(called(&mut world, &clients[0]).link, used.link, "the one unused longest has gone");
}

#[test]
fn a_process_in_which_somebody_has_subscribed_does_not_make_room() {
    let limits = Limits { private_processes: 1, ..Limits::default() };
    let capabilities = r#"{"tools":{},"resources":{"subscribe":true}}"#.into();
    let script = Script { capabilities, ..Script::full(&["file:///a"], &[]) };
    let mut world = World::scripted(limits.clone(), [("a", script)]);
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerSession);
    let mut world = world.surveyed();
    let clients = [(); 2].map(|()| world.client(HTTP, at("a")));
    let subscribed = world.request(&clients[0], "1", "resources/subscribe", r#""uri":"file:///a""#);
    world.advance(limits.debounce);
    let asked = world.requested("a");
    world.reply(&asked, "{}");
    world.take(&clients[0], subscribed);
    world.advance(limits.private_spare * 2);
    let refused = world.call(&clients[1], "1");
    assert_eq!(world.code(&clients[1], refused), "-31004");
}
