//! The end of a run: everything comes to its end, nobody is left waiting, and the hub serves as if it were new.

use std::collections::BTreeMap;
use std::time::Duration;

use orch_core::LinkId;
use orch_core::ports::upstream::CloseReason;
use orch_core::rpc;
use orch_core::shard::{Effect, Input};

use super::judge::{Link, nonce};
use super::messages::{reply, request};
use super::stage::STAGE;
use super::world::World;

/// More than any run needs to come to rest.
const LAST_STEPS: usize = 400;

/// More than a server needs to be started, asked for its lists, and called: one message each.
const STEPS_OF_A_CALL: usize = 40;

/// Longer than the longest pause before a server is started again.
const PAUSE: Duration = Duration::from_mins(2);

impl World {
    /// Lets everything come to its end, then nobody may be left waiting.
    pub(super) fn come_to_rest(&mut self) {
        for _ in 0..LAST_STEPS {
            self.store(true);
            self.publish();
            self.lose_links();
            if !self.judge.is_waiting() {
                break;
            }
            self.wait(self.until_deadline());
        }
        self.judge.rest();
    }

    /// With the project as it was at first, a call is answered by its server: no bound is used up, nothing is stuck.
    pub(super) fn serve_again(&mut self) {
        if self.stopped {
            return;
        }
        (self.servers, self.definitions) = (STAGE.servers.clone(), STAGE.definitions.clone());
        self.replace();
        // Each server that is lost lets another start that has waited for its turn.
        STAGE.servers.iter().for_each(|_| self.lose_links());
        self.wait(PAUSE);
        let said = request(1, 0, true, &nonce(self.next_exchange()).1).expect("a call of the tool echo");
        let exchange = self.post_modern(&said, 1);
        let mut heard = BTreeMap::new();
        for _ in 0..STEPS_OF_A_CALL {
            for link in self.open_links() {
                self.go_on(link, heard.entry(link).or_default());
            }
        }
        let (_, nonce) = nonce(exchange.0);
        let answered = |effect: &Effect| {
            let Effect::Answer { exchange: to, body: Some(body), .. } = effect else { return false };
            let text = String::from_utf8_lossy(body);
            *to == exchange && text.contains("\"result\"") && text.contains(&nonce)
        };
        assert!(self.effects.iter().any(answered), "a call after the run: {:#?}", self.effects.last());
    }

    fn lose_links(&mut self) {
        for link in self.open_links() {
            self.close_link(link, CloseReason::Exited(1));
        }
    }

    fn open_links(&self) -> Vec<LinkId> {
        let open = |(id, link): (&LinkId, &Link)| (!link.closed).then_some(*id);
        self.judge.links.iter().filter_map(open).collect()
    }

    /// A server starts, or answers the next request that it has got.
    fn go_on(&mut self, id: LinkId, heard: &mut usize) {
        let Some(link) = self.judge.links.get_mut(&id) else { return };
        if !link.opened {
            link.opened = true;
            return self.feed(Input::LinkOpened { link: id, pid: Some(1) });
        }
        let Some(sent) = link.sent.get(*heard) else { return };
        *heard += 1;
        let text = reply(usize::MAX, sent.id, &sent.method, &format!("~{}~", sent.nonce));
        let frames = rpc::heard(text.into(), self.snapshot.limits()).collect();
        self.feed(Input::FramesReceived { link: id, within: None, frames });
    }
}
