//! Fake servers: what they were sent, and what they say when the dice want it.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::LinkId;
use orch_core::rpc::{Envelope, Field, Message, Sender};

use crate::books::{nonce, nonce_of_request};

/// The state that a server of the stateless era gives away.
pub(crate) const MINE: &str = "mine";

/// Where the process behind a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Opening,
    Open,
    /// It was told to end.
    Closing,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub server: usize,
    pub stage: Stage,
    /// Whether its configuration has changed since.
    pub retired: bool,
    /// Whether it has answered the first words to it well.
    pub greeted: bool,
    /// How many tools it has.
    pub tools: usize,
    /// Whether it did not let them be listed when it was asked last.
    pub excused: bool,
    pub requests: Vec<Request>,
    /// The streams of news that are open.
    pub listens: BTreeSet<u64>,
    /// What it has asked its client and was not told.
    pub questions: BTreeSet<u64>,
    /// What it has demanded to know.
    pub demanded: BTreeSet<u64>,
    /// Every id that it was ever sent.
    ids: BTreeSet<u64>,
}

/// A request that a server has not answered.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub id: u64,
    pub method: String,
    pub nonce: Option<u64>,
    pub token: bool,
    /// Whether its client can be asked for its roots.
    pub able: bool,
    cursor: Option<usize>,
}

/// The processes of all servers.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub all: BTreeMap<LinkId, Link>,
    /// Over which a client's request was sent last.
    pub used: Option<LinkId>,
    /// Every request of a client that any server was ever sent.
    delivered: BTreeSet<u64>,
}

impl Links {
    pub(crate) fn open(&mut self, link: LinkId, server: usize) {
        let new = Link {
            server,
            stage: Stage::Opening,
            retired: false,
            greeted: false,
            tools: 3,
            excused: false,
            requests: Vec::new(),
            listens: BTreeSet::new(),
            questions: BTreeSet::new(),
            demanded: BTreeSet::new(),
            ids: BTreeSet::new(),
        };
        assert!(self.all.insert(link, new).is_none(), "link {link} is opened twice");
    }

    /// A message to a server.
    pub(crate) fn send(&mut self, link: LinkId, frame: &bytes::Bytes) {
        let it =
            self.all.get_mut(&link).unwrap_or_else(|| panic!("a message over link {link}, which is gone"));
        assert_ne!(it.stage, Stage::Opening, "a message over a link that is not open");
        assert!(!frame.contains(&b'\n'), "a message is one line");
        let limits = orch_core::Limits::default();
        let message =
            Envelope::parse(frame.clone(), Sender::Upstream, &limits).expect("servers get messages");
        match message.message() {
            Message::Request { id, method } => {
                let id: u64 = id.parse().expect("the hub's ids are numbers");
                assert!(it.ids.insert(id), "id {id} was used before");
                let first = matches!(method, "initialize" | "server/discover");
                assert!(it.greeted || first, "{method} before the handshake");
                let enveloped = message.has(Field::MetaVersion) && message.has(Field::MetaCapabilities);
                let modern = is_modern(it.server) || method == "server/discover";
                assert_eq!(
                    enveloped,
                    modern && method != "initialize",
                    "in the words of which era? {message:?}"
                );
                if method == "subscriptions/listen" {
                    it.listens.insert(id);
                    return;
                }
                let token = message.raw_str(Field::MetaProgressToken);
                assert!(token.is_none_or(|token| token == id.to_string()), "a client's token: {message:?}");
                let nonce = nonce_of_request(frame);
                if let Some(nonce) = nonce {
                    self.used = Some(link);
                    assert!(self.delivered.insert(nonce), "request {nonce} was delivered twice");
                }
                let cursor = message.text(Field::Cursor).map(|cursor| cursor.parse().expect("my cursor"));
                it.requests.push(Request {
                    id,
                    method: method.to_owned(),
                    nonce,
                    token: token.is_some(),
                    able: message.raw_str(Field::MetaCapabilities).is_some_and(|raw| raw.contains("roots")),
                    cursor,
                });
            }
            Message::Notification { method: "notifications/cancelled" } => {
                let id = message.raw_str(Field::RequestId).and_then(|id| id.parse().ok());
                let id = id.expect("an id");
                assert!(it.ids.contains(&id), "a cancellation of what was never sent");
                it.listens.remove(&id);
                if it.requests.iter().any(|request| request.id == id && request.method == "tools/list") {
                    it.excused = true;
                }
            }
            Message::Notification { method } => {
                assert!(!is_modern(it.server), "{method} to a server of the stateless era");
            }
            Message::Response { id, ok } => {
                let id: u64 = id.parse().expect("the id of a question");
                assert!(it.questions.remove(&id), "{id} was not asked, or answered before");
                assert!(!ok || nonce(frame) == Some(id), "the answer to another question: {message:?}");
            }
        }
    }

    /// Requests that a server did not begin; they may be delivered again.
    pub(crate) fn take_back(&mut self, refused: &[Request]) {
        self.delivered.retain(|nonce| !refused.iter().any(|request| request.nonce == Some(*nonce)));
    }

    /// A server wants to know more before it answers: the request may come again.
    pub(crate) fn demand(&mut self, link: LinkId, request: &Request, mark: u64) -> String {
        if let Some(nonce) = request.nonce {
            self.delivered.remove(&nonce);
        }
        self.all.get_mut(&link).expect("a link").demanded.insert(mark);
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"input_required","inputRequests":{{"q":{{"method":"roots/list","params":{{"nonce":"{mark}"}}}}}},"requestState":"{MINE}"}}}}"#,
            request.id
        )
    }

    /// What a server answers when all is well.
    pub(crate) fn answer(&self, link: LinkId, request: &Request) -> String {
        let it = &self.all[&link];
        let modern = is_modern(it.server);
        if (request.method == "initialize" && modern) || (request.method == "server/discover" && !modern) {
            return format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32601,"message":"never heard of it"}}}}"#,
                request.id
            );
        }
        let result = match (request.nonce, &*request.method) {
            (Some(nonce), _) => format!(r#"{{"content":[],"nonce":"{nonce}"}}"#),
            (None, "server/discover") => {
                r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{"subscribe":true},"logging":{}}}"#.into()
            }
            (None, "initialize") => {
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}"#.into()
            }
            (None, "tools/list") => tools(it.tools, request.cursor.unwrap_or(0)),
            (None, "resources/list") => {
                format!(r#"{{"resources":[{{"uri":"file:///same","name":"r"}},{{"uri":"s{}://x","name":"r"}}]}}"#, it.server)
            }
            (None, "resources/templates/list") => {
                format!(r#"{{"resourceTemplates":[{{"uriTemplate":"t{}://{{x}}","name":"t"}}]}}"#, it.server)
            }
            (None, _) => "{}".into(),
        };
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, request.id)
    }

    /// The links of servers as they are configured now, that were not told to end.
    pub(crate) fn current(&self) -> impl Iterator<Item = &Link> {
        self.all.values().filter(|link| !link.retired && link.stage != Stage::Closing)
    }
}

/// Two tools a page.
fn tools(count: usize, from: usize) -> String {
    let to = count.min(from + 2);
    let tools: Vec<String> = (from..to).map(|n| format!(r#"{{"name":"t{n}"}}"#)).collect();
    let next = if to < count { format!(r#","nextCursor":"{to}""#) } else { String::new() };
    format!(r#"{{"tools":[{}]{next}}}"#, tools.join(","))
}

/// Every other server is of the stateless era.
pub(crate) fn is_modern(server: usize) -> bool {
    server % 2 == 1
}
