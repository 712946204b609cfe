//! Runs of plans as tasks at the unified endpoint, in the core of 2025-11-25 and in the extension of 2026-07-28.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::clients::{Client, Era, HTTP};
use super::script::Script;
use super::world::{Store, World};
use crate::mcp::Revision;
use crate::ports::gateway::Target;
use crate::rpc::Field;
use crate::shard::Input;
use crate::{ExchangeId, Limits};

const TASKS: &str = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
const ONE: &str = r#"{"steps":[{"id":"x","tool":"a.echo"}]}"#;
const BACKGROUND: &str = r#"{"steps":[{"id":"x","tool":"a.echo"}],"background":true}"#;

struct Stage {
    world: World,
    client: Client,
}

impl Stage {
    fn new(era: Era) -> Self {
        let mut world = World::running(&["a"]);
        world.switch_to_batch_mode();
        let client = world.able_client(era, Target::Unified, if era == Era::Modern { TASKS } else { "{}" });
        Self { world, client }
    }

    fn ask(&mut self, method: &str, members: &str) -> ExchangeId {
        self.world.post(&self.client, &self.client.write("5", method, members, ""))
    }

    fn answer(&mut self, exchange: ExchangeId) -> String {
        let answer = self.world.answer(&self.client.clone(), exchange);
        answer.raw_str(Field::Result).or_else(|| answer.raw_str(Field::Error)).unwrap().to_owned()
    }

    fn told(&mut self, method: &str, members: &str) -> String {
        let exchange = self.ask(method, members);
        self.answer(exchange)
    }

