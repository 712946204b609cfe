//! Lists that do not come in time.

use alloc::format;
use core::time::Duration;

use super::clients::{Client, Era, at};
use super::lists::{list, tools};
use super::script::Script;
use super::world::World;
use crate::Limits;
use crate::mcp::ListKind;
use crate::ports::gateway::Target;
use crate::rpc::Field;

#[test]
fn a_list_that_does_not_come_keeps_nobody_waiting_but_those_who_want_it() {
    for silent in ListKind::ALL {
        let script = Script { silent: Some(silent), ..Script::full(&["file:///x"], &["file:///{p}"]) };
        let mut world = World::scripted(Limits::default(), [("a", script)]);
        let client = Client::new(Era::Modern, at("a"));
        let discovery = world.request(&client, "1", "server/discover", "");
        let lists = ListKind::ALL.map(|kind| (kind, world.request(&client, "2", kind.method(), "")));
        let unified = Client::new(Era::Modern, Target::Unified);
        let all = world.request(&unified, "3", silent.method(), "");
        world.advance(Duration::from_secs(2));
        assert!(world.answer(&client, discovery).has(Field::Result), "{silent:?}");
        for (kind, list) in lists {
            assert_eq!(world.seen(list).ended, kind != silent, "{kind:?} beside {silent:?}");
        }
        world.advance(Duration::from_secs(1));
        let result = world.take(&unified, all).concat();
        assert!(result.contains(r#"{"server":"a","cause":"it has not told this list yet"}"#), "{result}");
        let sent = world.requested("a");
        world.reply(&sent, &format!(r#"{{"{}":[{}]}}"#, silent.member(), entry(silent)));
        let late = lists.iter().find(|(kind, _)| *kind == silent).unwrap().1;
        assert!(world.take(&client, late).concat().contains("late"), "{silent:?}");
    }
}

fn entry(kind: ListKind) -> &'static str {
    match kind {
        ListKind::Prompts => r#"{"name":"late"}"#,
        ListKind::Resources => r#"{"uri":"file:///late","name":"n"}"#,
        ListKind::Templates => r#"{"uriTemplate":"file:///late/{x}","name":"n"}"#,
        ListKind::Tools => r#"{"name":"late","inputSchema":{"type":"object"}}"#,
    }
}

#[test]
fn a_list_that_is_late_once_more_stays_as_it_was_until_it_comes() {
    let mut world = World::scripted(Limits::default(), [("a", Script::full(&["file:///x"], &[]))]).surveyed();
    let silent = Some(ListKind::Prompts);
    let script = Script { silent, tools: ["new".into()].into(), ..Script::full(&["file:///x"], &[]) };
    world.scripts.insert("a".into(), script);
    let client = Client::new(Era::Modern, at("a"));
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.advance(Duration::from_secs(3));
    assert!(tools(&mut world, &client).contains("new"));
    assert!(list(&mut world, &client, ListKind::Prompts).contains("greet"));
    let sent = world.requested("a");
    world.reply(&sent, r#"{"prompts":[{"name":"late"}]}"#);
    let prompts = list(&mut world, &client, ListKind::Prompts);
    assert!(prompts.contains("late") && !prompts.contains("greet"), "{prompts}");
}

#[test]
fn a_tool_of_a_server_that_has_not_listed_its_tools_is_not_unknown() {
    let script = Script { silent: Some(ListKind::Tools), ..Script::full(&["file:///x"], &[]) };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    world.advance(Duration::from_secs(4));
    let client = Client::new(Era::Modern, Target::Unified);
    let call = world.request(&client, "1", "tools/call", r#""name":"a__echo","arguments":{}"#);
    let refused = world.answer(&client, call);
    assert_eq!(refused.raw_str(Field::Code), Some("-31001"));
    assert!(refused.text(Field::ErrorMessage).unwrap().contains("it has not answered tools/list yet"));
    let plan = r#""name":"batch_execute","arguments":{"steps":[{"id":"x","tool":"a__echo"}]}"#;
    let exchange = world.request(&client, "2", "tools/call", plan);
    let told = world.take(&client, exchange).concat();
    assert!(told.contains("it has not answered tools/list yet"), "{told}");
}
