//! The hub's end of a shim: it tells of the server, and its end is the end of the server's whole tree.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use orch_core::LaunchId;
use orch_core::ports::upstream::Launched;
use rustix::net::Shutdown;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::shim::order::{self, Report, Step};
use crate::{leases, sweep};

/// How long a shim may take to end what it has been told to end. One that takes longer is held up itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// A shim, and with it a server. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Leash {
    shim: Child,
    /// The hub's end of the lifeline, the only one there is.
    control: UnixStream,
    /// What the processes of this launch have in their environment.
    marker: Vec<u8>,
    /// Whether there is nothing more to hear.
    ended: bool,
    /// How the server ended, if that was told.
    end: Option<End>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// The most memory that a process of it has had, in MiB; 0 when nobody has seen it.
    pub(crate) peak_mib: u32,
}

/// Why there is no server.
#[derive(Debug)]
pub(crate) struct NotRunning {
    pub(crate) step: Step,
    pub(crate) error: io::Error,
}

impl Leash {
    pub(crate) fn new(shim: Child, control: OwnedFd, marker: Vec<u8>) -> io::Result<Self> {
        let control = StdUnixStream::from(control);
        control.set_nonblocking(true)?;
        Ok(Self { shim, control: UnixStream::from_std(control)?, marker, ended: false, end: None })
    }

    /// The shim, whose output is the server's.
    pub(crate) fn shim(&mut self) -> &mut Child {
        &mut self.shim
    }

    /// How the processes of this launch are told from all others.
    pub(crate) fn launched(&self, pid: Option<u32>) -> Option<Launched> {
        let (_, launch) = str::from_utf8(&self.marker).ok()?.split_once('=')?;
        let shim = leases::started(self.shim.id()?)?;
        let process = pid.and_then(leases::started);
        Some(Launched { launch: LaunchId(launch.to_owned()), boot: leases::boot(), shim, process })
    }

    /// Ready when the program runs: its pid.
    pub(crate) async fn running(&self) -> Result<Option<u32>, NotRunning> {
        let mut pid = None;
        loop {
            match self.heard().await {
                Ok(Some((Report::Born, born))) => pid = born,
                Ok(Some((Report::Running | Report::Exited(..), _))) => return Ok(pid),
                Ok(Some((Report::Failed(step, number), _))) => {
                    return Err(NotRunning { step, error: io::Error::from_raw_os_error(number) });
                }
                Ok(None) => {
                    let error = io::ErrorKind::UnexpectedEof.into();
                    return Err(NotRunning { step: Step::Setup, error });
                }
                Err(error) => return Err(NotRunning { step: Step::Setup, error }),
            }
        }
    }

    /// Ready when the server has ended. What it has left behind may still be there.
    pub(crate) async fn exited(&mut self) {
        while !self.ended {
            match self.heard().await {
                Ok(Some((Report::Exited(status, peak), _))) => {
                    let end = End { status: ExitStatus::from_raw(status), peak_mib: peak };
                    (self.ended, self.end) = (true, Some(end));
                }
                Ok(Some((Report::Born | Report::Running | Report::Failed(..), _))) => {}
                // The shim is dead, and the server with it.
                Ok(None) | Err(_) => self.ended = true,
            }
        }
    }

    /// Asks the server to end: SIGTERM to its process group.
    pub(crate) fn term(&self) {
        order::ask_to_term(&self.control);
    }

    /// Ends the lifeline: the shim kills every process of the tree.
    pub(crate) fn kill(&self) {
        let _gone = rustix::net::shutdown(&self.control, Shutdown::Write);
    }

    /// Kills what is left and waits until nothing is. How the server ended.
    pub(crate) async fn release(mut self) -> io::Result<End> {
        self.kill();
        let ended = match tokio::time::timeout(PATIENCE, self.shim.wait()).await {
            Ok(ended) => ended?,
            Err(_held_up) => {
                self.shim.start_kill()?;
                self.shim.wait().await?
            }
        };
        if !ended.success() {
            let _some = sweep::end_all(&self.marker).await;
        }
        self.exited().await;
        Ok(self.end.unwrap_or(End { status: ended, peak_mib: 0 }))
    }

    async fn heard(&self) -> io::Result<Option<(Report, Option<u32>)>> {
        let heard = self.control.async_io(Interest::READABLE, || order::heard(&self.control)).await?;
        Ok(heard.map(|(report, pid)| (report, pid.and_then(|it| it.as_raw_nonzero().get().try_into().ok()))))
    }
}
