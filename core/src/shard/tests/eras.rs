//! Servers of every era: how the hub finds out which one, and what it says to those of the stateless era.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, at};
use super::renewals::remote_of;
use super::script::{Discovery, Hello, Script};
use super::world::World;
use crate::mcp::Revision;
use crate::ports::upstream::CloseReason;
use crate::record::{Protocol, Record};
use crate::rpc::Field;
use crate::shard::Effect;
use crate::{Fault, Limits, UpstreamFault};

/// What a server has been sent, in order, whether its script answers it or not.
fn said(world: &World) -> Vec<String> {
    let frame = |effect: &Effect| {
        let Effect::SendFrame { frame, .. } = effect else { return None };
        let text = core::str::from_utf8(frame).unwrap();
        let method = text.split("\"method\":\"").nth(1)?;
        method.split('"').next().map(ToOwned::to_owned)
    };
    world.log.iter().filter_map(frame).collect()
}

fn alone(script: Script) -> World {
    World::scripted(Limits::default(), [("a", script)]).surveyed()
}

fn revision(world: &World) -> Revision {
    world.snapshot.named("a").unwrap().offer.as_ref().unwrap().revision()
}

#[test]
fn a_server_of_the_stateless_era_is_found_out_and_greeted_by_nobody() {
    let world = alone(Script::modern());
    let methods = said(&world);
    assert_eq!(methods.first().map(String::as_str), Some("server/discover"));
    assert!(!methods.iter().any(|method| method == "initialize" || method == "notifications/initialized"));
    assert_eq!(revision(&world), Revision::V2026_07_28);
    let offer = world.snapshot.named("a").unwrap().offer.clone().unwrap();
    assert_eq!(offer.definitions().server_info, r#"{"name":"fake","version":"1"}"#);
    assert_eq!(offer.definitions().tools.len(), 1);
}

#[test]
fn every_request_of_the_hub_s_own_carries_the_envelope_of_the_stateless_era() {
    let world = alone(Script { lists: false, ..Script::modern() });
    for sent in &world.links.values().next().unwrap().sent {
        assert!(sent.contains(r#""io.modelcontextprotocol/protocolVersion":"2026-07-28""#), "{sent}");
        let able =
            r#"{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}"#;
        let said = format!(r#""io.modelcontextprotocol/clientCapabilities":{able}"#);
        assert!(sent.contains(&said), "{sent}");
        assert!(sent.contains(r#""io.modelcontextprotocol/clientInfo":{"name":"mcp-orch""#), "{sent}");
    }
}

#[test]
fn a_server_that_knows_nothing_of_the_stateless_era_is_greeted_in_the_old_way() {
    let world = alone(Script::default());
    assert_eq!(said(&world)[..3], ["server/discover", "initialize", "notifications/initialized"]);
    assert_eq!(revision(&world), Revision::V2025_11_25);
}

#[test]
fn a_server_that_says_nothing_to_the_question_is_greeted_and_a_late_yes_is_a_yes() {
    let limits = Limits::default();
    let mut world = alone(Script { discovery: Discovery::Silent, hello: Hello::Silent, ..Script::modern() });
    let probe = world.requested("a");
    world.advance(limits.probe.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(world.requests("a").is_empty());
    world.advance(Duration::from_millis(1));
    let hello = world.requested("a");
    assert_eq!((&*probe.method, &*hello.method), ("server/discover", "initialize"));
    let yes = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#;
    world.reply(&probe, yes);
    assert_eq!(revision(&world), Revision::V2026_07_28);
    // What it says to the greeting now is of no interest.
    let refusal =
        format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32022,"message":"no"}}}}"#, hello.id);
    world.says(hello.link, &refusal);
    assert_eq!(world.warnings(), Vec::<String>::new());
}

#[test]
fn a_question_that_a_remote_server_has_not_answered_is_closed_when_the_greeting_is_answered() {
    let script = Script { discovery: Discovery::Silent, ..Script::default() };
    for (mut world, closed) in [(remote_of(script.clone()), true), (alone(script), false)] {
        let probe = world.requested("a");
        world.advance(Limits::default().probe);
        assert_eq!(revision(&world), Revision::V2025_11_25);
        let closes = format!(r#""requestId":{},"#, probe.id);
        let frames = world.frames("a");
        assert_eq!(frames.iter().any(|(_, frame)| frame.contains(&closes)), closed, "{frames:?}");
    }
}

#[test]
fn a_server_that_did_not_get_to_answer_is_asked_again_when_it_is_started_again() {
    let server = || "a".to_owned();
    let refused = |status| UpstreamFault::Refused { server: server(), status, cause: String::new() };
    let (cause, unreached) = (String::new(), "server/discover");
    for (fault, next) in [
        (refused(401), unreached),
        (refused(403), unreached),
        (refused(503), unreached),
        (UpstreamFault::OutcomeUnknown { server: server(), cause: cause.clone() }, unreached),
        (UpstreamFault::Unavailable { server: server(), cause }, unreached),
        (refused(400), "initialize"),
        (refused(404), "initialize"),
        (refused(405), "initialize"),
    ] {
        let mut world = remote_of(Script { discovery: Discovery::Silent, ..Script::default() });
        let probe = world.requested("a");
        let error = Fault::from(fault.clone()).frame(Some(&probe.id));
        world.says(probe.link, core::str::from_utf8(&error).unwrap());
        assert_eq!(revision(&world), Revision::V2025_11_25, "it is greeted all the same: {fault}");
        world.crash("a");
        world.advance(Limits::default().backoff_last);
        world.log.clear();
        let client = world.client(HTTP, at("a"));
        world.call(&client, "1");
        assert_eq!(said(&world).first().map(String::as_str), Some(next), "{fault}");
    }
}

#[test]
fn a_process_that_ends_at_the_question_is_started_again_and_greeted_which_is_no_failure() {
    let mut world = alone(Script { discovery: Discovery::Silent, ..Script::default() });
    world.close(world.link("a"), CloseReason::Exited(1));
    assert_eq!(world.starts(), 2);
    assert_eq!(said(&world)[..2], ["server/discover", "initialize"]);
    assert_eq!(revision(&world), Revision::V2025_11_25);
    assert_eq!(world.warnings(), Vec::<String>::new());
}

#[test]
fn a_process_that_says_no_to_the_question_and_ends_is_not_asked_it_again() {
    let mut world = alone(Script::silent());
    world.scripts.insert("a".into(), Script::default());
    world.close(world.link("a"), CloseReason::Exited(1));
    world.advance(Duration::from_secs(1));
    let client = Client::new(Era::Modern, at("a"));
    world.call(&client, "1");
    assert_eq!(said(&world)[..3], ["server/discover", "initialize", "initialize"]);
    assert_eq!(revision(&world), Revision::V2025_11_25);
}

#[test]
fn what_came_of_the_question_is_remembered_and_a_no_is_asked_again_after_its_time() {
    for (script, early, late) in [
        (Script::default(), "initialize", "server/discover"),
        (Script::modern(), "server/discover", "server/discover"),
    ] {
        let mut world = alone(script).restarted();
        let client = world.client(HTTP, at("a"));
        world.call(&client, "1");
        assert_eq!(said(&world).first().map(String::as_str), Some(early));
        let mut world = world.restarted();
        world.advance(Limits::default().verdict);
        let client = world.client(HTTP, at("a"));
        world.call(&client, "1");
        assert_eq!(said(&world).first().map(String::as_str), Some(late));
    }
}

#[test]
fn a_no_that_is_asked_again_gets_a_new_date() {
    let mut world = alone(Script::default());
    world.restarted_at_verdict();
    let fetched = world.snapshot.named("a").unwrap().offer.as_ref().unwrap().definitions().fetched_at;
    assert_eq!(fetched, world.now);
}

impl World {
    /// Another life of the hub in which what is remembered of eras is out of date, and every server, idle for long, is called
    /// once.
    fn restarted_at_verdict(&mut self) {
        self.advance(Limits::default().verdict);
        let client = self.client(HTTP, at("a"));
        self.call(&client, "1");
    }
}

#[test]
fn a_server_that_was_replaced_by_one_of_another_era_is_found_out() {
    for (before, after, expected) in [
        (Script::default(), Script::modern(), Revision::V2026_07_28),
        (Script::modern(), Script::default(), Revision::V2025_11_25),
    ] {
        let mut world = alone(before).restarted();
        world.scripts.insert("a".to_owned(), after);
        let client = world.client(HTTP, at("a"));
        world.call(&client, "1");
        assert_eq!(revision(&world), expected);
    }
}

#[test]
fn a_configured_era_is_the_only_one_that_is_tried() {
    for (protocol, script, methods) in [
        (Protocol::Legacy, Script::modern(), ["initialize"].as_slice()),
        (Protocol::Modern, Script::default(), ["server/discover"].as_slice()),
    ] {
        let mut world = World::scripted(Limits::default(), [("a", script)]);
        world.configure(|servers| servers[0].spec.protocol = protocol);
        let world = world.surveyed();
        assert_eq!(said(&world), methods);
        assert!(world.warnings()[0].contains("did not accept"), "{:?}", world.warnings());
    }
}

#[test]
fn a_server_that_does_not_speak_its_configured_era_fails_with_the_setting_until_that_changes() {
    for (protocol, script, setting, way_out) in [
        (Protocol::Legacy, Script::modern(), "set to legacy", "auto or modern"),
        (Protocol::Modern, Script::default(), "set to modern", "auto or legacy"),
    ] {
        let mut world = World::running(&["a"]).restarted();
        world.scripts.insert("a".to_owned(), script);
        world.configure(|servers| servers[0].spec.protocol = protocol);
        let client = Client::new(Era::Modern, at("a"));
        let call = world.call(&client, "1");
        let answer = world.answer(&client, call);
        let words = answer.text(Field::ErrorMessage).unwrap();
        assert!(words.contains(setting) && words.contains(way_out), "{words}");
        assert!(answer.raw_str(Field::Error).unwrap().contains(r#""data":{"retryable":false}"#), "{words}");
        // With the other one it runs.
        world.configure(|servers| servers[0].spec.protocol = Protocol::Auto);
        world.call(&client, "2");
        assert_eq!(world.requested("a").method, "tools/call");
    }
}

#[test]
fn a_server_that_says_nothing_in_its_configured_era_is_said_to_have_that_setting() {
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
    world.scripts.get_mut("a").unwrap().discovery = Discovery::Silent;
    world.configure(|servers| servers[0].spec.protocol = Protocol::Modern);
    let mut world = world.surveyed();
    world.advance(Duration::from_secs(30));
    let words = &world.warnings()[0];
    assert!(words.contains("server/discover within 30 s") && words.contains("auto or legacy"), "{words}");
}

#[test]
fn a_server_that_answers_initialize_with_a_revision_that_nobody_knows_is_refused() {
    let mut world = alone(Script::silent());
    let hello = world.requested("a");
    world.reply(&hello, r#"{"protocolVersion":"2031-01-01","capabilities":{},"serverInfo":{}}"#);
    assert!(world.warnings()[0].contains("revision 2031-01-01"), "{:?}", world.warnings());
}

#[test]
fn a_handshake_that_names_no_revision_is_refused_in_words() {
    for (said, cause) in [
        (r#"{"protocolVersion":5}"#, "its protocolVersion is 5, which is no revision"),
        (r#"{"protocolVersion":""}"#, r#"its protocolVersion is "", which is no revision"#),
        (r#"{"protocolVersion":null}"#, "its answer names no revision that the hub speaks"),
        ("{}", "its answer names no revision that the hub speaks"),
        ("[]", "its answer names no revision that the hub speaks"),
    ] {
        let mut world = alone(Script::silent());
        while let Some(sent) = world.requests("a").pop() {
            world.reply(&sent, said);
        }
        let shown = world.view("a").cause;
        assert_eq!(shown, Some(format!("it did not accept initialize: {cause}")), "{said}");
    }
}

#[test]
fn the_news_of_a_server_are_asked_for_in_one_stream_that_follows_the_subscriptions() {
    let script = Script {
        capabilities: r#"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#.to_owned(),
        news: false,
        ..Script::modern()
    };
    let mut world = alone(script);
    let first = world.requested("a");
    assert_eq!(first.method, "subscriptions/listen");
    let filter = r#""notifications":{"toolsListChanged":true,"resourcesListChanged":true}"#;
    assert!(first.params.contains(filter), "{}", first.params);
    let client = world.client(HTTP, at("a"));
    let stream = world.open(&client, crate::ports::gateway::Verb::Listen);
    let asked = world.request(&client, "1", "resources/subscribe", r#""uri":"test://a""#);
    let frames = world.frames("a");
    assert!(
        frames.len() == 1 && frames[0].1.contains(r#""resourceSubscriptions":["test://a"]"#),
        "{frames:?}"
    );
    let second = super::world::read(&frames[0].1).raw_str(Field::Id).unwrap().to_owned();
    for (opened, ends) in [(&first.id, false), (&second, true)] {
        let meta = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{opened}}}"#);
        let method = "notifications/subscriptions/acknowledged";
        world.says(first.link, &format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{{{meta}}}}}"#));
        let frames = world.frames("a");
        let ended = |text: &String| text.contains("notifications/cancelled") && text.contains(&first.id);
        assert_eq!(frames.iter().any(|(_, text)| ended(text)), ends, "nothing is missed between the two");
        assert_eq!(world.seen(asked).ended, ends, "the yes waits for the stream that has the resource");
    }
    assert!(world.answer(&client, asked).has(Field::Result));
    world.says(
        first.link,
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://a","_meta":{"io.modelcontextprotocol/subscriptionId":9}}}"#,
    );
    assert_eq!(
        world.take(&client, stream),
        [
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://a","_meta":{}}}"#
        ]
    );
    for odd in ["7", "null", "[1]", r#""s""#] {
        let said = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"test://a","_meta":{odd}}}}}"#
        );
        world.says(first.link, &said);
        assert_eq!(world.take(&client, stream), [said]);
    }
}

#[test]
fn a_stream_of_news_that_ends_is_opened_again_after_a_pause_and_what_was_missed_is_asked_for() {
    let mut world = alone(Script { tools: Vec::from(["echo".to_owned()]), news: false, ..Script::modern() });
    let first = world.requested("a");
    world.reply(&first, r#"{"resultType":"complete"}"#);
    assert!(world.requests("a").is_empty());
    world.scripts.get_mut("a").unwrap().tools.push("more".to_owned());
    world.advance(Limits::default().backoff_last);
    assert_eq!(world.requested("a").method, "subscriptions/listen");
    let offer = world.snapshot.named("a").unwrap().offer.clone().unwrap();
    assert_eq!(offer.definitions().tools.len(), 2);
}

#[test]
fn a_server_without_streams_of_news_is_asked_once() {
    let mut world = alone(Script { news: false, ..Script::modern() });
    let first = world.requested("a");
    let text = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32601,"message":"no"}}}}"#, first.id);
    world.says(first.link, &text);
    world.advance(Duration::from_hours(1));
    assert!(world.requests("a").is_empty());
}

#[test]
fn definitions_say_when_they_were_learnt() {
    let world = alone(Script::modern());
    let dates = world.records.values().filter_map(|record| match record {
        Record::Definitions(known) => Some(known.fetched_at),
        Record::Key(_)
        | Record::Lease(_)
        | Record::Calls(_)
        | Record::Log(_)
        | Record::Owed(_)
        | Record::Project(_)
        | Record::Run(_)
        | Record::RunCall(_)
        | Record::RunElement(..)
        | Record::RunStep(_)
        | Record::Server(_)
        | Record::Task(_)
        | Record::Session(_)
        | Record::Wishes(_) => None,
    });
    assert!(dates.into_iter().all(|date| date == world.now));
}
