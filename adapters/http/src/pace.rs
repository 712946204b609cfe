//! What a connection may take its time for: one small machine of deadlines, without a timer of its own.
//!
//! A connection has one sleeping timer, set lazily: it is only ever moved to an earlier instant, and when it
//! fires too early it is set again. So a busy connection does not touch the timer wheel for its requests.

use orch_core::Limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a closed connection is read on, so that the client sees the answer that was sent before the close
/// instead of a reset: it may still be sending the body that was refused.
const LINGER: Duration = Duration::from_secs(2);

/// Where a connection stands, as far as its client can delay it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Connected, nothing heard.
    Silent { since: Instant },
    /// Some bytes of a head.
    Head { since: Instant },
    /// The hub's turn: no deadline of ours.
    Busy,
    /// Bytes of a body.
    Body { since: Instant, heard: Instant, bytes: u64 },
    /// The head or the body took too long; its reader is to be told.
    Late,
    /// Between two requests.
    Idle { since: Instant },
    /// Answered and closed, but the client may still be sending.
    Lingering { since: Instant },
}

/// What is to happen when a deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// Close the connection.
    Close,
    /// Tell the reader of the head or of the body.
    Late,
    /// Reset the connection: its client does not read.
    Reset,
}

#[derive(Debug)]
struct Pace {
    phase: Phase,
    /// Since when a write has waited for the client to read.
    stalled: Option<Instant>,
    /// Whether the client has sent all of its last request.
    whole: bool,
    /// Whether it has sent a part of the next head.
    half_a_head: bool,
}

impl Pace {
    fn deadline(&self, limits: &Limits) -> Option<(Instant, Lapse)> {
        let phase = match self.phase {
            Phase::Silent { since } => Some((since + limits.head, Lapse::Close)),
            Phase::Head { since } => Some((since + limits.head, Lapse::Late)),
            Phase::Body { since, heard, bytes } => {
                // So much was sent that the client is ahead of the least rate until then.
                let worth = Duration::from_secs(bytes.checked_div(limits.body_rate).unwrap_or(u64::MAX >> 1));
                let slow = limits.body_rate_after.saturating_add(worth).min(limits.body_total);
                Some(((since + slow).min(heard + limits.body_idle), Lapse::Late))
            }
            Phase::Idle { since } => Some((since + limits.keep_alive, Lapse::Close)),
            Phase::Lingering { since } => Some((since + LINGER, Lapse::Close)),
            Phase::Busy | Phase::Late => None,
        };
        let stall = self.stalled.map(|since| (since + limits.write_stall, Lapse::Reset));
        [phase, stall].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn read(&mut self, now: Instant, count: usize, half_a_head: bool) {
        self.half_a_head = half_a_head;
        match &mut self.phase {
            Phase::Silent { .. } | Phase::Idle { .. } => {
                self.whole = false;
                self.phase = Phase::Head { since: now };
            }
            Phase::Body { heard, bytes, .. } => {
                *heard = now;
                *bytes = bytes.saturating_add(count as u64);
            }
            Phase::Head { .. } | Phase::Busy | Phase::Late | Phase::Lingering { .. } => {}
        }
    }

    fn answered(&mut self, now: Instant) {
        self.phase = if self.half_a_head { Phase::Head { since: now } } else { Phase::Idle { since: now } };
    }
}

/// The pace of one connection, shared by its socket, its service and its bodies. They run in one task, so the
/// lock is never waited for.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Mutex<Pace>,
}

impl Pacer {
    pub(crate) fn new(now: Instant) -> Self {
        let pace =
            Pace { phase: Phase::Silent { since: now }, stalled: None, whole: true, half_a_head: false };
        Self { pace: Mutex::new(pace) }
    }

