//! The books: who asked what where, and whether each effect is one that may be.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use orch_core::rpc::{Envelope, Field, Message, Sender};
use orch_core::{ExchangeId, KeyId, RunId};

use crate::project::{PROJECTS, USUAL};
use crate::runs::{self, Told};

/// What an exchange is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A POST that waits for the answer to its request.
    Post,
    /// A stream for what no request asked for, or of HTTP+SSE.
    Stream,
    /// A stream of the 2026 era.
    Listen,
    /// A DELETE.
    Delete,
}

#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub client: usize,
    /// Who its client was when it began.
    pub principal: u32,
    pub kind: Kind,
    /// For a POST of HTTP+SSE: the stream that its request is answered on, its id and its nonce.
    pub post: Option<(ExchangeId, String, u64)>,
    /// The last event id that its client has seen.
    pub cursor: Option<String>,
}

/// Requests with the same id on the same exchange. There is more than one only on a stream of HTTP+SSE, whose client
/// uses an id twice.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub outstanding: usize,
    /// What the answers of servers must carry.
    pub nonces: Vec<u64>,
    pub tokens: Vec<String>,
    /// The method and the members of `params` that every try has.
    pub first: (String, String),
    pub initializes: bool,
}

/// Somebody who may have a process to themselves.
#[derive(Debug)]
pub(crate) struct Principal {
    pub key: KeyId,
    /// Whether it is of the era without sessions.
    pub modern: bool,
}

/// What the books say of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A good answer to `initialize`.
    Handshake,
    /// A log message of a server, by its mark.
    Logged(u64),
    /// A server's question: its id, and what it is known by.
    Question(String, u64),
    /// A server's question to a client of the 2026 era, who is to ask once more.
    Parked(Retry),
    /// How a run stands.
    Told(Told),
    /// The hub does not know this run.
    Unknown(RunId),
    /// A resource has changed, which a session has to have asked for.
    Updated(String),
    /// A server has taken the question with this id back.
    Withdrawn(String),
    Other,
}

/// What a client needs to ask once more: `requestState`, the name of the question, the server's mark, and what was
/// asked first with its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub state: String,
    pub question: String,
    pub mark: u64,
    pub first: (String, String),
    pub nonce: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Exchanges that are open on both sides.
    pub exchanges: BTreeMap<ExchangeId, Exchange>,
    /// Open requests by the exchange that their answer goes to, and their raw id.
    pub asked: BTreeMap<(ExchangeId, String), Asked>,
    pub principals: Vec<Principal>,
    /// Keys that let nobody in any more.
    pub revoked: BTreeSet<KeyId>,
    /// Who has made which request, by its nonce, and how long it was.
    askers: Vec<(u32, usize)>,
    pub answered: u64,
    /// The last list of tools.
    pub listed: Option<Envelope>,
}

impl Books {
    /// A request is about to be posted on `exchange`; over HTTP+SSE its answer comes on `stream`.
    pub(crate) fn ask(
        &mut self,
        exchange: ExchangeId,
        stream: Option<ExchangeId>,
        id: &str,
        nonce: u64,
    ) -> &mut Asked {
        if let Some(stream) = stream {
            let post = self.exchanges.get_mut(&exchange).expect("an exchange that was begun");
            post.post = Some((stream, id.to_owned(), nonce));
        }
        let asked = self.asked.entry((stream.unwrap_or(exchange), id.to_owned())).or_default();
        asked.outstanding += 1;
        asked.nonces.push(nonce);
        asked
    }

    pub(crate) fn new_principal(&mut self, key: KeyId, modern: bool) -> u32 {
        self.principals.push(Principal { key, modern });
        u32::try_from(self.principals.len() - 1).expect("a small number")
    }

    /// A request with this nonce is of this principal, and has so many bytes. Another try of one that is parked is longer, and
    /// nothing of it goes to the server.
    pub(crate) fn sign(&mut self, nonce: u64, principal: u32, bytes: usize) {
        let at = place(nonce);
        if self.askers.len() <= at {
            self.askers.resize(at * 2 + 64, (0, 0));
        }
        let (_, before) = self.askers[at];
        self.askers[at] = (principal, if before == 0 { bytes } else { before });
    }

    /// Who has made a request.
    pub(crate) fn asker(&self, nonce: u64) -> u32 {
        self.askers[place(nonce)].0
    }

