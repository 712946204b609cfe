//! Questions to a planner, between the shard that decides on them and the adapter that asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use orch_core::Limits;
use orch_core::planner::{PlannerSpec, Provider, Secret};
use orch_core::ports::BoxFuture;
use orch_core::ports::gateway::{Bearer, Gateway, Head, ProtocolHeaders, Reply, ReplyBody, Target, Verb};
use orch_core::ports::planner::{Planner, PlannerFault, Question, Written};
use orch_core::ports::variables::Variables;
use orch_driver::{Driver, Parts};
use orch_store_memory::MemoryStore;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::scripted::{ScriptedUpstreams, driver_of};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const GOAL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"batch_execute","arguments":{"goal":"echo"}}}"#;

/// Tells what it is asked, and never answers.
struct Silent {
    asked: Sender<Question>,
    left: Arc<AtomicBool>,
}

/// Remembers that it was dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Planner for Silent {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Written, PlannerFault>> {
        let waiting = Waiting(Arc::clone(&self.left));
        Box::pin(async move {
            let _held = waiting;
            self.asked.send(question).await.unwrap();
            std::future::pending().await
        })
    }
}

/// `KEY` is the one variable.
struct Key;

impl Variables for Key {
    fn lookup(&self, name: &str) -> Option<String> {
        (name == "KEY").then(|| "s3cret".to_owned())
    }
}

struct Stage {
    driver: Driver,
    key: String,
    asked: Receiver<Question>,
    left: Arc<AtomicBool>,
}

async fn stage(variable: &str) -> Stage {
    let (sender, asked) = channel(1);
    let left = Arc::new(AtomicBool::new(false));
    let planner = Silent { asked: sender, left: Arc::clone(&left) };
    let upstreams = Arc::new(ScriptedUpstreams);
    let parts = Parts {
        store: Arc::new(MemoryStore::new()),
        stdio: Arc::clone(&upstreams) as _,
        remote: upstreams,
        variables: Arc::new(Key),
        planner: Arc::new(planner),
    };
    let driver = driver_of(parts, Limits::default()).await;
    let provider = Provider::OpenAi { url: None, key: Some(Secret(variable.to_owned())) };
    driver.set_planner("default", Some(PlannerSpec::new(provider, "m"))).unwrap();
    let key = driver.create_key("default", "test", None).await.unwrap().token.reveal().to_owned();
    Stage { driver, key, asked, left }
}

async fn post(driver: &Driver, key: &str, session: Option<String>, body: &str) -> Reply {
    let head = Head {
        verb: Verb::Post,
        project: None,
        target: Target::Unified,
        bearer: Some(Bearer(key.to_owned())),
        session,
        headers: ProtocolHeaders::default(),
        messages_path: "/messages".to_owned(),
    };
    let Ok(admission) = driver.admit(&head).await else { panic!("the key is good") };
    driver.submit(admission, head, Bytes::from(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_has_its_credentials_and_is_given_up_when_its_client_leaves() {
    let Stage { driver, key, mut asked, left } = stage("${KEY}").await;
    let session = post(&driver, &key, None, INITIALIZE).await.session;
    let waiting = async { drop(post(&driver, &key, session, GOAL).await) };
    let question = tokio::select! {
        () = waiting => panic!("nobody has answered"),
        question = asked.recv() => question.unwrap(),
    };
    let Provider::OpenAi { key: Some(secret), .. } = &question.spec.provider else { panic!("{question:?}") };
    assert_eq!(secret.0, "s3cret");
    // The client has gone with its request.
    for _ in 0..500 {
        if left.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the question goes on without anybody who waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_is_not_set_is_named_and_nobody_is_asked() {
    let Stage { driver, key, mut asked, .. } = stage("${ABSENT}").await;
    let session = post(&driver, &key, None, INITIALIZE).await.session;
    let reply = post(&driver, &key, session, GOAL).await;
    let ReplyBody::Json(body) = reply.body else { panic!("an answer is expected") };
    let body = core::str::from_utf8(&body).unwrap();
    assert!(body.contains("the planner is not configured well: no such variable is set: ABSENT"), "{body}");
    assert!(asked.try_recv().is_err());
}
