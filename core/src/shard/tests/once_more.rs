//! Runs that are begun once more, and those that look after them: who is asked, whose request it is, what is told.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP, Sent};
use super::world::World;
use crate::ports::gateway::Target;
use crate::rpc::{Field, Members};
use crate::{ExchangeId, Limits};

const ABLE: &str = r#"{"elicitation":{}}"#;
const ONE: &str = r#""steps":[{"id":"x","tool":"a.echo"}]"#;
const ASKS: &str = r#"{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}"#;
const ACCEPTED: &str = r#"{"action":"accept"}"#;

struct Stage {
    world: World,
    client: Client,
}

impl Stage {
    fn new(era: Era) -> Self {
        Self::within(era, Limits::default())
    }

    fn within(era: Era, limits: Limits) -> Self {
        let mut world = World::scripted(limits, [("a", super::script::Script::default())]).surveyed();
        let client = world.able_client(era, Target::Unified, ABLE);
        Self { world, client }
    }

    fn ask(&mut self, tool: &str, arguments: &str, more: &str) -> ExchangeId {
        let members = format!(r#""name":"{tool}","arguments":{{{arguments}}}{more}"#);
        self.world.request(&self.client, "5", "tools/call", &members)
    }

    fn told(&mut self, exchange: ExchangeId) -> String {
        let answer = self.world.answer(&self.client.clone(), exchange);
        let told = answer.raw_str(Field::Result).unwrap_or_else(|| panic!("{answer:?}"));
        told.split_once(r#""structuredContent":"#).unwrap_or_else(|| panic!("{told}")).1.to_owned()
    }

    /// A run whose one call has failed.
    fn failed(&mut self) -> String {
        let exchange = self.ask("batch_execute", ONE, "");
        let sent = self.world.requested("a");
        self.world.reply(&sent, r#"{"content":[],"isError":true}"#);
        let told = self.told(exchange);
        let run = told.split_once(r#""run":""#).unwrap().1;
        run.get(..12).unwrap().to_owned()
    }

    /// Begins it once more. Its call, whose server asks for something.
    fn once_more(&mut self, run: &str) -> (ExchangeId, Sent) {
        let exchange = self.ask("batch_retry", &format!(r#""run":"{run}""#), "");
        let sent = self.world.requested("a");
        self.world.says(sent.link, ASKS);
        (exchange, sent)
    }

    /// What a client of 2026-07-28 is to come back with: the state, and the name of the one question.
    fn demanded(&mut self, exchange: ExchangeId) -> (String, String) {
        self.world.advance(Limits::default().gather);
        let answer = self.world.answer(&self.client.clone(), exchange);
        let members = Members::read(answer.raw(Field::Result).unwrap()).unwrap();
        let member = |name: &str| members.0.iter().find(|(key, _)| key == name).unwrap().1.get();
        let asked = Members::read(member("inputRequests").as_bytes()).unwrap();
        (member("requestState").trim_matches('"').to_owned(), asked.0[0].0.clone().into_owned())
    }
}

#[test]
fn what_a_step_asks_that_is_begun_once_more_reaches_whoever_waits_for_it() {
    for era in [HTTP, Era::Modern] {
        let mut stage = Stage::new(era);
        let run = stage.failed();
        let (mut exchange, sent) = stage.once_more(&run);
        if era == Era::Modern {
            let (sealed, name) = stage.demanded(exchange);
            let more = format!(r#","requestState":"{sealed}","inputResponses":{{"{name}":{ACCEPTED}}}"#);
            exchange = stage.ask("batch_retry", &format!(r#""run":"{run}""#), &more);
        } else {
            let asked = stage.world.answer(&stage.client.clone(), exchange);
            assert_eq!(asked.text(Field::Method).as_deref(), Some("elicitation/create"));
            let id = asked.raw_str(Field::Id).unwrap();
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{ACCEPTED}}}"#);
            stage.world.post(&stage.client, &answer);
        }
        let frames = stage.world.frames("a");
        let answered = format!(r#""id":"s","result":{ACCEPTED}"#);
        assert!(frames.iter().any(|(_, frame)| frame.contains(&answered)), "{era:?} {frames:?}");
        stage.world.reply(&sent, r#"{"structuredContent":1}"#);
        let told = stage.told(exchange);
        assert!(told.contains(r#""output":{"x":1},"status":"done""#), "{era:?} {told}");
    }
}

#[test]
fn a_state_that_is_not_understood_begins_nothing_once_more() {
    let mut stage = Stage::new(Era::Modern);
    let run = stage.failed();
    let exchange = stage.ask("batch_retry", &format!(r#""run":"{run}""#), r#","requestState":"forged""#);
    let answer = stage.world.answer(&stage.client.clone(), exchange);
    assert!(answer.has(Field::Error), "{answer:?}");
    assert!(stage.world.requests("a").is_empty());
}

#[test]
fn who_leaves_a_run_that_it_has_begun_once_more_gives_it_up_as_the_first_time() {
    let mut stage = Stage::new(Era::Modern);
    let run = stage.failed();
    let (exchange, _) = stage.once_more(&run);
    stage.world.leave(exchange);
    let exchange = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    assert!(stage.told(exchange).contains(r#""status":"cancelled""#));
}

#[test]
fn who_comes_back_too_late_finds_the_run_and_begins_no_other() {
    let mut stage = Stage::new(Era::Modern);
    let exchange = stage.ask("batch_execute", ONE, "");
    let sent = stage.world.requested("a");
    stage.world.says(sent.link, ASKS);
    let (sealed, question) = stage.demanded(exchange);
    stage.world.advance(Limits::default().parked);
    let back = format!(r#","requestState":"{sealed}","inputResponses":{{"{question}":{ACCEPTED}}}"#);
    let late = stage.ask("batch_execute", ONE, &back);
    assert!(stage.world.requests("a").is_empty());
    stage.world.reply(&sent, r#"{"content":[],"isError":true}"#);
    assert!(stage.told(late).contains(r#""status":"failed""#));
}

#[test]
fn a_hub_that_is_about_to_end_waits_for_nobody_who_has_to_come_back_and_lets_in_who_does() {
    let mut stage = Stage::new(Era::Modern);
    let exchange = stage.ask("batch_execute", ONE, "");
    let sent = stage.world.requested("a");
    stage.world.says(sent.link, ASKS);
    stage.world.feed(crate::shard::Input::Draining);
    assert!(!stage.world.shard.runs_rest(), "its client was not shown anything yet");
    let (sealed, question) = stage.demanded(exchange);
    assert!(stage.world.shard.runs_rest());
    let back = format!(r#","requestState":"{sealed}","inputResponses":{{"{question}":{ACCEPTED}}}"#);
    let waits = stage.ask("batch_execute", ONE, &back);
    assert!(!stage.world.shard.runs_rest());
    assert!(stage.world.frames("a").iter().any(|(_, frame)| frame.contains(ACCEPTED)));
    stage.world.reply(&sent, r#"{"content":[]}"#);
    assert!(stage.told(waits).contains(r#""status":"done""#));
    assert!(stage.world.shard.runs_rest());
}

#[test]
fn a_run_of_which_all_is_done_stays_as_it_is() {
    let mut stage = Stage::new(HTTP);
    let exchange = stage.ask("batch_execute", ONE, "");
    let sent = stage.world.requested("a");
    stage.world.reply(&sent, r#"{"structuredContent":1}"#);
    let first = stage.told(exchange);
    let run = first.split_once(r#""run":""#).unwrap().1.get(..12).unwrap().to_owned();
    stage.world.advance(Duration::from_mins(1));
    let exchange = stage.ask("batch_retry", &format!(r#""run":"{run}""#), "");
    assert_eq!(stage.told(exchange), first);
    assert!(stage.world.requests("a").is_empty());
}

#[test]
fn a_plan_is_the_same_under_its_key_whoever_waits_for_it() {
    let key = r#","_meta":{"mcp-orch/idempotency-key":"k"}"#;
    let mut stage = Stage::new(HTTP);
    let waits = stage.ask("batch_execute", ONE, key);
    let aside = stage.ask("batch_execute", &format!(r#""background":true,{ONE},"dry_run":false"#), key);
    let sent = stage.world.requested("a");
    assert!(stage.told(aside).contains(r#""status":"running""#));
    stage.world.reply(&sent, r#"{"structuredContent":1}"#);
    assert!(stage.told(waits).contains(r#""status":"done""#));
}

#[test]
fn whoever_looks_after_a_run_sees_how_its_results_begin_and_how_long_they_can_be_read() {
    let mut stage = Stage::within(HTTP, Limits { run_output_bytes: 10, ..Limits::default() });
    let exchange = stage.ask("batch_execute", ONE, "");
    let sent = stage.world.requested("a");
    stage.world.reply(&sent, r#"{"structuredContent":{"v":"0123456789"}}"#);
    let told = stage.told(exchange);
    assert!(!told.contains(r#""preview":"{\"v\""#), "the model has asked for its output: {told}");
    let run = told.split_once(r#""run":""#).unwrap().1.get(..12).unwrap().to_owned();
    stage.world.advance(Duration::from_mins(10));
    let exchange = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    let told = stage.told(exchange);
    assert!(told.contains(r#""preview":"{\"v\":\"0123456789\"}"}]"#), "{told}");
    assert_eq!(told.matches(r#""expires_in_s":3000"#).count(), 2, "of the run, and of its output: {told}");
}

#[test]
fn progress_names_the_step_that_has_ended() {
    let mut stage = Stage::new(HTTP);
    let exchange = stage.ask("batch_execute", ONE, r#","_meta":{"progressToken":7}"#);
    let sent = stage.world.requested("a");
    stage.world.reply(&sent, r#"{"structuredContent":1}"#);
    let news = stage.world.take(&stage.client.clone(), exchange);
    let expected = r#""params":{"progressToken":7,"progress":1,"total":1,"message":"x: done"}"#;
    assert!(news[0].contains(expected), "{news:?}");
}

#[test]
fn what_is_searched_for_is_shown_within_the_length_that_is_asked_for() {
    let mut stage = Stage::new(HTTP);
    let exchange = stage.ask("batch_execute", ONE, "");
    let sent = stage.world.requested("a");
    let text = "needle and thread ".repeat(500);
    stage.world.reply(&sent, &format!(r#"{{"structuredContent":{{"v":"{text}"}}}}"#));
    let run = stage.told(exchange).split_once(r#""run":""#).unwrap().1.get(..12).unwrap().to_owned();
    for (length, most) in [("20", 20), ("500", 500), ("50000", 50_000)] {
        let arguments =
            format!(r#""run":"{run}","step":"x","path":"/v","search":"needle","length":{length}"#);
        let exchange = stage.ask("read_result", &arguments, "");
        let told = stage.told(exchange);
        let shown: usize =
            told.split(r#""text":""#).skip(1).map(|it| it.split('"').next().unwrap().len()).sum();
        assert!(shown > 5 && shown <= most, "{length}: {shown} {told}");
    }
    for (arguments, words) in [
        (r#""search":"""#, "search is the text to look for, and it is empty"),
        (r#""path":"v""#, "path is a JSON Pointer"),
    ] {
        let exchange = stage.ask("read_result", &format!(r#""run":"{run}",{arguments}"#), "");
        let told = stage.told(exchange);
        assert!(told.contains(r#""problem":"arguments""#) && told.contains(words), "{told}");
    }
}

#[test]
fn a_run_that_two_wait_for_goes_on_when_the_first_has_gone() {
    let mut stage = Stage::new(Era::Modern);
    let client = stage.client.clone();
    let members = format!(r#""name":"batch_execute","arguments":{{{ONE}}}"#);
    let text = client.write("5", "tools/call", &members, r#""mcp-orch/idempotency-key":"k""#);
    let first = stage.world.post(&client, &text);
    let sent = stage.world.requested("a");
    let second = stage.world.post(&client, &text);
    stage.world.leave(first);
    assert!(stage.world.frames("a").is_empty(), "nothing is cancelled");
    stage.world.reply(&sent, r#"{"content":[],"structuredContent":{"v":7}}"#);
    let told = stage.told(second);
    assert!(told.contains(r#""status":"done""#), "{told}");
}

#[test]
fn who_waits_for_a_run_in_a_session_whose_key_is_revoked_is_told_so() {
    let mut stage = Stage::new(HTTP);
    let owner = stage.ask("batch_execute", ONE, "");
    stage.world.requested("a");
    let listed = stage.ask("batch_status", "", "");
    let run = stage.told(listed).split_once(r#""run":""#).unwrap().1.get(..12).unwrap().to_owned();
    let watcher = stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), "");
    let key = stage.client.admission(&stage.world).key;
    stage.world.feed(crate::shard::Input::KeyRevoked(key));
    for exchange in [owner, watcher] {
        assert_eq!(stage.world.code(&stage.client.clone(), exchange), "-31005");
    }
}
