//! The same goal, wanted by several before it is planned.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP};
use super::goals::{BAD, GOAL, PLAN, keyed, planning, run, spec};
use super::script::Script;
use super::world::World;
use crate::limits::PlannerLimits;
use crate::planner::PlannerSpec;
use crate::ports::gateway::Target;
use crate::ports::planner::{PlannerFault, PlannerFaultKind};
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, Limits};

/// Two clients with keys of their own that want the same, of which one has come first.
struct Stage {
    world: World,
    clients: [Client; 2],
    wishes: [ExchangeId; 2],
}

impl Stage {
    fn new() -> Self {
        let mut world = planning(spec());
        let first = world.client(Era::Modern, Target::Unified);
        let clients = [Client { key: "other", ..first.clone() }, first];
        let wishes = [world.wish(&clients[0], GOAL), world.wish(&clients[1], GOAL)];
        assert_eq!((world.questions.len(), world.shard.gauges().goals), (1, 2));
        Self { world, clients, wishes }
    }

    fn result(&mut self, which: usize) -> String {
        self.world.result(&self.clients[which], self.wishes[which])
    }

    /// What becomes of the question: there is an answer, or none in time.
    fn ends(&mut self, outcome: Option<Result<&str, PlannerFault>>) {
        match outcome {
            None => self.world.advance(Duration::from_mins(1)),
            Some(Ok(text)) => self.world.planner_writes(text),
            Some(Err(fault)) => {
                let (token, _) = self.world.question();
                self.world.feed(Input::PlannerAnswered { token, outcome: Err(fault) });
            }
        }
    }

    /// The steps of so many runs are answered.
    fn answer_steps(&mut self, runs: usize) {
        let steps = self.world.requests("a");
        assert_eq!(steps.len(), runs);
        for (at, step) in steps.iter().enumerate() {
            self.world.reply(step, &format!(r#"{{"content":[],"structuredContent":{{"v":{at}}}}}"#));
        }
    }
}

fn refused() -> Result<&'static str, PlannerFault> {
    Err(PlannerFault { kind: PlannerFaultKind::Throttled, words: "429".into() })
}

#[test]
fn it_is_planned_once_and_each_who_wants_it_has_a_run_of_its_own() {
    let mut stage = Stage::new();
    let shown = stage.world.wish(&stage.clients[1], &format!(r#"{GOAL},"dry_run":true"#));
    let (token, _) = stage.world.question();
    stage.world.writes(token, BAD);
    let (token, question) = stage.world.question();
    assert_eq!(question.prompt.turns.len(), 3, "it is mended, and they go on waiting");
    stage.world.writes(token, PLAN);
    stage.answer_steps(2);
    let told = [stage.result(0), stage.result(1)];
    assert!(told.iter().all(|told| told.contains(r#""status":"done""#)), "{told:?}");
    assert_ne!(run(&told[0]), run(&told[1]));
    let told = stage.world.result(&stage.clients[1].clone(), shown);
    assert!(told.contains(&format!(r#""planned":{PLAN}"#)) && told.contains(r#""questions":0"#), "{told}");
    assert!(stage.world.questions.is_empty() && stage.world.requests("a").is_empty());
}

#[test]
fn under_one_idempotency_key_it_is_planned_and_run_once() {
    let mut world = planning(spec());
    let client = world.client(HTTP, Target::Unified);
    let wishes = [keyed(&mut world, &client, GOAL), keyed(&mut world, &client, GOAL)];
    world.planner_writes(PLAN);
    let step = world.requested("a");
    assert!(world.requests("a").is_empty());
    world.reply(&step, r#"{"content":[],"structuredContent":{"v":7}}"#);
    let [first, second] = wishes.map(|exchange| run(&world.result(&client, exchange)));
    assert_eq!(first, second);
}

#[test]
fn where_no_plan_comes_of_it_all_are_told_why_and_nobody_asks_again() {
    for (outcome, words) in [
        (Some(refused()), "the planner has too much to do"),
        (Some(Ok(r#"{"impossible":"no tool sings"}"#)), "no tool sings"),
        (None, "no answer in time"),
    ] {
        let mut stage = Stage::new();
        stage.ends(outcome);
        for which in 0..2 {
            let told = stage.result(which);
            assert!(told.contains(words) && told.contains(r#""isError":true"#), "{told}");
        }
        assert_eq!((stage.world.questions.len(), stage.world.shard.gauges().goals), (0, 0));
    }
}

#[test]
fn a_plan_that_cannot_be_sent_back_is_told_with_its_faults() {
    let mut world = planning(PlannerSpec { questions_a_day: Some(1), ..spec() });
    let client = world.client(Era::Modern, Target::Unified);
    let exchange = world.wish(&client, GOAL);
    world.planner_writes(BAD);
    let told = world.result(&client, exchange);
    for said in [
        "did you mean a.echo?",
        r#""planned":{"steps""#,
        r#""questions":1"#,
        "it was not mended: limit planner.questions_a_day reached (1)",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(world.questions.is_empty());
}

#[test]
fn where_no_mended_plan_comes_the_one_that_has_faults_is_told() {
    for (outcome, words) in [
        (Some(refused()), "the planner has too much to do"),
        (Some(Ok(r#"{"impossible":"no tool sings"}"#)), "no tool sings"),
        (Some(Ok("hello there")), "holds no"),
        (None, "no answer in time"),
    ] {
        let mut stage = Stage::new();
        // Whoever has asked leaves, and another inherits the question with the draft.
        stage.world.planner_writes(BAD);
        stage.world.leave(stage.wishes[0]);
        stage.ends(outcome);
        let told = stage.result(1);
        for said in [
            "did you mean a.echo?",
            r#""planned":{"steps""#,
            r#""note":"it was not mended: "#,
            words,
            r#""isError":true"#,
        ] {
            assert!(told.contains(said), "{said}: {told}");
        }
    }
}

#[test]
fn whoever_leaves_does_not_take_the_question_away_from_those_who_wait_for_the_same() {
    let mut stage = Stage::new();
    stage.world.leave(stage.wishes[0]);
    assert_eq!((stage.world.questions.len(), stage.world.shard.gauges().goals), (1, 1));
    stage.world.planner_writes(PLAN);
    stage.answer_steps(1);
    let told = stage.result(1);
    assert!(told.contains(r#""status":"done""#), "{told}");

    let mut stage = Stage::new();
    stage.world.leave(stage.wishes[1]);
    stage.world.leave(stage.wishes[0]);
    assert_eq!((stage.world.questions.len(), stage.world.shard.gauges().goals), (0, 0), "it is taken back");
}

#[test]
fn those_who_wait_are_bounded_like_those_who_ask() {
    let planner = PlannerLimits { goals: 2, ..PlannerLimits::default() };
    let limits = Limits { planner, ..Limits::default() };
    let mut world = World::scripted(limits, [("a", Script::default())]).surveyed();
    world.plan_with(spec());
    let client = world.client(HTTP, Target::Unified);
    let wishes = [(); 3].map(|()| world.wish(&client, GOAL));
    let refused = world.answer(&client, wishes[2]);
    let words = refused.text(Field::ErrorMessage).unwrap().into_owned();
    assert!(words.contains("limit planner.goals reached"), "{words}");
    world.feed(Input::Stopping);
    for exchange in &wishes[..2] {
        assert!(world.answer(&client, *exchange).has(Field::Error), "a hub that stops answers all");
    }
    assert_eq!(world.shard.gauges().goals, 0);
}
