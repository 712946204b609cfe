//! `OpenAI`'s Responses. Tools may be offered in namespaces, and are called with theirs.

use serde_json::{Value, json};

use super::{Answer, Prompt, Tool, items, stream};

pub(super) fn read(request: &Value) -> Prompt {
    let mut results = items(&request["input"]).iter().filter(|item| item["type"] == "function_call_output");
    Prompt {
        tools: items(&request["tools"]).iter().flat_map(tools).collect(),
        result: results.next_back().map(|item| item["output"].clone()),
    }
}

/// A tool, or those of a namespace.
fn tools(offer: &Value) -> Vec<Tool> {
    let Some(mut offered) = Tool::named(&offer["name"]) else { return Vec::new() };
    if offer["type"] != "namespace" {
        return vec![offered];
    }
    let members = items(&offer["tools"]).iter().filter_map(|tool| tool["name"].as_str());
    let namespace = Some(std::mem::take(&mut offered.name));
    members.map(|name| Tool { namespace: namespace.clone(), name: name.to_owned() }).collect()
}

pub(super) fn write(answer: &Answer) -> String {
    let item = match answer {
        Answer::Call { tool, arguments } => {
            let mut call = json!({
                "type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed",
                "name": tool.name, "arguments": arguments.to_string(),
            });
            if let Some(namespace) = &tool.namespace {
                call["namespace"] = json!(namespace);
            }
            call
        }
        Answer::Say(text) => json!({
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": text, "annotations": [] }],
        }),
    };
    let usage = json!({ "input_tokens": 1, "output_tokens": 1, "total_tokens": 2 });
    let response = json!({ "id": "resp_1", "status": "completed", "output": [&item], "usage": usage });
    stream(&[
        json!({ "type": "response.created", "response": { "id": "resp_1" } }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "response": response }),
    ])
}
