//! Streams of the 2025 eras: their ids, and clients that lose a connection and come back for the rest.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::mcp::Revision;
use crate::ports::gateway::Verb;
use crate::rpc::{Envelope, Field, Sender};
use crate::shard::{Input, Opened};
use crate::{ExchangeId, Limits};

const PROGRESS: &str = r#""progressToken":"p""#;

/// A call that wants progress, on its way at the server.
pub(super) fn begin(world: &mut World, client: &Client) -> (ExchangeId, Sent) {
    let call = world.call_with(client, "1", PROGRESS);
    (call, world.requested("a"))
}

pub(super) fn progress(world: &mut World, of: &Sent, n: usize) {
    let line = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":{n}}}}}"#,
        of.id
    );
    world.says(of.link, &line);
}

/// The server says that its lists have changed, and has other tools now.
pub(super) fn changes(world: &mut World) {
    let news = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    let tools = &mut world.scripts.get_mut("a").unwrap().tools;
    tools.push(format!("tool{}", tools.len()));
    let link = world.link("a");
    world.says(link, news);
    world.advance(Duration::from_secs(1));
}

impl World {
    /// GET with `Last-Event-ID`.
    pub(super) fn come_back(&mut self, client: &Client, cursor: &str) -> ExchangeId {
        let exchange = self.mint_exchange();
        let (admission, mut head) = (client.admission(self), client.head(Verb::Listen));
        head.headers.last_event_id = Some(cursor.to_owned());
        self.feed(Input::StreamOpened(Opened { exchange, admission, head }));
        exchange
    }

    /// What came on an exchange, each by its last number or name.
    pub(super) fn heard(&self, exchange: ExchangeId) -> Vec<String> {
        let of = |text: &String| {
            let number = text.split(r#""progress":"#).nth(1).map(|rest| rest.trim_end_matches('}'));
            let words = if text.contains("result") { "answer" } else { text };
            number.unwrap_or(words).to_owned()
        };
        self.seen(exchange).messages.iter().map(of).collect()
    }

    /// The last id that a client has seen.
    pub(super) fn cursor(&self, exchange: ExchangeId) -> String {
        let seen = self.seen(exchange);
        seen.ids.last().or(seen.primed.as_ref()).expect("a cursor").clone()
    }

    pub(super) fn refused(&self, exchange: ExchangeId, words: &str) {
        let seen = self.seen(exchange);
        assert_eq!(seen.status, Some(400), "{seen:?}");
        assert!(seen.messages.iter().any(|text| text.contains(words)), "{seen:?}");
    }
}

#[test]
fn every_event_of_a_stream_has_an_id_and_no_two_of_a_session_have_the_same() {
    for revision in [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25] {
        let mut world = World::running(&["a"]);
        let client = world.client(Era::Http(revision), at("a"));
        let listening = world.open(&client, Verb::Listen);
        changes(&mut world);
        let mut ids = world.seen(listening).ids.clone();
        for _ in 0..2 {
            let (call, sent) = begin(&mut world, &client);
            progress(&mut world, &sent, 1);
            world.reply(&sent, "{}");
            assert_eq!(world.heard(call), ["1", "answer"]);
            assert_eq!(world.seen(call).ids.len(), 2, "{revision}");
            ids.extend(world.seen(call).ids.iter().cloned());
        }
        assert_eq!(ids.len(), 5);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 5, "{revision}");
    }
}

#[test]
fn a_stream_begins_with_an_id_alone_in_the_one_revision_that_can_read_that() {
    for (revision, primed) in
        [(Revision::V2025_03_26, false), (Revision::V2025_06_18, false), (Revision::V2025_11_25, true)]
    {
        let mut world = World::running(&["a"]);
        let client = world.client(Era::Http(revision), at("a"));
        let listening = world.open(&client, Verb::Listen);
        assert_eq!(world.seen(listening).primed.is_some(), primed, "{revision}");
        let (call, sent) = begin(&mut world, &client);
        progress(&mut world, &sent, 1);
        assert_eq!(world.seen(call).primed.is_some(), primed, "{revision}");
    }
}

