//! The life of one server's process (or connection): when it is started, when it is not, and why.

use alloc::collections::VecDeque;
use alloc::format;
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
    /// It failed so often that it is left alone until then, or until somebody starts it by hand.
    Crashed {
        until: Timestamp,
    },
    /// It runs and has not yet agreed on a revision.
    Handshaking {
        link: LinkId,
        deadline: Timestamp,
        /// Until when it may take to say whether it speaks the stateless era, while only that was asked.
        probe: Option<Timestamp>,
    },
    /// It was ended because nobody used it, and starts when somebody does.
    Idle,
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

/// How a server was last heard of. It says nothing about whether its process runs now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// When it answered last.
    pub answered_at: Option<Timestamp>,
    /// When it failed last, and why.
    pub failure: Option<(Timestamp, String)>,
    /// What it wrote to its error output before that.
    pub last_output: Option<String>,
}

/// Why a server failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// For people.
    pub cause: String,
    /// Whether it will fail again until its configuration is another one.
    pub lasts: bool,
    /// Whether somebody has to log in.
    pub login: bool,
}

impl Failure {
    /// A failure that only another configuration mends.
    pub(crate) fn lasting(cause: String) -> Self {
        Self { cause, lasts: true, login: false }
    }

    /// A failure that a login mends.
    pub(crate) fn login_required(cause: String) -> Self {
        Self { cause, lasts: true, login: true }
    }

