//! One project under simulation: its shard, its snapshot, its store, and the one place where its effects are carried out.

use std::collections::VecDeque;
use std::sync::Arc;

use orch_core::key::{Pepper, Token as Secret};
use orch_core::ports::gateway::{Admission, Event};
use orch_core::record::{Definitions, Key, Premises, Project, Server};
use orch_core::shard::{Cx, Effect, Effects, Input, Shard};
use orch_core::snapshot::{Directory, Instance, Snapshot};
use orch_core::{Entropy, ExchangeId, Limits, Timestamp};

use crate::books::{Books, Entry, Exchange, Kind};
use crate::clients::{Client, Era};
use crate::dice::Dice;
use crate::link::Stage;
use crate::plan::Faults;
use crate::project::{PROJECTS, SERVERS, draft, limits, new_project};
use crate::returns::Lost;
use crate::runs::Runs;
use crate::servers::Links;
use crate::store::Disk;
use crate::tally::{Fault, Tally};

/// One of how many inputs the hub does not outlive, where it may die of them.
const DEATHS: usize = 3_000;
/// How much of an input or effect is printed.
const TOLD: usize = 600;

#[expect(clippy::print_stderr, reason = "somebody wants to see what a case does")]
fn tell(words: &str) {
    eprintln!("{}", words.get(..TOLD).unwrap_or(words));
}

#[derive(Debug)]
pub(crate) struct Hub {
    pub dice: Dice,
    pub faults: Faults,
    /// Whether the shard audits itself from end to end after each input.
    pub audited: bool,
    /// Whether the hub has died, and what is fed to it goes nowhere.
    pub is_dead: bool,
    /// How many inputs the shard has handled.
    pub inputs: u64,
    pub tally: Tally,
    /// Whether all inputs and effects are printed.
    pub told: bool,
    pub books: Books,
    pub links: Links,
    /// What clients have asked to be run.
    pub runs: Runs,
    pub clients: Vec<Client>,
    /// Streams that clients have lost.
    pub lost: Vec<Lost>,
    pub resumed: u64,
    pub now: Timestamp,
    /// A hash of all effects, when it is wanted.
    pub digest: Option<u64>,
    pub disk: Disk,
    pub publishing: VecDeque<Definitions>,
    pub servers: Vec<Option<Server>>,
    pub snapshot: Snapshot,
    pub shard: Shard,
    pub directory: Arc<Directory>,
    /// What the directory has decided, by the key.
    pub admissions: Vec<(usize, Admission)>,
    pub keys: Vec<Key>,
    pub secrets: Vec<Secret>,
    /// Those of keys that were revoked.
    pub revoked: Vec<Secret>,
    pub entropy: Entropy,
    pub project: Project,
    pub instance: Arc<Instance>,
    pub definitions: Vec<Arc<Definitions>>,
    /// Connections that break when all that follows from the input is carried out.
    pub broken: Vec<ExchangeId>,
    /// Whose streams the hub has ended because of the last input.
    pub finished: Vec<u32>,
    effects: Effects,
    next: u64,
}

impl Hub {
    pub(crate) fn new(project: usize, seed: u64, dice: Dice, faults: Faults, pepper: &Pepper) -> Self {
        let small = |number: u64| u8::try_from(number % 251).expect("small");
        let mut entropy = Entropy::from_seed([small(seed * PROJECTS as u64 + project as u64); 32]);
        let now = Timestamp(1_700_000_000_000);
        let instance = Arc::new(Instance {
            limits: limits(),
            cursor_key: [9; 32],
            base_url: "http://127.0.0.1:8000".into(),
            config_file: "mcp-config.json".into(),
            premises: Premises::default(),
        });
        let record = new_project(project, now, &mut entropy);
        let mut hub = Self {
            dice,
            faults,
            audited: true,
            is_dead: false,
            inputs: 0,
            tally: Tally::default(),
            told: crate::run::number("ORCH_SIM_TELL").is_some(),
            books: Books::default(),
            links: Links::default(),
            runs: Runs::default(),
            clients: Vec::new(),
            lost: Vec::new(),
            resumed: 0,
            now,
            digest: None,
            disk: Disk::default(),
            publishing: VecDeque::new(),
            servers: Vec::new(),
            snapshot: Snapshot::build(draft(&record, &[], &[], &instance), None),
            shard: Shard::default(),
            directory: Arc::new(Directory::build([], [], pepper.clone())),
            admissions: Vec::new(),
            keys: Vec::new(),
            secrets: Vec::new(),
            revoked: Vec::new(),
            entropy,
            project: record,
            instance,
            definitions: Vec::new(),
            broken: Vec::new(),
            finished: Vec::new(),
            effects: Vec::new(),
            next: project as u64,
        };
        hub.mint_keys(pepper);
        let servers = SERVERS.iter().map(|name| Some(hub.new_server(name))).collect();
        hub.servers = servers;
        hub.rebuild();
        hub
    }

    /// A number that was never given out before, in any project.
    pub(crate) fn number(&mut self) -> u64 {
        self.next += PROJECTS as u64;
        self.next
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.instance.limits
    }

    pub(crate) fn begin(&mut self, client: usize, kind: Kind) -> ExchangeId {
        let exchange = ExchangeId(self.number());
        let it =
            Exchange { client, principal: self.clients[client].principal, kind, post: None, cursor: None };
        self.books.exchanges.insert(exchange, it);
        exchange
    }

