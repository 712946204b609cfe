//! Remote servers that forget their session: another is made, and clients do not notice.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::resumption::{begin, progress};
use super::script::Script;
use super::world::{World, read};
use crate::ports::upstream::CloseReason;
use crate::record::{RemoteKind, ServerSpec, Sharing, Transport};
use crate::rpc::Field;
use crate::shard::Input;
use crate::{CallId, KeyId, Limits, LinkId};

const MINUTE: Duration = Duration::from_mins(1);

/// A remote server that runs.
fn remote() -> World {
    remote_of(Script::default())
}

/// A remote server that behaves in this way.
pub(super) fn remote_of(script: Script) -> World {
    remote_with(Limits::default(), script)
}

pub(super) fn remote_with(limits: Limits, script: Script) -> World {
    let (kind, url) = (RemoteKind::Http, "https://a.example/mcp".to_owned());
    let mut world = World::scripted(limits, [("a", script)]);
    world.configure(|servers| {
        servers[0].spec = ServerSpec::new(Transport::Remote { kind, url, headers: BTreeMap::new() });
    });
    world.surveyed()
}

/// The server says to a request, or to none, that it does not know the session any more.
fn expire(world: &mut World, link: LinkId, refused: Option<&Sent>) {
    let refusal = |sent: &Sent| {
        let error = r#"{"code":-32001,"message":"Session not found"}"#;
        read(&format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id))
    };
    world.feed(Input::LinkExpired { link, refusal: refused.map(refusal) });
}

/// A request of which the server says that.
pub(super) fn refuse(world: &mut World, sent: &Sent) {
    expire(world, sent.link, Some(sent));
}

/// What of a request is the same in every session.
fn told(sent: &Sent) -> (String, String, String) {
    (sent.id.clone(), sent.method.clone(), sent.params.clone())
}

#[test]
fn what_a_session_of_old_works_on_is_owed_to_its_client_in_the_next_life_of_the_hub() {
    let mut world = remote();
    let client = world.client(HTTP, at("a"));
    let (call, sent) = begin(&mut world, &client);
    expire(&mut world, sent.link, None);
    progress(&mut world, &sent, 1);
    let cursor = world.cursor(call);
    let mut world = world.restarted();
    let back = world.come_back(&client, &cursor);
    assert_eq!(world.code(&client, back), "-31003");
}

#[test]
fn what_a_revoked_key_has_asked_is_not_sent_again() {
    for others_first in [false, true] {
        let mut world = remote();
        let other = world.client(HTTP, at("a"));
        let client = Client { key: "revoked", ..Client::new(Era::Modern, at("a")) };
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        world.call(&other, "2");
        let others = world.requested("a");
        if others_first {
            refuse(&mut world, &others);
            world.frames("a");
        }
        world.feed(Input::KeyRevoked(KeyId("revoked".into())));
        refuse(&mut world, &sent);
        assert!(world.requests("a").iter().all(|again| again.id != sent.id), "{others_first}");
        assert!(world.seen(call).ended);
    }
}

