//! Anthropic's Messages.

use serde_json::{Value, json};

use super::{Answer, Prompt, Tool, items, stream};

pub(super) fn read(request: &Value) -> Prompt {
    let blocks = items(&request["messages"]).iter().flat_map(|message| items(&message["content"]));
    let mut results = blocks.filter(|block| block["type"] == "tool_result");
    Prompt {
        tools: items(&request["tools"]).iter().filter_map(|tool| Tool::named(&tool["name"])).collect(),
        result: results.next_back().map(|block| block["content"].clone()),
    }
}

pub(super) fn write(answer: &Answer) -> String {
    let (block, delta, reason) = match answer {
        Answer::Call { tool, arguments } => (
            json!({ "type": "tool_use", "id": "toolu_1", "name": tool.name, "input": {} }),
            json!({ "type": "input_json_delta", "partial_json": arguments.to_string() }),
            "tool_use",
        ),
        Answer::Say(text) => {
            (json!({ "type": "text", "text": "" }), json!({ "type": "text_delta", "text": text }), "end_turn")
        }
    };
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "model", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 1, "output_tokens": 1 },
    });
    stream(&[
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta",
            "delta": { "stop_reason": reason, "stop_sequence": null },
            "usage": { "output_tokens": 1 },
        }),
        json!({ "type": "message_stop" }),
    ])
}
