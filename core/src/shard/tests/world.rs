//! One shard with everything around it: a virtual clock, a store, scripted servers, and what clients have seen.
//!
//! The world does what a driver would do, and checks what no test should have to say: an exchange that has ended
//! is left alone, no message goes over a link that is not there, and no deadline fires for ever.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::script::Script;
use crate::planner::PlannerSpec;
use crate::ports::gateway::Event;
use crate::ports::planner::Question;
use crate::ports::store::Change;
use crate::ports::upstream::CloseReason;
use crate::record::{
    Definitions, Mode, Origin, Premises, Project, Record, RecordId, Server, ServerSpec, Transport,
};
use crate::rpc::{Envelope, Sender};
use crate::shard::{Cx, Effect, Effects, Input, Shard, Token};
use crate::snapshot::{Changes, Draft, Instance, Snapshot, diff};
use crate::{Entropy, ExchangeId, Limits, LinkId, ProjectId, ServerId, Timestamp, Unstored};

/// What the store does with a change that somebody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Commits,
    Holds,
    IsFull,
    /// It has them when it is told to.
    Queues,
    Refuses,
}

/// What the client of an exchange has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub status: Option<u16>,
    pub session: Option<String>,
    pub endpoint: Option<String>,
    pub messages: Vec<String>,
    /// The ids of its events.
    pub ids: Vec<String>,
    /// The id that came before the first message.
    pub primed: Option<String>,
    pub streams: bool,
    pub ended: bool,
    pub gone: bool,
}

/// A link, and what was sent over it that the script does not answer.
pub(super) struct Wire {
    pub server: String,
    pub sent: Vec<String>,
    pub closing: bool,
    pub closed: bool,
}

pub(super) struct World {
    pub shard: Shard,
    pub snapshot: Snapshot,
    pub now: Timestamp,
    pub scripts: BTreeMap<String, Script>,
    pub store: Store,
    pub publishes: bool,
    pub held: Vec<Token>,
    pub queue: VecDeque<(Option<Token>, Vec<Change>)>,
    pub unpublished: Vec<Definitions>,
    pub records: BTreeMap<RecordId, Record>,
    pub exchanges: BTreeMap<ExchangeId, Seen>,
    pub links: BTreeMap<LinkId, Wire>,
    pub log: Effects,
    pub servers: Vec<Server>,
    /// What the planner was asked and has not answered.
    pub questions: BTreeMap<Token, Question>,
    planner: Option<Arc<PlannerSpec>>,
    definitions: Vec<Arc<Definitions>>,
    project: Project,
    pub instance: Arc<Instance>,
    entropy: Entropy,
    next_exchange: u64,
}

impl World {
    /// Servers by name that were never seen.
    pub(super) fn new(names: &[&str]) -> Self {
        Self::scripted(Limits::default(), names.iter().map(|name| (*name, Script::default())))
    }

    /// Servers that run and whose offers are known.
    pub(super) fn running(names: &[&str]) -> Self {
        Self::new(names).surveyed()
    }

