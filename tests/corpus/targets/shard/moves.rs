//! From decisions to inputs: everything that can happen to a shard, in an order that a driver could bring about.

use std::time::Duration;

use orch_core::ports::gateway::{Admission, Head, ProtocolHeaders, Verb};
use orch_core::ports::upstream::CloseReason;
use orch_core::rpc::{Sender, heard};
use orch_core::shard::{Input, Opened, Posted};
use orch_core::{ExchangeId, LinkId};

use super::super::choices::Choices;
use super::judge::{Asked, Exchange, Kind, Sent, Session, nonce};
use super::messages::{Said, parse, remark, reply, request};
use super::owed::Owed;
use super::stage::{STAGE, head};
use super::world::World;

/// So many kinds of request, and of everything else that a client says, there are.
const REQUESTS: usize = 18;
const REMARKS: usize = 4;
const IDS: usize = 4;

impl World {
    /// One move.
    pub(super) fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.byte() {
            0..64 => self.post_legacy(choices),
            64..96 => self.post_modern_kind(choices),
            96..112 => self.open_stream(choices),
            112..120 => self.delete_session(choices),
            120..132 => self.leave(choices),
            132..148 => self.open_link(choices),
            148..196 => self.hear(choices),
            196..204 => self.lose_link(choices),
            204..220 => self.pass_time(choices),
            220..232 => self.store(choices.below(4) > 0),
            232..240 => self.publish(),
            240..246 => self.reconfigure(choices),
            246..249 => self.revoke(choices),
            249..252 => self.feed(Input::SurveyAsked),
            252..254 => self.log(choices),
            254.. => self.stop(),
        }
    }

    fn post_legacy(&mut self, choices: &mut Choices<'_>) {
        let admission = admission(choices.byte());
        let session = self.session(choices);
        let stream = session.as_ref().and_then(|session| session.stream);
        let foreign = session.as_ref().is_some_and(|session| session.admission != admission);
        let said = self.said(choices, false);
        let verb = if stream.is_some() { Verb::PostMessage } else { Verb::Post };
        let version = (choices.below(4) == 1).then(|| "2025-06-18".to_owned());
        let headers = ProtocolHeaders { version, ..ProtocolHeaders::default() };
        self.note_cancelled(&said, stream);
        let id = session.map(|session| session.id);
        let head = head(verb, admission.target().clone(), id, headers);
        let exchange = self.post(&said, Kind::Post { stream }, admission, head);
        let refused = self.judge.exchanges.get(&exchange).is_some_and(|it| it.refused);
        assert!(refused || !foreign, "{exchange} uses the session of another");
    }

    fn post_modern_kind(&mut self, choices: &mut Choices<'_>) {
        let at = choices.byte();
        let said = self.said(choices, true);
        self.post_modern(&said, at);
    }

    /// A message of a client; mostly a request.
    fn said(&self, choices: &mut Choices<'_>, modern: bool) -> Said {
        let (kind, id) = (choices.below(REQUESTS + REMARKS), choices.below(IDS));
        let (_, nonce) = nonce(self.next_exchange());
        let question = self.judge.questions.last().map(String::as_str);
        let remark = || remark(kind.saturating_sub(REQUESTS), id, question);
        request(kind, id, modern, &nonce).unwrap_or_else(remark)
    }

    /// Posts a message of the stateless era at the endpoint, and with the key, that `at` stands for.
    pub(super) fn post_modern(&mut self, said: &Said, at: u8) -> ExchangeId {
        let admission = admission(at);
        let headers = ProtocolHeaders {
            version: Some("2026-07-28".to_owned()),
            method: Some(said.method.to_owned()),
            name: said.name.map(str::to_owned),
            ..ProtocolHeaders::default()
        };
        let listens = said.method == "subscriptions/listen";
        let kind = if listens { Kind::Stream } else { Kind::Post { stream: None } };
        let head = head(Verb::Post, admission.target().clone(), None, headers);
        self.post(said, kind, admission, head)
    }

    fn post(&mut self, said: &Said, kind: Kind, admission: Admission, head: Head) -> ExchangeId {
        let body = parse(&said.text, Sender::Client, self.snapshot.limits());
        let body = body.expect("a message of a run is valid");
        let (id, nonce) = (said.id.map(str::to_owned), nonce(self.next_exchange()).0);
        let asked = id.map(|id| Asked { id, nonce, cancelled: false });
        let exchange = self.begin(kind, &admission, asked);
        self.feed(Input::Posted(Posted { exchange, admission, head, body }));
        exchange
    }

    fn begin(&mut self, kind: Kind, admission: &Admission, asked: Option<Asked>) -> ExchangeId {
        let admission = admission.clone();
        self.open(Exchange {
            kind,
            admission,
            asked,
            owed: Owed::default(),
            ended: false,
            refused: false,
            gone: false,
        })
    }

    /// Notes the requests that a client takes back on an HTTP+SSE stream.
    fn note_cancelled(&mut self, said: &Said, stream: Option<ExchangeId>) {
        let exchange = stream.and_then(|stream| self.judge.exchanges.get_mut(&stream));
        if let Some(exchange) = exchange.filter(|_| said.method == "notifications/cancelled") {
            let id = |asked: &Asked| said.text.contains(&format!("\"requestId\":{}}}", asked.id));
            exchange.owed.cancel(id);
        }
    }

    fn open_stream(&mut self, choices: &mut Choices<'_>) {
        let (verb, session) = match choices.below(3) {
            0 => (Verb::OpenSse, None),
            _ => (Verb::Listen, self.session_id(choices)),
        };
        let opened = self.opened(choices, verb, Kind::Stream, session);
        self.feed(Input::StreamOpened(opened));
    }

    fn delete_session(&mut self, choices: &mut Choices<'_>) {
        let session = self.session_id(choices);
        let opened = self.opened(choices, Verb::Delete, Kind::Post { stream: None }, session);
        self.feed(Input::SessionDeleted(opened));
    }

    fn opened(
        &mut self,
        choices: &mut Choices<'_>,
        verb: Verb,
        kind: Kind,
        session: Option<String>,
    ) -> Opened {
        let admission = admission(choices.byte());
        let exchange = self.begin(kind, &admission, None);
        let head = head(verb, admission.target().clone(), session, ProtocolHeaders::default());
        Opened { exchange, admission, head }
    }

    /// A client goes away.
    fn leave(&mut self, choices: &mut Choices<'_>) {
        let open = self.judge.exchanges.iter_mut().filter(|(_, it)| !it.ended && !it.gone);
        let mut open: Vec<_> = open.collect();
        let index = choices.below(open.len());
        if let Some((id, exchange)) = open.get_mut(index) {
            exchange.gone = true;
            let id = **id;
            self.feed(Input::ExchangeClosed(id));
        }
    }

    fn open_link(&mut self, choices: &mut Choices<'_>) {
        if let Some(id) = self.link(choices, false) {
            self.judge.links.entry(id).and_modify(|link| link.opened = true);
            self.feed(Input::LinkOpened { link: id, pid: Some(1) });
        }
    }

    /// A server says something, mostly the answer to what it was asked last.
    fn hear(&mut self, choices: &mut Choices<'_>) {
        let Some(link) = self.link(choices, true) else { return };
        let sent: Vec<Sent> = self.judge.links.get(&link).map(|link| link.sent.clone()).unwrap_or_default();
        let back = choices.below(4);
        let unknown = Sent { id: 999_999, method: "ping".to_owned(), nonce: String::new() };
        let about = sent.iter().rev().nth(back).unwrap_or(&unknown);
        let nonce = format!("~{}~", about.nonce);
        let nonce = if about.nonce.is_empty() { "" } else { &nonce };
        let text = reply(choices.below(16), about.id, &about.method, nonce);
        let frames = heard(text.into(), self.snapshot.limits()).collect();
        self.feed(Input::FramesReceived { link, within: None, frames });
    }

    fn lose_link(&mut self, choices: &mut Choices<'_>) {
        let opened = choices.below(2) == 0;
        if let Some(id) = self.link(choices, opened) {
            let reasons =
                [CloseReason::Exited(1), CloseReason::NotStarted("gone".to_owned()), CloseReason::Stopped];
            let reason = choices.of(&reasons).cloned().unwrap_or(CloseReason::Stopped);
            self.close_link(id, reason);
        }
    }

    fn log(&mut self, choices: &mut Choices<'_>) {
        if let Some(link) = self.link(choices, true) {
            self.feed(Input::LinkLogged { link, line: "a line".to_owned() });
        }
    }

    fn pass_time(&mut self, choices: &mut Choices<'_>) {
        let span = match choices.below(5) {
            0 => self.until_deadline(),
            1 => Duration::from_millis(20),
            2 => Duration::from_secs(1),
            3 => Duration::from_secs(61),
            _ => Duration::from_mins(31),
        };
        self.wait(span);
    }

    /// A server is removed, added again, disabled, or has another specification.
    fn reconfigure(&mut self, choices: &mut Choices<'_>) {
        let original = choices.of(&STAGE.servers).cloned();
        let Some(mut server) = original else { return };
        self.servers.retain(|known| known.id != server.id);
        let change = choices.below(4);
        server.spec.disabled = change == 1;
        server.spec.timeout_s += u32::from(change == 2);
        if change > 0 {
            self.servers.push(server);
        }
        self.replace();
    }

    /// A key is revoked; the streams that it opened end at once.
    fn revoke(&mut self, choices: &mut Choices<'_>) {
        let key = admission(choices.byte()).key().clone();
        self.feed(Input::KeyRevoked(key.clone()));
        let streams =
            self.judge.exchanges.values().filter(|it| *it.admission.key() == key && it.kind == Kind::Stream);
        let open: Vec<&Exchange> = streams.filter(|it| !it.ended && !it.gone).collect();
        assert!(open.is_empty(), "{key} is revoked and still opens {open:?}");
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.feed(Input::Stopping);
    }

    /// A session that was opened, or none.
    fn session(&self, choices: &mut Choices<'_>) -> Option<Session> {
        let index = choices.below(5);
        self.judge.sessions.iter().rev().nth(index).cloned()
    }

    fn session_id(&self, choices: &mut Choices<'_>) -> Option<String> {
        self.session(choices).map(|session| session.id)
    }

    /// A link that is there, whether it is open or not yet.
    fn link(&self, choices: &mut Choices<'_>, opened: bool) -> Option<LinkId> {
        let there = self.judge.links.iter().filter(|(_, link)| !link.closed && link.opened == opened);
        let there: Vec<LinkId> = there.map(|(id, _)| *id).collect();
        choices.of(&there).copied()
    }
}

/// One of the endpoints, with the first key for most bytes and with the second for some.
fn admission(byte: u8) -> Admission {
    let [first, second] = &STAGE.admissions;
    let key = if byte < 240 { first } else { second };
    key[usize::from(byte) % key.len()].clone()
}
