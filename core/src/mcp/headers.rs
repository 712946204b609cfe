//! Headers that must say what the body says (2026-07-28, Streamable HTTP, "Request Headers").

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Revision, Route, Row, named_task};
use crate::Rejection;
use crate::ports::gateway::ProtocolHeaders;
use crate::rpc::{Envelope, Field, is_whole};

/// The text of a header value: `=?base64?…?=` is decoded, anything else is taken as it is.
/// `None` when the base64 form is damaged.
pub fn decode_header(value: &str) -> Option<Cow<'_, str>> {
    let Some(coded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(coded).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A header value that says `text`: as it is where a header can carry that, else in its base64 form.
pub fn encode_header(text: &str) -> Cow<'_, str> {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let trimmed = !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ');
    if plain && trimmed && !text.starts_with("=?") {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("=?base64?{}?=", STANDARD.encode(text)))
    }
}

/// What `Mcp-Name` says of a request: the tool, the prompt, the resource or the task that it is about.
pub fn header_name<'a>(method: &str, body: &'a Envelope) -> Option<Cow<'a, str>> {
    let row = Row::find(method, Revision::V2026_07_28)?;
    match row.route {
        Route::ByTool | Route::ByPrompt => body.text(Field::Name),
        Route::ByUri => body.text(Field::Uri),
        Route::ByReference | Route::List(_) | Route::Own => named_task(method, body),
    }
}

/// Checks the headers of a 2026-07-28 request against its body: a peer that decides by the headers alone must
/// decide as one that reads the body. Then the version, and what every request must say of its client.
pub fn check_headers(method: &str, body: &Envelope, headers: &ProtocolHeaders) -> Result<(), Rejection> {
    check_meta(body)?;
    let version = body.text(Field::MetaVersion);
    let version = version.ok_or_else(|| bad_meta(body, Field::MetaVersion, "protocolVersion", "a string"))?;
    same("MCP-Protocol-Version", headers.version.as_deref(), &version)?;
    same("Mcp-Method", headers.method.as_deref(), method)?;
    if let Some(named) = header_name(method, body) {
        same("Mcp-Name", headers.name.as_deref(), &named)?;
    }
    if !Revision::parse(&version).is_some_and(Revision::is_modern) {
        return Err(Rejection::UnsupportedVersion(version.into_owned()));
    }
    if body.raw(Field::MetaCapabilities).is_none_or(|raw| !raw.starts_with(b"{")) {
        return Err(bad_meta(body, Field::MetaCapabilities, "clientCapabilities", "an object"));
    }
    Ok(())
}

/// Checks the headers of a notification of 2026-07-28 against its body. No core one goes to a server over HTTP, so that what is not said
/// is not missed (2026-07-28, Streamable HTTP).
pub fn check_notice(method: &str, body: &Envelope, headers: &ProtocolHeaders) -> Result<(), Rejection> {
    check_meta(body)?;
    let said = body.text(Field::MetaVersion);
    let version = said.as_deref().or(headers.version.as_deref()).unwrap_or_default();
    if headers.version.is_some() {
        same("MCP-Protocol-Version", headers.version.as_deref(), version)?;
    }
    if headers.method.is_some() {
        same("Mcp-Method", headers.method.as_deref(), method)?;
    }
    if Revision::parse(version).is_some_and(Revision::is_modern) {
        Ok(())
    } else {
        Err(Rejection::UnsupportedVersion(version.into()))
    }
}

/// Checks what `_meta` of a request of any revision is, and the token in it by which progress is told. What is `null` is not there:
/// some SDKs write out what nobody has set.
pub fn check_meta(body: &Envelope) -> Result<(), Rejection> {
    let words = if body.given(Field::Meta).is_some_and(|raw| !raw.starts_with(b"{")) {
        "_meta must be an object"
    } else if body.given_str(Field::MetaProgressToken).is_some_and(|raw| !is_token(raw)) {
        "_meta.progressToken must be a string or an integer"
    } else {
        return Ok(());
    };
    Err(Rejection::InvalidParams(words.into()))
}

fn is_token(raw: &str) -> bool {
    raw.starts_with('"') || is_whole(raw)
}

/// Whether a member of `_meta` belongs to the envelope of the stateless era. Servers of the eras before refuse
/// requests that carry it, so it ends here.
pub fn is_envelope_key(key: &str) -> bool {
    matches!(
        key.strip_prefix("io.modelcontextprotocol/"),
        Some("protocolVersion" | "clientCapabilities" | "clientInfo" | "logLevel")
    )
}

