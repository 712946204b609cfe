//! What servers ask their clients: it reaches the client and its answer reaches the server, or the call fails and the
//! client hears nothing of it.

use orch_core::mcp::Asking;
use serde_json::{Value, json};

use crate::answers::answer;
use crate::feature::{has_question, question};
use crate::stage::{Outcome, Stage, ensure};

pub(crate) async fn check(stage: &Stage, asking: Asking) -> Outcome {
    let (kind, method) = question(asking);
    let talk = stage.line.call("extra_ask", json!({ "kind": kind })).await?;
    if !(has_question(stage.client.revision(), asking) && has_question(stage.server, asking)) {
        return ensure(talk.asked.is_empty() && talk.failed(), || format!("the call is to fail: {talk:?}"));
    }
    let [asked] = &*talk.asked else { return Err(format!("one question is to come: {talk:?}")) };
    let params = &asked["params"];
    let same = asked["method"] == method
        && match asking {
            Asking::Form => params["requestedSchema"]["required"] == json!(["word"]),
            Asking::Roots => true,
            Asking::Sampling => params["maxTokens"] == 10 && params.get("tools").is_none(),
            Asking::SamplingTools => params["tools"][0]["name"] == "look",
            Asking::Url => params["mode"] == "url" && params["url"] == "https://example.org/sign-in",
        };
    ensure(same, || format!("not what the server has asked: {asked}"))?;
    let told = answer(asked);
    let part = match asking {
        Asking::Form | Asking::Sampling | Asking::SamplingTools => &told["content"],
        Asking::Roots => &told["roots"],
        Asking::Url => &told["action"],
    };
    let reached = serde_json::from_str(talk.text()).unwrap_or_default();
    ensure(!talk.failed() && holds(&reached, part), || {
        format!("the answer {part} does not reach the server: {}", talk.answer)
    })
}

/// Whether a value is somewhere in another.
fn holds(value: &Value, part: &Value) -> bool {
    let within = |value: &Value| holds(value, part);
    let inner = value.as_array().is_some_and(|items| items.iter().any(within))
        || value.as_object().is_some_and(|members| members.values().any(within));
    value == part || inner
}
