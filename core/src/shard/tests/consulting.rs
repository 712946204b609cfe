//! What servers ask of the steps of a plan whose client is of 2026-07-28.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, SAMPLED};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Target;
use crate::rpc::{Field, Members};
use crate::shard::Input;
use crate::{ExchangeId, Limits, LinkId};

const ABLE: &str = r#"{"elicitation":{},"sampling":{}}"#;
const BOTH: &str = r#""steps":[{"id":"x","tool":"a.echo","on_error":"continue"},{"id":"y","tool":"b.echo"}]"#;
/// A server of the 2025 eras asks in a request, one of 2026-07-28 in its answer.
const ASKS: &str = r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#;
const DEMANDS: &str = r#"{"resultType":"input_required","inputRequests":{"m":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":9}}},"requestState":"own"}"#;

/// What a client is to come back with: the state, and the questions by their names.
#[derive(Debug)]
struct Asked {
    state: String,
    questions: Vec<(String, String)>,
}

/// A plan under way, of a step at a server of each era.
struct Stage {
    world: World,
    client: Client,
}

impl Stage {
    fn new() -> (Self, ExchangeId) {
        let scripts = [("a", Script::default()), ("b", Script::modern())];
        let mut world = World::scripted(Limits::default(), scripts).surveyed();
        world.frames("b");
        let client = world.able_client(Era::Modern, Target::Unified, ABLE);
        let mut stage = Self { world, client };
        let exchange = stage.plan("1", BOTH, "");
        (stage, exchange)
    }

