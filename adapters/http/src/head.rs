//! From an HTTP head to the core's [`Head`]. Pure.
//!
//! A header that has a meaning here may be sent once: of two, another reader may have taken the other one.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use orch_core::Rejection;
use orch_core::ports::gateway::{Bearer, Head, ProtocolHeaders, Verb};

use crate::route::{Door, Endpoint};

pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");
const PARAM_PREFIX: &str = "mcp-param-";

/// What a method does at a door; `Err` is the `Allow` header of the 405.
pub(crate) fn verb(door: Door, method: &Method) -> Result<Verb, &'static str> {
    match door {
        Door::Mcp if method == Method::POST => Ok(Verb::Post),
        Door::Mcp if method == Method::GET => Ok(Verb::Listen),
        Door::Mcp if method == Method::DELETE => Ok(Verb::Delete),
        Door::Mcp => Err("GET, POST, DELETE"),
        Door::Sse if method == Method::GET => Ok(Verb::OpenSse),
        Door::Sse => Err("GET"),
        Door::Messages if method == Method::POST => Ok(Verb::PostMessage),
        Door::Messages => Err("POST"),
    }
}

/// The head of an exchange, as the gateway takes it.
pub(crate) fn read(
    verb: Verb,
    endpoint: &Endpoint<'_>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Head, Rejection> {
    let session = match verb {
        Verb::PostMessage => session_of(uri.query().unwrap_or_default())?.map(str::to_owned),
        Verb::Post | Verb::Listen | Verb::Delete | Verb::OpenSse => owned(headers, &SESSION)?,
    };
    Ok(Head {
        verb,
        project: endpoint.project.map(str::to_owned),
        target: endpoint.target(),
        bearer: bearer_of(headers)?,
        session,
        headers: ProtocolHeaders {
            version: owned(headers, &VERSION)?,
            method: owned(headers, &METHOD)?,
            name: owned(headers, &NAME)?,
            params: params(headers)?,
            last_event_id: owned(headers, &LAST_EVENT)?,
            idempotency_key: idempotency_of(headers)?,
        },
        messages_path: if verb == Verb::OpenSse { endpoint.messages_path() } else { String::new() },
    })
}

/// The value of a header that may be there once. Twice, or not visible ASCII, is refused.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    match (first.map(HeaderValue::to_str), second) {
        (None, _) => Ok(None),
        (Some(Ok(value)), None) => Ok(Some(value)),
        (Some(_), Some(_)) => Err(Rejection::Malformed("a header that may be sent once was sent twice")),
        (Some(Err(_)), None) => Err(Rejection::Malformed("a header value is not visible ASCII")),
    }
}

/// The key that a request brings.
pub(crate) fn bearer_of(headers: &HeaderMap) -> Result<Option<Bearer>, Rejection> {
    Ok(single(headers, &AUTHORIZATION)?.and_then(bearer))
}

/// The key under which a request is known when it comes again.
pub(crate) fn idempotency_of(headers: &HeaderMap) -> Result<Option<String>, Rejection> {
    owned(headers, &IDEMPOTENCY)
}

fn owned(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Rejection> {
    Ok(single(headers, name)?.map(str::to_owned))
}

/// The token of `Bearer <token>`. The scheme is case-insensitive; other schemes are not ours.
fn bearer(value: &str) -> Option<Bearer> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let sound = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (sound && scheme.eq_ignore_ascii_case("bearer")).then(|| Bearer(token.to_owned()))
}

/// The `Mcp-Param-*` headers, by what follows the prefix.
fn params(headers: &HeaderMap) -> Result<Vec<(String, String)>, Rejection> {
    let mut params = Vec::new();
    for name in headers.keys() {
        if let Some(short) = name.as_str().strip_prefix(PARAM_PREFIX)
            && let Some(value) = single(headers, name)?
        {
            params.push((short.to_owned(), value.to_owned()));
        }
    }
    Ok(params)
}

