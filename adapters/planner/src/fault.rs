//! What a provider that refuses has said, in words that are fit for a user.

use orch_core::ports::planner::{PlannerFault, PlannerFaultKind};
use serde::Deserialize;

/// What is repeated of a provider's own words, in bytes.
const WORDS_BYTES: usize = 400;

pub(crate) fn fault(kind: PlannerFaultKind, words: &str) -> PlannerFault {
    PlannerFault { kind, words: words.to_owned() }
}

/// An error as each of the providers writes it: `OpenAI` and Azure, Anthropic, AWS.
#[derive(Default, Deserialize)]
struct Body {
    error: Option<Error>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(Default, Deserialize)]
struct Error {
    #[serde(default)]
    message: String,
    code: Option<serde_json::Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    details: Details,
}

#[derive(Default, Deserialize)]
struct Details {
    error_code: Option<String>,
}

/// Why money is missing, not room: to ask again is in vain.
const SPENT: [&str; 3] = ["insufficient_quota", "credit_balance_exhausted", "enforced_spend_limit_reached"];

/// A refusal by status, body and, at AWS, the name of the error.
pub(crate) fn refusal(status: u16, named: Option<&str>, body: &[u8], secrets: &[String]) -> PlannerFault {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let error = body.error.unwrap_or_default();
    let code = error.code.as_ref().and_then(serde_json::Value::as_str);
    let spent = [code, error.kind.as_deref(), error.details.error_code.as_deref()];
    let spent = spent.into_iter().flatten().any(|code| SPENT.contains(&code));
    let kind = match status {
        _ if spent => PlannerFaultKind::Refused,
        429 | 503 | 529 => PlannerFaultKind::Throttled,
        408 | 504 => PlannerFaultKind::TimedOut,
        400..=499 => PlannerFaultKind::Refused,
        _ => PlannerFaultKind::Unavailable,
    };
    let said = if error.message.is_empty() { body.message.unwrap_or_default() } else { error.message };
    // The name may be followed by the address of its namespace.
    let named = named.or(code).or(error.kind.as_deref()).map(|name| name.split(':').next().unwrap_or(name));
    let named = named.map(|name| format!(" {name}")).unwrap_or_default();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let hint = if (300..400).contains(&status) { " (redirects are not followed: correct `url`)" } else { "" };
    PlannerFault { kind, words: fit(&format!("HTTP {status}{named}{hint}{said}"), secrets) }
}

/// Words without secrets and control characters, and not endless.
fn fit(words: &str, secrets: &[String]) -> String {
    let hidden = secrets.iter().filter(|secret| !secret.is_empty());
    let words = hidden.fold(words.to_owned(), |words, secret| words.replace(secret.as_str(), "[secret]"));
    let mut words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    words.truncate(words.floor_char_boundary(WORDS_BYTES));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_says_in_its_own_way_what_is_wrong() {
        use PlannerFaultKind as Kind;
        for (status, named, body, kind, words) in [
            (
                401,
                None,
                r#"{"error":{"message":"Incorrect API key provided: s3cret","type":"invalid_request_error","code":"invalid_api_key"}}"#,
                Kind::Refused,
                "HTTP 401 invalid_api_key: Incorrect API key provided: [secret]",
            ),
            (
                429,
                None,
                r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
                Kind::Refused,
                "HTTP 429 insufficient_quota: You exceeded your current quota",
            ),
            (
                429,
                None,
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}"#,
                Kind::Throttled,
                "HTTP 429 rate_limit_error: slow down",
            ),
            (
                429,
                None,
                r#"{"error":{"type":"rate_limit_error","message":"no more","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
                Kind::Refused,
                "HTTP 429 rate_limit_error: no more",
            ),
            (
                529,
                None,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Kind::Throttled,
                "HTTP 529 overloaded_error: Overloaded",
            ),
            (
                429,
                Some("ThrottlingException:http://internal.amazon.com/x"),
                r#"{"message":"Too many requests"}"#,
                Kind::Throttled,
                "HTTP 429 ThrottlingException: Too many requests",
            ),
            (
                403,
                Some("AccessDeniedException"),
                r#"{"Message":"not\nauthorized"}"#,
                Kind::Refused,
                "HTTP 403 AccessDeniedException: not authorized",
            ),
            (308, None, "", Kind::Unavailable, "HTTP 308 (redirects are not followed: correct `url`)"),
            (502, None, "<html>", Kind::Unavailable, "HTTP 502"),
            (504, None, "", Kind::TimedOut, "HTTP 504"),
        ] {
            let found = refusal(status, named, body.as_bytes(), &["s3cret".to_owned(), String::new()]);
            assert_eq!((found.kind, &*found.words), (kind, words));
        }
    }
}