    /// A failure that may be none the next time.
    pub(crate) fn passing(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), lasts: false, login: false }
    }

    /// The fault of a request that was not sent because of it.
    pub(crate) fn fault(&self, server: &str) -> UpstreamFault {
        let (server, cause) = (server.into(), self.cause.clone());
        if self.login {
            UpstreamFault::LoginRequired { server, cause }
        } else if self.lasts {
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
    /// When it failed, within [`Limits::crash_span`].
    failed_at: VecDeque<Timestamp>,
    /// It has failed too often, and has not run well since.
    crashed: bool,
    /// Why it failed last; cleared when it runs again.
    pub failure: Option<Failure>,
    pub health: Health,
}

impl Process {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Stopped,
            pid: None,
            wanted_at: Timestamp(0),
            failures: 0,
            failed_at: VecDeque::new(),
            crashed: false,
            failure: None,
            health: Health::default(),
        }
    }

    /// The link, from its opening to its end.
    pub(crate) fn link(&self) -> Option<LinkId> {
        match self.state {
            State::Opening { link, .. }
            | State::Handshaking { link, .. }
            | State::Running { link, .. }
            | State::Closing { link } => Some(link),
            State::BackingOff { .. }
            | State::Crashed { .. }
            | State::Idle
            | State::Queued
            | State::Stopped => None,
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

    /// From when on it may be started again, if it has failed.
    pub(crate) fn pauses_until(&self) -> Option<Timestamp> {
        match self.state {
            State::BackingOff { until } | State::Crashed { until } => Some(until),
            State::Closing { .. }
            | State::Handshaking { .. }
            | State::Idle
            | State::Opening { .. }
            | State::Queued
            | State::Running { .. }
            | State::Stopped => None,
        }
    }

    /// Asks for the process; it starts when its turn comes.
    pub(crate) fn want(&mut self, now: Timestamp) {
        let rests = matches!(self.state, State::Idle | State::Stopped);
        if rests || self.pauses_until().is_some_and(|until| until <= now) {
            self.state = State::Queued;
            self.wanted_at = now;
        }
    }

    /// Somebody asks for it by hand, whatever has happened before.
    pub(crate) fn start_anew(&mut self, now: Timestamp) {
        self.forget_failures();
        if self.link().is_none() {
            self.state = State::Queued;
            self.wanted_at = now;
        }
    }

    fn forget_failures(&mut self) {
        (self.failures, self.crashed) = (0, false);
        self.failed_at.clear();
    }

    /// It takes requests from now on.
    pub(crate) fn run(&mut self, link: LinkId, now: Timestamp) {
        self.state = State::Running { link, since: now };
        self.failure = None;
        self.health.answered_at = Some(now);
    }

    /// It ended, or never began. The next start waits: 0.5 s, doubled with each failure, up to 60 s, drawn at
    /// random below that (full jitter). One that `crashes` is left alone for [`Limits::crash_probe`] after so many
    /// failures, and again after each that follows. A minute of running ends the row of failures.
    pub(crate) fn fail(
        &mut self,
        failure: Failure,
        crashes: bool,
        now: Timestamp,
        limits: &Limits,
        entropy: &mut Entropy,
    ) {
        if let State::Running { since, .. } = self.state
            && now.since(since) >= limits.backoff_reset
        {
            self.forget_failures();
        }
        self.failed_at.retain(|at| now.since(*at) < limits.crash_span);
        self.failed_at.push_back(now);
        self.crashed |= crashes && self.failed_at.len() >= limits.crash_failures;
        self.pid = None;
        self.health.failure = Some((now, failure.cause.clone()));
        if self.crashed {
            self.failed_at.clear();
            self.state = State::Crashed { until: now.after(limits.crash_probe) };
            let cause = format!("it keeps failing and is left alone for now: {}", failure.cause);
            self.failure = Some(Failure { cause, ..failure });
            return;
        }
        let ceiling = limits.backoff(self.failures);
        let pause =
            Duration::from_millis(entropy.below(u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX)));
        self.failures = self.failures.saturating_add(1);
        self.state = State::BackingOff { until: now.after(pause.max(Duration::from_millis(50))) };
        self.failure = Some(failure);
    }

    /// It ended because it was told to.
    pub(crate) fn stop(&mut self) {
        self.state = State::Stopped;
        self.pid = None;
    }

    /// The same process when it is no more: what is known of it stays.
    pub(crate) fn at_rest(&self, state: State) -> Self {
        Self { state, pid: None, ..self.clone() }
    }

    /// Why it failed last, for people.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| &*failure.cause)
    }

    /// Whether it fails because nobody has logged in.
    pub(crate) fn needs_login(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.login)
    }

    /// It answers, and lets nobody in, or does so again.
    pub(crate) fn hear(&mut self, login: Option<String>, now: Timestamp) {
        match login {
            Some(cause) => {
                self.health.failure = Some((now, cause.clone()));
                self.failure = Some(Failure::login_required(cause));
            }
            // Before it runs, one refusal tells more than what else it answers.
            None if matches!(self.state, State::Running { .. }) => self.forget_login(),
            None => {}
        }
    }

    /// Whether a login is needed is to be seen anew.
    pub(crate) fn forget_login(&mut self) {
        self.failure.take_if(|failure| failure.login);
    }

    /// The state's name for people.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            State::BackingOff { .. } | State::Running { .. } if self.needs_login() => "needs-login",
            State::BackingOff { .. } => "backing-off",
            State::Closing { .. } => "stopping",
            State::Crashed { .. } => "crashed",
            State::Idle => "idle",
            State::Opening { .. } | State::Handshaking { .. } => "starting",
            State::Queued => "queued",
            State::Running { .. } => "running",
            State::Stopped => "stopped",
        }
    }

    /// How it is, as far as it was heard of.
    pub(crate) fn health_name(&self) -> &'static str {
        match (&self.failure, self.health.answered_at) {
            (Some(_), _) => "failed",
            (None, Some(_)) => "ok",
            (None, None) => "unknown",
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
            process.fail(Failure::passing("x"), false, Timestamp(0), &limits, &mut entropy);
            let State::BackingOff { until } = process.state else { panic!("not backing off") };
            let pause = until.since(Timestamp(0));
            assert!(pause <= limits.backoff_first * 2_u32.saturating_pow(round.min(16)));
            assert!(pause <= limits.backoff_last);
            longest = longest.max(pause);
        }
        assert!(longest > Duration::from_secs(30));
        process.run(LinkId(1), Timestamp(0));
        process.fail(Failure::passing("x"), false, Timestamp(60_000), &limits, &mut entropy);
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

    #[test]
    fn whoever_fails_five_times_in_ten_minutes_is_left_alone_for_an_hour_and_again_after_each_failure() {
        let (limits, mut entropy) = (Limits::default(), Entropy::from_seed([1; 32]));
        let mut process = Process::new();
        let mut fail = |process: &mut Process, at: u64| {
            process.fail(Failure::passing("x"), true, Timestamp(at), &limits, &mut entropy);
            matches!(process.state, State::Crashed { .. })
        };
        // Failures that are far enough apart do no harm.
        assert!((0..20).all(|n| !fail(&mut process, n * 150_001)));
        let mut process = Process::new();
        assert!((0..4).all(|n| !fail(&mut process, n)));
        assert!(fail(&mut process, 4));
        let hour = 60 * 60 * 1_000;
        process.want(Timestamp(4 + hour - 1));
        assert_eq!(process.state, State::Crashed { until: Timestamp(4 + hour) });
        process.want(Timestamp(4 + hour));
        assert_eq!(process.state, State::Queued);
        process.run(LinkId(1), Timestamp(5 + hour));
        assert!(fail(&mut process, 6 + hour), "one more is enough");
        process.run(LinkId(2), Timestamp(7 + 2 * hour));
        assert!(!fail(&mut process, 7 + 2 * hour + 60_000), "it had run well");
    }

    #[test]
    fn whoever_starts_a_process_by_hand_makes_it_forget_its_failures() {
        let (limits, mut entropy) = (Limits::default(), Entropy::from_seed([1; 32]));
        let mut process = Process::new();
        for at in 0..5 {
            process.fail(Failure::passing("x"), true, Timestamp(at), &limits, &mut entropy);
        }
        process.start_anew(Timestamp(6));
        assert_eq!(process.state, State::Queued);
        process.fail(Failure::passing("x"), true, Timestamp(7), &limits, &mut entropy);
        assert!(matches!(process.state, State::BackingOff { .. }));
    }
}
