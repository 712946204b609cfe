//! Rules about tools: how they are listed, and what becomes of a call.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::CallToolRequestParams;
use rmcp::service::ServiceError;
use serde_json::json;
use tokio::task::JoinSet;

use super::subject::{Subject, json_of};
use crate::process::eventually;

const MEBIBYTE: usize = 1024 * 1024;

// What is most easily lost on the way: planes beyond the first, line separators, escapes, joiners, direction.
const UNICODE: &str =
    "Zürich 東京 𝄞 👩\u{200d}👧 \u{2028} \"quoted\" \\back\\ \0\u{7}\n\r\t e\u{301} \u{200f}עברית";

pub(super) async fn tools(subject: Arc<Subject>) {
    let first = json_of(subject.peer.list_all_tools().await);
    let second = json_of(subject.peer.list_all_tools().await);
    assert_eq!(first, second, "a list is the same twice");
    let tools = first.as_array().expect("a list");
    let echo = tools.iter().find(|tool| tool["name"] == format!("{}echo", subject.prefix));
    let echo = echo.unwrap_or_else(|| panic!("no echo in {first}"));
    assert_eq!(echo["inputSchema"]["properties"]["message"]["type"], "string");
    assert_eq!(echo["annotations"]["readOnlyHint"], true);
    let names: BTreeSet<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert_eq!(names.len(), tools.len(), "names are unique");
}

pub(super) async fn echo(subject: Arc<Subject>) {
    subject.echo(UNICODE).await;
    subject.echo("").await;
}

pub(super) async fn structured_content(subject: Arc<Subject>) {
    let result = subject.call("get-structured-content", json!({ "location": "Chicago" })).await;
    let weather = json!({ "temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82 });
    assert_eq!(result["structuredContent"], weather);
}

/// The SDK hands on progress and answers on different ways, so that only the wire tells which came first.
pub(super) async fn progress(subject: Arc<Subject>) {
    let handle =
        subject.start("trigger-long-running-operation", json!({ "duration": 0.5, "steps": 5 })).await;
    let token = handle.progress_token.clone();
    let result = json_of(handle.await_response().await);
    assert!(result["content"][0]["text"].to_string().contains("completed"), "{result}");
    let seen = || {
        let heard = subject.heard.lock().expect("what was heard");
        let own = heard.progress.iter().filter(|(of, _)| *of == token);
        let mut steps: Vec<f64> = own.map(|(_, step)| *step).collect();
        steps.sort_by(f64::total_cmp);
        steps
    };
    eventually("all progress is heard", Duration::from_secs(2), || seen().len() >= 5).await;
    assert_eq!(seen(), [1.0, 2.0, 3.0, 4.0, 5.0]);
}

pub(super) async fn cancellation(subject: Arc<Subject>) {
    let handle =
        subject.start("trigger-long-running-operation", json!({ "duration": 30, "steps": 300 })).await;
    let token = handle.progress_token.clone();
    eventually("the call is under way", Duration::from_secs(10), || {
        subject.heard.lock().expect("what was heard").progress.iter().any(|(of, _)| *of == token)
    })
    .await;
    handle.cancel(Some("enough".to_owned())).await.expect("the cancellation is sent");
    subject.echo("after the cancellation").await;
}

pub(super) async fn big_argument(subject: Arc<Subject>) {
    subject.echo(&"0123456789abcdef".repeat(MEBIBYTE / 16)).await;
}

pub(super) async fn parallel_calls(subject: Arc<Subject>) {
    let mut calls = JoinSet::new();
    for index in 0..50 {
        let subject = Arc::clone(&subject);
        calls.spawn(async move { subject.echo(&format!("call {index}")).await });
    }
    calls.join_all().await;
}

pub(super) async fn unknown_tool(subject: Arc<Subject>) {
    let outcome = subject.peer.call_tool(subject.call_params("no-such-tool", &json!({}))).await;
    match outcome {
        Err(ServiceError::McpError(error)) => assert_eq!(error.code.0, -32602, "{error:?}"),
        Ok(result) => assert_eq!(result.is_error, Some(true), "{result:?}"),
        Err(other) => panic!("{other}"),
    }
}

pub(super) async fn dotted_tool_name(subject: Arc<Subject>) {
    let arguments = json!({ "message": "dotted" });
    let params = CallToolRequestParams::new("everything.echo");
    let params = params.with_arguments(arguments.as_object().expect("an object").clone());
    assert_eq!(json_of(subject.peer.call_tool(params).await)["content"][0]["text"], "Echo: dotted");
}
