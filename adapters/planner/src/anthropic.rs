//! Anthropic's Messages interface.

use http::header::{HeaderName, HeaderValue};
use orch_core::planner::Secret;
use orch_core::ports::planner::{PlannerFault, Question, Usage, Written};
use serde::Deserialize;
use serde_json::json;

use crate::exchange::Outgoing;
use crate::stop;

const ANTHROPIC: &str = "https://api.anthropic.com";
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

pub(crate) fn request(
    question: &Question,
    url: Option<&str>,
    key: &Secret,
) -> Result<Outgoing, PlannerFault> {
    let base = url.unwrap_or(ANTHROPIC).trim_end_matches('/');
    let turns = question.prompt.turns.iter();
    let messages: Vec<_> =
        turns.map(|turn| json!({"role": turn.role.name(), "content": turn.text})).collect();
    let body = json!({
        "model": question.model,
        "max_tokens": question.max_tokens,
        "system": question.prompt.system,
        "messages": messages,
    });
    let mut outgoing = Outgoing::new(&format!("{base}/v1/messages"), &body)?;
    outgoing.headers.insert(VERSION, HeaderValue::from_static("2023-06-01"));
    outgoing.with_secret(API_KEY, "", key)
}

#[derive(Deserialize)]
struct Message {
    content: Vec<Block>,
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Tokens,
}

/// Of a block that is no text (what a model thinks), nothing is read.
#[derive(Deserialize)]
struct Block {
    text: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
}

pub(crate) fn read(body: &[u8]) -> Option<Written> {
    let Message { content, stop_reason, usage } = serde_json::from_slice(body).ok()?;
    let text = content.into_iter().filter_map(|block| block.text).collect();
    let usage = Usage { input: usage.input_tokens, output: usage.output_tokens };
    Some(stop::written(text, usage, stop_reason.as_deref()))
}
