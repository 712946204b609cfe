//! `OpenAI`'s chat completions, which half of the world speaks.

use serde_json::{Value, json};

use super::{Answer, Prompt, Tool, items, stream};

pub(super) fn read(request: &Value) -> Prompt {
    let tools = items(&request["tools"]).iter();
    let mut results = items(&request["messages"]).iter().filter(|message| message["role"] == "tool");
    Prompt {
        tools: tools.filter_map(|tool| Tool::named(&tool["function"]["name"])).collect(),
        result: results.next_back().map(|message| message["content"].clone()),
    }
}

pub(super) fn write(answer: &Answer) -> String {
    let (delta, reason) = match answer {
        Answer::Call { tool, arguments } => {
            let function = json!({ "name": tool.name, "arguments": arguments.to_string() });
            let call = json!({ "index": 0, "id": "call_1", "type": "function", "function": function });
            (json!({ "role": "assistant", "content": null, "tool_calls": [call] }), "tool_calls")
        }
        Answer::Say(text) => (json!({ "role": "assistant", "content": text }), "stop"),
    };
    let chunk = |delta: Value, reason: Option<&str>| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }],
            "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
        })
    };
    stream(&[chunk(delta, None), chunk(json!({}), Some(reason))]) + "data: [DONE]\n\n"
}
