//! Fake servers: what they were sent, and what they say when the dice want it.

use std::collections::BTreeMap;

use bytes::Bytes;
use orch_core::LinkId;
use orch_core::record::Server;
use orch_core::rpc::{Envelope, Field, Message, Sender};

use crate::books::{Books, nonce, nonce_of_request};
use crate::link::{Link, Request, Stage, Whose};
use crate::project::USUAL;
use crate::runs::{REPEATABLE, Runs};

/// The state that a server of the stateless era gives away.
const MINE: &str = "mine";

/// The name of what it asks for with it.
pub(crate) const MY_QUESTION: &str = "q";

/// The resources that change, which every server has.
pub(crate) const RESOURCES: [&str; 2] = ["file:///same", "file:///other"];

/// The processes of all servers.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub all: BTreeMap<LinkId, Link>,
    /// Over which a client's request was sent last.
    pub used: Option<LinkId>,
    /// Every request of a client that any server was ever sent, by its nonce.
    delivered: Vec<bool>,
    /// Those that were sent twice: they carry a key, and their server had ended in the midst of them.
    repeated: Vec<bool>,
    /// Whom each question and log message may go to, by its mark: the link, and those who wait for its server.
    asked: BTreeMap<u64, (LinkId, Vec<u32>)>,
}

impl Links {
    pub(crate) fn open(&mut self, link: LinkId, server: usize, spec: Server) {
        assert!(self.all.insert(link, Link::new(server, spec)).is_none(), "link {link} is opened twice");
    }

