//! Clients: three ways to speak, and what they do when the dice want it.

use orch_core::ExchangeId;
use orch_core::ports::gateway::{Admission, Bearer, Head, ProtocolHeaders, Target, Verb};
use orch_core::shard::{Input, Opened};

use crate::books::{Kind, Retry};
use crate::hub::Hub;
use crate::project::{KEYS, SERVERS};

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Http,
    Modern,
    Sse,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub era: Era,
    pub admission: Admission,
    pub session: Option<String>,
    /// Whether its `initialize` was answered.
    pub ready: bool,
    /// The stream of HTTP+SSE.
    pub stream: Option<ExchangeId>,
    /// Whether servers may ask it for its roots.
    pub able: bool,
    /// Whether its session has ever subscribed to the one resource that changes.
    pub subscribed: bool,
    /// What it was asked: the id, and the server's mark.
    pub questions: Vec<(String, u64)>,
    /// Its requests that wait for it to ask once more.
    pub parked: Vec<Retry>,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Ask,
    Cancel,
    Delete,
    Listen,
    Lose,
    Reply,
    Return,
    Stream,
    Vanish,
}

impl Client {
    pub(crate) fn forget_session(&mut self) {
        self.questions.clear();
        self.subscribed = false;
        if self.era != Era::Sse {
            self.session = None;
            self.ready = false;
        }
    }

    /// One of its exchanges has ended without an answer.
    pub(crate) fn finished(&mut self, exchange: ExchangeId) {
        if self.stream == Some(exchange) {
            (self.session, self.stream) = (None, None);
            (self.ready, self.subscribed) = (false, false);
            self.questions.clear();
        }
    }
}

impl Hub {
    pub(crate) fn on_client(&mut self, deed: Deed) {
        if self.clients.is_empty() {
            return;
        }
        let mut at = self.dice.below(self.clients.len());
        if deed == Deed::Reply {
            let asked = |client: &Client| !client.questions.is_empty() || !client.parked.is_empty();
            at = self.clients.iter().position(asked).unwrap_or(at);
        }
        if deed == Deed::Lose {
            let mut open = self.books.exchanges.values();
            at = open.find(|it| it.cursor.is_some()).map_or(at, |it| it.client);
        }
        match (deed, self.clients[at].era) {
            (Deed::Cancel, _) => self.cancel(at),
            (Deed::Delete, Era::Http) => self.delete(at),
            (Deed::Listen, Era::Modern) => {
                let filter =
                    r#""notifications":{"toolsListChanged":true,"resourceSubscriptions":["file:///same"]}"#;
                self.request(at, "subscriptions/listen", filter);
            }
            (Deed::Lose, Era::Http) => self.lose(at),
            (Deed::Reply, _) => self.reply(at),
            (Deed::Return, _) => self.return_for(),
            (Deed::Stream, Era::Http) => drop(self.open(at, Verb::Listen)),
            (Deed::Vanish, _) => self.vanish(at),
            (Deed::Ask | Deed::Delete | Deed::Listen | Deed::Lose | Deed::Stream, _) => self.ask(at),
        }
    }

    /// A new client, or one that takes another's place.
    pub(crate) fn connect(&mut self) {
        let era = self.dice.weighted(&[(Era::Http, 4), (Era::Modern, 4), (Era::Sse, 2)]);
        let server = SERVERS[self.dice.below(SERVERS.len())];
        let target = if self.dice.chance(50) { Target::Unified } else { Target::Server(server.into()) };
        let key = self.dice.below(KEYS);
        let client = self.introduce(era, target, key);
        if self.clients.len() < 24 {
            self.clients.push(client);
        } else {
            let at = self.dice.below(self.clients.len());
            self.vanish(at);
            self.clients[at] = client;
        }
    }

    pub(crate) fn introduce(&self, era: Era, target: Target, key: usize) -> Client {
        let bearer = Some(Bearer(self.secrets[key].reveal().to_owned()));
        let head = Head {
            verb: Verb::Post,
            project: None,
            target,
            bearer,
            session: None,
            headers: ProtocolHeaders::default(),
            messages_path: String::new(),
        };
        let admission = self.directory.admit(&head, self.now).expect("a good key");
        let (able, questions, parked) = (key != 0, Vec::new(), Vec::new());
        let (ready, subscribed) = (false, false);
        Client { era, admission, session: None, ready, stream: None, able, subscribed, questions, parked }
    }

    /// A GET.
    pub(crate) fn open(&mut self, at: usize, verb: Verb) -> ExchangeId {
        let exchange = self.begin(at, Kind::Stream);
        let (admission, head) = (self.clients[at].admission.clone(), self.clients[at].head(verb));
        self.feed(Input::StreamOpened(Opened { exchange, admission, head }));
        exchange
    }

    pub(crate) fn delete(&mut self, at: usize) {
        let exchange = self.begin(at, Kind::Delete);
        let (admission, head) = (self.clients[at].admission.clone(), self.clients[at].head(Verb::Delete));
        self.clients[at].forget_session();
        self.feed(Input::SessionDeleted(Opened { exchange, admission, head }));
    }

    /// A client closes one of its exchanges.
    pub(crate) fn leave(&mut self, exchange: ExchangeId) {
        let client = self.books.exchanges[&exchange].client;
        self.books.close(exchange);
        self.clients[client].finished(exchange);
        self.feed(Input::ExchangeClosed(exchange));
    }

    /// A client closes everything that it has.
    pub(crate) fn vanish(&mut self, at: usize) {
        let own =
            |(exchange, it): (&ExchangeId, &crate::books::Exchange)| (it.client == at).then_some(*exchange);
        let all: Vec<ExchangeId> = self.books.exchanges.iter().filter_map(own).collect();
        for exchange in all {
            if self.books.exchanges.contains_key(&exchange) {
                self.leave(exchange);
            }
        }
    }
}
