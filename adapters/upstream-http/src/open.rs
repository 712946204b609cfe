//! From a specification to a link that can carry messages, or the words why not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use orch_core::Limits;
use orch_core::ports::passes::{Passes, Visit};
use orch_core::ports::upstream::{LaunchSpec, LinkSink};
use orch_core::record::{RemoteKind, Transport};
use orch_core::sse::Parsed;
use rustls::ClientConfig;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::client::Client;
use crate::connect::Connector;
use crate::door::{Door, Shut};
use crate::exchange::Ending;
use crate::frames::{self, Cut, Events};
use crate::guard::{self, Destination, Guard};
use crate::head::{Media, media, words};
use crate::outlet::Outlet;
use crate::session::Session;
use crate::wires::{self, Wires};

/// Headers that are HTTP's or MCP's own: an operator who sets them breaks the protocol.
const RESERVED: [&str; 16] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What every link needs of its adapter.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) guard: Arc<Guard>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) tasks: TaskTracker,
    /// What servers are shown that ask who it is.
    pub(crate) passes: Option<Arc<dyn Passes>>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Way {
    pub(crate) fn connector(&self, to: Destination) -> Connector {
        let (guard, tls, limits) = (&self.guard, &self.tls, &self.limits);
        Connector { to, guard: Arc::clone(guard), tls: Arc::clone(tls), limits: Arc::clone(limits) }
    }
}

/// Why a link was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Somebody has to log in there.
    LoginRequired(String),
    /// Anything else.
    Failed(String),
}

impl From<String> for Unopened {
    fn from(words: String) -> Self {
        Self::Failed(words)
    }
}

/// A link that can carry messages.
pub(crate) struct Opened {
    pub(crate) wires: Arc<Wires>,
    /// The one stream of a link of 2024-11-05.
    pub(crate) stream: Option<Stream>,
}

/// A stream that has named its endpoint.
pub(crate) struct Stream {
    /// What came right behind the name.
    early: Vec<Parsed>,
    events: Events,
}

/// Reaches for a server: over Streamable HTTP its address, over HTTP+SSE its stream.
pub(crate) async fn open(way: Way, launch: &LaunchSpec, sink: Arc<dyn LinkSink>) -> Result<Opened, Unopened> {
    let Transport::Remote { kind, url, headers } = &launch.spec.transport else {
        return Err("this is a program, not a remote server".to_owned().into());
    };
    let (url, to) = guard::read(url).map_err(|refusal| refusal.to_string())?;
    let door = door(&way, launch);
    let connector = way.connector(to);
    let uri = uri(&url)?;
    let common = given(headers)?;
    connector.addresses().await.map_err(|why| why.0)?;
    let limits = way.limits;
    let client = Client::new(connector, common, door, way.tasks);
    let (uri, stream) = match kind {
        RemoteKind::Http => (uri, None),
        RemoteKind::Sse => {
            let (endpoint, stream) = endpoint(&client, &url, uri, launch.message_bytes).await?;
            (endpoint, Some(stream))
        }
    };
    let wires = Wires {
        client,
        uri,
        one_stream: stream.is_some(),
        session: Session::default(),
        outlet: Outlet::new(sink, launch.server.clone(), limits),
        limit: launch.message_bytes,
    };
    Ok(Opened { wires: Arc::new(wires), stream })
}

/// Where the hub may log in.
fn door(way: &Way, launch: &LaunchSpec) -> Option<Door> {
    let passes = way.passes.as_ref()?;
    let visit = Visit::of(&launch.project, &launch.server, &launch.spec)?;
    Some(Door { passes: Arc::clone(passes), visit: Arc::new(visit) })
}

impl Stream {
    /// Hands on what comes until the stream ends, and the link with it.
    pub(crate) async fn run(mut self, wires: Arc<Wires>) -> Ending {
        wires.outlet.received(None, frames::of_events(&self.early, &wires.outlet.limits)).await;
        loop {
            match self.events.next().await {
                Ok(batch) => {
                    wires.outlet.received(None, frames::of_events(&batch, &wires.outlet.limits)).await;
                }
                Err(Cut::TooLong) => return Ending::TooLong,
                Err(Cut::Ended) => return Ending::Lost(format!("{} ended its event stream", wires.to())),
                Err(Cut::Broken) => return Ending::Lost(format!("the event stream of {} broke", wires.to())),
            }
        }
    }
}

