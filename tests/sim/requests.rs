//! What clients ask for, and how they write it.

use bytes::Bytes;
use orch_core::ExchangeId;
use orch_core::ports::gateway::{Head, ProtocolHeaders, Target, Verb};
use orch_core::rpc::{Envelope, Field, Message, Sender};
use orch_core::shard::{Input, Posted};

use crate::books::{Kind, Retry};
use crate::clients::{Client, Era};
use crate::hub::Hub;
use crate::project::{SERVERS, USUAL};
use crate::servers::{MY_QUESTION, RESOURCES};

const ROOTS: &str = r#""roots":{}"#;
/// Ids that clients use, few enough to be used twice.
const IDS: [&str; 6] = ["1", "2", "\"1\"", "\"\\u0061\"", "-9007199254740993", "\"é\""];
/// The mark of no question.
const FORGED: u64 = 1;
const TOKENS: [&str; 3] = ["1", "\"t\"", "18446744073709551615"];
const META: &str =
    r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities""#;

impl Client {
    pub(crate) fn head(&self, verb: Verb) -> Head {
        Head {
            verb,
            project: None,
            target: self.admission.target().clone(),
            bearer: None,
            session: self.session.clone(),
            headers: ProtocolHeaders::default(),
            messages_path: "/messages".into(),
        }
    }

    fn post_head(&self, body: &Envelope) -> Head {
        match self.era {
            Era::Http => self.head(Verb::Post),
            Era::Sse => self.head(Verb::PostMessage),
            Era::Modern => {
                let Message::Request { method, .. } = body.message() else { panic!("requests alone") };
                let named = if method == "resources/read" { Field::Uri } else { Field::Name };
                let mut head = self.head(Verb::Post);
                head.headers.version = Some("2026-07-28".into());
                head.headers.method = Some(method.to_owned());
                head.headers.name = body.text(named).map(std::borrow::Cow::into_owned);
                head
            }
        }
    }
}

/// Each of so many calls of tools carries an idempotency key, and so may be executed twice.
const KEYED: u64 = 4;

impl Hub {
    /// A client goes on: it opens what it needs, and then asks for something.
    pub(crate) fn ask(&mut self, at: usize) {
        let hasty = self.dice.chance(3);
        let client = &self.clients[at];
        if client.era == Era::Sse && client.stream.is_none() {
            self.renew_principal(at);
            let stream = self.open(at, Verb::OpenSse);
            self.clients[at].stream = self.books.exchanges.contains_key(&stream).then_some(stream);
        } else if client.era != Era::Modern && !client.ready && !hasty {
            let able = if client.able { ROOTS } else { "" };
            let version = if at.is_multiple_of(2) { "2025-06-18" } else { "2025-11-25" };
            let members = format!(
                r#""protocolVersion":"{version}","capabilities":{{{able}}},"clientInfo":{{"name":"c"}}"#
            );
            if client.era == Era::Http {
                self.renew_principal(at);
            }
            self.request(at, "initialize", &members);
        } else {
            let (era, unified) = (client.era, *client.admission.target() == Target::Unified);
            let (method, members) = self.question(at, era, unified);
            if method == "resources/subscribe" {
                let uri = RESOURCES.into_iter().find(|uri| members.contains(uri));
                self.clients[at].subscribed.extend(uri);
            }
            self.request(at, method, &members);
        }
    }

