//! What of a connection's bytes may be shown to the HTTP machine: heads that every reader takes for the same request,
//! and bodies that end where their head says. Pure.
//!
//! hyper is laxer than it is safe to be behind or before another reader: it takes a bare line feed for a line end,
//! drops a `Content-Length` next to a `Transfer-Encoding`, and takes transfer codings that it cannot decode. What it
//! refuses itself it refuses without a word. So the heads are judged here, before it sees a byte of them.

mod chunks;
mod head;

use orch_core::{Fault, Limits};

use chunks::Chunks;
use head::{Framing, Head};

/// Follows the bytes of one connection.
#[derive(Debug)]
pub struct Gate {
    /// The longest head, in bytes.
    head_bytes: usize,
    /// The most header fields of one head.
    header_fields: usize,
    place: Place,
}

/// Where in the stream of requests the next byte stands.
#[derive(Debug)]
enum Place {
    Head(Head),
    /// In a body with so many bytes to come.
    Body(u64),
    Chunks(Chunks),
}

/// Why the bytes end here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The head that begins here is refused.
    Head(Fault),
    /// The body is not framed as its head says.
    Body,
}

/// What became of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many of the first ones may be shown. The others are the beginning of a head that is not complete yet: they
    /// are to be given again, with what follows them.
    pub bytes: usize,
    /// What is wrong with those after them. Nothing that follows may be shown.
    pub flaw: Option<Flaw>,
}

impl Gate {
    /// At the beginning of a connection.
    pub fn new(limits: &Limits) -> Self {
        let (head_bytes, header_fields) = (limits.head_bytes, limits.header_fields);
        Self { head_bytes, header_fields, place: Place::Head(Head::default()) }
    }

    /// Judges the next bytes: those that were not passed before, and what came after them.
    pub fn pass(&mut self, bytes: &[u8]) -> Passed {
        let mut passed = 0_usize;
        loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            if rest.is_empty() {
                return Passed { bytes: passed, flaw: None };
            }
            match self.step(rest) {
                Ok(Some(taken)) => passed = passed.saturating_add(taken),
                Ok(None) => return Passed { bytes: passed, flaw: None },
                Err(flaw) => return Passed { bytes: passed, flaw: Some(flaw) },
            }
        }
    }

    /// How many of the bytes are the rest of a head or belong to a body; `None` when a head is not complete.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, Flaw> {
        match &mut self.place {
            Place::Head(head) => {
                let Some(framing) =
                    head.read(bytes, self.head_bytes, self.header_fields).map_err(Flaw::Head)?
                else {
                    return Ok(None);
                };
                let taken = head.bytes();
                self.place = match framing {
                    Framing::Length(length) => Place::Body(length),
                    Framing::Chunked => Place::Chunks(Chunks::default()),
                };
                Ok(Some(taken))
            }
            Place::Body(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left = left.saturating_sub(taken as u64);
                if *left == 0 {
                    self.place = Place::Head(Head::default());
                }
                Ok(Some(taken))
            }
            Place::Chunks(chunks) => {
                let taken = chunks.read(bytes);
                if chunks.ended() {
                    self.place = Place::Head(Head::default());
                } else if taken == 0 {
                    return Err(Flaw::Body);
                }
                Ok(Some(taken))
            }
        }
    }
}

#[cfg(test)]
mod tests;
