//! What a hub and a shim say to each other, over the socket that is also the lifeline.
//!
//! The hub says one thing before the shim runs: a byte for the way to launch, and with it two files, the order and the
//! server's input. The order lies in anonymous memory: an environment holds secrets, and a command line or an
//! environment of the shim's own could be read by others. After that a byte asks for SIGTERM, and the end of the
//! stream for the end of everything. The shim answers in reports, one in each packet.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Seek as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::MemfdFlags;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

/// Asks for SIGTERM to the process group of the server.
const TERM: u8 = b'T';

/// The longest report.
const REPORT_BYTES: usize = 16;

/// What to run, complete: nothing is looked up by the shim.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    /// The absolute path of the program.
    pub(crate) program: OsString,
    /// What the program is told that it is called.
    pub(crate) called: OsString,
    pub(crate) args: Vec<OsString>,
    /// All of its environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) cwd: Option<OsString>,
}

/// Where the processes of a server live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// In a PID namespace of their own: none of them outlives its first process, which ends with the shim.
    Namespace,
    /// Beside all others: the shim finds them, as long as it lives itself.
    Plain,
}

impl Way {
    fn byte(self) -> u8 {
        match self {
            Self::Namespace => b'N',
            Self::Plain => b'P',
        }
    }
}

/// What the shim tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// Told by the process that is about to become the server; its pid comes with the packet.
    Born,
    /// The server was reaped; its wait status. What it has left behind is being ended.
    Exited(i32),
    /// The server does not run: at which step, and the number of the error.
    Failed(Step, i32),
    /// The program has taken over.
    Running,
}

/// The steps of a launch that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// The shim itself.
    Setup,
    /// A namespace of its own.
    Namespace,
    /// The program.
    Program,
}

/// What the hub says while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing, or something that this version does not know.
    None,
    /// The end of everything: the hub closed its end, or is dead.
    End,
    /// SIGTERM to the group of the server.
    Term,
}

/// The two ends: the hub's, which is told the pid of whoever reports, and the shim's. No other child of the hub has
/// either, for both are closed by exec.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (hub, shim) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    rustix::net::sockopt::set_socket_passcred(&hub, true)?;
    Ok((hub, shim))
}

/// Sends an order, and the file that the server is to read from.
pub(crate) fn place(hub: impl AsFd, way: Way, order: &Order, stdin: impl AsFd) -> io::Result<()> {
    let memory = rustix::fs::memfd_create("order", MemfdFlags::CLOEXEC)?;
    let mut memory = File::from(memory);
    memory.write_all(&postcard::to_allocvec(order).map_err(io::Error::other)?)?;
    memory.rewind()?;
    let files = [memory.as_fd(), stdin.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    rustix::net::sendmsg(hub, &[IoSlice::new(&[way.byte()])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The way of the order that waits, which stays where it is.
pub(crate) fn way(shim: impl AsFd) -> io::Result<Way> {
    let mut byte = [0];
    rustix::net::recv(shim, &mut byte, RecvFlags::PEEK)?;
    match byte {
        [b'N'] => Ok(Way::Namespace),
        [b'P'] => Ok(Way::Plain),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Takes the order, and the file that the server is to read from.
pub(crate) fn take(shim: impl AsFd) -> io::Result<(Order, OwnedFd)> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(shim, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            files.extend(sent);
        }
    }
    let mut files = files.into_iter();
    let (Some(memory), Some(stdin)) = (files.next(), files.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut bytes = Vec::new();
    File::from(memory).read_to_end(&mut bytes)?;
    Ok((postcard::from_bytes(&bytes).map_err(io::Error::other)?, stdin))
}

/// Tells the hub, which may be dead.
pub(crate) fn report(shim: impl AsFd, report: Report) {
    let mut space = [0; REPORT_BYTES];
    if let Ok(packet) = postcard::to_slice(&report, &mut space) {
        let _unheard = rustix::net::send(shim, packet, SendFlags::NOSIGNAL);
    }
}

/// The next report, and the pid of who sent it; `None` when there will be none.
pub(crate) fn heard(hub: impl AsFd) -> io::Result<Option<(Report, Option<Pid>)>> {
    let mut packet = [0; REPORT_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(
        hub,
        &mut [IoSliceMut::new(&mut packet)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
    )?;
    let mut sender = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
            sender = Some(credentials.pid);
        }
    }
    match packet.get(..received.bytes) {
        None | Some([]) => Ok(None),
        Some(bytes) => Ok(Some((postcard::from_bytes(bytes).map_err(io::Error::other)?, sender))),
    }
}

/// Asks for SIGTERM.
pub(crate) fn ask_to_term(hub: impl AsFd) {
    // A shim that is gone has no server any more.
    let _gone = rustix::net::send(hub, &[TERM], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
}

/// What the hub says, without waiting for it.
pub(crate) fn wish(shim: impl AsFd) -> Wish {
    let mut byte = [0];
    match rustix::net::recv(shim, &mut byte, RecvFlags::DONTWAIT) {
        Ok((_, 0)) => Wish::End,
        Ok(_) if byte == [TERM] => Wish::Term,
        Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Wish::None,
        Err(_) => Wish::End,
    }
}