/// A member of `_meta` that has to be there, and is not, or is of another type.
fn bad_meta(body: &Envelope, field: Field, key: &str, kind: &str) -> Rejection {
    let wrong = if body.has(field) { format!("must be {kind}") } else { "is required".to_owned() };
    Rejection::InvalidParams(format!("_meta[\"io.modelcontextprotocol/{key}\"] {wrong}"))
}

fn same(header: &str, value: Option<&str>, body: &str) -> Result<(), Rejection> {
    let Some(value) = value else {
        return Err(Rejection::HeaderMismatch(format!("the header {header} is required")));
    };
    if decode_header(value).as_deref() == Some(body) {
        Ok(())
    } else {
        Err(Rejection::HeaderMismatch(format!("the header {header} does not say what the body says")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, Limits, rpc::Sender};
    use bytes::Bytes;

    fn check(
        version: Option<&str>,
        method: Option<&str>,
        name: Option<&str>,
        body: &str,
    ) -> Result<(), Rejection> {
        let body = Envelope::parse(Bytes::from(body.to_owned()), Sender::Client, &Limits::default()).unwrap();
        let own = |value: Option<&str>| value.map(ToOwned::to_owned);
        let headers = ProtocolHeaders {
            version: own(version),
            method: own(method),
            name: own(name),
            ..ProtocolHeaders::default()
        };
        check_headers("tools/call", &body, &headers)
    }

    const BODY: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"é","_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

    #[test]
    fn headers_that_say_what_the_body_says_pass_in_both_spellings() {
        let ok = |name| check(Some("2026-07-28"), Some("tools/call"), Some(name), BODY);
        assert_eq!(ok("é"), Ok(()));
        assert_eq!(ok("=?base64?w6k=?="), Ok(()));
    }

    #[test]
    fn a_header_can_say_any_text_and_says_safe_text_as_it_is() {
        for plain in ["get-sum", "test://a b/{id}", "~!", "a=?base64?Yg==?="] {
            assert_eq!(encode_header(plain), plain);
        }
        for text in ["", " a", "a ", "\t", "a\nb", "é", "\u{7f}", "=?base64?YQ==?=", "=?base64?!?="] {
            let value = encode_header(text);
            assert!(value.starts_with("=?base64?"), "{text:?}: {value}");
            assert_eq!(decode_header(&value).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_missing_or_differing_header_is_a_mismatch() {
        for (version, method, name) in [
            (None, Some("tools/call"), Some("é")),
            (Some("2025-11-25"), Some("tools/call"), Some("é")),
            (Some("2026-07-28"), None, Some("é")),
            (Some("2026-07-28"), Some("Tools/call"), Some("é")),
            (Some("2026-07-28"), Some("tools/call"), None),
            (Some("2026-07-28"), Some("tools/call"), Some("=?base64?!?=")),
        ] {
            let fault = Fault::from(check(version, method, name, BODY).unwrap_err());
            assert_eq!(fault.wire().code, -32_020);
        }
    }

    #[test]
    fn what_is_missing_in_meta_and_what_is_of_another_type_is_named_with_what_is_wrong() {
        let (version, abilities) = ("protocolVersion", "clientCapabilities");
        let key = |name: &str, value: &str| format!(r#""io.modelcontextprotocol/{name}":{value}"#);
        let both = |said: &str, able: &str| format!("{{{},{}}}", key(version, said), key(abilities, able));
        let (good, only) = ("\"2026-07-28\"", format!("{{{}}}", key(version, "\"2026-07-28\"")));
        for (meta, words) in [
            ("{}", r#"protocolVersion"] is required"#),
            ("[]", "_meta must be an object"),
            (&*only, r#"clientCapabilities"] is required"#),
            (&*both("7", "{}"), r#"protocolVersion"] must be a string"#),
            (&*both(good, "[]"), r#"clientCapabilities"] must be an object"#),
            (&*both(good, "null"), r#"clientCapabilities"] must be an object"#),
        ] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"é","_meta":{meta}}}}}"#
            );
            let fault = check(Some("2026-07-28"), Some("tools/call"), Some("é"), &body).unwrap_err();
            let wire = Fault::from(fault).wire();
            assert_eq!((wire.status, wire.code), (400, -32_602));
            assert!(wire.message.contains(words), "{meta}: {}", wire.message);
        }
    }
}
