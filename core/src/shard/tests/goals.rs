//! Goals in words: who is asked for a plan, what becomes of what they write, and what is kept of it.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, ERAS, Era, HTTP};
use super::world::World;
use crate::planner::{PlannerSpec, Provider, Role};
use crate::ports::gateway::Target;
use crate::ports::planner::{PlannerFault, PlannerFaultKind, Question, Usage, Written};
use crate::rpc::Field;
use crate::shard::{Input, Token};
use crate::{ExchangeId, KeyId, Limits, Timestamp};

pub(super) const GOAL: &str = r#""goal":"echo something""#;
pub(super) const PLAN: &str = r#"{"steps":[{"id":"one","tool":"a.echo","arguments":{"x":1}}]}"#;
pub(super) const BAD: &str = r#"{"steps":[{"id":"one","tool":"a.ecko"}]}"#;
pub(super) const SAMPLES: &str = r#"{"sampling":{}}"#;

pub(super) fn spec() -> PlannerSpec {
    PlannerSpec::new(Provider::OpenAi { url: None, key: None }, "big")
}

/// A hub with the server `a` and a planner.
pub(super) fn planning(spec: PlannerSpec) -> World {
    let mut world = World::running(&["a"]);
    world.plan_with(spec);
    world
}

impl World {
    pub(super) fn wish(&mut self, client: &Client, members: &str) -> ExchangeId {
        self.request(
            client,
            "9",
            "tools/call",
            &format!(r#""name":"batch_execute","arguments":{{{members}}}"#),
        )
    }

    /// Takes the one question that the planner has not answered.
    pub(super) fn question(&mut self) -> (Token, Question) {
        let (token, question) = self.questions.pop_first().expect("a question to the planner");
        assert!(self.questions.is_empty());
        (token, question)
    }

    pub(super) fn writes(&mut self, token: Token, text: &str) {
        let usage = Usage { input: 100, output: 10 };
        self.feed(Input::PlannerAnswered {
            token,
            outcome: Ok(Written { text: text.to_owned(), usage, cut: false }),
        });
    }

    /// The planner answers its one question.
    pub(super) fn planner_writes(&mut self, text: &str) {
        let (token, _) = self.question();
        self.writes(token, text);
    }

    pub(super) fn result(&mut self, client: &Client, exchange: ExchangeId) -> String {
        self.answer(client, exchange).raw_str(Field::Result).expect("a result").to_owned()
    }

    /// The one step runs, and its value comes back.
    pub(super) fn runs(&mut self, client: &Client, exchange: ExchangeId) {
        let step = self.requested("a");
        assert!(step.params.contains(r#""arguments":{"x":1}"#), "{}", step.params);
        self.reply(&step, r#"{"content":[],"structuredContent":{"v":7}}"#);
        let told = self.result(client, exchange);
        assert!(told.contains(r#""output":{"one":{"v":7}},"status":"done""#), "{told}");
        let gauges = self.shard.gauges();
        assert_eq!((gauges.goals, gauges.steps, gauges.runs), (0, 0, 0));
    }
}

#[test]
fn a_goal_is_planned_and_its_plan_runs_in_every_era() {
    for era in ERAS {
        let mut world = planning(spec());
        let client = world.client(era, Target::Unified);
        let exchange = world.wish(&client, GOAL);
        let (token, question) = world.question();
        assert_eq!(question.model, "big");
        let [turn] = &*question.prompt.turns else { panic!("{question:?}") };
        assert!(turn.text.contains(r#"{"name":"a.echo""#) && turn.text.ends_with("Goal: echo something"));
        assert_eq!(world.shard.gauges().goals, 1);
        world.writes(token, &format!("Here it is:\n```json\n{PLAN}\n```"));
        world.runs(&client, exchange);
    }
}

#[test]
fn a_dry_run_gives_the_plan_back_and_it_can_be_sent_as_it_is() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, &format!(r#"{GOAL},"dry_run":true"#));
    world.planner_writes(PLAN);
    let told = world.result(&client, exchange);
    assert!(told.contains(&format!(r#"{{"planned":{PLAN},"phases""#)), "{told}");
    assert!(told.contains(r#""planner":{"questions":1,"input_tokens":100,"output_tokens":10}"#), "{told}");
    assert!(world.requests("a").is_empty());
    let exchange = world.wish(&client, &format!(r#"{GOAL},"dry_run":true,"max_parallel":2,"deadline_ms":9"#));
    let told = world.result(&client, exchange);
    let whole = format!(r#"{},"max_parallel":2,"deadline_ms":9}}"#, PLAN.strip_suffix('}').unwrap());
    assert!(told.contains(&format!(r#"{{"planned":{whole},"phases""#)), "{told}");
    let members = PLAN.strip_prefix('{').and_then(|plan| plan.strip_suffix('}')).unwrap();
    let exchange = world.wish(&client, members);
    world.runs(&client, exchange);
}

#[test]
fn a_plan_with_faults_is_mended_once_by_the_other_model_and_then_refused() {
    for mended in [true, false] {
        let mut world = planning(PlannerSpec { light_model: Some("light".into()), ..spec() });
        let client = world.client(HTTP, Target::Unified);
        let exchange = world.wish(&client, GOAL);
        let (token, question) = world.question();
        assert_eq!(question.model, "light", "the goal is small");
        world.writes(token, BAD);
        let (token, question) = world.question();
        assert_eq!(question.model, "big");
        let [_, said, faults] = &*question.prompt.turns else { panic!("{question:?}") };
        assert_eq!((said.role, &*said.text), (Role::Assistant, BAD));
        assert!(faults.text.contains("- /steps/0/tool: there is no tool \"a.ecko\"; did you mean a.echo?"));
        world.writes(token, if mended { PLAN } else { BAD });
        if mended {
            world.runs(&client, exchange);
            continue;
        }
        let told = world.result(&client, exchange);
        assert!(told.contains(r#"{"faults":[{"at":"/steps/0/tool""#), "{told}");
        assert!(told.contains(&format!(r#""planned":{BAD},"planner":{{"questions":2"#)), "{told}");
        assert!(told.ends_with(r#""isError":true}"#), "{told}");
        assert!(world.questions.is_empty() && world.requests("a").is_empty());
    }
}

#[test]
fn what_holds_no_plan_is_a_fault_and_what_cannot_be_done_is_said() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes("I would rather not.");
    let (token, question) = world.question();
    assert!(question.prompt.turns[2].text.contains("no JSON object with \"steps\""));
    world.writes(token, r#"{"impossible":"no tool sings"}"#);
    let told = world.result(&client, exchange);
    assert!(told.contains("the tools cannot do it: no tool sings"), "{told}");
}

#[test]
fn the_same_goal_is_planned_once_as_long_as_tools_and_planner_are_the_same() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(PLAN);
    world.runs(&client, exchange);
    let exchange = world.wish(&client, GOAL);
    assert!(world.questions.is_empty());
    world.runs(&client, exchange);
    let exchange = world.wish(&client, &format!(r#"{GOAL},"dry_run":true"#));
    assert!(world.result(&client, exchange).contains(r#""planner":{"questions":0"#));
    world.plan_with(PlannerSpec { model: "other".into(), ..spec() });
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(PLAN);
    world.runs(&client, exchange);
    world.configure(|servers| drop(servers.extract_if(.., |server| server.name == "a").collect::<Vec<_>>()));
    world.wish(&client, GOAL);
    assert_eq!(world.questions.len(), 1, "the tools are others");
}

/// A wish under an idempotency key.
pub(super) fn keyed(world: &mut World, client: &Client, members: &str) -> ExchangeId {
    let params = format!(r#""name":"batch_execute","arguments":{{{members}}}"#);
    world.post(client, &client.write("9", "tools/call", &params, r#""mcp-orch/idempotency-key":"k""#))
}

/// The name of the run that was told of.
pub(super) fn run(told: &str) -> String {
    let (_, rest) = told.split_once(r#""run":""#).unwrap();
    rest.get(..12).unwrap().to_owned()
}

#[test]
fn a_goal_that_comes_again_under_its_key_is_the_run_that_was_made_of_it_in_every_life() {
    for era in [HTTP, Era::Modern] {
        let mut world = planning(spec());
        let client = world.client(era, Target::Unified);
        let first = keyed(&mut world, &client, GOAL);
        world.planner_writes(PLAN);
        let second = keyed(&mut world, &client, GOAL);
        let other = keyed(&mut world, &client, r#""goal":"something else""#);
        let refused = world.answer(&client, other);
        assert!(refused.text(Field::ErrorMessage).unwrap().contains("the plan"), "{era:?}");
        let plan =
            keyed(&mut world, &client, r#""steps":[{"id":"one","tool":"a.echo","arguments":{"x":1}}]"#);
        assert!(
            world.answer(&client, plan).raw_str(Field::Error).is_some(),
            "the plan was not what was asked"
        );
        let step = world.requested("a");
        world.reply(&step, r#"{"content":[],"structuredContent":{"v":7}}"#);
        let (first, second) = (world.result(&client, first), world.result(&client, second));
        assert!(first.contains(r#""output":{"one":{"v":7}}"#), "{first}");
        assert_eq!(run(&second), run(&first), "{era:?}");
        let third = keyed(&mut world, &client, GOAL);
        assert_eq!(run(&world.result(&client, third)), run(&first));
        assert!(world.questions.is_empty() && world.requests("a").is_empty());
        if era == Era::Modern {
            let mut world = world.restarted();
            let fourth = keyed(&mut world, &client, GOAL);
            assert_eq!(run(&world.result(&client, fourth)), run(&first));
            assert!(world.questions.is_empty() && world.requests("a").is_empty());
        }
    }
}

#[test]
fn a_goal_that_is_only_planned_takes_no_key() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = keyed(&mut world, &client, &format!(r#"{GOAL},"dry_run":true"#));
    world.planner_writes(PLAN);
    assert!(world.result(&client, exchange).contains("planned"));
    let exchange = keyed(&mut world, &client, GOAL);
    world.runs(&client, exchange);
}

#[test]
fn a_plan_that_a_server_refuses_is_made_anew_and_one_whose_server_was_away_is_not() {
    let refused = r#"{"content":[{"type":"text","text":"no such x"}],"isError":true}"#;
    for (answer, questions) in [(Some(refused), 1), (None, 0)] {
        let mut world = planning(spec());
        let client = world.client(HTTP, Target::Unified);
        let exchange = world.wish(&client, GOAL);
        world.planner_writes(PLAN);
        let step = world.requested("a");
        match answer {
            Some(answer) => world.reply(&step, answer),
            None => world.crash("a"),
        }
        assert!(world.result(&client, exchange).contains(r#""status":"failed""#));
        world.advance(Duration::from_secs(5));
        world.wish(&client, GOAL);
        assert_eq!(world.questions.len(), questions);
    }
}

#[test]
fn a_plan_that_a_server_refuses_when_it_is_begun_once_more_is_made_anew_too() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, &format!(r#"{GOAL},"background":true"#));
    world.planner_writes(PLAN);
    let run = run(&world.result(&client, exchange));
    world.requested("a");
    for tool in ["batch_cancel", "batch_retry"] {
        let members = format!(r#""name":"{tool}","arguments":{{"run":"{run}"}}"#);
        world.request(&client, "8", "tools/call", &members);
    }
    let step = world.requested("a");
    world.reply(&step, r#"{"content":[],"isError":true}"#);
    world.wish(&client, GOAL);
    assert_eq!(world.questions.len(), 1);
}

#[test]
fn where_nobody_can_be_asked_it_is_said_how_that_is_changed() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    let told = world.result(&client, exchange);
    assert!(told.contains("add \\\"planner\\\" to the configuration file"), "{told}");
}

#[test]
fn a_planner_that_fails_or_is_silent_is_an_answer_and_late_words_are_dropped() {
    let mut world = planning(PlannerSpec { timeout_s: Some(7), ..spec() });
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    let (token, question) = world.question();
    assert_eq!(question.timeout, Duration::from_secs(7));
    let fault = PlannerFault { kind: PlannerFaultKind::Throttled, words: "429, after 4 tries".into() };
    world.feed(Input::PlannerAnswered { token, outcome: Err(fault) });
    assert!(world.result(&client, exchange).contains("the planner has too much to do: 429, after 4 tries"));
    let exchange = world.wish(&client, GOAL);
    let token = *world.questions.keys().next().unwrap();
    world.advance(Duration::from_secs(7));
    assert!(world.questions.is_empty(), "it was given up");
    assert!(world.result(&client, exchange).contains("no answer in time"));
    world.writes(token, PLAN);
    assert!(world.requests("a").is_empty());
}

#[test]
fn who_wants_no_answer_any_more_leaves_the_planner() {
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#;
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    world.post(&client, cancelled);
    assert!(world.seen(exchange).ended && world.questions.is_empty());
    let modern = world.client(Era::Modern, Target::Unified);
    let exchange = world.wish(&modern, GOAL);
    world.leave(exchange);
    assert!(world.questions.is_empty());
    let exchange = world.wish(&modern, GOAL);
    world.feed(Input::KeyRevoked(KeyId("key".into())));
    assert!(world.questions.is_empty() && world.seen(exchange).ended);
    assert_eq!(world.shard.gauges().goals, 0);
    let mut world = World::running(&["a"]);
    let client = world.able_client(HTTP, Target::Unified, SAMPLES);
    let exchange = world.wish(&client, GOAL);
    world.post(&client, cancelled);
    let messages = world.take(&client, exchange);
    assert!(messages[1].contains("notifications/cancelled"), "the client need not answer: {messages:?}");
}

#[test]
fn a_hub_that_stops_answers_those_whose_goals_it_plans() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    world.feed(Input::Stopping);
    assert!(world.seen(exchange).ended && world.questions.is_empty());
}

#[test]
fn questions_are_counted_by_the_day_and_goals_at_the_same_time_are_bounded() {
    let mut world = planning(PlannerSpec { questions_a_day: Some(2), ..spec() });
    world.now = Timestamp(world.now.0 / 86_400_000 * 86_400_000);
    let client = world.client(Era::Modern, Target::Unified);
    world.wish(&client, GOAL);
    world.planner_writes(BAD);
    let exchange = world.wish(&client, r#""goal":"another""#);
    let refused = world.answer(&client, exchange);
    assert!(refused.text(Field::ErrorMessage).unwrap().contains("limit planner.questions_a_day reached (2)"));
    world.advance(Duration::from_hours(24));
    world.wish(&client, GOAL);
    assert_eq!(world.questions.len(), 1);
    let mut world = planning(spec());
    let most = Limits::default().planner.goals;
    let client = world.client(Era::Modern, Target::Unified);
    for goal in 0..most {
        world.wish(&client, &format!(r#""goal":"g{goal}""#));
    }
    assert_eq!(world.questions.len(), most / 2, "a key leaves others as much as it has");
    world.wish(&Client { key: "other", ..client.clone() }, r#""goal":"g""#);
    assert_eq!(world.questions.len(), most / 2 + 1);
    let exchange = world.wish(&client, GOAL);
    let refused = world.answer(&client, exchange);
    assert!(refused.text(Field::ErrorMessage).unwrap().contains("limit planner.goals reached (16)"));
}

#[test]
fn goals_of_a_batch_are_answered_with_it() {
    let mut world = planning(spec());
    let client = world.client(Era::Http(crate::mcp::Revision::V2025_03_26), Target::Unified);
    let call = |id: &str, members: &str| {
        client.write(id, "tools/call", &format!(r#""name":"batch_execute","arguments":{{{members}}}"#), "")
    };
    let members = [call("1", GOAL), call("2", r#""goal":" ""#)];
    let exchange = world.post_batch(&client, &members.each_ref().map(|it| &**it));
    world.planner_writes(r#"{"impossible":"no"}"#);
    let seen = world.seen(exchange);
    assert!(seen.ended && seen.messages[0].contains("cannot do it: no"), "{seen:?}");
}

#[test]
fn what_is_said_of_the_run_of_a_goal_is_judged_before_anybody_is_asked() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let exchange = world.wish(&client, &format!(r#"{GOAL},"max_parallel":0,"deadline_ms":"1s""#));
    let told = world.result(&client, exchange);
    assert!(told.contains(r#""at":"/max_parallel""#) && told.contains(r#""at":"/deadline_ms""#), "{told}");
    assert!(world.questions.is_empty());
}

#[test]
fn what_is_null_beside_a_plan_or_a_goal_is_left_out() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let members = PLAN.strip_prefix('{').and_then(|plan| plan.strip_suffix('}')).unwrap();
    let exchange = world.wish(&client, &format!(r#""goal":null,{members},"output":null"#));
    world.runs(&client, exchange);
    let exchange = world.wish(&client, &format!(r#"{GOAL},"steps":null,"dry_run":null"#));
    world.planner_writes(PLAN);
    world.runs(&client, exchange);
}
