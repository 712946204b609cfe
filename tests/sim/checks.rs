//! What must hold after every input, whatever has happened; and where the rest is held:
//!
//! - A request has one answer at most, and its own: [`Books::enter`], by id, exchange and nonce.
//! - Nothing comes to anybody whom it is not meant for: questions and log messages in [`Links::check_asked`], progress by
//!   token and nonce and changes of resources by who asked for them in [`Books::enter`], processes in `Link::claim`,
//!   sessions in `Hub::pretend`, projects in `World::stray`.
//! - What was promised is durable: [`Hub::promise`] when a client is told, `Disk::crash` after a crash.
//! - Nothing is missing and nothing comes twice for who comes back: [`Books::follow`].
//! - After a revocation no stream goes on ([`Hub::end_key`]), nobody is told but the answers of calls that were under
//!   way (`Hub::enter`), no request goes to a server ([`Links::send`]), and nobody is let in (`Hub::knock`).
//! - No request is delivered twice: [`Links::send`], also across sessions of servers and lives of the hub.
//! - A call of a plan is made when what it waits for is done, within the widths of its plan, and once if it may be made once:
//!   [`Runs::begin`]. What is told of a run fits to what servers saw, and once it was told to have ended the same is told of it in
//!   every life of the hub; of what was told to be given up nothing begins: [`Runs::check`].
//! - Bytes that wait stay within their bounds: what is kept for clients here, what is in flight in [`Links::send`].
//! - The processes that live are wanted, within the budget of starts, each as often as it may be: here.
//! - After the storm everything comes to rest, every server answers, and nothing is left: [`Hub::settle`].
//!
//! [`Books::enter`]: crate::books::Books::enter
//! [`Books::follow`]: crate::books::Books::follow
//! [`Links::check_asked`]: crate::servers::Links::check_asked
//! [`Links::send`]: crate::servers::Links::send
//! [`Runs::begin`]: crate::runs::Runs::begin
//! [`Runs::check`]: crate::runs::Runs::check

use crate::books::Kind;
use crate::hub::Hub;
use crate::link::Stage;
use crate::project::{KEYS, SERVERS};

impl Hub {
    pub(crate) fn balance(&self) {
        let (gauges, limits) = (self.shard.gauges(), self.limits());
        assert_eq!(gauges.exchanges, self.books.exchanges.len(), "exchanges that only one side knows of");
        assert_eq!(gauges.links, self.links.all.len(), "links that only one side knows of");
        // Requests whose clients may come back are open on one side alone.
        // An answer that its client has left may wait for the store.
        let counted = (gauges.in_flight + gauges.waiting + gauges.runs).saturating_sub(gauges.away);
        let open = self.books.open_requests();
        // A stream of the 2026 era may wait for its server to be seen.
        let listens = self.books.exchanges.values().filter(|it| it.kind == Kind::Listen).count();
        assert!(counted <= open + listens, "{counted} requests are counted, {open} are open");
        let storing = gauges.storing.max(self.disk.len());
        assert!(open <= counted + storing, "{open} requests are open, {counted} are counted");
        // A call of a run may wait for the store, or for its server to be seen.
        let most = limits.project_in_flight + gauges.waiting + limits.project_run_calls;
        assert!(gauges.in_flight + gauges.steps <= most, "too many calls are in flight");
        assert!(gauges.steps <= limits.project_run_calls, "too many calls of runs are in flight");
        assert!(gauges.open_runs <= limits.project_runs, "too many runs go on");
        assert!(gauges.kept_bytes <= limits.replay_project_bytes, "too much is kept for who may come back");
        self.check_processes();
    }

    /// The processes that live are those that are wanted, and no more than may be.
    fn check_processes(&self) {
        let limits = self.limits();
        let (mut each, mut starting) = ([0; SERVERS.len()], 0);
        for link in self.links.all.values().filter(|link| link.stage != Stage::Closing) {
            if let Some(since) = link.unwanted_since {
                let late = self.now.since(since) > limits.drain;
                assert!(!late, "a process of {} is not wanted and lives", SERVERS[link.server]);
                continue;
            }
            each[link.server] += usize::from(!link.expired);
            starting += usize::from(!link.greeted);
        }
        // Those of a revoked key may still be answering its last calls.
        let most = limits.private_processes + 1 + KEYS;
        assert!(each.iter().all(|links| *links <= most), "a server runs too often: {each:?}");
        assert!(starting <= limits.starting, "{starting} servers start at once");
    }

    /// A session that a client uses is forgotten only when the hub has said so to its store.
    pub(crate) fn check_forgotten(&self, at: usize) {
        let session = self.clients[at].session.as_deref().and_then(orch_core::SessionId::parse);
        let Some(session) = session else { return };
        assert!(!self.disk.promises(session), "a session was promised and is not known");
    }
}

#[cfg(test)]
#[test]
fn the_bounds_of_the_simulation_are_smaller_than_the_defaults() {
    let (small, usual) = (crate::project::limits(), orch_core::Limits::default());
    assert!(small.project_in_flight < usual.project_in_flight);
    assert!(small.replay_project_bytes < usual.replay_project_bytes);
}
