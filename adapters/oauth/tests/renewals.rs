//! Tokens over time: when they are renewed, how often, and what is said when that is over.
#![expect(clippy::unwrap_used, reason = "tests, and what serves them")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use orch_core::oauth::{Challenge, Grant, OauthSpec, Redirected};
use orch_core::ports::BoxFuture;
use orch_core::ports::passes::{NoPass, Pass, Passes, Refusal, Visit};
use orch_core::ports::web::{Web, WebAnswer, WebRequest};
use orch_core::{Limits, Timestamp};
use orch_oauth::{Begun, Logins};

const SERVER: &str = "https://a.example/mcp";

/// What the token endpoint does.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Ends,
    Gives,
    Silent,
}

/// An authorization server, as far as exchanges go.
struct Office {
    mood: Mutex<Mood>,
    /// What the token endpoint was asked.
    asked: Mutex<Vec<String>>,
}

impl Web for Office {
    fn exchange(&self, request: WebRequest) -> BoxFuture<'_, Result<WebAnswer, String>> {
        let answer = |status, body: String| Ok(WebAnswer { status, body: Bytes::from(body) });
        let asked = request.body.map(|(_, body)| String::from_utf8(body.to_vec()).unwrap());
        let done = match &*request.url {
            "https://a.example/.well-known/oauth-protected-resource/mcp" => answer(
                200,
                format!(r#"{{"resource":"{SERVER}","authorization_servers":["https://as.example"]}}"#),
            ),
            "https://as.example/.well-known/oauth-authorization-server" => answer(
                200,
                r#"{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register","code_challenge_methods_supported":["S256"]}"#.to_owned(),
            ),
            "https://as.example/register" => answer(201, r#"{"client_id":"hub"}"#.to_owned()),
            "https://as.example/token" => {
                let mut all = self.asked.lock().unwrap();
                all.push(asked.unwrap());
                let count = all.len();
                match *self.mood.lock().unwrap() {
                    Mood::Ends => answer(400, r#"{"error":"invalid_grant"}"#.to_owned()),
                    Mood::Gives => answer(
                        200,
                        format!(
                            r#"{{"access_token":"t{count}","token_type":"Bearer","expires_in":3600,"refresh_token":"r{count}"}}"#
                        ),
                    ),
                    Mood::Silent => Err("as.example:443 cannot be reached".to_owned()),
                }
            }
            _ => answer(404, String::new()),
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            done
        })
    }
}

struct Stage {
    office: Arc<Office>,
    logins: Logins,
    now: Arc<AtomicU64>,
    visit: Visit,
    home: tempfile::TempDir,
}

impl Stage {
    fn new(oauth: OauthSpec) -> Self {
        let home = tempfile::tempdir().unwrap();
        let office = Arc::new(Office { mood: Mutex::new(Mood::Gives), asked: Mutex::default() });
        let now = Arc::new(AtomicU64::new(1_000_000));
        let logins = logins(home.path(), &office, &now);
        let visit =
            Visit { project: "default".to_owned(), server: "a".to_owned(), url: SERVER.to_owned(), oauth };
        Self { office, logins, now, visit, home }
    }

    /// One at which somebody has logged in.
    async fn in_use() -> Self {
        let stage = Self::new(OauthSpec::default());
        stage.log_in().await;
        stage
    }

    async fn log_in(&self) {
        let begun = self.logins.begin(&self.visit, "http://127.0.0.1:7/callback").await.unwrap();
        let Begun::Page(page) = begun else { panic!("a page") };
        let page = Redirected::read(&page).unwrap();
        let end = format!("/callback?code=c&state={}", page.state().unwrap());
        self.logins.finish(&self.visit, &end).await.unwrap();
    }

    async fn current(&self) -> Option<String> {
        self.logins.current(&self.visit).await.map(|pass| pass.0)
    }

    async fn refused(&self, shown: &str, challenge: Challenge) -> Result<String, NoPass> {
        let refusal = Refusal { shown: Some(Pass(shown.to_owned())), challenge };
        self.logins.refused(&self.visit, refusal).await.map(|pass| pass.0)
    }

    /// A server refuses a token because of its age.
    async fn ended(&self, shown: &str) -> Result<String, NoPass> {
        self.refused(shown, Challenge::default()).await
    }

    fn asked(&self) -> usize {
        self.office.asked.lock().unwrap().len()
    }

    fn turns(&self, mood: Mood) {
        *self.office.mood.lock().unwrap() = mood;
    }

