//! The framer of stdio: any chunking gives the same messages, and the buffer stays within its bound.
//!
//! An input is the longest message (one byte), a seed for the chunking (one byte), and the stream.

use bytes::Bytes;
use orch_stdio::{Framer, LineTooLong};

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

type Outcome = (Vec<Bytes>, Result<(), LineTooLong>);

/// What the framer makes of chunks.
fn framed<'a>(chunks: impl Iterator<Item = &'a [u8]>, limit: usize) -> Outcome {
    let (mut framer, mut out) = (Framer::new(limit), Vec::new());
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
            if let Err(error) = framer.frames(&mut out) {
                return (out, Err(error));
            }
        }
    }
    (out, Ok(()))
}

/// The same by definition: lines without their ends, empty ones left out, up to the first that is too long.
fn messages(stream: &[u8], limit: usize) -> Outcome {
    let mut out = Vec::new();
    let mut lines = stream.split(|byte| *byte == b'\n');
    let unfinished = lines.next_back().unwrap_or_default();
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > limit {
            return (out, Err(LineTooLong));
        }
        if !line.is_empty() {
            out.push(Bytes::copy_from_slice(line));
        }
    }
    // One byte more may yet turn out to be the carriage return of a line end.
    if unfinished.len() > limit + 1 { (out, Err(LineTooLong)) } else { (out, Ok(())) }
}
