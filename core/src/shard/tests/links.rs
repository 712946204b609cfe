//! URIs on the unified endpoint: what was shown can be read, from the server that has shown it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::{Client, ERAS, Era, HTTP, Sent};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;

const FULL: &str = r#"{"tools":{},"prompts":{},"resources":{"subscribe":true},"completions":{}}"#;

pub(super) fn full(resources: &[&str], templates: &[&str]) -> Script {
    Script { capabilities: FULL.to_owned(), ..Script::full(resources, templates) }
}

/// Two servers with the same resource and the same template, and one with tools alone.
fn world_of(limits: Limits) -> World {
    let scripts = [
        ("a", full(&["x:same", "x:a"], &["x:t/{id}"])),
        ("b", full(&["x:same", "x:b"], &["x:t/{id}", "x:only-b/{id}"])),
        ("c", Script::default()),
    ];
    World::scripted(limits, scripts).surveyed()
}

fn world() -> World {
    world_of(Limits::default())
}

/// What a client gets on the unified endpoint when the server answers with this.
pub(super) fn through(
    world: &mut World,
    client: &Client,
    server: &str,
    (method, members): (&str, &str),
    result: &str,
) -> String {
    let exchange = world.request(client, "1", method, members);
    let sent = world.requested(server);
    world.reply(&sent, result);
    world.answer(client, exchange).raw_str(Field::Result).unwrap().to_owned()
}