/// `sessionId` of a query, as sent: our own ids need no escape.
fn session_of(query: &str) -> Result<Option<&str>, Rejection> {
    let mut ids = query.split('&').filter_map(|pair| pair.strip_prefix("sessionId="));
    match (ids.next(), ids.next()) {
        (id, None) => Ok(id.filter(|id| !id.is_empty())),
        (_, Some(_)) => Err(Rejection::Malformed("two sessionId parameters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;

    fn head(method: &Method, target: &str, heads: &[(&'static str, &'static [u8])]) -> Result<Head, String> {
        let uri: Uri = target.parse().unwrap();
        let Ok(Route::Mcp(endpoint)) = Route::parse(uri.path()) else { panic!("{target} is no endpoint") };
        let verb = verb(endpoint.door, method)?;
        let mut headers = HeaderMap::new();
        for (name, value) in heads {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        read(verb, &endpoint, &uri, &headers).map_err(|rejection| rejection.to_string())
    }

    fn post(heads: &[(&'static str, &'static [u8])]) -> Result<Head, String> {
        head(&Method::POST, "/mcp", heads)
    }

    #[test]
    fn each_door_has_its_verbs_and_names_them_to_others() {
        let all = [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::HEAD, Method::PUT];
        for (door, verbs, allow) in [
            (Door::Mcp, [Some(Verb::Listen), Some(Verb::Post), Some(Verb::Delete)], "GET, POST, DELETE"),
            (Door::Sse, [Some(Verb::OpenSse), None, None], "GET"),
            (Door::Messages, [None, Some(Verb::PostMessage), None], "POST"),
        ] {
            for (method, expected) in all.iter().zip(verbs.into_iter().chain([None; 3])) {
                assert_eq!(verb(door, method), expected.ok_or(allow), "{method} {door:?}");
            }
        }
    }

    #[test]
    fn the_bearer_scheme_is_case_insensitive_and_other_schemes_are_no_key() {
        for (value, token) in [
            (&b"Bearer k"[..], Some("k")),
            (b"bearer k", Some("k")),
            (b"BEARER  k ", Some("k")),
            (b"Bearer", None),
            (b"Bearer ", None),
            (b"Bearer a b", None),
            (b"Basic k", None),
            (b"k", None),
        ] {
            let head = post(&[("authorization", value)]).unwrap();
            assert_eq!(head.bearer, token.map(|token| Bearer(token.to_owned())), "{value:?}");
        }
    }

    #[test]
    fn a_key_in_the_query_is_not_looked_at() {
        let head = head(&Method::POST, "/mcp?api_key=k&authorization=Bearer%20k&sessionId=s", &[]).unwrap();
        assert_eq!((head.bearer, head.session), (None, None));
    }

    #[test]
    fn a_header_with_a_meaning_is_sent_once_and_in_ascii() {
        for name in [
            "authorization",
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "mcp-param-region",
            "last-event-id",
            "idempotency-key",
        ] {
            assert!(post(&[(name, b"Bearer a")]).is_ok(), "{name} once");
            assert!(post(&[(name, b"Bearer a"), (name, b"Bearer a")]).is_err(), "{name} twice");
            assert!(post(&[(name, "é".as_bytes())]).is_err(), "{name} not in ASCII");
        }
    }

    #[test]
    fn protocol_headers_reach_the_gateway_as_sent() {
        let head = post(&[
            ("mcp-session-id", b"S-1"),
            ("mcp-protocol-version", b"2026-07-28"),
            ("mcp-method", b"tools/call"),
            ("mcp-name", b"=?base64?aGk=?="),
            ("mcp-param-region", b"EU"),
            ("last-event-id", b"7"),
            ("idempotency-key", b"\"k\""),
        ])
        .unwrap();
        assert_eq!(head.session.as_deref(), Some("S-1"));
        assert_eq!(
            head.headers,
            ProtocolHeaders {
                version: Some("2026-07-28".into()),
                method: Some("tools/call".into()),
                name: Some("=?base64?aGk=?=".into()),
                params: vec![("region".into(), "EU".into())],
                last_event_id: Some("7".into()),
                idempotency_key: Some("\"k\"".into()),
            }
        );
    }

    #[test]
    fn a_message_names_its_session_in_the_query_and_nowhere_else() {
        let session =
            |target| head(&Method::POST, target, &[("mcp-session-id", b"other")]).map(|head| head.session);
        assert_eq!(session("/messages?sessionId=abc"), Ok(Some("abc".to_owned())));
        assert_eq!(session("/messages?a=b&sessionId=abc&c"), Ok(Some("abc".to_owned())));
        assert_eq!(session("/messages?sessionId="), Ok(None));
        assert_eq!(session("/messages?xsessionId=abc"), Ok(None));
        assert_eq!(session("/messages"), Ok(None));
        assert!(session("/messages?sessionId=a&sessionId=b").is_err());
    }

    #[test]
    fn only_a_stream_of_http_sse_is_told_where_to_post() {
        let open = |target| head(&Method::GET, target, &[]).unwrap().messages_path;
        assert_eq!(open("/projects/p/servers/s/sse?x=y"), "/projects/p/servers/s/messages");
        assert_eq!(open("/mcp"), "");
    }
}
