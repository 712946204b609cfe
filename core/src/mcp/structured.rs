//! Structured results are any JSON in 2026-07-28, and objects alone in the eras before, whose clients refuse a whole result
//! or a whole list for one that is none. They get it as text.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{ListKind, shape};
use crate::rpc::{Members, decode_string, write};

const STRUCTURED: &str = "structuredContent";
const CONTENT: &str = "content";
const SCHEMA: &str = "outputSchema";

/// The structured content of a result, raw, if it is none that the eras before have.
pub(super) fn unstructured<'a>(result: &Members<'a>) -> Option<&'a str> {
    member(result, STRUCTURED).filter(|raw| !raw.starts_with('{'))
}

/// A raw result without the members that `drop` names, and with its structured content as text instead, unless its
/// content says the same already.
pub(super) fn as_text(result: &Members<'_>, structured: &str, drop: impl Fn(&str) -> bool) -> Vec<u8> {
    let blocks = member(result, CONTENT).and_then(|raw| serde_json::from_str::<Vec<&RawValue>>(raw).ok());
    let mut blocks: Vec<&str> = blocks.unwrap_or_default().into_iter().map(RawValue::get).collect();
    let mut text = Vec::from(b"{\"type\":\"text\",\"text\":");
    write::string(&mut text, structured);
    text.push(b'}');
    let text = core::str::from_utf8(&text).unwrap_or_default();
    // Some servers write null for nothing.
    let is_said = blocks.iter().any(|block| says(block, structured));
    if !is_said && (structured != "null" || blocks.is_empty()) {
        blocks.push(text);
    }
    let mut out = Vec::from(b"{\"content\":[");
    out.extend_from_slice(blocks.join(",").as_bytes());
    out.push(b']');
    let others = result.without(|name| drop(name) || matches!(name, STRUCTURED | CONTENT));
    if others != b"{}" {
        out.push(b',');
    }
    out.extend_from_slice(others.strip_prefix(b"{").unwrap_or(b"}"));
    out
}

/// A tool's definition as the eras before have it, if it is not: without an `outputSchema` that is not of an object, and with
/// objects in place of schemas that are booleans, where their clients want objects. `json` is raw.
pub fn plain_tool(json: &str) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow)]
        r#type: &'a RawValue,
    }
    let plain = shape::entry(ListKind::Tools, json, false).map_or(Cow::Borrowed(json), |shaped| shaped.json);
    let tool = Members::read(plain.as_bytes())?;
    let of_object = member(&tool, SCHEMA).is_none_or(|schema| {
        serde_json::from_str::<Schema<'_>>(schema).is_ok_and(|schema| schema.r#type.get() == "\"object\"")
    });
    if !of_object {
        return Some(tool.without(|name| name == SCHEMA));
    }
    (plain != json).then(|| plain.into_owned().into_bytes())
}

fn member<'a>(object: &Members<'a>, wanted: &str) -> Option<&'a str> {
    object.0.iter().find(|(name, _)| name == wanted).map(|(_, raw)| raw.get())
}

/// Whether a block of content is a text that says the same as some JSON.
fn says(block: &str, structured: &str) -> bool {
    #[derive(Deserialize)]
    struct Block {
        text: String,
    }
    let Ok(Block { text }) = serde_json::from_str(block) else { return false };
    if text == structured || decode_string(structured.as_bytes()).is_some_and(|plain| plain == text) {
        return true;
    }
    serde_json::from_str::<IgnoredAny>(&text).is_ok() && squeezed(&text) == squeezed(structured)
}

/// JSON without white space between its tokens.
fn squeezed(json: &str) -> Vec<u8> {
    let (mut quoted, mut escaped) = (false, false);
    let kept = json.bytes().filter(|byte| {
        let space = !quoted && byte.is_ascii_whitespace();
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        !space
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(result: &str, expected: &str) {
        let members = Members::read(result.as_bytes()).unwrap();
        let structured = unstructured(&members).unwrap();
        let out = as_text(&members, structured, |name| name == "resultType");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn what_is_no_object_becomes_a_text() {
        check(
            r#"{"resultType":"complete","content":[{"type":"image"}],"structuredContent":[1e400,"\u0061"],"x":1}"#,
            r#"{"content":[{"type":"image"},{"type":"text","text":"[1e400,\"\\u0061\"]"}],"x":1}"#,
        );
        check(
            r#"{"structuredContent":["a b"],"content":[{"type":"text","text":"[\"ab\"]"}]}"#,
            r#"{"content":[{"type":"text","text":"[\"ab\"]"},{"type":"text","text":"[\"a b\"]"}]}"#,
        );
        check(r#"{"structuredContent":7}"#, r#"{"content":[{"type":"text","text":"7"}]}"#);
        check(r#"{"structuredContent":null}"#, r#"{"content":[{"type":"text","text":"null"}]}"#);
    }

    #[test]
    fn what_is_said_already_is_not_said_twice() {
        for (text, structured) in [
            (r#""[1, {\"a \": 2}]""#, r#"[1,{"a ":2}]"#),
            (r#""sunny""#, r#""sunny""#),
            (r#""\"sunny\"""#, r#""sunny""#),
            (r#""1e400""#, "1e400"),
            (r#""anything""#, "null"),
        ] {
            let content = alloc::format!(r#"[{{"type":"text","text":{text}}}]"#);
            let result = alloc::format!(r#"{{"structuredContent":{structured},"content":{content}}}"#);
            check(&result, &alloc::format!(r#"{{"content":{content}}}"#));
        }
    }

    #[test]
    fn an_object_stays_what_it_is() {
        for result in [r#"{"structuredContent":{}}"#, "{}"] {
            assert_eq!(unstructured(&Members::read(result.as_bytes()).unwrap()), None, "{result}");
        }
    }

    #[test]
    fn a_tool_loses_a_schema_that_is_not_of_an_object_and_nothing_else() {
        let plain = |json: &str| plain_tool(json).map(|raw| String::from_utf8(raw).unwrap());
        let bare = r#"{"name":"a","x":[1e400]}"#;
        for schema in [
            r#"{"type":"array"}"#,
            "{}",
            "true",
            r#"{"anyOf":[{"type":"object"}]}"#,
            r#"{"type":["object","null"]}"#,
        ] {
            let tool = alloc::format!(r#"{{"name":"a","outputSchema":{schema},"x":[1e400]}}"#);
            assert_eq!(plain(&tool).as_deref(), Some(bare), "{schema}");
        }
        for kept in [bare, r#"{"name":"a","outputSchema":{"type":"object","x":[1e400]}}"#] {
            assert_eq!(plain(kept), None);
        }
    }

    #[test]
    fn a_tool_of_the_eras_before_has_objects_for_the_schemas_of_its_properties() {
        let tool = |one: &str| {
            let properties =
                alloc::format!(r#"{{"a":{one},"deep":{{"properties":{{"b":true}},"items":false}}}}"#);
            let schema = alloc::format!(r#"{{"type":"object","properties":{properties}}}"#);
            alloc::format!(r#"{{"name":"a","inputSchema":{schema},"outputSchema":{schema}}}"#)
        };
        let plain = |json: &str| plain_tool(json).map(|raw| String::from_utf8(raw).unwrap());
        assert_eq!(plain(&tool("true")), Some(tool("{}")));
        assert_eq!(plain(&tool("false")), Some(tool(r#"{"not":{}}"#)));
        assert_eq!(plain(&tool(r#"{"x":true}"#)), None);
    }
}