    fn after(&self, seconds: u64) {
        self.now.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

fn logins(home: &Path, office: &Arc<Office>, now: &Arc<AtomicU64>) -> Logins {
    let now = Arc::clone(now);
    let clock = Arc::new(move || Timestamp(now.load(Ordering::Relaxed)));
    Logins::new(home.to_owned(), Arc::clone(office) as _, Limits::default(), clock)
}

fn words(refused: Result<String, NoPass>) -> String {
    match refused {
        Err(NoPass::LoginRequired(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn however_many_requests_are_refused_there_is_one_renewal() {
    let stage = Stage::in_use().await;
    let ended = || stage.ended("Bearer t1");
    let (a, b, c, d) = tokio::join!(ended(), ended(), ended(), ended());
    for pass in [a, b, c, d] {
        assert_eq!(pass, Ok("Bearer t2".to_owned()));
    }
    assert_eq!(stage.asked(), 2, "the login, and one renewal");
    assert!(stage.office.asked.lock().unwrap()[1].contains("refresh_token=r1"));
    assert!(stage.office.asked.lock().unwrap()[1].contains("resource=https%3A%2F%2Fa.example%2Fmcp"));
}

#[tokio::test]
async fn a_token_is_renewed_shortly_before_its_end() {
    let stage = Stage::in_use().await;
    stage.after(3600 - 61);
    assert_eq!(stage.current().await.as_deref(), Some("Bearer t1"));
    stage.after(2);
    assert_eq!(stage.current().await.as_deref(), Some("Bearer t2"));
    assert_eq!(stage.asked(), 2);
}

#[tokio::test]
async fn an_authorization_server_that_does_not_answer_is_left_alone_for_a_while() {
    let stage = Stage::in_use().await;
    stage.turns(Mood::Silent);
    for _ in 0..3 {
        let silent = Err(NoPass::Unavailable("as.example:443 cannot be reached".to_owned()));
        assert_eq!(stage.ended("Bearer t1").await, silent);
    }
    assert_eq!(stage.asked(), 2);
    stage.turns(Mood::Gives);
    stage.after(10);
    assert_eq!(stage.ended("Bearer t1").await, Ok("Bearer t3".to_owned()));
}

#[tokio::test]
async fn a_login_that_has_ended_is_said_to_have_and_asked_for_no_more() {
    let stage = Stage::in_use().await;
    stage.turns(Mood::Ends);
    let said = words(stage.ended("Bearer t1").await);
    assert!(said.contains("invalid_grant") && said.ends_with("run: mcp-orch login a"), "{said}");
    assert!(words(stage.ended("Bearer t1").await).contains("without a login"));
    assert_eq!((stage.asked(), stage.current().await), (2, None));
    stage.turns(Mood::Gives);
    stage.log_in().await;
    assert_eq!(stage.current().await.as_deref(), Some("Bearer t3"));
}

#[tokio::test]
async fn a_token_that_is_refused_as_soon_as_it_comes_is_not_renewed_in_a_row() {
    let stage = Stage::in_use().await;
    assert!(stage.ended("Bearer t1").await.is_ok());
    assert!(words(stage.ended("Bearer t2").await).contains("a moment ago"));
    assert_eq!(stage.asked(), 2);
}

#[tokio::test]
async fn rights_that_the_hub_has_itself_are_asked_for_when_they_are_wanted_and_not_endlessly() {
    let some = |text: &str| Some(text.to_owned());
    let stage = Stage::new(OauthSpec {
        grant: Grant::ClientCredentials,
        client_id: some("hub"),
        client_secret: some("s3cret"),
        ..OauthSpec::default()
    });
    assert_eq!(stage.current().await, None);
    let mut pass = stage.ended("").await.unwrap();
    let more = |scope: &str| Challenge {
        scope: some(scope),
        error: some("insufficient_scope"),
        ..Challenge::default()
    };
    for _ in 0..3 {
        pass = stage.refused(&pass, more("write")).await.unwrap();
    }
    let said = words(stage.refused(&pass, more("write")).await);
    assert!(said.contains("limit login_steps"), "{said}");
    assert_eq!(stage.asked(), 4);
    let last = stage.office.asked.lock().unwrap()[3].clone();
    assert!(last.starts_with("grant_type=client_credentials&scope=write"), "{last}");
    assert!(!last.contains("s3cret"), "it is in the header");
}

#[tokio::test]
async fn what_was_got_is_there_again_after_a_restart_and_for_no_other_address() {
    let stage = Stage::in_use().await;
    let again = logins(stage.home.path(), &stage.office, &stage.now);
    assert_eq!(again.current(&stage.visit).await, Some(Pass("Bearer t1".to_owned())));
    let elsewhere = Visit { url: "https://b.example/mcp".to_owned(), ..stage.visit.clone() };
    assert_eq!(again.current(&elsewhere).await, None);
    again.forget(&stage.visit).await.unwrap();
    let later = logins(stage.home.path(), &stage.office, &stage.now);
    assert_eq!(later.current(&stage.visit).await, None);
}

#[tokio::test]
async fn a_login_is_ended_once_and_in_time() {
    let stage = Stage::new(OauthSpec::default());
    let begin = || stage.logins.begin(&stage.visit, "http://127.0.0.1:7/callback");
    let end = |begun: Begun| {
        let Begun::Page(page) = begun else { panic!("a page") };
        format!("?code=c&state={}", Redirected::read(&page).unwrap().state().unwrap())
    };
    let late = end(begin().await.unwrap());
    stage.after(601);
    let said = stage.logins.finish(&stage.visit, &late).await.unwrap_err();
    assert!(said.contains("limit login_wait"), "{said}");
    let good = end(begin().await.unwrap());
    assert!(stage.logins.finish(&stage.visit, &late).await.unwrap_err().contains("another login"));
    stage.logins.finish(&stage.visit, &good).await.unwrap();
    assert!(stage.logins.finish(&stage.visit, &good).await.unwrap_err().contains("no login is under way"));
}
