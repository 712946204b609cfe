//! A child's error output: read always, reported in measure.
//!
//! Lines are cut at [`LINE`], and within one second no more than [`LINES`] of them, or [`BYTES`] bytes, are
//! reported; the bytes of the rest are counted and reported as such. So a flood costs neither memory nor the log.

use std::future;
use std::pin::Pin;
use std::time::Duration;

use orch_core::ports::upstream::LinkSink;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Sleep;

/// The longest reported line, in bytes. What is beyond is dropped.
pub(crate) const LINE: usize = 8 * 1024;
/// Lines that are reported in one window.
pub(crate) const LINES: usize = 200;
/// Bytes of lines that are reported in one window.
pub(crate) const BYTES: usize = 64 * 1024;
/// One window.
const WINDOW: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;
/// Bytes of a server that is always ahead of its reader, until that makes a pause: 128 to 256 MiB a second are read so, at a tenth
/// of a core.
const TURN: usize = 256 * 1024;
/// That pause: the shortest that there is.
const PAUSE: Duration = Duration::from_millis(1);

/// Reads `input` to its end and reports its lines to `sink`.
pub(crate) async fn read_all(mut input: impl AsyncRead + Unpin, sink: &dyn LinkSink) {
    let mut lines = LineCutter::default();
    let mut meter = Meter::default();
    let (mut chunk, mut ahead) = (vec![0; CHUNK], 0);
    let mut window: Option<Pin<Box<Sleep>>> = None;
    loop {
        let read = tokio::select! {
            read = input.read(&mut chunk) => read.unwrap_or(0),
            () = end_of(&mut window) => {
                window = None;
                report_dropped(&mut meter, sink);
                continue;
            }
        };
        let Some(bytes) = chunk.get(..read).filter(|it| !it.is_empty()) else { break };
        // There may be no end to it: others get their turn after each full chunk, and the processor time after some.
        ahead = if read == CHUNK { ahead + read } else { 0 };
        if ahead >= TURN {
            ahead = 0;
            tokio::time::sleep(PAUSE).await;
        } else if ahead > 0 {
            tokio::task::yield_now().await;
        }
        lines.cut(bytes, |line| report(line, &mut meter, sink));
        meter.dropped += std::mem::take(&mut lines.cut_off);
        if window.is_none() && meter.used() {
            window = Some(Box::pin(tokio::time::sleep(WINDOW)));
        }
    }
    lines.finish(|line| report(line, &mut meter, sink));
    report_dropped(&mut meter, sink);
}

/// Waits for the end of the window, for ever when none is open: a quiet child costs no timer.
async fn end_of(window: &mut Option<Pin<Box<Sleep>>>) {
    match window {
        Some(sleep) => sleep.as_mut().await,
        None => future::pending().await,
    }
}

fn report(line: &[u8], meter: &mut Meter, sink: &dyn LinkSink) {
    if meter.admits(line.len()) {
        sink.logged(String::from_utf8_lossy(line).into_owned());
    }
}

fn report_dropped(meter: &mut Meter, sink: &dyn LinkSink) {
    let dropped = std::mem::take(meter).dropped;
    if dropped > 0 {
        sink.dropped(dropped);
    }
}

/// What one window has let pass.
#[derive(Debug, Default)]
struct Meter {
    lines: usize,
    bytes: usize,
    /// Bytes.
    dropped: u64,
}

impl Meter {
    fn admits(&mut self, bytes: usize) -> bool {
        let admitted = self.lines < LINES && self.bytes + bytes <= BYTES;
        if admitted {
            self.lines += 1;
            self.bytes += bytes;
        } else {
            self.dropped += bytes as u64;
        }
        admitted
    }

    fn used(&self) -> bool {
        self.lines > 0 || self.dropped > 0
    }
}

/// Cuts bytes into lines of at most [`LINE`] bytes, keeping no more than one such line.
#[derive(Debug, Default)]
struct LineCutter {
    begun: Vec<u8>,
    /// Bytes of lines that were longer.
    cut_off: u64,
}

impl LineCutter {
    /// Calls `each` with every line that ends in `bytes`, without its end; empty lines are skipped.
    fn cut(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some((line, rest)) =
            memchr::memchr(b'\n', bytes).and_then(|end| bytes.split_at_checked(end))
        {
            if self.begun.is_empty() {
                self.cut_off += line.len().saturating_sub(LINE) as u64;
                emit(line, &mut each);
            } else {
                self.keep(line);
                self.finish(&mut each);
            }
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// Calls `each` with the line that was begun.
    fn finish(&mut self, each: impl FnMut(&[u8])) {
        emit(&std::mem::take(&mut self.begun), each);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.begun.len());
        self.cut_off += bytes.len().saturating_sub(room) as u64;
        self.begun.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

fn emit(line: &[u8], mut each: impl FnMut(&[u8])) {
    let line = line.get(..LINE).unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !line.is_empty() {
        each(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        cut_and_counted(chunks).0
    }

    fn cut_and_counted(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let (mut cutter, mut out) = (LineCutter::default(), Vec::new());
        for chunk in chunks {
            cutter.cut(chunk, |line| out.push(line.to_vec()));
        }
        cutter.finish(|line| out.push(line.to_vec()));
        (out, cutter.cut_off)
    }

    #[test]
    fn lines_are_the_same_however_they_arrive() {
        let expected = [b"ab".to_vec(), b"c".to_vec(), b"d".to_vec()];
        assert_eq!(cut(&[b"ab\r\n\nc\nd"]), expected);
        assert_eq!(cut(&[b"a", b"b\r", b"\n\n", b"c\n", b"d"]), expected);
    }

    #[test]
    fn a_long_line_is_cut_and_its_rest_counted() {
        let long = [vec![b'x'; LINE + 5], b"\ny\n".to_vec()].concat();
        let expected = [vec![b'x'; LINE], b"y".to_vec()];
        assert_eq!(cut_and_counted(&[&long]), (expected.to_vec(), 5));
        assert_eq!(cut_and_counted(&long.chunks(7).collect::<Vec<_>>()), (expected.to_vec(), 5));
    }

    #[test]
    fn a_window_admits_so_many_lines_and_so_many_bytes() {
        let mut meter = Meter::default();
        assert_eq!((0..2 * LINES).filter(|_| meter.admits(1)).count(), LINES);
        assert_eq!(meter.dropped, LINES as u64);
        let mut meter = Meter::default();
        assert_eq!((0..LINES).filter(|_| meter.admits(LINE)).count(), BYTES / LINE);
    }
}