    pub(super) fn scripted<'a>(limits: Limits, scripts: impl IntoIterator<Item = (&'a str, Script)>) -> Self {
        let mut entropy = Entropy::from_seed([7; 32]);
        let now = Timestamp(1_700_000_000_000);
        let project = Project {
            id: ProjectId::mint(now, &mut entropy),
            slug: "default".into(),
            name: "Default".into(),
            separator: "__".into(),
            mode: Mode::Proxy,
            created_at: now,
        };
        let instance = Arc::new(Instance {
            limits,
            cursor_key: [1; 32],
            base_url: "http://127.0.0.1:8000".into(),
            config_file: "mcp-config.json".into(),
            premises: Premises::default(),
        });
        let scripts: BTreeMap<String, Script> =
            scripts.into_iter().map(|(name, script)| (name.to_owned(), script)).collect();
        let servers: Vec<Server> = scripts
            .keys()
            .map(|name| Server {
                id: ServerId::mint(now, &mut entropy),
                project: project.id,
                name: name.clone(),
                origin: Origin::ConfigFile,
                spec: spec(name),
            })
            .collect();
        let (draft, instance) = (draft(&project, &servers, &[], (&instance, None)), instance);
        Self {
            shard: Shard::default(),
            snapshot: Snapshot::build(draft, None),
            now,
            scripts,
            store: Store::Commits,
            publishes: true,
            held: Vec::new(),
            queue: VecDeque::new(),
            unpublished: Vec::new(),
            records: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            links: BTreeMap::new(),
            log: Vec::new(),
            servers,
            questions: BTreeMap::new(),
            planner: None,
            definitions: Vec::new(),
            project,
            instance,
            entropy,
            next_exchange: 0,
        }
    }

    /// The same world in another life of the hub, before it is known what is configured: what is stored is there, no process runs, no
    /// stream is open.
    pub(super) fn reborn(mut self) -> Self {
        self.shard = Shard::restore(self.records.values().cloned(), self.now);
        self.exchanges.clear();
        self.links.clear();
        self.log.clear();
        self
    }

    /// The same world as another project of the same hub.
    pub(super) fn in_another_project(mut self) -> Self {
        self.project.id = ProjectId::mint(self.now, &mut self.entropy);
        for server in &mut self.servers {
            server.project = self.project.id;
        }
        self.rebuild();
        self
    }

    pub(super) fn project(&self) -> ProjectId {
        self.project.id
    }

    pub(super) fn mint_exchange(&mut self) -> ExchangeId {
        self.next_exchange += 1;
        let exchange = ExchangeId(self.next_exchange);
        self.exchanges.insert(exchange, Seen::default());
        exchange
    }

    /// Gives the shard an input, and all that its effects cause.
    pub(super) fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if let Input::LinkClosed { link, .. } = &input {
                self.links.get_mut(link).expect("a link that is there").closed = true;
            }
            let mut out = Effects::new();
            let (snapshot, entropy) = (&self.snapshot, &mut self.entropy);
            self.shard.handle(&mut Cx { now: self.now, snapshot, entropy, out: &mut out }, input);
            assert_eq!(self.shard.audit(), Ok(()));
            for effect in &out {
                inputs.extend(self.carry_out(effect));
            }
            self.log.append(&mut out);
        }
    }

    fn carry_out(&mut self, effect: &Effect) -> Option<Input> {
        match effect {
            Effect::Answer { exchange, status, session, body } => {
                let seen = self.open_exchange(*exchange);
                seen.status.get_or_insert(*status);
                seen.session = session.map(|id| id.to_string());
                seen.messages.extend(body.as_deref().map(text));
                seen.ended = true;
            }
            Effect::AskPlanner { token, question } => {
                self.questions.insert(*token, (**question).clone());
            }
            Effect::LeavePlanner { token } => {
                self.questions.remove(token).expect("a question that is open");
            }
            Effect::CloseLink { link, .. } => {
                let wire = self.links.get_mut(link).expect("a link that is there");
                wire.closing = true;
                let ends = self.scripts.get(&wire.server).is_none_or(|script| script.ends);
                return ends.then_some(Input::LinkClosed { link: *link, reason: CloseReason::Stopped });
            }
            Effect::Emit { exchange, event } => {
                let seen = self.open_exchange(*exchange);
                seen.streams = true;
                match event {
                    Event::Endpoint(path) => seen.endpoint = Some(path.clone()),
                    Event::Message { id, data } => {
                        seen.messages.push(text(data));
                        seen.ids.extend(id.clone());
                    }
                    Event::Primed { id, .. } => {
                        assert!(seen.messages.is_empty(), "an id that comes before all messages");
                        seen.primed = Some(id.clone());
                    }
                }
            }
            Effect::Finish { exchange } => self.open_exchange(*exchange).ended = true,
            Effect::OpenLink { link, server } => {
                let wire =
                    Wire { server: server.name.clone(), sent: Vec::new(), closing: false, closed: false };
                assert!(self.links.insert(*link, wire).is_none(), "{link} was opened before");
                let opens = self.scripts.get(&server.name).is_some_and(|script| script.opens);
                return opens.then_some(Input::LinkOpened { link: *link, pid: Some(4711) });
            }
            Effect::OpenStream { exchange } => self.open_exchange(*exchange).streams = true,
            Effect::Persist { token, changes } => return self.persist(*token, changes),
            Effect::Publish { definitions } => {
                if self.publishes {
                    return Some(Input::SnapshotReplaced(self.publish((**definitions).clone())));
                }
                self.unpublished.push((**definitions).clone());
            }
            Effect::Record(_) | Effect::Report(_) | Effect::RestLink { .. } => {}
            Effect::SendFrame { link, frame } | Effect::SendMirrored { link, frame, .. } => {
                return self.send(*link, &text(frame));
            }
        }
        None
    }

    fn open_exchange(&mut self, exchange: ExchangeId) -> &mut Seen {
        let seen = self.exchanges.get_mut(&exchange).expect("an exchange that was begun");
        assert!(!seen.ended, "{exchange} is answered twice");
        assert!(!seen.gone, "{exchange} is answered though its client has gone");
        seen
    }

    fn persist(&mut self, token: Option<Token>, changes: &[Change]) -> Option<Input> {
        if self.store == Store::Holds {
            self.held.extend(token);
            return None;
        }
        if self.store == Store::Queues {
            self.queue.push_back((token, changes.to_vec()));
            return None;
        }
        let outcome = match self.store {
            Store::Commits => Ok(()),
            Store::IsFull => Err(Unstored::Full.into()),
            Store::Holds | Store::Queues | Store::Refuses => Err(Unstored::Failed.into()),
        };
        if outcome.is_ok() {
            self.apply(changes);
        }
        token.map(|token| Input::Stored { token, outcome })
    }

    /// The store has these changes.
    pub(super) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Put(record, _) => drop(self.records.insert(record.id(), record.clone())),
                Change::Remove(id) => drop(self.records.remove(id)),
            }
        }
    }

    /// Makes what was learnt part of the snapshot.
    pub(super) fn publish(&mut self, learnt: Definitions) -> Changes {
        self.definitions.retain(|known| known.server != learnt.server);
        self.definitions.push(Arc::new(learnt));
        self.rebuild()
    }

    pub(super) fn rebuild(&mut self) -> Changes {
        let more = (&self.instance, self.planner.as_ref());
        let draft = draft(&self.project, &self.servers, &self.definitions, more);
        let new = Snapshot::build(draft, Some(&self.snapshot));
        let changes = diff(&self.snapshot, &new);
        self.snapshot = new;
        changes
    }

    /// The project's other mode.
    pub(super) fn switch_to_batch_mode(&mut self) {
        self.project.mode = Mode::Batch;
        let changes = self.rebuild();
        self.feed(Input::SnapshotReplaced(changes));
    }

    /// Configures who makes plans.
    pub(super) fn plan_with(&mut self, spec: PlannerSpec) {
        self.planner = Some(Arc::new(spec));
        let changes = self.rebuild();
        self.feed(Input::SnapshotReplaced(changes));
    }

    /// Saves another configuration.
    pub(super) fn configure(&mut self, change: impl FnOnce(&mut Vec<Server>)) {
        change(&mut self.servers);
        let changes = self.rebuild();
        self.feed(Input::SnapshotReplaced(changes));
    }

    fn send(&mut self, link: LinkId, frame: &str) -> Option<Input> {
        let wire = self.links.get_mut(&link).expect("a link that is there");
        assert!(!wire.closed, "{link} is gone");
        assert!(!frame.contains('\n'), "a frame is one line");
        let answers = self.scripts.get(&wire.server).map(|script| script.answers(frame)).unwrap_or_default();
        if answers.is_empty() {
            wire.sent.push(frame.to_owned());
            return None;
        }
        Some(Input::FramesReceived {
            link,
            within: None,
            frames: answers.iter().map(|text| Ok(read(text))).collect(),
        })
    }

    /// Lets time pass, and every deadline on the way.
    pub(super) fn advance(&mut self, span: Duration) {
        let end = self.now.after(span);
        let mut stuck = 0;
        while let Some(deadline) = self.shard.deadline().filter(|deadline| deadline.at <= end) {
            stuck = if deadline.at <= self.now { stuck + 1 } else { 0 };
            assert!(stuck < 10, "the deadline of {} fires for ever", deadline.reason);
            self.now = self.now.max(deadline.at);
            self.feed(Input::TimerFired);
        }
        self.now = end;
    }
}

fn draft(
    project: &Project,
    servers: &[Server],
    definitions: &[Arc<Definitions>],
    (instance, planner): (&Arc<Instance>, Option<&Arc<PlannerSpec>>),
) -> Draft {
    Draft {
        project: project.clone(),
        servers: servers.to_vec(),
        definitions: definitions.to_vec(),
        instance: Arc::clone(instance),
        planner: planner.cloned(),
    }
}

/// A specification like any other; `command` tells two of them apart.
pub(super) fn spec(command: &str) -> ServerSpec {
    ServerSpec::new(Transport::Stdio {
        command: command.to_owned(),
        args: Vec::new(),
        env: BTreeMap::new(),
        cwd: None,
    })
}

pub(super) fn read(text: &str) -> Envelope {
    let bytes = bytes::Bytes::from(text.to_owned());
    Envelope::parse(bytes, Sender::Upstream, &Limits::default()).expect("a JSON-RPC message")
}

fn text(bytes: &[u8]) -> String {
    core::str::from_utf8(bytes).expect("UTF-8").to_owned()
}
