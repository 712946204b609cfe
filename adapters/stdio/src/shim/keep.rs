//! The life of a shim beside its server.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::process::{Pid, Signal, WaitOptions};

use super::order::{self, Report, Wish};
use super::signals::Signals;
use super::tree;

/// How long processes that were killed may take, before the shim looks for new ones. The end of each child wakes it
/// sooner.
const ROUND: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// Reaps, passes on what the hub wants, and ends the tree when the server or the hub has ended. Returns when this
/// process has no descendant.
pub(super) fn until_all_have_ended(control: &OwnedFd, signals: &Signals, server: Pid) -> io::Result<()> {
    let mut server = Some(server);
    let mut ending = false;
    loop {
        // Before reaping: the signal of a child that ends after that is still there to wake this up.
        for signal in signals.caught() {
            pass_on(server, signal);
        }
        if !reap(control, &mut server)? {
            return Ok(());
        }
        ending |= server.is_none();
        match if ending { Wish::None } else { order::wish(control) } {
            Wish::End => ending = true,
            Wish::None => {}
            Wish::Term => pass_on(server, Signal::TERM),
        }
        if ending {
            tree::kill_children();
            signals.wait(&[], Some(&ROUND))?;
        } else {
            signals.wait(&[control.as_fd()], None)?;
        }
    }
}

/// Reaps what has ended, and tells of the server. Whether there is any child left: orphans below a child become
/// children when it ends, so without children there is nobody.
fn reap(control: &OwnedFd, server: &mut Option<Pid>) -> io::Result<bool> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((ended, status))) => {
                if server.take_if(|it| *it == ended).is_some() {
                    order::report(control, Report::Exited(status.as_raw()));
                }
            }
            Ok(None) => return Ok(true),
            Err(rustix::io::Errno::CHILD) => return Ok(false),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Signals the group of the server. It is not reaped, so its number is its own.
fn pass_on(server: Option<Pid>, signal: Signal) {
    if let Some(server) = server {
        let _gone = rustix::process::kill_process_group(server, signal);
    }
}
