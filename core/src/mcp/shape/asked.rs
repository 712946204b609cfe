//! What servers ask of their clients, and what they are answered.

use alloc::format;
use alloc::string::String;

use super::schema::{Member, OBJECT, Shape, may, needs};
use super::strict::misfit;
use crate::mcp::{Asking, Revision};
use crate::rpc::Members;

/// What is wrong with the params of a question that a server of a revision asks: `params.message is missing`.
pub(crate) fn question(asking: Asking, server: Revision, params: Option<&str>) -> Option<String> {
    let shape = match asking {
        Asking::Form => &FORM,
        Asking::Roots => &OBJECT,
        Asking::Sampling | Asking::SamplingTools => &SAMPLING,
        Asking::Url if server.is_modern() => &URL,
        Asking::Url => &VISIT,
    };
    named("params", shape, params.unwrap_or("{}"))
}

/// What is wrong with the answer to a question, by a name for that.
pub(crate) fn answer(asking: Asking, name: &str, raw: &str) -> Option<String> {
    let shape = match asking {
        Asking::Form | Asking::Url => &ELICITED,
        Asking::Roots => &ROOTS,
        Asking::Sampling | Asking::SamplingTools => &SAMPLED,
    };
    named(name, shape, raw)
}

/// What is wrong with an answer, where it is not known to what: one of 2026-07-28 is of one of three shapes, and which it is
/// meant to be its members tell.
pub(crate) fn any_answer(name: &str, raw: &str) -> Option<String> {
    let Some(members) = Members::read(raw.as_bytes()) else { return named(name, &OBJECT, raw) };
    let has = |member: &str| members.0.iter().any(|(own, _)| own == member);
    let meant = [("action", Asking::Form), ("roots", Asking::Roots), ("role", Asking::Sampling)];
    match meant.into_iter().find(|(member, _)| has(member)) {
        Some((_, asking)) => answer(asking, name, raw),
        None => Some(format!(
            "{name} is to have the member action, roots or role, as the answer to a question has"
        )),
    }
}

/// What is wrong with an address that a server wants to have been visited (-32042, 2025-11-25).
pub(crate) fn visit(name: &str, raw: &str) -> Option<String> {
    named(name, &VISIT, raw)
}

fn named(name: &str, shape: &Shape, raw: &str) -> Option<String> {
    misfit(shape, raw).map(|rest| format!("{name}{rest}"))
}

const ROLE: Member = needs("role", Shape::OneOf(&["assistant", "user"]));

const FILE: [Member; 2] = [needs("data", Shape::Text), needs("mimeType", Shape::Text)];

/// One block, or since 2025-11-25 several.
const CONTENT: Member = needs(
    "content",
    Shape::Several(&Shape::Typed(&[
        ("text", &[needs("text", Shape::Text)]),
        ("image", &FILE),
        ("audio", &FILE),
        ("tool_use", &[needs("id", Shape::Text), needs("name", Shape::Text), needs("input", OBJECT)]),
        ("tool_result", &[needs("toolUseId", Shape::Text), may("content", Shape::List(&OBJECT))]),
    ])),
);

static FORM: Shape = Shape::Of(&[
    needs("message", Shape::Text),
    needs("requestedSchema", OBJECT),
    may("mode", Shape::OneOf(&["form", "url"])),
]);

static URL: Shape = Shape::Of(&[
    needs("mode", Shape::OneOf(&["url"])),
    needs("message", Shape::Text),
    needs("url", Shape::Text),
]);

/// Before 2026-07-28 such a question has an id.
static VISIT: Shape = Shape::Of(&[
    needs("mode", Shape::OneOf(&["url"])),
    needs("message", Shape::Text),
    needs("url", Shape::Text),
    needs("elicitationId", Shape::Text),
]);

static SAMPLING: Shape = Shape::Of(&[
    needs("messages", Shape::List(&Shape::Of(&[ROLE, CONTENT]))),
    needs("maxTokens", Shape::Number),
    may("systemPrompt", Shape::Text),
    may("includeContext", Shape::OneOf(&["none", "thisServer", "allServers"])),
    may("temperature", Shape::Number),
    may("stopSequences", Shape::List(&Shape::Text)),
    may("modelPreferences", OBJECT),
    may("tools", Shape::List(&OBJECT)),
    may("toolChoice", OBJECT),
]);

/// What a form holds is the server's to check: it has the schema.
static ELICITED: Shape =
    Shape::Of(&[needs("action", Shape::OneOf(&["accept", "decline", "cancel"])), may("content", OBJECT)]);

static ROOTS: Shape = Shape::Of(&[needs(
    "roots",
    Shape::List(&Shape::Of(&[needs("uri", Shape::Text), may("name", Shape::Text)])),
)]);

static SAMPLED: Shape =
    Shape::Of(&[ROLE, CONTENT, needs("model", Shape::Text), may("stopReason", Shape::Text)]);

#[cfg(test)]
mod tests {
    use super::*;
    use Asking::{Form, Roots, Sampling, SamplingTools, Url};
    use Revision::{V2025_11_25, V2026_07_28};

    const BLOCK: &str = r#"{"type":"text","text":"t"}"#;