/// Opens the stream and waits for the name of the endpoint that takes messages.
async fn endpoint(client: &Client, url: &Url, uri: Uri, limit: usize) -> Result<(Uri, Stream), Unopened> {
    let to = client.to();
    let response =
        wires::stream(client, uri, HeaderMap::new()).await.map_err(|why| why.words().to_owned())?;
    if let Some(Shut(words)) = response.extensions().get() {
        return Err(Unopened::LoginRequired(words.clone()));
    }
    if !response.status().is_success() {
        return Err(words(to, &response).into());
    }
    if media(&response) != Media::Events {
        return Err(format!("{to} did not answer with an event stream: check `url` and `type`").into());
    }
    let mut events = Events::new(response.into_body(), limit);
    loop {
        let batch = events.next().await;
        let mut batch =
            batch.map_err(|_| format!("{to} ended its event stream before it named an endpoint"))?;
        if let Some(at) = batch.iter().position(|event| event.event == "endpoint") {
            let early = batch.split_off(at);
            let named = early.first().map_or(&[][..], |event| &event.data);
            return Ok((same_origin(url, named)?, Stream { early, events }));
        }
    }
}

/// The endpoint that a server names, relative to its own URL. It gets the operator's headers, so it is no other server.
fn same_origin(url: &Url, named: &[u8]) -> Result<Uri, String> {
    let named = std::str::from_utf8(named).ok().and_then(|named| url.join(named).ok());
    let endpoint = named.ok_or("the server named an endpoint that is no URL")?;
    if endpoint.origin() != url.origin() || !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err("the server named an endpoint on another server, which is not reached".to_owned());
    }
    uri(&endpoint)
}

fn uri(url: &Url) -> Result<Uri, String> {
    let mut url = url.clone();
    url.set_fragment(None);
    url.as_str().parse().map_err(|_| "the URL is not usable in HTTP".to_owned())
}

/// The headers of the specification. Their values are secrets, and in no words.
fn given(headers: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            return Err(format!("the header {name} is the protocol's own: remove it from `headers`"));
        }
        let header = name.parse::<HeaderName>();
        let header = header.map_err(|_| format!("`headers` names {name:?}, which is no header"))?;
        let value = HeaderValue::from_str(value.trim());
        let mut value =
            value.map_err(|_| format!("the value of the header {name} holds line ends or other controls"))?;
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_taken_from_the_same_server_only() {
        let url = Url::parse("https://a.example/x/sse?key=1").unwrap();
        for (named, expected) in [
            ("/messages?sessionId=1", Some("https://a.example/messages?sessionId=1")),
            ("messages", Some("https://a.example/x/messages")),
            ("?sessionId=1", Some("https://a.example/x/sse?sessionId=1")),
            ("https://a.example:443/m#part", Some("https://a.example/m")),
            ("http://a.example/m", None),
            ("https://a.example:8443/m", None),
            ("https://b.example/m", None),
            ("//b.example/m", None),
            ("\\\\b.example/m", None),
            ("https://a.example@b.example/m", None),
            ("https://user@a.example/m", None),
            ("javascript:alert(1)", None),
            ("https://[", None),
        ] {
            let found = same_origin(&url, named.as_bytes()).ok().map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{named}");
        }
        assert!(same_origin(&url, b"\xff").is_err());
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named_and_its_value_is_not() {
        for (name, value, words) in [
            ("Host", "s3cret", "the header Host is the protocol's own"),
            ("mcp-session-id", "s3cret", "is the protocol's own"),
            ("a b", "s3cret", "names \"a b\", which is no header"),
            (
                "Authorization",
                "Bearer s3cret\r\nX: y",
                "the value of the header Authorization holds line ends",
            ),
        ] {
            let said = given(&BTreeMap::from([(name.to_owned(), value.to_owned())])).unwrap_err();
            assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
        }
        let headers =
            given(&BTreeMap::from([("Authorization".to_owned(), " Bearer s3cret\n".to_owned())])).unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cret");
        assert!(!format!("{headers:?}").contains("s3cret"));
    }
}
