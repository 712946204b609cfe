//! What has gone wrong in a run, and how often: a fault that never happens proves nothing.

use std::fmt;

/// What can go wrong around the hub, or with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The hub dies, between two inputs.
    Crash,
    /// The hub dies while it carries out what follows from an input.
    CrashMidway,
    /// Words of a server come late.
    Delay,
    /// A commit is refused because nothing more fits.
    DiskFull,
    /// Words of a server are lost.
    Drop,
    /// Words of a server come twice.
    Duplicate,
    /// The process of a server ends.
    Exit,
    /// What a server tells unasked is lost, and its link says so.
    Missed,
    /// A timer wakes the hub after several deadlines.
    Oversleep,
    /// Words of a server overtake others.
    Reorder,
    /// The hub ends in good order.
    Retire,
    /// A key is revoked.
    Revocation,
    /// A connection breaks because its client does not read.
    SlowReader,
    /// The wall clock goes back, or ahead.
    StepOfClock,
    /// A commit fails.
    StoreFails,
    /// After a crash a commit is durable whose elder is not.
    TornWrite,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 16] = [
        Self::Crash,
        Self::CrashMidway,
        Self::Delay,
        Self::DiskFull,
        Self::Drop,
        Self::Duplicate,
        Self::Exit,
        Self::Missed,
        Self::Oversleep,
        Self::Reorder,
        Self::Retire,
        Self::Revocation,
        Self::SlowReader,
        Self::StepOfClock,
        Self::StoreFails,
        Self::TornWrite,
    ];
}

/// How often each fault has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally([u64; Fault::ALL.len()]);

impl Tally {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own += more);
    }

    /// The faults that have not happened.
    pub fn missing(&self) -> Vec<Fault> {
        Fault::ALL.into_iter().filter(|fault| self.0[*fault as usize] == 0).collect()
    }
}

/// `Crash 3, Delay 41`, and so on.
impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Fault::ALL.into_iter().map(|fault| format!("{fault:?} {}", self.0[fault as usize]));
        out.write_str(&all.collect::<Vec<_>>().join(", "))
    }
}
