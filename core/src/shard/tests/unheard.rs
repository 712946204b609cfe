//! Servers that are lost while somebody has subscribed.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, at};
use super::renewals::remote_of;
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Verb;
use crate::ports::upstream::CloseReason;
use crate::shard::{Effect, Input, Order};
use crate::{ExchangeId, Limits};

const URI: &str = "test://a";

fn script(modern: bool) -> Script {
    let capabilities = r#"{"tools":{},"resources":{"subscribe":true}}"#.to_owned();
    let script = if modern { Script::modern() } else { Script::full(&[URI], &[]) };
    Script { capabilities, ..script }
}

/// A session and a stream of the stateless era that have subscribed to a resource of `a`, and where they hear of it.
fn subscribe(world: &mut World) -> [(Client, ExchangeId); 2] {
    let session = world.client(HTTP, at("a"));
    let stream = world.open(&session, Verb::Listen);
    world.request(&session, "1", "resources/subscribe", &format!(r#""uri":"{URI}""#));
    for sent in world.requests("a").into_iter().filter(|sent| sent.method == "resources/subscribe") {
        world.reply(&sent, "{}");
    }
    let stateless = Client::new(Era::Modern, at("a"));
    let filter = format!(r#""notifications":{{"resourceSubscriptions":["{URI}"]}}"#);
    let listen = world.request(&stateless, "7", "subscriptions/listen", &filter);
    world.take(&stateless, listen);
    world.frames("a");
    [(session, stream), (stateless, listen)]
}

/// What each has heard of the resource.
fn heard(world: &mut World, clients: &[(Client, ExchangeId)]) -> Vec<usize> {
    let updated = format!(r#""uri":"{URI}""#);
    let count = |messages: Vec<String>| messages.iter().filter(|it| it.contains(&updated)).count();
    clients.iter().map(|(client, stream)| count(world.take(client, *stream))).collect()
}

/// How often a server was asked to tell of the resource.
fn asked(world: &World) -> usize {
    let asks = |effect: &&Effect| {
        let Effect::SendFrame { frame, .. } = effect else { return false };
        let text = core::str::from_utf8(frame).unwrap();
        text.contains("subscri") && text.contains(URI)
    };
    world.log.iter().filter(asks).count()
}

fn world(modern: bool, remote: bool) -> World {
    if remote {
        remote_of(script(modern))
    } else {
        World::scripted(Limits::default(), [("a", script(modern))]).surveyed()
    }
}

#[test]
fn whoever_has_subscribed_at_a_server_that_is_another_one_now_is_told() {
    for modern in [false, true] {
        let mut world = world(modern, false);
        let clients = subscribe(&mut world);
        heard(&mut world, &clients);
        world.configure(|servers| servers[0].spec = super::world::spec("other"));
        assert_eq!(heard(&mut world, &clients), [1, 1], "{modern}");
    }
}

#[test]
fn a_server_that_is_lost_with_subscriptions_comes_back_by_itself_and_whoever_has_subscribed_is_told() {
    for (modern, remote) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = world(modern, remote);
        let clients = subscribe(&mut world);
        let link = world.link("a");
        let why = if remote { CloseReason::Lost("gone".into()) } else { CloseReason::Exited(1) };
        world.log.clear();
        world.close(link, why);
        assert_eq!(heard(&mut world, &clients), [0, 0]);
        world.advance(Limits::default().backoff_first);
        assert_ne!(world.link("a"), link, "{modern} {remote}");
        assert_eq!(asked(&world), 1, "it is asked for it again");
        assert_eq!(heard(&mut world, &clients), [1, 1], "{modern} {remote}");
    }
}

#[test]
fn a_server_with_subscriptions_that_cannot_be_reached_is_tried_again_and_again() {
    let mut world = world(false, true);
    let clients = subscribe(&mut world);
    let link = world.link("a");
    world.scripts.insert("a".into(), Script::stuck());
    world.close(link, CloseReason::Lost("gone".into()));
    for _ in 0..3 {
        world.advance(Limits::default().backoff_last);
        let link = world.link("a");
        world.close(link, CloseReason::NotStarted("connection refused".into()));
    }
    world.scripts.insert("a".into(), script(false));
    world.advance(Limits::default().backoff_last);
    assert_eq!(heard(&mut world, &clients), [1, 1]);
}

#[test]
fn a_server_with_subscriptions_that_keeps_failing_is_left_alone_like_any_other() {
    let mut world = world(false, false);
    let clients = subscribe(&mut world);
    for _ in 0..Limits::default().crash_failures {
        world.crash("a");
        world.advance(Limits::default().backoff_last.min(Duration::from_secs(30)));
    }
    let starts = world.starts();
    heard(&mut world, &clients);
    world.advance(Limits::default().crash_probe.saturating_sub(Duration::from_mins(2)));
    assert_eq!((world.starts(), heard(&mut world, &clients)), (starts, [0, 0].into()));
    world.advance(Duration::from_mins(2));
    assert_eq!((world.starts(), heard(&mut world, &clients)), (starts + 1, [1, 1].into()));
}

#[test]
fn a_server_that_is_lost_after_its_subscribers_have_gone_stays_away() {
    let mut world = world(false, false);
    let [(session, _), (_, listen)] = subscribe(&mut world);
    world.crash("a");
    world.delete(&session);
    world.leave(listen);
    let starts = world.starts();
    world.advance(Duration::from_mins(10));
    assert_eq!(world.starts(), starts);
}

#[test]
fn whoever_has_subscribed_is_told_of_a_restart_that_was_ordered() {
    let mut world = world(false, false);
    let clients = subscribe(&mut world);
    let server = world.snapshot.named("a").unwrap().id;
    world.feed(Input::Ordered { server, order: Order::Restart });
    assert_eq!(heard(&mut world, &clients), [1, 1]);
}

#[test]
fn a_stream_that_subscribes_at_a_server_that_rests_starts_it() {
    let mut world = world(false, false);
    world.advance(Limits::default().idle * 2);
    let starts = world.starts();
    let clients = subscribe(&mut world);
    assert_eq!(world.starts(), starts + 1);
    world.crash("a");
    world.advance(Limits::default().backoff_first);
    assert_eq!(heard(&mut world, &clients), [1, 1]);
}

/// How often a server was asked for its tools.
fn listed(world: &World) -> usize {
    let asks = |effect: &&Effect| matches!(effect, Effect::SendFrame { frame, .. } if frame.windows(12).any(|part| part == b"\"tools/list\""));
    world.log.iter().filter(asks).count()
}

#[test]
fn what_is_lost_while_the_stream_of_a_remote_session_is_broken_is_asked_for_and_told() {
    let mut world = world(false, true);
    let clients = subscribe(&mut world);
    let link = world.link("a");
    world.log.clear();
    world.feed(Input::LinkMissed { link });
    assert_eq!(heard(&mut world, &clients), [1, 1]);
    world.advance(Limits::default().debounce);
    assert_eq!(
        (listed(&world), asked(&world)),
        (1, 0),
        "the session is the same: it knows of its subscriptions"
    );
    let [(session, _), (_, listen)] = &clients;
    world.delete(session);
    world.leave(*listen);
    world.feed(Input::LinkMissed { link });
    world.advance(Limits::default().debounce);
    assert_eq!(listed(&world), 2);
}

/// The call on which a server tells now.
fn told_on(world: &World) -> String {
    let frames = world.log.iter().rev().filter_map(|effect| {
        let Effect::SendFrame { frame, .. } = effect else { return None };
        core::str::from_utf8(frame).ok()
    });
    let mut listens = frames.filter(|frame| frame.contains("\"subscriptions/listen\""));
    let (_, rest) = listens.next().unwrap().split_once(r#""id":"#).unwrap();
    rest.split(',').next().unwrap().to_owned()
}

/// The ways in which a server, or the connection to it, ends its stream.
const ENDS: [&str; 3] = [
    r#""id":ID,"result":{"resultType":"complete"}"#,
    r#""id":ID,"error":{"code":-31003,"message":"closed the connection"}"#,
    r#""method":"notifications/cancelled","params":{"requestId":ID,"reason":"bye"}"#,
];

fn end_news(world: &mut World, end: &str) {
    let (link, id) = (world.link("a"), told_on(world));
    let end = end.replace("ID", &id);
    world.log.clear();
    world.says(link, &format!(r#"{{"jsonrpc":"2.0",{end}}}"#));
}

#[test]
fn what_is_lost_while_a_stream_of_the_stateless_era_is_broken_is_asked_for_and_told() {
    for (end, remote) in ENDS.into_iter().flat_map(|end| [(end, false), (end, true)]) {
        let mut world = world(true, remote);
        let clients = subscribe(&mut world);
        for _ in 0..2 {
            end_news(&mut world, end);
            assert_eq!(heard(&mut world, &clients), [0, 0], "nothing is told before the server tells again");
            world.advance(Limits::default().backoff_first);
            assert_eq!((listed(&world), asked(&world)), (1, 1), "{end} {remote}");
            assert_eq!(heard(&mut world, &clients), [1, 1], "{end} {remote}");
        }
    }
}

#[test]
fn a_stream_that_is_opened_again_for_a_new_subscription_makes_up_for_what_was_lost_as_well() {
    let mut world = world(true, false);
    let clients = subscribe(&mut world);
    end_news(&mut world, ENDS[0]);
    let stateless = Client::new(Era::Modern, at("a"));
    let filter = r#""notifications":{"resourceSubscriptions":["test://b"]}"#;
    world.request(&stateless, "8", "subscriptions/listen", filter);
    world.advance(Duration::from_millis(1));
    assert_eq!((listed(&world), asked(&world)), (1, 1));
    assert_eq!(heard(&mut world, &clients), [1, 1]);
}

/// A server says so late that its stream is open. How often it is asked for its lists because of that.
fn read_after(world: &mut World, late: Duration) -> usize {
    world.advance(late);
    let params = format!(r#"{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{}}}}}"#, told_on(world));
    let (link, before) = (world.link("a"), listed(world));
    let method = "notifications/subscriptions/acknowledged";
    world.says(link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#));
    world.advance(Limits::default().debounce);
    listed(world) - before
}

#[test]
fn lists_that_were_read_before_the_stream_is_open_on_which_their_changes_are_told_are_read_again() {
    for (late_ms, reads) in [(0, 0), (100, 0), (2000, 1)] {
        let late = Duration::from_millis(late_ms);
        let script = Script { news: false, ..script(true) };
        let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
        assert_eq!(read_after(&mut world, late), reads, "{late:?} after the start");
        end_news(&mut world, ENDS[0]);
        world.advance(Limits::default().backoff_first);
        assert_eq!(listed(&world), 1, "what has changed while there was none");
        assert_eq!(read_after(&mut world, late), reads, "{late:?} after it was asked for again");
    }
}

#[test]
fn a_stream_that_takes_the_place_of_one_that_is_open_makes_nobody_read_lists() {
    let mut world = world(true, false);
    world.advance(Duration::from_mins(1));
    world.scripts.get_mut("a").unwrap().news = false;
    let session = world.client(HTTP, at("a"));
    world.request(&session, "1", "resources/subscribe", &format!(r#""uri":"{URI}""#));
    assert_eq!(read_after(&mut world, Duration::from_secs(2)), 0);
}