#[test]
fn streams_of_the_oldest_and_of_the_newest_transport_have_no_ids() {
    for era in [Era::Sse, Era::Modern] {
        let mut world = World::running(&["a"]);
        let client = world.client(era, at("a"));
        let (call, sent) = begin(&mut world, &client);
        progress(&mut world, &sent, 1);
        world.reply(&sent, "{}");
        let seen = world.seen(client.stream.unwrap_or(call));
        assert!(!seen.messages.is_empty() && seen.ids.is_empty() && seen.primed.is_none(), "{seen:?}");
    }
}

#[test]
fn where_nothing_can_be_resumed_a_last_event_id_means_nothing() {
    let mut world = World::running(&["a"]);
    for era in [Era::Modern, HTTP] {
        let client = world.client(era, at("a"));
        let list = client.write("1", "tools/list", "", "");
        let body = Envelope::parse(list.into(), Sender::Client, &Limits::default()).unwrap();
        let mut head = client.post_head(&body);
        head.headers.last_event_id = Some("nonsense".into());
        let exchange = world.post_with(&client, head, body);
        assert_eq!(world.seen(exchange).status, Some(200), "{era:?}");
    }
}

#[test]
fn an_answer_without_a_stream_is_plain() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    world.reply(&sent, "{}");
    let seen = world.seen(call);
    assert!(!seen.streams && seen.ids.is_empty() && seen.status == Some(200), "{seen:?}");
}

#[test]
fn a_client_that_lost_its_connection_gets_the_rest_and_then_what_comes() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.leave(call);
    progress(&mut world, &sent, 2);
    progress(&mut world, &sent, 3);
    let again = world.come_back(&client, &world.cursor(call));
    assert_eq!(world.heard(again), ["2", "3"]);
    progress(&mut world, &sent, 4);
    assert!(!world.seen(again).ended);
    world.reply(&sent, "{}");
    assert_eq!(world.heard(again), ["2", "3", "4", "answer"]);
    assert!(world.seen(again).ended, "a stream of a request ends with its answer");
    assert_eq!(world.shard.gauges().exchanges, 0);
}

#[test]
fn a_disconnect_cancels_nothing_and_the_answer_waits() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.leave(call);
    assert!(world.frames("a").is_empty(), "the server is not told");
    assert_eq!(world.shard.gauges().away, 1);
    world.reply(&sent, "{}");
    assert_eq!(world.shard.gauges().away, 0);
    let again = world.come_back(&client, &world.cursor(call));
    assert_eq!(world.heard(again), ["answer"]);
    assert!(world.seen(again).ended);
}

#[test]
fn a_connection_that_nobody_noticed_to_be_gone_gives_way_to_the_newer_one() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    progress(&mut world, &sent, 2);
    let first = world.seen(call).ids[0].clone();
    let second = world.come_back(&client, &first);
    assert!(world.seen(call).ended);
    assert_eq!(world.heard(second), ["2"]);
    let third = world.come_back(&client, &world.cursor(second));
    assert!(world.seen(second).ended);
    for gone in [call, second] {
        world.feed(Input::ExchangeClosed(gone));
    }
    progress(&mut world, &sent, 3);
    world.reply(&sent, "{}");
    assert_eq!(world.heard(third), ["3", "answer"]);
}

#[test]
fn one_cursor_twice_is_the_same_rest_twice() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    let cursor = world.cursor(call);
    world.leave(call);
    world.reply(&sent, "{}");
    for _ in 0..2 {
        let again = world.come_back(&client, &cursor);
        assert_eq!(world.heard(again), ["answer"]);
    }
}

