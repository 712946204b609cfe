//! What comes of providers that refuse, are busy, say nonsense, or say nothing.

use std::time::Duration;

use orch_core::planner::{Provider, Secret};
use orch_core::ports::planner::{PlannerFault, PlannerFaultKind, Question};

use crate::server::{Act, Peer, ask, limits, question, say};

const GOOD: &str = r#"{"choices":[{"message":{"content":"yes"}}]}"#;
const BUSY: &str = r#"{"error":{"type":"rate_limit_error","message":"slow down"}}"#;

fn at(peer: &Peer) -> Question {
    question(Provider::OpenAi { url: Some(peer.url.clone()), key: Some(Secret("s3cret-key".to_owned())) })
}

async fn fault(peer: &Peer) -> PlannerFault {
    ask(at(peer)).await.expect_err("no answer is expected")
}

fn later(seconds: &str, status: u16, body: &str) -> Act {
    Act::Say(status, vec![("retry-after", seconds.to_owned())], body.to_owned())
}

#[tokio::test]
async fn who_has_no_room_is_asked_again_and_then_answers() {
    let peer = Peer::acting([say(429, BUSY), later("1", 503, ""), say(529, ""), say(200, GOOD)]).await;
    let began = tokio::time::Instant::now();
    assert_eq!(ask(at(&peer)).await.unwrap().text, "yes");
    assert_eq!(peer.seen().len(), 4);
    assert!(began.elapsed() >= Duration::from_secs(1), "the pause that was asked for is made");
}

#[tokio::test]
async fn it_is_not_asked_for_ever_nor_when_it_wants_too_long_a_pause_or_money() {
    let spent = r#"{"error":{"code":"insufficient_quota","message":"no money"}}"#;
    let throttling = Act::Say(
        429,
        vec![("x-amzn-errortype", "ThrottlingException".to_owned())],
        r#"{"message":"Too many tokens"}"#.to_owned(),
    );
    for (act, asked, kind, words) in [
        (
            say(429, BUSY),
            4,
            PlannerFaultKind::Throttled,
            "HTTP 429 rate_limit_error: slow down (asked 4 times)",
        ),
        (
            throttling,
            4,
            PlannerFaultKind::Throttled,
            "HTTP 429 ThrottlingException: Too many tokens (asked 4 times)",
        ),
        (later("3600", 429, BUSY), 1, PlannerFaultKind::Throttled, "HTTP 429 rate_limit_error: slow down"),
        (say(429, spent), 1, PlannerFaultKind::Refused, "HTTP 429 insufficient_quota: no money"),
        (say(500, ""), 1, PlannerFaultKind::Unavailable, "HTTP 500"),
    ] {
        let peer = Peer::acting([act]).await;
        let fault = fault(&peer).await;
        assert_eq!((fault.kind, &*fault.words, peer.seen().len()), (kind, words, asked));
    }
    assert_eq!(limits().planner.retries, 3);
}

#[tokio::test]
async fn who_asks_for_a_pause_until_a_date_is_asked_again_then() {
    let until = |date: &str, until: &str| {
        let headers = vec![("date", date.to_owned()), ("retry-after", until.to_owned())];
        Act::Say(429, headers, BUSY.to_owned())
    };
    let now = "Sun, 22 Nov 2026 18:00:00 GMT";
    let peer = Peer::acting([until(now, "Sun, 22 Nov 2026 18:00:01 GMT"), say(200, GOOD)]).await;
    let began = tokio::time::Instant::now();
    assert_eq!(ask(at(&peer)).await.unwrap().text, "yes");
    assert!(began.elapsed() >= Duration::from_secs(1), "the pause that was asked for is made");
    let peer = Peer::acting([until(now, "Mon, 23 Nov 2026 18:00:00 GMT"), say(200, GOOD)]).await;
    assert_eq!(fault(&peer).await.kind, PlannerFaultKind::Throttled);
    assert_eq!(peer.seen().len(), 1, "it wants too long a pause");
}

#[tokio::test]
async fn who_has_no_room_within_the_time_is_told_of_in_its_own_words() {
    let busy = "HTTP 429 rate_limit_error: slow down";
    for (acts, asked, words) in [
        (vec![later("1", 429, BUSY)], 1, busy.to_owned()),
        (vec![say(429, BUSY), later("1", 429, BUSY)], 2, format!("{busy} (asked 2 times)")),
        (vec![say(429, BUSY), Act::Hang], 2, format!("{busy} (asked 2 times)")),
    ] {
        let peer = Peer::acting(acts).await;
        let question = Question { timeout: Duration::from_millis(600), ..at(&peer) };
        let fault = ask(question).await.unwrap_err();
        let expected = (PlannerFaultKind::Throttled, &*words, asked);
        assert_eq!((fault.kind, &*fault.words, peer.seen().len()), expected);
    }
}

#[tokio::test]
async fn no_credential_is_in_what_is_said_of_a_failure() {
    let echo = r#"{"error":{"message":"Incorrect API key provided: s3cret-key. See docs.","code":"invalid_api_key"}}"#;
    let peer = Peer::acting([say(401, echo)]).await;
    let found = fault(&peer).await;
    assert_eq!(found.kind, PlannerFaultKind::Refused);
    assert_eq!(found.words, "HTTP 401 invalid_api_key: Incorrect API key provided: [secret]. See docs.");
    let provider = Provider::OpenAi { url: None, key: Some(Secret("s3cret\nkey".to_owned())) };
    let found = ask(question(provider)).await.unwrap_err();
    assert_eq!(found.kind, PlannerFaultKind::Misconfigured);
    assert!(!found.words.contains("s3cret"), "{found}");
}

#[tokio::test]
async fn nonsense_is_no_answer_and_too_much_of_it_is_not_read() {
    let long = format!(r#"{{"choices":[],"x":"{}"}}"#, "x".repeat(limits().planner.answer_bytes));
    for (body, words) in [
        ("<html>It works!</html>", "not in the form"),
        ("{}", "not in the form"),
        (r#"{"choices":[]}"#, "not in the form"),
        (&*long, "limit planner.answer_bytes reached (4096)"),
    ] {
        let peer = Peer::acting([say(200, body)]).await;
        let found = fault(&peer).await;
        assert_eq!(found.kind, PlannerFaultKind::Unreadable);
        assert!(found.words.contains(words), "{found}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_credentials() {
    let elsewhere = Peer::acting([say(200, GOOD)]).await;
    let headers = vec![("location", elsewhere.url.clone())];
    let peer = Peer::acting([Act::Say(307, headers, String::new())]).await;
    let found = fault(&peer).await;
    assert!(found.words.contains("redirects are not followed"), "{found}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn who_says_nothing_is_left_in_time_and_who_is_not_there_is_no_riddle() {
    let peer = Peer::acting([Act::Hang]).await;
    let question = Question { timeout: Duration::from_millis(200), ..at(&peer) };
    assert_eq!(ask(question).await.unwrap_err().kind, PlannerFaultKind::TimedOut);
    let gone = Peer { url: "http://127.0.0.1:1".to_owned(), ..peer };
    let found = fault(&gone).await;
    assert_eq!(found.kind, PlannerFaultKind::Unavailable);
    assert!(found.words.contains("onnect"), "{found}");
    for url in ["ftp://x/", "nonsense", "http://"] {
        let bad = Peer { url: url.to_owned(), ..gone.clone() };
        assert_eq!(fault(&bad).await.kind, PlannerFaultKind::Misconfigured, "{url}");
    }
}
