//! `mcp-orch call`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use orch_config::cli::Call;
use serde_json::Value;

use crate::admin::{Answer, Request, ask};
use crate::terminal;

pub(crate) async fn run(args: Call) -> anyhow::Result<ExitCode> {
    let Call { state, tool, arguments, timeout_s, json } = args;
    let request = Request::Call { project: state.project, tool, arguments, timeout_s };
    let Answer::Called(text) = ask(&state.data_dir, request).await? else { bail!("unexpected answer") };
    let response: Value = serde_json::from_str(&text).context("the answer is not JSON")?;
    if let Some(error) = response.get("error") {
        bail!("{}", error.get("message").and_then(Value::as_str).unwrap_or("the call failed"));
    }
    let result = response.get("result").unwrap_or(&Value::Null);
    if json {
        terminal::line(&serde_json::to_string_pretty(result)?);
    } else {
        show(result);
    }
    let failed = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Text as it is, everything else as the JSON that it is.
fn show(result: &Value) {
    let content = result.get("content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for block in content {
        match block.get("text").and_then(Value::as_str) {
            Some(text) => terminal::line(text),
            None => terminal::line(&block.to_string()),
        }
    }
}
