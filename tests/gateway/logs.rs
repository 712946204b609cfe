//! The logs of a driver: what is gathered, written, found and removed, whatever its store does.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::ports::upstream::{
    CloseReason, Grace, LaunchSpec, LinkSink, QueueFull, UpstreamLink, Upstreams,
};
use orch_core::record::{LogCategory, LogEntry, LogLevel, LogSource};
use orch_driver::{Driver, LogQuery};

use crate::moody::Moody;

/// A server that says what the test wants.
#[derive(Default)]
struct Chatty(Mutex<Option<Arc<dyn LinkSink>>>);

impl Upstreams for Chatty {
    fn open(&self, _: LaunchSpec, sink: Arc<dyn LinkSink>) -> Box<dyn UpstreamLink> {
        *self.0.lock().unwrap() = Some(sink);
        Box::new(Deaf)
    }
}

struct Deaf;

impl UpstreamLink for Deaf {
    fn send(&self, _: Bytes) -> Result<(), QueueFull> {
        Ok(())
    }

    fn close(&self, _: Grace) {}
}

/// A driver on a store, and the voice of its server.
struct Stage {
    driver: Driver,
    store: Arc<Moody>,
    server: Arc<dyn LinkSink>,
}

impl Stage {
    async fn new(limits: Limits) -> Self {
        Self::on(Arc::default(), limits).await
    }

    async fn on(store: Arc<Moody>, limits: Limits) -> Self {
        let upstreams = Arc::new(Chatty::default());
        let limits = Limits { log_rate_bytes: usize::MAX, ..limits };
        let driver =
            crate::scripted::driver(Arc::<Moody>::clone(&store), Arc::<Chatty>::clone(&upstreams), limits)
                .await;
        driver.survey();
        let server = upstreams.0.lock().unwrap().take().expect("it was started");
        Self { driver, store, server }
    }

    fn says(&self, line: &str) {
        self.server.logged(line.to_owned());
    }

    /// Until the store is asked to keep it.
    async fn says_and_waits(&self, line: &str) {
        let before = self.store.commits.load(Ordering::Relaxed);
        self.says(line);
        let asked = async {
            while self.store.commits.load(Ordering::Relaxed) == before {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), asked).await.expect("it is written");
    }

    async fn logs(&self, query: LogQuery) -> Vec<LogEntry> {
        self.driver.logs("default", &LogQuery { limit: LogQuery::MOST, ..query }).await.unwrap()
    }

    async fn messages(&self) -> Vec<String> {
        self.logs(LogQuery::default()).await.into_iter().map(|entry| entry.message).collect()
    }
}

#[tokio::test]
async fn entries_are_found_by_what_they_are_and_the_newest_come_last() {
    let stage = Stage::new(Limits::default()).await;
    stage.says("one");
    stage.says("ERROR two");
    stage.server.closed(CloseReason::Exited(3));
    stage.says("too late");
    let all = stage.logs(LogQuery::default()).await;
    let seen: Vec<_> = all.iter().map(|it| (it.source, it.level, it.category, it.message.as_str())).collect();
    let expected = [
        (LogSource::Stderr, LogLevel::Info, LogCategory::StatusCheck, "one"),
        (LogSource::Stderr, LogLevel::Error, LogCategory::Error, "ERROR two"),
        (
            LogSource::Hub,
            LogLevel::Error,
            LogCategory::Connection,
            "did not start: its process ended with exit code 3; its last output: one | ERROR two",
        ),
    ];
    assert_eq!(seen, expected);
    assert!(all.is_sorted_by(|a, b| a.id < b.id));
    assert!(all.iter().all(|it| it.server == "echo" && it.server_id.is_some()));

    let count = async |query: LogQuery| stage.logs(query).await.len();
    assert_eq!(count(LogQuery { level: Some(LogLevel::Error), ..LogQuery::default() }).await, 2);
    assert_eq!(count(LogQuery { category: Some(LogCategory::Connection), ..LogQuery::default() }).await, 1);
    assert_eq!(count(LogQuery { within: Some(Duration::from_mins(1)), ..LogQuery::default() }).await, 3);
    assert_eq!(count(LogQuery { after: Some(all[0].id), ..LogQuery::default() }).await, 2);
    assert_eq!(count(LogQuery { before: Some(all[1].id), ..LogQuery::default() }).await, 1);
    let query = |server: &str| LogQuery { server: Some(server.to_owned()), limit: 1, ..LogQuery::default() };
    let newest = stage.driver.logs("default", &query("echo")).await.unwrap();
    assert_eq!(newest, all[2..]);
    let next = LogQuery { after: Some(all[0].id), ..query("echo") };
    assert_eq!(stage.driver.logs("default", &next).await.unwrap(), all[1..2]);
    assert_eq!(stage.driver.logs("default", &query("hub")).await.unwrap(), []);
    let refused = stage.driver.logs("default", &query("nobody")).await.unwrap_err().to_string();
    assert_eq!(refused, "there is no server nobody; the servers are: echo, hub");

    let summary = stage.driver.log_summary("default", Some("echo")).await.unwrap();
    assert_eq!((summary.entries, summary.levels[&LogLevel::Error]), (3, 2));
    assert_eq!(summary.categories[&LogCategory::StatusCheck], 1);
    assert_eq!((summary.first, summary.last), (Some(all[0].timestamp), Some(all[2].timestamp)));
    assert_eq!(summary.last_error.as_ref(), all.last());
}

