//! The same goal, wanted by several before it is planned: the provider is asked once, and each who wants it runs the plan by
//! itself. If there is no plan, all are told why. If the one who had it asked wants it no more, the question is another's.

use alloc::vec::Vec;

use super::{By, Goals, Planning, Stage, Wish};
use crate::planner::Name;
use crate::shard::wait::Patience;
use crate::shard::{Cx, Shard, Token};
use crate::{Fault, Timestamp};

/// Who waits for another's plan waits as long as that takes.
const WHENEVER: Timestamp = Timestamp(u64::MAX);

impl Planning {
    fn is_of(&self, name: &Name, by: By) -> bool {
        self.by == by && self.wish.name.as_ref() == Some(name)
    }

    /// Whether it has waited for too long, or waits for one of these plans, which have.
    pub(super) fn is_late(&self, now: Timestamp, names: &[Name]) -> bool {
        self.until <= now || names.iter().any(|name| self.is_of(name, By::Nobody))
    }
}

impl Goals {
    /// Whether a provider makes the plan of this name.
    pub(super) fn is_asked_for(&self, name: &Name) -> bool {
        self.open.values().any(|planning| planning.is_of(name, By::Provider))
    }

    /// The plans whose time is over.
    pub(super) fn late(&self, now: Timestamp) -> Vec<Name> {
        let late = self.open.values().filter(|planning| planning.by == By::Provider && planning.until <= now);
        late.filter_map(|planning| planning.wish.name).collect()
    }

    /// Those who wait for a plan; they wait no more.
    fn take_waiting(&mut self, name: Option<Name>) -> Vec<Wish> {
        let Some(name) = name else { return Vec::new() };
        let waiting = self.open.extract_if(.., |_, planning| planning.is_of(&name, By::Nobody));
        waiting.map(|(_, planning)| planning.wish).collect()
    }

    /// Whether everybody who waits for a plan waits for one that is being made.
    pub(super) fn all_are_asked_for(&self) -> bool {
        let waiting = self.open.values().filter(|planning| planning.by == By::Nobody);
        waiting.filter_map(|planning| planning.wish.name).all(|name| self.is_asked_for(&name))
    }
}

impl Shard {
    /// The provider was asked for the same already: its plan will be this one's, too.
    pub(super) fn wait_for_plan(&mut self, cx: &mut Cx<'_>, wish: Wish) {
        if let Err(exceeded) = self.admit_goal(cx, &wish) {
            return self.fail(cx, &wish.caller, &exceeded.into());
        }
        let token = self.mint_token();
        self.open_goal(token, wish, Planning::of(Stage::First, By::Nobody, WHENEVER));
    }

    /// Something was written for the plan of this name. Unless it is being mended, whoever has waited for it goes on.
    pub(super) fn go_on_with_plan(&mut self, cx: &mut Cx<'_>, name: Option<Name>) {
        if name.is_some_and(|name| self.goals.is_asked_for(&name)) {
            return;
        }
        for Wish { caller, body, .. } in self.goals.take_waiting(name) {
            if caller.ends {
                self.exchanges.remove(&caller.exchange);
            }
            self.dispatch(cx, caller, body, Patience::Waits);
        }
    }

    /// A goal has come to nothing, and so has every other that waits for the same plan.
    pub(super) fn end_goal(&mut self, cx: &mut Cx<'_>, wish: &Wish, result: &[u8]) {
        self.answer_without_run(cx, &wish.caller, result);
        for other in self.goals.take_waiting(wish.name) {
            self.answer_without_run(cx, &other.caller, result);
        }
    }

    /// The same, with an error.
    pub(super) fn refuse_goal(&mut self, cx: &mut Cx<'_>, wish: &Wish, fault: &Fault) {
        self.fail(cx, &wish.caller, fault);
        for other in self.goals.take_waiting(wish.name) {
            self.fail(cx, &other.caller, fault);
        }
    }

    /// Gives the question of a goal that nobody wants any more to another who waits for the same plan, if there is one.
    pub(super) fn bequeath(&mut self, token: Token, left: Planning) -> bool {
        let Planning { wish, stage, until, by } = left;
        let Some(name) = wish.name else { return false };
        let mut waiting = self.goals.open.extract_if(.., |_, planning| planning.is_of(&name, By::Nobody));
        let Some((_, heir)) = waiting.next() else { return false };
        drop(waiting);
        let heir = Wish { spent: wish.spent, draft: wish.draft, ..heir.wish };
        self.open_goal(token, heir, |wish| Planning { wish, stage, until, by });
        true
    }
}
