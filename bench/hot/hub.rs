//! A shard with a session, and with its server running.

use bytes::Bytes;
use orch_core::ports::gateway::{Admission, Head};
use orch_core::record::{Record, Session};
use orch_core::rpc::{Envelope, Message, Sender, heard, write};
use orch_core::shard::{Cx, Effect, Effects, Input, Order, Posted, Shard};
use orch_core::snapshot::Snapshot;
use orch_core::{Entropy, ExchangeId, LinkId, SessionId};

use crate::messages::call;
use crate::stage::{NOW, Stage};

const SERVER: &str = "server0";

/// See the file.
pub(crate) struct Hub {
    shard: Shard,
    snapshot: Snapshot,
    entropy: Entropy,
    pub(crate) effects: Effects,
    admission: Admission,
    head: Head,
    exchange: u64,
    link: LinkId,
}

impl Hub {
    pub(crate) fn running() -> Self {
        Self::among(1, 10)
    }

    /// The same among so many servers that run, with so many tools each.
    pub(crate) fn among(servers: usize, tools: usize) -> Self {
        let mut stage = Stage::new();
        let snapshot = stage.snapshot(servers, tools);
        let id = SessionId([7; 32]);
        let head = stage.head(SERVER, Some(id.to_string()));
        let admission = stage.directory.admit(&head, NOW).expect("the key is good");
        let session = Session {
            id,
            project: stage.project.id,
            target: head.target.clone(),
            key: admission.key().clone(),
            revision: "2025-11-25".to_owned(),
            client_info: "{}".to_owned(),
            capabilities: "{}".to_owned(),
            created_at: NOW,
        };
        let mut hub = Self {
            shard: Shard::restore([Record::Session(session)], NOW),
            snapshot,
            entropy: Entropy::from_seed([2; 32]),
            effects: Effects::new(),
            admission,
            head,
            exchange: 0,
            link: LinkId(0),
        };
        hub.start_others();
        hub.start();
        hub
    }

    fn start_others(&mut self) {
        let others = self.snapshot.servers().filter(|entry| entry.config.is_some() && entry.name != SERVER);
        for server in others.map(|entry| entry.id).collect::<Vec<_>>() {
            self.feed(Input::Ordered { server, order: Order::Start });
            self.greet();
            self.effects.clear();
        }
    }

    /// The first call starts the server: the handshake, its list, and the answer to the call.
    fn start(&mut self) {
        self.post(&call(0));
        self.greet();
        let id = self.asked().expect("the server is asked");
        self.answer(&id, br#"{"content":[]}"#);
    }

    /// The server that is started opens, and shakes hands.
    fn greet(&mut self) {
        let opened = self.effects.iter().find_map(|effect| {
            let Effect::OpenLink { link, .. } = effect else { return None };
            Some(*link)
        });
        self.link = opened.expect("the server is started");
        self.feed(Input::LinkOpened { link: self.link, pid: None });
        let id = self.asked().expect("the server is greeted");
        self.answer(&id, br#"{"protocolVersion":"2025-11-25","capabilities":{}}"#);
    }

    fn feed(&mut self, input: Input) {
        self.effects.clear();
        let Self { snapshot, entropy, effects: out, .. } = self;
        self.shard.handle(&mut Cx { now: NOW, snapshot, entropy, out }, input);
    }

    pub(crate) fn post(&mut self, text: &Bytes) {
        self.exchange += 1;
        let body =
            Envelope::parse(text.clone(), Sender::Client, self.snapshot.limits()).expect("a valid call");
        let (admission, head) = (self.admission.clone(), self.head.clone());
        self.feed(Input::Posted(Posted { exchange: ExchangeId(self.exchange), admission, head, body }));
    }

    /// The id of the request that was just sent to the server.
    pub(crate) fn asked(&self) -> Option<String> {
        self.effects.iter().find_map(|effect| {
            let Effect::SendFrame { frame, .. } = effect else { return None };
            let frame = Envelope::parse(frame.clone(), Sender::Upstream, self.snapshot.limits()).ok()?;
            match frame.message() {
                Message::Request { id, .. } => Some(id.to_owned()),
                Message::Notification { .. } | Message::Response { .. } => None,
            }
        })
    }

    pub(crate) fn answer(&mut self, id: &str, result: &[u8]) {
        let answer = write::result(id, result).into();
        let frames = heard(answer, self.snapshot.limits()).collect();
        self.feed(Input::FramesReceived { link: self.link, within: None, frames });
    }
}