#[test]
fn nothing_of_another_stream_is_replayed() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let listening = world.open(&client, Verb::Listen);
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    let (other, second) = begin(&mut world, &client);
    progress(&mut world, &second, 7);
    for gone in [listening, call, other] {
        world.leave(gone);
    }
    changes(&mut world);
    progress(&mut world, &sent, 2);
    progress(&mut world, &second, 8);
    let back = [listening, call, other].map(|gone| world.come_back(&client, &world.cursor(gone)));
    let [listening, call, other] = back.map(|exchange| world.heard(exchange));
    assert!(listening.len() == 1 && listening[0].contains("tools/list_changed"), "{listening:?}");
    assert_eq!((call, other), (["2".to_owned()].to_vec(), ["8".to_owned()].to_vec()));
}

#[test]
fn a_listening_client_that_comes_back_has_missed_nothing_and_hears_it_once() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let listening = world.open(&client, Verb::Listen);
    world.leave(listening);
    changes(&mut world);
    let again = world.come_back(&client, &world.cursor(listening));
    assert_eq!(world.heard(again).len(), 1);
    world.leave(again);
    let anew = world.open(&client, Verb::Listen);
    assert!(world.heard(anew).is_empty(), "it was said already");
    changes(&mut world);
    assert_eq!(world.heard(anew).len(), 1);
}

#[test]
fn a_client_that_listens_anew_is_told_what_it_did_not_come_back_for() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let listening = world.open(&client, Verb::Listen);
    let cursor = world.cursor(listening);
    world.leave(listening);
    changes(&mut world);
    let anew = world.open(&client, Verb::Listen);
    assert_eq!(world.heard(anew).len(), 1);
    let late = world.come_back(&client, &cursor);
    world.refused(late, "open a stream without Last-Event-ID");
}

#[test]
fn a_question_waits_for_the_client_that_comes_back() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, at("a"), r#"{"elicitation":{}}"#);
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.leave(call);
    world.says(sent.link, r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#);
    assert!(world.frames("a").is_empty(), "the question is not refused");
    let again = world.come_back(&client, &world.cursor(call));
    let question = super::world::read(&world.seen(again).messages[0]);
    let id = question.raw_str(Field::Id).unwrap();
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept"}}}}"#));
    assert!(world.frames("a")[0].1.starts_with(r#"{"jsonrpc":"2.0","id":"q","result""#));
    world.reply(&sent, "{}");
    assert_eq!(world.heard(again).last().map(String::as_str), Some("answer"));
}

#[test]
fn a_call_that_its_client_takes_back_while_it_is_away_ends_without_an_answer() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    progress(&mut world, &sent, 1);
    world.leave(call);
    world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    assert!(world.frames("a")[0].1.contains("notifications/cancelled"));
    let again = world.come_back(&client, &world.cursor(call));
    assert_eq!(world.seen(again).status, Some(204));
}

#[test]
fn an_answer_that_takes_its_time_is_a_stream_that_can_be_resumed() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    world.feed(Input::AnswerDelayed(call));
    assert!(world.seen(call).streams);
    world.leave(call);
    world.reply(&sent, "{}");
    let again = world.come_back(&client, &world.cursor(call));
    assert_eq!(world.heard(again), ["answer"]);
}

#[test]
fn an_answer_that_opens_a_session_is_never_a_stream() {
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
    let client = Client::new(HTTP, at("a"));
    let exchange = world.initialize(&client, "2025-11-25");
    world.feed(Input::AnswerDelayed(exchange));
    assert!(!world.seen(exchange).streams, "its head says the session's id");
}

#[test]
fn a_request_that_waits_for_its_server_can_be_resumed_too() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, at("a"));
    world.configure(|servers| servers[0].spec = super::world::spec("other"));
    world.scripts.insert("a".into(), Script::silent());
    let list = world.request(&client, "1", "tools/list", "");
    world.feed(Input::AnswerDelayed(list));
    let cursor = world.cursor(list);
    world.leave(list);
    world.advance(Duration::from_mins(2));
    let again = world.come_back(&client, &cursor);
    assert_eq!(world.seen(again).messages.len(), 1, "{:?}", world.seen(again));
    assert!(world.seen(again).ended);
}