    /// Whether the answer to a request is still to come.
    pub(crate) fn waits_for(&self, nonce: u64) -> bool {
        !self.is_revoked(self.asker(nonce)) && self.asked.values().any(|asked| asked.nonces.contains(&nonce))
    }

    /// The principals that have the key of this one.
    pub(crate) fn who_share_a_key_with(&self, principal: u32) -> Vec<u32> {
        let key = &self.principals[principal as usize].key;
        (0_u32..).zip(&self.principals).filter(|(_, it)| it.key == *key).map(|(at, _)| at).collect()
    }

    /// How long a request was.
    pub(crate) fn length(&self, nonce: u64) -> usize {
        self.askers[place(nonce)].1
    }

    /// Whether the key of a principal is revoked.
    pub(crate) fn is_revoked(&self, principal: u32) -> bool {
        self.revoked.contains(&self.principals[principal as usize].key)
    }

    /// Requests that wait for an answer.
    pub(crate) fn open_requests(&self) -> usize {
        let listens = |exchange| self.exchanges[exchange].kind == Kind::Listen;
        let requests = self.asked.iter().filter(|((exchange, _), _)| !listens(exchange));
        requests.map(|(_, asked)| asked.outstanding).sum()
    }

    /// An exchange ends without a message: it was for none.
    pub(crate) fn expect_no_answer(&self, exchange: ExchangeId) {
        assert!(!self.is_asked(exchange), "the request on exchange {exchange} gets no answer");
    }

    /// The exchange has ended, or its client has gone: nothing may be said on it any more.
    pub(crate) fn close(&mut self, exchange: ExchangeId) {
        self.exchanges.remove(&exchange).expect("an exchange is ended once");
        self.take_asked(exchange);
    }

    /// Whether a request waits for an answer on an exchange.
    fn is_asked(&self, exchange: ExchangeId) -> bool {
        self.asked.range(requests_of(exchange)).next().is_some()
    }

    /// A client takes its requests of this id back: no answer may come. An `initialize` cannot be taken back.
    pub(crate) fn withdraw(&mut self, client: usize, id: &str) {
        let exchanges = &self.exchanges;
        self.asked.retain(|(exchange, own), asked| {
            let mine = exchanges.get(exchange).is_some_and(|it| it.client == client);
            !mine || own != id || asked.initializes
        });
    }

    /// A message goes to a client.
    pub(crate) fn enter(&mut self, exchange: ExchangeId, text: &Bytes) -> Entry {
        let kind = self.exchanges.get(&exchange).map(|exchange| exchange.kind);
        let kind = kind.unwrap_or_else(|| panic!("a message on exchange {exchange}, which is closed"));
        let message = Envelope::parse(text.clone(), Sender::Upstream, &USUAL).expect("clients get messages");
        match message.message() {
            Message::Response { id, .. } => self.answer(exchange, id, &message),
            Message::Notification { method: "notifications/cancelled" } => {
                Entry::Withdrawn(message.raw_str(Field::RequestId).expect("an id").to_owned())
            }
            Message::Notification { method: "notifications/resources/updated" } => {
                self.notify(exchange, kind, "notifications/resources/updated", &message);
                let uri = message.text(Field::Uri).expect("a resource").into_owned();
                let words = String::from_utf8_lossy(message.bytes());
                if let Some((_, is)) = words.split_once(r#""is":""#) {
                    let path = is.split('"').next().and_then(|is| is.rsplit('/').next()).expect("a resource");
                    assert!(uri.ends_with(path), "a change of another resource than {uri}: {words}");
                }
                if kind == Kind::Listen {
                    let (_, asked) = self.asked.range(requests_of(exchange)).next().expect("a listen");
                    assert!(asked.first.1.contains(&uri), "a change of {uri} that was not asked for");
                    return Entry::Other;
                }
                Entry::Updated(uri)
            }
            Message::Notification { method } => {
                self.notify(exchange, kind, method, &message);
                let logged = (method == "notifications/message").then(|| nonce(text)).flatten();
                logged.map_or(Entry::Other, Entry::Logged)
            }
            Message::Request { id, .. } => {
                assert!(
                    self.is_asked(exchange) || kind == Kind::Stream,
                    "a question without a call: {text:?}"
                );
                Entry::Question(id.to_owned(), nonce(text).expect("the fake servers' mark"))
            }
        }
    }

