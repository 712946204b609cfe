//! What HTTP has to know of a message on its way out: whether it wants an answer, and the headers that repeat it.

use http::{HeaderMap, HeaderName, HeaderValue};
use orch_core::Limits;
use orch_core::mcp::{encode_header, header_name};
use orch_core::rpc::{Envelope, Field, Message as Rpc, Sender};

use crate::queue::Parcel;

pub(crate) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A message that is to be sent.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// The headers of the stateless era that repeat what the body says; `None` for a message of the eras before.
    pub(crate) repeated: Option<HeaderMap>,
    pub(crate) parcel: Parcel,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `notifications/cancelled`, of the request with this id.
    Cancel(String),
    /// `notifications/initialized`: what comes after it waits until it was taken.
    Initialized,
    /// Wants no answer, and keeps its place among its like.
    Note,
    /// Answers the server.
    Reply,
    /// Wants an answer.
    Request(Request),
}

/// A message that wants an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The raw JSON of its id.
    pub(crate) id: String,
    /// It begins a session.
    pub(crate) opens: bool,
    /// Of the stateless era: in no session, not resumed, and cancelled by closing its stream.
    pub(crate) stateless: bool,
    /// It is answered when the server sees fit, and not waited for at the end.
    pub(crate) listens: bool,
}

impl Message {
    /// Reads what the core sent.
    pub(crate) fn read(parcel: Parcel, limits: &Limits) -> Self {
        let Ok(body) = Envelope::parse(parcel.bytes.clone(), Sender::Upstream, limits) else {
            // The core does not send such a thing; the server will say what it thinks of it.
            return Self { kind: Kind::Note, repeated: None, parcel };
        };
        let (kind, mut repeated) = match body.message() {
            Rpc::Request { id, method } => {
                let (opens, listens) = (method == "initialize", method == "subscriptions/listen");
                let repeated = repeated(method, &body);
                let stateless = repeated.is_some();
                (Kind::Request(Request { id: id.to_owned(), opens, stateless, listens }), repeated)
            }
            Rpc::Notification { method: "notifications/initialized" } => (Kind::Initialized, None),
            Rpc::Notification { method: "notifications/cancelled" } => {
                (body.raw_str(Field::RequestId).map_or(Kind::Note, |id| Kind::Cancel(id.to_owned())), None)
            }
            Rpc::Notification { method } => (Kind::Note, repeated(method, &body)),
            Rpc::Response { .. } => (Kind::Reply, None),
        };
        if let Some(headers) = &mut repeated {
            headers.extend(parcel.params.iter().filter_map(|(name, value)| param(name, value)));
        }
        Self { kind, repeated, parcel }
    }

    pub(crate) fn request(&self) -> Option<&Request> {
        match &self.kind {
            Kind::Request(request) => Some(request),
            Kind::Cancel(_) | Kind::Initialized | Kind::Note | Kind::Reply => None,
        }
    }
}

/// The headers that must say what a body of the stateless era says.
fn repeated(method: &str, body: &Envelope) -> Option<HeaderMap> {
    let version = body.text(Field::MetaVersion)?;
    let name = header_name(method, body);
    let said = [(VERSION, Some(version.as_ref())), (METHOD, Some(method)), (NAME, name.as_deref())];
    let mut headers = HeaderMap::with_capacity(said.len());
    for (header, value) in said {
        if let Some(value) = value.and_then(|text| HeaderValue::from_str(&encode_header(text)).ok()) {
            headers.insert(header, value);
        }
    }
    Some(headers)
}

/// The header that repeats an argument. The core has made the value fit for one.
fn param(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(format!("mcp-param-{name}").as_bytes()).ok()?;
    Some((name, HeaderValue::from_str(value).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Queue;
    use bytes::Bytes;
    use std::sync::Arc;

    fn read(text: &str) -> Message {
        let queue = Arc::new(Queue::new(1 << 20));
        queue.push(Bytes::from(text.to_owned()), Vec::new()).unwrap();
        Message::read(queue.pop().unwrap(), &Limits::default())
    }

    fn modern(method: &str, rest: &str) -> Vec<(String, String)> {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{rest}{meta}}}}}"#);
        let headers = read(&body).repeated.unwrap();
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    #[test]
    fn a_message_is_known_by_what_becomes_of_it() {
        let request = |id: &str, opens, listens| {
            Kind::Request(Request { id: id.into(), opens, stateless: false, listens })
        };
        for (rest, kind) in [
            (r#""id":7,"method":"tools/call""#, request("7", false, false)),
            (r#""id":"a","method":"initialize""#, request("\"a\"", true, false)),
            (r#""id":1,"method":"subscriptions/listen""#, request("1", false, true)),
            (r#""method":"notifications/initialized""#, Kind::Initialized),
            (r#""method":"notifications/cancelled","params":{"requestId":7}"#, Kind::Cancel("7".into())),
            (r#""method":"notifications/progress""#, Kind::Note),
            (r#""id":7,"result":{}"#, Kind::Reply),
            (r#""id":7,"error":{"code":1,"message":""}"#, Kind::Reply),
        ] {
            assert_eq!(read(&format!("{{\"jsonrpc\":\"2.0\",{rest}}}")).kind, kind, "{rest}");
        }
        assert_eq!(read("no message").kind, Kind::Note);
    }

    #[test]
    fn the_stateless_era_repeats_version_method_and_name_in_headers() {
        let headers = |name: Option<&str>, method: &str| {
            let mut expected = vec![("mcp-protocol-version".to_owned(), "2026-07-28".to_owned())];
            expected.push(("mcp-method".to_owned(), method.to_owned()));
            expected.extend(name.map(|name| ("mcp-name".to_owned(), name.to_owned())));
            expected
        };
        for (method, rest, name) in [
            ("server/discover", "", None),
            ("tools/call", r#""name":"get-sum","#, Some("get-sum")),
            ("tools/call", r#""name":"größe","#, Some("=?base64?Z3LDtsOfZQ==?=")),
            ("tools/call", r#""name":"a\nb","#, Some("=?base64?YQpi?=")),
            ("prompts/get", r#""name":"p","#, Some("p")),
            ("resources/read", r#""uri":"test://a b","name":"x","#, Some("test://a b")),
            ("resources/list", r#""name":"x","#, None),
            ("tasks/get", r#""taskId":"t-1","#, Some("t-1")),
        ] {
            assert_eq!(modern(method, rest), headers(name, method), "{method}");
        }
    }

    #[test]
    fn the_eras_before_repeat_nothing() {
        assert!(
            read(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#)
                .repeated
                .is_none()
        );
    }
}
