//! The stream of a session on which its server tells: when it is asked for again, and from where it goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orch_core::Limits;
use serde_json::json;

use crate::server::{Reply, Seen, Server, Step, plain, text, wait};
use crate::stage::{Event, Link, Stage, launch};

/// A server that answers the n-th GET so.
fn streaming(stage: &Stage, get: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(stage.runtime.handle(), move |seen| match seen.verb.as_str() {
        "GET" => get(count.fetch_add(1, Ordering::SeqCst), seen),
        _ => plain(seen),
    })
}

/// A stage on which nothing is waited for long.
fn hasty() -> Stage {
    Stage::within(Limits { remote_retry_first: Duration::from_millis(20), ..Limits::default() })
}

fn with_session(stage: &Stage, server: &Server) -> Link {
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link
}

fn cursors<const N: usize>(server: &Server) -> [Option<String>; N] {
    [(); N].map(|()| server.verb("GET").header("last-event-id").map(str::to_owned))
}

/// Whether the link says that something is lost before it says nothing for a while.
fn misses(link: &Link) -> bool {
    std::iter::from_fn(|| link.event_within(Duration::from_millis(300))).any(|event| event == Event::Missed)
}

#[test]
fn a_stream_that_was_there_is_asked_for_again_however_it_is_refused() {
    for status in [307, 400, 401, 403, 404, 405, 409, 410, 425, 429, 501, 503] {
        let stage = hasty();
        let server = streaming(&stage, move |n, _| match n {
            0 => Reply::events([text(": hello\n\n"), wait(20)]),
            1 | 2 => Reply::status(status),
            _ => Reply::events([Step::Hold]),
        });
        let link = with_session(&stage, &server);
        if status == 404 {
            assert_eq!(link.expiry(), None);
            continue;
        }
        assert_eq!(cursors(&server), [const { None }; 4], "{status}");
        let said = std::iter::from_fn(|| link.event_within(Duration::from_millis(300)));
        let said: Vec<Event> =
            said.filter(|event| matches!(event, Event::Logged(_) | Event::Missed)).collect();
        let passes = matches!(status, 409 | 425 | 429 | 503);
        assert_eq!(said.len(), if passes { 1 } else { 2 }, "{status}: a lasting one is said once: {said:?}");
        assert_eq!(said.last(), Some(&Event::Missed), "{status}");
    }
}

#[test]
fn a_stream_whose_refusal_may_pass_is_asked_for_again_also_at_first() {
    for status in [408, 409, 425, 429, 500, 503] {
        let stage = hasty();
        let server = streaming(&stage, move |n, _| match n {
            0 => Reply::status(status),
            _ => Reply::events([Step::Hold]),
        });
        let link = with_session(&stage, &server);
        assert_eq!(cursors(&server), [const { None }; 2], "{status}");
        assert!(misses(&link), "{status}: what was said before it is lost");
    }
}

#[test]
fn an_event_that_its_server_keeps_no_more_is_let_go_and_what_came_after_it_is_lost() {
    for (status, lets_go) in [(400, true), (410, true), (401, false), (409, false), (503, false)] {
        let stage = hasty();
        let server = streaming(&stage, move |n, _| match n {
            0 => Reply::events([text("id: e\ndata: \n\n"), wait(20)]),
            1 => Reply::status(status),
            _ => Reply::events([Step::Hold]),
        });
        let link = with_session(&stage, &server);
        let third = (!lets_go).then(|| "e".to_owned());
        assert_eq!(cursors(&server), [None, Some("e".to_owned()), third], "{status}");
        assert_eq!(misses(&link), lets_go, "{status}");
    }
}

#[test]
fn an_event_that_makes_its_server_fail_each_time_is_let_go_in_the_end() {
    let first = Duration::from_millis(20);
    let stage = Stage::within(Limits { remote_resumes: 2, remote_retry_first: first, ..Limits::default() });
    let server = streaming(&stage, |n, seen| match n {
        0 => Reply::events([text("id: e\ndata: \n\n"), wait(20)]),
        _ if seen.header("last-event-id").is_some() => Reply::status(500),
        _ => Reply::events([Step::Hold]),
    });
    let link = with_session(&stage, &server);
    let event = || Some("e".to_owned());
    assert_eq!(cursors(&server), [None, event(), event(), None]);
    assert!(misses(&link));
}

#[test]
fn a_stream_that_is_refused_by_words_about_the_session_tells_that_the_session_is_gone() {
    let stage = hasty();
    let server = streaming(&stage, |n, _| match n {
        0 => Reply::events([text(": hello\n\n"), wait(20)]),
        _ => Reply::json(
            400,
            &json!({ "error": { "code": -32000, "message": "Invalid or missing session ID" } }),
        ),
    });
    let link = with_session(&stage, &server);
    assert_eq!(link.expiry(), None);
}

#[test]
fn what_is_said_before_the_first_stream_opens_is_lost_when_requests_have_not_waited_for_it() {
    for (patience_ms, is_late) in [(50, true), (10_000, false)] {
        let limits = Limits { remote_news: Duration::from_millis(patience_ms), ..Limits::default() };
        let stage = Stage::within(limits);
        let server = streaming(&stage, |_, _| {
            std::thread::sleep(Duration::from_millis(300));
            Reply::events([Step::Hold])
        });
        let link = with_session(&stage, &server);
        server.verb("GET");
        assert_eq!(link.event_within(Duration::from_secs(1)), is_late.then_some(Event::Missed));
    }
}
