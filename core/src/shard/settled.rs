//! What is told of runs is durable first: that one has begun, how a step of it has ended, that it was given up. What a client
//! was told is still so when the hub is killed right after that.
//!
//! Changes reach the store in their order, so whatever is said waits for one commit, however many were on their way before it.
//! Calls wait for none of this.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::Bytes;

use super::{Cx, Shard, Token};
use crate::record::RecordId;
use crate::upstream::Caller;
use crate::{ExchangeId, RunId};

/// Runs of which the store does not have all yet, and what is to be said of them.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// The last change of each run that is on its way, by its place in the order of all changes.
    last: BTreeMap<RunId, Token>,
    /// Messages of this input, and those whose changes are on their way.
    said: Vec<News>,
    held: BTreeMap<Token, Vec<News>>,
    /// What changes are of that are on their way.
    sent: BTreeMap<Token, OfRuns>,
    /// The same of changes that the store could not have.
    refused: OfRuns,
}

/// The runs that a change is of, and what it removes of each.
pub(super) type OfRuns = BTreeMap<RunId, Vec<RecordId>>;

/// A message about a run that goes on.
#[derive(Debug)]
struct News {
    run: RunId,
    exchange: ExchangeId,
    /// Raw JSON of the id of the request that it is said to.
    request: Box<str>,
    message: Bytes,
}

impl Unsettled {
    /// Whether messages wait for the changes of this input.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.said.is_empty()
    }

    /// The changes of this input are on their way.
    pub(super) fn send(&mut self, token: Token, of_runs: OfRuns) {
        let said = core::mem::take(&mut self.said);
        // What is said later must not overtake these.
        let talked_of = said.iter().map(|news| news.run);
        self.last.extend(talked_of.chain(of_runs.keys().copied()).map(|run| (run, token)));
        if !said.is_empty() {
            self.held.insert(token, said);
        }
        if !of_runs.is_empty() {
            self.sent.insert(token, of_runs);
        }
    }

    /// Whether the store could not have something.
    pub(super) fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Whoever made a request does not wait for it any more.
    pub(super) fn unsay(&mut self, exchange: ExchangeId, request: &str) {
        let others = |news: &News| news.exchange != exchange || *news.request != *request;
        self.said.retain(others);
        self.held.values_mut().for_each(|held| held.retain(others));
    }

    /// A run is gone.
    pub(super) fn forget(&mut self, run: RunId) {
        self.last.remove(&run);
    }

    /// Everything up to a change is durable.
    fn settle(&mut self, token: Token) {
        self.last.retain(|_, last| *last > token);
    }
}

impl Shard {
    /// Whether the store has all that is known of a run.
    fn is_settled(&self, id: RunId) -> bool {
        let (Some(run), Some(running)) = (self.runs.get(id), self.running.get(&id)) else { return true };
        !self.unsettled.last.contains_key(&id) && !run.has_marks() && running.stored.is_told_of(&run.life())
    }

    /// Says how a run stands.
    pub(super) fn tell_how(&mut self, cx: &mut Cx<'_>, caller: &Caller, id: RunId) {
        let told = self.told(cx, id);
        self.answer_of(cx, caller, &[id], &told);
    }

    /// Answers with what is known of runs. A hub that stops has its changes stored before it ends.
    pub(super) fn answer_of(&mut self, cx: &mut Cx<'_>, caller: &Caller, runs: &[RunId], result: &[u8]) {
        self.wishes.holds = !self.stopping && !runs.iter().all(|id| self.is_settled(*id));
        self.answer_as_hub(cx, caller, result);
        self.wishes.holds = false;
    }

    /// Says something of a run to somebody who waits for it.
    pub(super) fn emit_of(&mut self, cx: &mut Cx<'_>, run: RunId, caller: &Caller, message: Bytes) {
        if self.is_settled(run) {
            self.emit(cx, caller.exchange, message);
        } else {
            let (exchange, request) = (caller.exchange, (*caller.id).into());
            self.unsettled.said.push(News { run, exchange, request, message });
        }
    }

    /// The store has what messages speak of, or cannot have it: then they are true as long as the hub lives, or until the store has
    /// room again.
    pub(super) fn release_news(&mut self, cx: &mut Cx<'_>, token: Token, is_durable: bool) {
        let sent = self.unsettled.sent.remove(&token).unwrap_or_default();
        if is_durable {
            self.unsettled.settle(token);
            self.store_refused(cx);
        } else {
            for (run, removed) in sent {
                self.unsettled.refused.entry(run).or_default().extend(removed);
            }
        }
        for News { exchange, message, .. } in self.unsettled.held.remove(&token).into_iter().flatten() {
            if self.exchanges.contains_key(&exchange) {
                self.emit(cx, exchange, message);
            }
        }
    }

    /// Tries once more to store what the store could not have, one run at a time: all of it in one change, so that nothing is missing
    /// between what is removed and what is put.
    pub(super) fn store_refused(&mut self, cx: &Cx<'_>) {
        let Some((id, removed)) = self.unsettled.refused.pop_first() else { return };
        self.outliving.remove(removed);
        if let Some(running) = self.running.get_mut(&id) {
            running.stored.distrust();
            self.runs.mark_all(id, cx.now);
        }
    }
}
