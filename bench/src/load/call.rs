//! One call of the echo tool: what is sent, and whether what comes back is the answer to it and to nothing else.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// What a 2026 request says of itself.
const STATELESS: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

/// A call. Ids are counted in each session, so those of two sessions are the same; texts never are.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: u64,
    text: String,
    pad: usize,
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No answer, or an error.
    Missing(String),
    Right,
    /// An answer to something else, or not what was asked for.
    Wrong(String),
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<ToolResult<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolResult<'a> {
    #[serde(borrow)]
    content: Vec<Content<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

impl Call {
    /// The call `id` of a session, with a text of at least `size` bytes.
    pub(crate) fn new(session: usize, id: u64, size: usize, pad: usize) -> Self {
        let mut text = format!("nonce {session}/{id} ");
        text.extend(std::iter::repeat_n('y', size.saturating_sub(text.len())));
        Self { id, text, pad }
    }

    pub(crate) fn message(&self, tool: &str, stateless: bool) -> Bytes {
        let Self { id, text, pad } = self;
        let meta = if stateless { STATELESS } else { "" };
        let message = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"text":"{text}","pad":{pad}}}{meta}}}}}"#
        );
        message.into()
    }

    /// Judges the message that came as the answer.
    pub(crate) fn judge(&self, answer: &[u8]) -> Verdict {
        let shown = || String::from_utf8_lossy(answer.get(..200).unwrap_or(answer)).into_owned();
        let Ok(Answer { id, result, error }) = serde_json::from_slice(answer) else {
            return Verdict::Wrong(format!("no JSON-RPC message: {}", shown()));
        };
        if id.map(RawValue::get) != Some(&self.id.to_string()) {
            return Verdict::Wrong(format!("another id than {}: {}", self.id, shown()));
        }
        match (result, error) {
            (Some(result), None) if self.is_echo(&result.content) => Verdict::Right,
            (Some(_), None) => Verdict::Wrong(format!("another text than {:?}: {}", self.nonce(), shown())),
            (None, Some(error)) => Verdict::Missing(error.get().to_owned()),
            _ => Verdict::Wrong(format!("neither result nor error: {}", shown())),
        }
    }

    fn is_echo(&self, content: &[Content<'_>]) -> bool {
        let [Content { text }] = content else { return false };
        let padding = text.strip_prefix(self.text.as_str());
        padding.is_some_and(|padding| padding.len() == self.pad && padding.bytes().all(|byte| byte == b'x'))
    }

    fn nonce(&self) -> &str {
        self.text.trim_end_matches('y')
    }
}

/// The id of a message that is a response.
pub(crate) fn response_id(message: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Response {
        id: u64,
        method: Option<IgnoredAny>,
    }
    let Response { id, method } = serde_json::from_slice(message).ok()?;
    method.is_none().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &str) -> Verdict {
        Call::new(3, 7, 16, 2).judge(answer.as_bytes())
    }

    #[test]
    fn only_the_whole_text_with_the_id_is_right() {
        let answer = |id, text| {
            check(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#
            ))
        };
        assert_eq!(answer("7", "nonce 3/7 yyyyyyxx"), Verdict::Right);
        for (id, text) in [
            ("8", "nonce 3/7 yyyyyyxx"),
            ("\\\"7\\\"", "nonce 3/7 yyyyyyxx"),
            ("7", "nonce 4/7 yyyyyyxx"),
            ("7", "nonce 3/7 yyyyyyx"),
            ("7", "nonce 3/7 yyyyyyxxx"),
        ] {
            assert!(matches!(answer(id, text), Verdict::Wrong(_)), "{id} {text}");
        }
    }

    #[test]
    fn requests_and_notifications_answer_nothing() {
        assert_eq!(response_id(br#"{"jsonrpc":"2.0","id":7,"result":{"any":1}}"#), Some(7));
        assert_eq!(response_id(br#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#), None);
        assert_eq!(response_id(br#"{"jsonrpc":"2.0","method":"notifications/progress"}"#), None);
    }

    #[test]
    fn an_error_is_a_missing_answer() {
        let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-31004,"message":"busy"}}"#;
        assert!(matches!(check(error), Verdict::Missing(_)));
    }
}
