//! What must hold of every effect: nothing is answered twice, nothing goes to a caller that did not ask for it, and
//! nothing is sent over a link that is not there. At the end of a run nobody is left waiting.

use std::collections::BTreeMap;

use bytes::Bytes;
use orch_core::ports::gateway::{Admission, Event};
use orch_core::record::{Definitions, Server};
use orch_core::rpc::{Message, Sender};
use orch_core::shard::{Effect, Token};
use orch_core::{ExchangeId, Limits, LinkId};

use super::messages::parse;
use super::owed::Owed;

/// What a nonce begins and ends with, and no other text of a run holds.
const MARK: char = '~';

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// Raw JSON.
    pub(super) id: String,
    pub(super) nonce: String,
    /// The client has taken it back: it may be answered or not.
    pub(super) cancelled: bool,
}

/// What an exchange was opened for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One message; the stream of its session gets the answer, if it has one.
    Post { stream: Option<ExchangeId> },
    /// A stream that ends when it likes.
    Stream,
}

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) kind: Kind,
    /// Who opened it, and where.
    pub(super) admission: Admission,
    /// The request that was posted.
    pub(super) asked: Option<Asked>,
    /// What was accepted elsewhere and has to be answered here.
    pub(super) owed: Owed,
    pub(super) ended: bool,
    /// With a status that says so.
    pub(super) refused: bool,
    /// The client does not wait any more.
    pub(super) gone: bool,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) server: Box<Server>,
    pub(super) opened: bool,
    pub(super) closed: bool,
    /// It was told to end, or takes no new calls because its server was removed or changed.
    pub(super) ending: bool,
    pub(super) sent: Vec<Sent>,
}

/// A request that a server has got.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) id: u64,
    pub(super) method: String,
    pub(super) nonce: String,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: String,
    /// Of HTTP+SSE: where its answers go.
    pub(super) stream: Option<ExchangeId>,
    /// It is of no use to anybody else, nor elsewhere.
    pub(super) admission: Admission,
}

/// Everything that was seen of a run.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) exchanges: BTreeMap<ExchangeId, Exchange>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) sessions: Vec<Session>,
    pub(super) tokens: Vec<Token>,
    pub(super) published: Vec<Definitions>,
    /// Ids of what servers asked clients through the hub.
    pub(super) questions: Vec<String>,
}

impl Judge {
    pub(super) fn see(&mut self, effect: &Effect) {
        match effect {
            Effect::Answer { exchange, status, session, body } => {
                self.see_answer(*exchange, *status, body.as_ref());
                if let Some(id) = session {
                    self.see_session(*exchange, id.to_string(), None);
                }
            }
            Effect::CloseLink { link, .. } => self.link(*link).ending = true,
            Effect::Emit { exchange, event: Event::Endpoint(path) } => {
                self.open(*exchange);
                let (_, session) = path.split_once("sessionId=").expect("a session in the path");
                self.see_session(*exchange, session.to_owned(), Some(*exchange));
            }
            Effect::Emit { exchange, event: Event::Message { data, .. } } => self.see_event(*exchange, data),
            Effect::Emit { exchange, event: Event::Primed { .. } } | Effect::OpenStream { exchange } => {
                self.open(*exchange);
            }
            Effect::Finish { exchange } => self.open(*exchange).ended = true,
            Effect::OpenLink { link, server } => self.see_start(*link, server),
            Effect::Persist { token, .. } => self.tokens.extend(*token),
            Effect::Publish { definitions } => self.published.push((**definitions).clone()),
            // No project of these worlds has a planner.
            Effect::AskPlanner { .. } | Effect::LeavePlanner { .. } => unreachable!("a planner is asked"),
            Effect::Record(_) | Effect::Report(_) | Effect::RestLink { .. } => {}
            Effect::SendFrame { link, frame } | Effect::SendMirrored { link, frame, .. } => {
                self.see_frame(*link, frame);
            }
        }
    }

    /// Nobody waits: every request was answered or ended.
    pub(super) fn rest(&self) {
        for (id, exchange) in self.exchanges.iter().filter(|(_, exchange)| !exchange.gone) {
            assert!(exchange.ended || exchange.kind == Kind::Stream, "{id} was never answered: {exchange:?}");
            assert!(exchange.ended || exchange.owed.is_empty(), "{id} owes answers: {exchange:?}");
        }
    }

    /// Whether something is still to come.
    pub(super) fn is_waiting(&self) -> bool {
        let waits = |it: &Exchange| !it.gone && !it.ended && (it.kind != Kind::Stream || !it.owed.is_empty());
        self.exchanges.values().any(waits)
    }

    fn see_session(&mut self, exchange: ExchangeId, id: String, stream: Option<ExchangeId>) {
        let admission = self.exchange(exchange).admission.clone();
        self.sessions.push(Session { id, stream, admission });
    }

