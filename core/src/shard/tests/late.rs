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
        let told = format!(r#"{{"server":"a","cause":"it has not answered {} yet"}}"#, silent.method());
        assert!(result.contains(&told), "{result}");
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

/// What servers answer to `tools/list` that is no list, and what is told of it.
const NO_LISTS: [(&str, &str); 4] = [
    (
        r#""error":{"code":-32603,"message":"no database"}"#,
        "it answered tools/list with an error: no database",
    ),
    (r#""result":{}"#, "what it answered to tools/list holds no list tools"),
    (r#""result":{"tools":{"echo":{}}}"#, "what it answered to tools/list holds no list tools"),
    (
        r#""result":{"tools":[5,{"x":1},"a"]}"#,
        "nothing that it answered to tools/list has the shape of an entry",
    ),
];

fn without_tools(answer: &'static str) -> Script {
    Script { instead: Some((ListKind::Tools, answer)), ..Script::full(&["file:///x"], &[]) }
}

/// Who calls a tool of server `a`, by itself or in a plan, is told why that cannot be.
fn is_told(world: &mut World, client: &Client, why: &str) {
    for (name, arguments) in
        [("a__echo", "{}"), ("batch_execute", r#"{"steps":[{"id":"x","tool":"a__echo"}]}"#)]
    {
        let call = format!(r#""name":"{name}","arguments":{arguments}"#);
        let exchange = world.request(client, "1", "tools/call", &call);
        let told = world.take(client, exchange).concat();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn a_server_that_does_not_tell_its_tools_is_not_one_that_has_none() {
    for (answer, why) in NO_LISTS {
        let mut world = World::scripted(Limits::default(), [("a", without_tools(answer))]).surveyed();
        let unified = Client::new(Era::Modern, Target::Unified);
        is_told(&mut world, &unified, why);
        assert!(list(&mut world, &unified, ListKind::Tools).contains(&format!(r#""cause":"{why}""#)));
        let alone = Client::new(Era::Modern, at("a"));
        let exchange = world.request(&alone, "2", "tools/list", "");
        assert!(world.answer(&alone, exchange).text(Field::ErrorMessage).unwrap().contains(why));
        assert!(list(&mut world, &alone, ListKind::Prompts).contains("greet"), "the others are told");
        let view = world.view("a");
        assert_eq!((&*view.health, view.cause.as_deref()), ("degraded", Some(why)));
        world.scripts.insert("a".into(), Script::full(&["file:///x"], &[]));
        world.advance(Limits::default().backoff_first);
        assert!(tools(&mut world, &alone).contains("echo"), "it is asked again by itself");
        assert_eq!(world.view("a").health, "ok");
    }
}

#[test]
fn a_list_that_was_told_before_stays_while_the_server_refuses_it_and_is_asked_for_again() {
    for (answer, why) in NO_LISTS {
        let mut world = World::running(&["a"]);
        let (client, unified) =
            (Client::new(Era::Modern, at("a")), Client::new(Era::Modern, Target::Unified));
        world.scripts.insert("a".into(), without_tools(answer));
        world.says(world.link("a"), r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
        world.advance(Limits::default().debounce);
        assert!(tools(&mut world, &client).contains("echo"));
        assert!(list(&mut world, &unified, ListKind::Tools).contains(&format!(r#""cause":"{why}""#)));
        let exchange = world.request(&unified, "1", "tools/call", r#""name":"a__new","arguments":{}"#);
        assert!(world.answer(&unified, exchange).text(Field::ErrorMessage).unwrap().contains(why));
        world.call(&unified, "2");
        assert_eq!(world.requests("a").len(), 1, "what is known can be called");
        let view = world.view("a");
        assert_eq!((&*view.health, view.cause.as_deref()), ("degraded", Some(why)));
        world.scripts.insert("a".into(), Script::tools(&["new"]));
        world.advance(Limits::default().backoff_first);
        assert!(tools(&mut world, &client).contains("new"), "the change is not lost");
        assert_eq!(world.view("a").health, "ok");
    }
}

#[test]
fn a_list_that_never_comes_is_asked_for_with_growing_pauses_and_does_not_keep_its_server_awake() {
    let script = Script { silent: Some(ListKind::Tools), ..Script::default() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let refusals = |world: &mut World, span: Duration| {
        let mut refused = 0;
        for _ in 0..span.as_secs() {
            for sent in world.requests("a") {
                let error = r#"{"code":-32603,"message":"no"}"#;
                world.says(sent.link, &format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, sent.id));
                refused += 1;
            }
            world.advance(Duration::from_secs(1));
        }
        refused
    };
    for (span, expected) in [(10, 5), (60, 3), (300, 5)] {
        assert_eq!(refusals(&mut world, Duration::from_secs(span)), expected, "in {span} s");
    }
    refusals(&mut world, Limits::default().idle);
    assert_eq!(world.view("a").state, "idle");
    assert_eq!(refusals(&mut world, Limits::default().idle), 0);
}

#[test]
fn a_list_that_was_never_told_is_asked_for_in_the_next_life_of_the_hub() {
    let world = World::scripted(Limits::default(), [("a", without_tools(NO_LISTS[0].0))]).surveyed();
    let mut world = world.reborn();
    world.scripts.insert("a".into(), Script::full(&["file:///x"], &[]));
    let client = Client::new(Era::Modern, at("a"));
    assert!(list(&mut world, &client, ListKind::Prompts).contains("greet"));
    assert_eq!(world.view("a").state, "stopped", "what is known is told from memory");
    assert!(tools(&mut world, &client).contains("echo"));
}

#[test]
fn a_tool_of_a_server_that_is_disabled_is_not_unknown() {
    let mut world = World::running(&["a", "b"]);
    world.configure(|servers| servers[0].spec.disabled = true);
    let client = Client::new(Era::Modern, Target::Unified);
    is_told(&mut world, &client, "server a is disabled");
}

#[test]
fn a_server_that_refuses_to_list_templates_is_as_good_as_one_that_has_none() {
    let instead = Some((ListKind::Templates, r#""error":{"code":-32000,"message":"not implemented"}"#));
    let script = Script { instead, ..Script::full(&["file:///x"], &[]) };
    let world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let view = world.view("a");
    assert_eq!((&*view.health, view.cause), ("ok", None));
}
