//! Fake servers: what they were sent, and what they say when the dice want it.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::LinkId;
use orch_core::rpc::{Envelope, Field, Message, Sender};

use crate::books::nonce;

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
    /// Whether it has answered `initialize`.
    pub greeted: bool,
    pub requests: Vec<Request>,
    /// What it has asked its client and was not told.
    pub questions: BTreeSet<u64>,
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
    cursor: Option<usize>,
}

/// The processes of all servers.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub all: BTreeMap<LinkId, Link>,
    /// How many tools each server has.
    pub tools: Vec<usize>,
    /// Servers that did not let their tools be listed when the list was asked for last.
    pub excused: BTreeSet<usize>,
    /// Every request of a client that any server was ever sent.
    delivered: BTreeSet<u64>,
}

impl Links {
    pub(crate) fn new(servers: usize) -> Self {
        Self { tools: vec![3; servers], ..Self::default() }
    }

    pub(crate) fn open(&mut self, link: LinkId, server: usize) {
        let new = Link {
            server,
            stage: Stage::Opening,
            retired: false,
            greeted: false,
            requests: Vec::new(),
            questions: BTreeSet::new(),
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
                assert!(it.greeted || method == "initialize", "{method} before the handshake");
                let token = message.raw_str(Field::MetaProgressToken);
                assert!(token.is_none_or(|token| token == id.to_string()), "a client's token: {message:?}");
                let nonce = nonce(frame);
                if let Some(nonce) = nonce {
                    assert!(self.delivered.insert(nonce), "request {nonce} was delivered twice");
                }
                let cursor = message.text(Field::Cursor).map(|cursor| cursor.parse().expect("my cursor"));
                it.requests.push(Request {
                    id,
                    method: method.to_owned(),
                    nonce,
                    token: token.is_some(),
                    cursor,
                });
            }
            Message::Notification { method: "notifications/cancelled" } => {
                let id = message.raw_str(Field::RequestId).and_then(|id| id.parse().ok());
                let id = id.expect("an id");
                assert!(it.ids.contains(&id), "a cancellation of what was never sent");
                if it.requests.iter().any(|request| request.id == id && request.method == "tools/list") {
                    self.excused.insert(it.server);
                }
            }
            Message::Notification { .. } => {}
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

    /// What a server answers when all is well.
    pub(crate) fn answer(&self, link: LinkId, request: &Request) -> String {
        let it = &self.all[&link];
        let result = match (request.nonce, &*request.method) {
            (Some(nonce), _) => format!(r#"{{"content":[],"nonce":"{nonce}"}}"#),
            (None, "initialize") => {
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}"#.into()
            }
            (None, "tools/list") => self.tools(it.server, request.cursor.unwrap_or(0)),
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

    /// Two tools a page.
    fn tools(&self, server: usize, from: usize) -> String {
        let count = self.tools[server];
        let to = count.min(from + 2);
        let tools: Vec<String> = (from..to).map(|n| format!(r#"{{"name":"t{n}"}}"#)).collect();
        let next = if to < count { format!(r#","nextCursor":"{to}""#) } else { String::new() };
        format!(r#"{{"tools":[{}]{next}}}"#, tools.join(","))
    }

    /// The links of servers as they are configured now, that were not told to end.
    pub(crate) fn current(&self) -> impl Iterator<Item = &Link> {
        self.all.values().filter(|link| !link.retired && link.stage != Stage::Closing)
    }
}
