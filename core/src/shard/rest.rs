//! Processes that nobody uses end, and start again when somebody does; and what operators order.

use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

use super::{Cx, Shard};
use crate::ServerId;
use crate::upstream::{Owner, Seat, State, Upstream};

/// What an operator wants of a server, whatever has happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// It ends, and starts at once.
    Restart,
    /// It starts, also if it has crashed.
    Start,
    /// It ends; the next call starts it.
    Stop,
}

impl Shard {
    /// Ends processes that were not used for long.
    pub(super) fn end_idle(&mut self, cx: &mut Cx<'_>) {
        let idle = self.upstreams.values().filter(|upstream| self.is_idle(cx, upstream));
        let idle: Vec<Seat> = idle.map(Upstream::seat).collect();
        for seat in idle {
            self.rest(cx, &seat, State::Idle, "nobody has used it for long");
        }
    }

    fn is_idle(&self, cx: &Cx<'_>, upstream: &Upstream) -> bool {
        let shared = upstream.owner == Owner::Project;
        let rests = shared && upstream.process.link().is_none();
        let Some(idle) =
            idle_after(cx, upstream).filter(|_| !rests && !upstream.is_busy() && upstream.calls.is_free())
        else {
            return false;
        };
        let seat = upstream.seat();
        // Whoever has subscribed, has begun a task or listens for tasks, is to be told, and nobody else could.
        let watched = || upstream.calls.task_streams().next().is_some() || self.is_watched(&seat);
        let unused = cx.now.since(upstream.used_at) >= idle || self.is_left(upstream);
        unused && !watched() && !self.has_tasks(upstream, cx.now)
    }

    /// Ends a process when its calls have ended. What is known of one that everybody shares stays.
    fn rest(&mut self, cx: &mut Cx<'_>, seat: &Seat, state: State, why: &str) {
        let known = self.upstreams.get(seat).map(|upstream| upstream.process.at_rest(state));
        self.vacate(cx, seat, why);
        if let (Owner::Project, Some(known)) = (&seat.owner, known)
            && let Some(entry) = cx.snapshot.entry(seat.server)
        {
            let upstream = self.shared(cx, entry);
            (upstream.process, upstream.unheard) = (known, true);
        }
    }

    pub(super) fn on_ordered(&mut self, cx: &mut Cx<'_>, server: ServerId, order: Order) {
        let Some(entry) = cx.snapshot.entry(server).filter(|it| it.config.is_some() && it.enabled()) else {
            return;
        };
        if matches!(order, Order::Restart | Order::Stop) {
            let seats: Vec<Seat> = self.upstreams.of(server).map(Upstream::seat).collect();
            for seat in seats {
                self.rest(cx, &seat, State::Stopped, "an operator wants it so");
            }
        }
        if matches!(order, Order::Restart | Order::Start) {
            let now = cx.now;
            self.shared(cx, entry).process.start_anew(now);
        }
    }
}

/// How long a process may be unused; `None` for ever.
fn idle_after(cx: &Cx<'_>, upstream: &Upstream) -> Option<Duration> {
    let config = cx.snapshot.entry(upstream.id).and_then(|entry| entry.config.as_ref());
    match config.and_then(|config| config.spec.idle_s) {
        Some(0) if upstream.owner == Owner::Project => None,
        None | Some(0) => Some(cx.limits().idle),
        Some(seconds) => Some(Duration::from_secs(seconds.into())),
    }
}
