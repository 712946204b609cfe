//! Tasks of servers: at the endpoint of one server, within one era; nowhere else, and there is no sign of them there.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::begun::begun;
use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::{World, read};
use crate::Limits;
use crate::mcp::Revision;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;

const CORE: &str = r#""tasks":{"list":{},"requests":{"tools":{"call":{}}}}"#;
const EXTENSION: &str = r#""io.modelcontextprotocol/tasks":{}"#;

fn capable(script: Script) -> Script {
    let capabilities = format!(
        r#"{{"tools":{{"x":1}},{CORE},"experimental":{{"e":{{}}}},"extensions":{{"io.modelcontextprotocol/ui":{{"mimeTypes":["text/html"]}},{EXTENSION}}}}}"#
    );
    Script { capabilities, ..script }
}

fn world(script: Script) -> World {
    World::scripted(Limits::default(), [("a", capable(script)), ("b", capable(Script::default()))]).surveyed()
}

/// The capabilities that an endpoint shows to a client.
fn shown(world: &mut World, era: Era, target: Target) -> String {
    let mut client = Client::new(era, target);
    if era == Era::Sse {
        world.open_sse(&mut client);
    }
    let exchange = match era {
        Era::Modern => world.request(&client, "1", "server/discover", ""),
        Era::Http(_) | Era::Sse => world.initialize(&client, "2025-11-25"),
    };
    world.answer(&client, exchange).raw_str(Field::Capabilities).unwrap().to_owned()
}

#[test]
fn one_server_s_endpoint_shows_the_server_s_own_capabilities_and_the_tasks_of_the_client_s_era() {
    let ui = r#""io.modelcontextprotocol/ui":{"mimeTypes":["text/html"]}"#;
    for (modern, script) in [(false, Script::default()), (true, Script::modern())] {
        let mut world = world(script);
        for era in [Era::Sse, HTTP, Era::Http(Revision::V2025_06_18), Era::Modern] {
            let newest = matches!(era, Era::Sse | Era::Http(Revision::V2025_11_25));
            let core = if newest && !modern { format!("{CORE},") } else { String::new() };
            let extension =
                if era == Era::Modern && modern { format!(",{EXTENSION}") } else { String::new() };
            let expected = format!(
                r#"{{"tools":{{"listChanged":true,"x":1}},{core}"experimental":{{"e":{{}}}},"extensions":{{{ui}{extension}}}}}"#
            );
            assert_eq!(shown(&mut world, era, at("a")), expected, "{era:?}, modern: {modern}");
        }
    }
}

#[test]
fn the_unified_endpoint_shows_what_all_can_do_with_their_extensions_and_no_tasks() {
    let mut world = world(Script::modern());
    for era in ERAS {
        let expected = r#"{"tools":{"listChanged":true},"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html"]}}}"#;
        assert_eq!(shown(&mut world, era, Target::Unified), expected, "{era:?}");
    }
}

#[test]
fn the_tasks_of_an_era_pass_between_its_clients_and_its_servers_and_no_others() {
    let id = r#""taskId":"t\u0031""#;
    for (modern, script) in [(false, Script::default()), (true, Script::modern())] {
        let mut world = world(script);
        let beginner = world.client(if modern { Era::Modern } else { HTTP }, at("a"));
        begun(&mut world, &beginner, "t1");
        for era in ERAS {
            let client = world.client(era, at("a"));
            for method in ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update"] {
                let exchange = world.request(&client, "1", method, id);
                if (era == Era::Modern) != modern {
                    assert_eq!(world.code(&client, exchange), "-32601", "{era:?} {method}");
                    assert!(world.requests("a").is_empty());
                    continue;
                }
                let sent = world.requested("a");
                assert_eq!(sent.method, method);
                assert!(sent.params.contains(id), "{}", sent.params);
                let result = r#""taskId":"t1","status":"working","ttlMs":null,"pollIntervalMs":1e2"#;
                world.reply(&sent, &format!("{{{result}}}"));
                assert!(world.answer(&client, exchange).raw_str(Field::Result).unwrap().contains(result));
            }
        }
    }
}

