//! Requests of the stateless revision: what the headers say must be what the body says, and every request says who
//! sends it.

use super::messages::{no_json, no_rpc, row};
use super::row::{Row, check};
use super::stage::Stage;

const REVISION: &str = "2026-07-28";
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

#[tokio::test]
async fn requests_of_the_stateless_revision_are_judged_by_headers_and_body() {
    let stage = Stage::new().await;
    let mut rows = headers(&stage);
    rows.extend(meta(&stage));
    rows.extend(bodies(&stage));
    for (body, code, says, id) in no_json().into_iter().chain(no_rpc()) {
        let headers = [("MCP-Protocol-Version", REVISION), ("Mcp-Method", "ping")];
        rows.push(row(REVISION, &stage.post(&headers, &body), &body, code, says, id));
    }
    for body in ["[]", r#"[{"jsonrpc":"2.0","id":7,"method":"tools/list"}]"#] {
        let bytes = stage.post(&[("MCP-Protocol-Version", REVISION)], body);
        rows.push(row(REVISION, &bytes, body.as_bytes(), -32600, "batches", "null"));
    }
    check(&stage, rows).await;
}

fn call(name: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}","arguments":{{"message":"well"}},{META}}}}}"#
    )
}

type Headers<'h> = &'h [(&'h str, &'h str)];

/// Headers that do not fit a call of the tool `echo`.
fn headers(stage: &Stage) -> Vec<Row> {
    let version = ("MCP-Protocol-Version", REVISION);
    let (method, name) = (("Mcp-Method", "tools/call"), ("Mcp-Name", "echo"));
    let cases: [(&str, Headers<'_>, &str); 15] = [
        ("no version header", &[method, name], "MCP-Protocol-Version is required"),
        (
            "another version header",
            &[("MCP-Protocol-Version", "2025-11-25"), method, name],
            "MCP-Protocol-Version does not",
        ),
        (
            "an empty version header",
            &[("MCP-Protocol-Version", ""), method, name],
            "MCP-Protocol-Version does not",
        ),
        ("no method header", &[version, name], "Mcp-Method is required"),
        ("another method header", &[version, ("Mcp-Method", "tools/list"), name], "Mcp-Method does not"),
        ("the method in other case", &[version, ("Mcp-Method", "Tools/Call"), name], "Mcp-Method does not"),
        ("no name header", &[version, method], "Mcp-Name is required"),
        ("another name header", &[version, method, ("Mcp-Name", "other")], "Mcp-Name does not"),
        ("the name in other case", &[version, method, ("Mcp-Name", "Echo")], "Mcp-Name does not"),
        (
            "base64 of another name",
            &[version, method, ("Mcp-Name", "=?base64?b3RoZXI=?=")],
            "Mcp-Name does not",
        ),
        (
            "base64 without padding",
            &[version, method, ("Mcp-Name", "=?base64?ZWNobw?=")],
            "Mcp-Name does not",
        ),
        (
            "base64 with other letters",
            &[version, method, ("Mcp-Name", "=?base64?!!!!?=")],
            "Mcp-Name does not",
        ),
        (
            "base64 that is not UTF-8",
            &[version, method, ("Mcp-Name", "=?base64?//8=?=")],
            "Mcp-Name does not",
        ),
        (
            "base64 in other case",
            &[version, method, ("Mcp-Name", "=?BASE64?ZWNobw==?=")],
            "Mcp-Name does not",
        ),
        ("base64 without an end", &[version, method, ("Mcp-Name", "=?base64?ZWNobw==")], "Mcp-Name does not"),
    ];
    let mut rows: Vec<Row> = cases
        .into_iter()
        .map(|(case, headers, says)| {
            Row::refused(case, stage.post(headers, call("echo")), 400, -32020, says).with_id("7")
        })
        .collect();
    let good = [version, method, ("Mcp-Name", "=?base64?ZWNobw==?=")];
    rows.push(Row::fine("base64 of the name", stage.post(&good, call("echo")), 200, "\"text\": \"well\""));
    let stray = [version, method, name, ("Mcp-Session-Id", "x"), ("Last-Event-ID", "9")];
    rows.push(Row::fine("a stray session", stage.post(&stray, call("echo")), 200, "\"text\": \"well\""));
    let twice = [version, version, method, name];
    rows.push(Row::refused("the version twice", stage.post(&twice, call("echo")), 400, -32600, "sent twice"));
    rows
}

/// What a request has to say of its client.
fn meta(stage: &Stage) -> Vec<Row> {
    let list = |meta: &str, version: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{{"_meta":{meta}}}}}"#);
        stage.post(&[("MCP-Protocol-Version", version), ("Mcp-Method", "tools/list")], body)
    };
    let bare = stage.post(
        &[("MCP-Protocol-Version", REVISION), ("Mcp-Method", "tools/list")],
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#,
    );
    let with = |version: &str, capabilities: &str| {
        format!(
            r#"{{"io.modelcontextprotocol/protocolVersion":{version},"io.modelcontextprotocol/clientCapabilities":{capabilities}}}"#
        )
    };
    let mut rows = vec![
        ("no _meta", bare, -32602, "protocolVersion\\\"] is required"),
        ("an empty _meta", list("{}", REVISION), -32602, "protocolVersion\\\"] is required"),
        ("_meta that is no object", list("[]", REVISION), -32602, "_meta must be an object"),
        (
            "a version that is no text",
            list(&with("1", "{}"), REVISION),
            -32602,
            "protocolVersion\\\"] must be a string",
        ),
        (
            "no capabilities",
            list(r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#, REVISION),
            -32602,
            "clientCapabilities\\\"] is required",
        ),
        (
            "capabilities that are no object",
            list(&with("\"2026-07-28\"", "[]"), REVISION),
            -32602,
            "clientCapabilities\\\"] must be an object",
        ),
    ];
    for version in ["2099-01-01", "2025-11-25", "draft", "2026-07-28 "] {
        // A header has no space at its end.
        let quoted = format!("\"{version}\"");
        let (code, says) = if version.trim_end() == version {
            (-32022, "\"supported\":[\"2026-07-28\"]")
        } else {
            (-32020, "MCP-Protocol-Version does not")
        };
        rows.push((version, list(&with(&quoted, "{}"), version), code, says));
    }
    rows.into_iter()
        .map(|(case, bytes, code, says)| Row::refused(case, bytes, 400, code, says).with_id("7"))
        .collect()
}

