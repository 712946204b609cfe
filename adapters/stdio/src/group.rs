//! The process group of a child: signalled as a whole, and never after its number may have another owner.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The group that a child leads. Dropping it kills what is left of the group.
///
/// The leader's exit is seen through a pidfd and not by reaping it: until it is reaped its number, which is the
/// group's, belongs to nobody else. So the last signal goes out before [`Group::release`].
#[derive(Debug)]
pub(crate) struct Group {
    leader: Option<Pid>,
    exit: AsyncFd<OwnedFd>,
}

impl Group {
    /// The group of a leader that was just started and is not reaped.
    pub(crate) fn of(leader: Option<u32>) -> io::Result<Self> {
        let leader = leader
            .and_then(|it| i32::try_from(it).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the process is gone"))?;
        let pidfd = rustix::process::pidfd_open(leader, PidfdFlags::empty())?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe and asks for what an OwnedFd keeps: one open fd"
        )]
        let exit = AsyncFd::with_interest(pidfd, Interest::READABLE)?;
        Ok(Self { leader: Some(leader), exit })
    }

    /// Ready when the leader has exited. It stays to be reaped.
    pub(crate) async fn exited(&self) {
        // An error means that the runtime shuts down: then everything is killed anyway.
        let _ready = self.exit.readable().await.map(|guard| guard.get_ref().get_ref());
    }

    /// Sends a signal to every process of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // The group is empty, or its processes belong to another user: nothing that could be done.
            let _gone = rustix::process::kill_process_group(leader, signal);
        }
    }

    /// Kills what is left; the leader may be reaped from here on.
    pub(crate) fn release(mut self) {
        self.signal(Signal::KILL);
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