    #[test]
    fn a_question_is_asked_with_all_that_its_revision_wants() {
        for (asking, server, params) in [
            (Form, V2025_11_25, r#"{"message":"?","requestedSchema":{},"x":1}"#),
            (Form, V2026_07_28, r#"{"mode":"form","message":"\u0061","requestedSchema":{"type":"object"}}"#),
            (Url, V2025_11_25, r#"{"mode":"url","message":"?","url":"u","elicitationId":"e"}"#),
            (Url, V2026_07_28, r#"{"mode":"url","message":"?","url":"u"}"#),
            (Sampling, V2025_11_25, r#"{"messages":[],"maxTokens":1,"temperature":null}"#),
            (
                SamplingTools,
                V2025_11_25,
                r#"{"messages":[{"role":"user","content":[{"type":"tool_use","id":"1","name":"n","input":{}},{"type":"tool_result","toolUseId":"1","content":[]},{"type":"tool_result","toolUseId":"2"}]}],"maxTokens":1e2,"tools":[{"name":"n"}]}"#,
            ),
            (Roots, V2025_11_25, r#"{"x":1}"#),
        ] {
            assert_eq!(question(asking, server, Some(params)), None, "{params}");
        }
        assert_eq!(question(Roots, V2026_07_28, None), None);
    }

    #[test]
    fn a_question_that_lacks_something_is_known_by_what_it_lacks() {
        for (asking, server, params, wrong) in [
            (Form, V2025_11_25, r#"{"message":"?"}"#, "params.requestedSchema is missing"),
            (Form, V2025_11_25, r#"{"message":5,"requestedSchema":{}}"#, "params.message is to be a string"),
            (
                Form,
                V2026_07_28,
                r#"{"message":"?","requestedSchema":[]}"#,
                "params.requestedSchema is to be an object",
            ),
            (
                Form,
                V2026_07_28,
                r#"{"mode":"x","message":"?","requestedSchema":{}}"#,
                "params.mode is to be one of form, url",
            ),
            (Url, V2026_07_28, r#"{"mode":"url","message":"?"}"#, "params.url is missing"),
            (
                Url,
                V2025_11_25,
                r#"{"mode":"url","message":"?","url":"u"}"#,
                "params.elicitationId is missing",
            ),
            (Sampling, V2025_11_25, r#"{"messages":[]}"#, "params.maxTokens is missing"),
            (Sampling, V2025_11_25, r#"{"messages":{},"maxTokens":1}"#, "params.messages is to be an array"),
            (
                Sampling,
                V2025_11_25,
                r#"{"messages":[7],"maxTokens":1}"#,
                "params.messages[0] is to be an object",
            ),
            (
                Sampling,
                V2026_07_28,
                r#"{"messages":[{"role":"user","content":{"type":"text"}}],"maxTokens":1}"#,
                "params.messages[0].content.text is missing",
            ),
            (
                SamplingTools,
                V2026_07_28,
                r#"{"messages":[],"maxTokens":1,"tools":{}}"#,
                "params.tools is to be an array",
            ),
        ] {
            assert_eq!(question(asking, server, Some(params)).as_deref(), Some(wrong), "{params}");
        }
        assert_eq!(question(Form, V2025_11_25, None).as_deref(), Some("params.message is missing"));
    }

    #[test]
    fn an_answer_is_of_the_shape_of_its_question() {
        let sampled = |content: &str| format!(r#"{{"role":"assistant","content":{content},"model":"m"}}"#);
        for (asking, raw) in [
            (Form, r#"{"action":"accept","content":{"a":[1]},"_meta":{}}"#.into()),
            (Form, r#"{"action":"cancel","content":null}"#.into()),
            (Url, r#"{"action":"dec\u006cine"}"#.into()),
            (Roots, r#"{"roots":[]}"#.into()),
            (Roots, r#"{"roots":[{"uri":"file:///a","name":null,"x":1}]}"#.into()),
            (Sampling, sampled(BLOCK)),
            (SamplingTools, sampled(&format!("[{BLOCK}]"))),
        ] {
            assert_eq!(answer(asking, "result", &raw), None, "{raw}");
            assert_eq!(any_answer("q", &raw), None, "{raw}");
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_known_by_the_member_that_is_wrong() {
        for (asking, raw, wrong) in [
            (Form, "[]", " is to be an object"),
            (Form, "{}", ".action is missing"),
            (Form, r#"{"action":5}"#, ".action is to be one of accept, decline, cancel"),
            (Url, r#"{"action":"yes"}"#, ".action is to be one of accept, decline, cancel"),
            (Form, r#"{"action":"accept","content":[]}"#, ".content is to be an object"),
            (Roots, "{}", ".roots is missing"),
            (Roots, r#"{"roots":[1]}"#, ".roots[0] is to be an object"),
            (Roots, r#"{"roots":[{"uri":"u"},{}]}"#, ".roots[1].uri is missing"),
            (Sampling, "{}", ".role is missing"),
            (Sampling, r#"{"role":"x"}"#, ".role is to be one of assistant, user"),
            (
                Sampling,
                r#"{"role":"user","content":"x","model":"m"}"#,
                ".content is to be an object or an array",
            ),
            (
                Sampling,
                r#"{"role":"user","content":[{"type":"zz"}]}"#,
                ".content[0].type is to be one of text, image, audio, tool_use, tool_result",
            ),
            (Sampling, r#"{"role":"user","content":[]}"#, ".model is missing"),
        ] {
            assert_eq!(answer(asking, "a", raw), Some(format!("a{wrong}")), "{raw}");
            assert!(any_answer("a", raw).is_some_and(|words| words.starts_with('a')), "{raw}");
        }
    }
}
