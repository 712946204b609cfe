//! The answer to a call, and what of it references lead to.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

use crate::plan::{Kind, Raw, Root};
use crate::rpc::write;

/// The raw JSON of a `CallToolResult`, with the place of what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    result: Bytes,
    /// Its `structuredContent`, its one text, or its `content`.
    said: Bytes,
    /// Whether it says that the tool has failed.
    is_error: bool,
    /// Whether there was more of it.
    is_cut: bool,
}

/// Stands for what a failure said, where there is no room even for its beginning.
const UNKEPT: &[u8] =
    br#"{"content":[{"type":"text","text":"it failed, and there was no room to keep what it said (limits run_bytes, project_run_bytes and run_words_bytes)"}],"isError":true}"#;

impl Answer {
    /// Takes a result that was validated before.
    pub fn read(result: Bytes) -> Self {
        let (mut structured, mut content, mut is_error) = (None, None, false);
        for (name, value) in Raw::of(&result).members() {
            match &*name {
                "structuredContent" if value.kind() != Kind::Null => structured = Some(value),
                "content" => content = Some(value),
                "isError" => is_error = value.bool() == Some(true),
                _ => {}
            }
        }
        let text = content.filter(|_| structured.is_none()).and_then(only_text);
        let said = structured.or(text).or(content).unwrap_or(Raw(b"null"));
        let said = if said.0 == b"null" { Bytes::from_static(b"null") } else { result.slice_ref(said.0) };
        Self { result, said, is_error, is_cut: false }
    }

    /// What is kept of a failure of which not all is kept.
    pub fn cut(words: &str) -> Self {
        Self { is_cut: true, ..Self::of_failure(&in_short(words)) }
    }

    /// What is kept of a failure of which nothing is kept. It takes no room.
    pub fn unkept() -> Self {
        Self { is_cut: true, ..Self::read(Bytes::from_static(UNKEPT)) }
    }

    /// What was kept of a failure, as another life has it.
    pub fn recall_cut(result: Bytes) -> Self {
        if *result == *UNKEPT { Self::unkept() } else { Self { is_cut: true, ..Self::read(result) } }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        if self.is_cut && *self.result == *UNKEPT { 0 } else { self.result.len() }
    }

    /// Whether there was more of it.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The answer that stands for a call without one.
    pub fn of_failure(words: &str) -> Self {
        let mut result = Vec::from(b"{\"content\":[{\"type\":\"text\",\"text\":");
        write::string(&mut result, words);
        result.extend_from_slice(b"}],\"isError\":true}");
        Self::read(result.into())
    }

    /// Whether its tool says that it has failed.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// The whole.
    pub fn result(&self) -> &Bytes {
        &self.result
    }

    /// What it says, in a few words: its text, or its JSON.
    pub fn words(&self) -> String {
        let raw = Raw::of(&self.said);
        raw.text().map_or_else(|| raw.spelling().into(), alloc::borrow::Cow::into_owned)
    }

    /// The raw JSON that a pointer starts at, as [`Root`] says.
    pub fn at(&self, root: Root) -> &Bytes {
        match root {
            Root::Result => &self.result,
            Root::Value => &self.said,
        }
    }
}

/// How many characters are kept of the words of a failure, beside the answer that says it.
const WORDS: usize = 1024;

/// The words of a failure, as far as they are kept.
pub(crate) fn in_short(words: &str) -> String {
    match words.char_indices().nth(WORDS) {
        Some((end, _)) => [words.get(..end).unwrap_or_default(), "\u{2026}"].concat(),
        None => words.into(),
    }
}

/// The raw string of the one text that a content holds, if it holds nothing else.
fn only_text(content: Raw<'_>) -> Option<Raw<'_>> {
    let [only] = content.elements()[..] else { return None };
    let members = only.members();
    let is_text = members.iter().any(|(name, value)| name == "type" && value.0 == b"\"text\"");
    let text = members.into_iter().find(|(name, _)| name == "text").map(|(_, value)| value);
    text.filter(|text| is_text && text.kind() == Kind::String)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Allowance, Bound, Pointer};
    use crate::rpc::JsonLimits;
    use crate::{Limit, Limits};

    fn check(result: &'static str, root: Root, pointer: &str, expected: Option<&str>) {
        let answer = Answer::read(Bytes::from_static(result.as_bytes()));
        let pointer = Pointer::parse(pointer).unwrap();
        let bound = Bound { limit: Limit::StepReadBytes, most: 1_000 };
        let json = JsonLimits::of_upstreams(&Limits::default());
        let found = pointer.within(answer.at(root), json, &mut Allowance::new(bound, bound)).unwrap();
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{result} {pointer}");
    }

    #[test]
    fn a_pointer_starts_at_the_structure_or_at_the_one_text_or_at_the_content() {
        let both = r#"{"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":2}}"#;
        check(both, Root::Value, "/a", Some("2"));
        check(both, Root::Value, "", Some(r#"{"a":2}"#));
        let text = r#"{"content":[{"type":"text","text":"{\"a\":[1, \"x\"]}"}]}"#;
        check(text, Root::Value, "/a/1", Some(r#""x""#));
        check(text, Root::Value, "", Some(r#""{\"a\":[1, \"x\"]}""#));
        check(text, Root::Value, "/b", None);
        check(r#"{"content":[{"type":"text","text":"no JSON"}]}"#, Root::Value, "/a", None);
        let two = r#"{"content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}"#;
        check(two, Root::Value, "/1/text", Some(r#""2""#));
        check(r#"{"content":[{"type":"image","data":"x"}]}"#, Root::Value, "/0/data", Some(r#""x""#));
        check("{}", Root::Value, "", Some("null"));
        let within = r#"{"content":[{"type":"text","text":"{\"k\":[7]}"}],"structuredContent":{"content":"{\"k\":[7]}"}}"#;
        check(within, Root::Value, "/content/k/0", Some("7"));
        check(within, Root::Result, "/content/0/text/k/0", Some("7"));
    }

    #[test]
    fn the_whole_result_can_be_reached() {
        let error = r#"{"isError":true,"content":[]}"#;
        check(error, Root::Result, "/isError", Some("true"));
        check(error, Root::Result, "", Some(error));
    }

    #[test]
    fn json_in_a_text_that_the_hub_would_refuse_is_no_json() {
        check(r#"{"content":[{"type":"text","text":"{\"a\":1,\"a\":2}"}]}"#, Root::Value, "/a", None);
    }
}
