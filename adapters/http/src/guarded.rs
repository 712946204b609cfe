//! A socket that shows only what its [`Gate`] passes, and tells its connection's [`Pacer`] what happens on it.
//!
//! A head that is refused is replaced by one that stands for the refusal, so that the HTTP machine answers it in its
//! turn, after the requests before it. Heads are almost always read at once, and are not copied then.

use bytes::BytesMut;
use http::Request;
use orch_core::{Fault, Rejection};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::gate::{Flaw, Gate, Passed};
use crate::pace::Pacer;

/// What the service is told of a head that was refused.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<Option<Fault>>);

impl Refused {
    const METHOD: &str = "REFUSED";

    /// Keeps the fault, and returns the head that stands for it.
    fn put(&self, fault: Fault) -> Vec<u8> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        format!("{} / HTTP/1.1\r\n\r\n", Self::METHOD).into_bytes()
    }

    /// The fault that this request stands for.
    ///
    /// A client that uses the method itself is told of its fault sooner, and nobody else of anything.
    pub(crate) fn take<B>(&self, request: &Request<B>) -> Option<Fault> {
        if request.method().as_str() == Self::METHOD {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
        } else {
            None
        }
    }
}

#[derive(Debug)]
pub(crate) struct Guarded {
    stream: TcpStream,
    pacer: Arc<Pacer>,
    gate: Gate,
    refused: Arc<Refused>,
    /// The beginning of a head, until the rest of it has come.
    held: BytesMut,
    /// What is to be shown before anything else is read.
    shown: BytesMut,
    end: End,
    /// Whether the last write had to wait.
    stalled: bool,
    closing: Closing,
}

/// Whether what the client sends is still looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// Its last head was refused.
    Refused,
    /// Its last body was not framed as its head says.
    Broken,
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
    pub(crate) fn new(stream: TcpStream, pacer: Arc<Pacer>, gate: Gate, refused: Arc<Refused>) -> Self {
        Self {
            stream,
            pacer,
            gate,
            refused,
            held: BytesMut::new(),
            shown: BytesMut::new(),
            end: End::Open,
            stalled: false,
            closing: Closing::No,
        }
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

impl Guarded {
    /// Reads what may be shown at once. `None` when the gate holds all of it back.
    fn poll_show(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<Option<()>>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let come = buffer.filled().get(before..).unwrap_or_default();
        if come.is_empty() {
            return Poll::Ready(Ok(Some(())));
        }
        let Passed { bytes, flaw } = self.gate.pass(come);
        self.pacer.read(come.len(), bytes < come.len());
        self.held.extend_from_slice(come.get(bytes..).unwrap_or_default());
        buffer.set_filled(before.saturating_add(bytes));
        self.heed(flaw);
        Poll::Ready(Ok((bytes > 0).then_some(())))
    }

    /// Reads on in a head that is held back; `false` at the end of the connection.
    fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let come = buffer.filled();
        if come.is_empty() {
            return Poll::Ready(Ok(false));
        }
        let count = come.len();
        self.held.extend_from_slice(come);
        let Passed { bytes, flaw } = self.gate.pass(&self.held);
        self.shown = self.held.split_to(bytes);
        self.pacer.read(count, !self.held.is_empty());
        self.heed(flaw);
        Poll::Ready(Ok(true))
    }

    /// After a flaw, nothing that the client sends is shown any more.
    fn heed(&mut self, flaw: Option<Flaw>) {
        let Some(flaw) = flaw else { return };
        self.held = BytesMut::new();
        self.end = match flaw {
            Flaw::Head(fault) => {
                self.shown.extend_from_slice(&self.refused.put(fault));
                End::Refused
            }
            Flaw::Body => End::Broken,
        };
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.shown.is_empty() {
                let some = self.shown.len().min(buffer.remaining());
                buffer.put_slice(&self.shown.split_to(some));
                return Poll::Ready(Ok(()));
            }
            match self.end {
                // A head has its time also when nothing more of it comes.
                End::Open if self.pacer.is_late() && !self.held.is_empty() => {
                    self.heed(Some(Flaw::Head(Rejection::TooSlow.into())));
                    continue;
                }
                End::Open => {}
                // The connection is closed when the refusal is written; its client's half is read then.
                End::Refused => return Poll::Pending,
                End::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            }
            if self.held.is_empty() {
                if let Some(()) = ready!(self.poll_show(cx, buffer))? {
                    return Poll::Ready(Ok(()));
                }
            } else if !ready!(self.poll_complete(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
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