#[test]
fn only_what_was_refused_for_its_session_is_sent_again() {
    for era in ERAS {
        let mut world = remote();
        let client = world.client(era, at("a"));
        let calls = ["1", "2", "3"].map(|id| world.call_with(&client, id, r#""progressToken":"p""#));
        let sent = world.requests("a");
        refuse(&mut world, &sent[0]);
        let first = world.requested("a");
        assert_eq!(told(&first), told(&sent[0]), "under its own id");
        // One that the server says later of.
        refuse(&mut world, &sent[2]);
        let third = world.requested("a");
        assert_eq!(told(&third), told(&sent[2]));
        assert_ne!(first.link, sent[0].link);
        assert_eq!((first.link, third.link), (world.link("a"), world.link("a")), "in the one new session");
        for (sent, call) in [(&first, calls[0]), (&third, calls[2])] {
            world.reply(sent, "{}");
            assert!(world.answer(&client, call).has(Field::Result), "{era:?}");
        }
        assert!(world.requests("a").is_empty());
        assert!(world.take(&client, calls[1]).is_empty(), "nothing is said of what may still be answered");
    }
}

#[test]
fn what_a_server_works_on_when_it_forgets_the_session_is_answered_where_it_was_asked() {
    for era in [Era::Sse, HTTP] {
        let mut world = remote();
        let client = world.able_client(era, at("a"), r#"{"elicitation":{}}"#);
        let calls = ["1", "2"].map(|id| world.call_with(&client, id, r#""progressToken":"p""#));
        let sent = world.requests("a");
        let old = sent[0].link;
        refuse(&mut world, &sent[0]);
        let again = world.requested("a");
        world.reply(&again, "{}");
        assert!(world.answer(&client, calls[0]).has(Field::Result));
        let within = Some(CallId(sent[1].id.parse().unwrap()));
        let says = |world: &mut World, text: String| {
            world.feed(Input::FramesReceived { link: old, within, frames: [Ok(read(&text))].into() });
        };
        let token = &sent[1].id;
        let progress = format!(
            r#"{{"method":"notifications/progress","jsonrpc":"2.0","params":{{"progressToken":{token},"progress":1}}}}"#
        );
        says(&mut world, progress);
        let question = r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#;
        says(&mut world, question.to_owned());
        let heard = world.take(&client, calls[1]);
        assert!(heard[0].contains("notifications/progress"), "{heard:?}");
        let asked = read(&heard[1]);
        let id = asked.raw_str(Field::Id).unwrap();
        world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept"}}}}"#));
        let answer = r#"{"jsonrpc":"2.0","id":"s","result":{"action":"accept"}}"#.to_owned();
        assert_eq!(world.frames("a"), [(old, answer)], "to the link that it came over");
        assert!(!world.is_closing(old));
        world.reply(&sent[1], r#"{"content":[]}"#);
        assert!(world.answer(&client, calls[1]).has(Field::Result), "{era:?}");
        assert!(world.is_closing(old), "nothing is left to it");
    }
}

#[test]
fn a_parked_call_outlives_the_session_that_it_was_made_in() {
    let mut world = remote();
    let client = super::parking::client();
    let question = super::parking::asked(&mut world, &client);
    expire(&mut world, question.link, None);
    world.frames("a");
    let input = super::parking::accepted(&question);
    let again = super::parking::come_back(&mut world, &client, &question, &input);
    let told = world.frames("a");
    assert!(told.iter().any(|(link, text)| *link == question.link && text.contains("accept")), "{told:?}");
    world.says(question.link, &super::parking::answer_of_the_call(&question));
    assert!(world.answer(&client, again).has(Field::Result));
    assert!(world.is_closing(question.link));
}

#[test]
fn a_call_that_is_refused_in_the_next_session_too_is_answered_with_that_and_harms_nobody_else() {
    let mut world = remote();
    let client = world.client(HTTP, at("a"));
    let other = world.call(&client, "7");
    let works = world.requested("a");
    for n in 0..Limits::default().renewals + 2 {
        let call = world.call(&client, "1");
        let sent = world.requested("a");
        refuse(&mut world, &sent);
        if n < Limits::default().renewals {
            let again = world.requested("a");
            let starts = world.starts();
            refuse(&mut world, &again);
            assert_eq!(world.starts(), starts, "no further session is made for it");
        }
        let answer = world.answer(&client, call);
        assert_eq!(answer.text(Field::ErrorMessage).as_deref(), Some("Session not found"));
        assert!(world.requests("a").is_empty());
    }
    let warnings = world.warnings();
    assert!(warnings.iter().any(|words| words.contains("limit renewals")), "{warnings:?}");
    let view = world.view("a");
    assert_eq!(&*view.state, "running");
    world.reply(&works, "{}");
    assert!(world.answer(&client, other).has(Field::Result), "it was never disturbed");
    let later = world.call(&client, "2");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, later).has(Field::Result));
    world.advance(MINUTE);
    world.call(&client, "3");
    let sent = world.requested("a");
    refuse(&mut world, &sent);
    assert_eq!(told(&world.requested("a")), told(&sent), "what was long ago does not count");
}

#[test]
fn a_link_that_breaks_with_what_was_left_to_it_leaves_an_unknown_outcome() {
    let mut world = remote();
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    expire(&mut world, sent.link, None);
    world.close(sent.link, CloseReason::MessageTooLong);
    let answer = world.answer(&client, call);
    assert_eq!(answer.raw_str(Field::Code), Some("-31003"));
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("message_bytes"), "{answer:?}");
    let call = world.call(&client, "2");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result), "the next session is another link");
}

#[test]
fn another_session_is_no_failure_and_needs_no_time() {
    let mut world = remote();
    let client = world.client(HTTP, at("a"));
    let link = world.link("a");
    expire(&mut world, link, None);
    assert!(world.is_closing(link));
    let view = world.view("a");
    assert_eq!((&*view.state, &*view.health, &view.cause), ("running", "ok", &None));
    assert!(world.warnings().is_empty(), "{:?}", world.warnings());
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result), "the client's own session lives");
}

