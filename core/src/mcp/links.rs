//! The URIs in a result that a client may read next: links, embedded resources, what was read, and what a tool is shown with.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::rpc::{decode_string, write};

/// A URI, and where its raw JSON stands in the result.
#[derive(Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The URI.
    pub uri: Cow<'a, str>,
    /// The bytes of its JSON string, quotes included.
    pub at: Range<usize>,
}

/// Whether a raw result can have content that names a resource. Cheap: no JSON is read.
pub fn may_link(result: &[u8]) -> bool {
    let words: [&[u8]; 4] = [b"resource", b"resource_link", b"resourceUri", b"ui/resourceUri"];
    result.split(|byte| *byte == b'"').any(|text| words.contains(&text))
}

/// The URIs of a raw result of `tools/call`, `prompts/get` or `resources/read`, in their order. What is not
/// understood is passed over.
pub fn links(result: &[u8]) -> Vec<Link<'_>> {
    let Some(Results { content, messages, contents, meta }) = read(result) else { return Vec::new() };
    let mut raw = Vec::new();
    for block in elements(content) {
        raw.extend(of_block(block));
    }
    for message in elements(messages) {
        let content = read(message.get().as_bytes()).and_then(|message: Message<'_>| message.content);
        for block in elements(content) {
            raw.extend(of_block(block));
        }
    }
    for item in elements(contents) {
        raw.extend(of_item(item));
    }
    raw.extend(meta.into_iter().flat_map(of_meta));
    placed(result, raw)
}

/// The URIs in a raw definition of a tool of what its results are shown with (MCP Apps), in their order.
pub fn ui_links(tool: &[u8]) -> Vec<Link<'_>> {
    let meta = read(tool).and_then(|tool: Tool<'_>| tool.meta);
    placed(tool, meta.into_iter().flat_map(of_meta).collect())
}

fn placed<'a>(json: &'a [u8], raw: Vec<&'a RawValue>) -> Vec<Link<'a>> {
    let mut links: Vec<Link<'a>> = raw.into_iter().filter_map(|raw| link(json, raw)).collect();
    links.sort_by_key(|link| link.at.start);
    links
}

