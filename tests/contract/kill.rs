//! `kill -9` of a process that writes: what it said is written, is there.
//!
//! The writer is this very test program, started again to run one ignored test. Eight tasks commit as fast as they
//! can; each commit makes a key and counts in a record of its task, and is acknowledged on standard output.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use orch_core::Entropy;
use orch_core::ports::store::{Change, Expect, Store, Versioned};
use orch_core::record::{Record, RecordKind};
use orch_store_redb::RedbStore;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::samples::{key, project, project_id};

const ROUNDS: u32 = 20;
const TASKS: u128 = 8;
const DIRECTORY: &str = "ORCH_TEST_STORE";

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.redb");
    let mut entropy = Entropy::from_seed([20; 32]);
    let (mut acknowledged, mut total) = (BTreeMap::new(), 0);
    for round in 0..ROUNDS {
        let mut child = start(directory.path());
        let acks = std::thread::spawn({
            let output = BufReader::new(child.stdout.take().unwrap());
            move || output.lines().map_while(Result::ok).filter_map(|line| parse(&line)).collect::<Vec<_>>()
        });
        std::thread::sleep(Duration::from_millis(20 + entropy.below(150)));
        child.kill().unwrap();
        child.wait().unwrap();
        let acks = acks.join().unwrap();
        total += acks.len();
        acknowledged.extend(acks);
        check(&path, &acknowledged, round);
    }
    assert!(total > 100, "only {total} commits were acknowledged");
}

/// What a task was told last is there, with everything before it, and nothing is there by half.
fn check(path: &Path, acknowledged: &BTreeMap<u128, u64>, round: u32) {
    let store = RedbStore::open(path).unwrap();
    let runtime = Runtime::new().unwrap();
    for task in 0..TASKS {
        let written = count(runtime.block_on(store.read(project(task, "").id())).unwrap());
        let told = acknowledged.get(&task).copied().unwrap_or(0);
        assert!(written >= told, "round {round}, task {task}: {told} acknowledged, {written} written");
        let keys = runtime.block_on(store.list(RecordKind::Key, project_id(task))).unwrap();
        let expected: Vec<Record> = (1..=written).map(|number| key(task, &name(number))).collect();
        assert!(keys.iter().map(|it| &it.record).eq(&expected), "round {round}, task {task}: torn");
    }
}

#[expect(clippy::disallowed_methods, reason = "the process that is killed is not a server")]
fn start(directory: &Path) -> Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kill::writer", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the process that a_killed_process_loses_nothing_that_it_acknowledged kills"]
fn writer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Arc::new(RedbStore::open(Path::new(&directory).join("store.redb")).unwrap());
    Runtime::new().unwrap().block_on(async move {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let store = Arc::clone(&store);
            tasks.spawn(async move { write_for_ever(&*store, task).await });
        }
        tasks.join_all().await;
    });
}

async fn write_for_ever(store: &dyn Store, task: u128) {
    let mut number = count(store.read(project(task, "").id()).await.unwrap());
    loop {
        let expect = if number == 0 { Expect::Absent } else { Expect::Version(number) };
        number += 1;
        let made = Change::Put(key(task, &name(number)), Expect::Absent);
        store.commit(vec![made, Change::Put(project(task, "counter"), expect)]).await.unwrap();
        // One write for the whole line, or two of them would mix.
        std::io::stdout().write_all(format!("ack {task} {number}\n").as_bytes()).unwrap();
    }
}

fn count(stored: Option<Versioned>) -> u64 {
    stored.map_or(0, |it| it.version)
}

/// Sorts as the number does.
fn name(number: u64) -> String {
    format!("{number:012}")
}

fn parse(line: &str) -> Option<(u128, u64)> {
    let (task, number) = line.strip_prefix("ack ")?.split_once(' ')?;
    Some((task.parse().ok()?, number.parse().ok()?))
}