    fn question(&mut self, at: usize, era: Era, unified: bool) -> (&'static str, String) {
        let n = self.dice.below(SERVERS.len());
        let server = SERVERS[n];
        let between = *self.dice.pick(&["__", "."]).expect("some");
        let tool = self.dice.below(3);
        match self.dice.below(18) {
            0 => ("tools/list", String::new()),
            1 => ("resources/list", String::new()),
            2 if unified => ("resources/read", format!(r#""uri":"t{n}://z""#)),
            2 => ("resources/read", self.resource()),
            3 => (self.own_method(era), r#""level":"error""#.into()),
            4 => ("tools/call", r#""name":"hub__list_servers","arguments":{}"#.into()),
            5 => ("tools/call", format!(r#""name":"nobody's {n}""#)),
            6 if era != Era::Modern => {
                let way = *self.dice.pick(&["resources/subscribe", "resources/unsubscribe"]).expect("some");
                (way, self.resource())
            }
            7 if unified => ("tools/call", self.plan_of(at)),
            8 if unified => ("tools/call", self.about_a_run(at)),
            _ if unified => ("tools/call", format!(r#""name":"{server}{between}t{tool}","arguments":{{}}"#)),
            _ => ("tools/call", format!(r#""name":"t{tool}""#)),
        }
    }

    fn resource(&mut self) -> String {
        format!(r#""uri":"{}""#, self.dice.pick(&RESOURCES).expect("some"))
    }

    fn own_method(&mut self, era: Era) -> &'static str {
        let own = match era {
            Era::Http | Era::Sse => ["ping", "logging/setLevel", "vendor/method"],
            Era::Modern => ["server/discover", "server/discover", "vendor/method"],
        };
        own[self.dice.below(3)]
    }

    /// Sends a request with a nonce, which comes back with its answer.
    pub(crate) fn request(&mut self, at: usize, method: &str, members: &str) -> ExchangeId {
        let nonce = self.number();
        self.request_of(at, (method, members), "", nonce)
    }

    /// `members` are those of `params` that every try has, `more` those of this one.
    fn request_of(
        &mut self,
        at: usize,
        (method, members): (&str, &str),
        more: &str,
        nonce: u64,
    ) -> ExchangeId {
        let id = IDS[self.dice.below(IDS.len())];
        let token = self.dice.chance(40).then(|| TOKENS[self.dice.below(TOKENS.len())].to_owned());
        let mut meta: Vec<String> = token.iter().map(|token| format!(r#""progressToken":{token}"#)).collect();
        let client = &self.clients[at];
        let (era, stream, principal) = (client.era, client.stream, client.principal);
        if era == Era::Modern {
            meta.push(format!("{META}:{{{}}}", if client.able { ROOTS } else { "" }));
        }
        if method == "tools/call" && more.is_empty() && nonce.is_multiple_of(KEYED) {
            meta.push(format!(r#""mcp-orch/idempotency-key":"{nonce}""#));
        }
        let comma = if members.is_empty() { "" } else { "," };
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{members}{comma}{more}"nonce":"{nonce}","_meta":{{{}}}}}}}"#,
            meta.join(",")
        );
        let kind = if method == "subscriptions/listen" { Kind::Listen } else { Kind::Post };
        let exchange = self.begin(at, kind);
        self.books.sign(nonce, principal, text.len());
        let asked = self.books.ask(exchange, stream, id, nonce);
        asked.tokens.extend(token);
        asked.first = (method.to_owned(), members.to_owned());
        asked.initializes = method == "initialize" && era == Era::Http;
        self.post(at, exchange, &text);
        exchange
    }

    fn post(&mut self, at: usize, exchange: ExchangeId, text: &str) {
        let bytes = Bytes::from(text.to_owned());
        let body = Envelope::parse(bytes, Sender::Client, &USUAL).expect("a good message");
        if self.clients[at].session.is_some() {
            self.clients[at].asked_at = self.now;
        }
        let (admission, head) = (self.clients[at].admission.clone(), self.clients[at].post_head(&body));
        self.feed(Input::Posted(Posted { exchange, admission, head, body }));
    }

    /// A client answers what a server has asked.
    pub(crate) fn reply(&mut self, at: usize) {
        if self.clients[at].era == Era::Modern {
            return self.retry(at);
        }
        let client = &mut self.clients[at];
        if client.questions.is_empty() || !client.ready {
            return;
        }
        let which = self.dice.below(client.questions.len());
        if self.dice.chance(10) {
            let id = client.questions[which].0.clone();
            return self.forge(at, &id);
        }
        let (id, mark) = client.questions.remove(which);
        let exchange = self.begin(at, Kind::Post);
        let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[],"nonce":"{mark}"}}}}"#);
        self.post(at, exchange, &text);
    }

    /// Somebody answers what another client was asked: the server must not hear of it.
    fn forge(&mut self, asked: usize, id: &str) {
        let at = self.dice.below(self.clients.len());
        let client = &self.clients[at];
        if at == asked || client.era == Era::Modern || !client.ready || client.barred {
            return;
        }
        if client.questions.iter().all(|(own, _)| own != id) {
            let exchange = self.begin(at, Kind::Post);
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"roots":[],"nonce":"{FORGED}"}}}}"#);
            self.post(at, exchange, &text);
        }
    }

    /// A client asks once more, with an answer to what its server wanted to know; sometimes it does so twice. A server of the
    /// stateless era would do it twice.
    fn retry(&mut self, at: usize) {
        let which = self.clients[at].parked.len();
        if which == 0 {
            return;
        }
        let (which, again) = (self.dice.below(which), self.dice.chance(20));
        let retry = self.clients[at].parked[which].clone();
        if !again || retry.question == MY_QUESTION {
            self.clients[at].parked.remove(which);
        }
        let Retry { state, question, mark, first: (method, members), nonce } = retry;
        let more = format!(
            r#""inputResponses":{{"{question}":{{"roots":[],"nonce":"{mark}"}}}},"requestState":"{state}","#
        );
        self.request_of(at, (&method, &members), &more, nonce);
    }

    pub(crate) fn cancel(&mut self, at: usize) {
        let client = &self.clients[at];
        if client.era == Era::Modern || !client.ready {
            return;
        }
        let id = IDS[self.dice.below(IDS.len())];
        self.books.withdraw(at, id);
        self.withdraw_lost(at, id);
        let exchange = self.begin(at, Kind::Post);
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        self.post(at, exchange, &text);
    }
}
