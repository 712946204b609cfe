//! JSON-RPC batches: what 2025-03-26 has, and what all other revisions refuse.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent, at};
use super::resumption::progress;
use super::script::Script;
use super::world::World;
use crate::mcp::Revision;
use crate::ports::gateway::Verb;
use crate::rpc::Body;
use crate::shard::{BatchPosted, Input};
use crate::{ExchangeId, Limits};

const BATCHES: Era = Era::Http(Revision::V2025_03_26);
const PING: &str = r#"{"jsonrpc":"2.0","id":"ping","method":"ping"}"#;
const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn call(id: u8) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"echo","_meta":{{"progressToken":"p"}}}}}}"#
    )
}

impl World {
    pub(super) fn post_batch(&mut self, client: &Client, members: &[&str]) -> ExchangeId {
        let exchange = self.mint_exchange();
        let text = format!("[{}]", members.join(","));
        let Ok(Body::Batch(members)) = Body::parse(text.into(), &Limits::default()) else {
            panic!("it is a batch")
        };
        let verb = if client.era == Era::Sse { Verb::PostMessage } else { Verb::Post };
        let (admission, head) = (client.admission(self), client.head(verb));
        self.feed(Input::BatchPosted(BatchPosted { exchange, admission, head, members }));
        exchange
    }

    /// A batch of two calls and a ping, with the calls at the server.
    fn two_calls(&mut self, client: &Client) -> (ExchangeId, [Sent; 2]) {
        let exchange = self.post_batch(client, &[&call(1), PING, NOTE, &call(2)]);
        let sent = self.requests("a").try_into().expect("two calls");
        (exchange, sent)
    }

    fn texts(&self, exchange: ExchangeId) -> Vec<&str> {
        self.seen(exchange).messages.iter().map(String::as_str).collect()
    }
}

fn answer(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
}

#[test]
fn the_answers_of_a_batch_come_in_one_array() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, [first, second]) = world.two_calls(&client);
    world.reply(&second, "{}");
    assert!(world.texts(batch).is_empty());
    world.reply(&first, "{}");
    let all = format!("[{},{},{}]", answer("\"ping\""), answer("2"), answer("1"));
    assert_eq!(world.texts(batch), [all]);
    let seen = world.seen(batch);
    assert!(seen.ended && !seen.streams && seen.status == Some(200));
}

#[test]
fn a_batch_without_requests_is_accepted_and_done() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let response = r#"{"jsonrpc":"2.0","id":99,"result":{}}"#;
    let batch = world.post_batch(&client, &[NOTE, response]);
    assert_eq!((world.seen(batch).status, world.seen(batch).messages.len()), (Some(202), 0));
}

#[test]
fn once_there_is_a_stream_each_answer_is_an_event_and_the_last_one_ends_it() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, [first, second]) = world.two_calls(&client);
    progress(&mut world, &second, 5);
    assert_eq!(world.texts(batch).len(), 2, "what was answered before goes first");
    assert_eq!(world.texts(batch)[0], answer("\"ping\""));
    world.reply(&first, "{}");
    assert!(!world.seen(batch).ended);
    world.reply(&second, "{}");
    assert_eq!(world.texts(batch)[2..], [answer("1"), answer("2")]);
    assert!(world.seen(batch).ended);
    assert_eq!(world.seen(batch).ids.len(), 4);
}

#[test]
fn a_batch_that_takes_its_time_is_a_stream() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, [first, second]) = world.two_calls(&client);
    world.feed(Input::AnswerDelayed(batch));
    assert_eq!(world.texts(batch), [answer("\"ping\"")]);
    world.reply(&first, "{}");
    world.reply(&second, "{}");
    assert!(world.seen(batch).ended);
}

#[test]
fn a_batch_is_resumed_like_any_other_stream() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, [first, second]) = world.two_calls(&client);
    progress(&mut world, &first, 1);
    world.leave(batch);
    world.reply(&first, "{}");
    let again = world.come_back(&client, &world.cursor(batch));
    world.reply(&second, "{}");
    assert_eq!(world.texts(again), [answer("1"), answer("2")]);
    assert!(world.seen(again).ended);
}

#[test]
fn the_client_of_a_batch_that_leaves_cancels_nothing() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, sent) = world.two_calls(&client);
    world.leave(batch);
    assert!(world.frames("a").is_empty());
    assert_eq!(world.shard.gauges().in_flight, 0);
    for sent in &sent {
        world.reply(sent, "{}");
    }
}

#[test]
fn a_request_of_a_batch_that_is_taken_back_gets_no_answer_and_holds_up_none() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, [first, _]) = world.two_calls(&client);
    world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}"#);
    world.reply(&first, "{}");
    assert_eq!(world.texts(batch), [format!("[{},{}]", answer("\"ping\""), answer("1"))]);
}

