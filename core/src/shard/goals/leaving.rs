//! Goals that come to no plan: nobody wants them any more, or nobody has answered in time.

use alloc::vec::Vec;

use super::{By, Planning, Wish};
use crate::shard::cancel::EndsWait;
use crate::shard::legacy::stopping;
use crate::shard::reverse::Origin;
use crate::shard::{Cx, Effect, Shard, Token};
use crate::upstream::Caller;
use crate::{Denied, ExchangeId, KeyId};

impl Shard {
    /// Forgets a goal, and whoever was asked because of it is told so, unless somebody else wants the same.
    pub(in crate::shard) fn leave_goal(&mut self, cx: &mut Cx<'_>, token: Token) {
        let Some(planning) = self.goals.open.remove(&token) else { return };
        match planning.by {
            By::Client => {
                self.take_back(cx, |asked| matches!(asked.origin, Origin::Goal(own) if own == token));
            }
            By::Nobody => {}
            By::Provider => {
                if !self.bequeath(token, planning) {
                    cx.effect(Effect::LeavePlanner { token });
                }
            }
        }
    }

    /// Takes some goals. Who only waits for another's plan goes first, and does not inherit the question.
    fn take_goals(&mut self, cx: &mut Cx<'_>, which: impl Fn(&Planning) -> bool) -> Vec<Wish> {
        let meant = self.goals.open.iter().filter(|(_, planning)| which(planning));
        let mut meant: Vec<(By, Token, Wish)> =
            meant.map(|(token, planning)| (planning.by, *token, planning.wish.clone())).collect();
        meant.sort_by_key(|(by, ..)| *by != By::Nobody);
        let leave = |(_, token, wish)| {
            self.leave_goal(cx, token);
            wish
        };
        meant.into_iter().map(leave).collect()
    }

    /// Goals whose callers are to wait no more; `end` is what becomes of them.
    pub(in crate::shard) fn cancel_goals(
        &mut self,
        cx: &mut Cx<'_>,
        which: impl Fn(&Caller) -> bool,
        end: EndsWait,
    ) {
        for Wish { caller, .. } in self.take_goals(cx, |planning| which(&planning.wish.caller)) {
            end(self, cx, &caller);
        }
    }

    /// Nobody reads any more what is said on an exchange.
    pub(in crate::shard) fn drop_goals_on(&mut self, cx: &mut Cx<'_>, exchange: ExchangeId) {
        self.take_goals(cx, |planning| planning.wish.caller.exchange == exchange);
    }

    /// A key was revoked.
    pub(in crate::shard) fn refuse_goals_of(&mut self, cx: &mut Cx<'_>, key: &KeyId) {
        let of_key = |planning: &Planning| planning.wish.caller.key.as_ref() == Some(key);
        for Wish { caller, .. } in self.take_goals(cx, of_key) {
            self.fail(cx, &caller, &Denied::Unauthenticated.into());
        }
    }

    /// The hub stops: no plan is made any more.
    pub(in crate::shard) fn give_up_goals(&mut self, cx: &mut Cx<'_>) {
        for Wish { caller, .. } in self.take_goals(cx, |_| true) {
            self.fail(cx, &caller, &stopping());
        }
    }

    /// Goals that have waited for too long.
    pub(in crate::shard) fn expire_goals(&mut self, cx: &mut Cx<'_>) {
        let (now, late) = (cx.now, self.goals.late(cx.now));
        for wish in self.take_goals(cx, |planning| planning.is_late(now, &late)) {
            let words = "there was no answer in time, of the planner (`timeout` of \"planner\") or of whoever was asked (limit parked); \
                         nothing was done";
            self.answer_without_run(cx, &wish.caller, &wish.unplanned(words));
        }
    }
}
