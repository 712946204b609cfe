//! What tools are shown with (MCP Apps), at the unified endpoint.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;

use super::clients::{Client, ERAS, Era, HTTP};
use super::links::{assert_reads, full, through, tool};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::ports::gateway::Target;
use crate::rpc::Field;

const APP: &str = r#","_meta":{"ui":{"resourceUri":"ui://app/main.html","x":1e400},"ui/resourceUri":"ui://app/main.html","openai/outputTemplate":"ui://app/main.html"}"#;

/// Two servers whose tools are shown with the same URI, which they list or not.
fn apps(resources: &[&str]) -> World {
    let script = || Script { tool_members: APP, ..full(resources, &[]) };
    World::scripted(Limits::default(), [("a", script()), ("b", script())]).surveyed()
}

#[test]
fn what_a_tool_is_shown_with_leads_to_its_own_server_whether_that_is_listed_or_not() {
    for (resources, listed) in [
        (&["ui://app/main.html"][..], &["ui://app/main.html", "ui://mcp-orch/b/app/main.html"][..]),
        (&[], &[]),
    ] {
        for era in ERAS {
            let mut world = apps(resources);
            let client = world.client(era, Target::Unified);
            let exchange = world.request(&client, "1", "resources/list", "");
            let list = world.answer(&client, exchange).raw_str(Field::Resources).unwrap().to_owned();
            let uris = list.split(r#""uri":""#).skip(1).filter_map(|rest| rest.split('"').next());
            assert_eq!(uris.collect::<Vec<_>>(), listed);
            let exchange = world.request(&client, "1", "tools/list", "");
            let tools = world.answer(&client, exchange).raw_str(Field::Tools).unwrap().to_owned();
            for (server, uri) in [("a", "ui://app/main.html"), ("b", "ui://mcp-orch/b/app/main.html")] {
                let meta = APP.replace("ui://app/main.html", uri);
                assert_eq!(tools.matches(&meta).count(), 1, "{tools}");
                assert_reads(&mut world, &client, uri, server, "ui://app/main.html");
                let (method, members) = tool(server);
                let result = format!(r#"{{"content":[]{APP}}}"#);
                let seen = through(&mut world, &client, server, (method, &members), &result);
                let shown: Vec<_> = seen.split('"').filter(|text| text.starts_with("ui://")).collect();
                assert_eq!(shown, [uri; 3], "in results it is what it is in the list");
            }
        }
    }
}

#[test]
fn whatever_member_names_what_a_tool_is_shown_with_leads_to_its_own_server() {
    for member in [
        r#""ui":{"resourceUri":"ui://x"}"#,
        r#""ui/resourceUri":"ui://x""#,
        r#""openai/outputTemplate":"ui://x""#,
    ] {
        let meta: &'static str = format!(r#","_meta":{{{member}}}"#).leak();
        let script = || Script { tool_members: meta, ..full(&[], &[]) };
        let mut world = World::scripted(Limits::default(), [("a", script()), ("b", script())]).surveyed();
        let client = world.client(HTTP, Target::Unified);
        let exchange = world.request(&client, "1", "tools/list", "");
        let tools = world.answer(&client, exchange).raw_str(Field::Tools).unwrap().to_owned();
        assert_eq!(tools.matches(&member.replace("ui://x", "ui://mcp-orch/b/x")).count(), 1, "{tools}");
        assert_reads(&mut world, &client, "ui://mcp-orch/b/x", "b", "ui://x");
    }
}

#[test]
fn what_a_tool_is_shown_with_that_looks_like_a_wrapped_name_is_wrapped_once_more() {
    let meta = r#","_meta":{"ui":{"resourceUri":"ui://mcp-orch/a/x"}}"#;
    let scripts = [("a", full(&["ui://x"], &[])), ("b", Script { tool_members: meta, ..full(&[], &[]) })];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.request(&client, "1", "tools/list", "");
    let tools = world.answer(&client, exchange).raw_str(Field::Tools).unwrap().to_owned();
    let wrapped = "ui://mcp-orch/b/mcp-orch/a/x";
    assert!(tools.contains(wrapped), "{tools}");
    assert_reads(&mut world, &client, wrapped, "b", "ui://mcp-orch/a/x");
    assert_reads(&mut world, &client, "ui://mcp-orch/a/x", "a", "ui://x");
}

#[test]
fn a_change_of_a_wrapped_app_and_of_a_part_of_it_is_told_under_wrapped_names() {
    let scripts = [("a", full(&["ui://app"], &[])), ("b", full(&["ui://app"], &[]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = Client::new(Era::Modern, Target::Unified);
    let filter = r#""notifications":{"resourceSubscriptions":["ui://mcp-orch/b/app"]}"#;
    let listen = world.request(&client, "1", "subscriptions/listen", filter);
    world.agree("b");
    world.take(&client, listen);
    for part in ["", "/file"] {
        let link = world.link("b");
        let changed = "notifications/resources/updated";
        let params = format!(r#"{{"uri":"ui://app{part}"}}"#);
        world.says(link, &format!(r#"{{"jsonrpc":"2.0","method":"{changed}","params":{params}}}"#));
        let expected = format!(r#""uri":"ui://mcp-orch/b/app{part}""#);
        assert!(world.take(&client, listen)[0].contains(&expected), "{part}");
    }
}
