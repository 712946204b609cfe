//! What the head of an answer says, and words for the heads that are no answer.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{Response, StatusCode};
use url::Url;

use crate::door::Shut;
use crate::guard::Destination;

/// The type of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Events,
    Json,
    None,
    Other,
}

/// The coding of a body that nobody has asked for.
fn coding<B>(response: &Response<B>) -> Option<&str> {
    let coding = response.headers().get(CONTENT_ENCODING)?.to_str().ok()?;
    (!coding.trim().eq_ignore_ascii_case("identity")).then_some(coding)
}

/// The type that an answer says its body has, if it can be read.
pub(crate) fn media<B>(response: &Response<B>) -> Media {
    if coding(response).is_some() {
        return Media::Other;
    }
    let Some(value) = response.headers().get(CONTENT_TYPE) else { return Media::None };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        Media::Events
    } else if essence.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else {
        Media::Other
    }
}

/// Why an answer is none, and the next step. Nothing that the server wrote is in it, but the host of a redirect.
pub(crate) fn words<B>(to: &Destination, response: &Response<B>) -> String {
    let status = response.status();
    if status.is_redirection() {
        return format!(
            "{to} redirects to {}, and redirects are not followed: correct `url`",
            target(to, response)
        );
    }
    if let Some(Shut(words)) = response.extensions().get() {
        return words.clone();
    }
    let step = match status {
        StatusCode::UNAUTHORIZED => "it wants other credentials: check `headers`",
        StatusCode::FORBIDDEN => "it forbids this: check what the credentials in `headers` may do",
        StatusCode::NOT_FOUND => "there is nothing at this path: check `url`",
        StatusCode::METHOD_NOT_ALLOWED => "this path is for something else: check `url` and `type`",
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            "it asks for patience: try again later"
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the request is too large for it",
        _ if status.is_server_error() => "it failed: its own log says more",
        _ if status.is_success() && coding(response).is_some() => {
            "its body is compressed, which the hub does not ask for (`Accept-Encoding: identity`): have it, or the proxy before it, send \
             it as it is"
        }
        _ if status.is_success() => {
            "what it sent is neither JSON nor an event stream: is `url` its MCP endpoint?"
        }
        _ => "it did not accept the request: is `url` its MCP endpoint?",
    };
    format!("{to} answered {}: {step}", status.as_u16())
}

/// The host that a redirect leads to.
fn target<B>(to: &Destination, response: &Response<B>) -> String {
    let scheme = if to.secure { "https" } else { "http" };
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let base = Url::parse(&format!("{scheme}://{to}/")).ok();
    let target = base.zip(location).and_then(|(base, location)| base.join(location).ok());
    match target.as_ref().map(Destination::of) {
        Some(Ok(other)) if other == *to => "another path".to_owned(),
        Some(Ok(other)) => other.to_string(),
        Some(Err(_)) | None => "somewhere else".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, header: (&str, &str)) -> Response<()> {
        Response::builder().status(status).header(header.0, header.1).body(()).unwrap()
    }

    #[test]
    fn the_media_type_is_read_without_its_parameters() {
        for (value, expected) in [
            ("application/json", Media::Json),
            ("Application/JSON; charset=utf-8", Media::Json),
            ("text/event-stream;charset=utf-8", Media::Events),
            ("application/json-seq", Media::Other),
            ("text/html", Media::Other),
            ("", Media::Other),
        ] {
            assert_eq!(media(&response(200, ("content-type", value))), expected, "{value}");
        }
        assert_eq!(media(&response(200, ("x", ""))), Media::None);
        let mut coded = response(200, ("content-type", "application/json"));
        coded.headers_mut().insert(CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
        assert_eq!(media(&coded), Media::Other);
        let to = Destination::of(&Url::parse("https://a.example/mcp").unwrap()).unwrap();
        assert!(words(&to, &coded).contains("its body is compressed"));
        coded.headers_mut().insert(CONTENT_ENCODING, http::HeaderValue::from_static("Identity"));
        assert_eq!(media(&coded), Media::Json);
    }

    #[test]
    fn a_redirect_names_its_host_and_nothing_else() {
        let to = Destination::of(&Url::parse("https://a.example/mcp").unwrap()).unwrap();
        for (location, named) in [
            ("https://b.example/login?token=s3cret", "redirects to b.example:443,"),
            ("http://a.example/s3cret", "redirects to a.example:80,"),
            ("/mcp/?s3cret", "redirects to another path,"),
            ("mailto:s3cret", "redirects to somewhere else,"),
        ] {
            let said = words(&to, &response(308, ("location", location)));
            assert!(said.contains(named) && !said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn every_status_has_a_next_step() {
        let to = Destination::of(&Url::parse("https://a.example/mcp").unwrap()).unwrap();
        for (status, step) in [
            (200, "is `url` its MCP endpoint?"),
            (400, "is `url` its MCP endpoint?"),
            (401, "check `headers`"),
            (403, "check what the credentials"),
            (404, "check `url`"),
            (405, "check `url` and `type`"),
            (429, "try again later"),
            (500, "its own log says more"),
            (503, "try again later"),
        ] {
            let said = words(&to, &response(status, ("x", "y")));
            assert!(
                said.starts_with(&format!("a.example:443 answered {status}: ")) && said.contains(step),
                "{said}"
            );
        }
    }
}