    fn lock(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next deadline and what it is for.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<(Instant, Lapse)> {
        self.lock().deadline(limits)
    }

    /// So many bytes came; `half_a_head` if they end within one.
    pub(crate) fn read(&self, count: usize, half_a_head: bool) {
        self.lock().read(Instant::now(), count, half_a_head);
    }

    /// A head is complete; `whole` if no body follows.
    pub(crate) fn request_began(&self, whole: bool) {
        let mut pace = self.lock();
        pace.phase = Phase::Busy;
        pace.whole = whole;
    }

    /// The body is waited for.
    pub(crate) fn body_began(&self) {
        let now = Instant::now();
        self.lock().phase = Phase::Body { since: now, heard: now, bytes: 0 };
    }

    /// The body is complete.
    pub(crate) fn body_ended(&self) {
        let mut pace = self.lock();
        pace.phase = Phase::Busy;
        pace.whole = true;
    }

    /// The deadline of the head or of the body has passed.
    pub(crate) fn lapsed(&self) {
        self.lock().phase = Phase::Late;
    }

    pub(crate) fn is_late(&self) -> bool {
        self.lock().phase == Phase::Late
    }

    /// The answer has been handed over.
    pub(crate) fn request_ended(&self) {
        self.lock().answered(Instant::now());
    }

    /// A write waits for the client to read.
    pub(crate) fn write_stalled(&self) {
        self.lock().stalled.get_or_insert_with(Instant::now);
    }

    /// A write went through.
    pub(crate) fn write_advanced(&self) {
        self.lock().stalled = None;
    }

    /// Whether a write waits for the client to read.
    pub(crate) fn is_stalled(&self) -> bool {
        self.lock().stalled.is_some()
    }

    /// Our side is closed; says whether the client may still be sending.
    pub(crate) fn shut(&self) -> bool {
        let mut pace = self.lock();
        pace.phase = Phase::Lingering { since: Instant::now() };
        !pace.whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let s = Duration::from_secs;
        Limits {
            head: s(10),
            body_idle: s(20),
            body_total: s(60),
            body_rate: 1024,
            body_rate_after: s(10),
            keep_alive: s(75),
            write_stall: s(30),
            ..Limits::default()
        }
    }

    /// Something that happens to a connection.
    type Step = fn(&mut Pace, Instant);

    /// Seconds to the deadline after `steps`, each at its second, and what for.
    #[track_caller]
    fn check(steps: &[(u64, Step)], expected: Option<(u64, Lapse)>) {
        let start = Instant::now();
        let mut pace =
            Pace { phase: Phase::Silent { since: start }, stalled: None, whole: true, half_a_head: false };
        for (second, step) in steps {
            step(&mut pace, start + Duration::from_secs(*second));
        }
        let deadline = pace.deadline(&limits()).map(|(at, lapse)| ((at - start).as_secs(), lapse));
        assert_eq!(deadline, expected);
    }

    /// A piece of a body that is worth ten seconds.
    fn read(pace: &mut Pace, now: Instant) {
        pace.read(now, 10 * 1024, false);
    }

    fn body(pace: &mut Pace, now: Instant) {
        pace.phase = Phase::Body { since: now, heard: now, bytes: 0 };
    }

    fn idle(pace: &mut Pace, now: Instant) {
        pace.answered(now);
    }

    #[test]
    fn a_silent_connection_has_the_time_of_a_head() {
        check(&[], Some((10, Lapse::Close)));
    }

    #[test]
    fn a_head_has_its_time_from_its_first_byte_however_it_trickles() {
        check(&[(4, read), (9, read)], Some((14, Lapse::Late)));
    }

    #[test]
    fn the_next_head_has_its_own_time() {
        check(&[(1, read), (2, idle)], Some((77, Lapse::Close)));
        check(&[(1, read), (2, idle), (50, read)], Some((60, Lapse::Late)));
    }

    #[test]
    fn a_head_that_began_before_the_last_answer_has_its_time_from_there() {
        let begun: Step = |pace, now| pace.read(now, 1, true);
        check(&[(1, read), (2, begun), (3, idle)], Some((13, Lapse::Late)));
        check(&[(1, read), (2, begun), (3, read), (4, idle)], Some((79, Lapse::Close)));
    }

    #[test]
    fn a_body_may_pause_but_not_trickle_for_ever() {
        check(&[(0, body), (0, read), (1, read)], Some((21, Lapse::Late)));
        check(&[(0, body), (9, read), (19, read), (29, read), (39, read)], Some((50, Lapse::Late)));
        let ten: Vec<(u64, Step)> = (0..10).map(|second| (second * 5, read as Step)).collect();
        check(&[&[(0, body as Step)], ten.as_slice()].concat(), Some((60, Lapse::Late)));
    }

    #[test]
    fn a_body_has_ten_seconds_and_then_as_many_as_it_has_kibibytes() {
        check(&[(0, body)], Some((10, Lapse::Late)));
        check(&[(0, body), (9, |pace, now| pace.read(now, 3 * 1024, false))], Some((13, Lapse::Late)));
        check(&[(0, body), (9, |pace, now| pace.read(now, 1, false))], Some((10, Lapse::Late)));
    }

    #[test]
    fn what_a_client_still_sends_after_its_answer_is_not_read_for_ever() {
        check(&[(5, |pace, now| pace.phase = Phase::Lingering { since: now })], Some((7, Lapse::Close)));
    }

    #[test]
    fn while_the_hub_works_the_client_has_no_deadline_unless_it_does_not_read() {
        check(&[(0, |pace, _| pace.phase = Phase::Busy)], None);
        let stall: Step = |pace, now| {
            pace.phase = Phase::Busy;
            pace.stalled = Some(now);
        };
        check(&[(5, stall)], Some((35, Lapse::Reset)));
        check(&[(5, stall), (6, |pace, _| pace.stalled = None)], None);
    }
}