/// Requests that are well-formed and ask for what there is not.
fn bodies(stage: &Stage) -> Vec<Row> {
    let post = |method: &str, name: Option<&str>, params: &str| {
        let body = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{{params}{META}}}}}"#);
        let mut headers = vec![("MCP-Protocol-Version", REVISION), ("Mcp-Method", method)];
        headers.extend(name.map(|name| ("Mcp-Name", name)));
        stage.post(&headers, body)
    };
    let mut rows = Vec::new();
    // What no revision has, the server is asked.
    for (method, says) in [
        ("no/such", "no such method"),
        ("ping", "method not found"),
        ("logging/setLevel", "method not found"),
        ("resources/subscribe", "method not found"),
        ("TOOLS/LIST", "no such method"),
    ] {
        let bytes = post(method, None, "");
        rows.push(Row::refused(format!("{REVISION}: {method}"), bytes, 404, -32601, says).with_id("7"));
    }
    let begin = post("initialize", None, "");
    let says = "method not found";
    rows.push(Row::refused("a handshake", begin, 404, -32601, says).with_id("7"));
    let tool = post("tools/call", Some("nothing"), r#""name":"nothing","arguments":{},"#);
    rows.push(Row::refused("an unknown tool", tool, 200, -32602, "no such tool").with_id("7"));
    let cursor = post("tools/list", None, r#""cursor":"x","#);
    rows.push(Row::refused("an unknown cursor", cursor, 200, -32602, "cursor").with_id("7"));
    let made_up = post(
        "tools/call",
        Some("echo"),
        r#""name":"echo","arguments":{},"requestState":"x","inputResponses":{},"#,
    );
    rows.push(Row::refused("a made-up requestState", made_up, 200, -32602, "requestState").with_id("7"));
    rows
}