#[test]
fn the_result_of_a_task_may_take_as_long_as_its_limit_and_no_other_request_does() {
    let limits = Limits { task_result: Duration::from_mins(20), ..Limits::default() };
    for (seconds, given_up) in [(None, 20), (Some(3_000), 50)] {
        let mut world = World::scripted(limits.clone(), [("a", capable(Script::default()))]).surveyed();
        world.configure(|servers| servers[0].spec.call_timeout_s = seconds);
        let client = world.client(HTTP, at("a"));
        begun(&mut world, &client, "t");
        let exchange = world.request(&client, "1", "tasks/result", r#""taskId":"t""#);
        world.advance(Duration::from_secs(given_up * 60 - 1));
        assert!(!world.seen(exchange).ended, "{seconds:?}");
        world.advance(Duration::from_secs(1));
        assert_eq!(world.code(&client, exchange), "-31002");
    }
    let mut world = World::scripted(limits, [("a", capable(Script::default()))]).surveyed();
    let client = world.client(HTTP, at("a"));
    begun(&mut world, &client, "t");
    let exchange = world.request(&client, "1", "tasks/get", r#""taskId":"t""#);
    world.advance(Duration::from_mins(1));
    assert_eq!(world.code(&client, exchange), "-31002");
}

#[test]
fn a_call_that_becomes_a_task_passes_in_both_eras_with_the_news_of_it() {
    let mut legacy = world(Script::default());
    let client = legacy.client(HTTP, at("a"));
    let stream = legacy.open(&client, Verb::Listen);
    let call = legacy.request(&client, "1", "tools/call", r#""name":"echo","task":{"ttl":60000}"#);
    let sent = legacy.requested("a");
    assert_eq!(sent.params, r#"{"name":"echo","task":{"ttl":60000}}"#);
    let created = r#"{"task":{"taskId":"t1","status":"working","createdAt":"x","ttl":6e4}}"#;
    legacy.reply(&sent, created);
    assert_eq!(legacy.answer(&client, call).raw_str(Field::Result), Some(created));
    let status =
        r#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"t1","x":1e400}}"#;
    legacy.says(sent.link, status);
    assert_eq!(legacy.take(&client, stream), [status]);

    let mut modern = world(Script::modern());
    let capabilities = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    let client = modern.able_client(Era::Modern, at("a"), capabilities);
    let call = modern.call(&client, "1");
    let sent = modern.requested("a");
    assert!(sent.params.contains(capabilities), "{}", sent.params);
    let created = r#""resultType":"task","taskId":"t1","status":"working","ttlMs":null"#;
    modern.reply(&sent, &format!("{{{created}}}"));
    assert!(modern.answer(&client, call).raw_str(Field::Result).unwrap().contains(created));
}

#[test]
fn who_asks_the_extension_for_a_task_that_is_not_its_own_is_told_what_is_wrong_first() {
    let mut world = world(Script::modern());
    let plain = world.client(Era::Modern, at("a"));
    let knows = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    let knows = world.able_client(Era::Modern, at("a"), knows);
    for (client, method, code) in [
        (&plain, "tasks/get", "-32021"),
        (&plain, "tasks/result", "-32601"),
        (&knows, "tasks/result", "-32601"),
        (&knows, "tasks/get", "-32602"),
        (&knows, "tasks/cancel", "-32602"),
    ] {
        let refused = world.request(client, "1", method, r#""taskId":"t9""#);
        assert_eq!(world.code(client, refused), code, "{method}");
    }
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_wish_for_a_task_that_makes_no_sense_is_refused() {
    let mut world = world(Script::default());
    let client = world.client(HTTP, at("a"));
    for (wish, words) in
        [("7", "an object"), (r#"{"ttl":"x"}"#, "milliseconds"), (r#"{"ttl":-1}"#, "milliseconds")]
    {
        let call = world.request(&client, "1", "tools/call", &format!(r#""name":"echo","task":{wish}"#));
        let said = world.answer(&client, call);
        let error = said.raw_str(Field::Error).unwrap();
        assert!(error.contains("-32602") && error.contains(words), "{error}");
    }
    assert!(world.requests("a").is_empty());
    for wish in ["{}", r#"{"ttl":null}"#, r#"{"ttl":6e4,"x":1}"#] {
        world.request(&client, "1", "tools/call", &format!(r#""name":"echo","task":{wish}"#));
        assert!(world.requested("a").params.contains(wish));
    }
}

#[test]
fn a_server_sees_the_wish_for_a_task_where_its_tasks_were_shown_and_nowhere_else() {
    let older = Era::Http(Revision::V2025_06_18);
    for (modern, script) in [(false, Script::default()), (true, Script::modern())] {
        let mut world = world(script);
        for era in [Era::Sse, HTTP, older, Era::Modern] {
            for target in [at("a"), Target::Unified] {
                let core = !modern && target != Target::Unified && matches!(era, Era::Sse | HTTP);
                // Between two of 2026-07-28 it is a member that means nothing.
                let shown = core || modern && era == Era::Modern;
                let client = world.client(era, target.clone());
                let members = format!(r#""name":"{}","task":{{"ttl":1}},"x":1e400"#, client.echo());
                world.request(&client, "1", "tools/call", &members);
                let sent = world.requested("a").params;
                assert_eq!(sent.contains(r#""task""#), shown, "{era:?} {target:?}, modern: {modern}");
                assert!(sent.contains(r#""x":1e400"#), "{sent}");
            }
        }
    }
    let mut world = world(Script::default());
    let client = world.client(Era::Modern, at("a"));
    world.request(&client, "1", "made/up", r#""task":7"#);
    assert!(world.requested("a").params.contains(r#""task":7"#), "in other requests it is something else");
}

#[test]
fn no_client_is_asked_for_an_answer_as_a_task() {
    let abilities = r#"{"elicitation":{},"tasks":{"requests":{"elicitation":{"create":{}}}}}"#;
    for era in ERAS {
        let mut world = world(Script::default());
        let client = world.able_client(era, at("a"), abilities);
        let call = world.call(&client, "1");
        let link = world.requested("a").link;
        let params = r#"{"message":"?","requestedSchema":{},"task":{"ttl":1},"x":1e400}"#;
        world.says(
            link,
            &format!(r#"{{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{params}}}"#),
        );
        world.advance(Limits::default().gather);
        let asked = world.take(&client, call).concat();
        assert!(asked.contains(r#"{"message":"?","requestedSchema":{},"x":1e400}"#), "{era:?} {asked}");
        if era != Era::Modern {
            let (_, rest) = asked.split_once(r#""id":"#).unwrap();
            let id = rest.split(',').next().unwrap();
            world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
            let [(_, told)] = &*world.frames("a") else { panic!("it is told") };
            assert!(told.contains("-32603"), "no answer to the question: {told}");
        }
    }
}

#[test]
fn no_server_behind_the_unified_endpoint_hears_that_a_client_can_do_tasks() {
    let mut world = world(Script::modern());
    let capabilities = r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":[1e400]},"roots":{}}"#;
    let client = world.able_client(Era::Modern, Target::Unified, capabilities);
    world.call_with(&client, "1", r#""progressToken":"t""#);
    let sent = world.requested("a");
    assert!(!sent.params.contains("io.modelcontextprotocol/tasks"), "{}", sent.params);
    assert!(sent.params.contains(r#"{"extensions":{"x/y":[1e400]},"roots":{}}"#), "{}", sent.params);
    assert!(sent.params.contains(&format!(r#""progressToken":{}"#, sent.id)), "{}", sent.params);
}

#[test]
fn a_request_about_a_task_says_which_in_its_header() {
    let mut world = world(Script::modern());
    let client = Client::new(Era::Modern, at("a"));
    begun(&mut world, &client, "t-1");
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let body = read(&client.write("1", method, r#""taskId":"t-1""#, ""));
        for (name, refused) in
            [(None, true), (Some("t-2"), true), (Some("t-1"), false), (Some("=?base64?dC0x?="), false)]
        {
            let mut head = client.post_head(&body);
            head.headers.name = name.map(ToOwned::to_owned);
            let exchange = world.post_with(&client, head, body.clone());
            if refused {
                assert_eq!(world.seen(exchange).status, Some(400), "{method} {name:?}");
                assert_eq!(world.code(&client, exchange), "-32020");
            }
            assert_eq!(world.requests("a").is_empty(), refused, "{method} {name:?}");
        }
    }
}

#[test]
fn methods_of_tasks_are_unknown_where_a_revision_or_a_server_has_no_tasks() {
    let plain = || World::scripted(Limits::default(), [("a", Script::default())]).surveyed();
    let older = [Revision::V2025_03_26, Revision::V2025_06_18].map(Era::Http);
    let able = older.into_iter().map(|era| (world(Script::default()), era));
    for (mut world, era) in able.chain([(plain(), HTTP), (plain(), Era::Sse)]) {
        let client = world.client(era, at("a"));
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            let refused = world.request(&client, "1", method, r#""taskId":"t1""#);
            assert_eq!(world.code(&client, refused), "-32601", "{era:?} {method}");
        }
        if era != HTTP && era != Era::Sse {
            let refused = world.request(&client, "1", "tasks/list", "");
            assert_eq!(world.code(&client, refused), "-32601", "{era:?}");
        }
        assert!(world.requests("a").is_empty());
    }
}