    fn answer(&mut self, exchange: ExchangeId, id: &str, message: &Envelope) -> Entry {
        let words = || String::from_utf8_lossy(message.bytes()).into_owned();
        let it = &self.exchanges[&exchange];
        if id == "null" {
            assert!(
                !self.is_asked(exchange) && message.has(Field::Error),
                "an answer to nobody: {}",
                words()
            );
            return Entry::Other;
        }
        // A request that is refused at once is refused on the exchange that posted it.
        let refused = it.post.clone();
        let key = (refused.as_ref().map_or(exchange, |(stream, ..)| *stream), id.to_owned());
        let Some(asked) = self.asked.get_mut(&key) else {
            panic!("nobody on exchange {exchange} waits for {}", words())
        };
        if let Some(state) = message.text(Field::RequestState) {
            let question = words();
            let question =
                question.split("\"inputRequests\":{\"").nth(1).and_then(|rest| rest.split('"').next());
            let retry = Retry {
                state: state.into_owned(),
                question: question.expect("a question").to_owned(),
                mark: nonce(message.bytes()).expect("the fake servers' mark"),
                first: asked.first.clone(),
                nonce: asked.nonces[0],
            };
            self.asked.remove(&key);
            self.answered += 1;
            return Entry::Parked(retry);
        }
        if let Some(nonce) = refused.map(|(.., nonce)| nonce).or_else(|| nonce(message.bytes())) {
            let mine = asked.nonces.iter().position(|own| *own == nonce);
            asked.nonces.remove(mine.unwrap_or_else(|| panic!("another's answer, or a second: {}", words())));
        }
        if message.has(Field::Tools) {
            self.listed = Some(message.clone());
        }
        asked.outstanding -= 1;
        self.answered += 1;
        if asked.outstanding == 0 {
            self.asked.remove(&key);
        }
        if message.has(Field::ProtocolVersion) {
            return Entry::Handshake;
        }
        let told = Told::read(message).map(Entry::Told);
        told.or_else(|| runs::unknown(message).map(Entry::Unknown)).unwrap_or(Entry::Other)
    }

    fn notify(&self, exchange: ExchangeId, kind: Kind, method: &str, message: &Envelope) {
        let words = String::from_utf8_lossy(message.bytes());
        match method {
            "notifications/progress" => {
                let token = message.raw_str(Field::ProgressToken).expect("a token");
                let nonce = nonce(message.bytes());
                let mine = |asked: &Asked| {
                    let known = asked.tokens.iter().any(|own| own == token);
                    known && nonce.is_none_or(|nonce| asked.nonces.contains(&nonce))
                };
                let known = self.asked.range(requests_of(exchange)).any(|(_, asked)| mine(asked));
                assert!(known, "progress that nobody on exchange {exchange} waits for: {words}");
            }
            "notifications/message" => assert_ne!(kind, Kind::Delete, "{words}"),
            _ if kind == Kind::Listen => {
                let ((_, id), _) = self.asked.range(requests_of(exchange)).next().expect("a listen");
                let tag = format!("\"io.modelcontextprotocol/subscriptionId\":{id}");
                assert!(words.contains(&tag), "a message of another subscription than {id}: {words}");
            }
            _ => assert_eq!(kind, Kind::Stream, "news on the exchange of a request: {words}"),
        }
    }
}

/// Where the requests of an exchange are in the books.
pub(crate) fn requests_of(exchange: ExchangeId) -> Range<(ExchangeId, String)> {
    (exchange, String::new())..(ExchangeId(exchange.0 + 1), String::new())
}

fn place(nonce: u64) -> usize {
    usize::try_from(nonce / PROJECTS as u64).expect("a small number")
}

/// The nonce of a request itself: what it carries for its server stands before.
pub(crate) fn nonce_of_request(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).expect("messages are UTF-8");
    let (_, rest) = text.rsplit_once("\"nonce\":\"")?;
    rest.split('"').next()?.parse().ok()
}

/// The nonce in a message, if there is one: it travels with a request to its server and back.
pub(crate) fn nonce(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).expect("messages are UTF-8");
    let (_, rest) = text.split_once("\"nonce\":\"")?;
    rest.split('"').next()?.parse().ok()
}
