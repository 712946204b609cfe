//! What 2026-07-28 wants in every result, added to results of servers that do not know it.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::structured::{as_text, unstructured};
use crate::rpc::{Envelope, Field, Members};

/// How long a result may be cached, where the revision asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Not a result that says so.
    Unsaid,
    /// `ttlMs`, with `cacheScope: "private"`: what a key sees depends on its project.
    Private(Duration),
}

/// The raw result of a 2025-era response, with `resultType`, `ttlMs`, `cacheScope` and `serverInfo` where they
/// are missing. `server_info` is a raw JSON object.
pub fn complete(response: &Envelope, lifetime: Lifetime, server_info: &str) -> Vec<u8> {
    let result = response.raw(Field::Result).unwrap_or(b"{}");
    let Some(rest) = result.strip_prefix(b"{") else { return result.to_vec() };
    let mut out = Vec::with_capacity(result.len().saturating_add(server_info.len()).saturating_add(128));
    out.push(b'{');
    let mut member = |text: &[u8]| {
        out.extend_from_slice(text);
        out.push(b',');
    };
    if !response.has(Field::ResultType) {
        member(b"\"resultType\":\"complete\"");
    }
    if let Lifetime::Private(ttl) = lifetime {
        if !response.has(Field::TtlMs) {
            member(format!("\"ttlMs\":{}", ttl.as_millis()).as_bytes());
        }
        if !response.has(Field::CacheScope) {
            member(b"\"cacheScope\":\"private\"");
        }
    }
    let info = format!("\"io.modelcontextprotocol/serverInfo\":{server_info}");
    if !response.has(Field::Meta) {
        member(format!("\"_meta\":{{{info}}}").as_bytes());
    }
    let body = with_meta(response, rest, &info);
    if body.trim_ascii_start().starts_with(b"}") {
        out.pop();
    }
    out.extend_from_slice(&body);
    out
}

/// The raw result of a 2026-07-28 response, without what the eras before do not know.
pub fn plain(response: &Envelope) -> Cow<'_, [u8]> {
    let result = response.raw(Field::Result).unwrap_or(b"{}");
    let drop = |name: &str| matches!(name, "resultType" | "ttlMs" | "cacheScope");
    let Some(members) = Members::read(result) else { return Cow::Borrowed(result) };
    Cow::Owned(match unstructured(&members) {
        Some(structured) => as_text(&members, structured, drop),
        None => members.without(drop),
    })
}

/// `rest` of a result, with the server's information as the first member of a `_meta` that does not have it.
fn with_meta(response: &Envelope, rest: &[u8], info: &str) -> Vec<u8> {
    let Some(meta) = response.raw(Field::Meta).and_then(|raw| raw.strip_prefix(b"{")) else {
        return rest.to_vec();
    };
    if response.has(Field::MetaServerInfo) {
        return rest.to_vec();
    }
    let comma = if meta.trim_ascii_start().starts_with(b"}") { "" } else { "," };
    let edited = [b"{", info.as_bytes(), comma.as_bytes(), meta].concat();
    let whole = response.spliced(Field::Result, &mut [(Field::Meta, edited.into())]);
    whole.strip_prefix(b"{").unwrap_or(rest).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::rpc::Sender;
    use alloc::string::String;
    use bytes::Bytes;

    fn check(result: &str, lifetime: Lifetime, expected: &str) {
        let text = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}");
        let response = Envelope::parse(Bytes::from(text), Sender::Upstream, &Limits::default()).unwrap();
        assert_eq!(String::from_utf8(complete(&response, lifetime, "{\"name\":\"s\"}")).unwrap(), expected);
    }

    #[test]
    fn earlier_eras_see_nothing_of_what_came_later() {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","a":1e400,"ttlMs":1,"b":{"ttlMs":2}}}"#;
        let response = Envelope::parse(Bytes::from(text), Sender::Upstream, &Limits::default()).unwrap();
        assert_eq!(&*plain(&response), br#"{"a":1e400,"b":{"ttlMs":2}}"#);
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_there_is_kept() {
        check(
            "{}",
            Lifetime::Unsaid,
            r#"{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#,
        );
        check(
            r#"{"content":[],"_meta":{"a":1}}"#,
            Lifetime::Unsaid,
            r#"{"resultType":"complete","content":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"},"a":1}}"#,
        );
        check(
            r#"{"contents":[],"resultType":"task","ttlMs":1,"_meta":{}}"#,
            Lifetime::Private(Duration::from_secs(1)),
            r#"{"cacheScope":"private","contents":[],"resultType":"task","ttlMs":1,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#,
        );
    }
}
