//! The life of one server's process (or connection): when it is started, when it is not, and why.

use alloc::string::String;
use core::time::Duration;

use crate::{Entropy, Limits, LinkId, Timestamp, UpstreamFault};

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It failed and may be started again from then on.
    BackingOff {
        until: Timestamp,
    },
    /// It was told to end.
    Closing {
        link: LinkId,
    },
    /// It runs and has not yet agreed on a revision.
    Handshaking {
        link: LinkId,
        deadline: Timestamp,
        /// Until when it may take to say whether it speaks the stateless era, while only that was asked.
        probe: Option<Timestamp>,
    },
    /// It is being started.
    Opening {
        link: LinkId,
        deadline: Timestamp,
    },
    /// It is wanted, and waits for its turn: only so many start at the same time.
    Queued,
    /// It takes requests.
    Running {
        link: LinkId,
        since: Timestamp,
    },
    Stopped,
}

/// Why a server failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// For people.
    pub cause: String,
    /// Whether it will fail again until its configuration is another one.
    pub lasts: bool,
}

impl Failure {
    /// A failure that only another configuration mends.
    pub(crate) fn lasting(cause: String) -> Self {
        Self { cause, lasts: true }
    }

    /// A failure that may be none the next time.
    pub(crate) fn passing(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), lasts: false }
    }

    /// The fault of a request that was not sent because of it.
    pub(crate) fn fault(&self, server: &str) -> UpstreamFault {
        let (server, cause) = (server.into(), self.cause.clone());
        if self.lasts {
            UpstreamFault::Misconfigured { server, cause }
        } else {
            UpstreamFault::Unavailable { server, cause }
        }
    }
}

/// One server's process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub state: State,
    pub pid: Option<u32>,
    /// When it was last asked for.
    pub wanted_at: Timestamp,
    /// Failures in a row.
    failures: u32,
    /// Why it failed last; cleared when it runs again.
    pub failure: Option<Failure>,
    /// What it wrote to its error output before it failed last.
    pub last_output: Option<String>,
    /// Whether it has ever answered.
    pub answered: bool,
}

impl Process {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Stopped,
            pid: None,
            wanted_at: Timestamp(0),
            failures: 0,
            failure: None,
            last_output: None,
            answered: false,
        }
    }

    /// The link, from its opening to its end.
    pub(crate) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Opening { link, .. }
            | State::Handshaking { link, .. }
            | State::Running { link, .. }
            | State::Closing { link } => Some(link),
            State::BackingOff { .. } | State::Queued | State::Stopped => None,
        }
    }

    /// The link that requests can be sent over now.
    pub(crate) fn ready_link(&self) -> Option<LinkId> {
        if let State::Running { link, .. } = self.state { Some(link) } else { None }
    }

    /// Whether it is on its way to running.
    pub(crate) fn is_starting(&self) -> bool {
        matches!(self.state, State::Opening { .. } | State::Handshaking { .. })
    }

    /// Asks for the process; it starts when its turn comes.
    pub(crate) fn want(&mut self, now: Timestamp) {
        let may = match self.state {
            State::Stopped => true,
            State::BackingOff { until } => until <= now,
            State::Closing { .. }
            | State::Handshaking { .. }
            | State::Opening { .. }
            | State::Queued
            | State::Running { .. } => false,
        };
        if may {
            self.state = State::Queued;
            self.wanted_at = now;
        }
    }

    /// It takes requests from now on.
    pub(crate) fn run(&mut self, link: LinkId, now: Timestamp) {
        self.state = State::Running { link, since: now };
        self.failure = None;
        self.last_output = None;
        self.answered = true;
    }

    /// It ended, or never began. The next start waits: 0.5 s, doubled with each failure, up to 60 s, drawn at
    /// random below that (full jitter), from the start again after a minute of running.
    pub(crate) fn fail(&mut self, failure: Failure, now: Timestamp, limits: &Limits, entropy: &mut Entropy) {
        if let State::Running { since, .. } = self.state
            && now.since(since) >= limits.backoff_reset
        {
            self.failures = 0;
        }
        let ceiling = limits
            .backoff_first
            .saturating_mul(2_u32.saturating_pow(self.failures.min(16)))
            .min(limits.backoff_last);
        let pause =
            Duration::from_millis(entropy.below(u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX)));
        self.failures = self.failures.saturating_add(1);
        self.state = State::BackingOff { until: now.after(pause.max(Duration::from_millis(50))) };
        self.pid = None;
        self.failure = Some(failure);
    }

    /// It ended because it was told to.
    pub(crate) fn stop(&mut self) {
        self.state = State::Stopped;
        self.pid = None;
    }

    /// Why it failed last, for people.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| &*failure.cause)
    }

    /// The state's name for people.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            State::BackingOff { .. } => "backing-off",
            State::Closing { .. } => "stopping",
            State::Opening { .. } | State::Handshaking { .. } => "starting",
            State::Queued => "queued",
            State::Running { .. } => "running",
            State::Stopped => "stopped",
        }
    }

    pub(crate) fn health_name(&self) -> &'static str {
        match (&self.failure, self.answered) {
            (Some(_), _) => "failed",
            (None, true) => "ok",
            (None, false) => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_start_again_after_a_good_run() {
        let (limits, mut entropy) = (Limits::default(), Entropy::from_seed([1; 32]));
        let mut process = Process::new();
        let mut longest = Duration::ZERO;
        for round in 0..40_u32 {
            process.fail(Failure::passing("x"), Timestamp(0), &limits, &mut entropy);
            let State::BackingOff { until } = process.state else { panic!("not backing off") };
            let pause = until.since(Timestamp(0));
            assert!(pause <= limits.backoff_first * 2_u32.saturating_pow(round.min(16)));
            assert!(pause <= limits.backoff_last);
            longest = longest.max(pause);
        }
        assert!(longest > Duration::from_secs(30));
        process.run(LinkId(1), Timestamp(0));
        process.fail(Failure::passing("x"), Timestamp(60_000), &limits, &mut entropy);
        let State::BackingOff { until } = process.state else { panic!("not backing off") };
        assert!(until.since(Timestamp(60_000)) <= limits.backoff_first);
    }

    #[test]
    fn a_process_that_backs_off_is_not_started_before_its_time() {
        let mut process = Process::new();
        process.state = State::BackingOff { until: Timestamp(10) };
        process.want(Timestamp(9));
        assert_ne!(process.state, State::Queued);
        process.want(Timestamp(10));
        assert_eq!(process.state, State::Queued);
    }
}