    fn about(&mut self, method: &str, task: &str) -> String {
        self.told(method, &format!(r#""taskId":"{task}""#))
    }

    /// Begins a run that is a task. Returns what was said, and its id.
    fn begin(&mut self) -> (String, String) {
        let members = match self.client.era {
            Era::Modern => format!(r#""name":"batch_execute","arguments":{BACKGROUND}"#),
            Era::Http(_) | Era::Sse => {
                format!(r#""name":"batch_execute","arguments":{ONE},"task":{{"ttl":5}}"#)
            }
        };
        let told = self.told("tools/call", &members);
        let (_, rest) = told.split_once(r#""taskId":""#).unwrap_or_else(|| panic!("{told}"));
        let id = rest.get(..12).unwrap().to_owned();
        (told, id)
    }

    fn says(&mut self, result: &str) {
        let sent = self.world.requested("a");
        self.world.reply(&sent, result);
    }
}

const SEVEN: &str = r#"{"content":[],"structuredContent":7}"#;
const WRONG: &str = r#"{"content":[],"isError":true}"#;

#[test]
fn a_run_in_the_background_is_a_task_to_a_client_that_knows_the_extension() {
    let mut stage = Stage::new(Era::Modern);
    let (told, task) = stage.begin();
    assert!(told.contains(r#""resultType":"task""#) && told.contains(r#""status":"working""#), "{told}");
    assert!(told.contains(r#""ttlMs":3600000,"pollIntervalMs":"#), "{told}");
    assert!(told.contains(r#""createdAt":"2023-11-14T22:13:2"#), "{told}");
    let working = stage.about("tasks/get", &task);
    assert!(working.contains(r#""resultType":"complete""#) && working.contains(r#""status":"working""#));
    assert!(!working.contains(r#""result":"#), "{working}");
    stage.world.advance(Duration::from_secs(2));
    stage.says(SEVEN);
    let done = stage.about("tasks/get", &task);
    assert!(done.contains(r#""status":"completed""#) && done.contains(r#""ttlMs":3602000"#), "{done}");
    assert!(done.contains(r#""result":{"content":["#) && done.contains(r#""output":{"x":7}"#), "{done}");
}

#[test]
fn a_call_of_2025_11_25_as_a_task_is_one_and_its_result_is_waited_for() {
    let mut stage = Stage::new(HTTP);
    let (told, task) = stage.begin();
    assert!(told.starts_with(r#"{"task":{"taskId":""#) && told.contains(r#""status":"working""#), "{told}");
    assert!(told.contains(r#""ttl":3600000,"pollInterval":"#), "{told}");
    let waits = stage.ask("tasks/result", &format!(r#""taskId":"{task}""#));
    assert!(!stage.world.seen(waits).ended);
    stage.says(SEVEN);
    let related = format!(r#""_meta":{{"io.modelcontextprotocol/related-task":{{"taskId":"{task}"}}}}}}"#);
    let result = stage.answer(waits);
    assert!(result.contains(r#""output":{"x":7}"#) && result.ends_with(&related), "{result}");
    assert_eq!(stage.about("tasks/result", &task), result);
    let done = stage.about("tasks/get", &task);
    assert!(done.contains(r#""status":"completed""#) && !done.contains("related-task"), "{done}");
}

#[test]
fn a_run_that_has_failed_is_a_failed_task_of_the_core_and_a_completed_one_of_the_extension() {
    for (era, status) in [(HTTP, "failed"), (Era::Modern, "completed")] {
        let mut stage = Stage::new(era);
        let (_, task) = stage.begin();
        stage.says(WRONG);
        let told = stage.about("tasks/get", &task);
        assert!(told.contains(&format!(r#""status":"{status}""#)), "{told}");
        let result = if era == HTTP { stage.about("tasks/result", &task) } else { told };
        assert!(result.contains(r#""isError":true"#), "{result}");
    }
}

#[test]
fn a_task_that_is_cancelled_is_so_at_once_and_its_call_is_given_up() {
    for era in [HTTP, Era::Modern] {
        let mut stage = Stage::new(era);
        let (_, task) = stage.begin();
        stage.world.requested("a");
        let cancelled = stage.about("tasks/cancel", &task);
        assert_eq!(cancelled.contains(r#""status":"cancelled""#), era == HTTP, "{cancelled}");
        let given_up = stage.world.frames("a");
        assert!(given_up.iter().any(|(_, frame)| frame.contains("notifications/cancelled")), "{given_up:?}");
        let told = stage.about("tasks/get", &task);
        assert!(told.contains(r#""status":"cancelled""#) && !told.contains(r#""result":"#), "{told}");
        // What has ended cannot be cancelled in the core; the extension acknowledges.
        let again = stage.about("tasks/cancel", &task);
        assert_eq!(again.contains("-32602"), era == HTTP, "{again}");
    }
}

#[test]
fn tasks_of_a_key_are_nobody_else_s() {
    for era in [HTTP, Era::Modern] {
        let mut stage = Stage::new(era);
        let (_, task) = stage.begin();
        let mut stranger = Client { key: "other", session: None, ..stage.client.clone() };
        if era == HTTP {
            let exchange = stage.world.initialize(&stranger, "2025-11-25");
            stranger.session.clone_from(&stage.world.seen(exchange).session);
        }
        stage.client = stranger;
        let own = if era == HTTP { "tasks/result" } else { "tasks/update" };
        for method in ["tasks/get", "tasks/cancel", own] {
            for name in [&*task, "000000000000", "nothing"] {
                let refused = stage.about(method, name);
                assert!(refused.contains("-32602") && refused.contains("run_kept"), "{method}: {refused}");
            }
            assert!(stage.told(method, r#""taskId":7"#).contains("-32602"), "{method}");
        }
        if era == HTTP {
            assert_eq!(stage.told("tasks/list", ""), r#"{"tasks":[]}"#);
        }
    }
}

#[test]
fn tasks_are_listed_page_by_page() {
    let mut world =
        World::scripted(Limits { page_entries: 1, ..Limits::default() }, [("a", Script::default())])
            .surveyed();
    world.switch_to_batch_mode();
    let client = world.client(HTTP, Target::Unified);
    let mut stage = Stage { world, client };
    let (_, first) = stage.begin();
    stage.world.advance(Duration::from_secs(1));
    let (_, second) = stage.begin();
    let page = stage.told("tasks/list", "");
    assert!(page.contains(&second) && !page.contains(&first), "{page}");
    let (_, rest) = page.split_once(r#""nextCursor":""#).unwrap();
    let cursor = rest.split('"').next().unwrap();
    let page = stage.told("tasks/list", &format!(r#""cursor":"{cursor}""#));
    assert!(page.contains(&first) && !page.contains("nextCursor"), "{page}");
    for cursor in [r#""x""#, "7"] {
        assert!(stage.told("tasks/list", &format!(r#""cursor":{cursor}"#)).contains("-32602"));
    }
}

#[test]
fn tasks_are_shown_where_the_tools_for_plans_are_listed_in_the_way_of_the_client_s_revision() {
    let core = r#""tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}"#;
    let extension = r#""extensions":{"io.modelcontextprotocol/tasks":{}}"#;
    for era in [HTTP, Era::Http(Revision::V2025_06_18), Era::Modern] {
        for batch in [false, true] {
            let mut world = World::running(&["a"]);
            if batch {
                world.switch_to_batch_mode();
            }
            let client = Client::new(era, Target::Unified);
            let exchange = match era {
                Era::Modern => world.request(&client, "1", "server/discover", ""),
                Era::Http(revision) => world.initialize(&client, revision.date()),
                Era::Sse => continue,
            };
            let shown = world.answer(&client, exchange).raw_str(Field::Capabilities).unwrap().to_owned();
            assert_eq!(shown.contains(core), batch && era == HTTP, "{shown}");
            assert_eq!(shown.contains(extension), batch && era == Era::Modern, "{shown}");
        }
    }
}

#[test]
fn where_the_tools_for_plans_are_not_listed_there_are_no_tasks() {
    let mut world = World::running(&["a"]);
    let client = world.able_client(Era::Modern, Target::Unified, TASKS);
    let mut stage = Stage { world, client };
    let told = stage.told("tools/call", &format!(r#""name":"batch_execute","arguments":{BACKGROUND}"#));
    assert!(told.contains(r#""structuredContent":{"run":"#), "{told}");
    assert!(stage.about("tasks/get", "000000000000").contains("-32601"));
}

#[test]
fn where_there_are_no_tasks_a_run_that_is_wanted_as_one_is_waited_for_like_any_other() {
    let mut world = World::running(&["a"]);
    let client = world.client(HTTP, Target::Unified);
    let mut stage = Stage { world, client };
    let waits = stage.ask("tools/call", &format!(r#""name":"batch_execute","arguments":{ONE},"task":{{}}"#));
    stage.says(SEVEN);
    let told = stage.answer(waits);
    assert!(told.contains(r#""output":{"x":7}"#) && !told.contains("taskId"), "{told}");
}

#[test]
fn a_client_of_2026_07_28_that_does_not_know_tasks_gets_a_plain_answer_and_none_of_their_methods() {
    let mut stage = Stage::new(Era::Modern);
    stage.client = stage.world.client(Era::Modern, Target::Unified);
    let told = stage.told("tools/call", &format!(r#""name":"batch_execute","arguments":{BACKGROUND}"#));
    assert!(
        told.contains(r#""resultType":"complete""#) && told.contains(r#""structuredContent":{"run":"#),
        "{told}"
    );
    for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
        assert!(stage.about(method, "000000000000").contains("-32021"), "{method}");
    }
    let filter = r#""notifications":{"taskIds":["000000000000"]}"#;
    assert!(stage.told("subscriptions/listen", filter).contains("-32021"));
}

#[test]
fn a_client_of_the_extension_that_waits_for_a_run_gets_its_result() {
    let mut stage = Stage::new(Era::Modern);
    let waits = stage.ask("tools/call", &format!(r#""name":"batch_execute","arguments":{ONE}"#));
    stage.says(SEVEN);
    assert!(stage.answer(waits).contains(r#""output":{"x":7}"#));
}

#[test]
fn no_other_tool_is_called_as_a_task_and_none_is_said_to_be() {
    let script =
        Script { tool_members: r#","execution":{"taskSupport":"required"},"x":1"#, ..Script::default() };
    let mut world = World::scripted(Limits::default(), [("a", script)]).surveyed();
    world.switch_to_batch_mode();
    let client = world.client(HTTP, Target::Unified);
    let mut stage = Stage { world, client };
    let listed = stage.told("tools/list", "");
    assert_eq!(listed.matches(r#""execution":{"taskSupport":"optional"}"#).count(), 1, "{listed}");
    assert!(!listed.contains("required\"}") && listed.contains(r#""x":1"#), "{listed}");
    for tool in ["a__echo", "batch_status", "hub__batch_status"] {
        let refused = stage.told("tools/call", &format!(r#""name":"{tool}","arguments":{{}},"task":{{}}"#));
        assert!(refused.contains("-32601") && refused.contains(tool), "{refused}");
    }
    assert!(stage.world.requests("a").is_empty());
}

#[test]
fn what_comes_to_no_run_is_an_error_to_whoever_asked_for_a_task() {
    let mut stage = Stage::new(HTTP);
    for (arguments, why) in [
        (r#"{"steps":[{"id":"x","tool":"a.ecko"}]}"#, "did you mean a.echo?"),
        (r#"{"steps":[{"id":"x","tool":"a.echo"}],"dry_run":true}"#, "phases"),
        (r#"{"goal":"do it"}"#, "no planner is configured"),
    ] {
        let members = format!(r#""name":"batch_execute","arguments":{arguments},"task":{{}}"#);
        let refused = stage.told("tools/call", &members);
        assert!(refused.contains("-32602") && refused.contains(why), "{refused}");
    }
}

#[test]
fn a_task_is_durable_before_it_is_told_and_goes_on_in_the_next_life() {
    for era in [HTTP, Era::Modern] {
        let mut stage = Stage::new(era);
        let (_, task) = stage.begin();
        stage.world = stage.world.restarted();
        stage.client =
            stage.world.able_client(era, Target::Unified, if era == Era::Modern { TASKS } else { "{}" });
        stage.world.advance(Duration::from_millis(1));
        let told = stage.about("tasks/get", &task);
        assert!(told.contains(&format!(r#""taskId":"{task}""#)), "{told}");
    }
}

#[test]
fn the_end_of_a_task_is_told_when_the_store_has_it() {
    for era in [HTTP, Era::Modern] {
        let mut stage = Stage::new(era);
        let (_, task) = stage.begin();
        stage.world.store = Store::Holds;
        stage.says(SEVEN);
        let asked = stage.ask("tasks/get", &format!(r#""taskId":"{task}""#));
        assert!(!stage.world.seen(asked).ended, "{era:?}");
        for token in core::mem::take(&mut stage.world.held) {
            stage.world.feed(Input::Stored { token, outcome: Ok(()) });
        }
        assert!(stage.answer(asked).contains(r#""status":"completed""#), "{era:?}");
    }
}

#[test]
fn a_task_under_an_idempotency_key_is_one() {
    let mut stage = Stage::new(HTTP);
    let members = format!(r#""name":"batch_execute","arguments":{ONE},"task":{{}}"#);
    let key = r#""mcp-orch/idempotency-key":"k""#;
    let mut begin = || {
        let exchange = stage.world.post(&stage.client, &stage.client.write("5", "tools/call", &members, key));
        stage.answer(exchange)
    };
    let first = begin();
    assert!(first.starts_with(r#"{"task":{"#), "{first}");
    assert_eq!(begin(), first);
}

#[test]
fn who_waits_for_the_result_of_a_task_cancels_nothing_by_leaving_and_is_refused_when_the_hub_stops() {
    let mut stage = Stage::new(HTTP);
    let (_, task) = stage.begin();
    let waits = stage.ask("tasks/result", &format!(r#""taskId":"{task}""#));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}"#;
    stage.world.post(&stage.client, cancel);
    assert!(stage.world.seen(waits).ended);
    assert!(stage.about("tasks/get", &task).contains(r#""status":"working""#));
    let waits = stage.ask("tasks/result", &format!(r#""taskId":"{task}""#));
    stage.world.feed(Input::Stopping);
    assert!(stage.answer(waits).contains("it stops"));
}