    fn plan(&mut self, id: &str, plan: &str, more: &str) -> ExchangeId {
        let members = format!(r#""name":"batch_execute","arguments":{{{plan}}}{more}"#);
        self.world.request(&self.client, id, "tools/call", &members)
    }

    fn come_back(&mut self, state: &str, responses: &str) -> ExchangeId {
        let more = format!(r#","requestState":"{state}","inputResponses":{responses}"#);
        self.plan("2", BOTH, &more)
    }

    fn asked(&mut self, exchange: ExchangeId) -> Asked {
        let answer = self.world.answer(&self.client.clone(), exchange);
        let members = Members::read(answer.raw(Field::Result).unwrap()).unwrap();
        let member = |name: &str| members.0.iter().find(|(key, _)| key == name).unwrap().1.get();
        assert_eq!(member("resultType"), r#""input_required""#);
        let questions = Members::read(member("inputRequests").as_bytes()).unwrap();
        let questions = questions.0.iter().map(|(name, it)| (name.to_string(), it.get().to_owned()));
        Asked { state: member("requestState").trim_matches('"').to_owned(), questions: questions.collect() }
    }

    fn told(&mut self, exchange: ExchangeId) -> String {
        let answer = self.world.answer(&self.client.clone(), exchange);
        let result = answer.raw_str(Field::Result).unwrap_or_else(|| panic!("{answer:?}"));
        result.split_once("\"structuredContent\":").expect("a structure").1.to_owned()
    }

    /// Both servers ask. The link of the one that waits for an answer, and what the client is asked.
    fn both_ask(&mut self, exchange: ExchangeId) -> (LinkId, String, Asked) {
        let (one, two) = (self.world.requested("a"), self.world.requested("b"));
        self.world.says(one.link, ASKS);
        self.world.reply(&two, DEMANDS);
        assert_eq!(self.world.seen(exchange).status, None, "another step may ask");
        self.world.advance(Limits::default().gather);
        (one.link, one.id, self.asked(exchange))
    }
}

#[test]
fn what_several_steps_ask_comes_in_one_answer_and_the_next_try_waits_for_the_run() {
    let (mut stage, exchange) = Stage::new();
    let (link, call, asked) = stage.both_ask(exchange);
    let methods: Vec<&str> = asked.questions.iter().map(|(_, question)| &**question).collect();
    assert_eq!(
        methods,
        [
            r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{}}}"#,
            r#"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":9}}"#
        ]
    );
    let [(one, _), (two, _)] = asked.questions.as_slice() else { panic!("{asked:?}") };
    // Half of the answers: the rest is asked again, and the server that has its answer goes on.
    let exchange = stage.come_back(&asked.state, &format!(r#"{{"{one}":{{"action":"accept"}}}}"#));
    let left = stage.asked(exchange);
    assert_eq!(left.questions.iter().map(|(name, _)| name).collect::<Vec<_>>(), [two]);
    let frames = stage.world.frames("a");
    assert!(frames[0].1.contains(r#""id":"s","result":{"action":"accept"}"#), "{frames:?}");
    let exchange = stage.come_back(&left.state, &format!(r#"{{"{two}":{SAMPLED}}}"#));
    let again = stage.world.requested("b");
    assert!(
        again.params.contains(&format!(r#""inputResponses":{{"m":{SAMPLED}}},"requestState":"own""#)),
        "{again:?}"
    );
    stage.world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{call},"result":{{"structuredContent":1}}}}"#));
    stage.world.reply(&again, r#"{"resultType":"complete","structuredContent":2}"#);
    let told = stage.told(exchange);
    assert!(told.contains(r#""output":{"x":1,"y":2},"status":"done""#), "{told}");
}

#[test]
fn a_run_goes_on_while_its_client_is_away_and_answers_whenever_it_comes_back() {
    let (mut stage, exchange) = Stage::new();
    let (one, two) = (stage.world.requested("a"), stage.world.requested("b"));
    stage.world.says(one.link, ASKS);
    stage.world.advance(Limits::default().gather);
    let asked = stage.asked(exchange);
    stage.world.reply(&two, r#"{"resultType":"complete","structuredContent":2}"#);
    stage.world.reply(&one, r#"{"structuredContent":1}"#);
    let exchange = stage.come_back(&asked.state, "{}");
    assert!(stage.told(exchange).contains(r#""output":{"x":1,"y":2},"status":"done""#));
}

#[test]
fn a_client_that_does_not_come_back_leaves_the_run_to_itself() {
    let limits = Limits::default();
    let (mut stage, exchange) = Stage::new();
    let (link, call, asked) = stage.both_ask(exchange);
    stage.world.advance(limits.parked);
    let frames = stage.world.frames("a");
    assert!(frames.iter().any(|(_, frame)| frame.contains(r#""id":"s","error""#)), "{frames:?}");
    stage.world.says(link, &format!(r#"{{"jsonrpc":"2.0","id":{call},"result":{{"structuredContent":1}}}}"#));
    // It is told what has become of the run, and begins no other.
    let exchange = stage.come_back(&asked.state, "{}");
    let told = stage.told(exchange);
    assert!(told.contains(r#""status":"failed""#), "nobody can answer the server of step y: {told}");
}

#[test]
fn a_state_is_of_one_request_and_one_that_means_nothing_begins_no_second_run() {
    let (mut stage, exchange) = Stage::new();
    let (_, _, asked) = stage.both_ask(exchange);
    let more = format!(r#","requestState":"{}","inputResponses":{{}}"#, asked.state);
    for (plan, more) in
        [(BOTH.replace("continue", "skip"), &*more), (BOTH.to_owned(), r#","requestState":"forged""#)]
    {
        let exchange = stage.plan("2", &plan, more);
        let answer = stage.world.answer(&stage.client.clone(), exchange);
        assert!(answer.has(Field::Error), "{answer:?}");
    }
    assert!(stage.world.requests("b").is_empty());
}

#[test]
fn a_client_that_comes_back_to_another_life_of_the_hub_waits_for_its_run_there() {
    let (mut stage, exchange) = Stage::new();
    let (_, _, asked) = stage.both_ask(exchange);
    stage.world = stage.world.restarted();
    stage.world.advance(Duration::from_millis(1));
    let exchange = stage.come_back(&asked.state, "{}");
    stage.world.advance(Duration::from_secs(1));
    // Its outcome is unknown: with the hub has gone who could have answered the servers.
    assert!(stage.told(exchange).contains(r#""status":"unknown""#));
}

#[test]
fn who_leaves_while_it_waits_again_gives_up_the_run() {
    let (mut stage, exchange) = Stage::new();
    let (_, call, asked) = stage.both_ask(exchange);
    let [(one, _), (two, _)] = asked.questions.as_slice() else { panic!("{asked:?}") };
    let answers = format!(r#"{{"{one}":{{"action":"accept"}},"{two}":{SAMPLED}}}"#);
    let exchange = stage.come_back(&asked.state, &answers);
    stage.world.feed(Input::ExchangeClosed(exchange));
    let frames = stage.world.frames("a");
    let cancelled = format!(r#""method":"notifications/cancelled","params":{{"requestId":{call}"#);
    assert!(frames.iter().any(|(_, frame)| frame.contains(&cancelled)), "{frames:?}");
}
