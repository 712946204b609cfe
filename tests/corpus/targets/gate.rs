//! The gate before the HTTP machine: any chunking passes the same bytes, and what it passes is what a slow reader,
//! which looks for nothing but the ends of heads and bodies, takes for the same requests.
//!
//! An input is a seed for the chunking (one byte), and the stream.

use orch_core::Limits;
use orch_http::{Gate, Passed};

use super::choices::{Choices, pieces};

const HEAD_BYTES: usize = 1 << 10;
const HEADER_FIELDS: usize = 8;

pub fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let seed = choices.byte();
    let stream = choices.rest();
    let at_once = passed(stream, std::iter::once(stream));
    assert_eq!(passed(stream, pieces(stream, seed)), at_once, "in chunks of seed {seed}");
    assert_eq!(passed(stream, pieces(stream, 0)), at_once, "byte by byte");
    read_slowly(&stream[..at_once.bytes]);
}

/// How much of the stream is passed when it comes in these chunks, and what is wrong after that.
fn passed<'a>(stream: &[u8], chunks: impl Iterator<Item = &'a [u8]>) -> Passed {
    let limits = Limits { head_bytes: HEAD_BYTES, header_fields: HEADER_FIELDS, ..Limits::default() };
    let (mut gate, mut come, mut all) = (Gate::new(&limits), 0, 0);
    for chunk in chunks {
        come += chunk.len();
        let Passed { bytes, flaw } = gate.pass(&stream[all..come]);
        all += bytes;
        assert!(all <= come, "no more is passed than there is");
        if flaw.is_some() {
            return Passed { bytes: all, flaw };
        }
        assert!(come - all <= HEAD_BYTES, "no more is held back than a head");
    }
    Passed { bytes: all, flaw: None }
}

/// The requests in what was passed, of which the last may lack a part of its body.
fn read_slowly(mut stream: &[u8]) {
    while !stream.is_empty() {
        while let Some(rest) = stream.strip_prefix(b"\r\n") {
            stream = rest;
        }
        let end = find(stream, b"\r\n\r\n").expect("a head is passed whole") + 4;
        let (head, rest) = stream.split_at(end);
        assert!(head.len() <= HEAD_BYTES);
        let head: String = head.iter().copied().map(char::from).collect();
        assert_eq!(head.matches('\n').count(), head.matches("\r\n").count(), "{head:?}");
        assert_eq!(head.matches('\r').count(), head.matches("\r\n").count(), "{head:?}");
        stream = after_body(&head, rest).unwrap_or_default();
    }
}

/// What follows the body that this head announces; `None` when it is not all there.
fn after_body<'s>(head: &str, mut stream: &'s [u8]) -> Option<&'s [u8]> {
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let line = lines.next().unwrap_or_default();
    assert!(line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0"), "{line:?}");
    let fields: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').expect("a colon"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    assert!(fields.len() <= HEADER_FIELDS, "{head:?}");
    let values =
        |name: &str| fields.iter().filter(|field| field.0 == name).map(|field| field.1).collect::<Vec<_>>();
    match (&*values("content-length"), &*values("transfer-encoding")) {
        ([], []) => Some(stream),
        ([length], []) => stream.get(length.parse().expect("a length")..),
        ([], [coding]) => {
            assert!(coding.eq_ignore_ascii_case("chunked") && line.ends_with('1'), "{head:?}");
            loop {
                let line = find(stream, b"\r\n")?;
                let size = String::from_utf8_lossy(&stream[..line]);
                let size = usize::from_str_radix(size.split(';').next()?, 16).expect("a size");
                stream = &stream[line + 2..];
                if size == 0 {
                    break;
                }
                let end = stream.get(size..)?;
                stream = end.strip_prefix(b"\r\n").or_else(|| {
                    assert!(b"\r\n".starts_with(end), "a chunk ends with its line");
                    None
                })?;
            }
            // Trailers, up to an empty line.
            loop {
                let line = find(stream, b"\r\n")?;
                stream = &stream[line + 2..];
                if line == 0 {
                    return Some(stream);
                }
            }
        }
        _ => panic!("two ways to frame one body: {head:?}"),
    }
}

fn find(stream: &[u8], what: &[u8]) -> Option<usize> {
    stream.windows(what.len()).position(|window| window == what)
}
