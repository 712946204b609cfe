//! The reference server, on the TypeScript SDK, version 1: sessions, streams and questions of the 2025 revisions.

use orch_core::ports::upstream::CloseReason;
use orch_core::record::RemoteKind;
use serde_json::json;

use crate::link::{Link, text};
use crate::peer::Peer;

/// The rules that hold over either transport.
fn speaks(mut link: Link) {
    let tools = link.ask("tools/list", json!({}));
    assert!(
        tools["result"]["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "echo"),
        "{tools}"
    );
    assert_eq!(link.call("echo", json!({ "message": "größe" })), "Echo: größe");

    let meta = json!({ "progressToken": 7 });
    let slow = json!({ "name": "trigger-long-running-operation", "arguments": { "duration": 0.3, "steps": 3 }, "_meta": meta });
    let id = link.request("tools/call", slow);
    let (before, answer) = link.answer(id);
    let progress = before.iter().filter(|it| it["method"] == "notifications/progress");
    assert_eq!(progress.filter(|it| it["params"]["progressToken"] == 7).count(), 3, "{before:?}");
    assert!(text(&answer).contains("completed"), "{answer}");

    let sampling =
        json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "hello", "maxTokens": 10 } });
    let id = link.request("tools/call", sampling);
    let question = std::iter::repeat_with(|| link.message())
        .find(|it| it["method"] == "sampling/createMessage")
        .unwrap();
    let said =
        json!({ "model": "m", "role": "assistant", "content": { "type": "text", "text": "sampled 42" } });
    link.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": said }));
    assert!(text(&link.answer(id).1).contains("sampled 42"));

    let ids: Vec<u64> = (0..30)
        .map(|n| {
            link.request("tools/call", json!({ "name": "echo", "arguments": { "message": n.to_string() } }))
        })
        .collect();
    let mut answered: Vec<u64> = ids
        .iter()
        .map(|_| {
            std::iter::repeat_with(|| link.message())
                .find_map(|it| it["result"].is_object().then(|| it["id"].as_u64()))
        })
        .map(|id| id.flatten().unwrap())
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, ids, "each is answered once");
    assert_eq!(link.close(), CloseReason::Stopped);
}

#[test]
fn everything_is_spoken_to_over_streamable_http() {
    let peer = Peer::everything("streamableHttp");
    for revision in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        speaks(Link::with_hands_shaken(RemoteKind::Http, &peer.url("/mcp"), revision));
    }
    let said: Vec<String> =
        std::iter::repeat_with(|| peer.line()).take_while(|it| !it.contains("terminat")).collect();
    assert!(said.iter().any(|it| it.contains("Establishing new SSE stream")), "{said:?}");
}

#[test]
fn everything_is_spoken_to_over_http_and_sse() {
    let peer = Peer::everything("sse");
    speaks(Link::with_hands_shaken(RemoteKind::Sse, &peer.url("/sse"), "2024-11-05"));
}

#[test]
fn a_restarted_server_has_forgotten_the_session_and_the_link_says_so() {
    let peer = Peer::everything("streamableHttp");
    let port = peer.port;
    let mut link = Link::with_hands_shaken(RemoteKind::Http, &peer.url("/mcp"), "2025-11-25");
    assert_eq!(link.call("echo", json!({ "message": "a" })), "Echo: a");
    drop(peer);
    let answer = link.ask("tools/call", json!({ "name": "echo", "arguments": { "message": "b" } }));
    assert_eq!(answer["error"]["code"], -31_001, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("is the server running?"), "{answer}");
    let peer = Peer::everything_at("streamableHttp", port);
    let id = link.request("tools/call", json!({ "name": "echo", "arguments": { "message": "c" } }));
    assert_eq!(link.expired(), id);
    let mut link = Link::with_hands_shaken(RemoteKind::Http, &peer.url("/mcp"), "2025-11-25");
    assert_eq!(link.call("echo", json!({ "message": "d" })), "Echo: d");
}

#[test]
fn a_stopped_server_ends_a_link_of_one_stream() {
    let peer = Peer::everything("sse");
    let link = Link::with_hands_shaken(RemoteKind::Sse, &peer.url("/sse"), "2024-11-05");
    drop(peer);
    assert!(matches!(link.end(), CloseReason::Lost(words) if words.contains("event stream")));
}
