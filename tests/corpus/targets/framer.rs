//! The framer of stdio: any chunking gives the same messages and leaves the same lines out, and the buffer stays within
//! its bound.
//!
//! An input is the longest message (one byte), a seed for the chunking (one byte), and the stream.

use bytes::Bytes;
use orch_stdio::{Framer, Overlong};

use super::choices::{Choices, pieces};

/// Longer than any input: here the buffer is reused instead of exchanged.
const ROOMY: usize = 1 << 20;

pub fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let (limit, seed) = (choices.below(64), choices.byte());
    let stream = choices.rest();
    for limit in [limit, ROOMY] {
        check_chunks(stream, limit, seed);
    }
}

fn check_chunks(stream: &[u8], limit: usize, seed: u8) {
    let expected = messages(stream, limit);
    assert_eq!(framed(std::iter::once(stream), limit), expected, "in one chunk");
    assert_eq!(framed(pieces(stream, seed), limit), expected, "in chunks of seed {seed}");
    assert_eq!(framed(pieces(stream, 0), limit), expected, "byte by byte");
}

/// The messages, and what is kept of the lines that are too long.
type Outcome = (Vec<Bytes>, Vec<Overlong>);

/// What the framer makes of chunks.
fn framed<'a>(chunks: impl Iterator<Item = &'a [u8]>, limit: usize) -> Outcome {
    let (mut framer, mut out, mut overlong) = (Framer::new(limit), Vec::new(), Vec::new());
    for mut chunk in chunks {
        while !chunk.is_empty() {
            let space = framer.space();
            let room = space.capacity() - space.len();
            assert!(room > 0, "there is always room for a byte");
            assert!(
                space.capacity() <= limit + 2,
                "{} bytes are held for a bound of {limit}",
                space.capacity()
            );
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            space.extend_from_slice(now);
            chunk = later;
            while let Err(line) = framer.frames(&mut out) {
                overlong.push(line);
            }
        }
    }
    (out, overlong)
}

/// The same by definition: lines without their ends, empty ones left out, and those that are too long.
fn messages(stream: &[u8], limit: usize) -> Outcome {
    let (mut out, mut overlong) = (Vec::new(), Vec::new());
    let mut lines = stream.split(|byte| *byte == b'\n');
    let _unfinished = lines.next_back();
    for whole in lines {
        let line = whole.strip_suffix(b"\r").unwrap_or(whole);
        if line.len() > limit {
            // The bound is below what is kept of either end of longer ones.
            let beginning = Bytes::copy_from_slice(&whole[..limit]);
            let end = Bytes::copy_from_slice(&whole[whole.len() - limit..]);
            overlong.push(Overlong { beginning, end, bytes: whole.len() as u64 });
        } else if !line.is_empty() {
            out.push(Bytes::copy_from_slice(line));
        }
    }
    (out, overlong)
}
