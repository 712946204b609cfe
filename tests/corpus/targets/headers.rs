//! The headers of the stateless era: the decision about a request equals that of a slow reference, and the base64
//! form of a header value is read in its one canonical spelling.
//!
//! An input is lines: the headers `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name`, each after a `+` or else
//! absent, and the body.

use bytes::Bytes;
use orch_core::mcp::{check_headers, decode_header};
use orch_core::ports::gateway::ProtocolHeaders;
use orch_core::rpc::{Envelope, Message, Sender};
use orch_core::{Fault, Limits};
use serde_json::Value;

const MISMATCH: i32 = -32_020;
const INVALID_PARAMS: i32 = -32_602;
const UNSUPPORTED_VERSION: i32 = -32_022;

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.splitn(4, '\n');
    let mut header = || parts.next().and_then(|line| line.strip_prefix('+')).map(str::to_owned);
    let headers =
        ProtocolHeaders { version: header(), method: header(), name: header(), ..ProtocolHeaders::default() };
    for value in [&headers.version, &headers.method, &headers.name].into_iter().flatten() {
        assert_eq!(decode_header(value).map(String::from), decoded(value), "{value:?}");
    }
    let body = Bytes::from(parts.next().unwrap_or_default().to_owned());
    let Ok(body) = Envelope::parse(body, Sender::Client, &Limits::default()) else { return };
    // A text that another reader cannot take whole, for its numbers or surrogates, cannot be compared.
    let Ok(tree) = serde_json::from_slice::<Value>(body.bytes()) else { return };
    let Message::Request { method, .. } = body.message() else { return };
    let decision =
        check_headers(method, &body, &headers).map_err(|rejection| Fault::from(rejection).wire().code);
    assert_eq!(decision, reference(method, &tree["params"], &headers), "{headers:?} {tree}");
}

/// The rule, word by word: first what is said of the version, then of the method, then of the name.
fn reference(method: &str, params: &Value, headers: &ProtocolHeaders) -> Result<(), i32> {
    let meta = |key: &str| &params["_meta"][format!("io.modelcontextprotocol/{key}")];
    let version = meta("protocolVersion").as_str().ok_or(INVALID_PARAMS)?;
    let named = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" => params["uri"].as_str(),
        _ => None,
    };
    let claims = [(&headers.version, Some(version)), (&headers.method, Some(method)), (&headers.name, named)];
    for (header, said) in claims {
        if said.is_some() && header.as_deref().and_then(decoded).as_deref() != said {
            return Err(MISMATCH);
        }
    }
    if version != "2026-07-28" {
        return Err(UNSUPPORTED_VERSION);
    }
    if meta("clientCapabilities").is_object() { Ok(()) } else { Err(INVALID_PARAMS) }
}

/// The text of a header value.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(value.to_owned()),
        Some(coded) => String::from_utf8(from_base64(coded)?).ok(),
    }
}

/// RFC 4648 section 4, bit by bit: padded, and with zeros for the bits that stand for nothing.
fn from_base64(coded: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = coded.trim_end_matches('=');
    let padding = coded.len() - digits.len();
    if !coded.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bits = Vec::new();
    for digit in digits.chars() {
        let value = ALPHABET.find(digit)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let (bytes, rest) = bits.split_at(bits.len() - padding * 2);
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit == 1));
    rest.iter().all(|bit| *bit == 0).then(|| bytes.chunks(8).map(byte).collect())
}