#[test]
fn a_batch_of_which_every_request_is_taken_back_ends_as_a_stream_without_events() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let cancel = |id| {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
    };
    let batch = world.post_batch(&client, &[&call(1), &call(2)]);
    world.post(&client, &cancel(1));
    world.post(&client, &cancel(2));
    // 2025-03-26: what holds requests is answered by JSON, for which there is none, or by a stream.
    let seen = world.seen(batch);
    assert!(seen.ended && seen.messages.is_empty() && seen.status.is_none(), "{seen:?}");
}

#[test]
fn every_request_of_a_batch_may_wait_for_its_server() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    world.configure(|servers| servers[0].spec = super::world::spec("other"));
    world.scripts.insert("a".into(), Script::silent());
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let batch = world.post_batch(&client, &[list, PING]);
    assert_eq!(world.shard.gauges().waiting, 1);
    world.advance(Duration::from_mins(2));
    let texts = world.texts(batch);
    assert!(texts.len() == 1 && texts[0].contains(r#""id":1,"error""#), "{texts:?}");
    let left = world.post_batch(&client, &[list]);
    world.leave(left);
    assert_eq!(world.shard.gauges().exchanges, 0);
}

#[test]
fn what_is_no_message_has_an_error_of_its_own_under_its_id_where_that_can_be_read() {
    for (bad, id) in [
        ("1", "null"),
        (r#"{"jsonrpc":"2.0","method":"ping","id":{}}"#, "null"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":7}"#, "7"),
        (r#"{"jsonrpc":"2.0","id":"x","method":"ping","q":1}"#, "\"x\""),
        (r#"{"jsonrpc":"1.0","method":"ping","id":7}"#, "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":7}"#, "7"),
    ] {
        let mut world = World::running(&["a"]);
        let client = world.client(BATCHES, at("a"));
        let batch = world.post_batch(&client, &[bad, PING]);
        let texts = world.texts(batch);
        let error = format!(r#"[{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32600"#);
        assert!(texts[0].starts_with(&error), "{bad}: {texts:?}");
        assert!(texts[0].ends_with(&format!("{}]", answer("\"ping\""))), "{texts:?}");
    }
}

#[test]
fn an_empty_batch_and_one_that_opens_a_session_are_refused_whole() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    let cases: [(&[&str], &str); 2] =
        [(&[], "at least one message"), (&[PING, initialize], "initialize is never part of a batch")];
    for (members, words) in cases {
        let batch = world.post_batch(&client, members);
        world.refused(batch, words);
        world.refused(batch, "-32600");
        assert_eq!(world.texts(batch).len(), 1);
    }
}

#[test]
fn revisions_without_batches_say_so() {
    let mut world = World::running(&["a"]);
    let old = Era::Http(Revision::V2025_06_18);
    let clients = [old, HTTP, Era::Sse, Era::Modern].map(|era| world.client(era, at("a")));
    let stranger = Client::new(BATCHES, at("a"));
    for client in clients.iter().chain([&stranger]) {
        let batch = world.post_batch(client, &[PING]);
        world.refused(batch, "2025-03-26 alone");
        world.refused(batch, "-32600");
    }
    let mut gone = world.client(BATCHES, at("a"));
    gone.session = Some("0".repeat(64));
    let batch = world.post_batch(&gone, &[PING]);
    assert_eq!(world.seen(batch).status, Some(404));
}

#[test]
fn over_the_oldest_transport_the_answers_of_a_batch_are_events() {
    let mut world = World::running(&["a"]);
    let mut client = Client::new(Era::Sse, at("a"));
    let stream = world.open_sse(&mut client);
    let hello = world.initialize(&client, "2025-03-26");
    drop(world.take(&client, hello));
    let batch = world.post_batch(&client, &[PING, "1", NOTE, &call(1)]);
    assert_eq!(world.seen(batch).status, Some(202));
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    let texts = world.texts(stream);
    assert_eq!((texts.len(), texts[0], texts[2]), (3, &*answer("\"ping\""), &*answer("1")));
}

#[test]
fn the_requests_of_a_batch_count_like_others() {
    let limits = Limits { session_in_flight: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let client = world.client(BATCHES, at("a"));
    let batch = world.post_batch(&client, &[&call(1), &call(2), &call(3)]);
    assert_eq!(world.seen(batch).status, Some(429));
    assert!(world.texts(batch)[0].contains("session_in_flight"));
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_session_that_ends_ends_its_batches() {
    let mut world = World::running(&["a"]);
    let client = world.client(BATCHES, at("a"));
    let (batch, _) = world.two_calls(&client);
    let (streamed, sent) = world.two_calls(&client);
    progress(&mut world, &sent[0], 1);
    world.delete(&client);
    assert!(world.seen(batch).ended && world.seen(streamed).ended);
    assert_eq!(world.shard.gauges().exchanges, 0);
}