/// The same JSON with other URIs in place of some of its links; `None` where each stays as it is.
pub fn relinked(
    json: &[u8],
    links: &[Link<'_>],
    mut to: impl FnMut(&str) -> Option<String>,
) -> Option<Vec<u8>> {
    let (mut out, mut at) = (Vec::new(), 0);
    for link in links {
        let Some(uri) = to(&link.uri) else { continue };
        out.extend_from_slice(json.get(at..link.at.start).unwrap_or_default());
        write::string(&mut out, &uri);
        at = link.at.end;
    }
    if at == 0 {
        return None;
    }
    out.extend_from_slice(json.get(at..).unwrap_or_default());
    Some(out)
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    ui: Option<&'a RawValue>,
    /// As it was before the extension had a name of its own.
    #[serde(borrow, rename = "ui/resourceUri")]
    older: Option<&'a RawValue>,
    /// As hosts of the Apps SDK know it.
    #[serde(borrow, rename = "openai/outputTemplate")]
    template: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ui<'a> {
    #[serde(borrow)]
    resource_uri: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    uri: Option<&'a RawValue>,
}

fn read<'a, T: Deserialize<'a>>(object: &'a [u8]) -> Option<T> {
    object.starts_with(b"{").then(|| serde_json::from_slice(object).ok()).flatten()
}

/// The elements of a list; a single object stands for itself, as in the messages of prompts.
fn elements(value: Option<&RawValue>) -> Vec<&RawValue> {
    let list = |value: &&RawValue| value.get().starts_with('[');
    match value {
        Some(value) if list(&value) => serde_json::from_str(value.get()).unwrap_or_default(),
        Some(value) => Vec::from([value]),
        None => Vec::new(),
    }
}

fn of_block(block: &RawValue) -> Option<&RawValue> {
    let Block { kind, resource } = read(block.get().as_bytes())?;
    match &*kind {
        "resource" => of_item(resource?),
        "resource_link" => of_item(block),
        _ => None,
    }
}

fn of_item(item: &RawValue) -> Option<&RawValue> {
    read(item.get().as_bytes()).and_then(|item: Item<'_>| item.uri)
}

fn of_meta(meta: &RawValue) -> impl Iterator<Item = &RawValue> {
    let meta: Option<Meta<'_>> = read(meta.get().as_bytes());
    let (ui, others) = meta.map_or((None, [None; 2]), |meta| (meta.ui, [meta.older, meta.template]));
    let named = ui.and_then(|ui| read(ui.get().as_bytes())).and_then(|ui: Ui<'_>| ui.resource_uri);
    named.into_iter().chain(others.into_iter().flatten())
}

/// The raw value borrows from `result`, so its place is the distance of the two.
fn link<'a>(result: &'a [u8], raw: &'a RawValue) -> Option<Link<'a>> {
    let start = (raw.get().as_ptr() as usize).checked_sub(result.as_ptr() as usize)?;
    let end = start.checked_add(raw.get().len())?;
    let uri = decode_string(result.get(start..end)?)?;
    Some(Link { uri, at: start..end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(result: &str) -> Vec<Cow<'_, str>> {
        let found = links(result.as_bytes());
        for link in &found {
            assert_eq!(decode_string(&result.as_bytes()[link.at.clone()]).unwrap(), link.uri);
        }
        found.into_iter().map(|link| link.uri).collect()
    }

    #[test]
    fn links_are_found_in_content_in_messages_and_in_what_was_read() {
        assert_eq!(
            uris(
                r#"{"content":[{"type":"text","text":"x","uri":"no:1"},{"uri":"a:1","type":"resource_link"},
                {"type":"resource","uri":"no:2","resource":{"uri" : "a:\u0032","text":"{\"uri\":\"no:3\"}"}}]}"#
            ),
            ["a:1", "a:2"]
        );
        assert_eq!(
            uris(
                r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"p:1"}}},
                {"role":"user","content":[{"type":"resource_link","uri":"p:2"}]}]}"#
            ),
            ["p:1", "p:2"]
        );
        assert_eq!(uris(r#"{"contents":[{"uri":"r:1","text":""},{"uri":"r:2","blob":""}]}"#), ["r:1", "r:2"]);
    }

    #[test]
    fn what_a_tool_is_shown_with_is_found_in_its_definition_and_in_results_under_both_names() {
        let meta =
            r#""_meta":{"ui/resourceUri":"ui://1","ui":{"visibility":["app"],"resourceUri":"ui:\u002f/2"}}"#;
        let tool =
            alloc::format!(r#"{{"inputSchema":{{"_meta":{{"ui":{{"resourceUri":"no:1"}}}}}},{meta}}}"#);
        let found: Vec<_> = ui_links(tool.as_bytes()).into_iter().map(|link| link.uri).collect();
        assert_eq!(found, ["ui://1", "ui://2"]);
        let link = r#""content":[{"type":"resource_link","uri":"a:1"}]"#;
        assert_eq!(uris(&alloc::format!("{{{meta},{link}}}")), ["ui://1", "ui://2", "a:1"]);
        for other in
            [r#"{"_meta":{"ui":"ui://1"}}"#, r#"{"_meta":{"ui":{"resourceUri":7}}}"#, r#"{"_meta":[]}"#]
        {
            assert_eq!(ui_links(other.as_bytes()), [], "{other}");
        }
    }

    #[test]
    fn what_is_not_understood_has_no_links() {
        for result in [
            "[1]",
            "null",
            r#"{"content":7}"#,
            r#"{"content":[7,{"type":7,"uri":"a:1"},{"type":"new","uri":"a:1"},{"type":"resource"}]}"#,
            r#"{"content":[{"type":"resource","resource":"a:1"},{"type":"resource_link","uri":7}]}"#,
            r#"{"structuredContent":{"content":[{"type":"resource_link","uri":"a:1"}]}}"#,
        ] {
            assert_eq!(uris(result), [""; 0], "{result}");
        }
    }

    #[test]
    fn a_result_without_the_words_is_not_read() {
        assert!(may_link(br#"{"content":[{"type": "resource_link"}]}"#));
        assert!(may_link(br#"{"content":[{"type":"resource","resource":{}}]}"#));
        assert!(may_link(br#"{"_meta":{"ui":{"resourceUri":"ui://a"}}}"#));
        assert!(!may_link(br#"{"content":[{"type":"text","text":"a resource, a resource_link"}]}"#));
    }
}
