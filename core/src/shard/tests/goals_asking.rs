//! Goals in words: what their callers are asked for, a plan of their own model or a yes to one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP};
use super::goals::{BAD, GOAL, PLAN, SAMPLES, keyed, planning, run, spec};
use super::script::Script;
use super::world::{World, read};
use crate::limits::PlannerLimits;
use crate::planner::PlannerSpec;
use crate::ports::gateway::Target;
use crate::record::Sharing;
use crate::rpc::{Field, Members};
use crate::{ExchangeId, Limits};

const ELICITS: &str = r#"{"elicitation":{}}"#;

#[test]
fn without_a_planner_the_model_of_the_client_is_asked_in_every_era() {
    for era in [Era::Sse, HTTP] {
        let mut world = World::running(&["a"]);
        let client = world.able_client(era, Target::Unified, SAMPLES);
        let exchange = world.wish(&client, GOAL);
        let [asked] = &*world.take(&client, exchange) else { panic!("one question is expected") };
        let asked = read(asked);
        assert_eq!(asked.text(Field::Method).as_deref(), Some("sampling/createMessage"));
        let params = asked.raw_str(Field::Params).unwrap();
        assert!(
            params.contains(r#"{"messages":[{"role":"user","content":{"type":"text","text":"Tools"#),
            "{params}"
        );
        assert!(params.contains(r#""systemPrompt":"You turn"#) && params.contains(r#""maxTokens":8192"#));
        world.samples(&client, asked.raw_str(Field::Id).unwrap(), PLAN);
        world.runs(&client, exchange);
    }
}

impl World {
    fn samples(&mut self, client: &Client, id: &str, text: &str) {
        let text = text.replace('"', "\\\"");
        let result =
            format!(r#"{{"role":"assistant","model":"m","content":{{"type":"text","text":"{text}"}}}}"#);
        self.post(client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
    }

    /// Takes the one demand for input: its method, its parameters, and the state to come back with.
    fn demand(&mut self, client: &Client, exchange: ExchangeId) -> (String, String, String) {
        let result = self.result(client, exchange);
        let members = Members::read(result.as_bytes()).unwrap();
        let member = |members: &Members<'_>, name: &str| {
            members
                .0
                .iter()
                .find(|(key, _)| key == name)
                .unwrap_or_else(|| panic!("{name}"))
                .1
                .get()
                .to_owned()
        };
        assert_eq!(member(&members, "resultType"), r#""input_required""#);
        let asked = member(&members, "inputRequests");
        let asked = member(&Members::read(asked.as_bytes()).unwrap(), "goal");
        let asked = Members::read(asked.as_bytes()).unwrap();
        let state = member(&members, "requestState").trim_matches('"').to_owned();
        (member(&asked, "method"), member(&asked, "params"), state)
    }

    fn bring(&mut self, client: &Client, members: &str, state: &str, input: &str) -> ExchangeId {
        let more = format!(r#""requestState":"{state}","inputResponses":{{"goal":{input}}}"#);
        let params = format!(r#""name":"batch_execute","arguments":{{{members}}},{more}"#);
        self.request(client, "10", "tools/call", &params)
    }
}

fn sampled(text: &str) -> String {
    format!(
        r#"{{"role":"assistant","model":"m","content":{{"type":"text","text":"{}"}}}}"#,
        text.replace('"', "\\\"")
    )
}

#[test]
fn a_client_of_the_stateless_era_is_asked_in_rounds_and_nothing_is_kept_for_it_meanwhile() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(Era::Modern, Target::Unified, SAMPLES);
    let exchange = world.wish(&client, GOAL);
    let (method, params, state) = world.demand(&client, exchange);
    assert_eq!(method, r#""sampling/createMessage""#);
    assert!(params.contains("Goal: echo something"));
    assert_eq!(world.shard.gauges(), crate::shard::Gauges { links: 1, ..Default::default() });
    let exchange = world.bring(&client, GOAL, &state, &sampled(BAD));
    let (_, params, second) = world.demand(&client, exchange);
    assert!(params.contains("did you mean a.echo?"), "{params}");
    let exchange = world.bring(&client, GOAL, &second, &sampled(PLAN));
    world.runs(&client, exchange);
    // The other key's client does not get what the model of this one has written.
    let other = Client { key: "other", ..client.clone() };
    let exchange = world.wish(&other, GOAL);
    world.demand(&other, exchange);
    let exchange = world.wish(&client, GOAL);
    world.runs(&client, exchange);
}

#[test]
fn a_plan_that_a_client_of_the_stateless_era_does_not_mend_is_told_with_its_faults() {
    for (written, why) in
        [(r#"{"impossible":"no tool sings"}"#, "no tool sings"), ("hello there", "holds no")]
    {
        let mut world = World::running(&["a"]);
        let client = world.able_client(Era::Modern, Target::Unified, SAMPLES);
        let exchange = world.wish(&client, GOAL);
        let (_, _, state) = world.demand(&client, exchange);
        let exchange = world.bring(&client, GOAL, &state, &sampled(BAD));
        let (_, asked, state) = world.demand(&client, exchange);
        let nothing = format!(
            r#""name":"batch_execute","arguments":{{{GOAL}}},"requestState":"{state}","inputResponses":{{}}"#
        );
        let exchange = world.request(&client, "11", "tools/call", &nothing);
        let (_, again, state) = world.demand(&client, exchange);
        assert!(asked.contains("did you mean a.echo?") && again.contains("did you mean a.echo?"), "{again}");
        let exchange = world.bring(&client, GOAL, &state, &sampled(written));
        let told = world.result(&client, exchange);
        let nothing = world.wish(&client, GOAL);
        let (_, _, state) = world.demand(&client, nothing);
        let nothing = world.bring(&client, GOAL, &state, &sampled("hm"));
        let (_, _, state) = world.demand(&client, nothing);
        let nothing = world.bring(&client, GOAL, &state, &sampled(written));
        let unread = world.result(&client, nothing);
        assert!(unread.contains("the answer holds no JSON object with") && unread.contains(why), "{unread}");
        let draft =
            [r#""planned":{"steps""#, "did you mean a.echo?", r#""questions":2"#, "it was not mended: "];
        assert!(draft.into_iter().chain([why]).all(|said| told.contains(said)), "{told}");
    }
}

#[test]
fn a_state_is_good_for_its_request_its_key_and_its_time_alone() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(Era::Modern, Target::Unified, SAMPLES);
    let exchange = world.wish(&client, GOAL);
    let (_, _, state) = world.demand(&client, exchange);
    for (whose, goal, state) in [
        ("other", GOAL.to_owned(), state.clone()),
        ("key", r#""goal":"another""#.to_owned(), state.clone()),
        ("key", GOAL.to_owned(), state.replace(&state[..4], "AAAA")),
    ] {
        let client = Client { key: whose, ..client.clone() };
        let exchange = world.bring(&client, &goal, &state, &sampled(PLAN));
        world.code(&client, exchange);
    }
    world.advance(Limits::default().parked);
    let exchange = world.bring(&client, GOAL, &state, &sampled(PLAN));
    world.code(&client, exchange);
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_plan_runs_when_somebody_agrees_to_it_and_not_when_nobody_does() {
    for (action, agreed) in [("accept", true), ("decline", false), ("cancel", false)] {
        for era in [HTTP, Era::Modern] {
            let mut world = planning(PlannerSpec { confirm: true, ..spec() });
            let client = world.able_client(era, Target::Unified, ELICITS);
            let mut exchange = world.wish(&client, GOAL);
            world.planner_writes(PLAN);
            let input = format!(r#"{{"action":"{action}"}}"#);
            if era == Era::Modern {
                let (method, params, state) = world.demand(&client, exchange);
                assert_eq!(method, r#""elicitation/create""#);
                assert!(params.contains(r"Run this plan? 1 calls:\n1. one (a.echo)"), "{params}");
                exchange = world.bring(&client, GOAL, &state, &input);
            } else {
                let asked = world.answer(&client, exchange);
                assert!(world.requests("a").is_empty());
                let id = asked.raw_str(Field::Id).unwrap();
                world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{input}}}"#));
            }
            if agreed {
                world.runs(&client, exchange);
            } else {
                let told = world.result(&client, exchange);
                assert!(told.contains("nobody agreed to this plan") && told.contains(PLAN), "{told}");
                assert!(world.requests("a").is_empty());
            }
        }
    }
}

#[test]
fn a_plan_that_is_agreed_to_when_its_tool_is_gone_is_told_with_its_faults() {
    let mut world = planning(PlannerSpec { confirm: true, ..spec() });
    let client = world.able_client(HTTP, Target::Unified, ELICITS);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(PLAN);
    let id = world.answer(&client, exchange).raw_str(Field::Id).unwrap().to_owned();
    world.configure(alloc::vec::Vec::clear);
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept"}}}}"#));
    let told = world.result(&client, exchange);
    for said in [r#"{"faults":[{"at":"/steps/0/tool""#, PLAN, "the tools have changed since"] {
        assert!(told.contains(said), "{said}: {told}");
    }
}

#[test]
fn a_plan_is_agreed_to_as_a_whole_and_one_that_is_too_long_for_that_comes_back() {
    let most = Limits::default().planner.confirm_bytes;
    for (bytes, is_asked) in [(most / 2, true), (most, false)] {
        for era in [HTTP, Era::Modern] {
            let mut world = planning(PlannerSpec { confirm: true, ..spec() });
            let client = world.able_client(era, Target::Unified, ELICITS);
            let exchange = world.wish(&client, GOAL);
            let long = "y".repeat(bytes);
            world.planner_writes(&format!(
                r#"{{"steps":[{{"id":"one","tool":"a.echo","arguments":{{"x":"{long}"}}}},{{"id":"two","tool":"a.echo","arguments":{{"x":"the end"}}}}]}}"#
            ));
            let answer = world.answer(&client, exchange);
            let said = answer.raw_str(Field::Params).or_else(|| answer.raw_str(Field::Result)).unwrap();
            assert!(said.contains("the end"), "{said}");
            assert_eq!(said.contains("elicitation/create") || answer.has(Field::Method), is_asked);
            let refused = said.contains(&format!("limit planner.confirm_bytes reached: {most}"));
            assert_eq!(refused, !is_asked, "{said}");
            assert!(world.requests("a").is_empty());
        }
    }
}

#[test]
fn what_was_agreed_to_is_one_run_however_often_that_is_brought() {
    let mut world = planning(PlannerSpec { confirm: true, ..spec() });
    let client = world.able_client(Era::Modern, Target::Unified, ELICITS);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(PLAN);
    let (_, _, state) = world.demand(&client, exchange);
    let accept = r#"{"action":"accept"}"#;
    let [first, second] = [0, 1].map(|_| world.bring(&client, GOAL, &state, accept));
    world.runs(&client, first);
    let told = world.result(&client, second);
    assert!(told.contains(r#""output":{"one":{"v":7}},"status":"done""#), "{told}");
    // Also in the next life of the hub.
    let mut world = world.restarted();
    world.advance(Duration::from_millis(1));
    let third = world.bring(&client, GOAL, &state, accept);
    let told = world.result(&client, third);
    assert!(told.contains(r#""status":"done""#), "{told}");
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_plan_that_was_sampled_is_one_run_however_often_it_is_brought() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(Era::Modern, Target::Unified, SAMPLES);
    let exchange = world.wish(&client, GOAL);
    let (_, _, state) = world.demand(&client, exchange);
    let first = world.bring(&client, GOAL, &state, &sampled(PLAN));
    world.bring(&client, GOAL, &state, &sampled(PLAN));
    world.runs(&client, first);
    let late = world.bring(&client, GOAL, &state, &sampled(PLAN));
    assert!(world.result(&client, late).contains(r#""status":"done""#));
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_goal_in_the_background_that_was_agreed_to_is_told_of_at_once_also_the_second_time() {
    const ASIDE: &str = r#""goal":"echo something","background":true"#;
    let mut world = planning(PlannerSpec { confirm: true, ..spec() });
    let client = world.able_client(Era::Modern, Target::Unified, ELICITS);
    let exchange = world.wish(&client, ASIDE);
    world.planner_writes(PLAN);
    let (_, _, state) = world.demand(&client, exchange);
    let [first, second] = [0, 1].map(|_| world.bring(&client, ASIDE, &state, r#"{"action":"accept"}"#));
    let told = [first, second].map(|exchange| world.result(&client, exchange));
    assert!(told.iter().all(|told| told.contains(r#""status":"running""#)), "{told:?}");
}

#[test]
fn who_cannot_be_asked_to_agree_gets_the_plan_instead() {
    let mut world = planning(PlannerSpec { confirm: true, ..spec() });
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(PLAN);
    let told = world.result(&client, exchange);
    assert!(told.contains(PLAN) && told.contains("send it with `steps` to run it"), "{told}");
    assert!(world.requests("a").is_empty());
}

#[test]
fn a_client_that_refuses_to_sample_is_told_what_came_of_it() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, Target::Unified, SAMPLES);
    let exchange = world.wish(&client, GOAL);
    let asked = world.answer(&client, exchange);
    let id = asked.raw_str(Field::Id).unwrap();
    world.post(
        &client,
        &format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-1,"message":"User rejected"}}}}"#),
    );
    assert!(world.result(&client, exchange).contains("the client refused what it was asked"));
}

#[test]
fn what_is_planned_twice_at_the_same_time_under_a_key_runs_once() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, Target::Unified, SAMPLES);
    let wishes = [keyed(&mut world, &client, GOAL), keyed(&mut world, &client, GOAL)];
    let other = r#"{"steps":[{"id":"two","tool":"a.echo","arguments":{"x":2}}]}"#;
    for (exchange, text) in wishes.into_iter().zip([PLAN, other]) {
        let [asked] = &*world.take(&client, exchange) else { panic!("one question is expected") };
        world.samples(&client, read(asked).raw_str(Field::Id).unwrap(), text);
    }
    let step = world.requested("a");
    assert!(step.params.contains(r#""x":1"#) && world.requests("a").is_empty());
    world.reply(&step, r#"{"content":[],"structuredContent":{"v":7}}"#);
    let [first, second] = wishes.map(|exchange| run(&world.result(&client, exchange)));
    assert_eq!(first, second);
}

#[test]
fn goals_that_wait_for_somebody_s_yes_take_no_place_of_those_that_are_planned() {
    let planner = PlannerLimits { goals: 1, ..PlannerLimits::default() };
    let limits = Limits { planner, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    world.plan_with(PlannerSpec { confirm: true, ..spec() });
    let client = world.able_client(HTTP, Target::Unified, ELICITS);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(PLAN);
    assert_eq!(world.answer(&client, exchange).text(Field::Method).as_deref(), Some("elicitation/create"));
    world.wish(&client, r#""goal":"echo something else""#);
    world.question();
}

#[test]
fn what_was_agreed_to_is_looked_for_among_the_tools_that_its_caller_sees() {
    let mut world = World::scripted(Limits::default(), [("a", Script::default())]);
    world.configure(|servers| servers[0].spec.sharing = Sharing::PerSession);
    let mut world = world.surveyed();
    world.plan_with(PlannerSpec { confirm: true, ..spec() });
    let client = world.able_client(HTTP, Target::Unified, ELICITS);
    world.scripts.get_mut("a").unwrap().tools = ["echo", "mine"].map(ToOwned::to_owned).into();
    world.request(&client, "1", "tools/call", r#""name":"a.echo""#);
    let called = world.requested("a");
    world.reply(&called, "{}");
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(&PLAN.replace("a.echo", "a.mine"));
    let asked = world.answer(&client, exchange);
    let id = asked.raw_str(Field::Id).unwrap_or_else(|| panic!("{asked:?}"));
    world.post(&client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept"}}}}"#));
    world.runs(&client, exchange);
}
