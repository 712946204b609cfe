//! Chat completions: the interface of `OpenAI`, which many have, and Azure AI Foundry's, which differs in address and header.

use http::header::{AUTHORIZATION, HeaderName};
use orch_core::planner::Secret;
use orch_core::ports::planner::{PlannerFault, Question, Usage, Written};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::exchange::Outgoing;
use crate::stop;

const OPENAI: &str = "https://api.openai.com/v1";
const API_KEY: HeaderName = HeaderName::from_static("api-key");
/// The version of the Azure AI model inference interface (`.../models`), which cannot go without one.
const INFERENCE_VERSION: &str = "2024-05-01-preview";

pub(crate) fn openai(
    question: &Question,
    url: Option<&str>,
    key: Option<&Secret>,
) -> Result<Outgoing, PlannerFault> {
    let base = url.unwrap_or(OPENAI).trim_end_matches('/');
    let outgoing = Outgoing::new(&format!("{base}/chat/completions"), &body(question, base))?;
    match key.filter(|key| !key.0.is_empty()) {
        Some(key) => outgoing.with_secret(AUTHORIZATION, "Bearer ", key),
        None => Ok(outgoing),
    }
}

pub(crate) fn azure(
    question: &Question,
    url: &str,
    version: Option<&str>,
    key: &Secret,
) -> Result<Outgoing, PlannerFault> {
    let base = url.trim_end_matches('/');
    let version = version.or_else(|| base.ends_with("/models").then_some(INFERENCE_VERSION));
    let query = version.map(|version| format!("?api-version={version}")).unwrap_or_default();
    let url = format!("{base}/chat/completions{query}");
    Outgoing::new(&url, &body(question, base))?.with_secret(API_KEY, "", key)
}

fn body(question: &Question, base: &str) -> Value {
    let mut messages = vec![json!({"role": "system", "content": question.prompt.system})];
    let turns = question.prompt.turns.iter();
    messages.extend(turns.map(|turn| json!({"role": turn.role.name(), "content": turn.text})));
    // `OpenAI`'s own models that think refuse the old name; many others know no new one.
    let bound =
        if base == OPENAI || base.ends_with("/openai/v1") { "max_completion_tokens" } else { "max_tokens" };
    json!({"model": question.model, "messages": messages, bound: question.max_tokens, "stream": false})
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
    refusal: Option<String>,
}

/// Some gateways answer with parts, as requests may have them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part that is no text has none.
#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

impl Content {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

pub(crate) fn read(body: &[u8]) -> Option<Written> {
    let Completion { choices, usage } = serde_json::from_slice(body).ok()?;
    let Choice { message, finish_reason } = choices.into_iter().next()?;
    let text = message.content.map(Content::text).filter(|text| !text.is_empty());
    // A model that refuses makes no plan: that is said in the way of those that cannot make one.
    let refusal = || message.refusal.map(|words| stop::impossible(&words));
    let text = text.or_else(refusal).unwrap_or_default();
    let Tokens { prompt_tokens, completion_tokens } = usage.unwrap_or_default();
    let usage = Usage { input: prompt_tokens, output: completion_tokens };
    Some(stop::written(text, usage, finish_reason.as_deref()))
}
