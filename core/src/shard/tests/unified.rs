//! The unified endpoint: where every name leads.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::{Client, ERAS, Era, HTTP, Sent, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::Target;
use crate::ports::upstream::CloseReason;
use crate::rpc::{Envelope, Field, Sender};

fn world() -> World {
    let scripts = [
        ("a", Script::full(&["file:///same", "file:///a"], &["a://{x}/end"])),
        ("b", Script::full(&["file:///same", "file:///b"], &["b://{x}", "file:///{any}"])),
        (
            "c",
            Script::tools(&[
                "plain",
                "with.dot",
                "and/slash",
                "a_name_that_is_far_too_long_for_any_model_to_take_at_all",
            ]),
        ),
    ];
    World::scripted(Limits::default(), scripts).surveyed()
}

/// Sends a request over the unified endpoint and takes what the server was sent.
fn routed(world: &mut World, method: &str, members: &str, server: &str) -> Sent {
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", method, members);
    let requests = world.requests(server);
    let [only] = requests.as_slice() else {
        panic!("{method} {members} did not reach {server}: {:?}", world.seen(exchange))
    };
    only.clone()
}

/// The member of the params that a server was sent.
fn member(sent: &Sent, field: Field) -> String {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{}}}"#, sent.params);
    let envelope = Envelope::parse(text.into(), Sender::Upstream, &Limits::default()).unwrap();
    envelope.text(field).unwrap_or_default().into_owned()
}

