//! Bytes to messages: a pure framer for newline-delimited JSON.
//!
//! Whatever the sizes of the chunks that arrive, the same messages come out. A message is a slice of the buffer
//! that it was read into, never a copy, and the buffer never holds more than the bound and a line end. A line over
//! the bound is read past in a small buffer, however long it is.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::overlong::{EDGE, Overlong};

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
    /// The line that is read past, of which `buffer` has the end.
    skipped: Option<Skipped>,
}

/// What is left of the beginning of a line that turned out to be over the bound.
#[derive(Debug)]
struct Skipped {
    beginning: Bytes,
    /// Bytes of it that are not in the buffer any more.
    gone: u64,
}

impl Framer {
    /// A framer for messages of at most `limit` bytes, line ends not counted.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, limit, skipped: None }
    }

    /// The buffer to append what was read to, with room for at least one byte. Call
    /// [`frames`](Self::frames) after each read.
    pub fn space(&mut self) -> &mut BytesMut {
        let room = self.buffer.capacity() - self.buffer.len();
        if room < LEAST_SPACE && !self.buffer.try_reclaim(LEAST_SPACE) {
            // Twice as much as there is, so that a long message is copied about once on the whole; and a very long one is
            // not at all, for the allocator makes a large block larger where it is.
            let wanted = (self.buffer.len() * 2).min(self.longest_line().saturating_add(1));
            if wanted > self.buffer.len() + LEAST_SPACE && self.buffer.len() > CHUNK {
                self.buffer.reserve(wanted - self.buffer.len());
            } else {
                self.move_to(wanted);
            }
        }
        &mut self.buffer
    }

    /// Appends the complete messages to `out`, in order, without their line ends; empty lines are skipped.
    ///
    /// An error is a line over the bound that ends here: call again for what came after it.
    pub fn frames(&mut self, out: &mut Vec<Bytes>) -> Result<(), Overlong> {
        let mut longest = 0;
        while let Some(found) = self.buffer.get(self.scanned..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let mut line = self.buffer.split_to(self.scanned + found + 1);
            self.scanned = 0;
            line.truncate(line.len() - 1);
            let message = line.strip_suffix(b"\r").map_or(line.len(), <[u8]>::len);
            if self.skipped.is_some() || message > self.limit {
                let skipped = self.skipped.take().unwrap_or_else(|| self.skip(&line));
                return Err(self.overlong(skipped, &line));
            }
            line.truncate(message);
            longest = longest.max(message);
            if message > 0 {
                out.push(line.freeze());
            }
        }
        if self.skipped.is_none() && self.buffer.len() > self.longest_line() {
            self.skipped = Some(self.skip(&self.buffer));
        }
        if let Some(skipped) = &mut self.skipped {
            let gone = self.buffer.len().saturating_sub(edge(self.limit));
            skipped.gone = skipped.gone.saturating_add(gone as u64);
            self.buffer.advance(gone);
        }
        self.scanned = self.buffer.len();
        if longest > CHUNK || self.buffer.capacity() > CHUNK && self.skipped.is_some() {
            // The large buffer goes when its messages are gone.
            self.move_to(self.buffer.len());
        }
        Ok(())
    }

    /// The longest line that may yet turn out to be a message: a carriage return may be its last byte.
    fn longest_line(&self) -> usize {
        self.limit.saturating_add(1)
    }

    fn skip(&self, line: &[u8]) -> Skipped {
        let beginning = line.get(..edge(self.limit)).unwrap_or(line);
        Skipped { beginning: Bytes::copy_from_slice(beginning), gone: 0 }
    }

    fn overlong(&self, Skipped { beginning, gone }: Skipped, rest: &[u8]) -> Overlong {
        let end = rest.get(rest.len().saturating_sub(edge(self.limit))..).unwrap_or(rest);
        let bytes = gone.saturating_add(rest.len() as u64);
        Overlong { beginning, end: Bytes::copy_from_slice(end), bytes }
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

/// How much is kept of either end of a line that is over the bound.
fn edge(limit: usize) -> usize {
    EDGE.min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The messages of `input` when it arrives in chunks of these sizes (the rest in one), and the lengths of the
    /// lines that were too long, each with the number of messages before it.
    fn cut(input: &[u8], limit: usize, sizes: &[usize]) -> (Vec<Bytes>, Vec<(usize, u64)>) {
        let (mut framer, mut out, mut overlong, mut rest) =
            (Framer::new(limit), Vec::new(), Vec::new(), input);
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
                while let Err(line) = framer.frames(&mut out) {
                    overlong.push((out.len(), line.bytes));
                }
            }
        }
        (out, overlong)
    }

    fn check(input: &str, limit: usize, expected: &[&str], overlong: &[(usize, u64)]) {
        let expected: Vec<Bytes> = expected.iter().map(|it| Bytes::copy_from_slice(it.as_bytes())).collect();
        let expected = (expected, overlong.to_vec());
        assert_eq!(cut(input.as_bytes(), limit, &[]), expected, "{input:?} at once");
        let single = vec![1; input.len()];
        assert_eq!(cut(input.as_bytes(), limit, &single), expected, "{input:?} byte by byte");
    }

    #[test]
    fn lines_end_with_lf_or_crlf_and_empty_ones_are_skipped() {
        check("a\nbc\r\n\n\r\nd\n", 9, &["a", "bc", "d"], &[]);
        check("a\rb\n", 9, &["a\rb"], &[]);
    }

    #[test]
    fn an_unfinished_line_is_no_message() {
        check("a\nbc", 9, &["a"], &[]);
    }

    #[test]
    fn a_line_of_the_bound_is_whole_and_one_byte_more_is_left_out() {
        check("a\n12345\r\n", 5, &["a", "12345"], &[]);
        check("a\n123456\nb\n", 5, &["a", "b"], &[(1, 6)]);
        check("a\n123456\r\n12345678\n\nb\n", 5, &["a", "b"], &[(1, 7), (1, 8)]);
        check("a\n1234567", 5, &["a"], &[]);
    }

    #[test]
    fn both_ends_of_a_line_that_is_left_out_are_kept_and_its_memory_is_not() {
        let (mut framer, mut out) = (Framer::new(1 << 20), Vec::new());
        let chunks = [vec![b'a'; CHUNK], vec![b'x'; 3 << 20], b"z\n{}\n".to_vec()].concat();
        let mut overlong = Vec::new();
        for chunk in chunks.chunks(CHUNK) {
            framer.space().extend_from_slice(chunk);
            while let Err(line) = framer.frames(&mut out) {
                overlong.push(line);
            }
        }
        let [line] = overlong.try_into().unwrap();
        assert_eq!(line.bytes, CHUNK as u64 + (3 << 20) + 1);
        assert_eq!(line.beginning, vec![b'a'; EDGE]);
        assert_eq!((line.end.len(), line.end.last()), (EDGE, Some(&b'z')));
        assert_eq!(out, ["{}"]);
        assert!(framer.buffer.capacity() <= CHUNK);
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
