//! Media types: what a client sends and what it takes. Pure.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use orch_core::Rejection;

/// Refuses a body that is not plain `application/json`.
pub(crate) fn sends_json(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let json = types.next().and_then(|value| value.to_str().ok()).is_some_and(is_json);
    if !json || types.next().is_some() {
        return Err(Rejection::ContentType);
    }
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(plain) { Ok(()) } else { Err(Rejection::ContentEncoding) }
}

/// Refuses a client that takes neither of the two forms of an answer.
///
/// The revisions of 2025 ask for both to be listed. Clients that list one, or nothing, get on well with either,
/// so only a client that could use neither is turned away.
pub(crate) fn takes_an_answer(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut listed = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(essence)
        .filter(|media| !media.is_empty())
        .peekable();
    if listed.peek().is_none() || listed.any(is_ours) { Ok(()) } else { Err(Rejection::NotAcceptable) }
}

fn is_ours(media: &str) -> bool {
    ["application/json", "text/event-stream", "*/*", "application/*", "text/*"]
        .iter()
        .any(|known| media.eq_ignore_ascii_case(known))
}

fn is_json(value: &str) -> bool {
    let mut parameters = value.split(';').skip(1).map(str::trim);
    essence(value).eq_ignore_ascii_case("application/json") && parameters.all(is_harmless)
}

/// Any parameter but a charset other than UTF-8.
fn is_harmless(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    !name.trim().eq_ignore_ascii_case("charset")
        || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// A media type without its parameters.
fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(heads: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in heads {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_body_is_json_in_utf_8() {
        for (value, fine) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"; v=1", true),
            ("application/json;", true),
            ("application/json; charset=latin1", false),
            ("application/jsonp", false),
            ("application/json-rpc", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            assert_eq!(sends_json(&headers(&[("content-type", value)])).is_ok(), fine, "{value}");
        }
        assert_eq!(sends_json(&headers(&[])), Err(Rejection::ContentType));
        let twice = [("content-type", "application/json"), ("content-type", "text/plain")];
        assert_eq!(sends_json(&headers(&twice)), Err(Rejection::ContentType));
    }

    #[test]
    fn a_compressed_body_is_refused() {
        for (value, fine) in [("identity", true), ("gzip", false), ("br", false), ("identity, gzip", false)] {
            let heads = [("content-type", "application/json"), ("content-encoding", value)];
            assert_eq!(sends_json(&headers(&heads)).is_ok(), fine, "{value}");
        }
    }

    #[test]
    fn only_a_client_that_takes_neither_form_is_turned_away() {
        for (value, fine) in [
            ("application/json, text/event-stream", true),
            ("text/event-stream, application/json;q=0.9", true),
            ("application/json", true),
            ("TEXT/EVENT-STREAM", true),
            ("*/*", true),
            ("text/html, */*;q=0.1", true),
            ("", true),
            ("text/html", false),
            ("text/html, image/png", false),
        ] {
            assert_eq!(takes_an_answer(&headers(&[("accept", value)])).is_ok(), fine, "{value}");
        }
        assert!(takes_an_answer(&headers(&[])).is_ok());
        assert!(
            takes_an_answer(&headers(&[("accept", "text/html"), ("accept", "application/json")])).is_ok()
        );
    }
}