pub(super) fn tool(server: &str) -> (&'static str, String) {
    ("tools/call", format!(r#""name":"{server}__echo""#))
}

fn linked(uri: &str) -> String {
    format!(r#"{{"content":[{{"type":"resource_link","uri":"{uri}","name":"n"}}]}}"#)
}

/// The URI of the link that a client sees after a server has shown it.
fn shown(world: &mut World, client: &Client, server: &str, uri: &str) -> String {
    let (method, members) = tool(server);
    let result = through(world, client, server, (method, &members), &linked(uri));
    let seen = result.split(r#""uri":""#).nth(1).and_then(|rest| rest.split('"').next());
    seen.unwrap().to_owned()
}

/// What becomes of a read: the server that was asked, and for what.
fn read(world: &mut World, client: &Client, uri: &str) -> Option<(String, Sent)> {
    let exchange = world.request(client, "2", "resources/read", &format!(r#""uri":"{uri}""#));
    for server in ["a", "b", "c"] {
        if let Some(sent) = world.requests(server).pop() {
            return Some((server.to_owned(), sent));
        }
    }
    let code = if client.era == Era::Modern { "-32602" } else { "-32002" };
    assert_eq!(world.code(client, exchange), code);
    None
}

#[track_caller]
pub(super) fn assert_reads(world: &mut World, client: &Client, uri: &str, server: &str, own: &str) {
    let (reached, sent) = read(world, client, uri).expect("a server");
    assert_eq!(reached, server, "{uri}");
    assert!(sent.params.contains(&format!(r#""uri":"{own}""#)), "{uri}: {}", sent.params);
}

#[test]
fn a_link_that_would_lead_to_another_server_is_wrapped_and_one_that_leads_home_stays() {
    for era in ERAS {
        let mut world = world();
        let client = world.client(era, Target::Unified);
        for (server, uri, expected) in [
            ("a", "x:same", "x:same"),
            ("b", "x:same", "mcp-orch://b/x:same"),
            ("b", "x:b", "x:b"),
            ("a", "x:b", "mcp-orch://a/x:b"),
            ("a", "x:t/1", "x:t/1"),
            ("b", "x:t/1", "mcp-orch://b/x:t/1"),
            ("a", "x:only-b/1", "mcp-orch://a/x:only-b/1"),
            ("b", "x:new", "x:new"),
            ("a", "x:new", "mcp-orch://a/x:new"),
            ("b", "mcp-orch://a/x:same", "mcp-orch://b/mcp-orch://a/x:same"),
            ("b", "mcp-orch://b/x:b", "mcp-orch://b/mcp-orch://b/x:b"),
        ] {
            let seen = shown(&mut world, &client, server, uri);
            assert_eq!(seen, expected, "{era:?}: {uri} of {server}");
            assert_reads(&mut world, &client, &seen, server, uri);
        }
    }
}

#[test]
fn links_embedded_resources_and_what_was_read_are_all_readable_and_the_rest_stays_as_it_came() {
    let mut world = world();
    let client = world.client(HTTP, Target::Unified);
    let block = r#"{"type" : "resource","x":1e400,"resource":{ "text":"{\"uri\":\"x:same\"}","uri" : "x:s\u0061me"}}"#;
    let expected = block.replace(r"x:s\u0061me", "mcp-orch://b/x:same");
    let data = r#""structuredContent":{"type":"resource_link","uri":"x:same"},"_meta":{"uri":"x:same"}"#;
    for (method, members, before, after) in [
        ("tools/call", r#""name":"b__echo""#, r#"{"content":["#, format!("],{data}}}")),
        (
            "prompts/get",
            r#""name":"b__greet""#,
            r#"{"messages":[{"role":"user","content":"#,
            "}]}".to_owned(),
        ),
    ] {
        let result = format!("{before}{block}{after}");
        let seen = through(&mut world, &client, "b", (method, members), &result);
        assert_eq!(seen, format!("{before}{expected}{after}"));
    }
    let read = |uri: &str| {
        format!(r#"{{"contents":[{{"uri":"{uri}","text":"x:same"}},{{"uri":"x:b","text":""}}]}}"#)
    };
    let members = r#""uri":"mcp-orch://b/x:same""#;
    let seen = through(&mut world, &client, "b", ("resources/read", members), &read("x:same"));
    assert_eq!(seen, read("mcp-orch://b/x:same"));
}

#[test]
fn what_leads_home_passes_byte_for_byte() {
    let mut world = world();
    let client = world.client(HTTP, Target::Unified);
    let result = r#"{ "content" : [{"uri":"x:\u0062","type":"resource_link","size":1e400}] }"#;
    let (method, members) = tool("b");
    assert_eq!(through(&mut world, &client, "b", (method, &members), result), result);
    let result = r#"{ "contents":[ {"uri":"x:\u0062","text":""}]}"#;
    assert_eq!(through(&mut world, &client, "b", ("resources/read", r#""uri":"x:b""#), result), result);
}

#[test]
fn links_of_a_server_without_resources_or_at_its_own_endpoint_are_its_own_business() {
    let mut world = world();
    let client = world.client(HTTP, Target::Unified);
    assert_eq!(shown(&mut world, &client, "c", "x:same"), "x:same");
    assert_eq!(shown(&mut world, &client, "c", "https://example.com/"), "https://example.com/");
    assert!(read(&mut world, &client, "https://example.com/").is_none());
    let own = world.client(HTTP, super::clients::at("b"));
    let result = through(&mut world, &own, "b", ("tools/call", r#""name":"echo""#), &linked("x:same"));
    assert_eq!(result, linked("x:same"));
}

#[test]
fn a_uri_that_nobody_lists_is_of_the_server_that_showed_it_for_as_long_as_that_is_remembered() {
    let limits = Limits { shown_uris: 2, ..Limits::default() };
    let mut world = world_of(limits);
    let client = world.client(Era::Modern, Target::Unified);
    assert!(read(&mut world, &client, "x:1").is_none());
    for uri in ["x:1", "x:2"] {
        shown(&mut world, &client, "b", uri);
    }
    assert_reads(&mut world, &client, "x:1", "b", "x:1");
    shown(&mut world, &client, "a", "x:3");
    assert!(read(&mut world, &client, "x:2").is_none(), "it was used longest ago");
    assert_reads(&mut world, &client, "x:1", "b", "x:1");
    world.configure(|servers| servers.retain(|server| server.name != "b"));
    assert_reads(&mut world, &client, "x:1", "a", "x:1");
}

#[test]
fn a_resource_that_was_shown_can_be_subscribed_to_in_every_era() {
    let mut world = world();
    let session = world.client(HTTP, Target::Unified);
    let stream = world.open(&session, Verb::Listen);
    assert_eq!(shown(&mut world, &session, "b", "x:new"), "x:new");
    let asked = world.request(&session, "3", "resources/subscribe", r#""uri":"x:new""#);
    let sent = world.requested("b");
    assert_eq!((&*sent.method, &*sent.params), ("resources/subscribe", r#"{"uri":"x:new"}"#));
    world.reply(&sent, "{}");
    assert!(world.answer(&session, asked).has(Field::Result));
    let modern = Client::new(Era::Modern, Target::Unified);
    let filter = r#""notifications":{"resourceSubscriptions":["x:new","x:unknown","mcp-orch://b/x:same"]}"#;
    let listen = world.request(&modern, "4", "subscriptions/listen", filter);
    let honoured = r#""resourceSubscriptions":["x:new","mcp-orch://b/x:same"]"#;
    let sent = world.requested("b");
    assert_eq!(sent.params, r#"{"uri":"x:same"}"#);
    world.reply(&sent, "{}");
    assert!(world.take(&modern, listen)[0].contains(honoured));
    let link = world.link("b");
    for uri in ["x:new", "x:same"] {
        let params = format!(r#""params":{{"uri":"{uri}"}}"#);
        world.says(
            link,
            &format!(r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated",{params}}}"#),
        );
    }
    assert!(world.take(&session, stream)[0].contains(r#""uri":"x:new""#));
    let heard = world.take(&modern, listen);
    assert!(heard[0].contains(r#""uri":"x:new""#), "{heard:?}");
    assert!(heard[1].contains(r#""uri":"mcp-orch://b/x:same""#), "{heard:?}");
}

#[test]
fn a_session_unsubscribes_from_what_it_subscribed_to_wherever_that_name_would_lead_now() {
    let mut world = world_of(Limits { shown_uris: 1, ..Limits::default() });
    let client = world.client(HTTP, Target::Unified);
    shown(&mut world, &client, "b", "x:1");
    let asked = world.request(&client, "1", "resources/subscribe", r#""uri":"x:1""#);
    let sent = world.requested("b");
    world.reply(&sent, "{}");
    world.take(&client, asked);
    shown(&mut world, &client, "a", "x:2");
    assert_eq!(shown(&mut world, &client, "a", "x:1"), "x:1", "it leads to another server");
    world.request(&client, "2", "resources/unsubscribe", r#""uri":"x:1""#);
    let sent = world.requested("b");
    assert_eq!((&*sent.method, &*sent.params), ("resources/unsubscribe", r#"{"uri":"x:1"}"#));
}

#[test]
fn a_change_of_a_part_of_a_wrapped_resource_is_told_under_a_wrapped_name() {
    let scripts = [("a", full(&["x:dir/"], &[])), ("b", full(&["x:dir/"], &[]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = Client::new(Era::Modern, Target::Unified);
    let filter = r#""notifications":{"resourceSubscriptions":["mcp-orch://b/x:dir/"]}"#;
    let listen = world.request(&client, "1", "subscriptions/listen", filter);
    world.agree("b");
    world.take(&client, listen);
    let link = world.link("b");
    let changed =
        r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x:dir/file"}}"#;
    world.says(link, changed);
    assert!(world.take(&client, listen)[0].contains(r#""uri":"mcp-orch://b/x:dir/file""#));
}

#[test]
fn everything_that_is_listed_is_listed_once_and_leads_to_the_server_that_lists_it() {
    let mut world = world();
    let client = Client::new(Era::Modern, Target::Unified);
    let mut listed = |method: &str, field: Field, member: &str| -> Vec<String> {
        let exchange = world.request(&client, "1", method, "");
        let list = world.answer(&client, exchange).raw_str(field).unwrap().to_owned();
        let before = format!(r#""{member}":""#);
        let names = list.split(&before).skip(1);
        names.filter_map(|rest| rest.split('"').next().map(ToOwned::to_owned)).collect()
    };
    let resources = listed("resources/list", Field::Resources, "uri");
    assert_eq!(resources, ["x:same", "x:a", "mcp-orch://b/x:same", "x:b"]);
    let templates = listed("resources/templates/list", Field::Templates, "uriTemplate");
    assert_eq!(templates, ["x:t/{id}", "mcp-orch://b/x:t/{id}", "x:only-b/{id}"]);
    for (uri, server) in resources.iter().chain(&templates).zip(["a", "a", "b", "b", "a", "b", "b"]) {
        let uri = uri.replace("{id}", "7");
        let own = uri.trim_start_matches("mcp-orch://b/").to_owned();
        assert_reads(&mut world, &client, &uri, server, &own);
    }
}

#[test]
fn completions_follow_prompts_and_templates_with_the_arguments_that_are_known() {
    let argument = r#""argument":{"name":"id","value":"x"},"context":{"arguments":{"owner":"x:same"}}"#;
    for era in ERAS {
        let mut world = world();
        let client = world.client(era, Target::Unified);
        for (reference, own) in [
            (r#"{"type":"ref/prompt","name":"b__greet"}"#, r#"{"type":"ref/prompt","name":"greet"}"#),
            (
                r#"{"type":"ref/resource","uri":"x:only-b/{id}"}"#,
                r#"{"type":"ref/resource","uri":"x:only-b/{id}"}"#,
            ),
            (
                r#"{"type":"ref/resource","uri":"mcp-orch://b/x:t/{id}"}"#,
                r#"{"type":"ref/resource","uri":"x:t/{id}"}"#,
            ),
        ] {
            let members = format!(r#""ref":{reference},{argument}"#);
            let exchange = world.request(&client, "1", "completion/complete", &members);
            let sent = world.requested("b");
            assert!(sent.params.contains(&format!(r#""ref":{own},{argument}"#)), "{}", sent.params);
            let result = r#""completion":{"values":["xy"],"total":1e0,"x":1}"#;
            world.reply(&sent, &format!("{{{result}}}"));
            assert!(world.answer(&client, exchange).raw_str(Field::Result).unwrap().contains(result));
        }
    }
}

#[test]
fn a_part_of_a_resource_that_its_subscriber_was_told_of_can_be_read() {
    for era in ERAS {
        let scripts = [("a", full(&["x:a/"], &[])), ("b", full(&["x:b/"], &[]))];
        let mut world = World::scripted(Limits::default(), scripts).surveyed();
        let client = world.client(era, Target::Unified);
        let stream = if era == Era::Modern {
            let filter = r#""notifications":{"resourceSubscriptions":["x:a/","x:b/"]}"#;
            let listen = world.request(&client, "1", "subscriptions/listen", filter);
            world.agree("a");
            world.agree("b");
            world.take(&client, listen);
            listen
        } else {
            for server in ["a", "b"] {
                let asked =
                    world.request(&client, "1", "resources/subscribe", &format!(r#""uri":"x:{server}/""#));
                let sent = world.requested(server);
                world.reply(&sent, "{}");
                world.take(&client, asked);
            }
            client.stream.unwrap_or_else(|| world.open(&client, Verb::Listen))
        };
        world.requests("a");
        world.requests("b");
        shown(&mut world, &client, "a", "x:b/shown");
        for (server, own, expected) in [
            ("b", "x:b/file", "x:b/file"),
            ("b", "x:b/shown", "mcp-orch://b/x:b/shown"),
            ("b", "x:b/", "x:b/"),
        ] {
            let (link, changed) = (world.link(server), "notifications/resources/updated");
            world.says(
                link,
                &format!(r#"{{"jsonrpc":"2.0","method":"{changed}","params":{{"uri":"{own}"}}}}"#),
            );
            let heard = world.take(&client, stream);
            assert!(heard[0].contains(&format!(r#""uri":"{expected}""#)), "{era:?} {heard:?}");
            assert_reads(&mut world, &client, expected, server, own);
        }
    }
}
