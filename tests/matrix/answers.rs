//! What a client says to what it is asked.

use serde_json::{Value, json};

/// What a client does about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Answers,
    /// Reports progress, and does not answer.
    Reports,
    /// Says nothing, until the server takes the question back.
    Waits,
}

/// The result for a question, by what it asks for. Each is told from the others by the server.
pub(crate) fn answer(question: &Value) -> Value {
    let params = &question["params"];
    match question["method"].as_str() {
        Some("roots/list") => json!({ "roots": [{ "uri": "file:///matrix", "name": "matrix" }] }),
        Some("elicitation/create") if params["mode"] == "url" => json!({ "action": "accept" }),
        Some("elicitation/create") => json!({ "action": "accept", "content": { "word": "blue" } }),
        Some("sampling/createMessage") if params.get("tools").is_some() => json!({
            "role": "assistant", "model": "matrix", "stopReason": "toolUse",
            "content": [{ "type": "tool_use", "id": "look-1", "name": "look", "input": {} }],
        }),
        Some(_) | None => json!({
            "role": "assistant", "model": "matrix", "stopReason": "endTurn",
            "content": { "type": "text", "text": "a thought" },
        }),
    }
}
