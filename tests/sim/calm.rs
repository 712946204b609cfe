//! After the storm: all is healed, time passes, and everybody must have an answer.

use std::time::Duration;

use orch_core::mcp::ListKind;
use orch_core::ports::gateway::Target;
use orch_core::ports::upstream::CloseReason;
use orch_core::rpc::Field;
use orch_core::{ExchangeId, LinkId};
use serde_json::value::RawValue;

use crate::books::Kind;
use crate::clients::{Client, Era};
use crate::hub::Hub;
use crate::link::{Request, Stage};
use crate::plan::Faults;
use crate::project::SERVERS;

const PAUSE: Duration = Duration::from_millis(500);

impl Hub {
    /// Lets everything come to rest, and checks that it does.
    pub(crate) fn settle(&mut self) {
        (self.disk.full, self.faults) = (false, Faults::default());
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
        let gauges = self.shard.gauges();
        assert_eq!([gauges.in_flight, gauges.waiting, gauges.runs, gauges.steps, gauges.open_runs], [0; 5]);
        self.every_server_is_listed();
        self.every_server_answers();
        self.everybody_sees_what_serves_them();
        self.everybody_leaves();
        self.runs_are_forgotten();
    }

    /// Servers that run say that they have other tools, whatever they are asked at the moment.
    fn everything_changes(&mut self) {
        let mut changed = Vec::new();
        for (link, it) in &mut self.links.all {
            if it.greeted && it.unwanted_since.is_none() && it.stage == Stage::Open {
                (it.tools, it.excused) = (it.tools + 3, false);
                changed.push(*link);
            }
        }
        for link in changed {
            self.tell_change(link);
        }
    }

    pub(crate) fn do_all_that_waits(&mut self) {
        loop {
            let before = self.shard.gauges();
            while !self.disk.is_idle() {
                self.stored(true);
            }
            while !self.publishing.is_empty() {
                self.published();
            }
            let busy = self.servers_do_their_part();
            if !busy && self.disk.is_idle() && self.publishing.is_empty() {
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
            busy |= self.arrive_all(link);
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
            for kind in [ListKind::ALL, ListKind::ALL].concat() {
                self.request(self.clients.len() - 1, kind.method(), "");
                self.do_all_that_waits();
                self.pass(Duration::from_secs(61), false);
            }
            let offer = self.snapshot.named(name).and_then(|entry| entry.offer.as_ref());
            let untold = offer.map(|offer| &offer.definitions().untold);
            assert!(
                untold.is_some_and(std::collections::BTreeMap::is_empty),
                "{name} is asked for lists, and none comes: {untold:?}"
            );
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
        let mut views = self.shard.views(&self.snapshot);
        views.retain(|view| view.health != "ok");
        assert!(views.is_empty(), "{views:?}");
    }

    /// Whoever is served sees what the process offers that serves it.
    fn everybody_sees_what_serves_them(&mut self) {
        let named = |client: &Client| matches!(client.admission.target(), Target::Server(_));
        let ready = |client: &Client| !client.barred && (client.era == Era::Modern || client.ready);
        let served = |(at, client): (usize, &Client)| (named(client) && ready(client)).then_some(at);
        let served: Vec<usize> = self.clients.iter().enumerate().filter_map(served).collect();
        for at in served {
            self.links.used = None;
            self.request(at, "tools/call", r#""name":"t0""#);
            self.do_all_that_waits();
            let Some(link) = self.links.used else { continue };
            self.sees_all(at, link);
            // It does so also when that changes.
            if self.dice.chance(50) {
                let it = self.links.all.get_mut(&link).expect("a link");
                (it.tools, it.excused) = (it.tools % 7 + 1, false);
                self.tell_change(link);
                self.pass(PAUSE, false);
                self.do_all_that_waits();
                self.sees_all(at, link);
            }
        }
    }

    /// A client sees every tool of the process that serves it.
    fn sees_all(&mut self, at: usize, link: LinkId) {
        let listed = self.listed_for(at);
        let it = &self.links.all[&link];
        let client = &self.clients[at];
        assert!(it.excused || it.tools == listed, "{listed} of {} tools: {client:?}", it.tools);
    }

    /// How many tools a client is shown.
    fn listed_for(&mut self, at: usize) -> usize {
        let (mut count, mut cursor) = (0, String::new());
        loop {
            self.request(at, "tools/list", &cursor);
            let page = self.books.listed.take().expect("a list");
            let tools = page.raw(Field::Tools).expect("its tools");
            count += serde_json::from_slice::<Vec<&RawValue>>(tools).expect("a list").len();
            match page.raw_str(Field::NextCursor) {
                Some(next) => cursor = format!("\"cursor\":{next}"),
                None => return count,
            }
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
        for _ in 0..6 {
            self.pass(Duration::from_secs(30), false);
            self.do_all_that_waits();
        }
        let gauges = self.shard.gauges();
        let left = [gauges.exchanges, gauges.in_flight, gauges.listeners, gauges.sessions, gauges.waiting];
        assert_eq!(left, [0; 5], "{gauges:?}");
        assert_eq!(gauges.links, 0, "processes that nobody uses end");
        assert!(
            self.shard.deadline().is_none(),
            "{:?} at {:?}: {:#?}",
            self.shard.deadline(),
            self.now,
            self.shard
        );
    }

    /// Of runs that nobody can ask for any more nothing is stored. What the store did not take, the next life of the hub says
    /// once more.
    fn runs_are_forgotten(&mut self) {
        self.restart(self.now.after(Duration::from_hours(1)));
        for _ in 0..4 {
            self.pass(Duration::from_secs(30), false);
            self.do_all_that_waits();
        }
        assert!(!self.disk.has_runs(), "runs that nobody can ask for any more are stored");
    }
}
