//! Signals as something to read: they are blocked, so none interrupts the shim or ends it.
//!
//! A child inherits that, and has to undo it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

/// What asks a program to end, and is passed on.
const PASSED_ON: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM];

/// The signals of this process.
pub(super) struct Signals(SignalFd);

impl Signals {
    pub(super) fn take() -> io::Result<Self> {
        use nix::sys::signal::Signal;
        let mut set = SigSet::empty();
        for signal in [Signal::SIGCHLD, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Those that came since the last time and are to be passed on. That a child has ended is not said: whoever waits
    /// looks for that anyway.
    pub(super) fn caught(&self) -> Vec<Signal> {
        let mut caught = Vec::new();
        while let Ok(Some(signal)) = self.0.read_signal() {
            caught.extend(
                PASSED_ON.into_iter().filter(|it| u32::try_from(it.as_raw()) == Ok(signal.ssi_signo)),
            );
        }
        caught
    }

    /// Waits until a signal comes, or one of `others` has something to say, or the time is over.
    pub(super) fn wait(&self, others: &[BorrowedFd<'_>], time: Option<&Timespec>) -> io::Result<()> {
        let all = others.iter().copied().chain([self.0.as_fd()]);
        let mut all: Vec<PollFd<'_>> = all.map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)).collect();
        match poll(&mut all, time) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