    /// Gives the shard an input, carries out what follows, and checks the books. The hub may die before all of it is
    /// carried out.
    pub(crate) fn feed(&mut self, input: Input) {
        if self.is_dead {
            return;
        }
        self.inputs += 1;
        self.finished.clear();
        if self.told {
            tell(&format!("{} {input:?}", self.project.slug));
        }
        let mut effects = std::mem::take(&mut self.effects);
        let (snapshot, entropy) = (&self.snapshot, &mut self.entropy);
        self.shard.handle(&mut Cx { now: self.now, snapshot, entropy, out: &mut effects }, input);
        if self.audited
            && let Err(bug) = self.shard.audit()
        {
            panic!("{bug}");
        }
        if self.faults.crashes && !effects.is_empty() && self.dice.below(DEATHS) == 0 {
            effects.truncate(self.dice.below(effects.len()));
            self.is_dead = true;
        }
        for effect in effects.drain(..) {
            if let Some(digest) = &mut self.digest {
                for byte in format!("{effect:?}").bytes() {
                    *digest = (*digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
            }
            if self.told {
                tell(&format!("    {effect:?}"));
            }
            self.carry_out(effect);
        }
        self.effects = effects;
        if self.is_dead {
            return;
        }
        self.balance();
        while let Some(exchange) = self.broken.pop() {
            if self.books.exchanges.contains_key(&exchange) {
                self.tally.add(Fault::SlowReader);
                self.lose_exchange(exchange);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { exchange, status, session, body } => {
                let at = self.books.exchanges[&exchange].client;
                if let Some(session) = session {
                    self.promise(at, session);
                }
                let strays = self.clients[at].strays;
                assert!(!strays || status >= 400, "a session is open to whom it is not of");
                if status >= 400 {
                    self.books.give_up(exchange);
                }
                if status == 404 && self.clients[at].era == Era::Http && !strays {
                    self.check_forgotten(at);
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
                if self.faults.slow_readers && self.dice.chance(2) {
                    self.broken.push(exchange);
                }
            }
            Effect::Emit { exchange, event: Event::Primed { id, .. } } => self.books.prime(exchange, id),
            Effect::Finish { exchange } => {
                let it = &self.books.exchanges[&exchange];
                self.finished.extend((it.kind == Kind::Stream).then_some(it.principal));
                self.clients.iter_mut().for_each(|client| client.finished(exchange));
                self.books.close(exchange);
            }
            Effect::OpenLink { link, server } => {
                let at = SERVERS.iter().position(|name| *name == server.name).expect("a configured server");
                assert_eq!(self.servers[at].as_ref(), Some(&*server), "it is started as it is configured");
                assert!(!server.spec.disabled, "a server is started that is disabled");
                self.links.open(link, at, *server);
            }
            Effect::OpenStream { exchange } => {
                assert!(self.books.exchanges.contains_key(&exchange), "exchange {exchange} is closed");
            }
            Effect::Persist { token, changes } => self.persist(token, changes),
            Effect::Publish { definitions } => {
                let same = |it: &Definitions| {
                    (it.server, it.spec_digest) == (definitions.server, definitions.spec_digest)
                };
                assert!(!self.publishing.iter().any(same), "two lists of one server could change places");
                self.publishing.push_back(*definitions);
            }
            // No project of these worlds has a planner.
            Effect::AskPlanner { .. } | Effect::LeavePlanner { .. } => unreachable!("a planner is asked"),
            Effect::Record(_) | Effect::Report(_) | Effect::RestLink { .. } => {}
            Effect::SendFrame { link, frame } | Effect::SendMirrored { link, frame, .. } => {
                self.links.send(link, &frame, &self.books, &mut self.runs);
            }
        }
    }

    fn enter(&mut self, exchange: ExchangeId, text: &bytes::Bytes, status: u16) {
        let entry = self.books.enter(exchange, text);
        let (at, principal) = {
            let it = &self.books.exchanges[&exchange];
            (it.client, it.principal)
        };
        let client = &mut self.clients[at];
        let is_answer = matches!(
            entry,
            Entry::Handshake | Entry::Other | Entry::Parked(_) | Entry::Told(_) | Entry::Unknown(_)
        );
        assert!(!client.barred || is_answer, "somebody with a revoked key is told {entry:?}");
        match entry {
            Entry::Handshake => client.ready = true,
            Entry::Logged(mark) => self.links.check_asked(mark, principal, &self.books),
            Entry::Parked(retry) => {
                assert!(client.able, "a client is asked what it cannot answer");
                self.links.check_asked(retry.mark, principal, &self.books);
                client.parked.push(retry);
            }
            Entry::Updated(uri) => {
                assert!(client.subscribed.contains(&*uri), "a change of {uri} that was not asked for");
            }
            Entry::Withdrawn(id) => client.questions.retain(|(own, _)| *own != id),
            Entry::Question(id, mark) => {
                assert!(client.able, "a client is asked what it cannot answer");
                self.links.check_asked(mark, principal, &self.books);
                client.questions.push((id, mark));
            }
            Entry::Unknown(run) => {
                assert!(!self.runs.promised.contains(&run), "run {run} was promised and is not known");
            }
            Entry::Told(told) => self.told(at, &told),
            Entry::Other if status == 404 => client.forget_session(),
            Entry::Other => {}
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
