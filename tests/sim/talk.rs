//! What servers say and do, in their turn and out of it.

use orch_core::ports::upstream::CloseReason;
use orch_core::rpc::{Envelope, Sender, heard};
use orch_core::shard::Input;
use orch_core::{CallId, LinkId};

use crate::books::nonce;
use crate::hub::Hub;
use crate::link::{Link, Request, Said, Stage};
use crate::project::{USUAL, is_remote};
use crate::servers::{RESOURCES, is_modern};
use crate::tally::Fault;

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    AnswerTwice,
    /// Something that it has said before is heard.
    Arrive,
    Change,
    Close,
    Crash,
    Demand,
    Expire,
    Garbage,
    Hush,
    Invent,
    Log,
    /// It writes to its error output.
    Mutter,
    Open,
    Progress,
    Query,
    Refuse,
    Update,
}

impl Hub {
    pub(crate) fn on_link(&mut self, act: Act) {
        let count = self.links.all.values().filter(|it| fits(act, it)).count();
        if count == 0 {
            return;
        }
        let which = self.dice.below(count);
        let mut links = self.links.all.iter().filter(|(_, it)| fits(act, it));
        let link = *links.nth(which).expect("it was counted").0;
        match act {
            Act::Answer | Act::AnswerTwice | Act::Refuse => self.answer(link, act),
            Act::Arrive => self.arrive(link),
            Act::Change => self.change(link),
            Act::Close => self.end_link(link, CloseReason::Stopped),
            Act::Crash => {
                self.tally.add(Fault::Exit);
                self.end_link(link, CloseReason::Exited(1));
            }
            Act::Demand => self.demand(link),
            Act::Expire => self.expire(link),
            Act::Hush => self.hush(link),
            Act::Garbage => {
                let words = *self.dice.pick(&["oops", "{", "[]", "{\"jsonrpc\":\"2.0\"}"]).expect("some");
                self.say(link, words);
            }
            Act::Invent => {
                let id = self.dice.below(200) as u64;
                let it = self.links.all.get_mut(&link).expect("a link");
                it.excused = true;
                // It may be the number of a request that waits, which is answered by that.
                let meant = it.requests.iter_mut().find(|request| request.id == id);
                let nonce = meant.and_then(|request| {
                    request.done = true;
                    request.nonce
                });
                let result =
                    nonce.map_or_else(String::new, |nonce| format!(r#""content":[],"nonce":"{nonce}""#));
                self.say(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{{result}}}}}"#));
            }
            Act::Log => self.log(link),
            Act::Mutter => self.feed(Input::LinkLogged { link, line: "oh".into() }),
            Act::Open => self.open_link(link),
            Act::Update => {
                let uri = self.dice.pick(&RESOURCES).expect("some");
                let words = format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}","is":"{uri}"}}}}"#
                );
                self.say(link, &words);
            }
            Act::Progress => self.progress(link),
            Act::Query => self.query(link),
        }
    }

    /// A server says what it does, of a request where it can.
    fn log(&mut self, link: LinkId) {
        let mark = self.number();
        let within = self.request_at(link);
        self.links.ask(link, mark, within, (&self.books, &self.runs));
        let words = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"error","data":{{"nonce":"{mark}"}}}}}}"#
        );
        self.send(link, Said { within, words });
    }

    /// A request on whose stream a remote server may speak.
    fn request_at(&mut self, link: LinkId) -> Option<u64> {
        let it = &self.links.all[&link];
        let remote = is_remote(it.server) && self.dice.chance(70);
        self.dice.pick(&it.requests).map(|request| request.id).filter(|_| remote)
    }

    /// A server asks a question. A remote one may do so on the stream of a request.
    fn query(&mut self, link: LinkId) {
        let mark = self.number();
        let it = self.links.all.get_mut(&link).expect("a link");
        it.questions.insert(mark);
        let within = self.request_at(link);
        self.links.ask(link, mark, within, (&self.books, &self.runs));
        let words =
            format!(r#"{{"jsonrpc":"2.0","id":{mark},"method":"roots/list","params":{{"nonce":"{mark}"}}}}"#);
        self.send(link, Said { within, words });
    }

    /// A server that runs has other tools, and says so; what a server on its way out says changes nothing.
    fn change(&mut self, link: LinkId) {
        let it = self.links.all.get_mut(&link).expect("a link");
        if it.greeted && it.unwanted_since.is_none() && it.stage == Stage::Open {
            (it.tools, it.excused) = (1 + self.dice.below(7), false);
        }
        self.tell_change(link);
    }

    /// A server says that it has other tools. Of what a remote one with a session says, its link may know alone that it is lost.
    pub(crate) fn tell_change(&mut self, link: LinkId) {
        let it = &self.links.all[&link];
        let lossy = is_remote(it.server) && !is_modern(it.server) && it.greeted && it.stage == Stage::Open;
        if lossy && self.dice.chance(30) {
            self.tally.add(Fault::Missed);
            return self.feed(Input::LinkMissed { link });
        }
        self.say(link, CHANGED);
    }

    pub(crate) fn open_link(&mut self, link: LinkId) {
        self.links.all.get_mut(&link).expect("a link").stage = Stage::Open;
        self.feed(Input::LinkOpened { link, pid: None });
    }

    pub(crate) fn end_link(&mut self, link: LinkId, reason: CloseReason) {
        self.links.all.remove(&link);
        self.feed(Input::LinkClosed { link, reason });
    }

    /// A remote server forgets its session, and says so to one of its requests, which it did not begin, or to none. The
    /// others it may still answer.
    fn expire(&mut self, link: LinkId) {
        let it = &self.links.all[&link];
        if !is_remote(it.server) || is_modern(it.server) || !it.greeted {
            return;
        }
        let refused = self.dice.pick(&it.requests).cloned();
        self.links.all.get_mut(&link).expect("a link").expired = true;
        self.links.take_back(refused.as_slice(), &mut self.runs);
        let refusal = refused.map(|request| {
            let it = self.links.all.get_mut(&link).expect("a link");
            it.requests.retain(|other| other.id != request.id);
            it.excused = true;
            let words = refusal(&request);
            Envelope::parse(words.into(), Sender::Upstream, self.limits()).expect("a message")
        });
        self.feed(Input::LinkExpired { link, refusal });
    }

    fn answer(&mut self, link: LinkId, act: Act) {
        let it = self.links.all.get_mut(&link).expect("a link");
        if it.requests.is_empty() {
            return;
        }
        // The handshake comes first: a server says nothing before.
        let at = if it.greeted { self.dice.below(it.requests.len()) } else { 0 };
        let request = if act == Act::AnswerTwice {
            it.requests[at].done = true;
            it.requests[at].clone()
        } else {
            it.requests.remove(at)
        };
        if act == Act::Refuse {
            self.links.all.get_mut(&link).expect("a link").excused = true;
            return self.say(link, &refusal(&request));
        }
        self.answer_well(link, &request);
    }

    pub(crate) fn answer_well(&mut self, link: LinkId, request: &Request) {
        let it = self.links.all.get_mut(&link).expect("a link");
        let greeting = if is_modern(it.server) { "server/discover" } else { "initialize" };
        it.greeted |= request.method == greeting;
        let words = self.links.answer(link, request);
        self.say(link, &words);
    }

    /// A server of the stateless era asks a question instead of answering.
    fn demand(&mut self, link: LinkId) {
        let it = self.links.all.get_mut(&link).expect("a link");
        let at = it.requests.iter().position(|request| request.able);
        let Some(at) = at.filter(|_| is_modern(it.server)) else { return };
        let request = it.requests.remove(at);
        let mark = self.number();
        request.nonce.into_iter().for_each(|nonce| self.runs.take_back(nonce));
        let words = self.links.demand(link, &request, mark, (&self.books, &self.runs));
        self.say(link, &words);
    }

    /// A server ends its stream of news.
    fn hush(&mut self, link: LinkId) {
        let it = self.links.all.get_mut(&link).expect("a link");
        if let Some(id) = it.listens.pop_first() {
            self.say(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete"}}}}"#));
        }
    }

    fn progress(&mut self, link: LinkId) {
        let wanted = self.links.all[&link].requests.iter().filter(|request| request.token);
        let wanted: Vec<(u64, Option<u64>)> = wanted.map(|request| (request.id, request.nonce)).collect();
        let (id, nonce) = self.dice.pick(&wanted).copied().unwrap_or((7, None));
        let words = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1{}}}}}"#,
            nonce.map(|nonce| format!(r#","nonce":"{nonce}""#)).unwrap_or_default()
        );
        self.say(link, &words);
    }

    pub(crate) fn say(&mut self, link: LinkId, words: &str) {
        self.send(link, Said { within: None, words: words.to_owned() });
    }

    /// What a server says is heard at once, or lies on the wire for a while.
    fn send(&mut self, link: LinkId, said: Said) {
        let it = &self.links.all[&link];
        let late = self.faults.delays && is_remote(it.server) && self.dice.chance(50);
        if !late {
            return self.hear(link, said);
        }
        self.tally.add(Fault::Delay);
        if said.within.is_none() {
            self.links.doubt(&said.words);
        }
        self.links.all.get_mut(&link).expect("a link").wire.push(said);
    }

    /// Something that lies on the wire arrives, in any order; or is lost, or comes twice.
    fn arrive(&mut self, link: LinkId) {
        let it = self.links.all.get_mut(&link).expect("a link");
        let which = self.dice.below(it.wire.len());
        let said = it.wire.remove(which);
        if which > 0 {
            self.tally.add(Fault::Reorder);
        }
        if self.faults.losses && self.dice.chance(10) {
            it.excused = true;
            return self.tally.add(Fault::Drop);
        }
        // A server does not ask twice with one id.
        if self.faults.duplicates && self.dice.chance(10) && !said.words.contains("roots/list") {
            it.wire.push(said.clone());
            self.tally.add(Fault::Duplicate);
        }
        self.hear(link, said);
    }

    /// All that lies on the wire arrives; whether there was anything.
    pub(crate) fn arrive_all(&mut self, link: LinkId) -> bool {
        let Some(it) = self.links.all.get_mut(&link) else { return false };
        let all = std::mem::take(&mut it.wire);
        let any = !all.is_empty();
        for said in all {
            if self.links.all.contains_key(&link) {
                self.hear(link, said);
            }
        }
        any
    }

    fn hear(&mut self, link: LinkId, said: Said) {
        let good = said.words.contains("\"result\":{\"content\"");
        if let Some(nonce) =
            nonce(said.words.as_bytes()).filter(|_| good || said.words.contains("\"error\":"))
        {
            self.runs.hear(nonce, good);
        }
        let frames = heard(said.words.into(), &USUAL).collect();
        self.feed(Input::FramesReceived { link, within: said.within.map(CallId), frames });
    }
}

/// Whether a process can do this where it is.
fn fits(act: Act, it: &Link) -> bool {
    match it.stage {
        _ if act == Act::Arrive => !it.wire.is_empty(),
        Stage::Closing => act != Act::Open && act != Act::Expire,
        Stage::Open => !matches!(act, Act::Close | Act::Open),
        Stage::Opening => matches!(act, Act::Crash | Act::Mutter | Act::Open),
    }
}

/// The error that a server answers with.
fn refusal(request: &Request) -> String {
    let nonce = request.nonce.map(|nonce| format!(r#","data":{{"nonce":"{nonce}"}}"#)).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"no"{nonce}}}}}"#, request.id)
}
