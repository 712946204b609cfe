//! `batch_execute` within a project: each step is a call like any other, and its answer goes to its run.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP, SAMPLED, Sent, at};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::{Target, Verb};
use crate::ports::upstream::CloseReason;
use crate::rpc::{Envelope, Field};
use crate::shard::Input;
use crate::{ExchangeId, KeyId, Limits};

const CHAIN: &str = r#""steps":[{"id":"one","tool":"a.echo","arguments":{"x":1}},
    {"id":"two","tool":"b__echo","arguments":{"y":{"$from":"one","path":"/v"}}}]"#;

impl World {
    fn plan(&mut self, client: &Client, plan: &str) -> ExchangeId {
        self.plan_tool(client, "9", "batch_execute", plan, "")
    }

    fn plan_tool(
        &mut self,
        client: &Client,
        id: &str,
        tool: &str,
        arguments: &str,
        meta: &str,
    ) -> ExchangeId {
        let members = format!(r#""name":"{tool}","arguments":{{{arguments}}}"#);
        self.post(client, &client.write(id, "tools/call", &members, meta))
    }

    /// The structure of the one answer that a client got.
    fn told(&mut self, client: &Client, exchange: ExchangeId) -> String {
        structure(&self.answer(client, exchange))
    }

    fn says_structured(&mut self, to: &Sent, structured: &str) {
        self.reply(to, &format!(r#"{{"content":[],"structuredContent":{structured}}}"#));
    }
}

fn structure(answer: &Envelope) -> String {
    let result = answer.raw_str(Field::Result).unwrap_or_else(|| panic!("{answer:?}"));
    let (_, structured) = result.split_once("\"structuredContent\":").expect("a structure");
    structured.to_owned()
}

fn unified(world: &mut World, era: Era) -> Client {
    world.client(era, Target::Unified)
}

#[test]
fn values_flow_from_server_to_server_in_every_era() {
    for era in ERAS {
        let mut world = World::running(&["a", "b"]);
        let client = unified(&mut world, era);
        let exchange = world.plan(&client, CHAIN);
        let first = world.requested("a");
        assert!(first.params.contains(r#""arguments":{"x":1}"#), "{}", first.params);
        assert!(world.requests("b").is_empty());
        world.says_structured(&first, r#"{"v":[1,2]}"#);
        let second = world.requested("b");
        assert!(second.params.contains(r#""arguments":{"y":[1,2]}"#), "{}", second.params);
        world.says_structured(&second, r#"{"w":3}"#);
        let told = world.told(&client, exchange);
        assert!(told.contains(r#""output":{"two":{"w":3}},"status":"done""#), "{told}");
        assert_eq!((world.shard.gauges().in_flight, world.shard.gauges().steps), (0, 0));
    }
}

#[test]
fn a_plan_with_faults_runs_nothing_and_says_them_all() {
    let mut world = World::running(&["a"]);
    let client = unified(&mut world, HTTP);
    let exchange = world.plan(
        &client,
        r#""steps":[{"id":"x","tool":"a.ecko"},{"id":"y","tool":"hub.batch_execute"},{"id":"z","tool":"a.echo","depends_on":["q"]}]"#,
    );
    let answer = world.answer(&client, exchange);
    assert_eq!(answer.raw_str(Field::IsError), Some("true"));
    let told = structure(&answer);
    for fault in [
        r#"{"at":"/steps/0/tool","problem":"there is no tool \"a.ecko\"; did you mean a.echo?"}"#,
        r#""at":"/steps/1/tool""#,
        r#"{"at":"/steps/2/depends_on/0","problem":"there is no step \"q\"; did you mean"#,
    ] {
        assert!(told.contains(fault.trim_end_matches("; did you mean")), "{fault} in {told}");
    }
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let mut world = World::running(&["a", "b"]);
    let client = unified(&mut world, HTTP);
    let exchange = world.plan(&client, &format!(r#"{CHAIN},"dry_run":true"#));
    let told = world.told(&client, exchange);
    assert!(told.contains(r#""critical_path":["one","two"]"#), "{told}");
    assert!(world.requests("a").is_empty());
}

#[test]
fn the_tools_are_listed_in_batch_mode_and_can_always_be_called() {
    let mut world = World::running(&["a"]);
    let client = unified(&mut world, HTTP);
    let listed = |world: &mut World| {
        let exchange = world.request(&client, "1", "tools/list", "");
        world.answer(&client, exchange).raw_str(Field::Result).unwrap().contains(r#""name":"batch_execute""#)
    };
    assert!(!listed(&mut world));
    let exchange = world.plan_tool(&client, "2", "hub.batch_status", "", "");
    assert!(world.told(&client, exchange).contains(r#"{"runs":[]}"#));
    let stream = world.open(&client, Verb::Listen);
    world.switch_to_batch_mode();
    assert!(world.take(&client, stream)[0].contains("notifications/tools/list_changed"));
    assert!(listed(&mut world));
    let own = world.client(HTTP, at("hub"));
    let exchange = world.plan_tool(&own, "3", "batch_execute", CHAIN, "");
    assert_eq!(world.code(&own, exchange), "-32602", "they are of the unified endpoint alone");
}

#[test]
fn progress_is_told_step_by_step_to_whoever_wants_it() {
    let mut world = World::running(&["a", "b"]);
    let client = unified(&mut world, HTTP);
    let exchange = world.plan_tool(&client, "9", "batch_execute", CHAIN, r#""progressToken":"p""#);
    let first = world.requested("a");
    world.says_structured(&first, r#"{"v":1}"#);
    let messages = world.take(&client, exchange);
    assert_eq!(messages.len(), 1);
    assert!(
        messages[0].contains(r#"{"progressToken":"p","progress":1,"total":2,"message":"one: done"}"#),
        "{messages:?}"
    );
}

#[test]
fn a_cancelled_request_gives_up_what_is_under_way_and_begins_nothing_more() {
    let mut world = World::running(&["a", "b"]);
    let client = unified(&mut world, HTTP);
    let exchange = world.plan(&client, CHAIN);
    let first = world.requested("a");
    world.post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#);
    let frames = world.frames("a");
    assert!(frames[0].1.contains("notifications/cancelled"), "{frames:?}");
    assert!(world.seen(exchange).ended);
    world.says_structured(&first, r#"{"v":1}"#);
    assert!(world.requests("b").is_empty());
    assert_eq!((world.shard.gauges().in_flight, world.shard.gauges().steps), (0, 0));
}

#[test]
fn a_client_that_leaves_cancels_its_run_in_the_stateless_era_and_not_before() {
    for (era, goes_on) in [(HTTP, true), (Era::Modern, false)] {
        let mut world = World::running(&["a", "b"]);
        let client = unified(&mut world, era);
        let exchange = world.plan(&client, CHAIN);
        let first = world.requested("a");
        world.leave(exchange);
        world.says_structured(&first, r#"{"v":1}"#);
        assert_eq!(!world.requests("b").is_empty(), goes_on, "{era:?}");
    }
}

#[test]
fn a_session_that_ends_ends_its_runs_and_so_does_a_revoked_key() {
    for revoked in [false, true] {
        let mut world = World::running(&["a", "b"]);
        let client = unified(&mut world, HTTP);
        world.plan(&client, CHAIN);
        let first = world.requested("a");
        if revoked {
            world.feed(Input::KeyRevoked(KeyId("key".into())));
        } else {
            world.delete(&client);
        }
        world.says_structured(&first, r#"{"v":1}"#);
        assert!(world.requests("b").is_empty());
        assert_eq!((world.shard.gauges().in_flight, world.shard.gauges().steps), (0, 0));
    }
}

#[test]
fn a_run_in_the_background_is_asked_for_and_outlives_its_session() {
    let mut world = World::running(&["a", "b"]);
    let client = unified(&mut world, HTTP);
    let exchange = world.plan(&client, &format!(r#"{CHAIN},"background":true"#));
    let told = world.told(&client, exchange);
    let (_, rest) = told.split_once(r#""run":""#).unwrap();
    let run = rest.get(..12).unwrap().to_owned();
    assert!(told.contains(r#""status":"running""#), "{told}");
    world.delete(&client);
    let first = world.requested("a");
    world.says_structured(&first, r#"{"v":1,"text":"needle in a haystack"}"#);
    let client = unified(&mut world, Era::Modern);
    let second = world.requested("b");
    world.says_structured(&second, "7");
    let ask = |world: &mut World, client: &Client, tool: &str, more: &str| {
        let exchange = world.plan_tool(client, "5", tool, &format!(r#""run":"{run}"{more}"#), "");
        world.answer(client, exchange)
    };
    let told = structure(&ask(&mut world, &client, "batch_status", ""));
    assert!(told.contains(r#""output":{"two":7},"status":"done""#), "{told}");
    let told =
        structure(&ask(&mut world, &client, "read_result", r#","step":"one","path":"/text","search":"in""#));
    assert!(told.contains("needle in a haystack"), "{told}");
    let other = Client { key: "other", ..client.clone() };
    let answer = ask(&mut world, &other, "batch_status", "");
    assert_eq!(answer.raw_str(Field::IsError), Some("true"), "another key has no run of that name");
    world.advance(Limits::default().run_kept + Duration::from_mins(1));
    let answer = ask(&mut world, &client, "batch_status", "");
    assert_eq!(answer.raw_str(Field::IsError), Some("true"));
}

#[test]
fn a_run_can_be_cancelled_by_its_name() {
    let mut world = World::running(&["a", "b"]);
    let client = unified(&mut world, Era::Modern);
    let exchange = world.plan(&client, &format!(r#"{CHAIN},"background":true"#));
    let told = world.told(&client, exchange);
    let run = told.split_once(r#""run":""#).unwrap().1.get(..12).unwrap().to_owned();
    let exchange = world.plan_tool(&client, "5", "batch_cancel", &format!(r#""run":"{run}""#), "");
    let told = world.told(&client, exchange);
    assert!(told.contains(r#""status":"cancelled""#) && told.contains(r#""status":"unknown""#), "{told}");
    assert!(world.frames("a").iter().any(|(_, frame)| frame.contains("notifications/cancelled")));
}

#[test]
fn a_step_that_was_sent_to_a_server_that_ends_is_unknown_and_one_that_was_not_is_tried_again() {
    let mut world = World::running(&["a"]);
    let client = unified(&mut world, HTTP);
    let steps = r#""steps":[{"id":"x","tool":"a.echo","retry":{"attempts":3}}]"#;
    let exchange = world.plan(&client, steps);
    world.requested("a");
    world.crash("a");
    let told = world.told(&client, exchange);
    assert!(told.contains(r#""status":"unknown""#) && told.contains("outcome is unknown"), "{told}");
    world.scripts.insert("a".into(), Script::stuck());
    let exchange = world.plan(&client, steps);
    world.advance(Duration::from_secs(1));
    world.crash("a");
    assert!(world.take(&client, exchange).is_empty(), "nothing was sent, so it is tried again");
    world.scripts.insert("a".into(), Script::default());
    world.advance(Duration::from_secs(10));
    let sent = world.requested("a");
    world.says_structured(&sent, "1");
    assert!(world.told(&client, exchange).contains(r#""output":{"x":1}"#));
}

#[test]
fn a_step_can_ask_its_caller() {
    let mut world = World::running(&["a", "b"]);
    let client = world.able_client(HTTP, Target::Unified, r#"{"sampling":{}}"#);
    let exchange = world.plan(&client, CHAIN);
    let first = world.requested("a");
    world.says(first.link, r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":[],"maxTokens":9}}"#);
    let question = world.answer(&client, exchange);
    assert_eq!(question.raw_str(Field::Method), Some("\"sampling/createMessage\""));
    let id = question.raw_str(Field::Id).unwrap().to_owned();
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{SAMPLED}}}"#));
    let frames = world.frames("a");
    assert!(frames[0].1.contains(&format!(r#""id":"q","result":{SAMPLED}"#)), "{frames:?}");
}

#[test]
fn a_long_output_stays_and_its_beginning_goes_out() {
    let limits = Limits { run_output_bytes: 100, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let client = unified(&mut world, HTTP);
    let exchange = world.plan(&client, r#""steps":[{"id":"x","tool":"a.echo"}]"#);
    let sent = world.requested("a");
    world.says_structured(&sent, &format!("\"{}\"", "long ".repeat(50)));
    let told = world.told(&client, exchange);
    assert!(told.contains(r#""output_kept":{"bytes":258,"preview":"#), "{told}");
    assert!(told.contains(r#""read_with":"read_result""#) && !told.contains(r#""output":"#), "{told}");
}

#[test]
fn too_many_runs_are_refused_by_name_and_a_stopping_hub_answers_all() {
    let limits = Limits { project_runs: 2, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    let client = unified(&mut world, Era::Modern);
    let one = r#""steps":[{"id":"x","tool":"a.echo"}]"#;
    let first = world.plan(&client, one);
    let second = world.plan(&client, one);
    let answer = world.answer(&client, second);
    assert!(answer.text(Field::ErrorMessage).unwrap().contains("limit project_runs"));
    let other = Client { key: "other", ..client.clone() };
    let exchange = world.plan(&other, one);
    let sent = world.requests("a").pop().expect("another key's run begins");
    world.says_structured(&sent, "1");
    assert!(world.told(&other, exchange).contains(r#""status":"done""#));
    world.feed(Input::Stopping);
    let told = world.told(&client, first);
    assert!(told.contains(r#""status":"running""#), "it goes on in the next life of the hub: {told}");
}

#[test]
fn a_plan_waits_for_servers_that_were_never_seen() {
    let mut world = World::new(&["a", "b"]);
    let client = unified(&mut world, HTTP);
    let exchange = world.plan(&client, CHAIN);
    let first = world.requested("a");
    world.says_structured(&first, r#"{"v":1}"#);
    let second = world.requested("b");
    world.says_structured(&second, "2");
    assert!(world.told(&client, exchange).contains(r#""status":"done""#));
}

#[test]
fn a_plan_for_a_server_that_was_never_seen_is_told_so() {
    let mut world =
        World::scripted(Limits::default(), [("a", Script::default()), ("b", Script::stuck())]).surveyed();
    world.close(world.link("b"), CloseReason::NotStarted("no such program".into()));
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.plan(&client, r#""steps":[{"id":"x","tool":"b.x"},{"id":"y","tool":"a.x"}]"#);
    let answer = world.answer(&client, exchange);
    let told = structure(&answer);
    for part in
        [r#"nobody knows whether there is a tool \"b.x\""#, "no such program", r#"there is no tool \"a.x\""#]
    {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn references_lead_into_a_result_as_it_came() {
    let scripts = [("a", Script::modern()), ("b", Script::default())];
    let mut world = World::scripted(Limits::default(), scripts).surveyed();
    let client = unified(&mut world, HTTP);
    world.plan(&client, &CHAIN.replace("/v", "/0"));
    let first = world.requested("a");
    let structured = r#""content":[{"type":"text","text":"two numbers"}],"structuredContent":[5,6]"#;
    world.reply(&first, &format!(r#"{{"resultType":"complete",{structured}}}"#));
    assert!(
        world.requested("b").params.contains(r#""arguments":{"y":5}"#),
        "clients of 2025 see no such structure"
    );
}

#[test]
fn a_plan_can_be_part_of_an_array_of_requests() {
    use crate::mcp::Revision;
    let mut world = World::running(&["a", "b"]);
    let client = unified(&mut world, Era::Http(Revision::V2025_03_26));
    let messages: Vec<String> = [("1", CHAIN), ("2", r#""steps":[]"#)]
        .iter()
        .map(|(id, plan)| {
            let members = format!(r#""name":"batch_execute","arguments":{{{plan}}}"#);
            client.write(id, "tools/call", &members, "")
        })
        .collect();
    let exchange = world.post_batch(&client, &[&messages[0], &messages[1]]);
    let first = world.requested("a");
    world.says_structured(&first, r#"{"v":1}"#);
    assert!(world.take(&client, exchange).is_empty());
    let second = world.requested("b");
    world.says_structured(&second, "2");
    let messages = world.take(&client, exchange);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].starts_with('[') && messages[0].contains(r#""output":{"two":2}"#), "{messages:?}");
}

#[test]
fn a_step_that_says_how_often_it_is_tried_is_called_no_more_often_than_that() {
    let tool_members = r#","annotations":{"idempotentHint":true}"#;
    let idempotent = || Script { tool_members, ..Script::default() };
    for (retry, calls) in [
        ("", 2),
        (r#","retry":{"attempts":1}"#, 1),
        (r#","retry":{"attempts":2,"backoff_ms":5000}"#, 2),
        (r#","retry":{"attempts":3,"backoff_ms":5000}"#, 3),
    ] {
        let mut world = World::scripted(Limits::default(), [("a", idempotent())]).surveyed();
        let client = unified(&mut world, HTTP);
        let exchange = world.plan(&client, &format!(r#""steps":[{{"id":"x","tool":"a.echo"{retry}}}]"#));
        let mut made = 0;
        for _ in 0..4 {
            let calls = world.requests("a").len();
            if calls > 0 {
                world.crash("a");
            }
            made += calls;
            world.advance(Duration::from_secs(20));
        }
        assert_eq!(made, calls, "{retry}");
        let told = world.told(&client, exchange);
        assert!(told.contains(r#""status":"unknown""#), "{told}");
    }
}
