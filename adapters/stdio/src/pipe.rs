//! A pipe to or from a server, widened when it is seen full.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::pipe::fcntl_setpipe_size;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a pipe of Linux holds (pipe(7)).
const USUAL: usize = 64 * 1024;

/// What one holds through which more goes at once than that: a long message changes hands between two processes a
/// few times rather than at every 64 KiB. Only few servers have long messages, and the system grants each user only so
/// many pages for pipes.
const WIDE: usize = 8 * USUAL;

/// A pipe.
#[derive(Debug)]
pub(crate) struct Pipe<T> {
    end: T,
    wide: bool,
}

impl<T: AsFd> Pipe<T> {
    pub(crate) fn new(end: T) -> Self {
        Self { end, wide: false }
    }

    fn widen(&mut self) {
        if !self.wide {
            self.wide = true;
            // Without leave for it, it stays as it is, and does its work.
            let _size = fcntl_setpipe_size(&self.end, WIDE);
        }
    }
}

impl<T: AsyncRead + AsFd + Unpin> AsyncRead for Pipe<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut this.end).poll_read(cx, buf));
        if buf.filled().len() - before >= USUAL {
            this.widen();
        }
        Poll::Ready(read)
    }
}

impl<T: AsyncWrite + AsFd + Unpin> AsyncWrite for Pipe<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buf.len() > USUAL {
            this.widen();
        }
        Pin::new(&mut this.end).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().end).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().end).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::fcntl_getpipe_size;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::unix::pipe;

    #[tokio::test]
    async fn a_pipe_is_widened_by_the_first_long_message_whichever_end_sees_it() {
        for widens in [false, true] {
            let (out, input) = pipe::pipe().unwrap();
            let (mut out, mut input) = (Pipe::new(out), Pipe::new(input));
            let sent = vec![b'x'; if widens { USUAL + 1 } else { USUAL }];
            let mut read = vec![0; sent.len()];
            let (written, taken) = tokio::join!(out.write_all(&sent), input.read_exact(&mut read));
            assert!(written.is_ok() && taken.is_ok() && read == sent);
            assert_eq!(fcntl_getpipe_size(&out.end).unwrap() == WIDE, widens || input.wide);
        }
        let (mut out, input) = pipe::pipe().unwrap();
        let mut input = Pipe::new(input);
        out.write_all(&vec![b'x'; USUAL]).await.unwrap();
        let mut read = Vec::with_capacity(2 * USUAL);
        input.read_buf(&mut read).await.unwrap();
        assert_eq!(fcntl_getpipe_size(&out).unwrap(), WIDE);
    }
}
