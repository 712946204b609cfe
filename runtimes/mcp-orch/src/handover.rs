//! A hub takes the place of another: `serve --takeover`.
//!
//! The listening sockets themselves go from process to process, over the admin socket (`SCM_RIGHTS`). So there is no
//! moment at which nobody listens, and whoever connects meanwhile waits in the queue of a socket that both have. The
//! hub that goes serves until the other one says that it has them; then it drains, and lets go of the store at its
//! end. The other one waits for the store, and then accepts.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::admin::{Answer, socket};
use crate::listeners::adopt;

/// The line that asks for the sockets, on the admin socket.
pub(crate) const REQUEST: &str = "\"HandOver\"\n";

/// The word of the one that has them.
const TAKEN: u8 = b'\n';

/// The most sockets that change hands.
const SOCKETS: usize = 8;

/// The longest answer.
const ANSWER: usize = 4096;

/// What a hub has to leave.
pub(crate) struct Estate {
    sockets: Vec<OwnedFd>,
    /// How long it may take to end.
    patience: Duration,
    /// Cancelled when another hub has the sockets.
    taken: CancellationToken,
}

impl Estate {
    pub(crate) fn new(
        sockets: &[TcpListener],
        patience: Duration,
        taken: CancellationToken,
    ) -> io::Result<Self> {
        let own = |socket: &TcpListener| socket.as_fd().try_clone_to_owned();
        Ok(Self { sockets: sockets.iter().map(own).collect::<io::Result<_>>()?, patience, taken })
    }

    /// Hands the sockets to whoever asks on this connection. Nothing changes if he does not say that he has them.
    pub(crate) async fn hand_over(&self, stream: &mut UnixStream) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(&Answer::HandedOver { patience: self.patience })?;
        line.push(b'\n');
        let sockets: Vec<BorrowedFd<'_>> = self.sockets.iter().take(SOCKETS).map(|it| it.as_fd()).collect();
        stream.writable().await?;
        stream.try_io(Interest::WRITABLE, || send(stream.as_fd(), &line, &sockets))?;
        let mut word = [0];
        stream.read_exact(&mut word).await?;
        if word == [TAKEN] {
            self.taken.cancel();
        }
        Ok(())
    }
}

/// The sockets of the hub that runs on a data directory, and how long it may take to end; `None` when none runs. It goes
/// from here on, unless `check` refuses what it listens on.
pub(crate) async fn take(
    data_dir: &Path,
    check: impl Fn(&[TcpListener]) -> anyhow::Result<()>,
) -> anyhow::Result<Option<(Vec<TcpListener>, Duration)>> {
    let Ok(mut stream) = UnixStream::connect(socket(data_dir)).await else { return Ok(None) };
    stream.write_all(REQUEST.as_bytes()).await?;
    let (line, sockets) = stream.async_io(Interest::READABLE, || receive(stream.as_fd())).await?;
    let sockets: Vec<TcpListener> = sockets.into_iter().map(adopt).collect::<io::Result<_>>()?;
    let patience = match serde_json::from_slice(&line) {
        Ok(Answer::HandedOver { patience }) if !sockets.is_empty() => patience,
        _ => {
            bail!("the hub that runs does not hand over: stop it first ({})", String::from_utf8_lossy(&line))
        }
    };
    check(&sockets)?;
    stream.write_all(&[TAKEN]).await.context("the hub that runs")?;
    Ok(Some((sockets, patience)))
}

fn send(stream: BorrowedFd<'_>, line: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(files));
    rustix::net::sendmsg(stream, &[IoSlice::new(line)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The answer, which comes in one piece, and what came with it.
fn receive(stream: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut line = vec![0; ANSWER];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut into = [IoSliceMut::new(&mut line)];
    let received = rustix::net::recvmsg(stream, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(sent) = message {
            files.extend(sent);
        }
    }
    line.truncate(received.bytes);
    Ok((line, files))
}
