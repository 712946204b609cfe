//! `mcp-orch call`.

use std::borrow::Cow;
use std::process::ExitCode;

use anyhow::{Context, bail};
use orch_config::cli::Call;
use serde_json::value::RawValue;

use crate::admin::{Answer, Request, ask};
use crate::json::{Look, pretty};
use crate::terminal;

pub(crate) async fn run(args: Call) -> anyhow::Result<ExitCode> {
    let Call { state, tool, arguments, timeout_s, json } = args;
    let request = Request::Call { project: state.project, tool, arguments, timeout_s };
    let Answer::Called(text) = ask(&state.data_dir, request).await? else { bail!("unexpected answer") };
    let response: &RawValue = serde_json::from_str(&text).context("the answer is not JSON")?;
    if let Some(error) = response.member("error") {
        bail!("{}", error.member("message").map_or_else(|| "the call failed".into(), spoken));
    }
    let result = response.member("result").unwrap_or(RawValue::NULL);
    if json {
        terminal::line(&pretty(result));
    } else {
        show(result);
    }
    let failed = result.member("isError").is_some_and(Look::is_true);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Text as it is, everything else as the JSON that it is.
fn show(result: &RawValue) {
    for block in result.member("content").map_or_else(Vec::new, Look::elements) {
        match block.member("text").and_then(Look::text) {
            Some(text) => terminal::line(&text),
            None => terminal::line(block.get()),
        }
    }
}

/// A string as its text, if it has one.
fn spoken(words: &RawValue) -> Cow<'_, str> {
    words.text().unwrap_or_else(|| words.get().into())
}