#[test]
fn a_refused_call_that_cannot_be_sent_again_may_be_made_again() {
    let mut world = remote();
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.scripts.insert("a".into(), Script::stuck());
    refuse(&mut world, &sent);
    let link = world.link("a");
    world.close(link, CloseReason::NotStarted("connection refused".into()));
    let answer = world.answer(&client, call);
    assert_eq!(answer.raw_str(Field::Code), Some("-31001"));
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("connection refused"), "{answer:?}");
}

#[test]
fn a_refused_call_that_is_cancelled_meanwhile_is_not_sent_again() {
    let mut world = remote();
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.scripts.insert("a".into(), Script::silent());
    refuse(&mut world, &sent);
    let hello = world.requested("a");
    assert_eq!(hello.method, "initialize");
    world.leave(call);
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{}}"#);
    let later: Vec<String> = world.frames("a").into_iter().map(|(_, text)| text).collect();
    assert!(
        later.iter().all(|text| !text.contains("tools/call") && !text.contains("cancelled")),
        "{later:?}"
    );
}

#[test]
fn a_refusal_of_what_nobody_waits_for_is_of_the_session_alone() {
    let mut world = remote();
    for id in ["0", "999999", "-1", "\"x\"", "\"1\""] {
        let link = world.link("a");
        let sent = Sent { link, id: id.to_owned(), method: String::new(), params: String::new() };
        refuse(&mut world, &sent);
        assert!(world.requests("a").is_empty(), "{id}");
    }
}

#[test]
fn a_removed_server_gets_no_other_session() {
    let mut world = remote();
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    let starts = world.starts();
    world.configure(|servers| servers[0].spec.timeout_s = 7);
    refuse(&mut world, &sent);
    assert_eq!(world.code(&client, call), "-32001", "it is told what its server said");
    assert_eq!(world.starts(), starts);
}

#[test]
fn a_hub_that_stops_opens_no_other_session() {
    let mut world = remote();
    world.scripts.insert("a".into(), Script { ends: false, ..Script::default() });
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.feed(Input::Stopping);
    refuse(&mut world, &sent);
    assert_eq!((world.code(&client, call).as_str(), world.starts()), ("-31003", 1));
    world.close(sent.link, CloseReason::Stopped);
    assert!(world.shard.is_quiet());
}

#[test]
fn lists_that_were_to_be_learnt_are_learnt_over_the_next_link_whomever_it_serves() {
    let mut world = remote();
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerSession);
    let mut world = world.surveyed();
    world.scripts.get_mut("a").unwrap().lists = false;
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.close(link, CloseReason::Lost("gone".to_owned()));
    let client = world.client(HTTP, at("a"));
    world.call(&client, "1");
    for _ in 0..2 {
        let methods: Vec<String> = world.requests("a").into_iter().map(|sent| sent.method).collect();
        assert!(methods.contains(&"tools/list".to_owned()), "{methods:?}");
        let link = world.link("a");
        expire(&mut world, link, None);
    }
}
