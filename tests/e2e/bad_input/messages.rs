//! Messages that are no JSON, no JSON-RPC or no MCP, in every revision that has sessions. Those of the stateless
//! revision are in `modern`.

use reqwest::Client;

use super::row::{Row, check};
use super::stage::{PATH, Stage};
use crate::process::text;

const REVISIONS: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// Bytes, the code of the refusal, a part of its message, and the raw id that it repeats.
pub(crate) type Bad = (Vec<u8>, i64, &'static str, &'static str);

#[tokio::test]
async fn messages_that_make_no_sense_are_refused_in_every_revision() {
    let stage = Stage::new().await;
    let mut rows = Vec::new();
    for revision in REVISIONS {
        let session = stage.session(PATH, revision).await;
        let headers = [("Mcp-Session-Id", &*session), ("MCP-Protocol-Version", revision)];
        for (body, code, says, id) in no_json().into_iter().chain(no_rpc()) {
            rows.push(row(revision, &stage.post(&headers, &body), &body, code, says, id));
        }
        rows.extend(in_session(&stage, revision, &session));
        let all = stage.session("/mcp", revision).await;
        rows.extend(of_all_servers(&stage, revision, &all));
        rows.extend(batches(&stage, revision, &headers));
    }
    check(&stage, rows).await;
}

/// The oldest revision has a transport of its own, where an answer to a post is only whether it was taken.
#[tokio::test]
async fn messages_that_make_no_sense_are_refused_over_http_sse() {
    let stage = Stage::new().await;
    let get = Client::new().get(stage.hub.at("/servers/echo/sse")).bearer_auth(&stage.key);
    let mut stream = get.send().await.expect("a stream");
    let beginning = stream.chunk().await.expect("a stream").expect("its first event");
    let beginning = text(&beginning);
    let messages = beginning.lines().find_map(|line| line.strip_prefix("data: ")).expect("where to post");
    let mut rows = Vec::new();
    for (body, code, says, id) in no_json().into_iter().chain(no_rpc()) {
        rows.push(row("2024-11-05", &stage.post_to(messages, &[], &body), &body, code, says, id));
    }
    let early = stage.post_to(messages, &[], asked("tools/list"));
    rows.push(Row::refused("before initialize", early, 400, -32600, "send initialize first").with_id("7"));
    let foreign = stage.post_to(&messages.replace("/servers/echo", ""), &[], asked("ping"));
    rows.push(Row::refused("at another endpoint", foreign, 404, -32001, "open another one").with_id("7"));
    rows.push(Row::fine("a ping", stage.post_to(messages, &[], asked("ping")), 202, ""));
    check(&stage, rows).await;
    let answer = stream.chunk().await.expect("a stream").expect("its second event");
    assert!(text(&answer).contains("\"id\":7,\"result\":{}"), "the stream lives on: {}", text(&answer));
}

pub(crate) fn row(
    revision: &str,
    bytes: &[u8],
    body: &[u8],
    code: i64,
    says: &'static str,
    id: &'static str,
) -> Row {
    let name = format!("{revision}: {:.80}", String::from_utf8_lossy(body));
    Row::refused(name, bytes, 400, code, says).with_id(id)
}

/// Texts that are no JSON, or that two readers may read differently, or that are over a bound.
pub(crate) fn no_json() -> Vec<Bad> {
    let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":"#;
    let within = |value: &str| format!("{ping}{value}}}").into_bytes();
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut bad: Vec<Bad> = vec![
        (b"".to_vec(), -32700, "the text ends", "null"),
        (b" ".to_vec(), -32700, "the text ends", "null"),
        (b"hello".to_vec(), -32700, "expected a value", "null"),
        (b"<xml/>".to_vec(), -32700, "expected a value", "null"),
        (b"{".to_vec(), -32700, "expected a key", "null"),
        (b"\xef\xbb\xbf{}".to_vec(), -32700, "expected a value", "null"),
        (b"\xff\xfe{\0}\0".to_vec(), -32700, "not UTF-8", "null"),
        (ping.as_bytes().to_vec(), -32700, "the text ends", "7"),
        (within("{").strip_suffix(b"}").unwrap_or_default().to_vec(), -32700, "expected a key", "7"),
        ([within("{}"), b"x".to_vec()].concat(), -32700, "text after the end", "7"),
        ([within("{}"), within("{}")].concat(), -32700, "text after the end", "7"),
        (b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}".to_vec(), -32700, "not UTF-8", "7"),
        (within("{\"a\":\"\x01\"}"), -32700, "control character", "7"),
        (within("{\"a\":1,\"a\":2}"), -32700, "the same key twice", "7"),
        (within("{\"a\":1,\"\\u0061\":2}"), -32700, "the same key twice", "7"),
        (within("{\"a\":[{\"b\":1,\"b\":1}]}"), -32700, "the same key twice", "7"),
        (within(&format!("{{\"a\":{}}}", deep(70))), -32600, "json_depth", "7"),
        (within(&deep(200_000)), -32600, "json_depth", "7"),
        (within(&format!("{{\"a\":1{}}}", "0".repeat(64))), -32600, "number_digits", "7"),
        (within(&format!("{{\"a\":[{}1]}}", "1,".repeat(10_000))), -32600, "json_members", "7"),
        (
            within(&format!("{{\"a\":[{}1]}}", format!("[{}1],", "1,".repeat(9_990)).repeat(11))),
            -32600,
            "json_nodes",
            "7",
        ),
    ];
    for value in [
        "{'a':1}",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":NaN}",
        "{\"a\":1,}",
    ] {
        bad.push((within(value), -32700, "not valid JSON", "7"));
    }
    for value in
        ["{\"a\":tru}", "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\" 1}", "{} // it", "{\"a\":[1 2]}"]
    {
        bad.push((within(value), -32700, "not valid JSON", "7"));
    }
    bad
}

