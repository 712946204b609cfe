//! Why a model has stopped, in the words of all providers.

use orch_core::ports::planner::{Usage, Written};
use serde_json::json;

/// What a model has written, by the reason for which it has stopped. One that was stopped for what it was asked, or wrote, makes
/// no plan: that is said in the way of those that cannot make one, and it is not asked again.
pub(crate) fn written(text: String, usage: Usage, reason: Option<&str>) -> Written {
    let cut = matches!(reason, Some("length" | "max_tokens" | "model_context_window_exceeded"));
    let declined = reason.filter(|reason| {
        matches!(*reason, "content_filter" | "content_filtered" | "guardrail_intervened" | "refusal")
    });
    let text = match declined {
        Some(reason) if text.is_empty() => impossible(&format!("the model was stopped ({reason})")),
        Some(reason) => impossible(&format!("the model was stopped ({reason}): {text}")),
        None => text,
    };
    Written { text, usage, cut }
}

/// An answer that says that there is no plan, and why.
pub(crate) fn impossible(why: &str) -> String {
    json!({ "impossible": why }).to_string()
}
