//! The languages in which agents speak to models. A dialect tells what a request comes to, and writes the answer.

mod anthropic;
mod chat;
mod gemini;
mod responses;

use std::fmt::Write as _;

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Anthropic's Messages
    Anthropic,
    /// `OpenAI`'s chat completions
    Chat,
    /// Gemini's content generation
    Gemini,
    /// `OpenAI`'s Responses
    Responses,
}

/// What a request comes to.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    pub(crate) tools: Vec<Tool>,
    /// What the last tool that was called answered, as the agent tells it.
    pub(crate) result: Option<Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// The group that the tool is offered in, in dialects that have groups.
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// What a model does.
#[derive(Debug)]
pub(crate) enum Answer {
    Call { tool: Tool, arguments: Value },
    Say(String),
}

impl Dialect {
    /// The dialect whose requests for an answer are posted to this path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.rsplit(['/', ':']).next() {
            Some("completions") => Some(Self::Chat),
            Some("messages") => Some(Self::Anthropic),
            Some("responses") => Some(Self::Responses),
            Some("streamGenerateContent") => Some(Self::Gemini),
            Some(_) | None => None,
        }
    }

    pub(crate) fn read(self, request: &Value) -> Prompt {
        match self {
            Self::Anthropic => anthropic::read(request),
            Self::Chat => chat::read(request),
            Self::Gemini => gemini::read(request),
            Self::Responses => responses::read(request),
        }
    }

    /// An answer as a stream of events.
    pub(crate) fn write(self, answer: &Answer) -> String {
        match self {
            Self::Anthropic => anthropic::write(answer),
            Self::Chat => chat::write(answer),
            Self::Gemini => gemini::write(answer),
            Self::Responses => responses::write(answer),
        }
    }
}

impl Tool {
    fn named(name: &Value) -> Option<Self> {
        Some(Self { namespace: None, name: name.as_str()?.to_owned() })
    }
}

/// The items of an array, none if it is missing.
fn items(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}

/// Events that are named by their type, where they have one.
fn stream(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        if let Some(name) = event["type"].as_str() {
            writeln!(text, "event: {name}").expect("memory");
        }
        write!(text, "data: {event}\n\n").expect("memory");
    }
    text
}
