//! Whom a server's request is for. Over Streamable HTTP it may come on the stream of the call that caused it. Elsewhere it names
//! no parent (2025-11-25, transports): it is of the task that it names, of the only call in flight, or of the only session that the
//! process serves; otherwise nobody can say whose it is.

use super::planning::NOWHERE;
use super::task_talk::Place;
use super::{Cx, Shard};
use crate::mcp::{Asking, Row};
use crate::rpc::Envelope;
use crate::upstream::{Caller, Owner};
use crate::{CallId, ExchangeId, LinkId, RunId, SessionId};

/// Whom a server's request is for, and where it goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meant {
    /// The client of a call; without a session where the era has none.
    Call(CallId, Option<SessionId>, ExchangeId),
    /// Nobody that could be named, or that can answer.
    Nobody,
    /// A session, outside of a call.
    Session(SessionId, ExchangeId),
    /// Whoever waits for the run of a call, in the stateless era.
    Step(CallId, RunId),
    /// The client of a call of the stateless era, who did not say that it can do this.
    Unable(CallId, Asking),
    /// One of several calls, with a client among them that can answer.
    Unclear,
}

impl Meant {
    /// Whether the request reaches somebody.
    pub(super) fn is_somebody(self) -> bool {
        match self {
            Self::Call(..) | Self::Session(..) | Self::Step(..) => true,
            Self::Nobody | Self::Unable(..) | Self::Unclear => false,
        }
    }
}

impl Shard {
    /// Whom a request is for, if they said that they can answer.
    pub(super) fn meant(
        &self,
        cx: &Cx<'_>,
        link: LinkId,
        within: Option<CallId>,
        (method, frame): (&str, &Envelope),
    ) -> Meant {
        if let Some(places) = self.places_by_task(cx, link, within, frame) {
            return self.meant_by_task(&places, method, frame);
        }
        // The stateless era has no requests of servers.
        let upstream = self.upstream_at(link).filter(|upstream| !upstream.revision.is_modern());
        let Some(upstream) = upstream else { return Meant::Nobody };
        if let Some((call, caller)) = upstream.calls.spoken_of(within) {
            let (session, exchange) = (caller.session, caller.exchange);
            let Some(asking) = Asking::of(method, frame, caller.revision) else {
                // What no revision has is something between the two, and its client's to refuse.
                let own = session.is_some() && !Asking::is_named(method) && !Row::is_known(method);
                return if own { Meant::Call(call, session, exchange) } else { Meant::Nobody };
            };
            let (able, modern) = (caller.abilities.can(asking), caller.revision.is_modern());
            let run = caller.step.map(|(run, _)| run).filter(|_| session.is_none());
            return match (able, modern && asking != Asking::Roots) {
                (true, _) if let Some(run) = run => Meant::Step(call, run),
                (true, _) => Meant::Call(call, session, exchange),
                (false, true) => Meant::Unable(call, asking),
                (false, false) => Meant::Nobody,
            };
        }
        let unclear = || self.is_unclear(link, within, method, frame);
        self.meant_session(link, within, method, frame)
            .unwrap_or_else(|| if unclear() { Meant::Unclear } else { Meant::Nobody })
    }

    /// Whom a request is for that is because of a task: who can answer of those whom that concerns.
    fn meant_by_task(&self, places: &[Place], method: &str, frame: &Envelope) -> Meant {
        let can = |session: SessionId| {
            let session = self.sessions.get(session)?;
            Some(session.abilities.can(Asking::of(method, frame, session.revision?)?))
        };
        let able = places.iter().find(|(session, _)| can(*session) == Some(true));
        able.map_or(Meant::Nobody, |(session, exchange)| Meant::Session(*session, *exchange))
    }

    /// Whether a request is of one of several calls, and the client of one of them can answer it.
    fn is_unclear(&self, link: LinkId, within: Option<CallId>, method: &str, frame: &Envelope) -> bool {
        let upstream = self.upstream_at(link).filter(|_| within.is_none());
        let Some(upstream) = upstream.filter(|upstream| upstream.calls.are_several()) else { return false };
        let can = |caller: &Caller| {
            Asking::of(method, frame, caller.revision).is_some_and(|asking| caller.abilities.can(asking))
        };
        upstream.calls.clients().any(|(_, caller)| can(caller)) || self.parked_can(link, method, frame)
    }

    /// The only session that a request outside of calls, or of one of several, can be for; for roots the one that has said last
    /// that they have changed.
    fn meant_session(
        &self,
        link: LinkId,
        within: Option<CallId>,
        method: &str,
        frame: &Envelope,
    ) -> Option<Meant> {
        let upstream = self.upstream_at(link).filter(|_| within.is_none())?;
        // A call of a run that goes on by itself has nobody to ask.
        let calls = upstream.calls.clients().map(|(_, caller)| caller.exchange);
        let mut calls = calls.filter(|exchange| *exchange != NOWHERE);
        let own = matches!(upstream.owner, Owner::Session(_));
        // What it asks may also be of a call whose client has gone: then it is nobody else's to answer.
        if !own && !upstream.calls.is_free() {
            return None;
        }
        let told = || self.served(upstream).find(|session| upstream.roots_of == Some(session.id));
        let only = self.only_served(upstream);
        let session = only.or_else(told)?;
        let asking = Asking::of(method, frame, session.revision?)?;
        if only.is_none() && asking != Asking::Roots {
            return None;
        }
        let exchange = session.stream().or_else(|| calls.next())?;
        session.abilities.can(asking).then_some(Meant::Session(session.id, exchange))
    }
}