/// JSON that is no message.
pub(crate) fn no_rpc() -> Vec<Bad> {
    let texts: [(&str, &'static str, &'static str); 27] = [
        ("1", "a message is an object", "null"),
        ("null", "a message is an object", "null"),
        ("\"ping\"", "a message is an object", "null"),
        ("{}", "jsonrpc", "null"),
        (r#"{"id":7,"method":"ping"}"#, "jsonrpc", "7"),
        (r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#, "jsonrpc", "7"),
        (r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#, "jsonrpc", "7"),
        (r#"{"jsonrpc":"2.0","id":7}"#, "neither a", "null"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#, "more than one of", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{}}"#, "more than one of", "null"),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "needs an \\\"id\\\"", "null"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, "id", "null"),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, "id", "null"),
        (r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#, "id", "null"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, "id", "null"),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, "id", "null"),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, "id", "null"),
        (r#"{"jsonrpc":"2.0","id":7,"method":1}"#, "method", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":""}"#, "method", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":null}"#, "method", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"pi\u000ag"}"#, "method", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}"#, "params", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":1}"#, "params", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","params":null}"#, "params", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","extra":1}"#, "unknown member \\\"extra\\\"", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"Method":"ping","method":"ping"}"#, "unknown member \\\"Method\\\"", "7"),
        (r#"{"jsonrpc":"2.0","id":7,"result":{},"params":{}}"#, "params", "null"),
    ];
    texts.into_iter().map(|(text, says, id)| (text.as_bytes().to_vec(), -32600, says, id)).collect()
}

fn call(name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":{name},"arguments":{{}}}}}}"#)
}

fn asked(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{}}}}"#)
}

/// What there is not at the endpoint of all servers, where the hub has to know which server is meant.
fn of_all_servers(stage: &Stage, revision: &str, session: &str) -> Vec<Row> {
    let headers = [("Mcp-Session-Id", session), ("MCP-Protocol-Version", revision)];
    [
        (asked("no/such"), 200, -32601, "method not found"),
        (asked("PING"), 200, -32601, "method not found"),
        (call("\"echo__nothing\""), 200, -32602, "unknown tool"),
        (call("\"nobody__echo\""), 200, -32602, "unknown tool"),
        (call("\"../../etc/passwd\""), 200, -32602, "unknown tool"),
        (call("\"\\u0000\""), 200, -32602, "unknown tool"),
        (call("1"), 200, -32602, "needs params.name"),
        (asked("tools/call"), 200, -32602, "needs params.name"),
        (asked("resources/read"), 200, -32602, "needs params.uri"),
        (asked("prompts/get"), 200, -32602, "needs params.name"),
    ]
    .into_iter()
    .map(|(body, status, code, says)| {
        let bytes = stage.post_to("/mcp", &headers, &body);
        Row::refused(format!("{revision}, all servers: {body}"), bytes, status, code, says).with_id("7")
    })
    .collect()
}

/// Messages that are well-formed and ask for what there is not. What only the server can know is asked of it.
fn in_session(stage: &Stage, revision: &str, session: &str) -> Vec<Row> {
    let post =
        |body: &str| stage.post(&[("Mcp-Session-Id", session), ("MCP-Protocol-Version", revision)], body);
    let again = r#"{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25",
        "capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    let mut rows = Vec::new();
    for (body, status, code, says) in [
        (asked("no/such"), 200, -32601, "no such method"),
        (call("\"nothing\""), 200, -32602, "no such tool"),
        (call("\"../../etc/passwd\""), 200, -32602, "no such tool"),
        (asked("tools/call"), 200, -32602, "needs params.name"),
        (asked("initialize"), 400, -32602, "protocolVersion is required"),
        (again.to_owned(), 400, -32600, "invalid request"),
    ] {
        rows.push(Row::refused(format!("{revision}: {body}"), post(&body), status, code, says).with_id("7"));
    }
    for id in
        ["9007199254740993", "-9223372036854775809", "18446744073709551616", "\"\\u0041\"", "\"\u{1f9f0}\""]
    {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        rows.push(Row::fine(format!("{revision}: id {id}"), post(&body), 200, format!("\"id\":{id}")));
    }
    let exact = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo",
        "arguments":{"message":[9007199254740993,12345678901234567890123]}}}"#;
    let says = "\"text\": [9007199254740993, 12345678901234567890123]";
    rows.push(Row::fine(format!("{revision}: large numbers"), post(exact), 200, says));
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/no-such"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":404}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","id":404,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
    ] {
        rows.push(Row::fine(format!("{revision}: {body}"), post(body), 202, ""));
    }
    rows
}

/// Batches: 2025-03-26 has them, and its rows are to be added here and nowhere else.
fn batches(stage: &Stage, revision: &str, headers: &[(&str, &str)]) -> Vec<Row> {
    if revision == "2025-03-26" {
        return Vec::new();
    }
    ["[]", "[1]", r#"[{"jsonrpc":"2.0","id":7,"method":"ping"}]"#, " [[]]"]
        .into_iter()
        .map(|body| row(revision, &stage.post(headers, body), body.as_bytes(), -32600, "batches", "null"))
        .collect()
}
