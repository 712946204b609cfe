//! The sessions of the 2025 revisions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use orch_core::Limits;
use orch_core::ports::upstream::CloseReason;
use serde_json::json;

use crate::server::{Reply, Server, event, plain, text, wait};
use crate::stage::{Event, LONG, NOW, Stage, initialize, launch, note, request};

#[test]
fn session_and_revision_are_learnt_from_the_handshake_and_said_from_then_on() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), plain);
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    let first = server.seen();
    assert_eq!((first.header("mcp-session-id"), first.header("mcp-protocol-version")), (None, None));
    for verb in ["POST", "GET", "POST", "DELETE"] {
        let seen = server.seen();
        assert_eq!(seen.verb, verb);
        assert_eq!(seen.header("mcp-session-id"), Some("s-1"), "{seen:?}");
        assert_eq!(seen.header("mcp-protocol-version"), Some("2025-11-25"), "{seen:?}");
        if verb == "GET" {
            link.send(&request(1, "tools/list", json!({})));
            link.message();
            link.close(LONG);
            assert_eq!(link.end(), CloseReason::Stopped);
        }
    }
}

#[test]
fn a_handshake_on_an_event_stream_is_learnt_from_before_it_is_handed_on() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "initialize" => {
            let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {} });
            Reply::events([event(&seen.result(result))]).with("mcp-session-id", "s-2")
        }
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    let seen = server.posted("notifications/initialized");
    assert_eq!(seen.header("mcp-session-id"), Some("s-2"));
    assert_eq!(seen.header("mcp-protocol-version"), Some("2025-06-18"));
}

#[test]
fn what_follows_initialized_waits_until_the_server_took_it() {
    let stage = Stage::new();
    let taken = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&taken);
    let server = Server::start(stage.runtime.handle(), move |seen| match seen.method().as_str() {
        "notifications/initialized" => {
            std::thread::sleep(Duration::from_millis(200));
            flag.store(true, Ordering::SeqCst);
            Reply::status(202)
        }
        "tools/list" => Reply::json(200, &seen.result(json!({ "ready": flag.load(Ordering::SeqCst) }))),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    for id in 1..5 {
        link.send(&request(id, "tools/list", json!({})));
    }
    for _ in 1..5 {
        assert_eq!(link.message()["result"]["ready"], true);
    }
}

#[test]
fn the_first_requests_wait_for_the_stream_of_the_servers_news_but_not_for_ever() {
    let stage = Stage::within(Limits { remote_news: Duration::from_millis(300), ..Limits::default() });
    for hangs in [false, true] {
        let there = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&there);
        let server =
            Server::start(stage.runtime.handle(), move |seen| match (&*seen.verb, &*seen.method()) {
                ("GET", _) if hangs => Reply::Hang,
                ("GET", _) => {
                    std::thread::sleep(Duration::from_millis(100));
                    flag.store(true, Ordering::SeqCst);
                    Reply::events([crate::server::Step::Hold])
                }
                (_, "tools/list") => {
                    Reply::json(200, &seen.result(json!({ "there": flag.load(Ordering::SeqCst) })))
                }
                _ => plain(seen),
            });
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.shake_hands();
        link.send(&request(1, "tools/list", json!({})));
        assert_eq!(link.message()["result"]["there"], !hangs);
    }
}

#[test]
fn a_server_without_sessions_is_spoken_to_without_and_told_no_end() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match plain(seen) {
        Reply::Say(status, headers, steps) => {
            let headers = headers.into_iter().filter(|(name, _)| *name != "mcp-session-id").collect();
            Reply::Say(status, headers, steps)
        }
        other => other,
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link.send(&request(1, "tools/list", json!({})));
    link.message();
    link.close(LONG);
    link.end();
    while let Some(seen) = server.seen_within(Duration::from_millis(50)) {
        assert!(seen.header("mcp-session-id").is_none() && seen.verb != "DELETE", "{seen:?}");
    }
}

#[test]
fn an_expired_session_is_told_with_each_request_that_nothing_was_done_for() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "tools/call" => {
            let question = json!({ "jsonrpc": "2.0", "id": "q", "method": "roots/list" });
            Reply::events([wait(400), event(&question), wait(400), event(&seen.result(json!({ "n": 1 })))])
        }
        "gone" => Reply::json(
            404,
            &json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32001, "message": "x" } }),
        ),
        "nothing" => Reply::status(404),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link.send(&request(1, "tools/call", json!({})));
    server.posted("tools/call");
    link.send(&request(2, "gone", json!({})));
    let refusal = json!({ "jsonrpc": "2.0", "id": 2, "error": { "code": -32001, "message": "x" } });
    assert_eq!(link.expiry(), Some(refusal), "what it said, under the id of the request");
    link.send(&request(3, "nothing", json!({})));
    let refusal = link.expiry().unwrap();
    assert_eq!((&refusal["id"], &refusal["error"]["data"]["status"]), (&json!(3), &json!(404)));
    // What is under way goes on, and what it asks can be answered.
    assert_eq!(link.message()["method"], "roots/list");
    link.send(&json!({ "jsonrpc": "2.0", "id": "q", "result": { "roots": [] } }));
    loop {
        let seen = server.seen();
        if seen.json()["id"] == "q" {
            assert_eq!(seen.header("mcp-session-id"), Some("s-1"));
            break;
        }
    }
    assert_eq!(link.message()["result"]["n"], 1);
    link.close(LONG);
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn a_note_that_finds_the_session_gone_says_so_too() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |seen| match seen.method().as_str() {
        "notifications/roots/list_changed" => Reply::status(404),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    link.send(&note("notifications/roots/list_changed", json!({})));
    assert_eq!(link.expiry(), None);
    link.send(&request(1, "ping", json!({})));
    assert_eq!(link.message()["id"], 1, "the link goes on");
}

