//! Remote servers that forget their session: another is made, and clients do not notice.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::upstream::CloseReason;
use crate::record::{RemoteKind, ServerSpec, Sharing, Transport};
use crate::rpc::Field;
use crate::shard::Input;

const MINUTE: Duration = Duration::from_mins(1);

/// A remote server that runs.
fn remote() -> World {
    remote_of(Script::default())
}

/// A remote server that behaves in this way.
pub(super) fn remote_of(script: Script) -> World {
    let (kind, url) = (RemoteKind::Http, "https://a.example/mcp".to_owned());
    let mut world = World::scripted(Limits::default(), [("a", script)]);
    world.configure(|servers| {
        servers[0].spec = ServerSpec::new(Transport::Remote { kind, url, headers: BTreeMap::new() });
    });
    world.surveyed()
}

fn expire(world: &mut World, refused: &[&Sent]) {
    let refused = refused.iter().map(|sent| sent.id.clone()).collect();
    let link = world.link("a");
    world.close(link, CloseReason::Expired { refused });
}

#[test]
fn only_what_was_refused_for_its_session_is_sent_again() {
    for era in ERAS {
        let mut world = remote();
        let client = world.client(era, at("a"));
        let calls = ["1", "2", "3"].map(|id| world.call_with(&client, id, r#""progressToken":"p""#));
        let sent = world.requests("a");
        expire(&mut world, &[&sent[0], &sent[2]]);
        let again = world.requests("a");
        let told = |sent: &Sent| (sent.id.clone(), sent.method.clone(), sent.params.clone());
        assert_eq!(
            again.iter().map(told).collect::<Vec<_>>(),
            [told(&sent[0]), told(&sent[2])],
            "under their own ids, in their order"
        );
        assert!(again.iter().all(|it| it.link == world.link("a")), "on the new link");
        let unknown = world.take(&client, calls[1]);
        assert!(unknown[0].contains("-31003") && unknown[0].contains("no longer knows its session"));
        for (sent, call) in [(&again[0], calls[0]), (&again[1], calls[2])] {
            world.reply(sent, "{}");
            assert!(world.answer(&client, call).has(Field::Result), "{era:?}");
        }
        assert!(world.requests("a").is_empty());
    }
}

#[test]
fn another_session_is_no_failure_and_needs_no_time() {
    let mut world = remote();
    let client = world.client(HTTP, at("a"));
    expire(&mut world, &[]);
    let views = world.shard.views(&world.snapshot);
    let view = views.iter().find(|view| view.name == "a").unwrap();
    assert_eq!((&*view.state, &*view.health, &view.cause), ("running", "ok", &None));
    assert!(world.warnings().is_empty(), "{:?}", world.warnings());
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result), "the client's own session lives");
}

#[test]
fn a_server_that_forgets_its_session_too_often_has_failed() {
    let mut world = remote();
    let client = world.client(HTTP, at("a"));
    let call = world.call(&client, "1");
    for _ in 0..3 {
        let sent = world.requested("a");
        expire(&mut world, &[&sent]);
    }
    let sent = world.requested("a");
    expire(&mut world, &[&sent]);
    let answer = world.answer(&client, call);
    assert_eq!(answer.raw_str(Field::Code), Some("-31001"), "nothing was done for it: {answer:?}");
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("limit renewals"), "{answer:?}");
    let starts = world.starts();
    world.advance(MINUTE);
    let call = world.call(&client, "2");
    let sent = world.requested("a");
    expire(&mut world, &[&sent]);
    let sent = world.requested("a");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, call).has(Field::Result), "what was long ago does not count");
    assert_eq!(world.starts(), starts + 2);
}

#[test]
fn a_refused_call_that_cannot_be_sent_again_may_be_made_again() {
    let mut world = remote();
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    world.scripts.insert("a".into(), Script::stuck());
    expire(&mut world, &[&sent]);
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
    expire(&mut world, &[&sent]);
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
fn ids_that_were_never_given_mean_nothing() {
    let mut world = remote();
    let link = world.link("a");
    let refused = ["0", "999999", "-1", "x", "\"1\""].map(ToOwned::to_owned).to_vec();
    world.close(link, CloseReason::Expired { refused });
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_removed_server_gets_no_other_session() {
    let mut world = remote();
    let client = Client::new(Era::Modern, at("a"));
    let call = world.call(&client, "1");
    let sent = world.requested("a");
    let starts = world.starts();
    world.configure(|servers| servers[0].spec.timeout_s = 7);
    world.close(sent.link, CloseReason::Expired { refused: [sent.id].to_vec() });
    assert_eq!(world.code(&client, call), "-31001", "nothing was done for it");
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
    world.close(sent.link, CloseReason::Expired { refused: [sent.id].to_vec() });
    assert_eq!((world.code(&client, call).as_str(), world.starts()), ("-31003", 1));
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
        expire(&mut world, &[]);
    }
}
