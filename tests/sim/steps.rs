//! What can happen, how often, and how each happening is made.

use std::time::Duration;

use orch_core::ports::gateway::Verb;
use orch_core::ports::upstream::CloseReason;
use orch_core::record::Transport;
use orch_core::rpc::{Envelope, Sender};
use orch_core::shard::{Input, Shard};
use orch_core::{ExchangeId, KeyId, Limits, LinkId};

use crate::clients::Era;
use crate::dice::Dice;
use crate::hub::{Hub, KEYS, SERVERS};
use crate::servers::{Request, Stage};

pub(crate) const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// A happening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Answer,
    AnswerTwice,
    Ask,
    Cancel,
    Changed,
    Close,
    Configure,
    Connect,
    Crash,
    Delete,
    Garbage,
    Invent,
    Jump,
    Leave,
    Listen,
    Log,
    Oversleep,
    Open,
    Progress,
    Publish,
    Query,
    Refuse,
    Reply,
    Restart,
    Revoke,
    Store,
    StoreFails,
    Stream,
    Vanish,
    Wait,
}

/// How often each thing happens when nothing goes wrong, and how often it happens when it is among the faults of a
/// seed.
const USUAL: [(Op, usize); 12] = [
    (Op::Reply, 10),
    (Op::Ask, 120),
    (Op::Answer, 110),
    (Op::Wait, 60),
    (Op::Store, 40),
    (Op::Open, 30),
    (Op::Close, 20),
    (Op::Publish, 20),
    (Op::Connect, 20),
    (Op::Stream, 12),
    (Op::Listen, 8),
    (Op::Progress, 30),
];
const FAULTS: [(Op, usize); 18] = [
    (Op::AnswerTwice, 10),
    (Op::Cancel, 15),
    (Op::Changed, 8),
    (Op::Configure, 4),
    (Op::Crash, 6),
    (Op::Delete, 5),
    (Op::Garbage, 6),
    (Op::Invent, 10),
    (Op::Jump, 2),
    (Op::Leave, 15),
    (Op::Log, 10),
    (Op::Oversleep, 6),
    (Op::Query, 16),
    (Op::Refuse, 6),
    (Op::Restart, 1),
    (Op::Revoke, 2),
    (Op::StoreFails, 6),
    (Op::Vanish, 3),
];

/// Every seed has faults of its own.
pub(crate) fn weights(dice: &mut Dice) -> Vec<(Op, usize)> {
    let chosen = FAULTS.into_iter().filter(|_| dice.chance(60)).collect::<Vec<_>>();
    USUAL.into_iter().chain(chosen).collect()
}

impl Hub {
    /// One happening.
    pub(crate) fn step(&mut self) {
        let op = self.dice.weighted(&self.weights.clone());
        self.steps += 1;
        self.trace.push_back(op);
        if self.trace.len() > 64 {
            self.trace.pop_front();
        }
        match op {
            Op::Ask | Op::Cancel | Op::Delete | Op::Listen | Op::Reply | Op::Stream | Op::Vanish => self.on_client(op),
            Op::Connect => self.connect(),
            Op::Leave => {
                let open: Vec<ExchangeId> = self.books.exchanges.keys().copied().collect();
                if let Some(exchange) = self.dice.pick(&open) {
                    self.leave(*exchange);
                }
            }
            Op::Revoke => {
                let key: KeyId = self.secrets[self.dice.below(KEYS)].id();
                self.feed(Input::KeyRevoked(key));
            }
            Op::Configure => self.configure(),
            Op::Publish => self.published(),
            Op::Restart => self.restart(),
            Op::Store => self.stored(true),
            Op::StoreFails => self.stored(false),
            Op::Jump => self.pass(Duration::from_secs(90), false),
            Op::Oversleep => self.pass(Duration::from_secs(8), true),
            Op::Wait => {
                let span = self.dice.weighted(&[(20, 6), (300, 3), (2_000, 1)]);
                self.pass(Duration::from_millis(span), false);
            }
            Op::Answer
            | Op::AnswerTwice
            | Op::Changed
            | Op::Close
            | Op::Crash
            | Op::Garbage
            | Op::Invent
            | Op::Log
            | Op::Open
            | Op::Progress
            | Op::Query
            | Op::Refuse => self.on_link(op),
        }
    }

    fn on_client(&mut self, op: Op) {
        if self.clients.is_empty() {
            return;
        }
        let at = self.dice.below(self.clients.len());
        let client = &self.clients[at];
        match (op, client.era) {
            (Op::Cancel, _) => self.cancel(at),
            (Op::Reply, _) => self.reply(at),
            (Op::Delete, Era::Http) => self.delete(at),
            (Op::Listen, Era::Modern) => {
                let filter = r#""notifications":{"toolsListChanged":true,"resourcesListChanged":true}"#;
                self.request(at, "subscriptions/listen", filter);
            }
            (Op::Stream, Era::Http) => drop(self.open(at, Verb::Listen)),
            (Op::Vanish, _) => self.vanish(at),
            _ => self.ask(at),
        }
    }

