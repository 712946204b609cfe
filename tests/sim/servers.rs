//! Fake servers: what they were sent, and what they say when the dice want it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use orch_core::record::{Server, Sharing};
use orch_core::rpc::{Envelope, Field, Message, Sender};
use orch_core::{KeyId, LinkId, Timestamp};

use crate::books::{Books, nonce, nonce_of_request};
use crate::project::USUAL;
use crate::runs::{REPEATABLE, Runs};

/// The state that a server of the stateless era gives away.
const MINE: &str = "mine";

/// The name of what it asks for with it.
pub(crate) const MY_QUESTION: &str = "q";

/// The resources that change, which every server has.
pub(crate) const RESOURCES: [&str; 2] = ["file:///same", "file:///other"];

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
    /// The server as it was when the link was opened.
    pub spec: Server,
    /// Since when its configuration is another one, or somebody has ordered its end.
    pub unwanted_since: Option<Timestamp>,
    /// Whether it has forgotten its session: what it works on is all that it is still there for.
    pub expired: bool,
    /// Whom it serves alone, where that is so.
    pub owner: Option<Whose>,
    /// What it has said and the hub has not heard yet.
    pub wire: Vec<Said>,
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
    /// Every id that it was ever sent.
    ids: BTreeSet<u64>,
}

/// Whom a process serves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Key(KeyId),
    /// The session of this principal.
    Session(u32),
}

/// Words of a server on their way.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// The request on whose stream they come.
    pub within: Option<u64>,
    pub words: String,
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
    /// Whether it was told to give it up, or has answered it before.
    pub done: bool,
}

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
        let new = Link {
            server,
            stage: Stage::Opening,
            spec,
            unwanted_since: None,
            expired: false,
            owner: None,
            wire: Vec::new(),
            greeted: false,
            tools: 3,
            excused: false,
            requests: Vec::new(),
            listens: BTreeSet::new(),
            questions: BTreeSet::new(),
            ids: BTreeSet::new(),
        };
        assert!(self.all.insert(link, new).is_none(), "link {link} is opened twice");
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

impl Link {
    /// How long the requests of clients are that it works on.
    fn bytes_in_flight(&self, books: &Books) -> usize {
        let open = self.requests.iter().filter(|request| !request.done);
        open.filter_map(|request| Some(books.length(request.nonce?))).sum()
    }

    /// Who asks here is whom it serves, where a server has a process for each. Of a run's call it is said who waits for it.
    fn claim(&mut self, (principal, of_run): (u32, Option<&[u32]>), books: &Books) {
        let it = &books.principals[principal as usize];
        if let Some(waiting) = of_run {
            // A run goes on with its key alone when its client has gone.
            let mine = match &self.owner {
                Some(Whose::Key(key)) => *key == it.key,
                Some(Whose::Session(own)) => waiting.contains(own),
                None => true,
            };
            return assert!(mine, "a run shares a process of {}", self.spec.name);
        }
        let whose = match self.spec.spec.sharing {
            Sharing::Auto | Sharing::Shared => return,
            Sharing::PerSession if !it.modern => Whose::Session(principal),
            Sharing::PerSession | Sharing::PerUser => Whose::Key(it.key.clone()),
        };
        let owner = self.owner.get_or_insert_with(|| whose.clone());
        assert_eq!(*owner, whose, "two share a process of {}", self.spec.name);
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
