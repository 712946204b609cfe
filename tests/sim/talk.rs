//! What servers say and do, in their turn and out of it.

use orch_core::ports::upstream::CloseReason;
use orch_core::rpc::{Envelope, Sender};
use orch_core::shard::Input;
use orch_core::{Limits, LinkId};

use crate::hub::Hub;
use crate::project::is_remote;
use crate::servers::{Request, Stage, is_modern};

pub(crate) const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    AnswerTwice,
    Change,
    Close,
    Crash,
    Demand,
    Expire,
    Garbage,
    Hush,
    Invent,
    Log,
    Open,
    Progress,
    Query,
    Refuse,
    Update,
}

impl Hub {
    pub(crate) fn on_link(&mut self, act: Act) {
        let fits = |stage| match stage {
            Stage::Closing => act != Act::Open && act != Act::Expire,
            Stage::Open => !matches!(act, Act::Close | Act::Open),
            Stage::Opening => matches!(act, Act::Crash | Act::Open),
        };
        let links = self.links.all.iter().filter(|(_, it)| fits(it.stage)).map(|(link, _)| *link);
        let links: Vec<LinkId> = links.collect();
        let Some(link) = self.dice.pick(&links).copied() else { return };
        match act {
            Act::Answer | Act::AnswerTwice | Act::Refuse => self.answer(link, act),
            Act::Change => self.change(link),
            Act::Close => self.end_link(link, CloseReason::Stopped),
            Act::Crash => self.end_link(link, CloseReason::Exited(1)),
            Act::Demand => self.demand(link),
            Act::Expire => self.expire(link),
            Act::Hush => self.hush(link),
            Act::Garbage => {
                let words = *self.dice.pick(&["oops", "{", "[]", "{\"jsonrpc\":\"2.0\"}"]).expect("some");
                self.say(link, words);
            }
            Act::Invent => {
                let id = self.dice.below(200);
                self.links.all.get_mut(&link).expect("a link").excused = true;
                self.say(link, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
            }
            Act::Log => self.say(
                link,
                r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":1}}"#,
            ),
            Act::Open => self.open_link(link),
            Act::Update => self.say(
                link,
                r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///same"}}"#,
            ),
            Act::Progress => self.progress(link),
            Act::Query => {
                let mark = self.number();
                self.links.all.get_mut(&link).expect("a link").questions.insert(mark);
                self.say(
                    link,
                    &format!(r#"{{"jsonrpc":"2.0","id":{mark},"method":"roots/list","params":{{"nonce":"{mark}"}}}}"#),
                );
            }
        }
    }

    /// A server that runs has other tools, and says so; what a server on its way out says changes nothing.
    fn change(&mut self, link: LinkId) {
        let it = self.links.all.get_mut(&link).expect("a link");
        if it.greeted && !it.retired && it.stage == Stage::Open {
            (it.tools, it.excused) = (1 + self.dice.below(7), false);
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

    /// A remote server forgets its session, and says of some of its requests that it did not begin them.
    fn expire(&mut self, link: LinkId) {
        let it = &self.links.all[&link];
        if !is_remote(it.server) || is_modern(it.server) || !it.greeted {
            return;
        }
        let requests = it.requests.clone();
        let refused: Vec<Request> = requests.into_iter().filter(|_| self.dice.chance(50)).collect();
        self.links.take_back(&refused);
        let refused = refused.iter().map(|request| request.id.to_string()).collect();
        self.end_link(link, CloseReason::Expired { refused });
    }

    fn answer(&mut self, link: LinkId, act: Act) {
        let it = self.links.all.get_mut(&link).expect("a link");
        if it.requests.is_empty() {
            return;
        }
        // The handshake comes first: a server says nothing before.
        let at = if it.greeted { self.dice.below(it.requests.len()) } else { 0 };
        let request = if act == Act::AnswerTwice { it.requests[at].clone() } else { it.requests.remove(at) };
        if act == Act::Refuse {
            self.links.all.get_mut(&link).expect("a link").excused = true;
            let words = format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32603,"message":"no"}}}}"#,
                request.id
            );
            return self.say(link, &words);
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
        let words = self.links.demand(link, &request, mark);
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
        let wanted: Vec<u64> = wanted.map(|request| request.id).collect();
        let id = self.dice.pick(&wanted).copied().unwrap_or(7);
        let words = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":1}}}}"#
        );
        self.say(link, &words);
    }

    pub(crate) fn say(&mut self, link: LinkId, words: &str) {
        let frame = Envelope::parse(words.to_owned().into(), Sender::Upstream, &Limits::default());
        let frames = Vec::from([frame]);
        self.feed(Input::FramesReceived { link, within: None, frames });
    }
}
