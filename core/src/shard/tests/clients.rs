//! Clients of every era, and what the servers behind the hub see of them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::world::{World, read};
use crate::mcp::Revision;
use crate::ports::gateway::{Admission, Head, ProtocolHeaders, Target, Verb};
use crate::ports::upstream::CloseReason;
use crate::rpc::{Envelope, Field, Message, Sender, heard};
use crate::shard::{Input, Opened, Posted};
use crate::{CallId, ExchangeId, KeyId, Limits, LinkId};

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// HTTP+SSE of 2024-11-05.
    Sse,
    /// Streamable HTTP with sessions.
    Http(Revision),
    /// 2026-07-28.
    Modern,
}

pub(super) const HTTP: Era = Era::Http(Revision::V2025_11_25);

/// One of each way in which a call travels.
pub(super) const ERAS: [Era; 3] = [Era::Sse, HTTP, Era::Modern];

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub era: Era,
    pub target: Target,
    pub key: &'static str,
    pub session: Option<String>,
    /// The stream of an HTTP+SSE session.
    pub stream: Option<ExchangeId>,
    /// Raw JSON.
    pub capabilities: &'static str,
}

/// An answer to `sampling/createMessage`.
pub(super) const SAMPLED: &str = r#"{"role":"assistant","content":[],"model":"m"}"#;

/// Params of a question, with all that it needs.
pub(super) fn params_of(method: &str) -> &'static str {
    match method {
        "elicitation/create" => r#"{"message":"?","requestedSchema":{}}"#,
        "sampling/createMessage" => r#"{"messages":[],"maxTokens":9}"#,
        _ => "{}",
    }
}

pub(super) fn at(server: &str) -> Target {
    Target::Server(server.into())
}

impl Client {
    /// A client that has not said anything yet.
    pub(super) fn new(era: Era, target: Target) -> Self {
        Self { era, target, key: "key", session: None, stream: None, capabilities: "{}" }
    }

    pub(super) fn admission(&self, world: &World) -> Admission {
        Admission { project: world.project(), key: KeyId(self.key.into()), target: self.target.clone() }
    }

    pub(super) fn head(&self, verb: Verb) -> Head {
        Head {
            verb,
            project: None,
            target: self.target.clone(),
            bearer: None,
            session: self.session.clone(),
            headers: ProtocolHeaders::default(),
            messages_path: "/messages".into(),
        }
    }

    pub(super) fn post_head(&self, body: &Envelope) -> Head {
        match self.era {
            Era::Sse => self.head(Verb::PostMessage),
            Era::Http(revision) => {
                let mut head = self.head(Verb::Post);
                if self.session.is_some() && revision > Revision::V2025_03_26 {
                    head.headers.version = Some(revision.date().into());
                }
                head
            }
            Era::Modern => {
                let mut head = self.head(Verb::Post);
                let (Message::Request { method, .. } | Message::Notification { method }) = body.message()
                else {
                    panic!("a client of the stateless era has no responses")
                };
                head.headers.version = body.text(Field::MetaVersion).map(|text| text.to_string());
                head.headers.method = Some(method.into());
                let named = match method {
                    "resources/read" => Field::Uri,
                    _ if method.starts_with("tasks/") => Field::TaskId,
                    _ => Field::Name,
                };
                head.headers.name = body.text(named).map(|text| text.to_string());
                head
            }
        }
    }

