//! Who shares a server's process with whom.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::record::Sharing;
use crate::rpc::Field;

pub(super) const ABLE: &str = r#"{"sampling":{},"elicitation":{},"roots":{"listChanged":true}}"#;

pub(super) fn world(sharing: Sharing) -> World {
    world_of(sharing, Script::default())
}

fn world_of(sharing: Sharing, script: Script) -> World {
    let mut world = World::scripted(Limits::default(), [("a", script)]);
    world.configure(|servers| servers[0].spec.sharing = sharing);
    world.surveyed()
}

pub(super) fn called(world: &mut World, client: &Client) -> Sent {
    world.call(client, "1");
    world.requested("a")
}

/// The server asks over the link of a message that it was sent.
pub(super) fn ask(world: &mut World, sent: &Sent) {
    world.says(
        sent.link,
        r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#,
    );
}

pub(super) fn refused(world: &mut World) -> bool {
    world.frames("a").iter().any(|(_, text)| text.contains(r#""id":"q","error":{"code":-32601"#))
}

#[test]
fn a_shared_server_has_one_process_whatever_it_asks() {
    let mut world = world(Sharing::Shared);
    for _ in 0..3 {
        let client = world.able_client(HTTP, at("a"), ABLE);
        let sent = called(&mut world, &client);
        ask(&mut world, &sent);
    }
    assert_eq!(world.starts(), 1);
}

#[test]
fn each_session_has_a_process_of_its_own_where_the_policy_says_so() {
    let mut world = world(Sharing::PerSession);
    let clients = [Era::Sse, HTTP].map(|era| world.client(era, at("a")));
    let links = clients.each_ref().map(|client| called(&mut world, client).link);
    assert_ne!(links[0], links[1]);
    assert_eq!(called(&mut world, &clients[0]).link, links[0]);
    // In the era without sessions a key is the nearest thing.
    let modern = Client::new(Era::Modern, at("a"));
    let other = Client { key: "other", ..modern.clone() };
    let first = called(&mut world, &modern).link;
    assert_eq!(called(&mut world, &modern).link, first);
    assert_ne!(called(&mut world, &other).link, first);
}

#[test]
fn each_key_has_a_process_of_its_own_where_the_policy_says_so() {
    let mut world = world(Sharing::PerUser);
    let session = world.client(HTTP, at("a"));
    let link = called(&mut world, &session).link;
    assert_eq!(called(&mut world, &Client::new(Era::Modern, at("a"))).link, link);
    let second = world.client(HTTP, Target::Unified);
    assert_eq!(called(&mut world, &second).link, link);
    let other = Client { key: "other", ..Client::new(Era::Modern, at("a")) };
    assert_ne!(called(&mut world, &other).link, link);
}

#[test]
fn a_server_that_asks_is_remembered_and_serves_each_session_that_can_answer_by_itself() {
    let mut world = world(Sharing::Auto);
    let first = world.able_client(HTTP, at("a"), ABLE);
    let shared = called(&mut world, &first);
    assert_eq!(world.starts(), 1);
    ask(&mut world, &shared);
    let offer = |world: &World| world.snapshot.named("a").unwrap().offer.clone().unwrap();
    assert!(offer(&world).definitions().interactive, "it is in the catalogue");
    let dumb = world.client(HTTP, at("a"));
    assert_eq!(called(&mut world, &dumb).link, shared.link, "who cannot be asked needs no own process");
    let second = world.able_client(HTTP, at("a"), ABLE);
    let own = called(&mut world, &second);
    assert_ne!(own.link, shared.link);
    ask(&mut world, &own);
    assert!(!refused(&mut world), "whoever is asked on a process of its own is meant");
    // And in the next life of the hub.
    let mut world = world.restarted();
    let third = world.able_client(HTTP, at("a"), ABLE);
    let own = called(&mut world, &third);
    let plain = world.client(HTTP, at("a"));
    assert_ne!(called(&mut world, &plain).link, own.link);
}

#[test]
fn a_question_while_several_call_is_refused_and_marks_the_server_all_the_same() {
    let mut world = world(Sharing::Auto);
    let clients = [(); 2].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let sent = clients.each_ref().map(|client| called(&mut world, client));
    assert_eq!(sent[0].link, sent[1].link);
    ask(&mut world, &sent[0]);
    assert!(refused(&mut world));
    assert_ne!(called(&mut world, &clients[0]).link, called(&mut world, &clients[1]).link);
}

#[test]
fn the_mark_survives_that_the_server_is_asked_for_its_lists_again() {
    let mut world = world(Sharing::Auto);
    let client = world.able_client(HTTP, at("a"), ABLE);
    let sent = called(&mut world, &client);
    ask(&mut world, &sent);
    world.scripts.get_mut("a").unwrap().tools.push("more".to_owned());
    world.says(sent.link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.advance(Limits::default().debounce);
    let offer = world.snapshot.named("a").unwrap().offer.clone().unwrap();
    assert_eq!((offer.definitions().tools.len(), offer.definitions().interactive), (2, true));
}

#[test]
fn a_process_of_its_own_is_told_what_its_session_can_do_and_a_shared_one_what_any_could() {
    let script = Script { hello: super::script::Hello::Silent, ..Script::default() };
    let mut world = world_of(Sharing::PerSession, script);
    let shared = world.requested("a");
    assert!(shared.params.contains(r#""sampling":{"context":{},"tools":{}}"#), "{}", shared.params);
    let ui = r#""extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}"#;
    assert!(shared.params.contains(ui), "{}", shared.params);
    let hello = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{}}"#;
    world.reply(&shared, hello);
    let client = world.able_client(HTTP, at("a"), r#"{"roots":{}}"#);
    world.call(&client, "1");
    let own = world.requested("a");
    assert_eq!(own.method, "initialize");
    assert!(own.params.contains(r#""capabilities":{"roots":{"listChanged":true}}"#), "{}", own.params);
}

#[test]
fn what_a_server_asks_outside_of_calls_goes_to_the_only_session_that_it_can_mean() {
    for sharing in [Sharing::Shared, Sharing::PerSession] {
        let mut world = world(sharing);
        let client = world.able_client(HTTP, at("a"), ABLE);
        let stream = world.open(&client, Verb::Listen);
        let sent = called(&mut world, &client);
        world.reply(&sent, "{}");
        world.says(sent.link, r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#);
        let asked = world.take(&client, stream);
        let id = super::world::read(&asked[0]).raw_str(Field::Id).unwrap().to_owned();
        world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[]}}}}"#));
        let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
        assert!(
            told.iter().any(|text| text == r#"{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}"#),
            "{told:?}"
        );
        // A second session that shares the process makes it ambiguous.
        world.able_client(HTTP, at("a"), ABLE);
        world.says(sent.link, r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
        assert_eq!(refused(&mut world), sharing == Sharing::Shared);
    }
}

#[test]
fn with_several_calls_in_flight_a_process_of_its_own_still_asks_its_session() {
    let mut world = world(Sharing::PerSession);
    let client = world.able_client(HTTP, at("a"), ABLE);
    let first = world.call(&client, "1");
    world.call(&client, "2");
    let sent = world.requests("a");
    ask(&mut world, &sent[0]);
    assert!(world.take(&client, first)[0].contains("elicitation/create"));
    let stream = world.open(&client, Verb::Listen);
    world.says(sent[0].link, r#"{"jsonrpc":"2.0","id":"r","method":"roots/list"}"#);
    assert!(world.take(&client, stream)[0].contains("roots/list"), "its own stream is the better place");
}

#[test]
fn a_process_of_its_own_ends_with_its_session_and_with_its_key() {
    for sharing in [Sharing::PerSession, Sharing::PerUser] {
        let mut world = world(sharing);
        let client = world.client(HTTP, at("a"));
        let sent = called(&mut world, &client);
        world.reply(&sent, "{}");
        if sharing == Sharing::PerSession {
            world.delete(&client);
        } else {
            world.feed(crate::shard::Input::KeyRevoked(crate::KeyId("key".into())));
        }
        assert!(world.links[&sent.link].closed);
        assert_eq!(world.links.values().filter(|wire| !wire.closed).count(), 1, "the shared one stays");
    }
}

#[test]
fn a_process_of_its_own_that_is_not_used_ends_and_comes_back() {
    let mut world = world(Sharing::PerSession);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, Verb::Listen);
    let sent = called(&mut world, &client);
    world.reply(&sent, "{}");
    world.advance(Limits::default().idle + crate::shard::timers::SWEEP);
    assert!(world.links[&sent.link].closed);
    assert!(!world.seen(stream).ended, "the session lives");
    let again = called(&mut world, &client);
    assert_ne!(again.link, sent.link);
}

#[test]
fn a_process_that_works_is_not_idle() {
    let mut world = world(Sharing::PerSession);
    let limits = Limits::default();
    let client = world.client(HTTP, at("a"));
    world.open(&client, Verb::Listen);
    let sent = called(&mut world, &client);
    for n in 0..14 {
        world.advance(core::time::Duration::from_secs(55));
        let token = &sent.id;
        let params = format!(r#""params":{{"progressToken":{token},"progress":{n}}}"#);
        world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress",{params}}}"#));
    }
    assert!(limits.idle < core::time::Duration::from_secs(55 * 14));
    assert!(!world.links[&sent.link].closed);
}

#[test]
fn a_server_has_only_so_many_processes_of_somebody_s_own() {
    let limits = Limits { private_processes: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]);
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerSession);
    let mut world = world.surveyed();
    let clients = [(); 3].map(|()| world.client(HTTP, at("a")));
    called(&mut world, &clients[0]);
    called(&mut world, &clients[1]);
    let call = world.call(&clients[2], "1");
    let answer = world.answer(&clients[2], call);
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("private_processes"), "{answer:?}");
    world.delete(&clients[0]);
    called(&mut world, &clients[2]);
}

#[test]
fn what_waits_for_one_session_s_answer_is_bounded() {
    let limits = Limits { session_questions: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let client = world.able_client(HTTP, at("a"), ABLE);
    let sent = called(&mut world, &client);
    for n in 0..3 {
        let link = sent.link;
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":"{n}","method":"roots/list"}}"#));
    }
    let told: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert!(told.len() == 1 && told[0].contains(r#""id":"2","error""#), "{told:?}");
    assert!(told[0].contains("limit session_questions"), "{told:?}");
}

fn subscribable() -> Script {
    Script { capabilities: r#"{"resources":{"subscribe":true}}"#.to_owned(), ..Script::full(&["u:1"], &[]) }
}

#[test]
fn subscriptions_are_made_where_the_session_is_served() {
    let script = subscribable();
    let mut world = world_of(Sharing::PerSession, script);
    let clients = [(); 2].map(|()| world.client(HTTP, at("a")));
    let streams = clients.each_ref().map(|client| world.open(client, Verb::Listen));
    let links = clients.each_ref().map(|client| {
        world.request(client, "1", "resources/subscribe", r#""uri":"u:1""#);
        let sent = world.requested("a");
        assert_eq!(sent.method, "resources/subscribe");
        world.reply(&sent, "{}");
        sent.link
    });
    assert_ne!(links[0], links[1]);
    let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}"#;
    world.says(links[0], updated);
    let heard = [0, 1].map(|n: usize| world.take(&clients[n], streams[n]).len().to_string());
    assert_eq!(heard, ["1", "0"]);
}

#[test]
fn subscriptions_follow_a_client_to_the_process_that_serves_it_alone() {
    let script = subscribable();
    let updated = r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"u:1"}}"#;
    for era in [HTTP, Era::Modern] {
        let mut world = world_of(Sharing::Auto, script.clone());
        let client = if era == HTTP {
            world.able_client(HTTP, at("a"), ABLE)
        } else {
            Client { capabilities: ABLE, ..Client::new(era, at("a")) }
        };
        let stream = if era == HTTP {
            let stream = world.open(&client, Verb::Listen);
            world.request(&client, "1", "resources/subscribe", r#""uri":"u:1""#);
            stream
        } else {
            let filter = r#""notifications":{"resourceSubscriptions":["u:1"]}"#;
            world.request(&client, "1", "subscriptions/listen", filter)
        };
        let subscribed = world.requested("a");
        world.reply(&subscribed, "{}");
        let shared = called(&mut world, &client);
        ask(&mut world, &shared);
        world.take(&client, stream);
        world.call(&client, "2");
        let sent = world.requests("a");
        let methods: Vec<(bool, String)> =
            sent.iter().map(|sent| (sent.link != shared.link, sent.method.clone())).collect();
        assert_eq!(
            methods,
            [(true, "resources/subscribe".to_owned()), (true, "tools/call".to_owned())],
            "{era:?}"
        );
        let own = world.link("a");
        assert_ne!(own, shared.link);
        world.reply(&sent[0], "{}");
        world.says(own, updated);
        assert!(world.take(&client, stream)[0].contains("resources/updated"), "{era:?}");
        if era == Era::Modern {
            continue;
        }
        for (method, asked) in [("subscribe", &[own][..]), ("unsubscribe", &[shared.link, own])] {
            world.request(&client, "3", &format!("resources/{method}"), r#""uri":"u:1""#);
            let sent = world.requests("a");
            assert!(sent.iter().all(|sent| sent.method.ends_with(method)), "{sent:?}");
            assert_eq!(sent.iter().map(|sent| sent.link).collect::<Vec<_>>(), asked, "{method}");
            for sent in &sent {
                world.reply(sent, "{}");
            }
            world.take(&client, stream);
            for link in [shared.link, own] {
                world.says(link, updated);
            }
            let once_each = if method == "subscribe" { 2 } else { 0 };
            assert_eq!(world.take(&client, stream).len(), once_each, "{method}");
        }
    }
}

#[test]
fn a_stream_opened_later_is_heard_at_the_processes_that_its_key_has() {
    let script = subscribable();
    let mut world = world_of(Sharing::PerUser, script);
    let client = Client::new(Era::Modern, at("a"));
    let own = called(&mut world, &client).link;
    world.request(
        &client,
        "1",
        "subscriptions/listen",
        r#""notifications":{"resourceSubscriptions":["u:1"]}"#,
    );
    let links: Vec<_> = world.requests("a").iter().map(|sent| sent.link).collect();
    assert!(links.contains(&own), "{links:?}");
}

#[test]
fn where_a_server_has_too_many_processes_a_session_that_could_have_its_own_shares() {
    let limits = Limits { private_processes: 1, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let clients = [(); 3].map(|()| world.able_client(HTTP, at("a"), ABLE));
    let shared = called(&mut world, &clients[0]);
    ask(&mut world, &shared);
    let own = called(&mut world, &clients[1]);
    assert_ne!(own.link, shared.link);
    assert_eq!(called(&mut world, &clients[2]).link, shared.link);
    let modern = Client { capabilities: ABLE, ..Client::new(Era::Modern, at("a")) };
    assert_eq!(called(&mut world, &modern).link, shared.link);
    world.reply(&own, "{}");
    world.advance(Limits::default().private_spare);
    let made_room = called(&mut world, &clients[2]);
    assert!(made_room.link != shared.link && made_room.link != own.link, "one that is unused makes room");
}
