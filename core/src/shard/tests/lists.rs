//! Lists: whole, in pages, from memory, and while servers are slow or down.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, at};
use super::script::Script;
use super::world::World;
use crate::mcp::ListKind;
use crate::ports::gateway::{Target, Verb};
use crate::rpc::Field;
use crate::shard::Effect;
use crate::{Limits, Timestamp};

fn numbered(count: usize) -> Script {
    Script { tools: (0..count).map(|n| format!("t{n}")).collect(), ..Script::default() }
}

pub(super) fn list(world: &mut World, client: &Client, kind: ListKind) -> String {
    let exchange = world.request(client, "1", kind.method(), "");
    world.answer(client, exchange).raw_str(Field::Result).expect("a list").to_owned()
}

pub(super) fn tools(world: &mut World, client: &Client) -> String {
    list(world, client, ListKind::Tools)
}

#[test]
fn a_single_server_s_lists_are_its_own_byte_for_byte() {
    let script = Script::full(&["file:///x"], &["file:///{p}"]);
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    for era in [HTTP, Era::Sse] {
        let client = world.client(era, at("a"));
        for (kind, expected) in [
            (
                ListKind::Tools,
                r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"},"x-unknown":[1e400]}]}"#,
            ),
            (ListKind::Prompts, r#"{"prompts":[{"name":"greet","x-unknown":[1e400]}]}"#),
            (ListKind::Resources, r#"{"resources":[{"uri":"file:///x","name":"n","x-unknown":[1e400]}]}"#),
            (
                ListKind::Templates,
                r#"{"resourceTemplates":[{"uriTemplate":"file:///{p}","name":"n","x-unknown":[1e400]}]}"#,
            ),
        ] {
            assert_eq!(list(&mut world, &client, kind), expected);
        }
    }
}

#[test]
fn a_list_of_the_stateless_era_says_how_long_it_holds_and_whose_it_is() {
    let mut world = World::running(&["a"]);
    for (target, info) in [(at("a"), r#"{"name":"fake","version":"1"}"#), (Target::Unified, "mcp-orch")] {
        let client = world.client(Era::Modern, target);
        for kind in ListKind::ALL {
            let result = list(&mut world, &client, kind);
            for part in [r#""resultType":"complete""#, r#""ttlMs":5000"#, r#""cacheScope":"private""#, info] {
                assert!(result.contains(part), "{result}");
            }
        }
    }
}

#[test]
fn the_unified_list_is_in_the_order_of_servers_and_then_of_each_server() {
    let scripts = [("b", Script::tools(&["z", "y"])), ("a", Script::tools(&["x"]))];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = world.client(HTTP, Target::Unified);
    let result = tools(&mut world, &client);
    let names: Vec<&str> =
        result.split(r#""name":""#).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let expected = ["a__x", "b__z", "b__y", "hub__list_servers", "hub__list_tools", "hub__describe_tool"];
    assert_eq!(names[..6], expected);
    let kept = r#"{"name":"b__z","inputSchema":{"type":"object"},"x-unknown":[1e400]}"#;
    assert!(result.contains(kept), "all else is kept: {result}");
}

#[test]
fn pages_of_a_server_are_all_asked_for() {
    let script = Script { page: 3, ..numbered(10) };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    let client = world.client(HTTP, at("a"));
    assert_eq!(tools(&mut world, &client).matches(r#""name":"t"#).count(), 10);
}

#[test]
fn cursors_lead_through_every_page_and_no_other_cursor_is_taken() {
    let limits = Limits { page_entries: 3, ..Limits::default() };
    let scripts = [("a", numbered(4)), ("b", numbered(4))];
    let mut world = World::scripted(limits, scripts).surveyed();
    let lone = Client::new(Era::Modern, at("a"));
    let client = Client::new(Era::Modern, Target::Unified);
    let (mut members, mut names, mut cursors) = (String::new(), Vec::new(), Vec::new());
    loop {
        let exchange = world.request(&client, "1", "tools/list", &members);
        let page = world.answer(&client, exchange);
        let entries = page.raw_str(Field::Tools).unwrap().to_owned();
        names.extend(
            entries
                .split(r#""name":""#)
                .skip(1)
                .filter_map(|rest| rest.split('"').next().map(ToOwned::to_owned)),
        );
        let Some(cursor) = page.raw_str(Field::NextCursor) else { break };
        cursors.push(cursor.to_owned());
        members = format!(r#""cursor":{cursor}"#);
    }
    assert_eq!((names.len(), cursors.len()), (4 + 4 + 5, 4));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 13, "each entry once");
    for cursor in ["\"\"", "\"0\"", r#""AAAAAAAAAAAAAAAAAAAAAAAA""#, &cursors[1]] {
        let client = if cursor == cursors[1] { &lone } else { &client };
        let exchange = world.request(client, "1", "tools/list", &format!(r#""cursor":{cursor}"#));
        assert_eq!(world.code(client, exchange), "-32602", "{cursor}");
    }
}

#[test]
fn a_cursor_lives_on_in_the_next_life_of_the_hub() {
    let limits = Limits { page_entries: 3, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", numbered(4))]).surveyed();
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.request(&client, "1", "tools/list", "");
    let cursor = world.answer(&client, exchange).raw_str(Field::NextCursor).unwrap().to_owned();
    let mut world = world.restarted();
    let exchange = world.request(&client, "1", "tools/list", &format!(r#""cursor":{cursor}"#));
    assert!(world.answer(&client, exchange).raw_str(Field::Tools).unwrap().contains("t3"));
}

#[test]
fn a_list_waits_for_unseen_servers_at_most_its_time_and_marks_those_that_are_missing() {
    let scripts = [("a", Script::default()), ("b", Script::stuck())];
    let mut world = World::scripted(Limits::default(), scripts);
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", "tools/list", "");
    world.advance(Duration::from_millis(2_999));
    assert!(!world.seen(exchange).ended);
    world.advance(Duration::from_millis(1));
    let result = world.take(&client, exchange).remove(0);
    assert!(result.contains("a__echo"), "{result}");
    let mark = r#""mcp-orch/unavailable":[{"server":"b","cause":"it has not answered yet"}]"#;
    assert!(result.contains(mark), "{result}");
}

#[test]
fn a_list_that_waits_is_answered_as_soon_as_the_last_server_was_seen_or_has_failed() {
    let scripts = [("a", Script::default()), ("b", Script::silent()), ("c", Script::silent())];
    let mut world = World::scripted(Limits::default(), scripts);
    let client = Client::new(Era::Modern, Target::Unified);
    let exchange = world.request(&client, "1", "tools/list", "");
    world.crash("c");
    assert!(!world.seen(exchange).ended, "there is still one to wait for");
    let hello = world.requested("b");
    world.reply(&hello, r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}}}"#);
    let result = world.take(&client, exchange).remove(0);
    assert!(result.contains("a__echo") && result.contains("b__echo"), "{result}");
    assert!(result.contains(r#"[{"server":"c","cause":"its process ended with exit code 1"}]"#), "{result}");
}

#[test]
fn a_server_that_has_failed_keeps_nobody_waiting() {
    let scripts = [("a", Script::default()), ("b", Script::silent())];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    world.crash("b");
    let client = Client::new(Era::Modern, Target::Unified);
    for _ in 0..3 {
        assert!(tools(&mut world, &client).contains(r#""server":"b""#));
        world.advance(Duration::from_mins(2));
    }
    assert!(world.starts() > 2, "it is tried again in the background");
}

#[test]
fn tools_stay_listed_after_a_crash_and_are_marked() {
    let mut world = World::running(&["a", "b"]);
    world.crash("b");
    for era in ERAS {
        let client = world.client(era, Target::Unified);
        let result = tools(&mut world, &client);
        assert!(result.contains("b__echo"), "{result}");
        assert!(
            result.contains(r#""mcp-orch/unavailable":[{"server":"b","cause":"its process ended"#),
            "{result}"
        );
        let client = world.client(era, at("b"));
        assert!(tools(&mut world, &client).contains("echo"));
    }
    assert_eq!(world.starts(), 2, "and no list starts what is known");
}

#[test]
fn what_is_known_under_another_specification_is_not_served() {
    let mut world = World::running(&["a"]);
    world.scripts.insert("a".into(), Script::tools(&["other"]));
    world.configure(|servers| servers[0].spec = super::world::spec("another program"));
    let client = Client::new(Era::Modern, at("a"));
    let result = tools(&mut world, &client);
    assert!(result.contains("other") && !result.contains("echo"), "{result}");
    assert_eq!(world.starts(), 2);
}

#[test]
fn lists_that_a_server_refuses_are_empty_and_the_others_are_learnt() {
    let mut world =
        World::scripted(Limits::default(), [("a", Script { lists: false, ..Script::full(&[], &[]) })]);
    let client = Client::new(Era::Modern, at("a"));
    let exchange = world.request(&client, "1", "resources/list", "");
    for kind in ListKind::ALL {
        let sent = world.requested("a");
        assert_eq!(sent.method, kind.method());
        let error = r#""error":{"code":-32601,"message":"no"}"#;
        let line = match kind {
            ListKind::Resources => {
                let list = r#"[{"uri":"u:1","name":"n"}]"#;
                format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"resources":{list}}}}}"#, sent.id)
            }
            ListKind::Prompts | ListKind::Templates | ListKind::Tools => {
                format!(r#"{{"jsonrpc":"2.0","id":{},{error}}}"#, sent.id)
            }
        };
        world.says(sent.link, &line);
    }
    assert!(world.answer(&client, exchange).raw_str(Field::Resources).unwrap().contains("u:1"));
}

#[test]
fn a_server_that_does_not_answer_a_list_loses_that_list_alone() {
    let script = Script { lists: false, ..Script::full(&[], &[]) };
    let limits = Limits { call: Duration::from_secs(5), ..Limits::default() };
    let mut world = World::scripted(limits, [("a", script)]).surveyed();
    assert_eq!(world.requested("a").method, "tools/list");
    world.scripts.insert("a".into(), Script::full(&[], &[]));
    world.advance(Duration::from_secs(5));
    let client = Client::new(Era::Modern, at("a"));
    assert!(list(&mut world, &client, ListKind::Prompts).contains("greet"));
}

#[test]
fn what_is_learnt_again_and_not_answered_stays_as_it_was() {
    let limits = Limits { call: Duration::from_secs(5), ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    world.scripts.insert("a".into(), Script { lists: false, ..Script::default() });
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.advance(Duration::from_secs(6));
    let client = Client::new(Era::Modern, at("a"));
    assert!(tools(&mut world, &client).contains("echo"));
}

#[test]
fn lists_are_learnt_again_also_when_the_clock_of_an_earlier_life_went_ahead() {
    let mut world = World::running(&["a"]);
    world.now = Timestamp(world.now.0 - 3_600_000);
    let mut world = world.restarted();
    world.scripts.insert("a".into(), Script::tools(&["newer"]));
    let client = Client::new(Era::Modern, at("a"));
    world.call(&client, "1");
    let link = world.link("a");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.advance(Limits::default().debounce);
    assert!(tools(&mut world, &client).contains("newer"));
}

#[test]
fn a_server_that_does_not_tell_of_changes_is_asked_again_when_somebody_wants_its_lists() {
    let age = Limits::default().list_age;
    for (capabilities, asks) in [(r#"{"tools":{}}"#, true), (r#"{"tools":{"listChanged":true}}"#, false)] {
        let script = |name| Script { capabilities: capabilities.to_owned(), ..Script::tools(&[name]) };
        let mut world = World::scripted(Limits::default(), [("a", script("older"))]).surveyed();
        let client = world.client(HTTP, Target::Unified);
        let stream = world.open(&client, Verb::Listen);
        world.scripts.insert("a".into(), script("newer"));
        for wait in [age / 2, age / 2] {
            world.advance(wait);
            assert!(tools(&mut world, &client).contains("older"), "nobody waits for it");
        }
        world.advance(Duration::from_millis(1));
        assert_eq!(tools(&mut world, &client).contains("newer"), asks);
        assert_eq!(world.take(&client, stream).len(), usize::from(asks));
    }
}

#[test]
fn a_name_that_nobody_has_told_is_looked_for_in_lists_that_are_old() {
    let plan = r#""name":"batch_execute","arguments":{"dry_run":true,"steps":[{"id":"x","tool":"a.newer"}]}"#;
    for (method, members) in [
        ("tools/call", r#""name":"a__newer","arguments":{}"#),
        ("tools/call", plan),
        ("prompts/get", r#""name":"a__greet""#),
    ] {
        for age in [Limits::default().list_age, Duration::ZERO] {
            let script = |prompts, tool: &str| Script {
                prompts,
                tools: vec![tool.to_owned()],
                ..Script::full(&[], &[])
            };
            let older = script(Vec::new(), "older");
            let mut world = World::scripted(Limits::default(), [("a", older)]).surveyed();
            world.scripts.insert("a".into(), script(vec!["greet".to_owned()], "newer"));
            world.advance(age);
            let client = Client::new(Era::Modern, Target::Unified);
            let exchange = world.request(&client, "1", method, members);
            let (sent, told) = (world.requests("a").len(), world.take(&client, exchange).concat());
            let found = sent == 1 || told.contains("phases");
            assert_eq!(found, !age.is_zero(), "{method} {members}: {told}");
        }
    }
}

#[test]
fn what_was_learnt_is_published_once() {
    let mut world = World::running(&["a"]);
    let published =
        |world: &World| world.log.iter().filter(|effect| matches!(effect, Effect::Publish { .. })).count();
    assert_eq!(published(&world), 1);
    world.crash("a");
    world.call(&Client::new(Era::Modern, at("a")), "1");
    world.advance(Duration::from_secs(1));
    assert_eq!((world.starts(), published(&world)), (2, 1), "the same again is not news");
}

#[test]
fn the_built_in_server_lists_and_calls_its_tools_and_has_nothing_else() {
    let mut world = World::running(&["a"]);
    for era in ERAS {
        let client = world.client(era, at("hub"));
        assert!(tools(&mut world, &client).contains("list_servers"));
        let exchange = world.request(&client, "1", "tools/call", r#""name":"list_servers","arguments":{}"#);
        let answer = world.answer(&client, exchange);
        assert!(answer.raw_str(Field::Result).unwrap().contains(r#"\"state\":\"running\""#), "{era:?}");
        for (method, members) in [
            ("tools/call", r#""name":"nope""#),
            ("tools/call", ""),
            ("prompts/get", r#""name":"list_servers""#),
            ("resources/read", r#""uri":"u:1""#),
            ("completion/complete", r#""ref":{"type":"ref/prompt","name":"list_servers"}"#),
        ] {
            let exchange = world.request(&client, "2", method, members);
            assert!(world.code(&client, exchange).starts_with("-326"), "{method}");
        }
    }
}

#[test]
fn a_list_says_which_hubs_it_has_come_through_and_a_hub_among_them_takes_none_of_it() {
    let scripts = [("a", Script::default()), ("b", Script { lists: false, ..Script::default() })];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let sent = world.requested("b");
    let page = |via: &str| format!(r#"{{"tools":[],"_meta":{{"mcp-orch/via":["{via}"]}}}}"#);
    world.reply(&sent, &page("0123456789abcdef"));
    let client = world.client(HTTP, Target::Unified);
    let all = tools(&mut world, &client);
    let (_, own) = all.split_once(r#""mcp-orch/via":["#).unwrap();
    let own = own.split('"').find(|name| name.len() == 16 && *name != "0123456789abcdef").unwrap();
    let single = world.client(HTTP, at("b"));
    for (client, hubs) in [(&client, 2), (&single, 1)] {
        let via = tools(&mut world, client);
        let (_, via) = via.split_once(r#""mcp-orch/via":["#).unwrap();
        let via = via.split(']').next().unwrap();
        assert!(via.contains("0123456789abcdef") && via.split(',').count() == hubs, "{via}");
    }
    let link = world.link("b");
    world.says(link, r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    world.advance(Limits::default().debounce);
    let sent = world.requested("b");
    world.reply(&sent, &page(&format!(r#"{own}","fedcba9876543210"#)));
    assert!(world.warnings().concat().contains("two hubs list each other"), "{:?}", world.warnings());
    assert!(!tools(&mut world, &client).contains("fedcba9876543210"), "nothing was taken of that");
}
