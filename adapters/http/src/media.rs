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

/// Refuses a client that does not take both forms of an answer: which of them comes is decided after its request was
/// carried out. Who says nothing takes both.
pub(crate) fn takes_an_answer(headers: &HeaderMap) -> Result<(), Rejection> {
    takes(headers, &[["application/json", "application/*"], ["text/event-stream", "text/*"]])
}

/// Refuses a client that does not take an event stream.
pub(crate) fn takes_events(headers: &HeaderMap) -> Result<(), Rejection> {
    takes(headers, &[["text/event-stream", "text/*"]])
}

/// Whether `Accept` allows all of these types, each by the first of its names that is listed, or else by `*/*`: what names it more
/// precisely goes before (RFC 9110 section 12.5.1).
fn takes(headers: &HeaderMap, types: &[[&str; 2]]) -> Result<(), Rejection> {
    let listed = |name: &&str| ranges(headers).find(|range| essence(range).eq_ignore_ascii_case(name));
    let allows = |names: &[&str; 2]| {
        let range = names.iter().chain(&["*/*"]).find_map(listed);
        range.is_some_and(|range| !is_left_out(range))
    };
    if ranges(headers).next().is_none() || types.iter().all(allows) {
        Ok(())
    } else {
        Err(Rejection::NotAcceptable)
    }
}

/// The media ranges of `Accept`.
fn ranges(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter(|range| !essence(range).is_empty())
}

/// Whether a range is listed in order to be left out: its weight is zero.
fn is_left_out(range: &str) -> bool {
    let weight = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
    weight.is_some_and(|weight| weight.trim_matches(['0', '.']).is_empty())
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
    fn a_client_takes_both_forms_of_an_answer_or_says_nothing() {
        for (value, both, events) in [
            ("application/json, text/event-stream", true, true),
            ("text/event-stream, application/json;q=0.9", true, true),
            ("Application/JSON,TEXT/EVENT-STREAM", true, true),
            ("*/*", true, true),
            ("text/html, */*;q=0.1", true, true),
            ("application/*, text/*", true, true),
            ("", true, true),
            (" , ", true, true),
            ("application/json", false, false),
            ("text/event-stream", false, true),
            ("application/json, text/event-stream;q=0", false, false),
            ("application/json, text/event-stream; q=0.000", false, false),
            ("application/json;q=0", false, false),
            ("application/json;q=0, */*", false, true),
            ("*/*, text/event-stream;q=0.0", false, false),
            ("*/*;q=0, application/json, text/*", true, true),
            ("text/html", false, false),
            ("text/html, image/png", false, false),
        ] {
            let headers = headers(&[("accept", value)]);
            assert_eq!(takes_an_answer(&headers).is_ok(), both, "{value}");
            assert_eq!(takes_events(&headers).is_ok(), events, "{value}");
        }
        assert!(takes_an_answer(&headers(&[])).is_ok() && takes_events(&headers(&[])).is_ok());
        let apart = [("accept", "text/event-stream"), ("accept", "application/json")];
        assert!(takes_an_answer(&headers(&apart)).is_ok());
    }
}