    /// The name by which this client calls a server's `echo`.
    pub(super) fn echo(&self) -> &'static str {
        if self.target == Target::Unified { "a__echo" } else { "echo" }
    }

    /// A request as this client writes it: `members` are those of `params`, `meta` those of its `_meta`.
    pub(super) fn write(&self, id: &str, method: &str, members: &str, meta: &str) -> String {
        let version = match self.era {
            Era::Modern => format!(
                r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}"#,
                self.capabilities
            ),
            Era::Sse | Era::Http(_) => String::new(),
        };
        let all: Vec<&str> = [&*version, meta].into_iter().filter(|text| !text.is_empty()).collect();
        let meta = if all.is_empty() { String::new() } else { format!(r#""_meta":{{{}}}"#, all.join(",")) };
        let all: Vec<&str> = [members, &meta].into_iter().filter(|text| !text.is_empty()).collect();
        let params =
            if all.is_empty() { String::new() } else { format!(r#","params":{{{}}}"#, all.join(",")) };
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"{params}}}"#)
    }
}

/// A request that a server was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub link: LinkId,
    pub id: String,
    pub method: String,
    /// Raw JSON.
    pub params: String,
}

impl World {
    /// A client that is ready: with a session in the eras that have them.
    pub(super) fn client(&mut self, era: Era, target: Target) -> Client {
        self.able_client(era, target, "{}")
    }

    /// The same, with capabilities.
    pub(super) fn able_client(&mut self, era: Era, target: Target, capabilities: &'static str) -> Client {
        let mut client = Client { capabilities, ..Client::new(era, target) };
        if era == Era::Sse {
            self.open_sse(&mut client);
        }
        if era != Era::Modern {
            let exchange = self.initialize(&client, "2025-11-25");
            let answer = self.answer(&client, exchange);
            assert!(answer.has(Field::Result), "{:?}", answer.raw_str(Field::Error));
            if era != Era::Sse {
                client.session = self.seen(exchange).session.clone();
            }
        }
        client
    }

    pub(super) fn open_sse(&mut self, client: &mut Client) -> ExchangeId {
        let stream = self.open(client, Verb::OpenSse);
        let endpoint = self.seen(stream).endpoint.clone().expect("the endpoint comes first");
        client.session = endpoint.split("sessionId=").nth(1).map(ToOwned::to_owned);
        client.stream = Some(stream);
        stream
    }

    pub(super) fn initialize(&mut self, client: &Client, version: &str) -> ExchangeId {
        let version = match client.era {
            Era::Http(revision) if version == "2025-11-25" => revision.date(),
            Era::Http(_) | Era::Modern | Era::Sse => version,
        };
        let members = format!(
            r#""protocolVersion":"{version}","capabilities":{},"clientInfo":{{"name":"c","version":"1"}}"#,
            client.capabilities
        );
        self.request(client, "0", "initialize", &members)
    }

    /// A GET.
    pub(super) fn open(&mut self, client: &Client, verb: Verb) -> ExchangeId {
        let exchange = self.mint_exchange();
        let (admission, head) = (client.admission(self), client.head(verb));
        self.feed(Input::StreamOpened(Opened { exchange, admission, head }));
        exchange
    }

    pub(super) fn delete(&mut self, client: &Client) -> ExchangeId {
        let exchange = self.mint_exchange();
        let (admission, head) = (client.admission(self), client.head(Verb::Delete));
        self.feed(Input::SessionDeleted(Opened { exchange, admission, head }));
        exchange
    }

    pub(super) fn leave(&mut self, exchange: ExchangeId) {
        self.exchanges.get_mut(&exchange).unwrap().gone = true;
        self.feed(Input::ExchangeClosed(exchange));
    }

    /// Posts a message as it stands.
    pub(super) fn post(&mut self, client: &Client, text: &str) -> ExchangeId {
        let bytes = bytes::Bytes::from(text.to_owned());
        let body = Envelope::parse(bytes, Sender::Client, &Limits::default()).expect("a JSON-RPC message");
        let head = client.post_head(&body);
        self.post_with(client, head, body)
    }

    pub(super) fn post_with(&mut self, client: &Client, head: Head, body: Envelope) -> ExchangeId {
        let exchange = self.mint_exchange();
        let admission = client.admission(self);
        self.feed(Input::Posted(Posted { exchange, admission, head, body }));
        exchange
    }

    pub(super) fn request(&mut self, client: &Client, id: &str, method: &str, members: &str) -> ExchangeId {
        self.post(client, &client.write(id, method, members, ""))
    }

    /// Calls `echo` of the endpoint's server, or of server `a` on the unified endpoint.
    pub(super) fn call(&mut self, client: &Client, id: &str) -> ExchangeId {
        self.call_with(client, id, "")
    }

    /// The same with members of `_meta`.
    pub(super) fn call_with(&mut self, client: &Client, id: &str, meta: &str) -> ExchangeId {
        let members = format!(r#""name":"{}","arguments":{{"n":{id}}}"#, client.echo());
        self.post(client, &client.write(id, "tools/call", &members, meta))
    }

    /// Takes the messages that a client got: on the exchange of its request, or on its one stream.
    pub(super) fn take(&mut self, client: &Client, exchange: ExchangeId) -> Vec<String> {
        let exchange = client.stream.unwrap_or(exchange);
        core::mem::take(&mut self.exchanges.get_mut(&exchange).unwrap().messages)
    }

    /// Takes the one message that a client got.
    pub(super) fn answer(&mut self, client: &Client, exchange: ExchangeId) -> Envelope {
        let messages = self.take(client, exchange);
        let [only] = messages.as_slice() else { panic!("one message is expected: {messages:?}") };
        read(only)
    }

    /// Takes the code of the one error that a client got.
    pub(super) fn code(&mut self, client: &Client, exchange: ExchangeId) -> String {
        let answer = self.answer(client, exchange);
        answer.raw_str(Field::Code).expect("an error").to_owned()
    }

    /// Takes what a server was sent that its script does not answer, on any of its links.
    pub(super) fn frames(&mut self, server: &str) -> Vec<(LinkId, String)> {
        let wires = self.links.iter_mut().filter(|(_, wire)| wire.server == server);
        wires.flat_map(|(link, wire)| wire.sent.drain(..).map(|text| (*link, text))).collect()
    }

    /// Takes the requests that a server was sent; its notifications are taken and dropped.
    pub(super) fn requests(&mut self, server: &str) -> Vec<Sent> {
        let frames = self.frames(server).into_iter().map(|(link, text)| (link, read(&text)));
        let sent = |(link, frame): (LinkId, Envelope)| {
            let Message::Request { id, method } = frame.message() else { return None };
            let params = frame.raw_str(Field::Params).unwrap_or_default().to_owned();
            Some(Sent { link, id: id.to_owned(), method: method.to_owned(), params })
        };
        frames.filter_map(sent).collect()
    }

    /// Takes the one request that a server was sent.
    pub(super) fn requested(&mut self, server: &str) -> Sent {
        let requests = self.requests(server);
        let [only] = requests.as_slice() else { panic!("one request is expected: {requests:?}") };
        only.clone()
    }

    /// A server writes a line.
    pub(super) fn says(&mut self, link: LinkId, words: &str) {
        self.says_within(link, None, words);
    }

    /// A remote server speaks, on the stream of a request where it has one.
    pub(super) fn says_within(&mut self, link: LinkId, within: Option<CallId>, words: &str) {
        let frames = heard(words.to_owned().into(), &Limits::default()).collect();
        self.feed(Input::FramesReceived { link, within, frames });
    }

    pub(super) fn reply(&mut self, to: &Sent, result: &str) {
        let line = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, to.id);
        self.says(to.link, &line);
    }

    /// The process of a server ends by itself.
    /// A server says yes to all that it was asked.
    pub(super) fn agree(&mut self, server: &str) {
        for sent in self.requests(server) {
            self.reply(&sent, "{}");
        }
    }

    pub(super) fn crash(&mut self, server: &str) {
        let link = self.link(server);
        self.close(link, CloseReason::Exited(1));
    }
}
