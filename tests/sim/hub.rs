//! The hub under simulation: its shard, its snapshot, its store, and the one place where its effects are carried out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use orch_core::key::Token as Secret;
use orch_core::ports::gateway::Event;
use orch_core::ports::store::Change;
use orch_core::record::{Definitions, Mode, Premises, Project, Record, RecordId, Server};
use orch_core::shard::{Cx, Effect, Effects, Input, Shard, Token};
use orch_core::snapshot::{Directory, Instance, Snapshot};
use orch_core::{Entropy, ExchangeId, Limits, ProjectId, Timestamp, Unstored};

use crate::books::{Books, Entry, Exchange, Kind};
use crate::clients::Client;
use crate::dice::Dice;
use crate::project::{KEYS, SERVERS, directory, draft, limits};
use crate::returns::Lost;
use crate::servers::{Links, Stage};
use crate::steps::{self, Op};

#[derive(Debug)]
pub(crate) struct Hub {
    pub dice: Dice,
    pub books: Books,
    pub links: Links,
    pub clients: Vec<Client>,
    /// Streams that clients have lost.
    pub lost: Vec<Lost>,
    pub resumed: u64,
    pub now: Timestamp,
    pub trace: VecDeque<Op>,
    pub steps: u64,
    /// A hash of all effects, when it is wanted.
    pub digest: Option<u64>,
    /// Commits on their way.
    pub store: VecDeque<(Option<Token>, Vec<Change>)>,
    pub publishing: VecDeque<Definitions>,
    /// What is durable.
    pub durable: BTreeMap<RecordId, Record>,
    pub weights: Vec<(Op, usize)>,
    pub servers: Vec<Option<Server>>,
    pub snapshot: Snapshot,
    pub shard: Shard,
    pub directory: Directory,
    pub secrets: Vec<Secret>,
    pub entropy: Entropy,
    pub project: Project,
    pub instance: Arc<Instance>,
    pub definitions: Vec<Arc<Definitions>>,
    effects: Effects,
    next: u64,
}

