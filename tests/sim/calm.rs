//! After the storm: all is healed, time passes, and everybody must have an answer.

use std::time::Duration;

use orch_core::mcp::ListKind;
use orch_core::ports::gateway::Target;
use orch_core::ports::upstream::CloseReason;
use orch_core::{ExchangeId, LinkId};

use crate::books::Kind;
use crate::clients::Era;
use crate::hub::Hub;
use crate::project::SERVERS;
use crate::servers::{Link, Request, Stage};
use crate::talk::CHANGED;

const PAUSE: Duration = Duration::from_millis(500);

impl Hub {
    /// Lets everything come to rest, and checks that it does.
    pub(crate) fn settle(&mut self) {
        self.enable_all();
        if self.dice.chance(50) {
            self.everything_changes();
        }
        for _ in 0..240 {
            self.do_all_that_waits();
            self.pass(PAUSE, false);
        }
        let waiting: Vec<_> = self.books.exchanges.iter().filter(|(_, it)| it.kind == Kind::Post).collect();
        assert!(waiting.is_empty(), "these never got an answer: {waiting:?}");
        assert_eq!(self.books.open_requests(), 0, "{:?}", self.books.asked);
        assert_eq!((self.shard.gauges().in_flight, self.shard.gauges().waiting), (0, 0));
        self.every_server_is_listed();
        self.every_server_answers();
        self.everybody_leaves();
    }

    /// Servers that run say that they have other tools, whatever they are asked at the moment.
    fn everything_changes(&mut self) {
        let runs = |(link, it): (&LinkId, &Link)| {
            (it.greeted && !it.retired && it.stage == Stage::Open).then_some((*link, it.server))
        };
        let links: Vec<(LinkId, usize)> = self.links.all.iter().filter_map(runs).collect();
        for (link, server) in links {
            self.links.tools[server] += 3;
            self.links.excused.remove(&server);
            self.say(link, CHANGED);
        }
    }

    fn do_all_that_waits(&mut self) {
        loop {
            let before = self.shard.gauges();
            while !self.store.is_empty() {
                self.stored(true);
            }
            while !self.publishing.is_empty() {
                self.published();
            }
            let busy = self.servers_do_their_part();
            if !busy && self.store.is_empty() && self.publishing.is_empty() {
                return;
            }
            assert!(before.links < 1_000);
        }
    }

    /// Opens, answers and closes what is to be; whether there was anything.
    fn servers_do_their_part(&mut self) -> bool {
        let mut busy = false;
        let links: Vec<_> = self.links.all.keys().copied().collect();
        for link in links {
            let stage = self.links.all[&link].stage;
            match stage {
                Stage::Opening => self.open_link(link),
                Stage::Closing => self.end_link(link, CloseReason::Stopped),
                Stage::Open => {}
            }
            busy |= stage != Stage::Open;
            let Some(it) = self.links.all.get_mut(&link) else { continue };
            let requests: Vec<Request> = it.requests.drain(..).collect();
            busy |= !requests.is_empty();
            for request in requests {
                self.answer_well(link, &request);
            }
        }
        busy
    }

    /// Whoever asks for lists often enough gets them, also those of a server that has failed before.
    fn every_server_is_listed(&mut self) {
        for name in SERVERS {
            let client = self.introduce(Era::Modern, Target::Server(name.into()), 0);
            self.clients.push(client);
            for _ in 0..2 {
                self.request(self.clients.len() - 1, "tools/list", "");
                self.do_all_that_waits();
                self.pass(Duration::from_secs(61), false);
            }
            let offer = self.snapshot.named(name).and_then(|entry| entry.offer.as_ref());
            assert!(offer.is_some(), "{name} is asked for its tools and never started");
        }
    }

    /// Whatever has happened, a new client is served by each.
    fn every_server_answers(&mut self) {
        for name in SERVERS {
            let client = self.introduce(Era::Modern, Target::Server(name.into()), 0);
            self.clients.push(client);
            let answered = self.books.answered;
            self.request(self.clients.len() - 1, "tools/call", r#""name":"t0""#);
            self.do_all_that_waits();
            assert_eq!(self.books.answered, answered + 1, "{name} does not answer");
        }
        let down = self.shard.views(&self.snapshot).into_iter().filter(|view| view.health != "ok");
        assert_eq!(down.count(), 0);
        for (at, (name, tools)) in SERVERS.iter().zip(&self.links.tools).enumerate() {
            if self.links.excused.contains(&at) {
                continue;
            }
            let offer =
                self.snapshot.named(name).and_then(|entry| entry.offer.as_ref()).expect("it was seen");
            assert_eq!(offer.entries(ListKind::Tools).len(), *tools, "what {name} has and what is listed");
        }
    }

    /// When nobody is left, nothing is left.
    fn everybody_leaves(&mut self) {
        let open: Vec<ExchangeId> = self.books.exchanges.keys().copied().collect();
        for exchange in open {
            if self.books.exchanges.contains_key(&exchange) {
                self.leave(exchange);
            }
        }
        self.pass(Duration::from_mins(3), false);
        self.do_all_that_waits();
        let gauges = self.shard.gauges();
        let left = [gauges.exchanges, gauges.in_flight, gauges.listeners, gauges.sessions, gauges.waiting];
        assert_eq!(left, [0; 5], "{gauges:?}");
        assert!(gauges.links <= SERVERS.len(), "{gauges:?}");
        assert!(
            self.shard.deadline().is_none(),
            "{:?} at {:?}: {:#?}",
            self.shard.deadline(),
            self.now,
            self.shard
        );
    }
}
