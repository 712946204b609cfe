//! Gemini's content generation.

use serde_json::{Value, json};

use super::{Answer, Prompt, Tool, items, stream};

pub(super) fn read(request: &Value) -> Prompt {
    let tools = items(&request["tools"]).iter().flat_map(|group| items(&group["functionDeclarations"]));
    let parts = items(&request["contents"]).iter().flat_map(|content| items(&content["parts"]));
    let mut results = parts.filter_map(|part| part.get("functionResponse"));
    Prompt {
        tools: tools.filter_map(|tool| Tool::named(&tool["name"])).collect(),
        result: results.next_back().cloned(),
    }
}

pub(super) fn write(answer: &Answer) -> String {
    let part = match answer {
        Answer::Call { tool, arguments } => {
            json!({ "functionCall": { "name": tool.name, "args": arguments } })
        }
        Answer::Say(text) => json!({ "text": text }),
    };
    let content = json!({ "role": "model", "parts": [part] });
    stream(&[json!({
        "candidates": [{ "content": content, "finishReason": "STOP", "index": 0 }],
        "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2 },
        "modelVersion": "model",
    })])
}