impl Hub {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut entropy = Entropy::from_seed([u8::try_from(seed % 251).expect("small"); 32]);
        let now = Timestamp(1_700_000_000_000);
        let project = Project {
            id: ProjectId::mint(now, &mut entropy),
            slug: Directory::DEFAULT_SLUG.into(),
            name: "Default".into(),
            separator: "__".into(),
            mode: Mode::Proxy,
            created_at: now,
        };
        let instance = Arc::new(Instance {
            limits: limits(),
            cursor_key: [9; 32],
            base_url: "http://127.0.0.1:8000".into(),
            config_file: "mcp-config.json".into(),
            premises: Premises::default(),
        });
        let (directory, secrets) = directory(&project, now, &mut entropy);
        let mut hub = Self {
            weights: steps::weights(&mut dice),
            dice,
            books: Books::default(),
            links: Links::default(),
            clients: Vec::new(),
            lost: Vec::new(),
            resumed: 0,
            now,
            trace: VecDeque::new(),
            steps: 0,
            digest: None,
            store: VecDeque::new(),
            publishing: VecDeque::new(),
            durable: BTreeMap::new(),
            servers: Vec::new(),
            snapshot: Snapshot::build(draft(&project, &[], &[], &instance), None),
            shard: Shard::default(),
            directory,
            secrets,
            entropy,
            project,
            instance,
            definitions: Vec::new(),
            effects: Vec::new(),
            next: 0,
        };
        let servers = SERVERS.iter().map(|name| Some(hub.new_server(name))).collect();
        hub.servers = servers;
        hub.rebuild();
        hub
    }

    /// A number that was never given out before.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.instance.limits
    }

    pub(crate) fn begin(&mut self, client: usize, kind: Kind) -> ExchangeId {
        let exchange = ExchangeId(self.number());
        self.books.exchanges.insert(exchange, Exchange { client, kind, post: None, cursor: None });
        exchange
    }

    /// Gives the shard an input, carries out what follows, and checks the books.
    pub(crate) fn feed(&mut self, input: Input) {
        let mut effects = std::mem::take(&mut self.effects);
        let (snapshot, entropy) = (&self.snapshot, &mut self.entropy);
        self.shard.handle(&mut Cx { now: self.now, snapshot, entropy, out: &mut effects }, input);
        if let Err(bug) = self.shard.audit() {
            panic!("{bug}");
        }
        for effect in effects.drain(..) {
            if let Some(digest) = &mut self.digest {
                for byte in format!("{effect:?}").bytes() {
                    *digest = (*digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
            }
            self.carry_out(effect);
        }
        self.effects = effects;
        self.balance();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { exchange, status, session, body } => {
                if let Some(session) = session {
                    let id = RecordId::Session(self.project.id, session);
                    assert!(self.durable.contains_key(&id), "a session was promised and is not stored");
                    let client = self.books.exchanges[&exchange].client;
                    self.clients[client].session.get_or_insert_with(|| session.to_string());
                }
                if status >= 400 {
                    self.books.give_up(exchange);
                }
                match body {
                    Some(body) => self.enter(exchange, &body, status),
                    None => self.books.expect_no_answer(exchange),
                }
                self.books.close(exchange);
            }
            Effect::CloseLink { link, .. } => {
                let link = self.links.all.get_mut(&link).expect("a link that is there");
                link.stage = Stage::Closing;
            }
            Effect::Emit { exchange, event: Event::Endpoint(path) } => {
                let client = self.books.exchanges[&exchange].client;
                self.clients[client].session = path.split("sessionId=").nth(1).map(str::to_owned);
            }
            Effect::Emit { exchange, event: Event::Message { id, data } } => {
                if let Some(id) = id {
                    self.books.follow(exchange, &id);
                }
                self.enter(exchange, &data, 200);
            }
            Effect::Finish { exchange } => {
                self.clients.iter_mut().for_each(|client| client.finished(exchange));
                self.books.close(exchange);
            }
            Effect::OpenLink { link, server } => {
                let at = SERVERS.iter().position(|name| *name == server.name).expect("a configured server");
                assert_eq!(self.servers[at].as_ref(), Some(&*server), "it is started as it is configured");
                self.links.open(link, at);
            }
            Effect::Emit { exchange, event: Event::Primed { id, .. } } => self.books.prime(exchange, id),
            Effect::OpenStream { exchange } => {
                assert!(self.books.exchanges.contains_key(&exchange), "exchange {exchange} is closed");
            }
            Effect::Persist { token, changes } => self.store.push_back((token, changes)),
            Effect::Publish { definitions } => {
                let same = |it: &Definitions| {
                    (it.server, it.spec_digest) == (definitions.server, definitions.spec_digest)
                };
                assert!(!self.publishing.iter().any(same), "two lists of one server could change places");
                self.publishing.push_back(*definitions);
            }
            Effect::Report(_) => {}
            Effect::SendFrame { link, frame } | Effect::SendMirrored { link, frame, .. } => {
                self.links.send(link, &frame);
            }
        }
    }

    fn enter(&mut self, exchange: ExchangeId, text: &bytes::Bytes, status: u16) {
        let entry = self.books.enter(exchange, text);
        let client = &mut self.clients[self.books.exchanges[&exchange].client];
        match entry {
            Entry::Handshake => client.ready = true,
            Entry::Parked(retry) => {
                assert!(client.able, "a client is asked what it cannot answer");
                client.parked.push(retry);
            }
            Entry::Updated(kind) => {
                assert!(
                    kind == Kind::Listen || client.subscribed,
                    "a change that the client did not ask for"
                );
            }
            Entry::Withdrawn(id) => client.questions.retain(|(own, _)| *own != id),
            Entry::Question(id, mark) => {
                assert!(client.able, "a client is asked what it cannot answer");
                client.questions.push((id, mark));
            }
            Entry::Other if status == 404 => client.forget_session(),
            Entry::Other => {}
        }
    }

    /// What must hold after every input.
    fn balance(&self) {
        let gauges = self.shard.gauges();
        assert_eq!(gauges.exchanges, self.books.exchanges.len(), "exchanges that only one side knows of");
        assert_eq!(gauges.links, self.links.all.len(), "links that only one side knows of");
        // Requests whose clients may come back are open on one side alone.
        let (counted, open) = (gauges.in_flight + gauges.waiting - gauges.away, self.books.open_requests());
        // A stream of the 2026 era may wait for its server to be seen.
        let listens = self.books.exchanges.values().filter(|it| it.kind == Kind::Listen).count();
        assert!(counted <= open + listens, "{counted} requests are counted, {open} are open");
        assert!(open <= counted + self.store.len(), "{open} requests are open, {counted} are counted");
        let mut links = [0; SERVERS.len()];
        self.links.current().for_each(|link| links[link.server] += 1);
        // Those of a revoked key may still be answering its last calls.
        let most = limits().private_processes + 1 + KEYS;
        assert!(links.iter().all(|links| *links <= most), "a server runs too often: {links:?}");
        let starting = self.links.current().filter(|link| !link.greeted).count();
        assert!(starting <= self.limits().starting, "{starting} servers start at once");
        assert!(gauges.in_flight <= self.limits().project_in_flight);
    }

    /// The oldest commit is durable, or has failed.
    pub(crate) fn stored(&mut self, ok: bool) {
        let Some((token, changes)) = self.store.pop_front() else { return };
        for change in changes.into_iter().filter(|_| ok) {
            match change {
                Change::Put(record, _) => drop(self.durable.insert(record.id(), record)),
                Change::Remove(id) => drop(self.durable.remove(&id)),
            }
        }
        if let Some(token) = token {
            let outcome = if ok { Ok(()) } else { Err(Unstored::Failed.into()) };
            self.feed(Input::Stored { token, outcome });
        }
    }

    /// The oldest publication is in the snapshot.
    pub(crate) fn published(&mut self) {
        let Some(learnt) = self.publishing.pop_front() else { return };
        self.definitions.retain(|known| known.server != learnt.server);
        self.definitions.push(Arc::new(learnt));
        self.rebuild();
    }
}
