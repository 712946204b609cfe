//! The calls of a driver: what is recorded, written, found and removed, whatever its store does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use orch_core::Limits;
use orch_core::ports::gateway::Verb;
use orch_core::record::CallOutcome;
use orch_driver::{CallLine, CallQuery, Driver};

use crate::moody::Moody;
use crate::scripted::ScriptedUpstreams;
use crate::{Client, INITIALIZE};

/// A driver on a store, and a client that calls its tools.
struct Stage {
    driver: Driver,
    store: Arc<Moody>,
    key: String,
    key_id: String,
    session: Option<String>,
}

impl Stage {
    async fn on(store: Arc<Moody>, limits: Limits) -> Self {
        let upstreams = Arc::new(ScriptedUpstreams);
        let driver = crate::scripted::driver(Arc::<Moody>::clone(&store), upstreams, limits).await;
        let key = driver.create_key("default", "test", None).await.unwrap();
        let key_id = key.id.to_string();
        let key = key.token.reveal().to_owned();
        let mut client = Client { gateway: &driver, key: &key, session: None };
        client.exchange(Verb::Post, "echo", INITIALIZE).await;
        let session = client.session;
        Self { driver, store, key, key_id, session }
    }

    async fn calls(&self, tools: impl IntoIterator<Item = &str>) {
        let mut client = Client { gateway: &self.driver, key: &self.key, session: self.session.clone() };
        for tool in tools {
            let call = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","arguments":{{}}}}}}"#
            );
            client.exchange(Verb::Post, "echo", &call).await;
        }
    }

    async fn found(&self, query: CallQuery) -> Vec<CallLine> {
        self.driver.calls("default", &query).await.unwrap()
    }
}

fn all() -> CallQuery {
    CallQuery { limit: usize::MAX, ..CallQuery::default() }
}

#[tokio::test]
async fn calls_are_found_by_what_they_are_and_the_newest_come_last() {
    let stage = Stage::on(Arc::default(), Limits::default()).await;
    stage.calls(["echo", "quiet", "echo"]).await;
    let seen = stage.found(all()).await;
    let tools: Vec<&str> = seen.iter().map(|call| &*call.tool).collect();
    assert_eq!(tools, ["echo", "quiet", "echo"]);
    for call in &seen {
        assert_eq!((&*call.server, call.outcome, &*call.revision), ("echo", CallOutcome::Done, "2025-11-25"));
        assert_eq!(call.key.as_ref(), Some(&stage.key_id));
    }
    let count = async |query: CallQuery| stage.found(query).await.len();
    assert_eq!(count(CallQuery { tool: Some("quiet".into()), ..all() }).await, 1);
    assert_eq!(count(CallQuery { key: Some("nobody".into()), ..all() }).await, 0);
    assert_eq!(count(CallQuery { only_failed: true, ..all() }).await, 0);
    assert_eq!(count(CallQuery { within: Some(Duration::from_mins(1)), ..all() }).await, 3);
    assert_eq!(count(CallQuery { server: Some("echo".into()), limit: 2, ..all() }).await, 2);
    let nobody = CallQuery { server: Some("nobody".into()), ..all() };
    let refused = stage.driver.calls("default", &nobody).await.unwrap_err().to_string();
    assert_eq!(refused, "there is no server nobody; the servers are: echo, hub");

    let summary = stage.driver.call_summary("default", &all()).await.unwrap();
    let counts: Vec<_> = summary.iter().map(|it| (&*it.server, &*it.tool, it.calls, it.failed)).collect();
    assert_eq!(counts, [("echo", "echo", 2, 0), ("echo", "quiet", 1, 0)]);
    assert!(summary[0].asked > 0 && summary[0].answered > 0 && summary[0].max_ms >= summary[0].p50_ms);
    let [(server, meter)] = stage.driver.meters("default").unwrap().try_into().unwrap();
    assert_eq!((&*server, meter.done, meter.spans.iter().sum::<u64>()), ("echo", 3, 3));
}

#[tokio::test]
async fn many_calls_are_one_commit_and_are_there_after_a_restart() {
    let store = Arc::new(Moody::default());
    {
        let stage = Stage::on(Arc::clone(&store), Limits::default()).await;
        let before = stage.store.commits.load(Ordering::Relaxed);
        stage.calls(std::iter::repeat_n("quiet", 2_000)).await;
        assert_eq!(stage.found(all()).await.len(), 2_000);
        let commits = stage.store.commits.load(Ordering::Relaxed) - before;
        assert!(commits < 100, "{commits} commits");
    }
    let stage = Stage::on(store, Limits::default()).await;
    assert_eq!(stage.found(all()).await.len(), 2_000);
    assert_eq!(stage.driver.meters("default").unwrap(), [], "counts begin with the hub");
}

#[tokio::test]
async fn a_store_that_refuses_keeps_no_call_waiting_and_costs_no_more_than_the_bound() {
    let limits = Limits { call_buffer: 10, log_flush: Duration::from_hours(1), ..Limits::default() };
    let stage = Stage::on(Arc::default(), limits).await;
    stage.store.refuses.store(true, Ordering::Relaxed);
    stage.calls(std::iter::repeat_n("echo", 50)).await;
    assert_eq!(stage.found(all()).await, []);
    stage.store.refuses.store(false, Ordering::Relaxed);
    stage.calls(["quiet"]).await;
    let seen = stage.found(all()).await;
    assert!(seen.last().is_some_and(|call| call.tool == "quiet") && seen.len() <= 11, "{seen:?}");
    assert_eq!(stage.driver.meters("default").unwrap()[0].1.done, 51, "all are counted");
}

#[tokio::test]
async fn the_oldest_calls_make_room_and_what_is_too_old_goes() {
    let store = Arc::new(Moody::default());
    let limits = Limits { call_bytes: 600, ..Limits::default() };
    let stage = Stage::on(Arc::clone(&store), limits.clone()).await;
    for tool in ["first", "second", "third"] {
        stage.calls(std::iter::repeat_n(tool, 6)).await;
        assert_eq!(stage.found(all()).await.last().map(|call| &*call.tool), Some(tool));
    }
    let seen = stage.found(all()).await;
    assert!(seen.len() < 18 && !seen.iter().any(|call| call.tool == "first"), "{seen:?}");
    drop(stage);
    let age = Duration::from_millis(30);
    let limits = Limits { call_age: age, log_flush: Duration::from_millis(1), ..limits };
    let stage = Stage::on(store, limits).await;
    let gone = async {
        while !stage.found(all()).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("they are removed");
}

#[tokio::test]
async fn calls_that_wait_when_old_ones_are_looked_for_are_written() {
    let (age, flush) = (Duration::from_millis(300), Duration::from_hours(1));
    let limits = Limits { call_age: age, log_flush: flush, ..Limits::default() };
    let stage = Stage::on(Arc::default(), limits).await;
    let before = stage.store.commits.load(Ordering::Relaxed);
    stage.calls(["echo"]).await;
    let written = async {
        while stage.store.commits.load(Ordering::Relaxed) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), written).await.expect("it is written");
}