    fn see_answer(&mut self, id: ExchangeId, status: u16, body: Option<&Bytes>) {
        let exchange = self.open(id);
        (exchange.ended, exchange.refused) = (true, status >= 400);
        if let Some(body) = body {
            let own: Vec<&Asked> = exchange.asked.iter().collect();
            assert_eq!(answered(body), own.first().map_or("null", |asked| &asked.id), "the id of {id}");
            assert_no_other_nonce(body, &own);
        } else if let Kind::Post { stream: Some(stream) } = exchange.kind
            && status == 202
        {
            let asked = exchange.asked.take();
            self.exchange(stream).owed.add(asked);
        }
    }

    fn see_event(&mut self, id: ExchangeId, data: &Bytes) {
        let exchange = self.open(id);
        let text = std::str::from_utf8(data).expect("a message is text");
        let message = parse(text, Sender::Upstream, &Limits::default()).expect("a message is JSON-RPC");
        match message.message() {
            // The answer to a POST that is a stream already.
            Message::Response { id: answered, .. } if exchange.kind == (Kind::Post { stream: None }) => {
                let own: Vec<&Asked> = exchange.asked.iter().collect();
                assert_eq!(own.first().map(|asked| &*asked.id), Some(answered), "the id of {id}");
                assert_no_other_nonce(data, &own);
            }
            Message::Response { id: answered, .. } => {
                let asked = exchange.owed.answer(answered, nonces(text).next());
                assert!(asked, "{text} answers nothing on {id}: {:?}", exchange.owed);
            }
            Message::Request { id: question, .. } => self.questions.push(question.to_owned()),
            Message::Notification { .. } => {
                let own: Vec<&Asked> = exchange.asked.iter().chain(exchange.owed.asked()).collect();
                assert_no_other_nonce(data, &own);
            }
        }
    }

    /// A server has one process for everybody, and some for those who have their own; one that was replaced may still be
    /// answering its last calls.
    fn see_start(&mut self, link: LinkId, server: &Server) {
        let same = |it: &&Link| it.server.id == server.id && it.server.spec == server.spec;
        let running = self.links.values().filter(same).filter(|it| !it.closed && !it.ending).count();
        let most = Limits::default().private_processes;
        assert!(running <= most, "{} is started {running} times", server.name);
        let server = Box::new(server.clone());
        let new = Link { server, opened: false, closed: false, ending: false, sent: Vec::new() };
        assert!(self.links.insert(link, new).is_none(), "{link} is opened twice");
    }

    fn see_frame(&mut self, link: LinkId, frame: &Bytes) {
        let text = std::str::from_utf8(frame).expect("a frame is text");
        assert!(!text.contains(['\n', '\r']), "a frame is one line: {text}");
        let message = parse(text, Sender::Upstream, &Limits::default()).expect("a frame is JSON-RPC");
        let link = self.link(link);
        if let Message::Request { id, method } = message.message() {
            let id = id.parse().expect("the hub's ids are numbers");
            assert!(link.sent.iter().all(|sent| sent.id != id), "an id is used twice: {text}");
            let nonce = nonces(text).next().unwrap_or_default().to_owned();
            link.sent.push(Sent { id, method: method.to_owned(), nonce });
        }
    }

    /// An exchange that can still be told something.
    fn open(&mut self, id: ExchangeId) -> &mut Exchange {
        let exchange = self.exchange(id);
        assert!(!exchange.ended, "{id} has ended already: {exchange:?}");
        exchange
    }

    fn exchange(&mut self, id: ExchangeId) -> &mut Exchange {
        self.exchanges.get_mut(&id).unwrap_or_else(|| panic!("there is no exchange {id}"))
    }

    /// A link that is there.
    fn link(&mut self, id: LinkId) -> &mut Link {
        let link = self.links.get_mut(&id).unwrap_or_else(|| panic!("there is no link {id}"));
        assert!(!link.closed, "link {id} has ended already");
        link
    }
}

/// The raw id that a response answers.
fn answered(body: &Bytes) -> String {
    let text = std::str::from_utf8(body).expect("an answer is text");
    let message = parse(text, Sender::Upstream, &Limits::default()).expect("an answer is JSON-RPC");
    match message.message() {
        Message::Response { id, .. } => id.to_owned(),
        other @ (Message::Notification { .. } | Message::Request { .. }) => panic!("{other:?} is no answer"),
    }
}

fn assert_no_other_nonce(data: &[u8], own: &[&Asked]) {
    let text = String::from_utf8_lossy(data);
    for nonce in nonces(&text) {
        assert!(own.iter().any(|asked| asked.nonce == nonce), "{text} is not for {own:?}");
    }
}

/// The nonces in a text.
fn nonces(text: &str) -> impl Iterator<Item = &str> {
    text.split(MARK).skip(1).step_by(2)
}

/// The nonce of the exchange that is the `count`th, as it stands between its marks.
pub(super) fn nonce(count: u64) -> (String, String) {
    (count.to_string(), format!("{MARK}{count}{MARK}"))
}
