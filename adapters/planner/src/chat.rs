//! Chat completions: the interface of `OpenAI`, which many have, and Azure AI Foundry's, which differs in address and header.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
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
/// What that interface does with fields that it does not know itself: without it, it refuses them.
const EXTRA: (HeaderName, HeaderValue) =
    (HeaderName::from_static("extra-parameters"), HeaderValue::from_static("pass-through"));

const OLD_BOUND: &str = "max_tokens";
/// `OpenAI`'s own models that think refuse the old name; many others know no new one.
const NEW_BOUND: &str = "max_completion_tokens";

pub(crate) fn openai(
    question: &Question,
    url: Option<&str>,
    key: Option<&Secret>,
) -> Result<Outgoing, PlannerFault> {
    let base = url.unwrap_or(OPENAI).trim_end_matches('/');
    let bound = if base == OPENAI || is_of_openai(base) { NEW_BOUND } else { OLD_BOUND };
    let outgoing = Outgoing::new(&format!("{base}/chat/completions"), &body(question, bound))?;
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
    let is_inference = base.ends_with("/models");
    let version = version.or_else(|| is_inference.then_some(INFERENCE_VERSION));
    let query = version.map(|version| format!("?api-version={version}")).unwrap_or_default();
    let url = format!("{base}/chat/completions{query}");
    let bound = if is_of_openai(base) || thinks(&question.model) { NEW_BOUND } else { OLD_BOUND };
    let mut outgoing = Outgoing::new(&url, &body(question, bound))?;
    if is_inference && bound == NEW_BOUND {
        outgoing.headers.extend([EXTRA]);
    }
    outgoing.with_secret(API_KEY, "", key)
}

/// Whether there is `OpenAI`'s own interface at an address.
fn is_of_openai(base: &str) -> bool {
    base.ends_with("/openai/v1")
}

/// Whether a model is by its name one of those of `OpenAI` that think: gpt-5 and what comes after it, o1, o3, o4-mini.
fn thinks(model: &str) -> bool {
    let model = model.to_ascii_lowercase();
    let words: Vec<&str> = model.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let is_digit = |text: &str| matches!(text.as_bytes(), [b'1'..=b'9']);
    // Azure calls an old one gpt-35.
    let is_new = |text: &str| is_digit(text) && text >= "5";
    let series = words.iter().any(|word| word.strip_prefix('o').is_some_and(is_digit));
    let named = |pair: &[&str]| matches!(pair, ["gpt", version] if is_new(version));
    series
        || words.windows(2).any(named)
        || words.iter().any(|word| word.strip_prefix("gpt").is_some_and(is_new))
}

fn body(question: &Question, bound: &str) -> Value {
    let mut messages = vec![json!({"role": "system", "content": question.prompt.system})];
    let turns = question.prompt.turns.iter();
    messages.extend(turns.map(|turn| json!({"role": turn.role.name(), "content": turn.text})));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_think_are_known_by_their_names() {
        for model in [
            "gpt-5",
            "GPT-5-mini",
            "gpt-5.1-chat",
            "my-gpt-5",
            "gpt5",
            "gpt-6",
            "o1",
            "o3-mini",
            "acme_o4-mini",
        ] {
            assert!(thinks(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1",
            "gpt-35-turbo",
            "gpt-oss-120b",
            "phi-4",
            "mistral-large-2411",
            "olmo-2",
            "Llama-3.3-70B",
            "",
        ] {
            assert!(!thinks(model), "{model}");
        }
    }
}