    /// A message to a server.
    pub(crate) fn send(&mut self, link: LinkId, frame: &Bytes, books: &Books, runs: &mut Runs) {
        let it =
            self.all.get_mut(&link).unwrap_or_else(|| panic!("a message over link {link}, which is gone"));
        assert_ne!(it.stage, Stage::Opening, "a message over a link that is not open");
        assert!(!frame.contains(&b'\n'), "a message is one line");
        let message = Envelope::parse(frame.clone(), Sender::Upstream, &USUAL).expect("servers get messages");
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
                let state = message.text(Field::RequestState);
                assert!(state.is_none_or(|state| state == MINE), "the state of somebody else: {message:?}");
                let token = message.raw_str(Field::MetaProgressToken);
                assert!(token.is_none_or(|token| token == id.to_string()), "a client's token: {message:?}");
                let nonce = nonce_of_request(frame);
                if let Some(nonce) = nonce {
                    self.of_client(link, (nonce, &message), books, runs);
                }
                let cursor = message.text(Field::Cursor).map(|cursor| cursor.parse().expect("my cursor"));
                let it = self.all.get_mut(&link).expect("a link");
                it.requests.push(Request {
                    id,
                    method: method.to_owned(),
                    nonce,
                    token: token.is_some(),
                    able: message.raw_str(Field::MetaCapabilities).is_some_and(|raw| raw.contains("roots")),
                    cursor,
                    done: false,
                });
                let most = crate::project::limits().link_in_flight_bytes;
                let bytes = it.bytes_in_flight(books);
                assert!(bytes <= most, "{bytes} bytes of requests are in flight");
            }
            Message::Notification { method: "notifications/cancelled" } => {
                let id = message.raw_str(Field::RequestId).and_then(|id| id.parse().ok());
                let id = id.expect("an id");
                assert!(it.ids.contains(&id), "a cancellation of what was never sent");
                it.listens.remove(&id);
                if let Some(request) = it.requests.iter_mut().find(|request| request.id == id) {
                    request.done = true;
                    it.excused |= request.method == "tools/list";
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

    /// A server is sent the request of a client, or of a run.
    fn of_client(
        &mut self,
        link: LinkId,
        (nonce, message): (u64, &Envelope),
        books: &Books,
        runs: &mut Runs,
    ) {
        self.used = Some(link);
        let (asker, of_run) = (books.asker(nonce), runs.has(nonce));
        assert!(!books.is_revoked(asker), "a request of a revoked key goes to a server: {message:?}");
        let of = of_run.then(|| runs.who_waits_for(nonce, books));
        self.all.get_mut(&link).expect("a link").claim((asker, of.as_deref()), books);
        if of_run {
            runs.begin(nonce, self.under_way());
        } else {
            self.deliver(nonce, message);
        }
    }

    /// A server is sent the request of a client: once, or twice where that changes nothing. A subscription is of one session:
    /// it is made again in each that follows.
    fn deliver(&mut self, nonce: u64, message: &Envelope) {
        let delivered = std::mem::replace(slot(&mut self.delivered, nonce), true);
        let repeated = slot(&mut self.repeated, nonce);
        let harmless = message.has(Field::MetaIdempotencyKey)
            || message.text(Field::Name).as_deref() == Some(REPEATABLE);
        let subscribes = matches!(message.message(), Message::Request { method: "resources/subscribe", .. });
        let may_come = !delivered || subscribes || (harmless && !*repeated);
        assert!(may_come, "request {nonce} was delivered twice");
        *repeated |= delivered;
    }

    /// The nonces of all requests that servers work on.
    fn under_way(&self) -> impl Iterator<Item = u64> {
        let open = self.all.values().filter(|it| it.stage == Stage::Open);
        open.flat_map(|it| &it.requests).filter(|request| !request.done).filter_map(|request| request.nonce)
    }

    /// Requests that a server did not begin; they may be delivered again.
    pub(crate) fn take_back(&mut self, refused: &[Request], runs: &mut Runs) {
        for nonce in refused.iter().filter_map(|request| request.nonce) {
            *slot(&mut self.delivered, nonce) = false;
            runs.take_back(nonce);
        }
    }

    /// All processes are gone.
    pub(crate) fn end_all(&mut self) {
        self.all.clear();
        self.asked.clear();
    }

    /// A server asks a question: it may go to those who wait for the server, or on whose stream it comes.
    pub(crate) fn ask(
        &mut self,
        link: LinkId,
        mark: u64,
        within: Option<u64>,
        (books, runs): (&Books, &Runs),
    ) {
        let it = &self.all[&link];
        // What it has answered may not have been heard yet.
        let certain = it.wire.is_empty() || within.is_some();
        let meant = |request: &&Request| !request.done && within.is_none_or(|id| id == request.id);
        // A subscription that its client has given up is waited for by the hub alone.
        let is_left = |it: &Request, nonce| it.method.starts_with("resources/") && !books.waits_for(nonce);
        let nonce_of = |request: &Request| request.nonce.filter(|nonce| certain && !is_left(request, *nonce));
        let waiting = it.requests.iter().filter(meant).filter_map(nonce_of);
        let waiting: Vec<u32> = waiting.flat_map(|nonce| runs.who_waits_for(nonce, books)).collect();
        self.keep(mark, link, waiting);
    }

    /// What a server has asked or told has come to a client: it must be one whom it was meant for, and one whom the
    /// server serves, if it serves somebody alone.
    pub(crate) fn check_asked(&self, mark: u64, principal: u32, books: &Books) {
        let Some((link, waiting)) = self.asked.get(&mark) else { return };
        let meant = waiting.is_empty() || waiting.contains(&principal);
        assert!(meant, "{mark} comes to another client than those who wait for its server");
        let mine = match self.all.get(link).and_then(|it| it.owner.as_ref()) {
            Some(Whose::Key(key)) => books.principals[principal as usize].key == *key,
            Some(Whose::Session(own)) => principal == *own,
            None => true,
        };
        assert!(mine, "{mark} comes from a process of somebody else");
    }

    /// What a server says comes late: those who wait for it then may be others.
    pub(crate) fn doubt(&mut self, words: &str) {
        if let Some((_, waiting)) = nonce(words.as_bytes()).and_then(|mark| self.asked.get_mut(&mark)) {
            waiting.clear();
        }
    }

    fn keep(&mut self, mark: u64, link: LinkId, waiting: Vec<u32>) {
        self.asked.insert(mark, (link, waiting));
        if self.asked.len() > 256 {
            self.asked.pop_first();
        }
    }

    /// A server wants to know more before it answers: the request may come again.
    pub(crate) fn demand(
        &mut self,
        link: LinkId,
        request: &Request,
        mark: u64,
        (books, runs): (&Books, &Runs),
    ) -> String {
        if let Some(nonce) = request.nonce {
            (*slot(&mut self.delivered, nonce), *slot(&mut self.repeated, nonce)) = (false, false);
            self.keep(mark, link, runs.who_waits_for(nonce, books));
        }
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"resultType":"input_required","inputRequests":{{"{MY_QUESTION}":{{"method":"roots/list","params":{{"nonce":"{mark}"}}}}}},"requestState":"{MINE}"}}}}"#,
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
            (Some(nonce), _) => {
                format!(r#"{{"content":[],"nonce":"{nonce}","structuredContent":{{"was":"{nonce}"}}}}"#)
            }
            (None, "server/discover") => {
                r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"resources":{"subscribe":true},"logging":{}}}"#.into()
            }
            (None, "initialize") => {
                r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"resources":{"subscribe":true},"logging":{}},"serverInfo":{"name":"s","version":"1"}}"#.into()
            }
            (None, "tools/list") => tools(it.tools, request.cursor.unwrap_or(0)),
            (None, "resources/list") => {
                format!(r#"{{"resources":[{{"uri":"file:///same","name":"r"}},{{"uri":"file:///other","name":"r"}},{{"uri":"s{}://x","name":"r"}}]}}"#, it.server)
            }
            (None, "resources/templates/list") => {
                format!(r#"{{"resourceTemplates":[{{"uriTemplate":"t{}://{{x}}","name":"t"}}]}}"#, it.server)
            }
            (None, _) => "{}".into(),
        };
        format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, request.id)
    }
}

/// The place of a nonce in a table of all.
fn slot(table: &mut Vec<bool>, nonce: u64) -> &mut bool {
    let at = usize::try_from(nonce).expect("a small number");
    if table.len() <= at {
        table.resize(at * 2 + 64, false);
    }
    &mut table[at]
}

/// Two tools a page.
fn tools(count: usize, from: usize) -> String {
    let to = count.min(from + 2);
    let tools: Vec<String> = (from..to).map(tool).collect();
    let next = if to < count { format!(r#","nextCursor":"{to}""#) } else { String::new() };
    format!(r#"{{"tools":[{}]{next}}}"#, tools.join(","))
}

fn tool(number: usize) -> String {
    let name = format!("t{number}");
    let hints = if name == REPEATABLE { r#","annotations":{"idempotentHint":true}"# } else { "" };
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}{hints}}}"#)
}

/// Every other server is of the stateless era.
pub(crate) fn is_modern(server: usize) -> bool {
    server % 2 == 1
}
