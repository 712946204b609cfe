//! Clients: three ways to speak, and what they do when the dice want it.

use std::collections::BTreeSet;

use orch_core::ports::gateway::{Admission, Bearer, Head, ProtocolHeaders, Target, Verb};
use orch_core::shard::{Input, Opened};
use orch_core::{ExchangeId, KeyId, Timestamp};

use crate::books::{Exchange, Kind, Retry};
use crate::hub::Hub;
use crate::project::{KEYS, SERVERS};
use crate::servers::RESOURCES;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Http,
    Modern,
    Sse,
}

#[expect(clippy::struct_excessive_bools, reason = "each is true or not by itself")]
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub era: Era,
    pub admission: Admission,
    pub key: KeyId,
    /// Whether its key is revoked: nothing of it is let in any more.
    pub barred: bool,
    /// Whether it shows a session that is not its own.
    pub strays: bool,
    /// Who it is for servers that serve one at a time: the key, and the session.
    pub principal: u32,
    /// When it has used its session last.
    pub asked_at: Timestamp,
    pub session: Option<String>,
    /// Whether its `initialize` was answered.
    pub ready: bool,
    /// The stream of HTTP+SSE.
    pub stream: Option<ExchangeId>,
    /// Whether servers may ask it for its roots.
    pub able: bool,
    /// The resources that its session has ever subscribed to.
    pub subscribed: BTreeSet<&'static str>,
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
    /// Its answer takes so long that the hub makes a stream of the exchange.
    Delay,
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
        self.subscribed.clear();
        if self.era != Era::Sse {
            self.session = None;
            self.ready = false;
        }
    }

    /// One of its exchanges has ended without an answer.
    pub(crate) fn finished(&mut self, exchange: ExchangeId) {
        if self.stream == Some(exchange) {
            (self.session, self.stream) = (None, None);
            self.ready = false;
            self.subscribed.clear();
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
        if self.clients[at].barred {
            self.knock(at);
            return self.replace(at);
        }
        match (deed, self.clients[at].era) {
            (Deed::Delay, _) => self.delay(),
            (Deed::Cancel, _) => self.cancel(at),
            (Deed::Delete, Era::Http) => self.delete(at),
            (Deed::Listen, Era::Modern) => {
                let uri = self.dice.pick(&RESOURCES).expect("some");
                let filter = format!(
                    r#""notifications":{{"toolsListChanged":true,"resourceSubscriptions":["{uri}"]}}"#
                );
                self.request(at, "subscriptions/listen", &filter);
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
        let client = self.anybody();
        if self.clients.len() < 24 {
            self.clients.push(client);
        } else {
            let at = self.dice.below(self.clients.len());
            self.vanish(at);
            self.clients[at] = client;
        }
    }

    fn anybody(&mut self) -> Client {
        let era = self.dice.weighted(&[(Era::Http, 4), (Era::Modern, 4), (Era::Sse, 2)]);
        let server = SERVERS[self.dice.below(SERVERS.len())];
        let target = if self.dice.chance(50) { Target::Unified } else { Target::Server(server.into()) };
        let key = self.dice.below(KEYS);
        self.introduce(era, target, key)
    }

    /// Whoever is not let in any more makes place for another as soon as nothing of it is open.
    fn replace(&mut self, at: usize) {
        if self.books.exchanges.values().all(|it| it.client != at) {
            self.clients[at] = self.anybody();
        }
    }

    pub(crate) fn introduce(&mut self, era: Era, target: Target, key: usize) -> Client {
        let admission = self.admission(target, key);
        let key_id = KeyId(self.secrets[key].id().into());
        Client {
            era,
            admission,
            barred: false,
            strays: false,
            principal: self.books.new_principal(key_id.clone(), era == Era::Modern),
            key: key_id,
            asked_at: self.now,
            session: None,
            ready: false,
            stream: None,
            able: key != 0,
            subscribed: BTreeSet::new(),
            questions: Vec::new(),
            parked: Vec::new(),
        }
    }

    /// What a key opens, which is decided once for each.
    fn admission(&mut self, target: Target, key: usize) -> Admission {
        let known = self.admissions.iter().find(|(at, it)| *at == key && *it.target() == target);
        if let Some((_, admission)) = known {
            return admission.clone();
        }
        let head = Head {
            verb: Verb::Post,
            project: Some(self.project.slug.clone()),
            target,
            bearer: Some(Bearer(self.secrets[key].reveal().to_owned())),
            session: None,
            headers: ProtocolHeaders::default(),
            messages_path: String::new(),
        };
        let admission = self.directory.admit(&head, self.now).expect("a good key");
        self.admissions.push((key, admission.clone()));
        admission
    }

    /// A client is somebody else for servers from now on: it opens another session.
    pub(crate) fn renew_principal(&mut self, at: usize) {
        let key = self.clients[at].key.clone();
        self.clients[at].principal = self.books.new_principal(key, false);
    }

    /// A client whose key is revoked is not let in.
    fn knock(&self, at: usize) {
        let client = &self.clients[at];
        let mut head = client.head(Verb::Post);
        let revoked = self.secrets.iter().all(|secret| *secret.id() != *client.key.0);
        head.project = Some(self.project.slug.clone());
        head.bearer =
            self.revoked.iter().find(|it| *it.id() == *client.key.0).map(|it| Bearer(it.reveal().to_owned()));
        let admitted = self.directory.admit(&head, self.now).is_ok();
        assert!(revoked && !admitted, "a revoked key is let in");
    }

    /// An answer takes long, and the hub is told so.
    fn delay(&mut self) {
        let posts =
            || self.books.exchanges.iter().filter(|(_, it)| it.kind == Kind::Post && it.post.is_none());
        let count = posts().count();
        if count > 0 {
            let which = self.dice.below(count);
            let exchange =
                self.books.exchanges.iter().filter(|(_, it)| it.kind == Kind::Post && it.post.is_none());
            let exchange = *exchange.map(|(exchange, _)| exchange).nth(which).expect("it was counted");
            self.feed(Input::AnswerDelayed(exchange));
        }
    }

    /// A session that a client has.
    pub(crate) fn any_session(&mut self) -> Option<(KeyId, String)> {
        let has = |client: &&Client| client.era == Era::Http && client.ready && !client.strays;
        let client = self.clients.iter().find(has)?;
        Some((client.key.clone(), client.session.clone()?))
    }

    /// Somebody shows a session that another key has opened.
    pub(crate) fn pretend(&mut self, (key, session): (KeyId, String)) {
        let Some(other) = self.secrets.iter().position(|secret| *secret.id() != *key.0) else { return };
        let mut client = self.introduce(Era::Http, Target::Unified, other);
        (client.session, client.ready, client.strays) = (Some(session), true, true);
        self.clients.push(client);
        let at = self.clients.len() - 1;
        match self.dice.below(3) {
            0 => drop(self.request(at, "tools/list", "")),
            1 => drop(self.open(at, Verb::Listen)),
            _ => {
                let exchange = self.begin(at, Kind::Delete);
                let (admission, head) =
                    (self.clients[at].admission.clone(), self.clients[at].head(Verb::Delete));
                self.feed(Input::SessionDeleted(Opened { exchange, admission, head }));
            }
        }
        let open: Vec<ExchangeId> = self.open_of(at);
        assert!(open.is_empty() || self.is_dead, "whoever shows another's session waits for something");
        for exchange in open {
            self.books.close(exchange);
        }
        self.clients.pop();
    }

    /// A GET.
    pub(crate) fn open(&mut self, at: usize, verb: Verb) -> ExchangeId {
        let exchange = self.begin(at, Kind::Stream);
        self.clients[at].asked_at = self.now;
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
        let Exchange { client, kind, .. } = self.books.exchanges[&exchange];
        if kind == Kind::Stream {
            self.clients[client].asked_at = self.now;
        }
        self.books.close(exchange);
        self.clients[client].finished(exchange);
        self.feed(Input::ExchangeClosed(exchange));
    }

    /// A client closes everything that it has.
    pub(crate) fn vanish(&mut self, at: usize) {
        for exchange in self.open_of(at) {
            if self.books.exchanges.contains_key(&exchange) {
                self.leave(exchange);
            }
        }
    }

    /// The exchanges of a client that are open.
    fn open_of(&self, at: usize) -> Vec<ExchangeId> {
        let own = |(exchange, it): (&ExchangeId, &Exchange)| (it.client == at).then_some(*exchange);
        self.books.exchanges.iter().filter_map(own).collect()
    }
}