#[test]
fn every_spelling_of_a_tool_reaches_it_under_its_own_name() {
    let mut world = world();
    for (spelling, server, name) in [
        ("a__echo", "a", "echo"),
        ("a.echo", "a", "echo"),
        ("a/echo", "a", "echo"),
        ("a:echo", "a", "echo"),
        (r"\u0061__ech\u006f", "a", "echo"),
        ("c__plain", "c", "plain"),
        ("c__with.dot", "c", "with.dot"),
        ("c.with.dot", "c", "with.dot"),
        ("c/and/slash", "c", "and/slash"),
    ] {
        let members = format!(r#""name":"{spelling}","arguments":{{"name":"a__echo"}}"#);
        let sent = routed(&mut world, "tools/call", &members, server);
        assert_eq!(member(&sent, Field::Name), name, "{spelling}");
        assert!(sent.params.contains(r#""arguments":{"name":"a__echo"}"#), "arguments are left alone");
    }
}

#[test]
fn every_listed_name_reaches_its_tool() {
    let mut world = world();
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", "tools/list", "");
    let page = world.answer(&client, exchange).raw_str(Field::Tools).unwrap().to_owned();
    let names: Vec<String> = page
        .split(r#""name":""#)
        .skip(1)
        .filter_map(|rest| rest.split('"').next().map(ToOwned::to_owned))
        .collect();
    for name in names.iter().filter(|name| name.starts_with("c_")) {
        assert!(
            name.len() <= 48 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "{name}"
        );
        routed(&mut world, "tools/call", &format!(r#""name":"{name}""#), "c");
    }
    assert_eq!(names.iter().filter(|name| name.starts_with("c_")).count(), 4);
}

#[test]
fn prompts_are_routed_like_tools() {
    let mut world = world();
    for spelling in ["b__greet", "b.greet", "b/greet", "b:greet"] {
        let sent = routed(&mut world, "prompts/get", &format!(r#""name":"{spelling}""#), "b");
        assert_eq!(member(&sent, Field::Name), "greet");
    }
}

#[test]
fn resources_are_routed_by_list_by_template_and_by_their_wrapping() {
    let mut world = world();
    for (uri, server, own) in [
        ("file:///a", "a", "file:///a"),
        ("file:///b", "b", "file:///b"),
        ("file:///same", "a", "file:///same"),
        ("mcp-orch://b/file:///same", "b", "file:///same"),
        ("a://1/end", "a", "a://1/end"),
        ("b://anything/at/all", "b", "b://anything/at/all"),
        ("file:///unlisted", "b", "file:///unlisted"),
    ] {
        let sent = routed(&mut world, "resources/read", &format!(r#""uri":"{uri}""#), server);
        assert_eq!(member(&sent, Field::Uri), own, "{uri}");
    }
}

#[test]
fn a_uri_that_two_servers_list_is_listed_twice_under_different_names() {
    let mut world = world();
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", "resources/list", "");
    let list = world.answer(&client, exchange).raw_str(Field::Resources).unwrap().to_owned();
    for uri in [r#""uri":"file:///same""#, r#""uri":"mcp-orch://b/file:///same""#] {
        assert_eq!(list.matches(uri).count(), 1, "{list}");
    }
}

#[test]
fn completions_go_where_their_reference_leads() {
    let mut world = world();
    let argument = r#""argument":{"name":"a__echo","value":"x"},"context":{"arguments":{"uri":"u"}}"#;
    for (reference, server, field, own) in [
        (r#"{"type":"ref/prompt","name":"a__greet"}"#, "a", Field::RefName, "greet"),
        (r#"{"type":"ref/prompt","name":"b.greet"}"#, "b", Field::RefName, "greet"),
        (r#"{"type":"ref/resource","uri":"b://{x}"}"#, "b", Field::RefUri, "b://{x}"),
        (r#"{"type":"ref/resource","uri":"file:///a"}"#, "a", Field::RefUri, "file:///a"),
        (r#"{"type":"ref/resource","uri":"mcp-orch://b/file:///same"}"#, "b", Field::RefUri, "file:///same"),
    ] {
        let members = format!(r#""ref":{reference},{argument}"#);
        let sent = routed(&mut world, "completion/complete", &members, server);
        assert_eq!(member(&sent, field), own, "{reference}");
        assert!(sent.params.contains(argument), "{}", sent.params);
    }
}

#[test]
fn what_no_server_has_is_unknown_by_its_name() {
    let mut world = world();
    for era in ERAS {
        let client = world.client(era, Target::Unified);
        for (method, members, words) in [
            ("tools/call", r#""name":"a__nope""#, "unknown tool: a__nope"),
            ("tools/call", r#""name":"echo""#, "unknown tool: echo"),
            ("tools/call", "", "tools/call needs params.name, a string"),
            ("tools/call", r#""name":7"#, "tools/call needs params.name, a string"),
            ("resources/read", r#""uri":[]"#, "resources/read needs params.uri, a string"),
            ("tools/list", r#""cursor":5"#, "tools/list needs params.cursor, a string"),
            ("prompts/get", r#""name":"a__echo""#, "unknown prompt: a__echo"),
            ("completion/complete", r#""ref":{"type":"ref/prompt","name":"x"}"#, "ref names no prompt"),
            ("completion/complete", "", "ref names no prompt"),
        ] {
            let exchange = world.request(&client, "\"u\"", method, members);
            let answer = world.answer(&client, exchange);
            assert_eq!(answer.raw_str(Field::Code), Some("-32602"));
            assert!(answer.text(Field::ErrorMessage).unwrap().contains(words), "{answer:?}");
            assert_eq!(answer.raw_str(Field::Id), Some("\"u\""));
        }
    }
}

#[test]
fn a_resource_that_no_server_has_is_not_found_by_the_code_of_its_client_s_revision() {
    let mut world = world();
    for (era, code) in [(Era::Sse, "-32002"), (HTTP, "-32002"), (Era::Modern, "-32602")] {
        let client = world.client(era, Target::Unified);
        let exchange = world.request(&client, "1", "resources/read", r#""uri":"zip://\"x""#);
        let answer = world.answer(&client, exchange);
        assert_eq!(answer.raw_str(Field::Code), Some(code));
        assert_eq!(answer.text(Field::ErrorMessage).unwrap(), "resource not found: zip://\"x");
        assert!(
            answer.raw_str(Field::Error).unwrap().contains(r#""data":{"uri":"zip://\"x"}"#),
            "{answer:?}"
        );
    }
}

#[test]
fn a_uri_that_nothing_lists_goes_to_the_only_server_that_has_resources() {
    let scripts = [("a", Script::full(&[], &[])), ("b", Script::default())];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let sent = routed(&mut world, "resources/read", r#""uri":"zip://x""#, "a");
    assert_eq!(member(&sent, Field::Uri), "zip://x");
}

#[test]
fn a_tool_that_may_be_an_unseen_server_s_is_waited_for() {
    let mut world = World::scripted(Limits::default(), [("a", Script::silent())]);
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.call(&client, "1");
    assert!(!world.seen(exchange).ended);
    let hello = world.requested("a");
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#);
    let sent = world.requested("a");
    assert_eq!(sent.method, "tools/call");
    world.reply(&sent, "{}");
    assert!(world.answer(&client, exchange).has(Field::Result));
}

#[test]
fn methods_that_no_revision_has_go_to_the_one_server_of_an_endpoint_in_every_era() {
    for script in [Script::default(), Script::modern()] {
        let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
        for era in ERAS {
            for target in [at("a"), Target::Unified] {
                let client = world.client(era, target.clone());
                let exchange = world.request(&client, "1", "vendor/thing", r#""x":1"#);
                if target == Target::Unified {
                    assert_eq!(world.code(&client, exchange), "-32601");
                    assert!(world.requests("a").is_empty());
                    continue;
                }
                let sent = world.requested("a");
                assert_eq!(sent.method, "vendor/thing");
                assert!(sent.params.contains(r#""x":1"#), "{}", sent.params);
                world.reply(&sent, r#"{"a":[1e400]}"#);
                let answer = world.answer(&client, exchange);
                assert!(answer.raw_str(Field::Result).unwrap().contains("\"a\":[1e400]"), "{answer:?}");
            }
        }
    }
}

#[test]
fn methods_of_another_revision_go_nowhere() {
    for script in [Script::default(), Script::modern()] {
        let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
        for (era, methods) in [
            (
                Era::Modern,
                ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"].as_slice(),
            ),
            (HTTP, ["server/discover", "subscriptions/listen"].as_slice()),
        ] {
            let client = world.client(era, at("a"));
            for method in methods {
                let exchange = world.request(&client, "1", method, "");
                assert_eq!(
                    world.seen(exchange).status,
                    Some(if era == HTTP { 200 } else { 404 }),
                    "{method}"
                );
                assert_eq!(world.code(&client, exchange), "-32601", "{method}");
                assert!(world.requests("a").is_empty(), "{method}");
            }
        }
    }
}

#[test]
fn two_servers_whose_names_run_into_each_other_are_both_reached() {
    let scripts = [("a", Script::tools(&["b__c"])), ("a__b", Script::tools(&["c"]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", "tools/list", "");
    let page = world.answer(&client, exchange).raw_str(Field::Tools).unwrap().to_owned();
    let names: Vec<String> = page
        .split(r#""name":""#)
        .skip(1)
        .filter_map(|rest| rest.split('"').next().map(ToOwned::to_owned))
        .filter(|name| name.starts_with('a'))
        .collect();
    assert_eq!(names.len(), 2, "{page}");
    for (name, (server, own)) in names.iter().zip([("a", "b__c"), ("a__b", "c")]) {
        let sent = routed(&mut world, "tools/call", &format!(r#""name":"{name}""#), server);
        assert_eq!(member(&sent, Field::Name), own);
    }
}

#[test]
fn a_tool_of_a_server_that_was_never_seen_is_out_of_reach_and_not_unknown() {
    let mut world =
        World::scripted(Limits::default(), [("a", Script::default()), ("b", Script::stuck())]).surveyed();
    world.close(world.link("b"), CloseReason::NotStarted("no such program".into()));
    let client = world.client(HTTP, Target::Unified);
    for (name, code) in [("b__x", "-31001"), ("b.x", "-31001"), ("bx", "-32602"), ("a__x", "-32602")] {
        let exchange = world.request(&client, "1", "tools/call", &format!(r#""name":"{name}""#));
        assert_eq!(world.code(&client, exchange), code, "{name}");
    }
}

#[test]
fn a_spelling_of_two_tools_leads_to_neither_and_people_are_told_another() {
    let scripts = [("a", Script::tools(&["b.c", "d"])), ("a.b", Script::tools(&["c"]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = world.client(HTTP, Target::Unified);
    for (name, server, own) in [("a__b.c", "a", "b.c"), ("a.b__c", "a.b", "c"), ("a.d", "a", "d")] {
        world.request(&client, "1", "tools/call", &format!(r#""name":"{name}""#));
        assert!(world.requested(server).params.contains(&format!(r#""name":"{own}""#)), "{name}");
    }
    let exchange = world.request(&client, "1", "tools/call", r#""name":"a.b.c""#);
    assert_eq!(world.code(&client, exchange), "-32602");
    let listed = world.request(&client, "1", "tools/call", r#""name":"hub.list_tools","arguments":{}"#);
    let listed = world.answer(&client, listed);
    let listed = listed.raw_str(Field::Result).unwrap();
    for name in ["a__b.c", "a.b__c", "a.d"] {
        assert!(listed.contains(&format!(r#"\"{name}\""#)), "{name} in {listed}");
    }
}