    /// Lets time pass. Who oversleeps wakes once, after several deadlines.
    pub(crate) fn pass(&mut self, span: Duration, oversleeps: bool) {
        let end = self.now.after(span);
        if oversleeps {
            self.now = end;
        }
        let mut idle = 0;
        while let Some(deadline) = self.shard.deadline().filter(|deadline| deadline.at <= end) {
            idle = if deadline.at <= self.now { idle + 1 } else { 0 };
            assert!(idle < 20, "the deadline of {} fires for ever", deadline.reason);
            self.now = self.now.max(deadline.at);
            self.feed(Input::TimerFired);
        }
        self.now = end;
    }

    /// Another life of the hub: what is durable is there, all else is gone.
    fn restart(&mut self) {
        self.shard = Shard::restore(self.durable.values().cloned(), self.now);
        self.links.all.clear();
        self.store.clear();
        self.publishing.clear();
        let open: Vec<ExchangeId> = self.books.exchanges.keys().copied().collect();
        for exchange in open {
            let client = self.books.exchanges[&exchange].client;
            self.books.close(exchange);
            self.clients[client].finished(exchange);
        }
    }

    fn configure(&mut self) {
        let at = self.dice.below(SERVERS.len());
        let fresh = self.new_server(SERVERS[at]);
        let way = self.dice.below(4);
        match &mut self.servers[at] {
            None => self.servers[at] = Some(fresh),
            Some(_) if way == 0 => self.servers[at] = None,
            Some(server) if way == 1 => server.spec.transport = fresh.spec.transport,
            Some(server) => server.spec.disabled ^= true,
        }
        self.rebuild();
    }

    fn on_link(&mut self, op: Op) {
        let opening = op == Op::Open;
        let fits = |stage| match op {
            Op::Close => stage == Stage::Closing,
            Op::Crash => true,
            _ => (stage == Stage::Opening) == opening,
        };
        let links = self.links.all.iter().filter(|(_, it)| fits(it.stage)).map(|(link, _)| *link);
        let links: Vec<LinkId> = links.collect();
        let Some(link) = self.dice.pick(&links).copied() else { return };
        let line = match op {
            Op::Open => return self.open_link(link),
            Op::Crash => return self.end_link(link, CloseReason::Exited(1)),
            Op::Close => return self.end_link(link, CloseReason::Stopped),
            Op::Answer | Op::AnswerTwice | Op::Refuse => return self.answer(link, op),
            Op::Changed => {
                let server = self.links.all[&link].server;
                self.links.tools[server] = 1 + self.dice.below(7);
                CHANGED.to_owned()
            }
            Op::Garbage => (*self.dice.pick(&["oops", "{", "[]", "{\"jsonrpc\":\"2.0\"}"]).expect("some")).to_owned(),
            Op::Invent => {
                let id = self.dice.below(200);
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
            }
            Op::Progress => return self.progress(link),
            Op::Query => {
                let mark = self.number();
                self.links.all.get_mut(&link).expect("a link").questions.insert(mark);
                format!(r#"{{"jsonrpc":"2.0","id":{mark},"method":"roots/list","params":{{"nonce":"{mark}"}}}}"#)
            }
            _ => r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#.to_owned(),
        };
        self.say(link, &line);
    }

    pub(crate) fn open_link(&mut self, link: LinkId) {
        self.links.all.get_mut(&link).expect("a link").stage = Stage::Open;
        self.feed(Input::LinkOpened { link, pid: None });
    }

    pub(crate) fn end_link(&mut self, link: LinkId, reason: CloseReason) {
        self.links.all.remove(&link);
        self.feed(Input::LinkClosed { link, reason });
    }

    fn answer(&mut self, link: LinkId, op: Op) {
        let it = self.links.all.get_mut(&link).expect("a link");
        if it.requests.is_empty() {
            return;
        }
        // The handshake comes first: a server says nothing before.
        let at = if it.greeted { self.dice.below(it.requests.len()) } else { 0 };
        let request = if op == Op::AnswerTwice { it.requests[at].clone() } else { it.requests.remove(at) };
        if op == Op::Refuse {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"no"}}}}"#, request.id);
            return self.say(link, &line);
        }
        self.answer_well(link, &request);
    }

    pub(crate) fn answer_well(&mut self, link: LinkId, request: &Request) {
        if request.method == "initialize" {
            self.links.all.get_mut(&link).expect("a link").greeted = true;
        }
        let line = self.links.answer(link, request);
        self.say(link, &line);
    }

    fn progress(&mut self, link: LinkId) {
        let wanted = self.links.all[&link].requests.iter().filter(|request| request.token);
        let wanted: Vec<u64> = wanted.map(|request| request.id).collect();
        let id = self.dice.pick(&wanted).copied().unwrap_or(7);
        let line = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
        );
        self.say(link, &line);
    }

    pub(crate) fn say(&mut self, link: LinkId, line: &str) {
        let frame = Envelope::parse(line.to_owned().into(), Sender::Upstream, &Limits::default());
        let frames = Vec::from([frame]);
        self.feed(Input::FramesReceived { link, frames });
    }

    /// A server as a configuration may name it again.
    pub(crate) fn enable_all(&mut self) {
        for (at, name) in SERVERS.iter().enumerate() {
            let fresh = self.new_server(name);
            let server = self.servers[at].get_or_insert(fresh);
            server.spec.disabled = false;
            assert!(matches!(server.spec.transport, Transport::Stdio { .. }));
        }
        self.rebuild();
    }
}
