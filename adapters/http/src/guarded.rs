//! A socket that tells its connection's [`Pacer`] what happens on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::pace::Pacer;

#[derive(Debug)]
pub(crate) struct Guarded {
    stream: TcpStream,
    pacer: Arc<Pacer>,
    /// Whether the last write had to wait.
    stalled: bool,
    closing: Closing,
}

/// How far the close of a connection has come.
#[derive(Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// Our side is closed; what the client still sends is thrown away.
    Draining,
    Done,
}

impl Guarded {
    pub(crate) fn new(stream: TcpStream, pacer: Arc<Pacer>) -> Self {
        Self { stream, pacer, stalled: false, closing: Closing::No }
    }

    /// Gives the connection up at once, with what waits in the kernel to be sent.
    pub(crate) fn reset(self) {
        if let Err(error) = self.stream.set_zero_linger() {
            tracing::debug!(%error, "a stalled connection could not be reset");
        }
    }

    /// Notes whether the client takes what is written.
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() && !self.stalled {
            self.stalled = true;
            self.pacer.write_stalled();
        } else if written.is_ready() && self.stalled {
            self.stalled = false;
            self.pacer.write_advanced();
        }
        written
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [0; 8192];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.pacer.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing == Closing::No {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.closing = if self.pacer.shut() { Closing::Draining } else { Closing::Done };
        }
        if self.closing == Closing::Draining {
            ready!(self.poll_drain(cx));
            self.closing = Closing::Done;
        }
        Poll::Ready(Ok(()))
    }
}