#[test]
fn a_bad_request_that_speaks_of_the_session_is_an_expired_one() {
    let error = json!({ "code": -32000, "message": "Bad Request: No valid session ID provided" });
    let reply = json!({ "jsonrpc": "2.0", "error": error });
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), move |seen| match seen.method().as_str() {
        "gone" => Reply::json(400, &reply),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&request(1, "gone", json!({})));
    assert_eq!(link.error(1).0, -32_000, "without a session it is an error like any other");
    link.shake_hands();
    link.send(&request(2, "gone", json!({})));
    assert_eq!(link.expiry().unwrap()["error"]["code"], -32_000);
}

#[test]
fn whoever_has_forgotten_a_session_says_so_in_many_ways() {
    for (status, words) in [
        (400, "Bad Request: Server not initialized"),
        (401, "Unauthorized: Session not found"),
        (410, "Gone"),
        (422, "Unexpected message, expect initialize request"),
    ] {
        let stage = Stage::new();
        let server = Server::start(stage.runtime.handle(), move |seen| match seen.method().as_str() {
            "gone" => Reply::Say(status, vec![("content-type", "text/plain".into())], vec![text(words)]),
            _ => plain(seen),
        });
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.shake_hands();
        link.send(&request(1, "gone", json!({})));
        assert!(link.expiry().is_some(), "{status} {words}");
    }
}

#[test]
fn a_stream_of_the_session_that_is_not_there_any_more_tells_that_the_session_is_gone() {
    let stage = Stage::new();
    let opened = Arc::new(AtomicUsize::new(0));
    let server = Server::start(stage.runtime.handle(), move |seen| match seen.verb.as_str() {
        "GET" if opened.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::events([text("retry: 10\n\n"), wait(20)])
        }
        "GET" => Reply::status(404),
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    assert_eq!(link.expiry(), None);
    drop(server);
}

#[test]
fn a_handshake_that_is_answered_with_not_found_is_no_expired_session() {
    let stage = Stage::new();
    let server = Server::start(stage.runtime.handle(), |_| Reply::status(404));
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.send(&initialize());
    let (code, words, data) = link.error(0);
    assert_eq!((code, &data), (-31_001, &json!({ "retryable": false, "status": 404 })));
    assert!(words.ends_with("there is nothing at this path: check `url`"), "{words}");
}

#[test]
fn the_sessions_own_stream_is_read_and_opened_again_where_it_broke() {
    let stage = Stage::new();
    let opened = Arc::new(AtomicUsize::new(0));
    let server = Server::start(stage.runtime.handle(), move |seen| match seen.verb.as_str() {
        "GET" => {
            let n = opened.fetch_add(1, Ordering::SeqCst);
            let news = note("notifications/tools/list_changed", json!({ "n": n }));
            let said = text(&format!("retry: 50\nid: e-{n}\ndata: {news}\n\n"));
            match n {
                0 => Reply::events([said, wait(20)]),
                1 => Reply::events([said, wait(20), crate::server::Step::Break]),
                2 => Reply::status(503),
                _ => Reply::events([said, crate::server::Step::Hold]),
            }
        }
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    for (n, cursor) in [(0, None), (1, Some("e-0")), (3, Some("e-1"))] {
        let get = server.verb("GET");
        assert_eq!(get.header("last-event-id"), cursor);
        assert_eq!(get.header("accept"), Some("text/event-stream"));
        if n == 3 {
            server.verb("GET");
        }
        assert_eq!(link.message()["params"]["n"], n);
    }
    link.close(NOW);
    assert_eq!(link.end(), CloseReason::Stopped);
}

#[test]
fn what_is_lost_between_two_streams_of_a_session_is_told_as_lost() {
    let stage = Stage::new();
    let opened = Arc::new(AtomicUsize::new(0));
    let server = Server::start(stage.runtime.handle(), move |seen| match seen.verb.as_str() {
        "GET" => match opened.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::events([text("retry: 10\n\n"), wait(20)]),
            1 => Reply::status(503),
            2 => Reply::events([text("id: e\ndata: \n\n"), wait(20), crate::server::Step::Break]),
            _ => Reply::events([crate::server::Step::Hold]),
        },
        _ => plain(seen),
    });
    let mut link = stage.open(&launch(&server.url("/mcp")));
    link.shake_hands();
    assert_eq!(link.event(), Event::Missed, "the stream has no ids");
    for cursor in [None, None, None, Some("e")] {
        assert_eq!(server.verb("GET").header("last-event-id"), cursor);
    }
    assert_eq!(link.event_within(Duration::from_millis(100)), None, "it goes on from where it broke");
}

#[test]
fn a_server_without_a_stream_of_its_own_is_not_asked_again() {
    for (status, lines) in [(405, 0), (400, 1), (404, 1), (501, 1)] {
        let stage = Stage::new();
        let server = Server::start(stage.runtime.handle(), move |seen| match seen.verb.as_str() {
            "GET" => Reply::status(status),
            _ => plain(seen),
        });
        let mut link = stage.open(&launch(&server.url("/mcp")));
        link.shake_hands();
        server.verb("GET");
        if lines == 1 {
            assert!(link.line().starts_with("there is no stream for its news: "));
        }
        let again = server.seen_within(Duration::from_millis(700));
        assert!(again.is_none(), "{status}: {again:?}");
    }
}
