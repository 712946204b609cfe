//! Bytes to messages: a pure framer for newline-delimited JSON.
//!
//! Whatever the sizes of the chunks that arrive, the same messages come out. A message is a slice of the buffer
//! that it was read into, never a copy, and the buffer never holds more than the bound and a line end.

use bytes::{Bytes, BytesMut};

/// What one read may bring: the size of a pipe on Linux. A buffer of this size serves many small messages.
const CHUNK: usize = 64 * 1024;

/// With less room than this left, a buffer is exchanged rather than read into.
const LEAST_SPACE: usize = 4 * 1024;

/// Cuts a stream of bytes into lines.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no line feed.
    scanned: usize,
    /// The longest message.
    limit: usize,
}

/// A line is longer than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong;

impl Framer {
    /// A framer for messages of at most `limit` bytes, line ends not counted.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, limit }
    }

    /// The buffer to append what was read to, with room for at least one byte. Call
    /// [`frames`](Self::frames) after each read.
    pub fn space(&mut self) -> &mut BytesMut {
        let room = self.buffer.capacity() - self.buffer.len();
        if room < LEAST_SPACE && !self.buffer.try_reclaim(LEAST_SPACE) {
            // Twice as much as there is, so that a long message is copied about once on the whole.
            self.move_to(self.buffer.len() * 2);
        }
        &mut self.buffer
    }

    /// Appends the complete messages to `out`, in order, without their line ends; empty lines are skipped.
    ///
    /// After an error the stream is lost: there is no telling where the next message begins.
    pub fn frames(&mut self, out: &mut Vec<Bytes>) -> Result<(), LineTooLong> {
        let mut longest = 0;
        while let Some(found) = self.buffer.get(self.scanned..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let mut line = self.buffer.split_to(self.scanned + found + 1);
            self.scanned = 0;
            line.truncate(line.len() - 1);
            if line.last() == Some(&b'\r') {
                line.truncate(line.len() - 1);
            }
            if line.len() > self.limit {
                return Err(LineTooLong);
            }
            longest = longest.max(line.len());
            if !line.is_empty() {
                out.push(line.freeze());
            }
        }
        self.scanned = self.buffer.len();
        if self.buffer.len() > self.longest_line() {
            return Err(LineTooLong);
        }
        if longest > CHUNK {
            // The large buffer goes when its messages are gone.
            self.move_to(self.buffer.len());
        }
        Ok(())
    }

    /// The longest line that may yet turn out to be a message: a carriage return may be its last byte.
    fn longest_line(&self) -> usize {
        self.limit.saturating_add(1)
    }

    /// Goes on in a new buffer, of `wanted` bytes within sensible bounds.
    fn move_to(&mut self, wanted: usize) {
        let most = self.longest_line().saturating_add(1);
        let mut next =
            BytesMut::with_capacity(wanted.max(self.buffer.len() + LEAST_SPACE).max(CHUNK).min(most));
        next.extend_from_slice(&self.buffer);
        self.buffer = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The messages of `input` when it arrives in chunks of these sizes (the rest in one), and how it ended.
    fn cut(input: &[u8], limit: usize, sizes: &[usize]) -> (Vec<Bytes>, Result<(), LineTooLong>) {
        let (mut framer, mut out, mut rest) = (Framer::new(limit), Vec::new(), input);
        for size in sizes.iter().copied().chain([usize::MAX]) {
            let (mut chunk, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            while !chunk.is_empty() {
                let space = framer.space();
                let room = space.capacity() - space.len();
                assert!(room > 0, "there is always room for a byte");
                let (now, later) = chunk.split_at(room.min(chunk.len()));
                space.extend_from_slice(now);
                chunk = later;
                if let Err(error) = framer.frames(&mut out) {
                    return (out, Err(error));
                }
            }
        }
        (out, Ok(()))
    }

    fn check(input: &str, limit: usize, expected: &[&str], end: Result<(), LineTooLong>) {
        let expected: Vec<Bytes> = expected.iter().map(|it| Bytes::copy_from_slice(it.as_bytes())).collect();
        assert_eq!(cut(input.as_bytes(), limit, &[]), (expected.clone(), end), "{input:?} at once");
        let single = vec![1; input.len()];
        assert_eq!(cut(input.as_bytes(), limit, &single), (expected, end), "{input:?} byte by byte");
    }

    #[test]
    fn lines_end_with_lf_or_crlf_and_empty_ones_are_skipped() {
        check("a\nbc\r\n\n\r\nd\n", 9, &["a", "bc", "d"], Ok(()));
        check("a\rb\n", 9, &["a\rb"], Ok(()));
    }

    #[test]
    fn an_unfinished_line_is_no_message() {
        check("a\nbc", 9, &["a"], Ok(()));
    }

    #[test]
    fn a_line_of_the_bound_is_whole_and_one_byte_more_is_an_error_after_the_ones_before() {
        check("a\n12345\r\n", 5, &["a", "12345"], Ok(()));
        check("a\n123456\nb\n", 5, &["a"], Err(LineTooLong));
        check("a\n1234567", 5, &["a"], Err(LineTooLong));
    }

    #[test]
    fn a_large_line_gives_its_memory_back() {
        let mut framer = Framer::new(8 << 20);
        let mut out = Vec::new();
        for chunk in vec![b'x'; 6 << 20].chunks(CHUNK).chain([&b"\nrest"[..]]) {
            framer.space().extend_from_slice(chunk);
            framer.frames(&mut out).unwrap();
        }
        assert_eq!(out.len(), 1);
        drop(out);
        assert_eq!(&framer.space()[..], b"rest");
        assert!(framer.buffer.capacity() <= CHUNK);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_messages(
            lines in proptest::collection::vec("[a-z\r]{0,12}(\r)?\n", 0..20),
            tail in "[a-z]{0,12}",
            sizes in proptest::collection::vec(1_usize..9, 0..60),
            limit in 4_usize..16,
        ) {
            let input = lines.concat() + &tail;
            prop_assert_eq!(cut(input.as_bytes(), limit, &sizes), cut(input.as_bytes(), limit, &[]));
        }
    }
}
