//! Runs that outlive the hub: whenever it ends, its next life goes on with them, and what may be done once is done once.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{borrow::ToOwned, boxed::Box};
use core::time::Duration;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::clients::{Client, Era, Sent};
use super::script::Script;
use super::world::{Store, World};
use crate::ports::gateway::Target;
use crate::record::{Outcome, Record, RecordKind};
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, KeyId, Limits, Timestamp};

/// Servers: what `a` does may be done once, what `s` does as often as one likes.
const SERVERS: [&str; 2] = ["a", "s"];

/// What servers answer is in the arguments: `{"say": value}`, `{"fail": times}`.
pub(super) const CHAIN: &str = r#""steps":[{"id":"one","tool":"a.echo","arguments":{"say":[1,2]}},
    {"id":"two","tool":"s.echo","arguments":{"say":{"$from":"one"}}},
    {"id":"three","tool":"a.echo","arguments":{"say":{"got":{"$from":"two","path":"/1"}}}}]"#;
pub(super) const EACH: &str = r#""steps":[{"id":"list","tool":"s.echo","arguments":{"say":[1,2,3,4]}},
    {"id":"none","tool":"a.echo","for_each":[],"arguments":{}},
    {"id":"each","tool":"a.echo","for_each":{"in":{"$from":"list"},"width":2},"when":{"not_equals":[{"$item":""},3]},
     "arguments":{"say":{"$item":""}}},
    {"id":"all","tool":"s.echo","arguments":{"say":[{"$from":"each"},{"$from":"none"}]}}]"#;
pub(super) const RETRY: &str = r#""steps":[{"id":"x","tool":"s.echo","arguments":{"fail":2},"retry":{"attempts":4,"backoff_ms":100}},
    {"id":"y","tool":"a.echo","depends_on":["x"],"arguments":{"say":1}}]"#;
pub(super) const ERRORS: &str = r#""steps":[{"id":"bad","tool":"a.echo","arguments":{"fail":9},"on_error":"continue"},
    {"id":"sees","tool":"s.echo","arguments":{"say":{"$from":"bad","of":"result","path":"/isError"}}},
    {"id":"off","tool":"a.echo","arguments":{"fail":9,"n":2},"on_error":"skip"},
    {"id":"left","tool":"a.echo","arguments":{"say":{"$from":"off"}}},
    {"id":"some","tool":"a.echo","for_each":[0,1,2],"on_error":"continue","arguments":{"say":{"$item":""},"n":4}}]"#;
pub(super) const STOPS: &str = r#""max_parallel":2,"steps":[{"id":"good","tool":"a.echo","arguments":{"say":1}},
    {"id":"bad","tool":"s.echo","arguments":{"fail":9}},{"id":"late","tool":"a.echo","arguments":{"say":3}},
    {"id":"later","tool":"a.echo","arguments":{"say":{"$from":"good"},"n":7}}]"#;

/// What is told of a run.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub status: String,
    output: Option<Box<RawValue>>,
    steps: Vec<ToldStep>,
}

#[derive(Debug, Deserialize)]
struct ToldStep {
    id: String,
    status: String,
    why: Option<String>,
}

/// What a server is asked to answer.
#[derive(Deserialize)]
struct Asked {
    say: Option<Box<RawValue>>,
    fail: Option<usize>,
}