#[tokio::test]
async fn what_is_said_at_once_is_one_commit() {
    let stage = Stage::new(Limits::default()).await;
    let before = stage.store.commits.load(Ordering::Relaxed);
    (0..500).for_each(|number| stage.says(&format!("line {number}")));
    assert_eq!(stage.messages().await.len(), 500);
    assert_eq!(stage.store.commits.load(Ordering::Relaxed), before + 1);
}

#[tokio::test]
async fn what_nobody_asks_for_is_written_all_the_same() {
    let stage = Stage::new(Limits { log_flush: Duration::from_millis(1), ..Limits::default() }).await;
    stage.says_and_waits("one").await;
}

#[tokio::test]
async fn entries_that_cannot_be_written_are_counted_when_the_store_is_well_again() {
    let stage = Stage::new(Limits::default()).await;
    stage.says("before");
    assert_eq!(stage.messages().await, ["before"]);
    stage.store.refuses.store(true, Ordering::Relaxed);
    for line in ["lost", "lost too"] {
        stage.says(line);
        assert_eq!(stage.messages().await, ["before"]);
    }
    stage.store.refuses.store(false, Ordering::Relaxed);
    stage.says("after");
    let seen = stage.messages().await;
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen[2].starts_with("dropped 2 entries: "), "{seen:?}");
}

#[tokio::test]
async fn a_store_that_hangs_keeps_no_server_waiting_and_costs_no_more_than_the_bound() {
    let limits =
        Limits { log_buffer_bytes: 64 * 1024, log_flush: Duration::from_millis(1), ..Limits::default() };
    let stage = Stage::new(limits.clone()).await;
    stage.store.hangs.store(true, Ordering::Relaxed);
    stage.says_and_waits("the first").await;
    let line = "x".repeat(1_000);
    (0..10_000).for_each(|_| stage.says(&line));
    let later = stage.driver.log_summary("default", None);
    assert!(tokio::time::timeout(Duration::from_millis(20), later).await.is_err(), "it hangs");
    stage.store.hangs.store(false, Ordering::Relaxed);
    stage.store.goes_on.notify_one();
    let seen = stage.messages().await;
    let (last, lines) = seen.split_last().unwrap();
    assert!(lines.len() > 10 && lines.len() * 1_000 <= limits.log_buffer_bytes, "{}", lines.len());
    let expected = format!("dropped {} entries: ", 10_001 - lines.len());
    assert!(last.starts_with(&expected) && last.contains("log_buffer_bytes"), "{last}");
}

#[tokio::test]
async fn the_oldest_entries_make_room_also_for_a_hub_that_was_started_again() {
    let store = Arc::new(Moody::default());
    for round in 0..3 {
        let limits = Limits { log_entries: 10, ..Limits::default() };
        let stage = Stage::on(Arc::clone(&store), limits).await;
        for number in 0..7 {
            stage.says(&format!("{round} {number}"));
        }
        let seen = stage.messages().await;
        assert_eq!(seen.len(), if round == 0 { 7 } else { 10 });
        assert_eq!(seen.last().unwrap(), &format!("{round} 6"));
    }
    let stage = Stage::on(store, Limits { log_bytes: 1_000, ..Limits::default() }).await;
    stage.says("the last");
    let seen = stage.logs(LogQuery::default()).await;
    assert!(seen.iter().map(LogEntry::weight).sum::<usize>() <= 1_000 && seen.len() > 5, "{seen:?}");
    assert_eq!(seen.last().unwrap().message, "the last");
}

#[tokio::test]
async fn many_entries_are_found_page_by_page() {
    let stage = Stage::new(Limits::default()).await;
    (0..1_300).for_each(|number| stage.says(&format!("{number}")));
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let query = LogQuery { before, limit: usize::MAX, ..LogQuery::default() };
        let page = stage.driver.logs("default", &query).await.unwrap();
        let Some(first) = page.first() else { break };
        before = Some(first.id);
        seen.extend(page.into_iter().rev().map(|entry| entry.message));
    }
    let expected: Vec<String> = (0..1_300).rev().map(|number| format!("{number}")).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn entries_that_have_become_too_old_are_removed() {
    let age = Duration::from_millis(50);
    let stage =
        Stage::new(Limits { log_age: age, log_flush: Duration::from_millis(1), ..Limits::default() }).await;
    stage.says_and_waits("old").await;
    let gone = async {
        while !stage.messages().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("it is removed");
    let all = LogQuery { within: Some(Duration::from_hours(1)), ..LogQuery::default() };
    assert_eq!(stage.logs(all).await, []);
}

#[tokio::test]
async fn old_entries_are_removed_by_hand() {
    let stage = Stage::new(Limits::default()).await;
    (0..2_500).for_each(|_| stage.says("old"));
    assert_eq!(stage.driver.clean_logs("default", Duration::from_hours(1)).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(stage.driver.clean_logs("default", Duration::from_millis(1)).await.unwrap(), 2_500);
    stage.says("new");
    assert_eq!(stage.messages().await, ["new"]);
}
