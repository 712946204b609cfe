//! Runs that others than their owners wait for, that come again, and that are begun once more.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::clients::{Client, Era, HTTP};
use super::script::Script;
use super::world::World;
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, Limits};

pub(super) const ONE: &str = r#""steps":[{"id":"x","tool":"a.echo"}]"#;
pub(super) const TWO: &str =
    r#""steps":[{"id":"x","tool":"a.echo"},{"id":"y","tool":"b.echo","depends_on":["x"]}]"#;

pub(super) struct Stage {
    pub world: World,
    pub client: Client,
}

impl Stage {
    fn new(era: Era) -> Self {
        Self::within(era, Limits::default())
    }

    pub(super) fn within(era: Era, limits: Limits) -> Self {
        let mut world = World::scripted(limits, ["a", "b"].map(|name| (name, Script::default()))).surveyed();
        let client = world.client(era, Target::Unified);
        Self { world, client }
    }

    pub(super) fn ask(&mut self, tool: &str, arguments: &str, meta: &str) -> ExchangeId {
        let members = format!(r#""name":"{tool}","arguments":{{{arguments}}}"#);
        self.world.post(&self.client, &self.client.write("5", "tools/call", &members, meta))
    }

    pub(super) fn answer(&mut self, exchange: ExchangeId) -> String {
        let answer = self.world.answer(&self.client.clone(), exchange);
        answer.raw_str(Field::Result).or_else(|| answer.raw_str(Field::Error)).unwrap().to_owned()
    }

    pub(super) fn says(&mut self, server: &str, value: &str) {
        let sent = self.world.requested(server);
        self.world.reply(&sent, &format!(r#"{{"content":[],"structuredContent":{value}}}"#));
    }

    /// A run of another key that has ended, and one that goes on, keep this value each: of 1,000 bytes that leaves no room for a
    /// third one of 300 when it has ended.
    pub(super) fn fill(&mut self, value: &str) {
        let own = core::mem::replace(&mut self.client.key, "other");
        self.begin(ONE);
        self.says("a", value);
        self.client.key = own;
        self.begin(TWO);
        self.says("a", value);
    }

    /// Begins a run in the background. Returns its name.
    pub(super) fn begin(&mut self, plan: &str) -> String {
        let exchange = self.ask("batch_execute", &format!(r#"{plan},"background":true"#), "");
        name(&self.answer(exchange))
    }
}

fn name(told: &str) -> String {
    let (_, rest) = told.split_once(r#""run":""#).unwrap();
    rest.get(..12).unwrap().to_owned()
}

#[test]
fn whoever_waits_for_a_run_hears_of_each_step_and_of_its_end() {
    for era in [HTTP, Era::Modern] {
        let mut stage = Stage::new(era);
        let run = stage.begin(TWO);
        let waits =
            stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), r#""progressToken":1"#);
        let client = stage.client.clone();
        let all = stage.world.take(&client, waits);
        assert!(
            all[0].contains(r#""id":"x","status":"running""#) && all[0].contains(r#""id":"y""#),
            "{all:?}"
        );
        stage.says("a", "1");
        let changed = stage.world.take(&client, waits);
        assert!(changed.iter().any(|news| news.contains(r#""id":"x","status":"done""#)), "{changed:?}");
        let silent = stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), "");
        stage.says("b", "2");
        assert!(stage.answer(silent).contains(r#""output":{"y":2}"#));
        let last = stage.world.take(&client, waits).pop().unwrap();
        assert!(last.contains(r#""output":{"y":2}"#), "{last}");
        assert!(stage.world.seen(waits).ended);
    }
}

#[test]
fn whoever_has_begun_a_run_hears_of_a_step_that_takes_too_long() {
    let mut stage = Stage::new(HTTP);
    let plan = r#""steps":[{"id":"x","tool":"a.echo","timeout_ms":50,"on_error":"skip"},{"id":"y","tool":"b.echo"}]"#;
    let begun = stage.ask("batch_execute", plan, r#""progressToken":"p""#);
    stage.world.advance(Duration::from_millis(50));
    let client = stage.client.clone();
    let told = stage.world.take(&client, begun);
    assert!(
        told.iter().any(|news| news.contains(r#""progress":1,"total":2,"message":"x: unknown""#)),
        "{told:?}"
    );
    stage.says("b", "2");
    let last = stage.world.take(&client, begun).pop().unwrap();
    assert!(last.contains(r#""output":"#), "{last}");
}

#[test]
fn whoever_waits_for_a_run_hears_of_its_end_though_there_is_no_room_to_keep_it() {
    let limits = Limits { project_run_bytes: 1_000, ..Limits::default() };
    let mut stage = Stage::within(Era::Modern, limits);
    let long = format!("\"{}\"", "x".repeat(300));
    stage.fill(&long);
    let run = stage.begin(ONE);
    let waits = stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), "");
    stage.says("a", &long);
    let told = stage.answer(waits);
    assert!(told.contains(r#""output":{"x":"xxx"#), "{told}");
    let late = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    assert!(stage.answer(late).contains(r#""problem":"unknown""#));
}

#[test]
fn while_open_runs_keep_as_much_as_there_may_be_no_other_begins() {
    let limits = Limits { project_run_bytes: 400, ..Limits::default() };
    let mut stage = Stage::within(Era::Modern, limits);
    let run = stage.begin(TWO);
    stage.says("a", &format!("\"{}\"", "x".repeat(100)));
    let other = stage.ask("batch_execute", TWO, "");
    let told = stage.answer(other);
    assert!(told.contains("limit project_run_bytes reached (400)"), "{told}");
    stage.ask("batch_cancel", &format!(r#""run":"{run}""#), "");
    stage.world.requests("b");
    stage.begin(TWO);
}

#[test]
fn a_result_for_which_open_runs_have_no_room_is_not_kept_and_its_step_says_so() {
    let mut stage = Stage::within(Era::Modern, Limits { project_run_bytes: 1_000, ..Limits::default() });
    let run = stage.begin(TWO);
    stage.says("a", &format!("\"{}\"", "x".repeat(600)));
    stage.says("b", "2");
    let status = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    let told = stage.answer(status);
    assert!(told.contains("its result is not kept: limit project_run_bytes reached (1000)"), "{told}");
}

#[test]
fn whoever_only_waits_for_a_run_does_not_cancel_it() {
    let mut stage = Stage::new(Era::Modern);
    let run = stage.begin(TWO);
    let waits = stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), "");
    stage.world.leave(waits);
    stage.says("a", "1");
    stage.says("b", "2");
    let mut stage = Stage::new(HTTP);
    let run = stage.begin(TWO);
    let waits = stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), "");
    let client = stage.client.clone();
    stage
        .world
        .post(&client, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#);
    assert!(stage.world.seen(waits).ended);
    stage.says("a", "1");
    stage.says("b", "2");
}

#[test]
fn who_waits_for_a_run_is_answered_when_the_hub_stops() {
    let mut stage = Stage::new(Era::Modern);
    let run = stage.begin(TWO);
    let waits = stage.ask("batch_status", &format!(r#""run":"{run}","wait":true"#), "");
    stage.world.feed(Input::Stopping);
    assert!(stage.answer(waits).contains(r#""status":"running""#));
}

#[test]
fn what_has_failed_of_a_run_is_begun_once_more_and_what_was_done_is_not() {
    let mut stage = Stage::new(HTTP);
    let run = stage.begin(TWO);
    let refused = stage.ask("batch_retry", &format!(r#""run":"{run}""#), "");
    assert!(stage.answer(refused).contains("the run goes on"));
    stage.says("a", "1");
    stage.world.requested("b");
    stage.world.crash("b");
    let exchange = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    assert!(stage.answer(exchange).contains(r#""id":"y","status":"unknown""#));
    stage.world.advance(Duration::from_secs(5));
    let again = stage.ask("batch_retry", &format!(r#""run":"{run}""#), "");
    assert!(stage.world.requests("a").is_empty(), "that was done");
    stage.says("b", "2");
    let told = stage.answer(again);
    assert!(told.contains(r#""output":{"y":2}"#) && told.contains(r#""status":"done""#), "{told}");
    // The next life of the hub knows that.
    stage.world = stage.world.restarted();
    stage.world.advance(Duration::from_millis(1));
    let client = stage.world.client(Era::Modern, Target::Unified);
    stage.client = client;
    let exchange = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    assert!(stage.answer(exchange).contains(r#""output":{"y":2}"#));
}

#[test]
fn a_plan_that_comes_again_under_its_key_is_one_run_in_every_life() {
    let key = r#""mcp-orch/idempotency-key":"k""#;
    let mut stage = Stage::new(Era::Modern);
    let first = stage.ask("batch_execute", TWO, key);
    let second = stage.ask(
        "batch_execute",
        &TWO.replace(r#"{"id":"x","tool":"a.echo"}"#, r#"{"tool":"a.echo","id":"x"}"#),
        key,
    );
    let other = stage.ask("batch_execute", &TWO.replace("b.echo", "a.echo"), key);
    assert!(stage.answer(other).contains("the plan"));
    stage.says("a", "1");
    stage.says("b", "2");
    let (first, second) = (stage.answer(first), stage.answer(second));
    assert_eq!(name(&first), name(&second));
    stage.world = stage.world.restarted();
    stage.world.advance(Duration::from_millis(1));
    let third = stage.ask("batch_execute", TWO, key);
    assert_eq!(name(&stage.answer(third)), name(&first));
    assert!(stage.world.requests("a").is_empty());
}

#[test]
fn a_plan_that_comes_again_under_its_key_when_its_run_is_over_is_another_run() {
    let key = r#""mcp-orch/idempotency-key":"k""#;
    let mut stage = Stage::new(Era::Modern);
    let plan = format!(r#"{TWO},"background":true"#);
    let ask = |stage: &mut Stage| {
        let exchange = stage.ask("batch_execute", &plan, key);
        name(&stage.answer(exchange))
    };
    let first = ask(&mut stage);
    stage.says("a", "1");
    stage.says("b", "2");
    // Nothing happens in the moment between.
    stage.world.now = stage.world.now.after(Limits::default().run_kept);
    assert_ne!(ask(&mut stage), first);
    assert_eq!(stage.world.requests("a").len(), 1);
}

#[test]
fn runs_are_listed_page_by_page_the_newest_first() {
    let mut stage = Stage::new(HTTP);
    let mut runs: Vec<String> = Vec::new();
    for _ in 0..3 {
        runs.push(stage.begin(TWO));
        stage.world.advance(Duration::from_secs(1));
    }
    let exchange = stage.ask("batch_status", r#""limit":2"#, "");
    let page = stage.answer(exchange);
    let structured = page.split_once(r#""structuredContent":"#).unwrap().1;
    assert!(
        structured.find(&*runs[2]) < structured.find(&*runs[1]) && !structured.contains(&runs[0]),
        "{page}"
    );
    let (_, cursor) = structured.split_once(r#""next_cursor":""#).unwrap();
    let cursor = cursor.split('"').next().unwrap();
    let exchange = stage.ask("batch_status", &format!(r#""limit":2,"cursor":"{cursor}""#), "");
    let page = stage.answer(exchange);
    assert!(page.contains(&*runs[0]) && !page.contains(&*runs[1]) && !page.contains("next_cursor"), "{page}");
    assert!(Limits::default().page_entries > 2);
}

#[test]
fn an_argument_that_is_null_is_left_out() {
    let mut stage = Stage::new(HTTP);
    let run = stage.begin(TWO);
    let exchange =
        stage.ask("batch_status", &format!(r#""run":"{run}","wait":null,"cursor":null,"limit":1.0"#), "");
    assert!(stage.answer(exchange).contains(r#""status":"running""#));
}

#[test]
fn arguments_that_make_no_sense_are_refused_and_named() {
    let mut stage = Stage::new(HTTP);
    let run = stage.begin(TWO);
    for (tool, arguments, words) in [
        ("batch_status", r#""cursor":"next""#, "invalid cursor: ask for the list again"),
        (
            "batch_status",
            r#""cursor":"0123456789ABCDEF0123456789ab""#,
            "invalid cursor: ask for the list again",
        ),
        ("batch_status", r#""cursor":7"#, "/cursor: string is expected, not number"),
        ("batch_status", r#""limit":0"#, "/limit: at least 1 is expected"),
        (
            "batch_status",
            r#""limits":1"#,
            r#"/limits: the tool has no argument \"limits\"; did you mean limit?"#,
        ),
        ("batch_cancel", r#""run":"RUN","step":"x""#, r#"/step: the tool has no argument \"step\""#),
        ("batch_cancel", "", r#"\"run\" is required"#),
        ("batch_retry", r#""run":"RUN","wait":true"#, r#"/wait: the tool has no argument \"wait\""#),
        ("read_result", r#""run":"RUN","length":0"#, "/length: at least 1 is expected"),
        ("read_result", r#""run":"RUN","offset":-1"#, "/offset: at least 0 is expected"),
        ("read_result", r#""run":"RUN","lenght":1"#, "did you mean length"),
        ("read_result", r#""run":{"$from":"x"}"#, "/run: string is expected, not object"),
        ("batch_cancel", r#""$literal":{}"#, r#"the tool has no argument \"$literal\""#),
        ("batch_status", r#""limit":100000000000000000000"#, "do not fit the input schema of batch_status: "),
    ] {
        let exchange = stage.ask(tool, &arguments.replace("RUN", &run), "");
        let told = stage.answer(exchange);
        let said = told.split_once(r#""structuredContent":"#).unwrap_or_else(|| panic!("{told}")).1;
        assert!(
            said.starts_with(r#"{"problem":"arguments","#) && said.contains(words),
            "{arguments}: {said}"
        );
        assert!(said.ends_with(r#""isError":true}"#), "{said}");
    }
    let exchange = stage.ask("batch_status", &format!(r#""run":"{run}""#), "");
    assert!(stage.answer(exchange).contains(r#""status":"running""#), "nothing of it was done");
}

#[test]
fn a_call_that_is_given_up_before_it_has_reached_its_server_has_done_nothing() {
    for (starts, status) in [(true, "unknown"), (false, "failed")] {
        for cancels in [false, true] {
            let mut stage = Stage::new(Era::Modern);
            stage.world.crash("a");
            stage.world.scripts.get_mut("a").unwrap().opens = starts;
            let plan = r#""steps":[{"id":"x","tool":"a.echo","timeout_ms":3000}]"#;
            let run = stage.begin(plan);
            stage.world.advance(Duration::from_secs(2));
            let named = format!(r#""run":"{run}""#);
            if cancels {
                stage.ask("batch_cancel", &named, "");
            } else {
                stage.world.advance(Duration::from_secs(1));
            }
            let asked = stage.ask("batch_status", &named, "");
            let told = stage.answer(asked);
            assert!(told.contains(&format!(r#""id":"x","status":"{status}""#)), "{starts} {cancels}: {told}");
            assert_eq!(told.contains("it had not reached its server"), !starts, "{told}");
            assert_eq!(stage.world.requests("a").iter().any(|sent| sent.method == "tools/call"), starts);
        }
    }
}