#[derive(Deserialize)]
struct Arguments {
    arguments: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Structured {
    structured_content: Box<RawValue>,
}

/// A world, and how often its servers were asked for what.
pub(super) struct Stage {
    pub world: World,
    pub client: Client,
    pub waiting: Vec<Sent>,
    pub made: BTreeMap<String, usize>,
}

impl Stage {
    pub(super) fn new(limits: Limits) -> Self {
        let safe = Script { tool_members: r#","annotations":{"idempotentHint":true}"#, ..Script::default() };
        let mut world = World::scripted(limits, [("a", Script::default()), ("s", safe)]).surveyed();
        let client = world.client(Era::Modern, Target::Unified);
        world.store = Store::Queues;
        Self { world, client, waiting: Vec::new(), made: BTreeMap::new() }
    }

    pub(super) fn ask(&mut self, tool: &str, arguments: &str) -> ExchangeId {
        let members = format!(r#""name":"{tool}","arguments":{{{arguments}}}"#);
        self.world.post(&self.client, &self.client.write("5", "tools/call", &members, ""))
    }

    /// Takes what servers were asked. They do it at once, and answer later.
    pub(super) fn hear(&mut self) {
        for server in SERVERS {
            for sent in self.world.requests(server) {
                *self.made.entry(format!("{server} {}", arguments(&sent))).or_default() += 1;
                self.waiting.push(sent);
            }
        }
    }

    /// Makes one thing happen: the store has a change, or a server answers. Returns whether there was any.
    fn happens(&mut self, answers_first: bool) -> bool {
        self.hear();
        if (answers_first || self.world.queue.is_empty()) && !self.waiting.is_empty() {
            let sent = self.waiting.remove(0);
            let result = self.result(&sent);
            self.world.reply(&sent, &result);
            return true;
        }
        self.stores()
    }

    /// The store has the oldest change that it has not. Returns whether there was any.
    pub(super) fn stores(&mut self) -> bool {
        let Some((token, changes)) = self.world.queue.pop_front() else { return false };
        self.world.apply(&changes);
        if let Some(token) = token {
            self.world.feed(Input::Stored { token, outcome: Ok(()) });
        }
        true
    }

    fn result(&self, sent: &Sent) -> String {
        let arguments = arguments(sent);
        let asked: Asked = serde_json::from_str(&arguments).unwrap();
        let so_far = self.made.values().max().copied().unwrap_or_default();
        if asked.fail.is_some_and(|times| times >= so_far) {
            return r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#.to_owned();
        }
        let say = asked.say.as_ref().map_or("null", |say| say.get());
        let said = if say.starts_with('[') { say.to_owned() } else { format!(r#"{{"v":{say}}}"#) };
        format!(r#"{{"content":[],"structuredContent":{said}}}"#)
    }

    /// Goes on until nothing happens any more; at most so many times.
    pub(super) fn go(&mut self, most: usize, answers_first: bool) -> bool {
        for _ in 0..most {
            if !self.happens(answers_first) {
                self.world.advance(Duration::from_secs(1));
                self.hear();
                if self.waiting.is_empty() && self.world.queue.is_empty() {
                    return true;
                }
            }
        }
        false
    }

    /// The hub ends, with so many of the changes that were on their way.
    pub(super) fn crash(mut self, reached: usize) -> Self {
        self.hear();
        let on_their_way: Vec<_> = self.world.queue.drain(..).take(reached).collect();
        for (_, changes) in on_their_way {
            self.world.apply(&changes);
        }
        self.waiting.clear();
        self.world = self.world.restarted();
        self
    }

    pub(super) fn run(&self) -> Option<String> {
        let mut runs =
            self.world.records.values().filter_map(|record| {
                if let Record::Run(run) = record { Some(run.id.to_string()) } else { None }
            });
        runs.next()
    }

    pub(super) fn told(&mut self, tool: &str, run: &str) -> Told {
        let exchange = self.ask(tool, &format!(r#""run":"{run}""#));
        while !self.world.seen(exchange).ended && self.stores() {}
        self.read(exchange)
    }

    pub(super) fn read(&mut self, exchange: ExchangeId) -> Told {
        let answer = self.world.answer(&self.client.clone(), exchange);
        let result: Structured = serde_json::from_str(answer.raw_str(Field::Result).unwrap()).unwrap();
        serde_json::from_str(result.structured_content.get()).unwrap()
    }

    fn stored(&self, kind: RecordKind) -> usize {
        self.world.records.keys().filter(|id| id.kind() == kind).count()
    }
}

fn arguments(sent: &Sent) -> String {
    let params: Arguments = serde_json::from_str(&sent.params).unwrap();
    params.arguments.get().to_owned()
}

impl Told {
    /// What matters of a run: its output, and how its steps have ended.
    pub(super) fn essence(&self) -> (&str, Vec<(&str, &str)>) {
        let steps = self.steps.iter().map(|step| (&*step.id, &*step.status));
        (self.output(), steps.collect())
    }

    fn output(&self) -> &str {
        self.output.as_ref().map_or("", |output| output.get())
    }

    fn knows_all(&self) -> bool {
        let unknown =
            |step: &ToldStep| step.why.as_ref().is_some_and(|why| why.contains("outcome is unknown"));
        !self.steps.iter().any(unknown)
    }
}

fn undisturbed(plan: &str, answers_first: bool) -> (Told, usize) {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &format!(r#"{plan},"background":true"#));
    let mut points = 0;
    while !stage.go(1, answers_first) {
        points += 1;
    }
    let run = stage.run().expect("a run");
    (stage.told("batch_status", &run), points)
}

#[track_caller]
fn check(plan: &str, answers_first: bool, crash_at: &[(usize, usize)], expected: &Told) {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &format!(r#"{plan},"background":true"#));
    for (points, reached) in crash_at {
        stage.go(*points, answers_first);
        stage = stage.crash(*reached);
    }
    assert!(stage.go(1000, answers_first), "{crash_at:?}: it ends");
    let twice = stage.made.iter().find(|(call, times)| call.starts_with("a ") && **times > 1);
    assert_eq!(twice, None, "{crash_at:?}: it may be done once");
    let Some(run) = stage.run() else {
        assert!(stage.made.keys().all(|call| call.starts_with("s ")), "{crash_at:?}: {:?}", stage.made);
        return;
    };
    let told = stage.told("batch_status", &run);
    assert_ne!(told.status, "running", "{crash_at:?}: {told:?}");
    if told.knows_all() {
        assert_eq!(told.essence(), expected.essence(), "{crash_at:?}: {told:?}");
    }
    // It can be read in every life from then on.
    let again = stage.crash(0).told("batch_status", &run);
    assert_eq!((again.essence(), &again.status), (told.essence(), &told.status), "{crash_at:?}");
}

#[track_caller]
fn check_all(plan: &str) {
    for answers_first in [false, true] {
        let (expected, points) = undisturbed(plan, answers_first);
        for point in 0..=points {
            for reached in [0, 1, 9] {
                check(plan, answers_first, &[(point, reached)], &expected);
            }
            check(plan, answers_first, &[(point, 1), (1, 0), (2, 9)], &expected);
        }
    }
}

#[test]
fn that_a_step_has_ended_and_the_next_begins_is_one_commit() {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &CHAIN.replace("s.echo", "a.echo"));
    assert!(stage.happens(false) && stage.happens(true), "the store has the first, and it is answered");
    assert!(stage.world.queue.len() == 1 && stage.world.queue[0].1.len() == 3, "an answer, an end, a call");
}

#[test]
fn a_chain_goes_on_wherever_the_hub_ends() {
    check_all(CHAIN);
}

#[test]
fn the_elements_of_an_array_are_each_done_once() {
    check_all(EACH);
}

#[test]
fn tries_that_are_left_are_made_in_the_next_life() {
    check_all(RETRY);
}

#[test]
fn failures_lead_to_what_they_would_have_led_to() {
    check_all(ERRORS);
}

#[test]
fn a_run_that_was_stopped_stays_so() {
    check_all(STOPS);
}

#[test]
fn a_call_that_may_be_made_once_waits_for_the_store_and_is_not_made_without_it() {
    let mut stage = Stage::new(Limits::default());
    stage.world.store = Store::IsFull;
    let exchange = stage.ask(
        "batch_execute",
        r#""steps":[{"id":"x","tool":"a.echo","on_error":"continue"},{"id":"y","tool":"s.echo"}]"#,
    );
    stage.hear();
    assert_eq!(stage.made.keys().collect::<Vec<_>>(), ["s {}"], "that one may be made again");
    let sent = stage.waiting.remove(0);
    stage.world.reply(&sent, "{}");
    let answer = stage.world.answer(&stage.client.clone(), exchange);
    let told = answer.raw_str(Field::Result).unwrap();
    assert!(told.contains("that it begins could not be stored"), "{told}");
}

#[test]
fn a_run_whose_key_is_revoked_between_two_lives_does_not_go_on() {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &format!(r#"{CHAIN},"background":true"#));
    stage.go(4, false);
    let made = stage.made.len();
    let run = stage.run().unwrap();
    stage.world.queue.clear();
    stage.world = stage.world.reborn();
    stage.world.feed(Input::KeyRevoked(KeyId("key".into())));
    stage.world.feed(Input::SurveyAsked);
    stage.go(100, false);
    assert_eq!(stage.made.len(), made);
    assert_eq!(stage.told("batch_status", &run).status, "cancelled");
}

#[test]
fn results_that_are_too_long_to_be_stored_are_there_until_the_hub_ends() {
    let limits = Limits { run_stored_bytes: 60, ..Limits::default() };
    let mut stage = Stage::new(limits);
    let long = "long ".repeat(20);
    let plan = format!(
        r#""steps":[{{"id":"x","tool":"a.echo","arguments":{{"say":"{long}"}}}},{{"id":"y","tool":"s.echo","arguments":{{"say":2}}}}]"#
    );
    stage.ask("batch_execute", &format!(r#"{plan},"background":true"#));
    assert!(stage.go(100, false));
    let run = stage.run().unwrap();
    assert!(stage.told("batch_status", &run).output().contains(&long));
    let overlong =
        |record: &&Record| matches!(record, Record::RunCall(call) if call.outcome == Outcome::Overlong);
    assert_eq!(stage.world.records.values().filter(overlong).count(), 1);
    let mut stage = stage.crash(9);
    let told = stage.told("batch_status", &run);
    assert_eq!((&*told.status, told.output()), ("done", r#"{"x":null,"y":{"v":2}}"#));
    assert!(told.steps[0].why.as_ref().unwrap().contains("limit run_stored_bytes"), "{told:?}");
}

#[test]
fn what_is_kept_of_a_run_goes_in_time() {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &format!(r#"{CHAIN},"background":true"#));
    assert!(stage.go(100, false));
    assert_eq!((stage.stored(RecordKind::Run), stage.stored(RecordKind::RunCall)), (1, 3));
    let mut stage = stage.crash(9);
    stage.world.advance(Limits::default().run_kept + Duration::from_mins(1));
    stage.go(100, false);
    assert_eq!((stage.stored(RecordKind::Run), stage.stored(RecordKind::RunCall)), (0, 0));
}

#[test]
fn what_a_later_clock_has_said_of_a_run_keeps_it_no_longer() {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &format!(r#"{CHAIN},"background":true"#));
    assert!(stage.go(100, false));
    stage.world.now = Timestamp(stage.world.now.0 - 36_000_000);
    let mut stage = stage.crash(9);
    stage.world.advance(Limits::default().run_kept + Duration::from_mins(1));
    stage.go(100, false);
    assert_eq!((stage.stored(RecordKind::Run), stage.stored(RecordKind::RunCall)), (0, 0));
}

#[test]
fn calls_of_runs_that_are_gone_go_from_the_store() {
    let mut stage = Stage::new(Limits::default());
    stage.ask("batch_execute", &format!(r#"{CHAIN},"background":true"#));
    assert!(stage.go(100, false));
    stage.world.records.retain(|id, _| id.kind() != RecordKind::Run);
    let mut stage = stage.crash(9);
    stage.go(100, false);
    assert_eq!(stage.stored(RecordKind::RunCall), 0);
}

#[test]
fn a_hub_that_stops_puts_its_runs_aside() {
    let mut stage = Stage::new(Limits::default());
    let exchange = stage.ask("batch_execute", &CHAIN.replace("a.echo", "s.echo"));
    stage.go(2, true);
    stage.world.feed(Input::Stopping);
    let answer = stage.world.answer(&stage.client.clone(), exchange);
    assert!(answer.raw_str(Field::Result).unwrap().contains(r#""status":"running""#));
    let mut stage = stage.crash(9);
    assert!(stage.go(100, false));
    let run = stage.run().unwrap();
    assert_eq!(stage.told("batch_status", &run).status, "done");
}
