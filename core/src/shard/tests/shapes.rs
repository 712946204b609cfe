//! Servers whose definitions are not of the shape that the specification gives them: what of it clients see.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::clients::{Client, ERAS, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::rpc::Field;

/// A server with one good tool and what the lists say beside it.
fn world(lists: [(ListKind, &'static str); 4], capabilities: &str) -> World {
    let script = Script { lists: false, capabilities: capabilities.to_owned(), ..Script::default() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    for _ in 0..4 {
        for sent in world.requests("a") {
            let (kind, list) = lists.iter().find(|(kind, _)| kind.method() == sent.method).unwrap();
            world.reply(&sent, &format!(r#"{{"{}":{list}}}"#, kind.member()));
        }
    }
    world
}

fn odd() -> World {
    let tools = r#"[{"name":"noschema"},{"name":"x","inputSchema":[]},{"name":"y","inputSchema":{"type":"array"}},{"name":"echo","inputSchema":{"type":"object"},"description":5,"annotations":[],"icons":5}]"#;
    world(
        [
            (ListKind::Tools, tools),
            (ListKind::Prompts, r#"[{"name":5},{"name":"p","title":[]}]"#),
            (ListKind::Resources, r#"[{"uri":"u:1"},{"uri":"u:2","name":"n","mimeType":7}]"#),
            (ListKind::Templates, r#"[{"uriTemplate":"t:{x}"},{"uriTemplate":"t:{y}","name":"n"}]"#),
        ],
        r#"{"tools":{},"prompts":{},"resources":{},"logging":true,"extensions":{"x":5,"y":{}}}"#,
    )
}

#[test]
fn what_clients_would_refuse_a_whole_list_for_is_not_in_it() {
    for era in ERAS {
        let mut world = odd();
        let client = world.client(era, at("a"));
        let mut listed = |method: &str, field: Field| -> String {
            let asked = world.request(&client, "1", method, "");
            world.answer(&client, asked).raw_str(field).unwrap().to_owned()
        };
        assert_eq!(
            listed("tools/list", Field::Tools),
            r#"[{"name":"echo","inputSchema":{"type":"object"}}]"#
        );
        assert_eq!(listed("prompts/list", Field::Prompts), r#"[{"name":"p"}]"#);
        assert_eq!(listed("resources/list", Field::Resources), r#"[{"uri":"u:2","name":"n"}]"#);
        let templates = listed("resources/templates/list", Field::Templates);
        assert_eq!(templates, r#"[{"uriTemplate":"t:{y}","name":"n"}]"#);
    }
}

#[test]
fn what_was_left_out_is_in_the_log_of_its_server() {
    let warnings = odd().warnings();
    assert_eq!(
        warnings,
        [
            "a: left out entries that are not of their shape: noschema (inputSchema), x (inputSchema), y \
             (inputSchema), one without a name (name), u:1 (name), t:{x} (name)",
            "a: left out members that are not of their shape: x of capabilities, annotations of echo, \
             description of echo, icons of echo, title of p, mimeType of u:2"
        ]
    );
}

#[test]
fn what_endpoints_can_do_is_said_in_objects() {
    for target in [at("a"), Target::Unified] {
        let mut world = odd();
        let client = Client::new(HTTP, target);
        let asked = world.initialize(&client, "2025-11-25");
        let answer = world.answer(&client, asked);
        let capabilities = answer.raw_str(Field::Capabilities).unwrap();
        assert!(capabilities.contains(r#""logging":{}"#), "{capabilities}");
        assert!(capabilities.contains(r#""extensions":{"y":{}}"#), "{capabilities}");
    }
}

#[test]
fn a_server_all_of_whose_tools_were_left_out_is_degraded() {
    let none = [ListKind::Prompts, ListKind::Resources, ListKind::Templates].map(|kind| (kind, "[]"));
    let [prompts, resources, templates] = none;
    let tools = (ListKind::Tools, r#"[{"name":"noschema"}]"#);
    let world = world([tools, prompts, resources, templates], r#"{"tools":{}}"#);
    let view = world.view("a");
    assert_eq!((&*view.state, &*view.health), ("running", "degraded"));
}

#[test]
fn a_tool_whose_headers_break_the_rules_is_shown_without_them_and_can_be_used() {
    let tools = r#"[{"name":"echo","inputSchema":{"type":"object","properties":{"n":{"type":"number","x-mcp-header":"N"},"list":{"type":"array","items":{"type":"string","x-mcp-header":"L"}}}}},{"name":"good","inputSchema":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}]"#;
    let shown = r#"[{"name":"echo","inputSchema":{"type":"object","properties":{"n":{"type":"number"},"list":{"type":"array","items":{"type":"string"}}}}},{"name":"good","inputSchema":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}]"#;
    for era in ERAS {
        let none = [ListKind::Prompts, ListKind::Resources, ListKind::Templates].map(|kind| (kind, "[]"));
        let [prompts, resources, templates] = none;
        let mut world = world([(ListKind::Tools, tools), prompts, resources, templates], r#"{"tools":{}}"#);
        let client = world.client(era, at("a"));
        let asked = world.request(&client, "1", "tools/list", "");
        assert_eq!(world.answer(&client, asked).raw_str(Field::Tools), Some(shown));
        world.call(&client, "1");
        assert_eq!(world.requests("a").len(), 1, "no header is wanted");
        assert_eq!(
            world.warnings(),
            ["a: left out members that are not of their shape: x-mcp-header of echo"]
        );
    }
}

#[test]
fn an_entry_that_is_nested_deeper_than_the_limit_is_left_out_and_the_others_are_there() {
    let deep = ["[".repeat(70), "]".repeat(70)].concat();
    let tools = format!(
        r#"[{{"name":"echo","inputSchema":{{"type":"object"}}}},{{"name":"deep","inputSchema":{{"type":"object","x":{deep}}}}},{{"inputSchema":{deep}}}]"#
    );
    let script = Script { lists: false, capabilities: r#"{"tools":{}}"#.to_owned(), ..Script::default() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let asked = world.requested("a");
    world.reply(&asked, &format!(r#"{{"tools":{tools},"nextCursor":"2"}}"#));
    let asked = world.requested("a");
    world.reply(&asked, r#"{"tools":[{"name":"more","inputSchema":{"type":"object"}}]}"#);
    let client = world.client(HTTP, at("a"));
    let listed = world.request(&client, "1", "tools/list", "");
    let shown = r#"[{"name":"echo","inputSchema":{"type":"object"}},{"name":"more","inputSchema":{"type":"object"}}]"#;
    assert_eq!(world.answer(&client, listed).raw_str(Field::Tools), Some(shown));
    let words = "a: left out entries that are not of their shape: deep (deeper than json_depth), number 3 (deeper than \
                 json_depth)";
    assert_eq!(world.warnings(), [words]);
    // The answer of a call is not a list: there is no part of it that is of use.
    let call = world.call(&client, "2");
    let sent = world.requested("a");
    world.reply(&sent, &format!(r#"{{"content":[],"tools":{tools}}}"#));
    assert_eq!(world.code(&client, call), "-31003");
}
