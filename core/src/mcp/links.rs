//! The URIs in a result that a client may read next: links, embedded resources, and what was read.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::ops::Range;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::rpc::decode_string;

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
    result.split(|byte| *byte == b'"').any(|text| text == b"resource" || text == b"resource_link")
}

/// The URIs of a raw result of `tools/call`, `prompts/get` or `resources/read`, in their order. What is not
/// understood is passed over.
pub fn links(result: &[u8]) -> Vec<Link<'_>> {
    let Some(Results { content, messages, contents }) = read(result) else { return Vec::new() };
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
    raw.into_iter().filter_map(|raw| link(result, raw)).collect()
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    contents: Option<&'a RawValue>,
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
        assert!(!may_link(br#"{"content":[{"type":"text","text":"a resource, a resource_link"}]}"#));
    }
}
